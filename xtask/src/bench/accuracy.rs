//! How wrong the client's times are: what it reports against what the server
//! recorded, both on the machine's monotonic clock. Never against the delays
//! that the server was asked for, for it has its own error.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::case::{ACCURACY, Case};
use super::clients::{self, REQUEST_ID_PREFIX};
use super::process::measure as measure_process;
use super::stats::{mean, median_of, percentile};
use super::table::table;
use super::{Setting, chosen};

/// How far the p99 of TTFT may be from the server's.
const TTFT_P99_LIMIT_MS: f64 = 10.0;

/// How far the p99 of ITL may be from the server's.
const ITL_P99_LIMIT_MS: f64 = 2.0;

/// A request's times on one side, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq)]
struct Times {
    ttft_ms: f64,
    itls_ms: Vec<f64>,
}

/// One run, client against server.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Comparison {
    server_ttft_mean_ms: f64,
    server_ttft_p99_ms: f64,
    server_itl_p99_ms: f64,
    ttft_mean_error_ms: f64,
    ttft_p99_error_ms: f64,
    /// 99th percentile of the differences, request by request.
    request_ttft_error_p99_ms: f64,
    itl_mean_error_ms: f64,
    itl_p99_error_ms: f64,
}

type Figure = (&'static str, fn(&Comparison) -> f64);

const FIGURES: [Figure; 8] = [
    ("server_ttft_mean_ms", |c| c.server_ttft_mean_ms),
    ("server_ttft_p99_ms", |c| c.server_ttft_p99_ms),
    ("server_itl_p99_ms", |c| c.server_itl_p99_ms),
    ("ttft_mean_error_ms", |c| c.ttft_mean_error_ms),
    ("ttft_p99_error_ms", |c| c.ttft_p99_error_ms),
    ("request_ttft_error_p99_ms", |c| c.request_ttft_error_p99_ms),
    ("itl_mean_error_ms", |c| c.itl_mean_error_ms),
    ("itl_p99_error_ms", |c| c.itl_p99_error_ms),
];

/// Measures and prints; gives all figures.
pub(super) fn measure(setting: &Setting, only: &str) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    let mut figures = Vec::new();
    for case in chosen(&ACCURACY, |case| case.name, only)? {
        eprintln!("accuracy: {} ({} runs)", case.name, setting.runs);
        let runs = (0..setting.runs).map(|_| run_case(setting, case)).collect::<Result<Vec<_>>>()?;
        let of = |figure: fn(&Comparison) -> f64| median_of(&runs, figure);
        let within = of(|c| c.ttft_mean_error_ms).abs() <= case.mean_ttft_limit_ms
            && of(|c| c.ttft_p99_error_ms).abs() <= TTFT_P99_LIMIT_MS
            && of(|c| c.itl_p99_error_ms).abs() <= ITL_P99_LIMIT_MS;
        let mut row = vec![case.name.to_owned()];
        row.extend(FIGURES.iter().map(|(_, figure)| format!("{:.3}", of(*figure))));
        row.push(if within { "yes" } else { "no" }.to_owned());
        rows.push(row);
        let medians: serde_json::Map<String, Value> =
            FIGURES.iter().map(|(name, figure)| ((*name).to_owned(), of(*figure).into())).collect();
        let all: serde_json::Map<String, Value> = FIGURES
            .iter()
            .map(|(name, figure)| ((*name).to_owned(), runs.iter().map(figure).collect::<Vec<_>>().into()))
            .collect();
        figures.push(json!({
            "case": case.name,
            "streams": case.streams,
            "requests": case.requests,
            "medians": medians,
            "runs": all,
            "limits": {
                "ttft_mean_error_ms": case.mean_ttft_limit_ms,
                "ttft_p99_error_ms": TTFT_P99_LIMIT_MS,
                "itl_p99_error_ms": ITL_P99_LIMIT_MS,
            },
            "within_limits": within,
        }));
    }
    let head = [
        "case (ms)",
        "TTFT",
        "TTFT p99",
        "ITL p99",
        "TTFT error",
        "of p99",
        "p99 of error",
        "ITL error",
        "of p99",
        "within limits",
    ];
    println!("\n{}", table(&head, &rows));
    println!("first the server's own record, then what vbench reports less that\n");
    Ok(figures)
}

