//! The `vbench` command.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::anyhow;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use vbench::author::{self, BenchArgs, CheckArgs, PreviewArgs};
use vbench::cli::{self, Compat, Early, Invocation, LatencyPlan, PluginCommand, ServePlan, ThroughputPlan};
use vbench::fault::{Blame, EXIT_INTERRUPTED, EXIT_OK, EXIT_REFERENCE_ERROR, EXIT_USAGE, Fault};
use vbench::mock::{MockConfig, MockServer};
use vbench::plugin::Plugins;
use vbench::plugins::{Loader, manage};
use vbench::run::{self, Screen};
use vbench::server::guard;
use vbench::sweep::{self, SweepContext};
use vbench::tokenizer::Tokenizers;
use vbench::{mock, plugins};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == guard::GUARD_WORD) {
        return ExitCode::from(guard::run(words));
    }
    match run_command() {
        Ok(code) => ExitCode::from(code),
        Err(fault) => {
            // A closed standard error leaves the exit code to speak.
            let _ = writeln!(std::io::stderr(), "error: {fault}");
            ExitCode::from(fault.exit_code())
        }
    }
}

fn run_command() -> Result<u8, Fault> {
    let argv = std::env::args_os()
        .skip(1)
        .map(|word| {
            word.into_string()
                .map_err(|word| Fault::user(anyhow!("an argument is not UTF-8: {}", word.display())))
        })
        .collect::<Result<Vec<String>, Fault>>()?;
    let early = cli::early(&argv)?;
    let screen = Arc::new(Screen::new(early.globals.verbose > 0));
    screen.keep_messages_apart(true);
    let loader = Loader::new(&early.globals, &screen)?;
    let plugins = load_plugins(&loader, &early, &screen)?;
    let invocation = cli::parse(&early, &plugins::offer_specs(&plugins))?;
    screen.keep_messages_apart(matches!(invocation, Invocation::Plugin(_)));
    match invocation {
        Invocation::Print(text) => {
            screen.line(text.trim_end_matches('\n'));
            Ok(EXIT_OK)
        }
        Invocation::NoCommand(help) => {
            let _ = writeln!(std::io::stderr(), "{}", help.trim_end());
            Ok(EXIT_USAGE)
        }
        Invocation::Latency(plan) => {
            let LatencyPlan { serve, options } = *plan;
            against_target(serve, |serve, stop| run::latency(serve, &options, &plugins, &screen, stop))
        }
        Invocation::Throughput(plan) => {
            let ThroughputPlan { serve, options } = *plan;
            against_target(serve, |serve, stop| run::throughput(serve, &options, &plugins, &screen, stop))
        }
        Invocation::Mock(args) => {
            mock::run(args, &mut std::io::stdout()).map_err(Fault::user)?;
            Ok(EXIT_OK)
        }
        Invocation::Plugin(command) => {
            plugin_command(command, &loader, &plugins, &screen)?;
            Ok(EXIT_OK)
        }
        Invocation::Plot(plan) => run::plot(&plan, &screen).map(|()| EXIT_OK),
        Invocation::PlotPareto(plan) => run::plot_pareto(&plan, &screen).map(|()| EXIT_OK),
        Invocation::Serve(plan) => against_target(*plan, |plan, stop| {
            run::serve(plan, &plugins, &Arc::new(Tokenizers::default()), &screen, stop)
        }),
        Invocation::Sweep(command) => {
            let stop = stop_flag()?;
            let context =
                SweepContext { globals: &early.globals, plugins: &plugins, screen: &screen, stop: &stop };
            let compat = command.compat();
            for_compat(sweep::run(*command, &context), compat)
        }
        Invocation::Startup(args) => {
            let stop = stop_flag()?;
            sweep::startup_time::measure(&args, &screen, &stop)
        }
    }
}

/// Everything that may need the network happens here, before a run begins.
fn load_plugins(loader: &Loader, early: &Early, screen: &Screen) -> Result<Plugins, Fault> {
    let mut plugins = loader.builtins()?;
    for plugin in &early.globals.plugin {
        if let Some(note) = loader.add(&mut plugins, plugin)? {
            screen.warn(note);
        }
    }
    for warning in plugins.take_warnings() {
        screen.warn(warning);
    }
    Ok(plugins)
}

fn plugin_command(
    command: PluginCommand,
    loader: &Loader,
    plugins: &Plugins,
    screen: &Screen,
) -> Result<(), Fault> {
    let text = match command {
        PluginCommand::List => plugins::list(plugins),
        PluginCommand::Inspect { plugin, json } => plugins::inspect(loader, &plugin, json)?,
        PluginCommand::Add { plugin, name } => manage::add(loader, &plugin, name.as_deref())?,
        PluginCommand::Remove { names } => manage::remove(loader, &names)?,
        PluginCommand::Update { names } => manage::update(loader, &names)?,
        PluginCommand::Verify { plugins, key } => {
            return manage::verify(loader, &plugins, key.as_deref(), |line| screen.line(line));
        }
        PluginCommand::Compile { plugins, output } => manage::compile(loader, &plugins, output)?,
        PluginCommand::New { name, kind, lang, sdk } => {
            author::new_project(Path::new(""), &name, kind, lang, sdk.as_deref())?
        }
        PluginCommand::Check { plugin, flags } => {
            return author::check(loader, CheckArgs { plugin, flags }, screen, |line| screen.line(line));
        }
        PluginCommand::Bench { plugin, flags } => author::bench(loader, BenchArgs { plugin, flags }, screen)?,
        PluginCommand::Preview { flags } => author::preview(plugins, PreviewArgs { flags }, screen)?,
    };
    screen.line(text.trim_end());
    Ok(())
}

/// The flag that SIGINT and SIGTERM set.
fn stop_flag() -> Result<Arc<AtomicBool>, Fault> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let register = || {
            // The second signal ends the process, in case the first one's way out hangs.
            flag::register_conditional_shutdown(signal, i32::from(EXIT_INTERRUPTED), Arc::clone(&stop))?;
            flag::register(signal, Arc::clone(&stop))
        };
        register().map_err(|e| Fault::user(anyhow!("cannot listen for signal {signal}: {e}")))?;
    }
    Ok(stop)
}

/// Runs against the server of the plan, starting the embedded one if it is that;
/// the flag is set when the user asks for an end.
fn against_target(
    mut plan: ServePlan,
    run: impl FnOnce(&ServePlan, &Arc<AtomicBool>) -> Result<u8, Fault>,
) -> Result<u8, Fault> {
    let stop = stop_flag()?;
    let embedded = if plan.target.mock && !plan.dry_run {
        let config = MockConfig { port: 0, ..MockConfig::default() };
        let server = MockServer::start(config)
            .map_err(|e| Fault::user(anyhow!("cannot start the mock server: {e}")))?;
        plan.target.base_url = server.url();
        Some(server)
    } else {
        None
    };
    let code = run(&plan, &stop);
    if let Some(server) = embedded {
        // What it has to say of itself nobody asked for here.
        let _ = server.shutdown();
    }
    for_compat(code, plan.compat)
}

/// The reference client has one exit code for all that goes wrong.
fn for_compat(code: Result<u8, Fault>, compat: Compat) -> Result<u8, Fault> {
    match code {
        Err(fault) if compat == Compat::V033 && fault.blame == Blame::Target => {
            let _ = writeln!(std::io::stderr(), "error: {fault}");
            Ok(EXIT_REFERENCE_ERROR)
        }
        code => code,
    }
}
