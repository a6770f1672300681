//! Flags of `serve` that the host itself understands.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::compat::Compat;
use crate::schedule::{LoraAssignment, RampUpStrategy};

/// All of them.
#[derive(Debug, Clone, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    #[command(flatten)]
    pub(super) dataset: DatasetArgs,
    #[command(flatten)]
    pub(super) load: LoadArgs,
    #[command(flatten)]
    pub(super) sampling: SamplingArgs,
    #[command(flatten)]
    pub(super) result: ResultArgs,
    #[command(flatten)]
    pub(super) general: GeneralArgs,
}

/// Where requests go.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Target")]
pub(super) struct TargetArgs {
    /// Request format of the server
    #[arg(long, value_name = "NAME", default_value = "openai")]
    pub(super) backend: String,
    /// Server, as http://HOST:PORT, in place of --host and --port; the endpoint is appended as it is
    #[arg(long, value_name = "URL")]
    pub(super) base_url: Option<String>,
    /// Host of the server
    #[arg(long, default_value = "127.0.0.1")]
    pub(super) host: String,
    /// Port of the server
    #[arg(long, default_value_t = 8000)]
    pub(super) port: u16,
    /// Path of requests [default: the backend's own; /v1/completions under --compat v0.33]
    #[arg(long, value_name = "PATH")]
    pub(super) endpoint: Option<String>,
    /// Headers of every request
    #[arg(long, value_name = "KEY=VALUE", num_args = 0..)]
    pub(super) header: Option<Vec<String>>,
    /// Do not verify TLS certificates
    #[arg(long)]
    pub(super) insecure: bool,
    /// Speak HTTP/2 to the server; many requests then share a connection
    #[arg(long)]
    pub(super) http2: bool,
    /// Longest time for one request, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 21600.0)]
    pub(super) request_timeout_sec: f64,
    /// Measure against the embedded mock server instead of a real one
    #[arg(long, conflicts_with = "base_url")]
    pub(super) mock: bool,
}

/// Model, tokenizer, adapters.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Model")]
pub(super) struct ModelArgs {
    /// Name of the model [default: the first that the server lists]
    #[arg(long)]
    pub(super) model: Option<String>,
    /// Name of the model in requests, where the server knows it by another one
    #[arg(long, value_name = "NAME")]
    pub(super) served_model_name: Option<String>,
    /// Name or folder of the tokenizer [default: the model's]
    #[arg(long, value_name = "NAME")]
    pub(super) tokenizer: Option<String>,
    /// Kind of tokenizer: auto, hf, mistral, …
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub(super) tokenizer_mode: String,
    /// Do without a tokenizer, and without all metrics that need one
    #[arg(long)]
    pub(super) skip_tokenizer_init: bool,
    /// Accepted for compatibility: vbench never runs code that comes with a model
    #[arg(long)]
    pub(super) trust_remote_code: bool,
    /// Adapters to choose from, one for each request
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(super) lora_modules: Option<Vec<String>>,
    /// How adapters are assigned to requests
    #[arg(long, value_name = "HOW", default_value = "random", value_parser = lora_assignment())]
    pub(super) lora_assignment: LoraAssignment,
}

/// What is asked.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Dataset")]
pub(super) struct DatasetArgs {
    /// What is asked; `--dataset-name NAME --help` lists the options of one
    #[arg(long, value_name = "NAME", default_value = "random")]
    pub(super) dataset_name: String,
    /// How many requests; some datasets read 0 and less as all rows
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(super) num_prompts: i64,
    /// Seed of prompts, arrival gaps and adapter choices
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u32,
    /// First part of request ids [default: bench-<8 hex digits>-]
    #[arg(long, value_name = "PREFIX")]
    pub(super) request_id_prefix: Option<String>,
    /// Send the session of a sample, where it has one, as this header
    #[arg(long, value_name = "NAME")]
    pub(super) session_header: Option<String>,
    /// Folder whose images and sounds a dataset may send, beside that of its own file; may be repeated
    #[arg(long, value_name = "DIR")]
    pub(super) allowed_local_media_path: Vec<PathBuf>,

