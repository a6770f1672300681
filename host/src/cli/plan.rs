//! What a command line asks for, with every default resolved: plain data for
//! the run, without a trace of the parser.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::compat::Compat;
use super::namespace::Namespace;
use crate::plot::ItlThresholds;
use crate::schedule::{LoraAssignment, RampUp};

/// A resolved `vbench serve`.
#[derive(Debug, Clone)]
pub struct ServePlan {
    /// Whose rules hold.
    pub compat: Compat,
    /// Where requests go.
    pub target: TargetPlan,
    /// `--model`; none means the first that the server lists.
    pub model: Option<String>,
    /// `--served-model-name`: the name in requests.
    pub served_model_name: Option<String>,
    /// How text is counted and made.
    pub tokenizer: TokenizerPlan,
    /// Seeds datasets, arrival gaps and adapter choices.
    pub seed: u32,
    /// How many requests; some datasets read 0 and less as all rows.
    pub num_prompts: i64,
    /// What is asked.
    pub dataset: DatasetPlan,
    /// Texts go out as token ids.
    pub prompt_token_ids: bool,
    /// How it is written and read.
    pub backend: BackendPlan,
    /// When requests go out.
    pub load: LoadPlan,
    /// What is printed, computed and written.
    pub results: ResultPlan,
    /// Criteria, in the order in which they were named.
    pub sla: Vec<SlaPlan>,
    /// Lines for the user about the command line itself.
    pub warnings: Vec<String>,
    /// Send nothing; show what would be sent.
    pub dry_run: bool,
    /// All arguments as the reference client lists them.
    pub namespace: Namespace,
}

/// Where requests go.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetPlan {
    /// Scheme, host and port, and a path if the user gave one. The backend's
    /// path is appended as it is; no slash is added or removed. With
    /// [`Self::mock`] it is the address of the default, to be replaced.
    pub base_url: String,
    /// Answer from the embedded mock server instead.
    pub mock: bool,
    /// Headers of every request, in order, the last of each name.
    pub headers: Vec<(String, String)>,
    /// The header that carries the session of a sample.
    pub session_header: Option<String>,
    /// Do not verify certificates.
    pub insecure: bool,
    /// Speak HTTP/2 in the measured run.
    pub http2: bool,
    /// Longest time for one request, in seconds.
    pub request_timeout_s: f64,
    /// Threads that carry requests; none means that the engine chooses.
    pub io_threads: Option<u16>,
}

/// How text is counted and made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizerPlan {
    /// `--tokenizer`; none means the model's id.
    pub name: Option<String>,
    /// `--tokenizer-mode`.
    pub mode: String,
    /// Do without a tokenizer.
    pub skip: bool,
    /// `--trust-remote-code`.
    pub trust_remote_code: bool,
}

/// A file that the user named in an option, and that the plugin may thus read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathGrant {
    /// Key in the config.
    pub config_key: String,
    /// The file, as the user wrote it.
    pub path: PathBuf,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetPlan {
    /// The name, or alias, that the user wrote.
    pub name: String,
    /// The plugin that offers it.
    pub plugin: String,
    /// JSON object of all options, checked against the schema.
    pub config: Value,
    /// The flag of each option, by its key in the config, without dashes.
    pub flags: BTreeMap<String, String>,
    /// Files that the plugin may read.
    pub grants: Vec<PathGrant>,
    /// Folders that media may come from, beside those of these files.
    pub media_folders: Vec<PathBuf>,
}

/// How requests are written and read.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendPlan {
    /// The name, or alias, that the user wrote.
    pub name: String,
    /// The plugin that offers it.
    pub plugin: String,
    /// JSON object of all options, checked against the schema.
    pub config: Value,
    /// The flag of each option, by its key in the config, without dashes; with
    /// the file behind it, where the option is a file's content.
    pub flags: BTreeMap<String, String>,
    /// Path of requests; none means the backend's usual one.
    pub endpoint: Option<String>,
    /// Sampling parameters in the order in which they are sent.
    pub sampling: Map<String, Value>,
    /// What to tell the user about the temperature: under v0.33 the run prints
    /// this line to standard output after sampling, as the reference client does.
    pub temperature_notice: Option<&'static str>,
    /// `--extra-body`.
    pub extra_body: Map<String, Value>,
    /// `--ignore-eos` as given. Some datasets force it on later.
    pub ignore_eos: bool,
    /// `--logprobs`.
    pub logprobs: Option<i64>,
    /// Adapters to choose from.
    pub lora: Option<LoraPlan>,
}

