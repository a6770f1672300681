//! The commands of `vbench`.

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use super::early::{Early, GlobalArgs};
use super::error::CliError;
use super::offers::OfferSpec;
use super::plan::ServePlan;
use super::plugin_args::PluginCommand;
use super::serve::{self, Outcome};
use crate::mock::MockArgs;

/// What the user wants done.
#[derive(Debug)]
pub enum Invocation {
    /// Measure a server.
    Serve(Box<ServePlan>),
    /// Be a server to measure.
    Mock(MockArgs),
    /// Look at plugins, fetch them, make them.
    Plugin(PluginCommand),
    /// Print this text to standard output and succeed: help, version, completion script.
    Print(String),
}

/// Benchmarks LLM serving endpoints with sandboxed WebAssembly plugins
#[derive(Debug, Parser)]
#[command(name = "vbench", version, disable_help_subcommand = true, no_binary_name = true)]
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
    /// Be an OpenAI-compatible server with known timing
    Mock(MockArgs),
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
    if let Some(("serve", words)) = early.words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return serve(words);
    }
    let root = match Root::try_parse_from(&early.words) {
        Ok(root) => root,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return Ok(Invocation::Print(error.render().to_string()));
        }
        Err(error) => return Err(CliError::parser(&error)),
    };
    match root.command {
        RootCommand::Serve => serve(&[]),
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
    let mut command = Root::command().mut_subcommand("serve", |_| serve);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "vbench", &mut script);
    Ok(String::from_utf8_lossy(&script).into_owned())
}
