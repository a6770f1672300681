//! A plugin of every role that misbehaves as its option `do` says: `CALL:DEED`,
//! such as `next:loop`. Whatever it is not asked to do it does properly.
//!
//! Written against the contract itself, since the SDK keeps its users from most
//! of this.

mod backend;
mod criterion;
mod dataset;
mod deeds;
mod probes;

#[allow(missing_docs, reason = "generated; documented in the contract")]
#[allow(clippy::all, reason = "generated")]
pub mod contract {
    wit_bindgen::generate!({
        inline: "
            package vbench:evil;
            world evil {
                import vbench:plugin/log@0.1.0;
                import vbench:plugin/tokenizer@0.1.0;
                import vbench:plugin/table@0.1.0;
                import vbench:plugin/results@0.1.0;
                export vbench:plugin/meta@0.1.0;
                export vbench:plugin/dataset@0.1.0;
                export vbench:plugin/backend@0.1.0;
                export vbench:plugin/sla@0.1.0;
            }
        ",
        path: "../../../wit/v0.1",
        world: "vbench:evil/evil",
        generate_all,
    });
}

use contract::exports::vbench::plugin::meta::{Description, Guest, Offer, Role};
use contract::vbench::plugin::types::{Cause, Error};

struct Evil;

impl Guest for Evil {
    fn describe() -> Description {
        let option = r#""do":{"type":"string","default":"","description":"What to do, as CALL:DEED"}"#;
        let offer = |role, name: &str, more: &str| Offer {
            role,
            name: name.into(),
            aliases: Vec::new(),
            summary: "Misbehaves as it is told".into(),
            config_schema: format!(r#"{{"type":"object","properties":{{{option}{more}}}}}"#),
        };
        let path = r#","path":{"type":"string","format":"path","description":"A folder to break out of"}"#;
        Description {
            name: "evil".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "Misbehaves as it is told".into(),
            offers: vec![
                offer(Role::Dataset, "evil", path),
                offer(Role::Backend, "evil-backend", ""),
                offer(Role::Sla, "evil-sla", ""),
            ],
        }
    }
}

/// What the option `do` asks for in `call`.
fn deed<'a>(order: &'a str, call: &str) -> Option<&'a str> {
    order.strip_prefix(call)?.strip_prefix(':')
}

/// The option `do` of a config, which is the only text in it that is read.
fn order(config: &str) -> String {
    let value = config.split_once("\"do\":\"").map_or("", |(_, rest)| rest);
    value.split_once('"').map_or("", |(value, _)| value).to_owned()
}

fn error(cause: Cause, message: impl Into<String>) -> Error {
    Error { cause, message: message.into(), config_key: None, location: None }
}

contract::export!(Evil with_types_in contract);
