//! `vbench sweep`: measuring again and again with other settings, and
//! `vbench startup`.
//!
//! - `args`: the flags; `words`, `params`, `product`: commands, combinations of
//!   parameters, and which belong together;
//! - `layout`, `results`, `table`, `aggregate`, `statistics`: where results are
//!   kept, and what is made of them;
//! - `session`: what all sweeps over servers share, with `bench` (running one
//!   benchmark), `seed` (one for each point), `overview` (how far it is) and
//!   `failure` (what goes wrong);
//! - `serve`, `workload`, `sla`, `startup_sweep`: the sweeps; `search` and
//!   `criterion` are parts of the third, `startup_time` measures starts and
//!   `startup_result` tells and keeps them.
//!
//! Depends on `server`, `run`, `cli` (a benchmark inside this process is a
//! command line), `report`, `sla` and `plugin`; only the binary depends on it.

mod aggregate;
mod args;
mod bench;
mod criterion;
mod error;
mod failure;
mod layout;
mod overview;
mod params;
mod product;
mod results;
mod search;
mod seed;
mod serve;
mod session;
mod sla;
mod startup_result;
mod startup_sweep;
pub mod startup_time;
mod statistics;
mod table;
mod words;
mod workload;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use args::{ServeSweepArgs, SlaSweepArgs, StartupSweepArgs, WorkloadSweepArgs};
pub use error::SweepError;
pub use startup_time::StartupArgs;

use crate::cli::plan::SlaPlan;
use crate::cli::{Compat, GlobalArgs};
use crate::fault::{EXIT_INTERRUPTED, EXIT_OK, Fault};
use crate::plugin::Plugins;
use crate::run::Screen;
use session::Session;

/// A sweep that the user asked for.
#[derive(Debug, Clone)]
pub enum SweepCommand {
    /// `sweep serve`.
    Serve(ServeSweepArgs),
    /// `sweep serve-workload`.
    ServeWorkload(WorkloadSweepArgs),
    /// `sweep serve-sla`, with the criteria of `--sla`.
    ServeSla(SlaSweepArgs, Vec<SlaPlan>),
    /// `sweep startup`.
    Startup(StartupSweepArgs),
}

impl SweepCommand {
    /// Whose rules hold.
    pub fn compat(&self) -> Compat {
        match self {
            Self::Serve(args) => args.experiment.compat,
            Self::ServeWorkload(args) => args.sweep.experiment.compat,
            Self::ServeSla(args, _) => args.sweep.experiment.compat,
            Self::Startup(args) => args.experiment.compat,
        }
    }
}

/// What a sweep has from its command.
pub struct SweepContext<'a> {
    /// Options of the whole command line.
    pub globals: &'a GlobalArgs,
    /// Criteria come from here; benchmarks load their own.
    pub plugins: &'a Plugins,
    /// Where lines go.
    pub screen: &'a Screen,
    /// Set when the user asks for an end.
    pub stop: &'a Arc<AtomicBool>,
}

/// Carries out a sweep and gives its exit code.
///
/// # Errors
/// What the user has to mend, or what failed.
pub fn run(command: SweepCommand, context: &SweepContext<'_>) -> Result<u8, Fault> {
    let outcome = match &command {
        SweepCommand::Serve(args) => serve::run(Session::open(args, context)?),
        SweepCommand::ServeWorkload(args) => workload::run(Session::open(&args.sweep, context)?, args),
        SweepCommand::ServeSla(args, criteria) => {
            let compat = args.sweep.experiment.compat;
            let targets =
                criterion::open_targets(args.sla_params.as_deref(), criteria, compat, context.plugins)?;
            sla::run(Session::open(&args.sweep, context)?, args, targets)
        }
        SweepCommand::Startup(args) => startup_sweep::run(args, context),
    };
    match outcome.map_err(failure::Halt::into_fault) {
        Ok(()) => Ok(EXIT_OK),
        Err(Some(fault)) => Err(fault),
        Err(None) => {
            context.screen.warn(format!("stopped: what is finished is kept. {}", failure::TERMINATED));
            Ok(EXIT_INTERRUPTED)
        }
    }
}
