//! Generated from `wit/v0.1`. One world with all roles, so that the types are
//! generated once; each exported interface is looked up on its own.
#![allow(missing_docs, reason = "generated; the contract's own text is in wit/v0.1")]

pub(crate) use exports::vbench::plugin as exported;
pub(crate) use vbench::plugin as imported;

wasmtime::component::bindgen!({
    path: "../wit/v0.1",
    inline: "
        package vbench:host;
        world all-roles {
            import vbench:plugin/log@0.1.0;
            import vbench:plugin/tokenizer@0.1.0;
            import vbench:plugin/table@0.1.0;
            import vbench:plugin/media@0.1.0;
            import vbench:plugin/results@0.1.0;
            export vbench:plugin/meta@0.1.0;
            export vbench:plugin/dataset@0.1.0;
            export vbench:plugin/backend@0.1.0;
            export vbench:plugin/sla@0.1.0;
        }
    ",
    world: "vbench:host/all-roles",
    with: {
        "vbench:plugin/table.rows": super::services::OpenRows,
        "vbench:plugin/results.run": super::services::FinishedRun,
    },
    imports: { default: trappable },
});
