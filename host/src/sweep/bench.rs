//! Running one benchmark: inside this process if it is `vbench serve`, else as
//! the command that it is.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::error::SweepError;
use super::failure::{Failure, Halt};
use crate::cli::{self, GlobalArgs, Invocation, ServePlan};
use crate::fault::{EXIT_INTERRUPTED, EXIT_OK, Fault};
use crate::plugin::Plugins;
use crate::plugins;
use crate::report::ReportError;
use crate::run::{self, Screen};
use crate::server::{Exit, Follow, LogFile, Supervised, SupervisedOptions};
use crate::tokenizer::Tokenizers;

/// Runs benchmarks, and keeps between them what they share.
pub struct Runner {
    /// Options of the sweep's own command line, which hold for every benchmark.
    globals: GlobalArgs,
    show: bool,
    tokenizers: Arc<Tokenizers>,
    /// Takes the lines of benchmarks inside this process.
    screen: Arc<Screen>,
    /// Loaded plugins by the options that say which.
    loaded: Vec<(GlobalArgs, Plugins)>,
}

impl Runner {
    /// With the plugins that `globals` names for every benchmark.
    pub fn new(globals: &GlobalArgs, show: bool) -> Self {
        Self {
            globals: globals.clone(),
            show,
            tokenizers: Arc::default(),
            screen: Arc::new(Screen::new(globals.verbose > 0)),
            loaded: Vec::new(),
        }
    }

    /// Makes sure that a benchmark inside this process understands its words.
    ///
    /// # Errors
    /// It does not: an unknown parameter, a wrong value.
    pub fn check(&mut self, words: &[String]) -> Result<(), Fault> {
        match own_words(words) {
            Some(words) => self.plan(words).map(drop),
            None => Ok(()),
        }
    }

    /// Runs a benchmark; its output goes to `log`.
    ///
    /// # Errors
    /// It fails, or the user asks for an end.
    pub fn run(&mut self, words: &[String], log: &Path, stop: &Arc<AtomicBool>) -> Result<(), Halt> {
        match own_words(words) {
            Some(own) => self.run_inside(words, own, log, stop),
            None => run_command(words, log, self.show, stop),
        }
    }

    fn run_inside(
        &mut self,
        words: &[String],
        own: &[String],
        log: &Path,
        stop: &Arc<AtomicBool>,
    ) -> Result<(), Halt> {
        let log = LogFile::create(log)?;
        let follow = self.show.then(|| Follow::start(log.path()));
        self.screen.redirect(log.handle()?);
        let (plan, at) = self.plan(own)?;
        let outcome = run::serve(&plan, &self.loaded[at].1, &self.tokenizers, &self.screen, stop);
        let code = match outcome {
            Ok(EXIT_OK) => return Ok(()),
            Ok(EXIT_INTERRUPTED) => return Err(Halt::Interrupted),
            Ok(code) => code,
            Err(fault) => {
                self.screen.line(format!("error: {fault}"));
                let code = fault.exit_code();
                // On a full disk no other run could be kept either.
                if let Ok(ReportError::Io { action, path, source }) = fault.error.downcast() {
                    return Err(SweepError::Write { action, path, source }.into());
                }
                code
            }
        };
        drop(follow);
        if stop.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(Halt::Interrupted);
        }
        Err(Halt::Failure(Failure::of_command(words, Exit::Code(i32::from(code)), end_of(&log))))
    }

    /// The plan behind `serve …`, and which plugins it uses.
    fn plan(&mut self, words: &[String]) -> Result<(ServePlan, usize), Fault> {
        let early = cli::early(words)?;
        let globals = merged(&self.globals, &early.globals);
        let at = match self.loaded.iter().position(|(loaded, _)| *loaded == globals) {
            Some(at) => at,
            None => {
                let loader = plugins::Loader::new(&globals, &self.screen)?;
                let mut found = loader.builtins()?;
                for plugin in &globals.plugin {
                    if let Some(note) = loader.add(&mut found, plugin)? {
                        self.screen.warn(note);
                    }
                }
                self.loaded.push((globals, found));
                self.loaded.len() - 1
            }
        };
        match cli::parse(&early, &plugins::offer_specs(&self.loaded[at].1))? {
            Invocation::Serve(plan) if plan.target.mock => Err(SweepError::Bench(
                "a sweep measures the server of --serve-cmd: take --mock out".to_owned(),
            )
            .into()),
            Invocation::Serve(plan) => Ok((*plan, at)),
            _ => Err(SweepError::Bench("it asks for help, not for a benchmark".to_owned()).into()),
        }
    }
}

