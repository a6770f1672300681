//! `vbench latency` and `vbench throughput`: the commands that vLLM runs inside
//! its engine, here over HTTP.
//!
//! Each has flags of its own and takes those of `serve` that make sense for it;
//! the others are refused. What belongs to the engine is the server's to set.

use std::path::PathBuf;

use clap::{Args, Command};

use super::argv::{self, Normalised, Piece};
use super::compat::Compat;
use super::error::CliError;
use super::help;
use super::offers::OfferSpec;
use super::plan::ServePlan;
use super::serve::{self, Outcome, flag_table};
use super::serve_args::{DatasetArgs, ModelArgs, SamplingArgs, TargetArgs};

/// A resolved `vbench latency`.
#[derive(Debug, Clone)]
pub struct LatencyPlan {
    /// Where requests go and how they are written; what it says of prompts and
    /// load does not count.
    pub serve: ServePlan,
    /// The command's own options.
    pub options: LatencyOptions,
}

/// Options of `latency`, with the names and defaults of the reference client.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Latency")]
pub struct LatencyOptions {
    /// Tokens of a prompt
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    pub input_len: u32,
    /// Tokens of an answer
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    pub output_len: u32,
    /// Requests sent together
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub batch_size: u32,
    /// Answers to each prompt
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub n: u32,
    /// Ask the server for beam search, --n wide. Given by the flag of `serve`,
    /// which has no effect there.
    #[arg(skip)]
    pub use_beam_search: bool,
    /// Batches before the measured ones
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub num_iters_warmup: u32,
    /// Measured batches
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_iters: u32,
    /// Have the server profile one batch instead of measuring
    #[arg(long)]
    pub profile: bool,
    /// Write the result to this file
    #[arg(long, value_name = "FILE")]
    pub output_json: Option<PathBuf>,
}

/// A resolved `vbench throughput`.
#[derive(Debug, Clone)]
pub struct ThroughputPlan {
    /// What is sent, where and how; all at once.
    pub serve: ServePlan,
    /// The command's own options.
    pub options: ThroughputOptions,
}

/// Options of `throughput`, with the names and defaults of the reference client.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Throughput")]
pub struct ThroughputOptions {
    /// Answers to each prompt
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub n: u32,
    /// Requests sent before the measured ones
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub num_warmups: u32,
    /// Start and stop the server's profiler around the run
    #[arg(long)]
    pub profile: bool,
    /// Write the result to this file
    #[arg(long, value_name = "FILE")]
    pub output_json: Option<PathBuf>,
}

/// What the words after the command's name come to.
#[derive(Debug)]
pub(super) enum Read<P> {
    Plan(Box<P>),
    Help(String),
}

/// Flags of the reference client's commands that concern the engine in its own process.
const ENGINE_FLAGS: [&str; 6] = [
    "disable-detokenize",
    "async-engine",
    "hf-max-batch-size",
    "hf-enable-torch-compile",
    "prequeue-requests",
    "lora-path",
];

/// Flags of `serve` that both commands take beside those of its groups.
const FURTHER: [&str; 5] = ["seed", "disable-tqdm", "ready-check-timeout-sec", "io-threads", "compat"];

const ABOUT_ENGINE: &str = "What belongs to the engine (its model, parallelism, memory, detokenisation) is set \
     where the server is started: this command measures over HTTP, so its times include the server's.";

/// The command `latency` as help and completion scripts show it.
pub(super) fn latency_command() -> Command {
    let own = LatencyOptions::augment_args(Command::new("latency"));
    SamplingArgs::augment_args(TargetArgs::augment_args(own))
        .bin_name("vbench latency")
        .about("Time batches of a fixed size from first byte sent to last answer complete")
        .after_help(ABOUT_ENGINE)
}

/// The command `throughput` as help and completion scripts show it.
pub(super) fn throughput_command() -> Command {
    let own = ThroughputOptions::augment_args(Command::new("throughput"));
    let groups = ModelArgs::augment_args(TargetArgs::augment_args(own));
    SamplingArgs::augment_args(DatasetArgs::augment_args(groups))
        .bin_name("vbench throughput")
        .about("Send all requests of a dataset at once and time the whole")
        .after_help(format!(
            "Options of datasets and backends are those of `vbench serve` (see its --help).\n{ABOUT_ENGINE}"
        ))
}

