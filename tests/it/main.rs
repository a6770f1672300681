//! The whole command, as users run it.

mod cli;
mod command;
mod comparison;
mod golden;
mod hostile;
mod recording_server;
mod registry;
mod request_body;
mod shipping;
