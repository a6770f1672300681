//! `vbench serve`: words and offers in, plan or help out.

use clap::builder::ValueRange;
use clap::{Arg, ArgAction, Args, Command, FromArgMatches};

use super::argv::{self, Arity, FlagTable, Normalised};
use super::compat::Compat;
use super::config_file::ConfigFile;
use super::early::{self, GlobalArgs};
use super::error::CliError;
use super::help;
use super::offers::OfferSpec;
use super::plan::ServePlan;
use super::plugin_flags::{Chosen, PluginFlags};
use super::resolve;
use super::serve_args::ServeArgs;

/// Flags of the host that take JSON.
const JSON_FLAGS: &[&str] = &["extra-body"];

/// What the words after `serve` come to.
#[derive(Debug)]
pub(super) enum Outcome {
    Plan(Box<ServePlan>),
    Help(String),
}

/// Reads the words after `serve`.
pub(super) fn read(
    words: &[String],
    config: Option<&ConfigFile>,
    offers: &[OfferSpec],
) -> Result<Outcome, CliError> {
    let compat = argv::scan(words, "compat")
        .or_else(|| config.and_then(|file| file.text("compat")))
        .and_then(Compat::from_name)
        .unwrap_or_default();
    let (plugins, table) = flags(offers)?;
    if let Some(query) = help::query(words) {
        let chosen =
            Chosen { dataset: argv::scan(words, "dataset-name"), backend: argv::scan(words, "backend") };
        return help::render(command(&plugins, &chosen), query).map(Outcome::Help);
    }
    let given = argv::normalise(words, &table, compat)?;
    let given = match config {
        Some(file) => file.pieces(&table, compat)?.overridden_by(given, &table),
        None => given,
    };
    let args = parse(&plugins, &given)?;
    resolve::plan(args, &given, &plugins).map(|plan| Outcome::Plan(Box::new(plan)))
}

/// The complete command, for completion scripts.
pub(super) fn complete_command(offers: &[OfferSpec]) -> Result<Command, CliError> {
    let (plugins, _) = flags(offers)?;
    Ok(command(&plugins, &Chosen::default()))
}

/// Flags of plugins, and the table of all flags.
fn flags(offers: &[OfferSpec]) -> Result<(PluginFlags<'_>, FlagTable), CliError> {
    let mut table = flag_table(ServeArgs::augment_args(bare()), JSON_FLAGS);
    let mut taken = table.clone();
    taken.extend(early::table());
    for name in ["help", "config"] {
        taken.insert(name, Arity::One, false);
    }
    let plugins = PluginFlags::new(offers, &taken)?;
    plugins.fill(&mut table);
    Ok((plugins, table))
}

/// The table of all flags of `serve`, those of plugins included.
pub(super) fn all_flags(offers: &[OfferSpec]) -> Result<FlagTable, CliError> {
    flags(offers).map(|(_, table)| table)
}

/// Whether a flag of `serve` is the host's own.
pub(super) fn is_host_flag(flag: &str) -> bool {
    flag_table(ServeArgs::augment_args(bare()), JSON_FLAGS).contains(flag)
}

fn bare() -> Command {
    Command::new("serve").bin_name("vbench serve").disable_help_flag(true).next_line_help(false)
}

/// The command as help and completion scripts show it.
fn command(plugins: &PluginFlags<'_>, chosen: &Chosen<'_>) -> Command {
    let command = ServeArgs::augment_args(bare())
        .next_help_heading("General")
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .help("Take flags from a YAML, JSON or TOML file; the command line wins"),
        )
        .arg(
            Arg::new("help")
                .long("help")
                .short('h')
                .value_name("all|GROUP|WORD")
                .num_args(0..=1)
                .require_equals(true)
                .help(
                    "Print help: on everything, on a group of flags, or on flags with a word in their name",
                ),
        );
    plugins
        .extend(GlobalArgs::augment_args(command), chosen)
        .about("Measure a server: send requests, time the answers, report")
        .after_help(plugins.list())
}

fn parse(plugins: &PluginFlags<'_>, given: &Normalised) -> Result<ServeArgs, CliError> {
    let command = plugins.extend(ServeArgs::augment_args(bare()), &Chosen::default()).no_binary_name(true);
    command
        .try_get_matches_from(given.words())
        .and_then(|matches| ServeArgs::from_arg_matches(&matches))
        .map_err(|error| CliError::parser(&error))
}

/// The flags of a command by name, with what the pre-pass has to know of them.
pub(super) fn flag_table(mut command: Command, json: &[&str]) -> FlagTable {
    command.build();
    let mut table = FlagTable::default();
    for arg in command.get_arguments() {
        let Some(name) = arg.get_long() else { continue };
        let arity = match arg.get_action() {
            ArgAction::Set => Arity::One,
            ArgAction::Append => match arg.get_num_args() {
                Some(range) if range.max_values() > 1 => {
                    Arity::Many { or_none: range == ValueRange::from(0..) }
                }
                _ => Arity::Repeat,
            },
            _ => Arity::Switch,
        };
        table.insert(name, arity, json.contains(&name));
    }
    table
}