    /// Send prompts as the token ids that the benchmark's tokenizer makes of them, special ones included (completions only)
    #[arg(long, conflicts_with = "skip_tokenizer_init")]
    pub(super) prompt_token_ids: bool,
}

/// When requests go out.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Load")]
pub(super) struct LoadArgs {
    /// Requests per second; inf sends all at once
    #[arg(long, value_name = "RPS", default_value_t = f64::INFINITY)]
    pub(super) request_rate: f64,
    /// Shape of arrival gaps: 1 is a Poisson process, less is burstier, more is evener, inf is constant
    #[arg(long, value_name = "SHAPE", default_value_t = 1.0)]
    pub(super) burstiness: f64,
    /// Most requests at a time
    #[arg(long, value_name = "N")]
    pub(super) max_concurrency: Option<i64>,
    /// Send requests when the dataset says so [default with a dataset that has times of its own, such as timed_trace]
    #[arg(long, overrides_with = "no_self_timed")]
    pub(super) self_timed: bool,
    /// Send requests by --request-rate, whatever times the dataset has
    #[arg(long, overrides_with = "self_timed")]
    pub(super) no_self_timed: bool,
    /// Beside the load, send small probes one after the other with pauses of 1/RPS seconds, outside --max-concurrency; 0 sends none
    #[arg(long, value_name = "RPS", default_value_t = 0.0)]
    pub(super) probe_request_rate: f64,
    /// Let the rate rise from --ramp-up-start-rps to --ramp-up-end-rps
    #[arg(long, value_name = "HOW", value_parser = ramp_up_strategy())]
    pub(super) ramp_up_strategy: Option<RampUpStrategy>,
    /// First rate of the ramp
    #[arg(long, value_name = "RPS")]
    pub(super) ramp_up_start_rps: Option<i64>,
    /// Last rate of the ramp
    #[arg(long, value_name = "RPS")]
    pub(super) ramp_up_end_rps: Option<i64>,
    /// Requests sent before the measured ones
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) num_warmups: u32,
    /// How long to wait for the server to answer a test request; 0 sends none [default: 600; 0 under --compat v0.33]
    #[arg(long, value_name = "SECONDS")]
    pub(super) ready_check_timeout_sec: Option<u32>,
    /// Start and stop the server's profiler around the run
    #[arg(long)]
    pub(super) profile: bool,
    /// Threads that carry requests [default: chosen for the machine]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) io_threads: Option<u16>,
    /// Fail the command if any request fails
    #[arg(long, conflicts_with = "max_error_rate")]
    pub(super) fail_on_errors: bool,
    /// Fail the command if more than this share of requests fails, 0 to 1
    #[arg(long, value_name = "SHARE")]
    pub(super) max_error_rate: Option<f64>,
}

/// What requests ask of the model.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sampling")]
pub(super) struct SamplingArgs {
    /// Sample from the likeliest tokens that make up this share
    #[arg(long, value_name = "P")]
    pub(super) top_p: Option<f64>,
    /// Sample from this many likeliest tokens; -1 from all
    #[arg(long, value_name = "K")]
    pub(super) top_k: Option<i64>,
    /// Leave out tokens below this share of the likeliest one's probability
    #[arg(long, value_name = "P")]
    pub(super) min_p: Option<f64>,
    /// Randomness of sampling; 0 is greedy [default: 0; not sent under --compat v0.33]
    #[arg(long, value_name = "T")]
    pub(super) temperature: Option<f64>,
    /// Penalty on tokens by how often they came before
    #[arg(long, value_name = "PENALTY")]
    pub(super) frequency_penalty: Option<f64>,
    /// Penalty on tokens that came before
    #[arg(long, value_name = "PENALTY")]
    pub(super) presence_penalty: Option<f64>,
    /// Factor against tokens that came before; 1 is none
    #[arg(long, value_name = "PENALTY")]
    pub(super) repetition_penalty: Option<f64>,
    /// Ask for this many log-probabilities a token (completions only)
    #[arg(long, value_name = "N")]
    pub(super) logprobs: Option<i64>,
    /// Ask the server to go on after an end-of-text token
    #[arg(long)]
    pub(super) ignore_eos: bool,
    /// Accepted for compatibility: has no effect on requests, as in the reference client
    #[arg(long)]
    pub(super) use_beam_search: bool,
    /// JSON object merged into every request; also dotted, as --extra-body.a.b 1
    #[arg(long, value_name = "JSON")]
    pub(super) extra_body: Option<String>,
}

