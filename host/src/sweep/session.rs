//! What all sweeps over servers do: a server for a combination, runs of a pair,
//! files that survive whatever happens.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::SweepContext;
use super::args::ServeSweepArgs;
use super::bench::{Runner, run_command};
use super::error::SweepError;
use super::failure::{Failure, Halt};
use super::layout::{self, Lock};
use super::overview::{Overview, RunEnd};
use super::params::{Combination, read_combinations};
use super::product::Links;
use super::results;
use super::seed::point_seed;
use super::table::Row;
use super::words;
use crate::cli::Compat;
use crate::clock;
use crate::fault::Fault;
use crate::report::python_json;
use crate::report::python_repr::python_words;
use crate::report::sanitise;
use crate::run::Screen;
use crate::server::{CacheReset, Http, Server, ServerError, ServerOptions, SupervisedOptions, reset_caches};

/// Longest wait for the end of a server after requests have failed.
const CRASH_PATIENCE: Duration = Duration::from_millis(500);
/// Longest time for a cache to be reset.
const RESET_TIMEOUT: Duration = Duration::from_secs(120);

/// What a sweep has at hand.
pub struct Session<'a> {
    /// What the user asked for.
    pub args: &'a ServeSweepArgs,
    /// Combinations of the server's parameters.
    pub serve_params: Vec<Combination>,
    /// Combinations of the benchmark's parameters.
    pub bench_params: Vec<Combination>,
    /// Which pairs belong together.
    pub links: Links,
    /// The benchmark's command.
    pub bench_cmd: Vec<String>,
    /// The experiment's folder.
    pub experiment: PathBuf,
    /// Where lines go.
    pub screen: &'a Screen,
    serve_cmd: Vec<String>,
    after_bench_cmd: Vec<String>,
    /// Flags for results that can be judged request by request.
    result_flags: &'static [&'static str],
    runner: Runner,
    overview: Overview,
    stop: &'a Arc<AtomicBool>,
    /// Held while the sweep runs; a dry run needs none.
    _lock: Option<Lock>,
}

/// The server of one combination.
pub struct Slot {
    command: Vec<String>,
    log: PathBuf,
    state: SlotState,
}

enum SlotState {
    /// Nothing is to be run.
    Unneeded,
    /// Nothing is run, since this is a dry run.
    Dry,
    /// It runs.
    Running(Box<Server>),
    /// It could not be started again.
    Gone,
}

/// One pair's runs: the folder, and what sets them apart from other pairs.
pub struct Pair<'p> {
    /// The server's parameters.
    pub serve: &'p Combination,
    /// The benchmark's.
    pub bench: &'p Combination,
    /// Where its files are.
    pub dir: &'p Path,
}

impl<'a> Session<'a> {
    /// Reads the files and checks everything that can be checked before
    /// anything is started; then takes the folder.
    ///
    /// # Errors
    /// What the user has to mend.
    pub fn open(args: &'a ServeSweepArgs, context: &SweepContext<'a>) -> Result<Self, Fault> {
        let serve_cmd = command("serve-cmd", &args.serve_cmd)?;
        let bench_cmd = command("bench-cmd", &args.bench_cmd)?;
        let after_bench_cmd = match &args.after_bench_cmd {
            Some(text) => words::split(text).map_err(|source| SweepError::Words {
                flag: "after-bench-cmd",
                text: text.clone(),
                source,
            })?,
            None => Vec::new(),
        };
        let serve_params = read_combinations(args.serve_params.as_deref(), "serve-params")?;
        let bench_params = read_combinations(args.bench_params.as_deref(), "bench-params")?;
        let links = Links::parse(&args.link_vars)?;
        for (name, value, least) in
            [("num_runs", args.num_runs, 1), ("warmup_num_prompts", args.warmup_num_prompts, 0)]
        {
            if value < least {
                return Err(SweepError::TooSmall { name, least }.into());
            }
        }
        if args.experiment.compat != Compat::V033 {
            links.check(&serve_params, &bench_params)?;
        }
        let experiment = args.experiment.place().resolve()?;
        refuse_shared_folders(&experiment, &serve_params, &bench_params)?;
        let mut session = Self {
            args,
            serve_params,
            bench_params,
            links,
            bench_cmd,
            serve_cmd,
            after_bench_cmd,
            result_flags: &["--save-result"],
            runner: Runner::new(context.globals, args.experiment.show_stdout),
            overview: Overview::new(None, false, context.screen),
            screen: context.screen,
            stop: context.stop,
            _lock: None,
            experiment,
        };
        session.check_commands()?;
        if !args.experiment.dry_run {
            session._lock = Some(Lock::take(&session.experiment)?);
        }
        Ok(session)
    }

