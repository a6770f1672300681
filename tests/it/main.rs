//! The whole command, as users run it.

mod backends;
mod cli;
mod command;
mod comparison;
mod golden;
mod hostile;
mod load;
mod media;
mod old_plugins;
mod plots;
mod recording_server;
mod registry;
mod request_body;
mod sdks;
mod server;
mod shipping;
mod stand_in;
mod sweep;
mod sweep_golden;
