//! Messages for the person at the terminal.

pub use crate::bindings::host::vbench::plugin::log::Level;
#[cfg(target_arch = "wasm32")]
use crate::bindings::host::vbench::plugin::log::log as send;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::host::log as send;

/// A detail, shown with `-v`.
pub fn debug(message: impl AsRef<str>) {
    send(Level::Debug, message.as_ref());
}

/// Shown as a plain line.
pub fn info(message: impl AsRef<str>) {
    send(Level::Info, message.as_ref());
}

/// Shown, and kept in the result.
pub fn warn(message: impl AsRef<str>) {
    send(Level::Warn, message.as_ref());
}
