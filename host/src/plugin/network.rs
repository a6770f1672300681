//! Stands in for the network. Toolchains import sockets without using them, so
//! such imports are resolved, to functions that trap when they are called.

use std::fmt;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, ResourceType};

use super::sandbox::Sandbox;

/// That a plugin called something of the network. The error of the trap, found
/// again by type.
#[derive(Debug)]
pub(crate) struct NetworkCall {
    /// `wasi:sockets/tcp@0.2.6#[method]tcp-socket.start-connect`.
    pub(crate) import: String,
}

impl fmt::Display for NetworkCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` called, but plugins never get the network", self.import)
    }
}

impl std::error::Error for NetworkCall {}

/// Defines every import of `component` for which `is_denied` holds as functions
/// that trap with a [`NetworkCall`].
pub(crate) fn deny(
    linker: &mut Linker<Sandbox>,
    component: &Component,
    is_denied: impl Fn(&str) -> bool,
) -> wasmtime::Result<()> {
    let engine = component.engine();
    // An interface repeats the resources it uses of others (`wasi:io`). Those
    // are defined where they come from, and imports are in that order.
    let mut defined: Vec<ResourceType> = Vec::new();
    for (name, import) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(interface) = import.ty else {
            continue;
        };
        for (item, export) in interface.exports(engine) {
            match export.ty {
                ComponentItem::Resource(resource) => {
                    let is_new = !defined.contains(&resource);
                    if is_new {
                        defined.push(resource);
                    }
                    if is_new && is_denied(name) {
                        linker.instance(name)?.resource(
                            item,
                            ResourceType::host::<NetworkCall>(),
                            |_, _| Ok(()),
                        )?;
                    }
                }
                ComponentItem::ComponentFunc(_) if is_denied(name) => {
                    let import = format!("{name}#{item}");
                    linker.instance(name)?.func_new(item, move |_, _, _, _| {
                        Err(NetworkCall { import: import.clone() }.into())
                    })?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}