fn run_case(setting: &Setting, case: &Case) -> Result<Comparison> {
    let log = setting.dir.join(format!("accuracy-{}-server.jsonl", case.name));
    let result = setting.dir.join(format!("accuracy-{}-vbench.json", case.name));
    let mock = setting.mock(case.ttft_ms, case.itl_ms, Some(&log))?;
    let mut command = clients::vbench(setting, mock.url(), case, case.requests, &result);
    command.arg("--save-detailed");
    measure_process(&mut command, setting.client_cpu)?;
    mock.stop()?;
    let reported = reported(&clients::vbench_result(&result, case.requests)?)
        .with_context(|| format!("{} cannot be compared", result.display()))?;
    let recorded = fs::read_to_string(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let recorded = recorded_by_server(&recorded).with_context(|| format!("in {}", log.display()))?;
    compare(&reported, &recorded).with_context(|| format!("{} and {}", result.display(), log.display()))
}

/// Times in a result with `--save-detailed`, in the order of the requests.
fn reported(result: &Value) -> Result<Vec<Times>> {
    let seconds = |value: &Value| value.as_f64().map(|s| s * 1e3).context("a time is not a number");
    let array = |key: &str| result[key].as_array().with_context(|| format!("the result has no list `{key}`"));
    let (ttfts, itls) = (array("ttfts")?, array("itls")?);
    if ttfts.len() != itls.len() {
        bail!("{} `ttfts`, but {} `itls`", ttfts.len(), itls.len());
    }
    let times = ttfts.iter().zip(itls).map(|(ttft, itls)| {
        let itls = itls.as_array().context("an entry of `itls` is no list")?;
        Ok(Times { ttft_ms: seconds(ttft)?, itls_ms: itls.iter().map(seconds).collect::<Result<_>>()? })
    });
    times.collect()
}

/// Times in the server's log, by request id.
fn recorded_by_server(log: &str) -> Result<HashMap<String, Times>> {
    let mut all = HashMap::new();
    for (index, line) in log.lines().enumerate() {
        let times = recorded_request(line).with_context(|| format!("line {}", index + 1))?;
        all.extend(times);
    }
    Ok(all)
}

/// None for what is no generation of ours.
fn recorded_request(line: &str) -> Result<Option<(String, Times)>> {
    let entry: Value = serde_json::from_str(line).context("no JSON")?;
    let Some(id) = entry["id"].as_str().filter(|id| id.starts_with(REQUEST_ID_PREFIX)) else {
        return Ok(None);
    };
    let received = entry["t_received_ns"].as_u64().context("no `t_received_ns`")?;
    let sent = entry["sent_ns"].as_array().context("no `sent_ns`")?;
    let sent: Vec<u64> =
        sent.iter().map(|time| time.as_u64().context("`sent_ns` holds no times")).collect::<Result<_>>()?;
    let first = *sent.first().with_context(|| format!("no token of {id} was sent"))?;
    let ms = |from: u64, to: u64| (to as f64 - from as f64) / 1e6;
    let itls_ms = sent.windows(2).map(|pair| ms(pair[0], pair[1])).collect();
    Ok(Some((id.to_owned(), Times { ttft_ms: ms(received, first), itls_ms })))
}

fn compare(reported: &[Times], recorded: &HashMap<String, Times>) -> Result<Comparison> {
    let mut server = Vec::with_capacity(reported.len());
    for (index, times) in reported.iter().enumerate() {
        let id = format!("{REQUEST_ID_PREFIX}{index}");
        let recorded = recorded.get(&id).with_context(|| format!("the server saw no request {id}"))?;
        if recorded.itls_ms.len() != times.itls_ms.len() {
            bail!(
                "the server sent {} token events for {id}, but {} are reported",
                recorded.itls_ms.len() + 1,
                times.itls_ms.len() + 1
            );
        }
        server.push(recorded);
    }
    let ttfts: Vec<f64> = reported.iter().map(|times| times.ttft_ms).collect();
    let itls: Vec<f64> = reported.iter().flat_map(|times| times.itls_ms.iter().copied()).collect();
    let server_ttfts: Vec<f64> = server.iter().map(|times| times.ttft_ms).collect();
    let server_itls: Vec<f64> = server.iter().flat_map(|times| times.itls_ms.iter().copied()).collect();
    let differences: Vec<f64> = ttfts.iter().zip(&server_ttfts).map(|(own, server)| own - server).collect();
    let p99 = |values: &[f64]| percentile(values, 99.0);
    Ok(Comparison {
        server_ttft_mean_ms: mean(&server_ttfts),
        server_ttft_p99_ms: p99(&server_ttfts),
        server_itl_p99_ms: p99(&server_itls),
        ttft_mean_error_ms: mean(&differences),
        ttft_p99_error_ms: p99(&ttfts) - p99(&server_ttfts),
        request_ttft_error_p99_ms: p99(&differences),
        itl_mean_error_ms: mean(&itls) - mean(&server_itls),
        itl_p99_error_ms: p99(&itls) - p99(&server_itls),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(id: &str, received: u64, sent: &[u64]) -> String {
        json!({ "id": id, "t_received_ns": received, "sent_ns": sent }).to_string() + "\n"
    }

    #[test]
    fn times_are_compared_request_by_request() {
        // The log is in the order in which requests ended, and has others.
        let log = log("bench-1", 5_000_000, &[65_000_000, 77_000_000])
            + "{\"id\":null,\"path\":\"/v1/models\"}\n"
            + &log("bench-0", 1_000_000, &[51_000_000, 61_000_000]);
        let result = json!({ "ttfts": [0.0505, 0.0615], "itls": [[0.0101], [0.0119]] });
        let comparison = compare(&reported(&result).unwrap(), &recorded_by_server(&log).unwrap()).unwrap();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
        near(comparison.server_ttft_mean_ms, 55.0);
        near(comparison.ttft_mean_error_ms, 1.0);
        near(comparison.request_ttft_error_p99_ms, 0.5 + 0.99);
        near(comparison.itl_mean_error_ms, 0.0);
        near(comparison.itl_p99_error_ms, (10.1 + 1.8 * 0.99) - (10.0 + 2.0 * 0.99));
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let recorded = recorded_by_server(&log("bench-0", 0, &[1, 2])).unwrap();
        let one = |itls: &[f64]| Times { ttft_ms: 1.0, itls_ms: itls.to_vec() };
        let error = compare(&[one(&[])], &recorded).unwrap_err().to_string();
        assert!(error.contains("2 token events for bench-0, but 1"), "{error}");
        let error = compare(&[one(&[1.0]), one(&[1.0])], &recorded).unwrap_err().to_string();
        assert!(error.contains("no request bench-1"), "{error}");
        assert!(recorded_by_server("nonsense").unwrap_err().to_string().contains("line 1"));
        assert!(recorded_by_server(&log("bench-0", 0, &[])).is_err());
        assert!(reported(&json!({ "ttfts": [1.0] })).is_err());
    }
}
