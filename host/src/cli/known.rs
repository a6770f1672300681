//! Every flag of vLLM 0.33's `bench serve`, in the order of its `Namespace`.
//!
//! The list says who owns a flag here and what it defaults to there. It serves
//! three ends: a flag of the reference client that vbench does not have yet is
//! refused by name rather than as a spelling mistake; abbreviations mean what
//! they mean there; and the arguments can be printed and exported in its order.

/// Who gives a flag its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The host.
    Host,
    /// A plugin that declares it in its schema.
    Plugin,
}

/// How the reference client reads a flag's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No word: present or not.
    Switch,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// One word as it is.
    Text,
    /// One word of JSON.
    Json,
    /// Any number of words.
    Words,
}

/// A default value of the reference client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Literal {
    /// Unset.
    None,
    /// A switch that is off.
    False,
    /// A whole number.
    Int(i64),
    /// A number; may be infinite.
    Float(f64),
    /// A text.
    Text(&'static str),
    /// An object, whose keys need not be texts in Python.
    Object {
        /// As Python writes it.
        python: &'static str,
        /// As the PyTorch export writes it.
        json: &'static str,
    },
}

/// A flag of the reference client.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Name in the `Namespace`: the flag's, with `_`.
    pub dest: &'static str,
    /// Who gives it its meaning.
    pub owner: Owner,
    /// How its words are read.
    pub kind: Kind,
    /// What it is when not given.
    pub default: Literal,
}

impl Known {
    /// The flag without its dashes: `num-prompts`.
    pub fn flag(&self) -> String {
        self.dest.replace('_', "-")
    }
}

/// The flag with this name (no dashes in front, `-` within).
pub fn find(flag: &str) -> Option<&'static Known> {
    let name = if flag == "no-self-timed" { "self-timed" } else { flag };
    SERVE.iter().find(|known| {
        known.dest.len() == name.len()
            && known.dest.bytes().zip(name.bytes()).all(|(d, f)| d == f || (d == b'_' && f == b'-'))
    })
}

/// Names of the datasets of the reference client (`sonnet` of older ones).
pub const DATASETS: &[&str] = &[
    "sharegpt",
    "burstgpt",
    "random",
    "random-mm",
    "random-rerank",
    "hf",
    "custom",
    "custom_audio",
    "custom_image",
    "prefix_repetition",
    "spec_bench",
    "speed_bench",
    "timed_trace",
    "sonnet",
];

/// Names of the backends of the reference client.
pub const BACKENDS: &[&str] = &[
    "vllm",
    "openai",
    "openai-chat",
    "openai-responses",
    "openai-audio",
    "openai-embeddings",
    "openai-embeddings-chat",
    "openai-embeddings-clip",
    "openai-embeddings-vlm2vec",
    "infinity-embeddings",
    "infinity-embeddings-clip",
    "vllm-pooling",
    "vllm-rerank",
];

const fn known(dest: &'static str, owner: Owner, kind: Kind, default: Literal) -> Known {
    Known { dest, owner, kind, default }
}

