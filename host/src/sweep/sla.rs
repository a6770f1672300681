//! `vbench sweep serve-sla`: the highest load at which criteria are met.

use serde_json::{Value, json};

use super::SweepContext;
use super::args::{LoadVariable, SearchMethod, SlaSweepArgs};
use super::criterion::{Target, open_targets};
use super::error::SweepError;
use super::failure::{Failure, Halt};
use super::layout;
use super::params::Combination;
use super::results::{number, write_rows, write_text};
use super::search::{Bounds, History, Interval, Outcome, next_load, one_run_at_a_time};
use super::serve::{finish, with_server};
use super::session::{Pair, Session, Slot};
use super::table::Row;
use super::workload::{load_of, refuse_override};
use crate::cli::plan::SlaPlan;
use crate::plugin::contract::Verdict;
use crate::report::ReportError;
use crate::report::python_json::to_pretty;

/// Searches for every pair and criterion and writes the tables.
///
/// # Errors
/// As for `sweep serve`; a server that fails ends the search.
pub fn run(
    mut session: Session<'_>,
    args: &SlaSweepArgs,
    named: &[SlaPlan],
    context: &SweepContext<'_>,
) -> Result<(), Halt> {
    refuse_override(&session, args.sla_variable, "determined automatically")?;
    if args.sla_min > args.sla_max {
        return Err(SweepError::Usage(format!(
            "--sla-min {} is above --sla-max {}",
            args.sla_min, args.sla_max
        ))
        .into());
    }
    if !(args.sla_tolerance > 0.0 && args.sla_tolerance < 1.0) {
        return Err(SweepError::Usage("--sla-tolerance has to lie between 0 and 1".to_owned()).into());
    }
    let compat = args.sweep.experiment.compat;
    let mut targets = open_targets(args.sla_params.as_deref(), named, compat, context.plugins)?;
    if targets.iter().any(|target| target.detailed) {
        session.want_detailed_results();
    }
    session.begin(None);
    let mut all = Vec::new();
    for serve in session.serve_params.clone() {
        let needed = session.bench_params.iter().any(|bench| {
            let dir = session.pair_dir(&serve, bench, &[]);
            session.links.hold(&serve, bench)
                && targets.iter().any(|target| !dir.join(&target.file_name).exists())
        });
        with_server(&mut session, &serve, needed, |session, slot| {
            for bench in session.bench_params.clone() {
                if !session.links.hold(&serve, &bench) {
                    continue;
                }
                for target in &mut targets {
                    let search = Search { args, serve: &serve, bench: &bench };
                    all.extend(search.run(session, slot, target)?);
                }
            }
            Ok(())
        })?;
    }
    finish(&session, &all)
}

/// The search for one pair and criterion.
struct Search<'s> {
    args: &'s SlaSweepArgs,
    serve: &'s Combination,
    bench: &'s Combination,
}

