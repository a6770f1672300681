//! The whole command, as users run it.

mod cli;
mod command;
mod comparison;
mod golden;
mod hostile;
mod load;
mod recording_server;
mod request_body;
