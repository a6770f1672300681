//! `vbench sweep …` and `vbench startup`: words and offers in, arguments, plans
//! or help out. Spellings and abbreviations are read as for `serve`.

use clap::{Arg, Args, Command, FromArgMatches, Subcommand};

use super::argv::{self, Arity, Normalised};
use super::compat::Compat;
use super::early;
use super::error::CliError;
use super::help;
use super::offers::{OfferSpec, Role};
use super::plan::SlaPlan;
use super::plots::{PlotArgs, PlotParetoArgs};
use super::plugin_flags::{Chosen, PluginFlags};
use super::resolve;
use super::root::Invocation;
use super::serve::flag_table;
use crate::sweep::{
    ServeSweepArgs, SlaSweepArgs, StartupArgs, StartupSweepArgs, SweepCommand, WorkloadSweepArgs,
};

/// What there is to do with many runs: make them, or draw them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub(super) enum SweepName {
    /// Every setting of the server with every setting of the benchmark
    Serve,
    /// Loads from one request at a time to all at once, for each pair of settings
    #[command(alias = "serve_workload")]
    ServeWorkload,
    /// The highest load at which criteria are met, for each pair of settings
    #[command(alias = "serve_sla")]
    ServeSla,
    /// Start-up times by settings
    Startup,
    /// Draw performance curves from the results of a sweep
    Plot,
    /// Draw the Pareto frontier between tokens/s/user and tokens/s/GPU
    #[command(alias = "plot_pareto")]
    PlotPareto,
}

impl SweepName {
    const ALL: [Self; 6] =
        [Self::Serve, Self::ServeWorkload, Self::ServeSla, Self::Startup, Self::Plot, Self::PlotPareto];

    /// The sweep with this name, which may be spelt with an underscore.
    pub(super) fn of(name: &str) -> Option<Self> {
        let name = argv::dashes(name);
        Self::ALL.into_iter().find(|sweep| sweep.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::ServeWorkload => "serve-workload",
            Self::ServeSla => "serve-sla",
            Self::Startup => "startup",
            Self::Plot => "plot",
            Self::PlotPareto => "plot-pareto",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Serve => "Measure every setting of the server with every setting of the benchmark",
            Self::ServeWorkload => "Measure loads from one request at a time to all at once",
            Self::ServeSla => "Find the highest load at which criteria are met",
            Self::Startup => "Measure start-up times by settings",
            Self::Plot => "Draw performance curves from the results of a sweep",
            Self::PlotPareto => "Draw the Pareto frontier between tokens/s/user and tokens/s/GPU",
        }
    }

    /// The command with the flags `A`.
    fn command<A: Args>(self) -> Command {
        let name = self.name();
        let command = Command::new(name).bin_name(format!("vbench sweep {name}")).disable_help_flag(true);
        A::augment_args(command).about(self.about())
    }
}

/// The command `sweep` with the host's flags of every subcommand, for completion scripts.
pub(super) fn with_flags(mut sweep: Command) -> Command {
    for name in SweepName::ALL {
        let command = match name {
            SweepName::Serve => name.command::<ServeSweepArgs>(),
            SweepName::ServeWorkload => name.command::<WorkloadSweepArgs>(),
            SweepName::ServeSla => name.command::<SlaSweepArgs>(),
            SweepName::Startup => name.command::<StartupSweepArgs>(),
            SweepName::Plot => name.command::<PlotArgs>(),
            SweepName::PlotPareto => name.command::<PlotParetoArgs>(),
        };
        sweep = sweep.mut_subcommand(name.name(), |_| command);
    }
    sweep
}

/// Reads the words after a sweep's name.
pub(super) fn read(name: SweepName, words: &[String], offers: &[OfferSpec]) -> Result<Invocation, CliError> {
    let sweep = |command| Ok(Invocation::Sweep(Box::new(command)));
    match name {
        SweepName::Serve => read_flags(name, words, |args| sweep(SweepCommand::Serve(args))),
        SweepName::ServeWorkload => read_flags(name, words, |args| sweep(SweepCommand::ServeWorkload(args))),
        SweepName::ServeSla => read_sla(words, offers),
        SweepName::Startup => read_flags(name, words, |args| sweep(SweepCommand::Startup(args))),
        SweepName::Plot => {
            read_flags(name, words, |args: PlotArgs| args.plan().map(|plan| Invocation::Plot(Box::new(plan))))
        }
        SweepName::PlotPareto => read_flags(name, words, |args: PlotParetoArgs| {
            args.plan().map(|plan| Invocation::PlotPareto(Box::new(plan)))
        }),
    }
}

