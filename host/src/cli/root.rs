//! The commands of `vbench`.

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use super::early::{Early, GlobalArgs};
use super::error::CliError;
use super::offers::OfferSpec;
use super::offline::{self, LatencyPlan, Read, ThroughputPlan};
use super::plan::ServePlan;
use super::plugin_args::PluginCommand;
use super::serve::{self, Outcome};
use super::sweep;
use crate::mock::MockArgs;
use crate::plot::{ParetoPlan, PlotPlan};
use crate::sweep::{StartupArgs, SweepCommand};

/// What the user wants done.
#[derive(Debug)]
pub enum Invocation {
    /// Measure a server.
    Serve(Box<ServePlan>),
    /// Time batches of a fixed size.
    Latency(Box<LatencyPlan>),
    /// Time all requests of a dataset at once.
    Throughput(Box<ThroughputPlan>),
    /// Be a server to measure.
    Mock(MockArgs),
    /// Measure again and again with other settings.
    Sweep(Box<SweepCommand>),
    /// Measure how long a server takes to start.
    Startup(StartupArgs),
    /// Look at plugins, fetch them, make them.
    Plugin(PluginCommand),
    /// Nothing was asked for: this help goes to standard error.
    NoCommand(String),
    /// Draw the curves of a sweep.
    Plot(Box<PlotPlan>),
    /// Draw the Pareto frontier of a sweep.
    PlotPareto(Box<ParetoPlan>),
    /// Print this text to standard output and succeed: help, version, completion script.
    Print(String),
}

/// Benchmarks LLM serving endpoints with sandboxed WebAssembly plugins
#[derive(Debug, Parser)]
#[command(
    name = "vbench",
    bin_name = "vbench",
    version,
    disable_help_subcommand = true,
    no_binary_name = true
)]
struct Root {
    #[command(flatten)]
    globals: GlobalArgs,
    #[command(subcommand)]
    command: RootCommand,
}

#[derive(Debug, Subcommand)]
enum RootCommand {
    /// Measure a server: send requests, time the answers, report
    Serve,
    /// Time batches of a fixed size
    Latency,
    /// Time all requests of a dataset at once
    Throughput,
    /// Be an OpenAI-compatible server with known timing
    Mock(MockArgs),
    /// Measure again and again: settings of the server times settings of the benchmark
    Sweep {
        #[command(subcommand)]
        command: sweep::SweepName,
    },
    /// Measure how long a server takes to start
    Startup(StartupArgs),
    /// Look at plugins, fetch, lock, verify, try out and make them
    Plugin {
        #[command(subcommand)]
        command: PluginCommand,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Reads the whole command line, now that plugins are loaded.
///
/// # Errors
/// See [`CliError`]; nothing has been done yet.
pub fn parse(early: &Early, offers: &[OfferSpec]) -> Result<Invocation, CliError> {
    let serve = |words: &[String]| {
        serve::read(words, early.config.as_ref(), offers).map(|outcome| match outcome {
            Outcome::Plan(plan) => Invocation::Serve(plan),
            Outcome::Help(text) => Invocation::Print(text),
        })
    };
    let latency = |words: &[String]| {
        offline::latency(words, offers).map(|read| match read {
            Read::Plan(plan) => Invocation::Latency(plan),
            Read::Help(text) => Invocation::Print(text),
        })
    };
    let throughput = |words: &[String]| {
        offline::throughput(words, offers).map(|read| match read {
            Read::Plan(plan) => Invocation::Throughput(plan),
            Read::Help(text) => Invocation::Print(text),
        })
    };
    match early.words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        Some(("serve", words)) => return serve(words),
        Some(("latency", words)) => return latency(words),
        Some(("throughput", words)) => return throughput(words),
        _ => {}
    }
    if let [first, name, words @ ..] = early.words.as_slice()
        && first == "sweep"
        && let Some(name) = sweep::SweepName::of(name)
    {
        return sweep::read(name, words, offers);
    }
    if let Some(("startup", words)) = early.words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return sweep::read_startup(words);
    }
    let root = match Root::try_parse_from(&early.words) {
        Ok(root) => root,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return Ok(Invocation::Print(error.render().to_string()));
        }
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return Ok(Invocation::NoCommand(error.render().to_string()));
        }
        Err(error) => return Err(CliError::parser(&error)),
    };
    match root.command {
        RootCommand::Serve => serve(&[]),
        RootCommand::Latency => latency(&[]),
        RootCommand::Throughput => throughput(&[]),
        RootCommand::Sweep { command } => sweep::read(command, &[], offers),
        RootCommand::Startup(args) => Ok(Invocation::Startup(args)),
        RootCommand::Mock(args) => Ok(Invocation::Mock(args)),
        RootCommand::Plugin { command } => Ok(Invocation::Plugin(command)),
        RootCommand::Completions { shell } => completions(shell, offers).map(Invocation::Print),
    }
}

/// Reads the flags of `vbench serve`, for commands that do a part of what it does.
///
/// # Errors
/// See [`CliError`].
pub fn serve_plan(words: &[String], offers: &[OfferSpec]) -> Result<ServePlan, CliError> {
    match serve::read(words, None, offers)? {
        Outcome::Plan(plan) => Ok(*plan),
        Outcome::Help(_) => Err(CliError::Usage("`vbench serve --help` lists these flags".to_owned())),
    }
}

fn completions(shell: Shell, offers: &[OfferSpec]) -> Result<String, CliError> {
    let serve = serve::complete_command(offers)?;
    let mut command = Root::command()
        .mut_subcommand("serve", |_| serve)
        .mut_subcommand("latency", |_| offline::latency_command())
        .mut_subcommand("throughput", |_| offline::throughput_command())
        .mut_subcommand("sweep", sweep::with_flags);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "vbench", &mut script);
    Ok(String::from_utf8_lossy(&script).into_owned())
}
