//! Flags of `vbench sweep`.

use std::path::PathBuf;

use clap::Args;

use super::layout::Place;
use super::params::ListStyle;
use crate::cli::Compat;

/// Where results go and what is run, for all sweeps.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Experiment")]
pub struct ExperimentArgs {
    /// Folder in which experiments are kept
    #[arg(long, short, value_name = "DIR", default_value = "results")]
    pub output_dir: PathBuf,
    /// Name of this experiment [default: the time, as 20260101_120000]
    #[arg(long, short, value_name = "NAME")]
    pub experiment_name: Option<String>,
    /// Go on with an experiment: run only what has no results yet. The name may be given here or by -e
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    pub resume: Option<String>,
    /// Print what would be run, and run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Show what the commands print
    #[arg(long)]
    pub show_stdout: bool,
    /// How a list among the parameters becomes words of a command
    #[arg(long, value_enum, value_name = "STYLE", default_value_t)]
    pub list_style: ListStyle,
    /// Whose defaults and rules hold
    #[arg(long, value_enum, value_name = "MODE", default_value_t)]
    pub compat: Compat,
}

impl ExperimentArgs {
    /// The experiment's place.
    pub fn place(&self) -> Place {
        Place {
            output_dir: self.output_dir.clone(),
            name: self.experiment_name.clone(),
            resume: self.resume.clone(),
        }
    }
}

/// When a seed of its own is given to every point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum SeedSalt {
    /// To `vbench serve` commands in which nobody names a seed; never under --compat v0.33.
    #[default]
    Auto,
    /// Always, also on top of a seed that is named.
    On,
    /// Never.
    Off,
}

/// `vbench sweep serve`: servers times benchmarks.
#[derive(Debug, Clone, Args)]
pub struct ServeSweepArgs {
    /// Command that runs the server: `vllm serve …`
    #[arg(long, value_name = "COMMAND", help_heading = "Commands")]
    pub serve_cmd: String,
    /// Command that runs a benchmark: `vbench serve …` runs inside this process, any other as it is
    #[arg(long, value_name = "COMMAND", help_heading = "Commands")]
    pub bench_cmd: String,
    /// Command to run after each benchmark, instead of resetting the server's caches
    #[arg(long, value_name = "COMMAND", help_heading = "Commands")]
    pub after_bench_cmd: Option<String>,
    /// Longest time until the server is ready, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, help_heading = "Commands")]
    pub server_ready_timeout: u32,
    /// Time between asking a server to end and ending it by force, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, help_heading = "Commands")]
    pub server_grace: u32,
    /// JSON file of parameters for the server: a list of objects, or an object of named ones
    #[arg(long, value_name = "FILE", help_heading = "Parameters")]
    pub serve_params: Option<PathBuf>,
    /// JSON file of parameters for the benchmark
    #[arg(long, value_name = "FILE", help_heading = "Parameters")]
    pub bench_params: Option<PathBuf>,
    /// Run only pairs in which these are equal: max_num_seqs=max_concurrency,…
    #[arg(long, value_name = "SERVE=BENCH,…", default_value = "", help_heading = "Parameters")]
    pub link_vars: String,
    /// Runs of each pair
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "Runs", allow_negative_numbers = true)]
    pub num_runs: i64,
    /// Prompts of a run before the others, which is kept but does not count; 0 is none
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Runs", allow_negative_numbers = true)]
    pub warmup_num_prompts: i64,
    /// Note a failed run or server and go on
    #[arg(long, help_heading = "Runs")]
    pub continue_on_error: bool,
    /// Try a failed run again this many times
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Runs")]
    pub retries: u32,
    /// Give every point a seed of its own, so that a prefix cache does not answer it from another point
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, help_heading = "Runs")]
    pub seed_salt: SeedSalt,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment would be the command's help")]
    pub experiment: ExperimentArgs,
}

