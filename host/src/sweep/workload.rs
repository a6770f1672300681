//! `vbench sweep serve-workload`: from one request at a time to all at once.

use super::args::{LoadVariable, WorkloadSweepArgs};
use super::error::SweepError;
use super::failure::{Failure, Halt};
use super::params::Combination;
use super::results::number;
use super::serve::{finish, needs_server, with_server};
use super::session::{Pair, Session, Slot};
use super::table::Row;

/// Requests of a benchmark that says nothing else.
const DEFAULT_NUM_PROMPTS: i64 = 1000;

/// Runs all pairs at all loads and writes the tables.
///
/// # Errors
/// As for `sweep serve`; a server that fails ends the sweep even with
/// `--continue-on-error`, as in the reference client.
pub fn run(mut session: Session<'_>, args: &WorkloadSweepArgs) -> Result<(), Halt> {
    let variable = args.workload_var;
    refuse_override(&session, variable, "explored automatically")?;
    let pairs = (session.serve_params.len() * session.bench_params.len()) as u64;
    let runs = args.sweep.num_runs.unsigned_abs() + u64::from(args.sweep.warmup_num_prompts > 0);
    session.begin(Some(pairs * args.workload_iters.unsigned_abs() * runs));
    let mut all = Vec::new();
    for serve in session.serve_params.clone() {
        let needed = needs_server(&session, &serve);
        with_server(&mut session, &serve, needed, |session, slot| {
            for bench in session.bench_params.clone() {
                all.extend(explore(session, args, slot, &serve, &bench)?);
            }
            Ok(())
        })?;
    }
    finish(&session, &all)
}

/// The variable that a search or a workload sets may not be among the parameters.
///
/// # Errors
/// It is.
pub fn refuse_override(
    session: &Session<'_>,
    variable: LoadVariable,
    purpose: &'static str,
) -> Result<(), SweepError> {
    if session.bench_params.iter().any(|bench| bench.has(variable.name())) {
        return Err(SweepError::Overridden { variable: variable.name(), purpose });
    }
    Ok(())
}

fn explore(
    session: &mut Session<'_>,
    args: &WorkloadSweepArgs,
    slot: &mut Slot,
    serve: &Combination,
    bench: &Combination,
) -> Result<Vec<Row>, Halt> {
    let name = args.workload_var.name();
    session.say("[WL START]");
    session.say(format!("Serve parameters: {}", or_none(serve)));
    session.say(format!("Bench parameters: {}", or_none(bench)));
    session.say(format!("Number of workload iterations: {}", args.workload_iters));
    if args.workload_iters < 2 {
        return Err(SweepError::TooSmall { name: "workload_iters", least: 2 }.into());
    }
    let size = dataset_size(bench, &session.bench_cmd)?;
    session.say(format!("Dataset size: {size}"));

    let capped = |at_a_time: i64| bench.with("max_concurrency", at_a_time);
    let serial = run_load(session, args, slot, serve, &capped(1), 1)?;
    let batch = run_load(session, args, slot, serve, &capped(size), size)?;
    // There are none in a dry run, for a pair that a link excludes, and where all runs failed.
    let both = serial.zip(batch).filter(|(serial, batch)| !serial.is_empty() && !batch.is_empty());
    let Some((serial, batch)) = both else {
        session.say(if session.dry_run() {
            "Omitting intermediate Workload iterations."
        } else {
            "Unable to establish both Workload Explorer endpoints; skipping intermediate workload levels."
        });
        session.say("[WL END]");
        return Ok(Vec::new());
    };
    let lowest = mean_load(&serial, args.workload_var)?.ceil();
    session.say(format!("Serial inference: {name}={lowest:.0}"));
    let highest = mean_load(&batch, args.workload_var)?.floor();
    session.say(format!("Batch inference: {name}={highest:.0}"));
    let mut all = serial;
    for load in between(lowest, highest, args.workload_iters) {
        session.say(format!("Exploring: {name}={load}"));
        all.extend(run_load(session, args, slot, serve, bench, load)?.into_iter().flatten());
    }
    session.say("[WL END]");
    all.extend(batch);
    Ok(all)
}

/// All runs at one load.
fn run_load(
    session: &mut Session<'_>,
    args: &WorkloadSweepArgs,
    slot: &mut Slot,
    serve: &Combination,
    bench: &Combination,
    load: i64,
) -> Result<Option<Vec<Row>>, Halt> {
    let name = args.workload_var.name();
    let dir = session.pair_dir(serve, bench, &["WL-".to_owned(), format!("{name}={load}")]);
    let bench = bench.with(name, load);
    session.run_pair(slot, &Pair { serve, bench: &bench, dir: &dir }, true)
}