/// Adapters to choose from, one for each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoraPlan {
    /// Names; at least one.
    pub modules: Vec<String>,
    /// How they are assigned.
    pub assignment: LoraAssignment,
}

/// When requests go out.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadPlan {
    /// Requests per second; infinite means all at once. Above 0, but for v0.33,
    /// where it is the schedule that refuses it, as in the reference client.
    /// The same goes for the burstiness and for a ramp that begins at 0.
    pub request_rate: f64,
    /// Shape of the gamma distribution of arrival gaps; 1 is a Poisson
    /// process, infinite means constant gaps.
    pub burstiness: f64,
    /// Rates from and to which the load rises.
    pub ramp_up: Option<RampUp>,
    /// Whether the dataset's own arrival times hold; none means that they do
    /// if it has any.
    pub self_timed: Option<bool>,
    /// Probes a second, as far as each is answered at once; above 0.
    pub probe_rps: Option<f64>,
    /// Most requests at a time; at least 1.
    pub max_concurrency: Option<u32>,
    /// Requests sent, and thrown away, before the measured ones.
    pub num_warmups: u32,
    /// How long to wait for the server to answer a test request, in seconds; 0
    /// means that none is sent.
    pub ready_check_timeout_s: u32,
    /// Start and stop the server's profiler around the run.
    pub profile: bool,
    /// Request ids are this and a number.
    pub request_id_prefix: String,
    /// Largest share of failed requests, 0 to 1, with which the command still
    /// succeeds; none means any.
    pub max_error_rate: Option<f64>,
}

/// What is printed, computed and written.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultPlan {
    /// Show progress.
    pub progress: bool,
    /// First part of the file name instead of the backend's.
    pub label: Option<String>,
    /// Write a result file.
    pub save: bool,
    /// With what happened to each request.
    pub detailed: bool,
    /// Add to the result file instead of replacing it; implies writing it.
    pub append: bool,
    /// `KEY=VALUE` pairs for the result file, in order.
    pub metadata: Vec<(String, String)>,
    /// Why the metadata is no good. The reference client finds out only when it
    /// writes the result, and so must the run under v0.33, the only mode in
    /// which this is ever set.
    pub late_metadata_error: Option<&'static str>,
    /// Folder for files.
    pub dir: Option<PathBuf>,
    /// Name of the result file.
    pub filename: Option<String>,
    /// Metrics that get statistics; none means those usual for the task.
    /// Unknown names are kept and mean nothing.
    pub percentile_metrics: Option<Vec<String>>,
    /// Percentiles, 0 to 100, in the order given.
    pub percentiles: Vec<f64>,
    /// File for histograms of all latencies.
    pub histogram_log: Option<PathBuf>,
    /// File for one JSON line a request.
    pub save_requests: Option<PathBuf>,
    /// Draw the timeline, with these thresholds for its colours.
    pub timeline: Option<ItlThresholds>,
    /// Draw the lengths of prompts and answers.
    pub dataset_stats: bool,
}

/// A criterion.
#[derive(Debug, Clone, PartialEq)]
pub struct SlaPlan {
    /// The name that the user wrote, or the offer's own.
    pub name: String,
    /// The plugin that offers it.
    pub plugin: String,
    /// JSON object of all options, checked against the schema.
    pub config: Value,
    /// The flag of each option, by its key in the config, without dashes.
    pub flags: BTreeMap<String, String>,
    /// Named with `--sla`, so that missing it fails the command; otherwise one
    /// of its options was given, and it only marks requests as good.
    pub named: bool,
}