/// Options of the sweep and of a benchmark together; the latter's win.
fn merged(sweep: &GlobalArgs, own: &GlobalArgs) -> GlobalArgs {
    let mut plugin = sweep.plugin.clone();
    plugin.extend(own.plugin.iter().filter(|path| !sweep.plugin.contains(path)).cloned());
    GlobalArgs {
        plugin,
        plugin_path: if own.plugin_path.is_empty() { &sweep.plugin_path } else { &own.plugin_path }.clone(),
        // What holds for the sweep holds for what it runs.
        lock: sweep.lock.clone().or_else(|| own.lock.clone()),
        locked: sweep.locked || own.locked,
        offline: sweep.offline || own.offline,
        policy: sweep.policy.clone().or_else(|| own.policy.clone()),
        plugin_cache: own.plugin_cache.clone().or_else(|| sweep.plugin_cache.clone()),
        plugin_memory_mib: own.plugin_memory_mib.or(sweep.plugin_memory_mib),
        plugin_request_mib: own.plugin_request_mib.or(sweep.plugin_request_mib),
        plugin_batch_mib: own.plugin_batch_mib.or(sweep.plugin_batch_mib),
        plugin_timeout_s: own.plugin_timeout_s.or(sweep.plugin_timeout_s),
        verbose: sweep.verbose.max(own.verbose),
    }
}

/// Whether a benchmark runs inside this process.
pub fn is_inside(words: &[String]) -> bool {
    own_words(words).is_some()
}

/// The words after the program's name, if that is `vbench` or this very
/// program, and the command is `serve`.
fn own_words(words: &[String]) -> Option<&[String]> {
    let (program, words) = words.split_first()?;
    let serves = match words {
        [first, ..] if first == "serve" => true,
        [first, second, ..] if first == "bench" && second == "serve" => true,
        _ => false,
    };
    let ours = || {
        let this = std::env::current_exe().and_then(std::fs::canonicalize).ok();
        program.contains('/') && this.is_some() && std::fs::canonicalize(program).ok() == this
    };
    (serves && (program == "vbench" || ours())).then_some(words)
}

/// Runs a command to its end.
///
/// # Errors
/// It cannot be started, or fails, or the user asks for an end.
pub fn run_command(words: &[String], log: &Path, show: bool, stop: &AtomicBool) -> Result<(), Halt> {
    let options = SupervisedOptions { show, ..SupervisedOptions::new(log.to_owned()) };
    let mut command = Supervised::start(words, &options)?;
    let exit = command.wait(stop);
    let detail = end_of(command.log());
    command.stop();
    match exit {
        None => Err(Halt::Interrupted),
        Some(Exit::Code(0)) => Ok(()),
        Some(exit) => Err(Halt::Failure(Failure::of_command(words, exit, detail))),
    }
}

/// The last lines of a log, for a message.
fn end_of(log: &LogFile) -> String {
    let tail = log.tail();
    if tail.is_empty() {
        return format!("it printed nothing ({})", log.path().display());
    }
    let lines: String = tail.lines().map(|line| format!("\n    {line}")).collect();
    format!("the end of {}:{lines}", log.path().display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn only_vbench_serve_runs_inside() {
        for line in ["vbench serve --x 1", "vbench bench serve"] {
            assert!(is_inside(&words(line)), "{line}");
        }
        for line in
            ["vllm bench serve", "vbench mock", "vbench bench sweep serve", "/bin/sh serve", "./vbench serve"]
        {
            assert!(!is_inside(&words(line)), "{line}");
        }
        let this = std::env::current_exe().unwrap().display().to_string();
        assert!(is_inside(&[this, "serve".to_owned()]));
    }

    #[test]
    fn a_benchmark_adds_to_the_sweeps_options() {
        let one = GlobalArgs { plugin: vec!["a".into()], verbose: 1, ..GlobalArgs::default() };
        let two = GlobalArgs {
            plugin: vec!["a".into(), "b".into()],
            plugin_memory_mib: Some(9),
            ..GlobalArgs::default()
        };
        let both = merged(&one, &two);
        assert_eq!((both.plugin.len(), both.plugin_memory_mib, both.verbose), (2, Some(9), 1));
    }
}
