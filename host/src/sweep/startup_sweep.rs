//! `vbench sweep startup`: start-up times by parameters.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::SweepContext;
use super::args::StartupSweepArgs;
use super::bench::run_command;
use super::error::SweepError;
use super::failure::{Failure, Halt};
use super::layout::{self, Lock};
use super::params::{Combination, NAME_KEY, read_combinations};
use super::results;
use super::startup_time;
use super::table::{self, Row};
use super::words;
use crate::cli::{self, Invocation};
use crate::fault::{EXIT_INTERRUPTED, EXIT_OK, Fault};
use crate::report::python_repr::{python_str, python_words};
use crate::report::{ReportError, python_json};
use crate::run::Screen;
use crate::server::LogFile;

/// Parameters that `vllm bench startup` of 0.33 understands, one a line.
const KNOWN_KEYS: &str = include_str!("startup_keys.txt");

/// Runs all pairs and writes the table.
///
/// # Errors
/// What the user has to mend; a run that fails; a file that cannot be written.
pub fn run(args: &StartupSweepArgs, context: &SweepContext<'_>) -> Result<(), Halt> {
    let command = words::split(&args.startup_cmd).map_err(|source| SweepError::Words {
        flag: "startup-cmd",
        text: args.startup_cmd.clone(),
        source,
    })?;
    if command.is_empty() {
        return Err(SweepError::NoCommand { flag: "startup-cmd" }.into());
    }
    let read = |path: &Option<std::path::PathBuf>, flag| -> Result<Vec<Combination>, SweepError> {
        let combinations = read_combinations(path.as_deref(), flag)?;
        combinations.iter().map(|one| keep_known(one, args.strict_params, context.screen)).collect()
    };
    let serve_params = read(&args.serve_params, "serve-params")?;
    let startup_params = read(&args.startup_params, "startup-params")?;
    if args.num_runs < 1 {
        return Err(SweepError::TooSmall { name: "num_runs", least: 1 }.into());
    }
    let experiment = args.experiment.place().resolve()?;
    let _lock = if args.experiment.dry_run { None } else { Some(Lock::take(&experiment)?) };
    let mut all = Vec::new();
    for serve in &serve_params {
        for startup in &startup_params {
            let parts = [("SERVE", serve), ("STARTUP", startup)];
            let dir = layout::pair_dir(&experiment, &parts, &[]);
            let mut rows = Vec::new();
            for run in 0..args.num_runs {
                let one = Run { args, context, command: &command, serve, startup, experiment: &experiment };
                rows.extend(one.run(run, &layout::run_file(&dir, run))?);
            }
            if !args.experiment.dry_run {
                results::write_rows(&layout::summary_file(&dir), &rows)?;
                all.extend(rows);
            }
        }
    }
    if args.experiment.dry_run {
        context.screen.line(format!("Experiment will be saved at: {}", experiment.display()));
        return Ok(());
    }
    let csv = table::to_csv(&all).map_err(|error| Halt::Fatal(Fault::user(error)))?;
    results::write_text(&experiment.join("summary.csv"), &String::from_utf8_lossy(&csv))?;
    context.screen.line(format!("Experiment has been saved at: {}", experiment.display()));
    Ok(())
}

/// Leaves out what `startup` does not know, or refuses it.
fn keep_known(combination: &Combination, strict: bool, screen: &Screen) -> Result<Combination, SweepError> {
    let (known, unknown): (Vec<_>, Vec<_>) =
        combination.parameters().iter().partition(|(key, _)| is_known(key));
    if !unknown.is_empty() {
        let label = combination.get(NAME_KEY).map_or_else(|| combination.as_text(", "), python_str);
        let label = if label.is_empty() { label } else { format!(" for {label}") };
        let mut keys: Vec<&str> = unknown.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        let text = format!("Ignoring unsupported startup params{label}: {}", keys.join(", "));
        if strict {
            return Err(SweepError::Usage(text));
        }
        screen.line(text);
    }
    Ok(Combination::new(known.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect()))
}

fn is_known(key: &str) -> bool {
    let head = key.split('.').next().unwrap_or_default().replace('-', "_");
    key == NAME_KEY || head == "config" || KNOWN_KEYS.lines().any(|known| known == head)
}

/// One measurement.
struct Run<'r> {
    args: &'r StartupSweepArgs,
    context: &'r SweepContext<'r>,
    command: &'r [String],
    serve: &'r Combination,
    startup: &'r Combination,
    experiment: &'r Path,
}

