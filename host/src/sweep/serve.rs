//! `vbench sweep serve`: every server with every benchmark.

use super::aggregate;
use super::failure::Halt;
use super::layout;
use super::params::Combination;
use super::results::write_text;
use super::session::{Pair, Session, Slot};
use super::table::{self, Row};
use crate::fault::Fault;

/// Runs all pairs and writes the tables.
///
/// # Errors
/// A run or server fails and the sweep is not to go on; the user asks for an
/// end; a file cannot be written.
pub fn run(mut session: Session<'_>) -> Result<(), Halt> {
    let pairs = session
        .serve_params
        .iter()
        .flat_map(|serve| session.bench_params.iter().filter(|bench| session.links.hold(serve, bench)))
        .count() as u64;
    let warm_ups = u64::from(session.args.warmup_num_prompts > 0);
    session.begin(Some(pairs * (session.args.num_runs.unsigned_abs() + warm_ups)));
    let mut all = Vec::new();
    for serve in session.serve_params.clone() {
        let needed = needs_server(&session, &serve);
        let outcome = with_server(&mut session, &serve, needed, |session, slot| {
            run_server(session, &serve, slot, &mut all)
        });
        match outcome {
            Err(Halt::Failure(failure)) if session.args.continue_on_error => {
                session.note_failed_server(&serve, &failure)?;
            }
            outcome => outcome?,
        }
    }
    finish(&session, &all)
}

/// Starts a server, does something with it, and ends it whatever happened.
///
/// # Errors
/// Those of the server and of what is done.
pub fn with_server(
    session: &mut Session<'_>,
    serve: &Combination,
    needed: bool,
    work: impl FnOnce(&mut Session<'_>, &mut Slot) -> Result<(), Halt>,
) -> Result<(), Halt> {
    let mut slot = session.open_slot(serve, needed)?;
    let outcome = work(session, &mut slot);
    let closed = session.close_slot(slot, outcome.is_ok());
    outcome.and(closed)
}

fn run_server(
    session: &mut Session<'_>,
    serve: &Combination,
    slot: &mut Slot,
    all: &mut Vec<Row>,
) -> Result<(), Halt> {
    for bench in session.bench_params.clone() {
        let dir = session.pair_dir(serve, &bench, &[]);
        let rows = session.run_pair(slot, &Pair { serve, bench: &bench, dir: &dir }, true)?;
        all.extend(rows.into_iter().flatten());
    }
    Ok(())
}

/// Whether a server has to run: some pair has no summary. Links do not count,
/// as in the reference client. A run that is missing although there is a
/// summary, since more runs are asked for than before, counts as well.
pub fn needs_server(session: &Session<'_>, serve: &Combination) -> bool {
    session.bench_params.iter().any(|bench| {
        let dir = session.pair_dir(serve, bench, &[]);
        !layout::summary_file(&dir).exists()
            || (session.links.hold(serve, bench)
                && (0..session.args.num_runs).any(|run| !layout::run_file(&dir, run).exists()))
    })
}

/// Writes the tables over all runs and says where everything is.
///
/// # Errors
/// A file cannot be written.
pub fn finish(session: &Session<'_>, all: &[Row]) -> Result<(), Halt> {
    if !session.dry_run() {
        let csv = |rows: &[Row]| {
            table::to_csv(rows)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .map_err(|error| Halt::Fatal(Fault::user(error)))
        };
        write_text(&session.experiment.join("summary.csv"), &csv(all)?)?;
        let groups = aggregate::groups(all, &[&session.serve_params, &session.bench_params]);
        write_text(&session.experiment.join("aggregate.csv"), &csv(&aggregate::rows(&groups))?)?;
        let json = crate::report::python_json::to_pretty(&aggregate::json(&groups), 4)
            .map_err(crate::report::ReportError::from)?;
        write_text(&session.experiment.join("aggregate.json"), &json)?;
    }
    session.farewell();
    Ok(())
}
