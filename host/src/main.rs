//! The `vbench` command.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::anyhow;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use vbench::cli::{self, Compat, Early, Invocation, LatencyPlan, PluginCommand, ServePlan, ThroughputPlan};
use vbench::fault::{Blame, EXIT_INTERRUPTED, EXIT_OK, EXIT_REFERENCE_ERROR, EXIT_USAGE, Fault};
use vbench::mock::{MockConfig, MockServer};
use vbench::plugin::Plugins;
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
    let plugins = load_plugins(&early, &screen)?;
    match cli::parse(&early, &plugins::offer_specs(&plugins))? {
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
        Invocation::Plugin(PluginCommand::List) => {
            screen.line(plugins::list(&plugins));
            Ok(EXIT_OK)
        }
        Invocation::Plugin(PluginCommand::Inspect { file }) => {
            screen.line(plugins::inspect(&file)?);
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

fn load_plugins(early: &Early, screen: &Arc<Screen>) -> Result<Plugins, Fault> {
    let options = plugins::load_options(&early.globals, Arc::clone(screen) as _);
    let mut plugins = plugins::with_builtins(options)?;
    for path in &early.globals.plugin {
        plugins.add_file(path)?;
    }
    for warning in plugins.take_warnings() {
        screen.warn(warning);
    }
    Ok(plugins)
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
