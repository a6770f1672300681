//! The whole command, as users run it.

mod backends;
mod cli;
mod command;
mod comparison;
mod experiment;
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
mod sla;
mod stand_in;
mod startup;
mod sweep;
mod sweep_faults;
mod sweep_golden;