/// Reads the words after `latency`.
pub(super) fn latency(words: &[String], offers: &[OfferSpec]) -> Result<Read<LatencyPlan>, CliError> {
    if let Some(query) = help::query(words) {
        return help::render(latency_command(), query).map(Read::Help);
    }
    let taken = |flag: &str| {
        let model = ["model", "served-model-name"].contains(&flag);
        model || has::<TargetArgs>(flag) || (has::<SamplingArgs>(flag) && flag != "logprobs")
    };
    let (mut options, mut rest) = split::<LatencyOptions>("latency", words, offers, taken)?;
    let given = rest.len();
    rest.retain(|word| word != "--use-beam-search");
    options.use_beam_search = rest.len() < given;
    // Prompts are token ids, as in the reference client.
    rest.extend(["--skip-tokenizer-init", "--ignore-eos"].map(str::to_owned));
    let mut serve = serve_plan(rest, offers)?;
    add_choices(&mut serve, options.n);
    if options.use_beam_search {
        serve.backend.extra_body.insert("use_beam_search".to_owned(), true.into());
    }
    Ok(Read::Plan(Box::new(LatencyPlan { serve, options })))
}

/// Reads the words after `throughput`.
pub(super) fn throughput(words: &[String], offers: &[OfferSpec]) -> Result<Read<ThroughputPlan>, CliError> {
    if let Some(query) = help::query(words) {
        return help::render(throughput_command(), query).map(Read::Help);
    }
    let taken = |flag: &str| {
        has::<TargetArgs>(flag)
            || has::<ModelArgs>(flag)
            || has::<DatasetArgs>(flag)
            || has::<SamplingArgs>(flag)
            // Options of plugins.
            || !serve::is_host_flag(flag)
    };
    let (options, mut rest) = split::<ThroughputOptions>("throughput", words, offers, taken)?;
    let given = |flag: &str| argv::scan(&rest, flag).is_some();
    // ShareGPT where there is a file, as in the reference client.
    if given("dataset-path") && !given("dataset-name") {
        rest.push("--dataset-name=sharegpt".to_owned());
    }
    rest.push("--ignore-eos".to_owned());
    rest.push(format!("--num-warmups={}", options.num_warmups));
    let mut serve = serve_plan(rest, offers)?;
    add_choices(&mut serve, options.n);
    Ok(Read::Plan(Box::new(ThroughputPlan { serve, options })))
}

/// Whether a group of flags has this one.
fn has<A: Args>(flag: &str) -> bool {
    // Not built, since flags may refer to those of other groups.
    A::augment_args(Command::new("group")).get_arguments().any(|arg| arg.get_long() == Some(flag))
}

fn add_choices(serve: &mut ServePlan, n: u32) {
    if n > 1 {
        serve.backend.extra_body.insert("n".to_owned(), n.into());
    }
}

/// The plan of `serve` for these words, with a temperature of 1 unless they have one.
fn serve_plan(mut words: Vec<String>, offers: &[OfferSpec]) -> Result<ServePlan, CliError> {
    if argv::scan(&words, "temperature").is_none() {
        words.push("--temperature=1".to_owned());
    }
    match serve::read(&words, None, offers)? {
        Outcome::Plan(plan) => Ok(*plan),
        Outcome::Help(_) => Err(CliError::Usage("help was asked for in an odd place".to_owned())),
    }
}

/// Parts words into the command's own options and words for `serve`.
fn split<O: Args>(
    name: &'static str,
    words: &[String],
    offers: &[OfferSpec],
    taken: impl Fn(&str) -> bool,
) -> Result<(O, Vec<String>), CliError> {
    let own = || O::augment_args(Command::new(name));
    let own_table = flag_table(own().disable_help_flag(true), &[]);
    let mut table = serve::all_flags(offers)?;
    table.extend(own_table.clone());
    let given = argv::normalise(words, &table, Compat::Vbench)?;
    let (mut own_pieces, mut rest) = (Vec::new(), Vec::new());
    for piece in given.pieces {
        match &piece {
            Piece::Flag { name: flag, .. } if own_table.contains(flag) => own_pieces.push(piece),
            Piece::Flag { name: flag, .. } if taken(flag) || FURTHER.contains(&flag.as_str()) => {
                rest.push(piece)
            }
            Piece::Flag { name: flag, .. } => {
                return Err(CliError::Usage(format!(
                    "`--{flag}` has no meaning for `vbench {name}`: it is an option of `vbench serve`"
                )));
            }
            Piece::Word(word) => {
                let flag = argv::split_flag(word).map(|(flag, _)| flag).unwrap_or_default();
                if ENGINE_FLAGS.contains(&flag.as_str()) {
                    return Err(CliError::Usage(format!(
                        "`--{flag}` concerns vLLM's engine in the process of the benchmark, which a client of \
                         a server cannot reach: start the server with what corresponds to it"
                    )));
                }
                own_pieces.push(piece);
            }
        }
    }
    let words_of = |pieces| Normalised { pieces, duplicates: Vec::new() }.words();
    let options = own()
        .bin_name(format!("vbench {name}"))
        .no_binary_name(true)
        .try_get_matches_from(words_of(own_pieces))
        .and_then(|matches| O::from_arg_matches(&matches))
        .map_err(|error| CliError::parser(&error))?;
    Ok((options, words_of(rest)))
}
