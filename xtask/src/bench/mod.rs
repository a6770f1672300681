//! Figures of the client, taken against the embedded mock server.
//!
//! The server is pinned to one CPU and the client to another, so that they do
//! not take time from each other. What is compared was measured in one
//! session: `vbench` with `oha` (`capacity`), what `vbench` reports with what
//! the server recorded (`accuracy`).
//!
//! - `case`: loads; `clients`: commands of the clients; `process`: pinned
//!   child processes and what they used; `capacity`, `accuracy`, `memory`,
//!   `sampling`: the measurements; `data`: files of prompts for them; `stats`, `table`: figures and how they are printed.

mod accuracy;
mod capacity;
mod case;
mod clients;
mod data;
mod memory;
mod process;
mod sampling;
mod stats;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

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

#[derive(Debug, Clone, Copy, clap::Subcommand)]
enum BenchCommand {
    /// CPU of the client per event, and that of oha.
    Capacity,
    /// Reported TTFT and ITL against the server's record.
    Accuracy,
    /// Peak memory, against its limits.
    Memory,
    /// CPU to make the prompts of each text dataset.
    Sampling {
        /// Prompts to make.
        #[arg(long, default_value_t = 10_000)]
        prompts: u64,
    },
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

/// Builds `vbench` in the release profile and measures: what is named, else capacity and accuracy.
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
    match args.command {
        Some(BenchCommand::Memory) => return report(&setting, "memory", memory::measure_all(&setting)?),
        Some(BenchCommand::Sampling { prompts }) => {
            let figures = sampling::measure_all(workspace, &setting, only, prompts)?;
            return report(&setting, "sampling", figures);
        }
        _ => {}
    }
    if !matches!(args.command, Some(BenchCommand::Accuracy)) {
        let oha = clients::install_oha(workspace)?;
        let figures = capacity::measure(&setting, &oha, &case::chosen(&case::CAPACITY, only)?)?;
        report(&setting, "capacity", figures)?;
    }
    if !matches!(args.command, Some(BenchCommand::Capacity)) {
        let figures = accuracy::measure(&setting, &case::chosen(&case::ACCURACY, only)?)?;
        report(&setting, "accuracy", figures)?;
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