    /// Asks for results that say what became of every request.
    pub fn want_detailed_results(&mut self) {
        self.result_flags = &["--save-result", "--save-detailed"];
    }

    /// Begins to count runs, of which there will be `total`, if that is known.
    pub fn begin(&mut self, total: Option<u64>) {
        let experiment = &self.args.experiment;
        let shown = !experiment.dry_run && experiment.compat != Compat::V033;
        self.overview = Overview::new(total, shown, self.screen);
    }

    /// Whether this is a dry run.
    pub fn dry_run(&self) -> bool {
        self.args.experiment.dry_run
    }

    /// A line of ordinary output.
    pub fn say(&self, text: impl AsRef<str>) {
        self.screen.line(text);
    }

    /// Folder of a pair, with further parts of its name.
    pub fn pair_dir(&self, serve: &Combination, bench: &Combination, extra: &[String]) -> PathBuf {
        layout::pair_dir(&self.experiment, &[("SERVE", serve), ("BENCH", bench)], extra)
    }

    /// The command line of a benchmark.
    ///
    /// # Errors
    /// A parameter has no place in it.
    pub fn bench_words(&self, bench: &Combination, run: i64, file: &Path) -> Result<Vec<String>, SweepError> {
        let lists = self.args.experiment.list_style;
        let mut words = bench.apply(&self.bench_cmd, lists)?;
        let compat = self.args.experiment.compat;
        if let Some(seed) = point_seed(self.args.seed_salt, compat, &words, &bench.name(), run) {
            words = Combination::default().with("seed", seed).apply(&words, lists)?;
        }
        words.extend(["--percentile-metrics", "ttft,tpot,itl,e2el"].map(str::to_owned));
        words.extend(self.result_flags.iter().map(|&flag| flag.to_owned()));
        let dir = file.parent().unwrap_or(&self.experiment).display().to_string();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        words.extend(["--result-dir".to_owned(), dir, "--result-filename".to_owned(), name]);
        Ok(words)
    }

    /// Words of every command are put together once before anything starts, and
    /// those that run inside this process are read.
    fn check_commands(&mut self) -> Result<(), Fault> {
        for serve in &self.serve_params {
            serve.apply(&self.serve_cmd, self.args.experiment.list_style)?;
        }
        for bench in self.bench_params.clone() {
            let words = self.bench_words(&bench, 0, &self.experiment.join("run=0.json"))?;
            self.runner.check(&words).map_err(|fault| {
                let which = if bench.is_empty() { String::new() } else { format!(" with {bench}") };
                fault.context(format!("--bench-cmd{which}"))
            })?;
        }
        Ok(())
    }

    /// Starts the server of a combination, if it is needed.
    ///
    /// # Errors
    /// It does not get ready.
    pub fn open_slot(&mut self, serve: &Combination, needed: bool) -> Result<Slot, Halt> {
        let command = serve.apply(&self.serve_cmd, self.args.experiment.list_style)?;
        let name = serve.name();
        let log = layout::log_file(&self.experiment, &format!("SERVE-{}", default_name(&name, "default")));
        let mut slot = Slot { command, log, state: SlotState::Unneeded };
        if !needed {
            return Ok(slot);
        }
        self.say("[BEGIN SERVER]");
        self.say(format!("Server overrides: {serve}"));
        self.say(format!("Server command: {}", python_words(&slot.command)));
        slot.state =
            if self.dry_run() { SlotState::Dry } else { SlotState::Running(Box::new(self.start(&slot)?)) };
        Ok(slot)
    }

    fn start(&self, slot: &Slot) -> Result<Server, Halt> {
        let options = ServerOptions {
            process: SupervisedOptions {
                show: self.args.experiment.show_stdout,
                grace: Duration::from_secs(u64::from(self.args.server_grace)),
                ..SupervisedOptions::new(slot.log.clone())
            },
            ready_timeout: Duration::from_secs(u64::from(self.args.server_ready_timeout)),
            watch_gpu: true,
        };
        let mut server = Server::start(&slot.command, &options)?;
        server.wait_ready(self.stop)?;
        Ok(server)
    }