/// Requests of a benchmark: its parameter, else its command's, else the default.
fn dataset_size(bench: &Combination, command: &[String]) -> Result<i64, SweepError> {
    let bad = |text: String| {
        SweepError::Usage(format!("`num_prompts` has to be a whole number of at least 1, not {text}"))
    };
    if let Some(value) = bench.get("num_prompts") {
        return value.as_i64().filter(|&n| n > 0).ok_or_else(|| bad(value.to_string()));
    }
    let text = command.iter().enumerate().find_map(|(at, word)| match word.as_str() {
        "--num-prompts" => command.get(at + 1).map(String::as_str),
        word => word.strip_prefix("--num-prompts="),
    });
    match text {
        None => Ok(DEFAULT_NUM_PROMPTS),
        Some(text) => text.parse().ok().filter(|&n| n > 0).ok_or_else(|| bad(format!("`{text}`"))),
    }
}

/// The load that a run came to: requests per second, or by Little's law
/// requests at a time.
///
/// # Errors
/// The result lacks what it is computed from.
pub fn load_of(row: &Row, variable: LoadVariable) -> Result<f64, Halt> {
    let value = |key: &str| {
        number(row, key).filter(|value| value.is_finite()).ok_or_else(|| {
            Halt::Failure(Failure::new("KeyError", format!("'{key}' is missing in the result of a run")))
        })
    };
    let throughput = value("request_throughput")?;
    match variable {
        LoadVariable::RequestRate => Ok(throughput),
        LoadVariable::MaxConcurrency => Ok(throughput * value("mean_e2el_ms")? / 1000.0),
    }
}

fn mean_load(rows: &[Row], variable: LoadVariable) -> Result<f64, Halt> {
    let loads = rows.iter().map(|row| load_of(row, variable)).collect::<Result<Vec<f64>, Halt>>()?;
    Ok(loads.iter().sum::<f64>() / loads.len() as f64)
}

/// Whole loads between two, evenly spaced, without the two themselves unless
/// rounding comes to them.
fn between(lowest: f64, highest: f64, count: i64) -> Vec<i64> {
    let last = count - 1;
    // As NumPy's `linspace`: the step is computed first.
    let step = (highest - lowest) / last as f64;
    let mut loads: Vec<i64> =
        (1..last).map(|at| (at as f64 * step + lowest).round_ties_even() as i64).collect();
    loads.sort_unstable();
    loads.dedup();
    loads
}

fn or_none(combination: &Combination) -> String {
    let text = combination.as_text(", ");
    if text.is_empty() { "(None)".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn one(value: Value) -> Combination {
        Combination::new(value.as_object().unwrap().clone())
    }

    #[test]
    fn loads_between_are_whole_distinct_and_ascending() {
        assert_eq!(between(1.0, 60.0, 6), [13, 25, 36, 48]);
        assert_eq!(between(1.0, 9.0, 5), [3, 5, 7]);
        assert_eq!(between(1.0, 2.0, 5), [1, 2]);
        assert_eq!(between(5.0, 2.0, 3), [4]);
        assert_eq!(between(1.0, 9.0, 2), Vec::<i64>::new());
    }

    #[test]
    fn the_number_of_prompts_is_found() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(dataset_size(&one(json!({"num_prompts": 7})), &words("b --num-prompts 3")).unwrap(), 7);
        assert_eq!(dataset_size(&one(json!({})), &words("b --num-prompts 3")).unwrap(), 3);
        assert_eq!(dataset_size(&one(json!({})), &words("b --num-prompts=4")).unwrap(), 4);
        assert_eq!(dataset_size(&one(json!({})), &words("b")).unwrap(), 1000);
        assert!(dataset_size(&one(json!({"num_prompts": "x"})), &words("b")).is_err());
        assert!(dataset_size(&one(json!({})), &words("b --num-prompts 0")).is_err());
    }

    #[test]
    fn loads_come_from_results() {
        let row = json!({"request_throughput": 5.0, "mean_e2el_ms": 800.0}).as_object().unwrap().clone();
        assert_eq!(load_of(&row, LoadVariable::RequestRate).unwrap(), 5.0);
        assert_eq!(load_of(&row, LoadVariable::MaxConcurrency).unwrap(), 4.0);
        assert!(load_of(&Row::new(), LoadVariable::RequestRate).is_err());
    }
}