impl Search<'_> {
    fn variable(&self) -> &'static str {
        self.args.sla_variable.name()
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            min: self.args.sla_min,
            max: self.args.sla_max,
            tolerance: self.args.sla_tolerance,
            repeats: self.args.sla_repeats,
            variable: self.args.sla_variable,
        }
    }

    fn run(&self, session: &mut Session<'_>, slot: &mut Slot, target: &mut Target) -> Result<Vec<Row>, Halt> {
        session.say("[SLA START]");
        session.say(format!("SLA criteria: {}", target.text));
        let mut history = History::default();
        let mut tried: Vec<(u32, Vec<Row>)> = Vec::new();
        let mut binding = None;
        let bounds = self.bounds();
        while let Some(load) = next_load(self.args.search, &history, &bounds) {
            session.say(format!("Testing {}: {load} req/s", self.variable()));
            let known = tried.iter().find(|(other, _)| *other == load).map_or(0, |(_, rows)| rows.len());
            let Some(rows) = self.measure(session, slot, load, known)? else {
                self.tell_plan(session);
                session.say("[SLA END]");
                return Ok(Vec::new());
            };
            let rows = match tried.iter_mut().find(|(other, _)| *other == load) {
                Some((_, earlier)) => {
                    earlier.extend(rows);
                    &*earlier
                }
                None => {
                    tried.push((load, rows));
                    &tried[tried.len() - 1].1
                }
            };
            if rows.len() <= known {
                return Err(Halt::Failure(Failure::new(
                    "RuntimeError",
                    format!("no run with {}={load} succeeded, so the search cannot go on", self.variable()),
                )));
            }
            write_rows(&layout::summary_file(&self.load_dir(session, load)), rows)?;
            let (verdict, margins) = target.judge(rows)?;
            for line in target.explain(&verdict) {
                session.say(line);
            }
            let how = if verdict.pass { "are" } else { "are not" };
            session.say(format!("SLA criteria {how} met. (margin={:.2})", verdict.margin));
            if !verdict.pass && history.min_failing().is_none_or(|failing| load <= failing) {
                binding = verdict.findings.first().map(|finding| finding.criterion.clone());
            }
            history.insert(load, outcome(rows, self.args.sla_variable, &verdict, margins)?);
        }
        let file = session.pair_dir(self.serve, self.bench, &[]).join(&target.file_name);
        self.conclude(session, target, &history, binding.as_deref(), &file)?;
        let rows: Vec<Row> = tried.into_iter().flat_map(|(_, rows)| rows).collect();
        write_rows(&file, &rows)?;
        session.say("[SLA END]");
        Ok(rows)
    }

    /// More runs of a load, of which `known` were made for this criterion.
    /// None in a dry run.
    fn measure(
        &self,
        session: &mut Session<'_>,
        slot: &mut Slot,
        load: u32,
        known: usize,
    ) -> Result<Option<Vec<Row>>, Halt> {
        let bench = self.bench.with(self.variable(), load);
        let dir = self.load_dir(session, load);
        let pair = Pair { serve: self.serve, bench: &bench, dir: &dir };
        if session.args.warmup_num_prompts > 0 && known == 0 {
            let bench = bench.with("num_prompts", session.args.warmup_num_prompts);
            session.run_or_note(slot, &Pair { bench: &bench, ..pair }, -1)?;
        }
        let runs = if one_run_at_a_time(self.args.search) { 1 } else { session.args.num_runs };
        let mut rows = Vec::new();
        for run in 0..runs {
            rows.extend(session.run_or_note(slot, &pair, known as i64 + run)?);
        }
        Ok((!session.dry_run()).then_some(rows))
    }

    fn load_dir(&self, session: &Session<'_>, load: u32) -> std::path::PathBuf {
        session.pair_dir(self.serve, self.bench, &[]).join(format!("{}={load}", self.variable()))
    }

    fn tell_plan(&self, session: &Session<'_>) {
        let Bounds { min, max, tolerance, repeats, .. } = self.bounds();
        let variable = self.variable();
        let plan = match self.args.search {
            SearchMethod::Spline => format!(
                "first {variable}={max}, then {min}, then the zero of a spline through the margins, until neighbouring loads pass and fail"
            ),
            SearchMethod::Bisect => format!(
                "first {variable}={max}, then what the server did at that load, doubled until it fails, then halved until neighbouring loads pass and fail"
            ),
            SearchMethod::Scan => format!(
                "from {variable}={min} upwards, doubled until it fails or reaches {max}, then in steps of {:.1} %",
                tolerance * 100.0
            ),
            SearchMethod::Auto => format!(
                "first {variable}={max}, then what the server can work on at once, then between the highest that passes and the lowest that fails until they are {:.1} % apart; one run each, up to {repeats} near the limit",
                tolerance * 100.0
            ),
        };
        session.say(format!("Search plan: {plan}."));
        session.say("Omitting SLA search.");
    }

    /// Says what was found, and keeps it beside the runs.
    fn conclude(
        &self,
        session: &Session<'_>,
        target: &Target,
        history: &History,
        binding: Option<&str>,
        file: &std::path::Path,
    ) -> Result<(), Halt> {
        let variable = self.variable();
        let found = history.safe_passing();
        let (surely_below, surely_beyond) = history.confidence();
        match found {
            Some(load) => session.say(format!("Maximum {variable} for SLA: {load} req/s.")),
            None => session.screen.warn(format!(
                "no {variable} meets {}: even {} does not; lower --sla-min, or relax the criterion",
                target.text,
                history.min_failing().unwrap_or(self.args.sla_min)
            )),
        }
        if found == Some(self.args.sla_max) {
            session.say(format!("The limit is not reached: even {variable}={} meets it.", self.args.sla_max));
        }
        if found.is_some() {
            let low = surely_below.map_or("none".to_owned(), |load| load.to_string());
            let high = surely_beyond.map_or("none".to_owned(), |load| load.to_string());
            session.say(format!(
                "Surely met up to {variable}={low}, surely missed from {variable}={high} on (95 % confidence)."
            ));
        }
        if let Some(binding) = binding {
            session.say(format!("Binding criterion: {binding}"));
        }
        session.say(format!("Loads tried: {}; runs: {}", history.len(), history.runs()));
        let tried = history.iter().map(|(load, outcome)| {
            json!({
                "load": load,
                "pass": outcome.pass,
                "margin": outcome.margin,
                "margins": outcome.margins,
                "certain": outcome.interval() != Interval::Unsure,
            })
        });
        let conclusion = json!({
            "criterion": target.text,
            "variable": variable,
            "highest_passing": found,
            "lowest_failing": history.min_failing(),
            "surely_met_up_to": surely_below,
            "surely_missed_from": surely_beyond,
            "binding": binding,
            "runs": history.runs(),
            "tried": tried.collect::<Value>(),
        });
        let name = format!("vbench-{}", file.file_name().unwrap_or_default().to_string_lossy());
        write_text(&file.with_file_name(name), &to_pretty(&conclusion, 4).map_err(ReportError::from)?)
    }
}

fn outcome(
    rows: &[Row],
    variable: LoadVariable,
    verdict: &Verdict,
    margins: Vec<f64>,
) -> Result<Outcome, Halt> {
    let mean = |value: &dyn Fn(&Row) -> Result<f64, Halt>| -> Result<f64, Halt> {
        let values = rows.iter().map(value).collect::<Result<Vec<f64>, Halt>>()?;
        Ok(values.iter().sum::<f64>() / values.len().max(1) as f64)
    };
    Ok(Outcome {
        pass: verdict.pass,
        margin: verdict.margin,
        margins,
        achieved: mean(&|row| load_of(row, variable))?,
        throughput_rps: mean(&|row| load_of(row, LoadVariable::RequestRate))?,
        // A result without it has one all the same for a search by rate.
        mean_e2el_s: mean(&|row| Ok(number(row, "mean_e2el_ms").unwrap_or(0.0) / 1000.0))?,
    })
}
