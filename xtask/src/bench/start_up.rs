//! How long a user waits for the first request: from the start of the process
//! to the moment the server has read it, with the plugin cache warm.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::process::{measure as measure_process, monotonic_s};
use super::stats::median;
use super::table::table;
use super::{Setting, clients};

/// A start-up is short, and so can be repeated more often than the other measurements.
const RUNS_PER_RUN: u32 = 4;

/// What starts.
struct Start {
    name: &'static str,
    limit_ms: f64,
    /// Arguments beside those of all.
    arguments: Vec<String>,
}

/// Measures and prints; gives all figures.
pub(super) fn measure(setting: &Setting) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    let mut figures = Vec::new();
    for start in starts(setting)? {
        let count = setting.runs * RUNS_PER_RUN;
        eprintln!("start-up: {} ({count} runs)", start.name);
        let times_ms = run(setting, &start, count)?;
        let fastest = times_ms.iter().copied().fold(f64::INFINITY, f64::min);
        let slowest = times_ms.iter().copied().fold(0.0, f64::max);
        let middle = median(&times_ms);
        rows.push(vec![
            start.name.to_owned(),
            format!("{middle:.1}"),
            format!("{fastest:.1}"),
            format!("{slowest:.1}"),
            format!("{:.0}", start.limit_ms),
        ]);
        figures.push(json!({
            "case": start.name,
            "median_ms": middle,
            "runs_ms": times_ms,
            "limit_ms": start.limit_ms,
        }));
    }
    println!("\n{}\n", table(&["start-up (ms)", "median", "fastest", "slowest", "limit"], &rows));
    Ok(figures)
}

fn starts(setting: &Setting) -> Result<Vec<Start>> {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let prompts = setting.dir.join("start-up-prompts.jsonl");
    fs::write(&prompts, "{\"prompt\": \"How long does it take to start?\"}\n")
        .with_context(|| format!("cannot write {}", prompts.display()))?;
    let mut bare = words(&["--skip-tokenizer-init", "--dataset-name", "custom", "--custom-output-len", "4"]);
    bare.extend(["--dataset-path".to_owned(), prompts.display().to_string()]);
    let mut large =
        words(&["--dataset-name", "random", "--random-input-len", "32", "--random-output-len", "4"]);
    large.extend(["--tokenizer".to_owned(), setting.large_tokenizer()?.display().to_string()]);
    Ok(vec![
        Start { name: "no tokenizer", limit_ms: 30.0, arguments: bare },
        Start { name: "11 MB tokenizer", limit_ms: 250.0, arguments: large },
    ])
}

fn run(setting: &Setting, start: &Start, count: u32) -> Result<Vec<f64>> {
    let log = setting.dir.join("start-up-server.jsonl");
    let mock = setting.mock(0, 0, Some(&log))?;
    let mut started_s = HashMap::new();
    // The first fills the caches and does not count.
    for index in 0..=count {
        let prefix = format!("start-{index}-");
        let mut command = command(&setting.vbench, mock.url(), &prefix, start);
        started_s.insert(format!("{prefix}0"), monotonic_s());
        measure_process(&mut command, setting.client_cpu)?;
    }
    mock.stop()?;
    let received_s = received_s(&log)?;
    (1..=count)
        .map(|index| {
            let id = format!("start-{index}-0");
            let received = received_s.get(&id).with_context(|| format!("the server saw no request {id}"))?;
            Ok((received - started_s[&id]) * 1e3)
        })
        .collect()
}

fn command(vbench: &Path, url: &str, id_prefix: &str, start: &Start) -> Command {
    let mut command = Command::new(vbench);
    command
        .args(["serve", "--backend", "openai", "--base-url", url, "--model", clients::MODEL])
        .args(["--num-prompts", "1", "--ready-check-timeout-sec", "0", "--disable-tqdm"])
        .args(["--request-id-prefix", id_prefix])
        .args(&start.arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// When the server had read each request, by id.
fn received_s(log: &PathBuf) -> Result<HashMap<String, f64>> {
    let text = fs::read_to_string(log).with_context(|| format!("cannot read {}", log.display()))?;
    text.lines()
        .map(|line| {
            let entry: Value = serde_json::from_str(line)?;
            let ns = entry["t_received_ns"].as_u64().context("no `t_received_ns`")?;
            Ok(entry["id"].as_str().map(|id| (id.to_owned(), ns as f64 / 1e9)))
        })
        .filter_map(Result::transpose)
        .collect::<Result<_>>()
        .with_context(|| format!("{} cannot be understood", log.display()))
}
