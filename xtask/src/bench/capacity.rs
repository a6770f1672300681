//! What the client costs: CPU per token event, beside oha's.
//!
//! What a program needs to start is deducted: the same command with one
//! request. For `vbench` that leaves sampling, requests, plugins, metrics and
//! the result file; what it says itself of the measured run alone stands beside it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::case::{CAPACITY, Case, TOKENS};
use super::process::{Usage, measure as measure_process};
use super::stats::{median, median_of};
use super::table::table;
use super::{Setting, chosen, clients, number};

/// The repeated runs of one client in one case.
#[derive(Debug, Default)]
struct Runs {
    start_up: Vec<Usage>,
    full: Vec<Usage>,
    /// CPU that the client says it used in the run itself.
    in_run_cpu_s: Vec<f64>,
    /// Wall time of the run itself, as the client says.
    in_run_s: Vec<f64>,
}

impl Runs {
    /// CPU per event, start-up deducted.
    fn cpu_us_per_event(&self, case: &Case) -> f64 {
        let cpu = |usages: &[Usage]| median_of(usages, |usage| usage.cpu_s);
        // The run that tells the cost of starting had one request, too.
        let events = case.events() - f64::from(TOKENS);
        (cpu(&self.full) - cpu(&self.start_up)) * 1e6 / events
    }

    fn in_run_us_per_event(&self, case: &Case) -> f64 {
        median(&self.in_run_cpu_s) * 1e6 / case.events()
    }

    fn events_per_s(&self, case: &Case) -> f64 {
        case.events() / median(&self.in_run_s)
    }

    fn peak_rss_mib(&self) -> f64 {
        median_of(&self.full, Usage::peak_rss_mib)
    }

    fn to_json(&self, case: &Case) -> Value {
        let cpu = |usages: &[Usage]| usages.iter().map(|usage| usage.cpu_s).collect::<Vec<_>>();
        json!({
            "cpu_us_per_event": self.cpu_us_per_event(case),
            "cpu_s": cpu(&self.full),
            "start_up_cpu_s": cpu(&self.start_up),
            "wall_s": self.full.iter().map(|usage| usage.wall_s).collect::<Vec<_>>(),
            "in_run_cpu_s": self.in_run_cpu_s,
            "in_run_s": self.in_run_s,
            "peak_rss_mib": self.peak_rss_mib(),
        })
    }
}

/// Measures and prints; gives all figures.
pub(super) fn measure(setting: &Setting, oha: &Path, only: &str) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    let mut figures = Vec::new();
    for case in chosen(&CAPACITY, |case| case.name, only)? {
        eprintln!("capacity: {} ({} runs of each client)", case.name, setting.runs);
        let (own, other) = run_case(setting, oha, case)?;
        let (cost, oha_cost) = (own.cpu_us_per_event(case), other.cpu_us_per_event(case));
        rows.push(vec![
            case.name.to_owned(),
            format!("{cost:.2}"),
            format!("{:.2}", own.in_run_us_per_event(case)),
            format!("{oha_cost:.2}"),
            format!("{:.2}", cost / oha_cost),
            format!("{:.0}", own.events_per_s(case)),
            format!("{:.0}", other.events_per_s(case)),
            format!("{:.0}", own.peak_rss_mib()),
            format!("{:.0}", other.peak_rss_mib()),
        ]);
        figures.push(json!({
            "case": case.name,
            "streams": case.streams,
            "requests": case.requests,
            "tokens": TOKENS,
            "vbench": own.to_json(case),
            "oha": other.to_json(case),
            "ratio_to_oha": cost / oha_cost,
            "vbench_in_run_cpu_us_per_event": own.in_run_us_per_event(case),
        }));
    }
    let head = ["case", "CPU µs/event", "in run", "oha", "ratio", "events/s", "oha", "peak MiB", "oha"];
    println!("\n{}\n", table(&head, &rows));
    Ok(figures)
}

fn run_case(setting: &Setting, oha: &Path, case: &Case) -> Result<(Runs, Runs)> {
    let mock = setting.mock(case.ttft_ms, case.itl_ms, None)?;
    let file = |client: &str| setting.dir.join(format!("capacity-{}-{client}.json", case.name));
    let (own_file, oha_file) = (file("vbench"), file("oha"));
    let mut own = Runs::default();
    let mut other = Runs::default();
    // In turns, so that a change of the machine's mood meets both.
    for _ in 0..setting.runs {
        let run = Run { cpu: setting.client_cpu, file: &own_file };
        own.start_up.push(run.measure(clients::vbench(setting, mock.url(), case, 1, &own_file))?);
        own.full.push(run.measure(clients::vbench(setting, mock.url(), case, case.requests, &own_file))?);
        let result = clients::vbench_result(&own_file, case.requests)?;
        own.in_run_cpu_s.push(number(&result, "/vbench/client/cpu_s", &own_file)?);
        own.in_run_s.push(number(&result, "/duration", &own_file)?);

        let run = Run { cpu: setting.client_cpu, file: &oha_file };
        other.start_up.push(run.measure(clients::oha(oha, mock.url(), case, 1, &oha_file))?);
        other.full.push(run.measure(clients::oha(oha, mock.url(), case, case.requests, &oha_file))?);
        let report = clients::oha_report(&oha_file, case.requests)?;
        other.in_run_s.push(number(&report, "/summary/total", &oha_file)?);
    }
    mock.stop()?;
    Ok((own, other))
}

/// Where a client runs and what it writes.
struct Run<'a> {
    cpu: usize,
    file: &'a PathBuf,
}

impl Run<'_> {
    /// Without the file of an earlier run, which must not pass for that of this one.
    fn measure(&self, mut command: Command) -> Result<Usage> {
        if self.file.exists() {
            std::fs::remove_file(self.file)
                .with_context(|| format!("cannot remove {}", self.file.display()))?;
        }
        measure_process(&mut command, self.cpu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_up_is_deducted() {
        let usage = |cpu_s| Usage { cpu_s, wall_s: 1.0, peak_rss_bytes: 20 << 20 };
        let runs = Runs {
            start_up: vec![usage(0.5), usage(0.1), usage(0.1)],
            full: vec![usage(1.1), usage(1.1), usage(9.0)],
            in_run_cpu_s: vec![0.512],
            in_run_s: vec![2.0],
        };
        let case = &CAPACITY[0];
        assert!((runs.cpu_us_per_event(case) - 1e6 / (1999.0 * 128.0)).abs() < 1e-9);
        assert!((runs.in_run_us_per_event(case) - 2.0).abs() < 1e-9);
        assert!((runs.events_per_s(case) - 128_000.0).abs() < 1e-6);
        assert!((runs.peak_rss_mib() - 20.0).abs() < 1e-9);
    }
}
