//! The whole command, as users run it.

mod cli;
mod command;
mod comparison;
mod golden;
mod hostile;
mod old_plugins;
mod recording_server;
mod request_body;
mod sdks;