    /// Ends the server of a combination. With `orderly`, that is said.
    ///
    /// # Errors
    /// Its port stays taken.
    pub fn close_slot(&self, slot: Slot, orderly: bool) -> Result<(), Halt> {
        if let SlotState::Running(server) = slot.state {
            match server.stop(self.stop) {
                Ok(None) => {}
                Ok(Some(warning)) => self.screen.warn(warning),
                // What ended the sweep early is what matters.
                Err(_) if !orderly || self.interrupted() => {}
                Err(error) => return Err(error.into()),
            }
        } else if matches!(slot.state, SlotState::Unneeded) {
            return Ok(());
        }
        if orderly {
            self.say("[END SERVER]");
        }
        Ok(())
    }

    /// Whether the user has asked for an end.
    pub fn interrupted(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// All runs of a pair, the warm-up first. None in a dry run, and for pairs
    /// that the links exclude.
    ///
    /// # Errors
    /// A run fails and the sweep is not to go on; the user asks for an end; a
    /// file cannot be written.
    pub fn run_pair(
        &mut self,
        slot: &mut Slot,
        pair: &Pair<'_>,
        warm_up: bool,
    ) -> Result<Option<Vec<Row>>, Halt> {
        if !self.links.hold(pair.serve, pair.bench) {
            return Ok(None);
        }
        if warm_up && self.args.warmup_num_prompts > 0 {
            let bench = pair.bench.with("num_prompts", self.args.warmup_num_prompts);
            self.run_or_note(slot, &Pair { bench: &bench, ..*pair }, -1)?;
        }
        let mut rows = Vec::new();
        for run in 0..self.args.num_runs {
            rows.extend(self.run_or_note(slot, pair, run)?);
        }
        if self.dry_run() {
            return Ok(None);
        }
        if rows.is_empty() {
            self.say("[NO SUCCESSFUL MEASURED RUNS] leaving combination retryable");
            return Ok(Some(rows));
        }
        results::write_rows(&layout::summary_file(pair.dir), &rows)?;
        Ok(Some(rows))
    }

    /// One run; with `--continue-on-error` a failure is kept in a file.
    ///
    /// # Errors
    /// As [`Self::run_pair`].
    pub fn run_or_note(&mut self, slot: &mut Slot, pair: &Pair<'_>, run: i64) -> Result<Option<Row>, Halt> {
        let failure = match self.run_one(slot, pair, run) {
            Ok(row) => return Ok(row),
            Err(Halt::Failure(failure)) if self.args.continue_on_error => failure,
            Err(halt) => return Err(halt),
        };
        self.overview.end(RunEnd::Failed, self.screen);
        let path = failure_file(&layout::run_file(pair.dir, run));
        let mut object = Map::from_iter([("run_number".to_owned(), Value::from(run))]);
        object.extend(failure_object(&failure, pair.serve));
        object.insert("bench_overrides".to_owned(), Value::Object(pair.bench.parameters().clone()));
        put_detail(&mut object, &failure);
        results::write_text(&path, &(pretty(&Value::Object(object), 2)? + "\n"))?;
        self.say(format!("[FAILED BENCHMARK] run={run}: {}: {}", failure.kind, failure.message));
        self.say(format!("Failure details: {}", path.display()));
        if let Err(Halt::Interrupted) = self.after_bench(slot) {
            return Err(Halt::Interrupted);
        }
        Ok(None)
    }

    fn run_one(&mut self, slot: &mut Slot, pair: &Pair<'_>, run: i64) -> Result<Option<Row>, Halt> {
        let file = layout::run_file(pair.dir, run);
        let words = self.bench_words(pair.bench, run, &file)?;
        self.say("[BEGIN BENCHMARK]");
        self.say(format!("Benchmark overrides: {}", pair.bench));
        self.say(format!("Run Number: {run}"));
        self.say(format!("Benchmark command: {}", python_words(&words)));
        self.say(format!("Output file: {}", file.display()));
        if let Some(found) = self.found(&file)? {
            self.say("Found existing results.");
            self.say("[SKIPPED BENCHMARK]");
            self.overview.end(RunEnd::Found, self.screen);
            return Ok(Some(with_overrides(found, pair, run)));
        }
        match slot.state {
            SlotState::Dry => {
                self.say("[END BENCHMARK]");
                return Ok(None);
            }
            SlotState::Unneeded => {
                let message = format!("Cannot find results at {}", file.display());
                return Err(Halt::Failure(Failure::new("ValueError", message)));
            }
            SlotState::Running(_) | SlotState::Gone => {}
        }
        self.overview.begin();
        let mut attempt = 0;
        let measured = loop {
            match self.measure(slot, &words, &file) {
                Err(Halt::Failure(failure)) if attempt < self.args.retries && !self.interrupted() => {
                    attempt += 1;
                    self.say(format!(
                        "[RETRY {attempt} of {}] run={run}: {}: {}",
                        self.args.retries, failure.kind, failure.message
                    ));
                    // The next attempt starts from empty caches as well, if that can be had.
                    if let Err(Halt::Interrupted) = self.after_bench(slot) {
                        return Err(Halt::Interrupted);
                    }
                }
                outcome => break outcome?,
            }
        };
        self.after_bench(slot)?;
        let row = with_overrides(measured, pair, run);
        results::write_text(&file, &pretty(&Value::Object(row.clone()), 4)?)?;
        // What an earlier attempt left is no longer true.
        let _ = fs::remove_file(failure_file(&file));
        self.say("[END BENCHMARK]");
        self.overview.end(RunEnd::Measured, self.screen);
        Ok(Some(row))
    }

    /// Results of an earlier sweep. Those of a run that was cut off do not
    /// count, even if they can be read.
    fn found(&self, file: &Path) -> Result<Option<Row>, Halt> {
        if !file.exists() || layout::running_marker(file).exists() {
            return Ok(None);
        }
        match results::read_row(file) {
            Ok(row) => Ok(Some(row)),
            Err(failure) => {
                self.screen.warn(format!("{}, and so it is measured again", failure.message));
                Ok(None)
            }
        }
    }

    /// Runs the benchmark itself. While it runs a marker says so, so that a
    /// result that it leaves when everything is killed is not taken for whole.
    fn measure(&mut self, slot: &mut Slot, words: &[String], file: &Path) -> Result<Row, Halt> {
        if self.interrupted() {
            return Err(Halt::Interrupted);
        }
        self.revive(slot)?;
        let marker = layout::running_marker(file);
        results::write_text(&marker, "")?;
        let _ = fs::remove_file(file);
        let name = file.strip_prefix(&self.experiment).unwrap_or(file).with_extension("");
        let log = layout::log_file(&self.experiment, &format!("BENCH-{}", name.display()));
        let outcome = self
            .runner
            .run(words, &log, self.stop)
            .and_then(|()| results::read_row(file).map_err(Halt::Failure))
            .and_then(|row| match self.crash_behind(&row, slot) {
                Some(crash) => Err(crash.into()),
                None => Ok(row),
            });
        if let Err(Halt::Failure(_)) = &outcome
            && file.exists()
        {
            let kept = file.with_file_name(format!(
                ".{}.failed.json",
                file.file_stem().unwrap_or_default().to_string_lossy()
            ));
            let _ = fs::rename(file, kept);
        }
        if !matches!(outcome, Err(Halt::Interrupted)) {
            let _ = fs::remove_file(&marker);
        }
        outcome.map_err(|halt| blame_server(halt, slot))
    }

    /// How the server ended while a run went on, if it did. What such a run
    /// measured is no measurement of the server, even if some requests were
    /// answered; the reference client takes it for one.
    fn crash_behind(&self, row: &Row, slot: &mut Slot) -> Option<ServerError> {
        let SlotState::Running(server) = &mut slot.state else { return None };
        if self.args.experiment.compat == Compat::V033 {
            return None;
        }
        // The end of a process is known a little later than requests fail by it.
        let failed = results::number(row, "failed").is_some_and(|failed| failed > 0.0);
        let deadline_ns = clock::now_ns() + if failed { CRASH_PATIENCE.as_nanos() as u64 } else { 0 };
        loop {
            let crash = server.crash();
            if crash.is_some() || clock::now_ns() >= deadline_ns {
                return crash;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts a server again that has ended.
    fn revive(&self, slot: &mut Slot) -> Result<(), Halt> {
        let ended = match &mut slot.state {
            SlotState::Running(server) => server.crash().map(|error| error.to_string()),
            SlotState::Gone => Some("it could not be started again".to_owned()),
            SlotState::Unneeded | SlotState::Dry => None,
        };
        let Some(reason) = ended else { return Ok(()) };
        self.screen.warn(format!("starting the server again: {reason}"));
        if let SlotState::Running(server) = std::mem::replace(&mut slot.state, SlotState::Gone) {
            server.stop(self.stop)?;
        }
        slot.state = SlotState::Running(Box::new(self.start(slot)?));
        Ok(())
    }

    /// What is done after every benchmark: the user's command, or a reset of
    /// the server's caches.
    fn after_bench(&self, slot: &Slot) -> Result<(), Halt> {
        if !matches!(slot.state, SlotState::Running(_)) {
            return Ok(());
        }
        if !self.after_bench_cmd.is_empty() {
            let log = layout::log_file(&self.experiment, "after-bench");
            return run_command(&self.after_bench_cmd, &log, self.args.experiment.show_stdout, self.stop);
        }
        let reset = CacheReset::of_command(&slot.command)?;
        if let (CacheReset::Endpoints(_), SlotState::Running(server)) = (&reset, &slot.state) {
            self.say(format!("Resetting caches at {}", server.address().url()));
        }
        Ok(reset_caches(&reset, &Http::new(RESET_TIMEOUT)?)?)
    }

    /// A server that failed, with `--continue-on-error`.
    ///
    /// # Errors
    /// The note cannot be written.
    pub fn note_failed_server(&self, serve: &Combination, failure: &Failure) -> Result<(), Halt> {
        let name = serve.name();
        let file = sanitise(&format!("SERVE-{}-failure.json", default_name(&name, "default")));
        let path = self.experiment.join(file);
        let mut object = failure_object(failure, serve);
        put_detail(&mut object, failure);
        results::write_text(&path, &(pretty(&Value::Object(object), 2)? + "\n"))?;
        let name = default_name(&name, "(default)");
        self.say(format!("[FAILED SERVER COMBINATION] {name}: {}: {}", failure.kind, failure.message));
        self.say(format!("Failure details: {}", path.display()));
        if !failure.detail.is_empty() {
            self.screen.warn(&failure.detail);
        }
        Ok(())
    }

    /// Says where everything is, or will be.
    pub fn farewell(&self) {
        let when = if self.dry_run() { "will be" } else { "has been" };
        self.say(format!("Experiment {when} saved at: {}", self.experiment.display()));
    }
}

/// A failure while the server is gone is the server's.
fn blame_server(halt: Halt, slot: &mut Slot) -> Halt {
    match (halt, &mut slot.state) {
        (Halt::Failure(mut failure), SlotState::Running(server)) => {
            if let Some(crash) = server.crash().map(|crash| crash.to_string())
                && !failure.detail.contains(&crash)
            {
                failure.detail = format!("{crash}\n{}", failure.detail);
            }
            Halt::Failure(failure)
        }
        (halt, _) => halt,
    }
}

fn command(flag: &'static str, text: &str) -> Result<Vec<String>, SweepError> {
    let words =
        words::split(text).map_err(|source| SweepError::Words { flag, text: text.to_owned(), source })?;
    if words.is_empty() { Err(SweepError::NoCommand { flag }) } else { Ok(words) }
}

fn default_name<'n>(name: &'n str, default: &'n str) -> &'n str {
    if name.is_empty() { default } else { name }
}

/// Two different pairs whose names come to the same would mix their results.
fn refuse_shared_folders(
    experiment: &Path,
    serve_params: &[Combination],
    bench_params: &[Combination],
) -> Result<(), SweepError> {
    let mut seen: Vec<(PathBuf, &Combination, &Combination)> = Vec::new();
    for serve in serve_params {
        for bench in bench_params {
            let dir = layout::pair_dir(experiment, &[("SERVE", serve), ("BENCH", bench)], &[]);
            let other = seen.iter().find(|(other, s, b)| *other == dir && (*s, *b) != (serve, bench));
            if let Some((_, other_serve, other_bench)) = other {
                return Err(SweepError::SameFolder {
                    first: format!("{other_serve} with {other_bench}"),
                    second: format!("{serve} with {bench}"),
                    dir: dir.strip_prefix(experiment).unwrap_or(&dir).display().to_string(),
                });
            }
            seen.push((dir, serve, bench));
        }
    }
    Ok(())
}

fn failure_file(run_file: &Path) -> PathBuf {
    run_file.with_extension("failure.json")
}

fn failure_object(failure: &Failure, serve: &Combination) -> Row {
    let object = json!({
        "error_type": failure.kind,
        "error": failure.message,
        "serve_overrides": serve.parameters(),
    });
    object.as_object().cloned().unwrap_or_default()
}

/// What the reference client's notes do not have.
fn put_detail(object: &mut Row, failure: &Failure) {
    if !failure.detail.is_empty() {
        object.insert("detail".to_owned(), Value::from(failure.detail.as_str()));
    }
}

fn with_overrides(mut row: Row, pair: &Pair<'_>, run: i64) -> Row {
    row.insert("run_number".to_owned(), Value::from(run));
    for combination in [pair.serve, pair.bench] {
        row.extend(combination.parameters().clone());
    }
    row
}

fn pretty(value: &Value, indent: usize) -> Result<String, Halt> {
    python_json::to_pretty(value, indent).map_err(|error| crate::report::ReportError::from(error).into())
}