/// What is printed, computed and written.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Results")]
pub(super) struct ResultArgs {
    /// First part of the result file's name, in place of the backend's
    #[arg(long)]
    pub(super) label: Option<String>,
    /// Write a result file
    #[arg(long)]
    pub(super) save_result: bool,
    /// With what happened to each request
    #[arg(long)]
    pub(super) save_detailed: bool,
    /// Add to the result file instead of replacing it
    #[arg(long)]
    pub(super) append_result: bool,
    /// Pairs for the result file
    #[arg(long, value_name = "KEY=VALUE", num_args = 0..)]
    pub(super) metadata: Option<Vec<String>>,
    /// Folder for result files; made if it does not exist
    #[arg(long, value_name = "DIR")]
    pub(super) result_dir: Option<PathBuf>,
    /// Name of the result file
    #[arg(long, value_name = "FILE")]
    pub(super) result_filename: Option<String>,
    /// Metrics that get statistics: ttft, tpot, itl, e2el, client_queue_time,
    /// e2el_including_client_queue [default: ttft,tpot,itl; e2el for pooling]
    #[arg(long, value_name = "NAME,…")]
    pub(super) percentile_metrics: Option<String>,
    /// Percentiles of these metrics
    #[arg(long, value_name = "P,…", default_value = "99")]
    pub(super) metric_percentiles: String,
    /// Write histograms of all latencies to this file
    #[arg(long, value_name = "FILE")]
    pub(super) histogram_log: Option<PathBuf>,
    /// Write one JSON line a request to this file
    #[arg(long, value_name = "FILE")]
    pub(super) save_requests: Option<PathBuf>,
    /// Draw when each request waited and when its tokens came: a page beside the result file
    #[arg(long)]
    pub(super) plot_timeline: bool,
    /// Gaps between tokens, in ms, at which the timeline's colours change [default: 25,50]
    #[arg(long, value_name = "MS,MS")]
    pub(super) timeline_itl_thresholds: Option<String>,
    /// Draw the lengths of prompts and answers: a picture beside the result file
    #[arg(long)]
    pub(super) plot_dataset_stats: bool,
    /// Show no progress
    #[arg(long)]
    pub(super) disable_tqdm: bool,
    /// Fail the command unless this criterion is met; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(super) sla: Vec<String>,
}

/// About the command line itself.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "General")]
pub(super) struct GeneralArgs {
    /// Whose defaults and rules hold
    #[arg(long, value_enum, value_name = "MODE", default_value_t)]
    pub(super) compat: Compat,
    /// Send nothing: show the first requests as they would go out, the lengths of all, and when they would go
    #[arg(long)]
    pub(super) dry_run: bool,
}

fn lora_assignment() -> impl TypedValueParser<Value = LoraAssignment> {
    PossibleValuesParser::new(["random", "round-robin"]).map(|name| match name.as_str() {
        "round-robin" => LoraAssignment::RoundRobin,
        _ => LoraAssignment::Random,
    })
}

fn ramp_up_strategy() -> impl TypedValueParser<Value = RampUpStrategy> {
    PossibleValuesParser::new(["linear", "exponential"]).map(|name| match name.as_str() {
        "exponential" => RampUpStrategy::Exponential,
        _ => RampUpStrategy::Linear,
    })
}
