//! Figures of the client, taken against the embedded mock server.
//!
//! The server is pinned to one CPU and the client to another, so that they do
//! not take time from each other. What is compared was measured in one
//! session: `vbench` with `oha` (`capacity`), what `vbench` reports with what
//! the server recorded (`accuracy`), the two ways to read a format (`parse`).
//! `start_up`, `sampling` and `datasets` measure what comes before a run. What
//! plugins cost is measured by `vbench` itself (`plugins`).
//!
//! - `capacity`, `accuracy`, `parse`, `start_up`, `sampling`, `datasets`,
//!   `memory`, `sweeps` (their time, and the runs of an SLA search), `plugins`:
//!   the measurements;
//! - `case`, `dataset_cases`: loads, and datasets with their options; `data`:
//!   files of prompts;
//! - `clients`: commands of the clients; `process`: pinned child processes and
//!   what they used;
//! - `stats`, `table`: figures and how they are printed.

mod accuracy;
mod capacity;
mod case;
mod clients;
mod data;
mod dataset_cases;
mod datasets;
mod memory;
mod parse;
mod plugins;
mod process;
mod sampling;
mod start_up;
mod stats;
mod sweeps;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use vbench_synthetic::{CONFIG_FILE, Shape, write_folder};

use crate::mock::Mock;
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

    /// Measure this binary instead of building one.
    #[arg(long, global = true, value_name = "FILE")]
    vbench: Option<PathBuf>,

    /// Only cases whose name contains this; of capacity, accuracy, parse and datasets.
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
    /// CPU to make the prompts of each text dataset.
    Datasets {
        /// Prompts of each; its file has as many rows.
        #[arg(long, default_value_t = PROMPTS)]
        prompts: u64,
        /// Write the figures into docs/reference/sampling-costs.md.
        #[arg(long)]
        document: bool,
    },
    /// Peak memory, against its limits.
    Memory,
    /// Error and runs of the search for the highest load, over seeds (--runs), against bisection's.
    Sla,
    /// Time of a sweep of eight short runs.
    Sweep,
    /// What loading and calling each built-in plugin costs, into docs/reference/plugin-costs.md.
    Plugins,
}

/// Prompts of a dataset unless the user says.
const PROMPTS: u64 = 10_000;

/// What is measured when nothing is named: all but the page on plugins.
const ALL: [BenchCommand; 9] = [
    BenchCommand::Capacity,
    BenchCommand::Accuracy,
    BenchCommand::Parse,
    BenchCommand::StartUp,
    BenchCommand::Sampling,
    BenchCommand::Datasets { prompts: PROMPTS, document: false },
    BenchCommand::Memory,
    BenchCommand::Sla,
    BenchCommand::Sweep,
];

impl BenchCommand {
    /// Whether it knows cases by name.
    fn has_cases(self) -> bool {
        matches!(self, Self::Capacity | Self::Accuracy | Self::Parse | Self::Datasets { .. })
    }
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
        if !dir.join(CONFIG_FILE).is_file() {
            fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
            write_folder(&dir, Shape::LARGE)
                .with_context(|| format!("cannot write into {}", dir.display()))?;
        }
        Ok(dir)
    }

    /// A mock server on its CPU, which writes down what it did if there is a log.
    fn mock(&self, ttft_ms: u32, itl_ms: u32, log: Option<&Path>) -> Result<Mock> {
        let (ttft_ms, itl_ms) = (ttft_ms.to_string(), itl_ms.to_string());
        let mut command = Mock::command(&self.vbench, clients::MODEL, &ttft_ms, &itl_ms);
        if let Some(log) = log {
            command.arg("--log").arg(log);
        }
        process::on_cpu(self.server_cpu, || Mock::start(&mut command))
    }
}

/// Builds `vbench` in the release profile and measures; all things unless one is named.
///
/// # Errors
/// Something does not build or run, or requests failed.
pub fn run(workspace: &Workspace, args: &BenchArgs) -> Result<()> {
    if args.command != Some(BenchCommand::Plugins) {
        for cpu in [args.server_cpu, args.client_cpu] {
            process::require_cpu(cpu)?;
        }
        if args.server_cpu == args.client_cpu {
            bail!("server and client need a CPU each, not both {}", args.server_cpu);
        }
    }
    if args.only.is_some() && !args.command.is_some_and(BenchCommand::has_cases) {
        bail!("--only chooses cases of capacity, accuracy, parse or datasets; name one of them");
    }
    let dir = workspace.target().join("bench");
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let setting = Setting {
        vbench: match &args.vbench {
            // Whatever folder it is started in.
            Some(file) => {
                fs::canonicalize(file).with_context(|| format!("there is no {}", file.display()))?
            }
            None => workspace.build_release()?,
        },
        tokenizer: workspace.tokenizer(),
        dir,
        server_cpu: args.server_cpu,
        client_cpu: args.client_cpu,
        runs: args.runs,
    };
    let only = args.only.as_deref().unwrap_or_default();
    for command in args.command.map_or_else(|| ALL.to_vec(), |command| vec![command]) {
        let (name, figures) = match command {
            BenchCommand::Capacity => {
                let oha = clients::install_oha(workspace)?;
                ("capacity", capacity::measure(&setting, &oha, only)?)
            }
            BenchCommand::Accuracy => ("accuracy", accuracy::measure(&setting, only)?),
            BenchCommand::Parse => ("parse", parse::measure(&setting, only)?),
            BenchCommand::StartUp => ("start-up", start_up::measure(&setting)?),
            BenchCommand::Sampling => ("sampling", sampling::measure(&setting)?),
            BenchCommand::Datasets { prompts, document } => {
                if document && !only.is_empty() {
                    bail!("--document writes down all datasets, not only those that --only chooses");
                }
                let figures = datasets::measure_all(&setting, only, prompts)?;
                if document {
                    datasets::document(workspace, prompts, &figures)?;
                }
                ("datasets", figures.into_iter().map(|figure| figure.json).collect())
            }
            BenchCommand::Memory => ("memory", memory::measure_all(&setting)?),
            BenchCommand::Sla => ("sla", sweeps::search(&setting)?),
            BenchCommand::Sweep => ("sweep", sweeps::short_runs(&setting)?),
            BenchCommand::Plugins => {
                plugins::document(workspace, &setting)?;
                continue;
            }
        };
        report(&setting, name, figures)?;
    }
    Ok(())
}

/// Those whose name contains `only`.
fn chosen<'c, T>(cases: &'c [T], name: impl Fn(&T) -> &str, only: &str) -> Result<Vec<&'c T>> {
    let chosen: Vec<&T> = cases.iter().filter(|case| name(case).contains(only)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = cases.iter().map(name).collect();
        bail!("no case is named like {only:?}; there are {}", names.join(", "));
    }
    Ok(chosen)
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
    fn cases_are_chosen_by_name() {
        let cases = ["paced-1", "paced-1024", "zero-delay"];
        assert_eq!(chosen(&cases, |name| name, "").unwrap().len(), 3);
        assert_eq!(chosen(&cases, |name| name, "1024").unwrap(), [&"paced-1024"]);
        assert!(chosen(&cases, |name| name, "x").unwrap_err().to_string().contains("paced-1024, zero-delay"));
    }

    #[test]
    fn a_missing_number_names_file_and_place() {
        let error = number(&json!({ "a": "1" }), "/a", Path::new("r.json")).unwrap_err().to_string();
        assert_eq!(error, "r.json has no number at /a");
    }
}