impl Run<'_> {
    fn run(&self, run: i64, file: &Path) -> Result<Option<Row>, Halt> {
        let screen = self.context.screen;
        let lists = self.args.experiment.list_style;
        let command = self.startup.apply(&self.serve.apply(self.command, lists)?, lists)?;
        let command = with_output(&command, file);
        screen.line("[BEGIN BENCHMARK]");
        screen.line(format!("Serve overrides: {}", self.serve));
        screen.line(format!("Startup overrides: {}", self.startup));
        screen.line(format!("Run Number: {run}"));
        screen.line(format!("Benchmark command: {}", python_words(&command)));
        screen.line(format!("Output file: {}", file.display()));
        let marker = layout::running_marker(file);
        if file.exists() && !marker.exists() {
            match results::read_row(file) {
                Ok(found) => {
                    screen.line("Found existing results.");
                    screen.line("[SKIPPED BENCHMARK]");
                    return Ok(Some(self.with_overrides(found, run)));
                }
                Err(failure) => screen.warn(format!("{}, and so it is measured again", failure.message)),
            }
        }
        if self.args.experiment.dry_run {
            screen.line("[END BENCHMARK]");
            return Ok(None);
        }
        results::write_text(&marker, "")?;
        let _ = std::fs::remove_file(file);
        let name = file.strip_prefix(self.experiment).unwrap_or(file).with_extension("");
        let log = layout::log_file(self.experiment, &format!("STARTUP-{}", name.display()));
        let outcome = run_startup(&command, &log, self.args.experiment.show_stdout, self.context.stop);
        let row = outcome.and_then(|()| results::read_row(file).map_err(Halt::Failure))?;
        let _ = std::fs::remove_file(&marker);
        let row = self.with_overrides(row, run);
        let text = python_json::to_pretty(&row.clone().into(), 4).map_err(ReportError::from)?;
        results::write_text(file, &text)?;
        screen.line("[END BENCHMARK]");
        Ok(Some(row))
    }

    fn with_overrides(&self, mut row: Row, run: i64) -> Row {
        row.insert("run_number".to_owned(), run.into());
        for combination in [self.serve, self.startup] {
            row.extend(combination.parameters().clone());
        }
        row
    }
}

/// The command with its output where the sweep wants it.
fn with_output(command: &[String], file: &Path) -> Vec<String> {
    let is_output = |word: &str| ["--output-json", "--output_json"].contains(&word);
    let mut words = Vec::new();
    let mut rest = command.iter();
    while let Some(word) = rest.next() {
        if is_output(word) {
            rest.next();
        } else if !word.split_once('=').is_some_and(|(name, _)| is_output(name)) {
            words.push(word.clone());
        }
    }
    words.extend(["--output-json".to_owned(), file.display().to_string()]);
    words
}

/// `vbench startup` inside this process, anything else as the command it is.
fn run_startup(words: &[String], log: &Path, show: bool, stop: &Arc<AtomicBool>) -> Result<(), Halt> {
    let own = match words {
        [program, rest @ ..] if program == "vbench" => rest,
        _ => return run_command(words, log, show, stop),
    };
    let early = cli::early(own).map_err(Fault::from)?;
    match cli::parse(&early, &[]).map_err(Fault::from)? {
        Invocation::Startup(args) => {
            let screen = Screen::new(false);
            screen.redirect(LogFile::create(log)?.handle()?);
            match startup_time::measure(&args, &screen, stop) {
                Ok(EXIT_OK) => Ok(()),
                Ok(EXIT_INTERRUPTED) => Err(Halt::Interrupted),
                Ok(code) => Err(Halt::Failure(Failure::new(
                    "RuntimeError",
                    format!("vbench startup ended with {code}"),
                ))),
                Err(fault) => Err(Halt::Failure(Failure::new("RuntimeError", fault.to_string()))),
            }
        }
        _ => Err(SweepError::Usage("--startup-cmd: `vbench startup` is what measures a start-up".to_owned())
            .into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_those_of_the_reference_client() {
        for key in [
            "_benchmark_name",
            "config",
            "tensor-parallel-size",
            "model",
            "num_iters_cold",
            "compilation_config.level",
            "no_enforce_eager",
        ] {
            assert!(is_known(key), "{key}");
        }
        for key in ["bogus_key", "bogus.model", "port", ""] {
            assert!(!is_known(key), "{key}");
        }
        let both = Combination::new(json!({"z": 1, "model": "m", "a": 2}).as_object().unwrap().clone());
        let screen = Screen::new(false);
        assert_eq!(keep_known(&both, false, &screen).unwrap().as_text(" "), "model=m");
        let error = keep_known(&both, true, &screen).unwrap_err().to_string();
        assert_eq!(error, "Ignoring unsupported startup params for z=1, model=m, a=2: a, z");
    }

    #[test]
    fn the_output_goes_where_the_sweep_wants_it() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let command = words("c --output-json a --x 1 --output_json=b --output-json=c --output_json");
        assert_eq!(with_output(&command, Path::new("r.json")).join(" "), "c --x 1 --output-json r.json");
    }
}
