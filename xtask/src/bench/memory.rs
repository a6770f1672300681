//! Peak memory of the client, against its limits.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::process::measure;
use super::table::table;
use super::{Setting, clients, data};

/// Size of the ShareGPT file, and how much memory sampling from it may take.
const FILE_BYTES: u64 = 700 << 20;
const FILE_LIMIT_MIB: f64 = 500.0;
/// Streams, tokens of each, and how much memory they may take.
const STREAMS: u32 = 1024;
const STREAM_TOKENS: u32 = 1024;
const STREAM_LIMIT_MIB: f64 = 100.0;

/// Measures and prints; gives all figures.
///
/// # Errors
/// When something fails, or a limit is broken.
pub(super) fn measure_all(setting: &Setting) -> Result<Vec<Value>> {
    let cases = [
        ("a 700 MiB ShareGPT file", file(setting)?, FILE_LIMIT_MIB),
        ("1024 streams of 1024 tokens", streams(setting)?, STREAM_LIMIT_MIB),
    ];
    let rows: Vec<Vec<String>> = cases
        .iter()
        .map(|(name, peak_mib, limit_mib)| {
            vec![(*name).to_owned(), format!("{peak_mib:.0}"), format!("{limit_mib:.0}")]
        })
        .collect();
    println!("\n{}\n", table(&["case", "peak MiB", "limit MiB"], &rows));
    for (name, peak_mib, limit_mib) in &cases {
        if peak_mib > limit_mib {
            bail!("{name}: {peak_mib:.0} MiB of memory, {limit_mib:.0} allowed");
        }
    }
    let figure = |(name, peak_mib, limit_mib): &(&str, f64, f64)| json!({"case": name, "peak_rss_mib": peak_mib, "limit_mib": limit_mib});
    Ok(cases.iter().map(figure).collect())
}

/// Sampling, without a server.
fn file(setting: &Setting) -> Result<f64> {
    let path = setting.dir.join("sharegpt-700.json");
    eprintln!("memory: writing {}", path.display());
    data::sharegpt(&path, FILE_BYTES)?;
    let mut command = clients::dry_run(setting, &setting.tokenizer, 1000);
    command.args(["--dataset-name", "sharegpt", "--dataset-path"]).arg(&path);
    let usage = measure(&mut command, setting.client_cpu);
    std::fs::remove_file(&path)?;
    Ok(usage?.peak_rss_mib())
}

/// A run with a small tokenizer, so that it is all but nothing of the peak.
fn streams(setting: &Setting) -> Result<f64> {
    eprintln!("memory: {STREAMS} streams");
    let mock = setting.mock(50, 10, None)?;
    let (streams, tokens) = (STREAMS.to_string(), STREAM_TOKENS.to_string());
    let mut command = Command::new(&setting.vbench);
    command
        .args(["serve", "--base-url", mock.url(), "--model", clients::MODEL, "--disable-tqdm", "--tokenizer"])
        .arg(&setting.tokenizer)
        .args(["--num-prompts", &streams, "--max-concurrency", &streams, "--ready-check-timeout-sec", "0"])
        .args(["--random-input-len", "32", "--random-output-len", &tokens])
        .stdout(Stdio::null());
    let usage = measure(&mut command, setting.client_cpu)?;
    mock.stop()?;
    Ok(usage.peak_rss_mib())
}
