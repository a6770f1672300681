//! Code generated from the contract in `wit/v0.1`.
//!
//! One world a role instead of the contract's three, and `meta` apart from
//! them, so that a component can export several roles and still one `meta`.
//! The linker merges the worlds whose export macro is used, and leaves out the
//! imports that are not called, which makes the same component types.
#![allow(missing_docs, reason = "documented in the WIT files")]
#![allow(unsafe_code, reason = "the canonical ABI passes pointers")]
#![allow(clippy::all, reason = "generated")]

/// Types, and what a plugin can call.
pub mod host {
    wit_bindgen::generate!({
        inline: "
            package vbench:sdk;
            world host {
                import vbench:plugin/types@0.1.0;
                import vbench:plugin/log@0.1.0;
                import vbench:plugin/tokenizer@0.1.0;
                import vbench:plugin/table@0.1.0;
                import vbench:plugin/media@0.1.0;
                import vbench:plugin/results@0.1.0;
            }
        ",
        path: "wit/v0.1",
        world: "vbench:sdk/host",
        additional_derives: [PartialEq],
        generate_all,
    });
}

/// What every plugin exports.
pub mod meta {
    wit_bindgen::generate!({
        inline: "package vbench:sdk; world meta { export vbench:plugin/meta@0.1.0; }",
        path: "wit/v0.1",
        world: "vbench:sdk/meta",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_meta",
        with: { "vbench:plugin/types@0.1.0": crate::bindings::host::vbench::plugin::types },
    });
    pub use exports::vbench::plugin::meta::*;
}

/// What a plugin with datasets exports.
pub mod dataset {
    wit_bindgen::generate!({
        inline: "package vbench:sdk; world dataset { export vbench:plugin/dataset@0.1.0; }",
        path: "wit/v0.1",
        world: "vbench:sdk/dataset",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_dataset",
        with: { "vbench:plugin/types@0.1.0": crate::bindings::host::vbench::plugin::types },
    });
    pub use exports::vbench::plugin::dataset::*;
}

/// What a plugin with backends exports.
pub mod backend {
    wit_bindgen::generate!({
        inline: "package vbench:sdk; world backend { export vbench:plugin/backend@0.1.0; }",
        path: "wit/v0.1",
        world: "vbench:sdk/backend",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_backend",
        with: { "vbench:plugin/types@0.1.0": crate::bindings::host::vbench::plugin::types },
    });
    pub use exports::vbench::plugin::backend::*;
}

/// What a plugin with criteria exports.
pub mod sla {
    wit_bindgen::generate!({
        inline: "package vbench:sdk; world sla { export vbench:plugin/sla@0.1.0; }",
        path: "wit/v0.1",
        world: "vbench:sdk/sla",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_sla",
        with: {
            "vbench:plugin/types@0.1.0": crate::bindings::host::vbench::plugin::types,
            "vbench:plugin/results@0.1.0": crate::bindings::host::vbench::plugin::results,
        },
    });
    pub use exports::vbench::plugin::sla::*;
}