/// Reads the words after `startup`. Flags that are not its own are the server's.
pub(super) fn read_startup(words: &[String]) -> Result<Invocation, CliError> {
    let command =
        StartupArgs::augment_args(Command::new("startup").bin_name("vbench startup").disable_help_flag(true))
            .about("Measure how long a server takes to start");
    if let Some(query) = help::query(words) {
        return help::render(with_help(command), query).map(Invocation::Print);
    }
    let table = flag_table(command.clone(), &[]);
    let mut own = Vec::new();
    let mut servers = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match argv::split_flag(word) {
            Some((name, value)) if table.contains(&name) => {
                let value = match (value, table.arity(&name)) {
                    (Some(value), _) => Some(value.to_owned()),
                    (None, Some(Arity::Switch)) => None,
                    (None, _) => words.next().cloned(),
                };
                own.push(value.map_or_else(|| format!("--{name}"), |value| format!("--{name}={value}")));
            }
            _ => servers.push(word.clone()),
        }
    }
    let mut args: StartupArgs = parse(command, &own)?;
    args.server_words = servers;
    Ok(Invocation::Startup(args))
}

fn read_flags<A: Args>(
    name: SweepName,
    words: &[String],
    make: impl FnOnce(A) -> Result<Invocation, CliError>,
) -> Result<Invocation, CliError> {
    let command = name.command::<A>();
    if let Some(query) = help::query(words) {
        return help::render(with_help(command), query).map(Invocation::Print);
    }
    let table = flag_table(command.clone(), &[]).of_other_command();
    let given = argv::normalise(words, &table, compat(words))?;
    make(parse(command, &given.words())?)
}

fn read_sla(words: &[String], offers: &[OfferSpec]) -> Result<Invocation, CliError> {
    let criteria: Vec<OfferSpec> = offers.iter().filter(|offer| offer.role == Role::Sla).cloned().collect();
    let command = SweepName::ServeSla.command::<SlaSweepArgs>();
    let mut table = flag_table(command.clone(), &[]).of_other_command();
    let mut taken = table.clone();
    taken.extend(early::table());
    taken.insert("help", Arity::One, false);
    let plugins = PluginFlags::new(&criteria, &taken)?;
    plugins.fill(&mut table);
    let command = plugins.extend(command, &Chosen::default());
    if let Some(query) = help::query(words) {
        return help::render(with_help(command), query).map(Invocation::Print);
    }
    let given = argv::normalise(words, &table, compat(words))?;
    let args: SlaSweepArgs = parse(command, &given.words())?;
    plugins.check_words(&given)?;
    let criteria = chosen_criteria(&plugins, &args, &given)?;
    Ok(Invocation::Sweep(Box::new(SweepCommand::ServeSla(args, criteria))))
}

/// The criteria of `--sla`; an option of a criterion that is not named is refused.
fn chosen_criteria(
    plugins: &PluginFlags<'_>,
    args: &SlaSweepArgs,
    given: &Normalised,
) -> Result<Vec<SlaPlan>, CliError> {
    let chosen = resolve::criteria(plugins, &args.sla, given)?;
    chosen
        .into_iter()
        .map(|(name, index, named)| {
            if !named {
                return Err(CliError::Usage(format!(
                    "options of the criterion `{name}` are given, but not --sla {name}"
                )));
            }
            let plugin = plugins.offer(index).plugin.clone();
            let configured = plugins.configure(index, given)?;
            Ok(SlaPlan { name, plugin, config: configured.config, flags: configured.flags, named })
        })
        .collect()
}

fn parse<A: FromArgMatches>(command: Command, words: &[String]) -> Result<A, CliError> {
    command
        .no_binary_name(true)
        .try_get_matches_from(words)
        .and_then(|matches| A::from_arg_matches(&matches))
        .map_err(|error| CliError::parser(&error))
}

fn with_help(command: Command) -> Command {
    command.disable_help_flag(true).arg(
        Arg::new("help")
            .long("help")
            .short('h')
            .value_name("all|GROUP|WORD")
            .num_args(0..=1)
            .require_equals(true)
            .help("Print help: on everything, on a group of flags, or on flags with a word in their name"),
    )
}

fn compat(words: &[String]) -> Compat {
    argv::scan(words, "compat").and_then(Compat::from_name).unwrap_or_default()
}