/// What a sweep of loads varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LoadVariable {
    /// Requests per second.
    #[default]
    #[value(name = "request_rate", alias = "request-rate")]
    RequestRate,
    /// Requests at a time.
    #[value(name = "max_concurrency", alias = "max-concurrency")]
    MaxConcurrency,
}

impl LoadVariable {
    /// The parameter's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::RequestRate => "request_rate",
            Self::MaxConcurrency => "max_concurrency",
        }
    }
}

/// `vbench sweep serve-workload`: loads from one request at a time to all at once.
#[derive(Debug, Clone, Args)]
pub struct WorkloadSweepArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment would be the command's help")]
    pub sweep: ServeSweepArgs,
    /// What is varied
    #[arg(long, value_enum, value_name = "VARIABLE", default_value_t, help_heading = "Workload")]
    pub workload_var: LoadVariable,
    /// How many loads, the lowest and the highest included
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10,
        help_heading = "Workload",
        allow_negative_numbers = true
    )]
    pub workload_iters: i64,
}

/// How the highest load is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum SearchMethod {
    /// The roots of a spline through the margins measured so far, down to one.
    #[default]
    Spline,
    /// Doubling, then halving.
    Bisect,
    /// Upwards, doubling, then in small steps.
    Scan,
    /// Brackets from a cheap run, then interpolation, with repeats near the limit.
    Auto,
}

/// `vbench sweep serve-sla`: the highest load at which criteria are met.
#[derive(Debug, Clone, Args)]
pub struct SlaSweepArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment would be the command's help")]
    pub sweep: ServeSweepArgs,
    /// JSON file of limits: a list of objects such as {"p99_e2el_ms": "<=500"}, each searched by itself
    #[arg(long, value_name = "FILE", help_heading = "SLA", required_unless_present = "sla")]
    pub sla_params: Option<PathBuf>,
    /// Search for this criterion; may be repeated, each searched by itself
    #[arg(long, value_name = "NAME", help_heading = "SLA")]
    pub sla: Vec<String>,
    /// What is varied
    #[arg(long, value_enum, value_name = "VARIABLE", default_value_t, help_heading = "SLA")]
    pub sla_variable: LoadVariable,
    /// How the highest load is looked for
    #[arg(long, value_enum, value_name = "METHOD", default_value_t, help_heading = "SLA")]
    pub search: SearchMethod,
    /// Lowest load to try
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "SLA", value_parser = clap::value_parser!(u32).range(1..))]
    pub sla_min: u32,
    /// Highest load to try, which stands for no limit at all
    #[arg(long, value_name = "N", default_value_t = 65536, help_heading = "SLA", value_parser = clap::value_parser!(u32).range(1..))]
    pub sla_max: u32,
    /// Most runs of one load near the limit (auto)
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "SLA", value_parser = clap::value_parser!(u32).range(1..))]
    pub sla_repeats: u32,
    /// How near, as a share of the load, the highest passing and the lowest failing load have to be (auto, scan)
    #[arg(long, value_name = "SHARE", default_value_t = 0.02, help_heading = "SLA")]
    pub sla_tolerance: f64,
}

/// `vbench sweep startup`: start-up times by parameters.
#[derive(Debug, Clone, Args)]
pub struct StartupSweepArgs {
    /// Command that measures a start-up
    #[arg(long, value_name = "COMMAND", default_value = "vllm bench startup", help_heading = "Commands")]
    pub startup_cmd: String,
    /// JSON file of parameters for the server
    #[arg(long, value_name = "FILE", help_heading = "Parameters")]
    pub serve_params: Option<PathBuf>,
    /// JSON file of parameters for the measurement
    #[arg(long, value_name = "FILE", help_heading = "Parameters")]
    pub startup_params: Option<PathBuf>,
    /// Refuse parameters that the command does not know, instead of leaving them out
    #[arg(long, help_heading = "Parameters")]
    pub strict_params: bool,
    /// Runs of each pair
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Runs", allow_negative_numbers = true)]
    pub num_runs: i64,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment would be the command's help")]
    pub experiment: ExperimentArgs,
}
