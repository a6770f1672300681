//! Figures of the client, taken against the embedded mock server.
//!
//! The server is pinned to one CPU and the client to another, so that they do
//! not take time from each other. What is compared was measured in one
//! session: `vbench` with `oha` (`capacity`), what `vbench` reports with what
//! the server recorded (`accuracy`), the two ways to read a format (`parse`).
//! `start_up` and `sampling` measure what comes before a run.
//!
//! - `case`: loads; `clients`: commands of the clients; `process`: pinned
//!   child processes and what they used; `capacity`, `accuracy`, `parse`,
//!   `start_up`, `sampling`: the measurements; `stats`, `table`: figures and how
//!   they are printed.

mod accuracy;
mod capacity;
mod case;
mod clients;
mod parse;
mod process;
mod sampling;
mod start_up;
mod stats;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use vbench_synthetic::{Shape, tokenizer_json};

use crate::workspace::Workspace;

/// What to measure, and where.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    command: Option<BenchCommand>,

    /// CPU of the server.
    #[arg(long, global = true, default_value_t = 0)]
    server_cpu: usize,

    /// CPU of the client.
    #[arg(long, global = true, default_value_t = 1)]
    client_cpu: usize,

    /// Runs of which the median counts.
    #[arg(long, global = true, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,

    /// Only cases whose name contains this.
    #[arg(long, global = true, value_name = "TEXT")]
    only: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, clap::Subcommand)]
enum BenchCommand {
    /// CPU of the client per event, and that of oha.
    Capacity,
    /// Reported TTFT and ITL against the server's record.
    Accuracy,
    /// CPU and times of a backend that parses, and of one with an extraction plan.
    Parse,
    /// From the start of the process to the first request.
    StartUp,
    /// What a random prompt costs to make.
    Sampling,
}

/// The machine and the programs.
#[derive(Debug)]
struct Setting {
    vbench: PathBuf,
    tokenizer: PathBuf,
    /// Results and logs.
    dir: PathBuf,
    server_cpu: usize,
    client_cpu: usize,
    runs: u32,
}

impl Setting {
    /// The folder of an 11 MB tokenizer, which is made if it is not there.
    fn large_tokenizer(&self) -> Result<PathBuf> {
        let dir = self.dir.join("large-tokenizer");
        let file = dir.join("tokenizer.json");
        if !file.is_file() {
            fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
            fs::write(&file, tokenizer_json(Shape::LARGE))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(dir)
    }
}

/// Builds `vbench` in the release profile and measures; all things unless one is named.
///
/// # Errors
/// Something does not build or run, or requests failed.
pub fn run(workspace: &Workspace, args: &BenchArgs) -> Result<()> {
    for cpu in [args.server_cpu, args.client_cpu] {
        process::require_cpu(cpu)?;
    }
    if args.server_cpu == args.client_cpu {
        bail!("server and client need a CPU each, not both {}", args.server_cpu);
    }
    let dir = workspace.target().join("bench");
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let setting = Setting {
        vbench: workspace.build_release()?,
        tokenizer: workspace.tokenizer(),
        dir,
        server_cpu: args.server_cpu,
        client_cpu: args.client_cpu,
        runs: args.runs,
    };
    let only = args.only.as_deref().unwrap_or_default();
    let wanted = |command| args.command.is_none_or(|named| named == command);
    if wanted(BenchCommand::Capacity) {
        let oha = clients::install_oha(workspace)?;
        let figures = capacity::measure(&setting, &oha, &case::chosen(&case::CAPACITY, only)?)?;
        report(&setting, "capacity", figures)?;
    }
    if wanted(BenchCommand::Accuracy) {
        let figures = accuracy::measure(&setting, &case::chosen(&case::ACCURACY, only)?)?;
        report(&setting, "accuracy", figures)?;
    }
    if wanted(BenchCommand::Parse) {
        report(&setting, "parse", parse::measure(&setting, &case::chosen(&case::PARSE, only)?)?)?;
    }
    if wanted(BenchCommand::StartUp) {
        report(&setting, "start-up", start_up::measure(&setting)?)?;
    }
    if wanted(BenchCommand::Sampling) {
        report(&setting, "sampling", sampling::measure(&setting)?)?;
    }
    Ok(())
}

fn report(setting: &Setting, name: &str, figures: Vec<Value>) -> Result<()> {
    let machine = process::machine();
    let all = json!({
        "machine": machine,
        "server_cpu": setting.server_cpu,
        "client_cpu": setting.client_cpu,
        "runs": setting.runs,
        "cases": figures,
    });
    let path = setting.dir.join(format!("{name}.json"));
    write_json(&path, &all)?;
    println!("{machine}\nall figures: {}", path.display());
    Ok(())
}

fn write_json(path: &Path, value: &Value) -> Result<()> {
    fs::write(path, format!("{value:#}\n")).with_context(|| format!("cannot write {}", path.display()))
}

fn read_json(path: &Path) -> Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}

fn number(value: &Value, pointer: &str, file: &Path) -> Result<f64> {
    value
        .pointer(pointer)
        .and_then(Value::as_f64)
        .with_context(|| format!("{} has no number at {pointer}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_number_names_file_and_place() {
        let error = number(&json!({ "a": "1" }), "/a", Path::new("r.json")).unwrap_err().to_string();
        assert_eq!(error, "r.json has no number at /a");
    }
}
