//! A backend's `parse` against its extraction plan: the same format read by
//! the plugin after the response, and by the host.

use anyhow::Result;
use serde_json::{Value, json};

use super::case::{Case, PARSE};
use super::clients;
use super::process::measure as measure_process;
use super::stats::median;
use super::table::table;
use super::{Setting, chosen, number};

/// How much more CPU `parse` may use.
const CPU_LIMIT: f64 = 1.5;

/// Keys of a result that must not differ beyond what two runs differ by.
const TIMES: [&str; 4] = ["mean_ttft_ms", "p99_ttft_ms", "mean_itl_ms", "p99_itl_ms"];

/// The runs of one way to read.
#[derive(Debug, Default)]
struct Runs {
    cpu_s: Vec<f64>,
    times_ms: [Vec<f64>; TIMES.len()],
}

/// Measures and prints; gives all figures.
pub(super) fn measure(setting: &Setting, only: &str) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    let mut figures = Vec::new();
    for case in chosen(&PARSE, |case| case.name, only)? {
        eprintln!("parse: {} ({} runs of each)", case.name, setting.runs);
        let [plan, parse] = run_case(setting, case)?;
        let us_per_event = |runs: &Runs| median(&runs.cpu_s) * 1e6 / case.events();
        let ratio = us_per_event(&parse) / us_per_event(&plan);
        let mut row = vec![
            case.name.to_owned(),
            format!("{:.2}", us_per_event(&plan)),
            format!("{:.2}", us_per_event(&parse)),
            format!("{ratio:.2}"),
        ];
        for (plan_ms, parse_ms) in plan.times_ms.iter().zip(&parse.times_ms) {
            row.push(format!("{:.2}", median(plan_ms)));
            row.push(format!("{:.2}", median(parse_ms)));
        }
        rows.push(row);
        let json = |runs: &Runs| {
            let times = TIMES.iter().zip(&runs.times_ms);
            let times: serde_json::Map<_, _> =
                times.map(|(&name, values)| (name.to_owned(), json!(values))).collect();
            json!({ "in_run_cpu_s": runs.cpu_s, "times": times })
        };
        figures.push(json!({
            "case": case.name,
            "plan": json(&plan),
            "parse": json(&parse),
            "cpu_ratio": ratio,
            "cpu_ratio_limit": CPU_LIMIT,
        }));
    }
    let head = [
        "case",
        "plan µs/event",
        "parse",
        "ratio",
        "TTFT plan",
        "parse",
        "p99 plan",
        "parse",
        "ITL plan",
        "parse",
        "p99 plan",
        "parse",
    ];
    println!("\n{}\nat most {CPU_LIMIT} times the CPU\n", table(&head, &rows));
    Ok(figures)
}

fn run_case(setting: &Setting, case: &Case) -> Result<[Runs; 2]> {
    let mock = setting.mock(case.ttft_ms, case.itl_ms, None)?;
    let mut both = [Runs::default(), Runs::default()];
    // In turns, so that a change of the machine's mood meets both.
    for _ in 0..setting.runs {
        for (runs, parse) in both.iter_mut().zip([false, true]) {
            let file = setting.dir.join(format!("parse-{}-{parse}.json", case.name));
            let mut command = clients::vbench(setting, mock.url(), case, case.requests, &file);
            if parse {
                command.arg("--openai-parse");
            }
            measure_process(&mut command, setting.client_cpu)?;
            let result = clients::vbench_result(&file, case.requests)?;
            runs.cpu_s.push(number(&result, "/vbench/client/cpu_s", &file)?);
            for (name, values) in TIMES.iter().zip(&mut runs.times_ms) {
                values.push(number(&result, &format!("/{name}"), &file)?);
            }
        }
    }
    mock.stop()?;
    Ok(both)
}