/// All flags of `bench serve` in the order of the `Namespace`.
pub const SERVE: &[Known] = &[
    known("trust_remote_code", Owner::Host, Kind::Switch, Literal::False),
    known("seed", Owner::Host, Kind::Int, Literal::Int(0)),
    known("num_prompts", Owner::Host, Kind::Int, Literal::Int(1000)),
    known("dataset_name", Owner::Host, Kind::Text, Literal::Text("random")),
    known("no_stream", Owner::Plugin, Kind::Switch, Literal::False),
    known("dataset_path", Owner::Plugin, Kind::Text, Literal::None),
    known("no_oversample", Owner::Plugin, Kind::Switch, Literal::False),
    known("skip_chat_template", Owner::Plugin, Kind::Switch, Literal::False),
    known("enable_multimodal_chat", Owner::Plugin, Kind::Switch, Literal::False),
    known("disable_shuffle", Owner::Plugin, Kind::Switch, Literal::False),
    known("custom_output_len", Owner::Plugin, Kind::Int, Literal::Int(256)),
    known("custom_ensure_client_side_data", Owner::Plugin, Kind::Switch, Literal::False),
    known("spec_bench_output_len", Owner::Plugin, Kind::Int, Literal::Int(256)),
    known("spec_bench_category", Owner::Plugin, Kind::Text, Literal::None),
    known("sharegpt_output_len", Owner::Plugin, Kind::Int, Literal::None),
    known("timed_trace_chunk_hash_size", Owner::Plugin, Kind::Int, Literal::Int(16)),
    known("timed_trace_sec_multiplier", Owner::Plugin, Kind::Float, Literal::Int(1)),
    known("timed_trace_label_timestamp", Owner::Plugin, Kind::Text, Literal::Text("timestamp")),
    known("timed_trace_label_input_length", Owner::Plugin, Kind::Text, Literal::Text("input_length")),
    known("timed_trace_label_output_length", Owner::Plugin, Kind::Text, Literal::Text("output_length")),
    known("timed_trace_label_hash_ids", Owner::Plugin, Kind::Text, Literal::Text("hash_ids")),
    known("blazedit_min_distance", Owner::Plugin, Kind::Float, Literal::Float(0.0)),
    known("blazedit_max_distance", Owner::Plugin, Kind::Float, Literal::Float(1.0)),
    known("asr_max_audio_len_sec", Owner::Plugin, Kind::Float, Literal::Float(f64::INFINITY)),
    known("asr_min_audio_len_sec", Owner::Plugin, Kind::Float, Literal::Float(0.0)),
    known("random_input_len", Owner::Plugin, Kind::Int, Literal::Int(1024)),
    known("random_output_len", Owner::Plugin, Kind::Int, Literal::Int(128)),
    known("random_range_ratio", Owner::Plugin, Kind::Text, Literal::Text("0.0")),
    known("random_prefix_len", Owner::Plugin, Kind::Int, Literal::Int(0)),
    known("random_batch_size", Owner::Plugin, Kind::Int, Literal::Int(1)),
    known("no_reranker", Owner::Plugin, Kind::Switch, Literal::False),
    known("random_mm_base_items_per_request", Owner::Plugin, Kind::Int, Literal::Int(1)),
    known("random_mm_num_mm_items_range_ratio", Owner::Plugin, Kind::Float, Literal::Float(0.0)),
    known(
        "random_mm_limit_mm_per_prompt",
        Owner::Plugin,
        Kind::Json,
        Literal::Object { python: "{'image': 255, 'video': 1}", json: r#"{"image":255,"video":1}"# },
    ),
    known(
        "random_mm_bucket_config",
        Owner::Plugin,
        Kind::Json,
        Literal::Object {
            python: "{(256, 256, 1): 0.5, (720, 1280, 1): 0.5, (720, 1280, 16): 0.0}",
            json: r#"{"(256, 256, 1)":0.5,"(720, 1280, 1)":0.5,"(720, 1280, 16)":0.0}"#,
        },
    ),
    known("hf_subset", Owner::Plugin, Kind::Text, Literal::None),
    known("hf_split", Owner::Plugin, Kind::Text, Literal::None),
    known("hf_name", Owner::Plugin, Kind::Text, Literal::None),
    known("hf_output_len", Owner::Plugin, Kind::Int, Literal::None),
    known("bfcl_categories", Owner::Plugin, Kind::Text, Literal::None),
    known("prefix_repetition_prefix_len", Owner::Plugin, Kind::Int, Literal::Int(256)),
    known("prefix_repetition_suffix_len", Owner::Plugin, Kind::Int, Literal::Int(256)),
    known("prefix_repetition_num_prefixes", Owner::Plugin, Kind::Int, Literal::Int(10)),
    known("prefix_repetition_output_len", Owner::Plugin, Kind::Int, Literal::Int(128)),
    known("speed_bench_dataset_subset", Owner::Plugin, Kind::Text, Literal::Text("qualitative")),
    known("speed_bench_output_len", Owner::Plugin, Kind::Int, Literal::Int(4096)),
    known("speed_bench_category", Owner::Plugin, Kind::Text, Literal::None),
    known("label", Owner::Host, Kind::Text, Literal::None),
    known("backend", Owner::Host, Kind::Text, Literal::Text("openai")),
    known("base_url", Owner::Host, Kind::Text, Literal::None),
    known("host", Owner::Host, Kind::Text, Literal::Text("127.0.0.1")),
    known("port", Owner::Host, Kind::Int, Literal::Int(8000)),
    known("endpoint", Owner::Host, Kind::Text, Literal::Text("/v1/completions")),
    known("header", Owner::Host, Kind::Words, Literal::None),
    known("max_concurrency", Owner::Host, Kind::Int, Literal::None),
    known("model", Owner::Host, Kind::Text, Literal::None),
    known("input_len", Owner::Plugin, Kind::Int, Literal::None),
    known("output_len", Owner::Plugin, Kind::Int, Literal::None),
    known("tokenizer", Owner::Host, Kind::Text, Literal::None),
    known("tokenizer_mode", Owner::Host, Kind::Text, Literal::Text("auto")),
    known("use_beam_search", Owner::Host, Kind::Switch, Literal::False),
    known("logprobs", Owner::Host, Kind::Int, Literal::None),
    known("request_rate", Owner::Host, Kind::Float, Literal::Float(f64::INFINITY)),
    known("burstiness", Owner::Host, Kind::Float, Literal::Float(1.0)),
    known("probe_request_rate", Owner::Host, Kind::Float, Literal::Float(0.0)),
    known("disable_tqdm", Owner::Host, Kind::Switch, Literal::False),
    known("num_warmups", Owner::Host, Kind::Int, Literal::Int(0)),
    known("profile", Owner::Host, Kind::Switch, Literal::False),
    known("save_result", Owner::Host, Kind::Switch, Literal::False),
    known("save_detailed", Owner::Host, Kind::Switch, Literal::False),
    known("append_result", Owner::Host, Kind::Switch, Literal::False),
    known("metadata", Owner::Host, Kind::Words, Literal::None),
    known("result_dir", Owner::Host, Kind::Text, Literal::None),
    known("result_filename", Owner::Host, Kind::Text, Literal::None),
    known("ignore_eos", Owner::Host, Kind::Switch, Literal::False),
    known("self_timed", Owner::Host, Kind::Switch, Literal::None),
    known("percentile_metrics", Owner::Host, Kind::Text, Literal::None),
    known("metric_percentiles", Owner::Host, Kind::Text, Literal::Text("99")),
    known("goodput", Owner::Plugin, Kind::Words, Literal::None),
    known("request_id_prefix", Owner::Host, Kind::Text, Literal::None),
    known("top_p", Owner::Host, Kind::Float, Literal::None),
    known("top_k", Owner::Host, Kind::Int, Literal::None),
    known("min_p", Owner::Host, Kind::Float, Literal::None),
    known("temperature", Owner::Host, Kind::Float, Literal::None),
    known("frequency_penalty", Owner::Host, Kind::Float, Literal::None),
    known("presence_penalty", Owner::Host, Kind::Float, Literal::None),
    known("repetition_penalty", Owner::Host, Kind::Float, Literal::None),
    known("served_model_name", Owner::Host, Kind::Text, Literal::None),
    known("lora_modules", Owner::Host, Kind::Words, Literal::None),
    known("lora_assignment", Owner::Host, Kind::Text, Literal::Text("random")),
    known("ramp_up_strategy", Owner::Host, Kind::Text, Literal::None),
    known("ramp_up_start_rps", Owner::Host, Kind::Int, Literal::None),
    known("ramp_up_end_rps", Owner::Host, Kind::Int, Literal::None),
    known("ready_check_timeout_sec", Owner::Host, Kind::Int, Literal::Int(0)),
    known("chat_template_kwargs", Owner::Plugin, Kind::Json, Literal::None),
    known("extra_body", Owner::Host, Kind::Json, Literal::None),
    known("skip_tokenizer_init", Owner::Host, Kind::Switch, Literal::False),
    known("insecure", Owner::Host, Kind::Switch, Literal::False),
    known("plot_timeline", Owner::Host, Kind::Switch, Literal::False),
    known("timeline_itl_thresholds", Owner::Host, Kind::Text, Literal::Text("25,50")),
    known("plot_dataset_stats", Owner::Host, Kind::Switch, Literal::False),
];
