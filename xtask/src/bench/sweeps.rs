//! What sweeps cost, and how well the search for the highest load finds it.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::process::monotonic_s;
use super::stats::{mean, median};
use super::table::table;
use super::{Setting, read_json};

/// Requests that the mock server works on at once.
const BATCH: u32 = 8;
/// From entry into the batch to the first token, in milliseconds.
const TTFT_MS: u32 = 20;
/// Between tokens, in milliseconds.
const ITL_MS: u32 = 15;
/// Tokens of an answer.
const TOKENS: u32 = 8;
/// Limit of the criteria, in milliseconds: a request that waits for another's
/// end misses it.
const LIMIT_MS: u32 = 90;

/// Largest error of a search that finds the limit, in per cent of it.
const WORST_ERROR: f64 = 5.0;

/// Criteria as flags, by name.
const CRITERIA: [(&str, &[&str]); 4] = [
    ("threshold", &["--sla", "threshold", "--threshold-limits", r#"{"p99_ttft_ms": "<=90"}"#]),
    ("goodput", &["--sla", "goodput", "--goodput", "ttft:90"]),
    (
        "mlperf-server",
        &["--sla", "mlperf-server", "--mlperf-server-model", "llama2-70b", "--mlperf-server-ttft-ms", "90"],
    ),
    ("composite", &["--sla", "composite", "--composite-rule", r#"{"any": [{"p99_ttft_ms": "<=90"}]}"#]),
];

/// Searches for the batch limit (requests at a time) and for the capacity
/// (requests per second) of the mock server, with each criterion and seed, by
/// vbench's own search and by bisection.
///
/// # Errors
/// A search does not run.
pub fn search(setting: &Setting) -> Result<Vec<Value>> {
    let service_s = f64::from(TTFT_MS + (TOKENS - 1) * ITL_MS) / 1000.0;
    let loads = [("max_concurrency", f64::from(BATCH)), ("request_rate", f64::from(BATCH) / service_s)];
    let mut figures = Vec::new();
    let mut rows = Vec::new();
    for (variable, limit) in loads {
        for (name, criterion) in CRITERIA {
            let (mut auto, mut bisect) = (Vec::new(), Vec::new());
            for seed in 0..setting.runs {
                auto.push(one_search(setting, variable, criterion, name, "auto", seed)?);
                bisect.push(one_search(setting, variable, criterion, name, "bisect", seed)?);
            }
            let worst = |found: &[Found]| {
                found.iter().map(|(load, _)| 100.0 * (load - limit).abs() / limit).fold(0.0, f64::max)
            };
            let mean_runs =
                |found: &[Found]| mean(&found.iter().map(|&(_, runs)| runs as f64).collect::<Vec<_>>());
            let json = |found: &[Found]| {
                found.iter().map(|(load, runs)| json!({"load": load, "runs": runs})).collect::<Value>()
            };
            rows.push(vec![
                variable.to_owned(),
                name.to_owned(),
                format!("{limit:.0}"),
                format!("{:.1}", worst(&auto)),
                format!("{:.1}", mean_runs(&auto)),
                format!("{:.1}", worst(&bisect)),
                format!("{:.1}", mean_runs(&bisect)),
                if worst(&auto) <= WORST_ERROR && mean_runs(&auto) <= mean_runs(&bisect) {
                    "yes"
                } else {
                    "no"
                }
                .to_owned(),
            ]);
            figures.push(json!({
                "variable": variable, "criterion": name, "limit": limit, "limit_ms": LIMIT_MS,
                "auto": json(&auto), "bisect": json(&bisect),
            }));
        }
    }
    let head = [
        "variable",
        "criterion",
        "limit",
        "auto: worst error %",
        "runs",
        "bisect: worst error %",
        "runs",
        "met",
    ];
    println!("{}", table(&head, &rows));
    println!(
        "{} seeds each; runs are means; met: auto is at most {WORST_ERROR} % off in no more runs than bisection",
        setting.runs
    );
    Ok(figures)
}

/// The load found, and the runs it took.
type Found = (f64, u64);

fn one_search(
    setting: &Setting,
    variable: &str,
    criterion: &[&str],
    name: &str,
    method: &str,
    seed: u32,
) -> Result<Found> {
    let dir = setting.dir.join("sla");
    let experiment = format!("{variable}-{name}-{method}-{seed}");
    remove(&dir.join(&experiment))?;
    // Enough requests for a queue to show itself at a load that is five per cent too high.
    let prompts = if variable == "max_concurrency" { "60" } else { "300" };
    let mut command = sweep(
        setting,
        "serve-sla",
        &format!("--ttft-ms {TTFT_MS} --itl-ms {ITL_MS} --seed {seed} --max-batch {BATCH}"),
        &["--num-prompts", prompts, "--burstiness", "inf"],
    )?;
    command
        .args(["--sla-variable", variable, "--search", method, "--num-runs", "1", "--seed-salt", "on"])
        .args(["-o", &dir.display().to_string(), "-e", &experiment])
        .args(criterion);
    finish(&mut command, &dir.join(format!("{experiment}.txt")))?;
    let found = read_json(&dir.join(&experiment).join(format!("vbench-SLA--{name}.json")))?;
    let load = found["highest_passing"].as_f64().with_context(|| format!("{experiment}: nothing passed"))?;
    Ok((load, found["runs"].as_u64().unwrap_or(0)))
}

/// Eight short runs, 2.3 seconds of load, from the start of the command to its end.
///
/// # Errors
/// The sweep does not run.
pub fn short_runs(setting: &Setting) -> Result<Vec<Value>> {
    let dir = setting.dir.join("sweep");
    let params = setting.dir.join("sweep-loads.json");
    let loads: Value = [1, 2, 4, 8].iter().map(|load| json!({"max_concurrency": load})).collect();
    fs::write(&params, loads.to_string()).with_context(|| format!("cannot write {}", params.display()))?;
    let mut wall_s = Vec::new();
    for _ in 0..setting.runs {
        remove(&dir)?;
        let mut command = sweep(setting, "serve", "--ttft-ms 10 --itl-ms 5", &["--num-prompts", "13"])?;
        command.args(["--num-runs", "2", "--bench-params", &params.display().to_string()]).args([
            "-o",
            &setting.dir.display().to_string(),
            "-e",
            "sweep",
        ]);
        let before_s = monotonic_s();
        finish(&mut command, &setting.dir.join("sweep.txt"))?;
        wall_s.push(monotonic_s() - before_s);
    }
    let csv = fs::read_to_string(dir.join("summary.csv")).context("the sweep wrote no summary.csv")?;
    if csv.lines().count() != 9 {
        bail!("the sweep kept {} runs instead of 8", csv.lines().count().saturating_sub(1));
    }
    let middle = median(&wall_s);
    let row = vec!["vbench sweep serve".to_owned(), format!("{middle:.2}"), "< 5".to_owned()];
    println!("{}", table(&["8 runs of 13 requests, 2.3 s of load", "wall s (median)", "target"], &[row]));
    Ok(vec![json!({"runs": 8, "wall_s": wall_s, "median_s": middle})])
}

/// A sweep over a mock server on a free port.
fn sweep(setting: &Setting, sub: &str, server: &str, bench: &[&str]) -> Result<Command> {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).context("no free port")?.port();
    let vbench = setting.vbench.display();
    let mut command = Command::new(&setting.vbench);
    command
        .args(["sweep", sub, "--serve-cmd"])
        .arg(format!("'{vbench}' mock --host 127.0.0.1 --port {port} {server}"));
    command.arg("--bench-cmd").arg(format!(
        "vbench serve --host 127.0.0.1 --port {port} --model mock --tokenizer '{}' --dataset-name random \
         --random-input-len 16 --random-output-len {TOKENS} --disable-tqdm {}",
        setting.tokenizer.display(),
        bench.join(" ")
    ));
    command.stdin(Stdio::null());
    Ok(command)
}

fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

/// Runs a command to its end, its output in a file.
fn finish(command: &mut Command, log: &Path) -> Result<()> {
    if let Some(dir) = log.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    let file = fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let both = file.try_clone().context("cannot share the log")?;
    let status = command.stdout(file).stderr(both).status().context("cannot start vbench")?;
    if !status.success() {
        bail!("a sweep ended with {status}; see {}", log.display());
    }
    Ok(())
}
