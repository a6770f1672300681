//! The content of the result file: the reference client's keys in its order,
//! and the `vbench` object at the end.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::python_float::percentile_label;
use super::python_json::{self, float};
use super::settings::{RpsChange, RunSettings, date_text};
use crate::metrics::series::read_to_the_end;
use crate::metrics::{DiffusionDecoding, Extensions, ProbeSummary, Series, SpeculativeDecoding, Summary};
use crate::record::{RequestRecord, RunRecord, Task};

/// The key of our own object.
pub const EXTENSION_KEY: &str = "vbench";

/// Keys that only stay with `--save-detailed`. (`latencies` and `queue_times`
/// always stay; that is the reference client's choice.)
const DETAILED_KEYS: [&str; 9] = [
    "input_lens",
    "output_lens",
    "start_times",
    "ttfts",
    "itls",
    "generated_texts",
    "errors",
    "server_queue_times",
    "server_ttfts",
];

/// Everything that a report is made of.
#[derive(Debug, Clone, Copy)]
pub struct ReportInput<'a> {
    /// How the run was set up.
    pub settings: &'a RunSettings,
    /// What happened.
    pub run: &'a RunRecord,
    /// The columns of the run.
    pub series: &'a Series,
    /// Its aggregates.
    pub summary: &'a Summary,
    /// The probes, if any succeeded.
    pub probes: Option<&'a ProbeSummary>,
    /// The rates that a ramp-up reached; none without a ramp-up.
    pub rps_changes: Option<&'a [RpsChange]>,
    /// Speculative decoding, where the server told.
    pub speculative: Option<&'a SpeculativeDecoding>,
    /// Diffusion decoding, where the server told.
    pub diffusion: Option<&'a DiffusionDecoding>,
    /// The measured part of the `vbench` object.
    pub extensions: &'a Extensions,
    /// Further members of the `vbench` object: plugins, plan, version. They
    /// stand before the measured part, which wins if a name is in both.
    pub sections: &'a Map<String, Value>,
}

/// A value of the result, borrowed where it is long.
#[derive(Debug, Clone)]
pub enum Field<'a> {
    /// Any JSON value.
    Json(Value),
    /// One float a request.
    Floats(&'a [f64]),
    /// One integer a request.
    Integers(&'a [u64]),
    /// The gaps of every request.
    Gaps(&'a Series),
    /// One text a request.
    Texts(Vec<&'a str>),
    /// One float or null a request.
    OptionalFloats(Vec<Option<f64>>),
    /// The rates that a ramp-up reached.
    RpsChanges(&'a [RpsChange]),
    /// Our own object.
    Own(&'a Map<String, Value>, &'a Extensions),
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Json(value) => value.serialize(serializer),
            Self::Floats(values) => values.serialize(serializer),
            Self::Integers(values) => values.serialize(serializer),
            Self::Gaps(series) => {
                let mut list = serializer.serialize_seq(Some(series.len()))?;
                for request in 0..series.len() {
                    list.serialize_element(series.itl_s(request))?;
                }
                list.end()
            }
            Self::Texts(values) => values.serialize(serializer),
            Self::OptionalFloats(values) => values.serialize(serializer),
            Self::RpsChanges(changes) => changes.serialize(serializer),
            Self::Own(sections, extensions) => {
                let Value::Object(measured) =
                    serde_json::to_value(extensions).map_err(serde::ser::Error::custom)?
                else {
                    return Err(serde::ser::Error::custom("the extensions are no object"));
                };
                let mut map = serializer.serialize_map(None)?;
                for (key, value) in sections.iter().filter(|(key, _)| !measured.contains_key(*key)) {
                    map.serialize_entry(key, value)?;
                }
                for (key, value) in &measured {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// A result in the order of its keys. A key set twice keeps its first place
/// and takes the later value, as in a Python `dict`.
#[derive(Debug, Clone, Default)]
pub struct ResultJson<'a> {
    fields: IndexMap<Cow<'a, str>, Field<'a>>,
}

impl<'a> ResultJson<'a> {
    /// Puts the result together; `detailed` is `--save-detailed`.
    pub fn new(input: &ReportInput<'a>, detailed: bool) -> Self {
        let mut result = Self::default();
        result.put_settings(input.settings);
        match input.summary.task {
            Task::Generation => result.put_generation(input),
            Task::Pooling => result.put_pooling(input),
        }
        result.put_server_times(&input.run.requests);
        result.put_side_measurements(input);
        result.put_latencies(input.summary);
        if !detailed {
            result.fields.retain(|key, _| !DETAILED_KEYS.contains(&key.as_ref()));
        }
        // Whatever metadata may be called, our object is ours and the last.
        result.fields.shift_remove(EXTENSION_KEY);
        result.put(EXTENSION_KEY, Field::Own(input.sections, input.extensions));
        result
    }

    /// The values in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Field<'a>)> {
        self.fields.iter().map(|(key, field)| (key.as_ref(), field))
    }

    /// A plain value by its key.
    pub fn value(&self, key: &str) -> Option<&Value> {
        match self.fields.get(key) {
            Some(Field::Json(value)) => Some(value),
            _ => None,
        }
    }

    /// The text of the file: one line of JSON, no line end.
    ///
    /// # Errors
    /// If something in it has no JSON form.
    pub fn to_vec(&self) -> Result<Vec<u8>, serde_json::Error> {
        python_json::to_vec(self)
    }

    fn put(&mut self, key: impl Into<Cow<'a, str>>, field: Field<'a>) {
        self.fields.insert(key.into(), field);
    }

    fn put_json(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Value>) {
        self.put(key, Field::Json(value.into()));
    }

    fn put_settings(&mut self, s: &'a RunSettings) {
        self.put_json("date", date_text(s.date));
        self.put_json("endpoint_type", s.endpoint_type.as_str());
        self.put_json("backend", s.backend.as_str());
        self.put_json("label", s.label.as_deref());
        self.put_json("model_id", s.model_id.as_str());
        self.put_json("tokenizer_id", s.tokenizer_id.as_deref());
        self.put_json("num_prompts", s.num_prompts);
        for (key, value) in &s.metadata {
            self.put_json(key.as_str(), value.as_str());
        }
        self.put_json("request_rate", float(s.request_rate));
        self.put_json("burstiness", float(s.burstiness));
        self.put_json("max_concurrency", s.max_concurrency);
        if let Some(ramp) = &s.ramp_up {
            self.put_json("ramp_up_strategy", ramp.strategy.as_str());
            self.put_json("ramp_up_start_rps", ramp.start_rps);
            self.put_json("ramp_up_end_rps", ramp.end_rps);
        }
    }

    fn put_generation(&mut self, input: &ReportInput<'a>) {
        let (s, series) = (input.summary, input.series);
        self.put_json("duration", float(s.duration_s));
        self.put_json("completed", s.completed);
        self.put_json("failed", s.failed);
        self.put_json("total_input_tokens", s.total_input_tokens);
        self.put_json("total_output_tokens", s.total_output_tokens);
        self.put_json("request_throughput", float(s.request_throughput));
        self.put_json("request_goodput", s.request_goodput.map(float));
        self.put_json("output_throughput", float(s.output_throughput));
        self.put_json("total_token_throughput", float(s.total_token_throughput));
        self.put("input_lens", Field::Integers(&series.input_tokens));
        self.put("output_lens", Field::Integers(&series.output_tokens));
        self.put("ttfts", Field::Floats(&series.ttft_s));
        self.put("itls", Field::Gaps(series));
        self.put("latencies", Field::Floats(&series.latency_s));
        self.put("start_times", Field::Floats(&series.start_s));
        self.put("queue_times", Field::Floats(&series.queue_s));
        // A request that broke off on the way has no text, whatever came of it.
        let texts = input.run.requests.iter().map(|r| if read_to_the_end(r) { r.text.as_str() } else { "" });
        self.put("generated_texts", Field::Texts(texts.collect()));
        self.put("errors", errors(&input.run.requests));
        self.put_json("max_output_tokens_per_s", float(s.peaks.output_events_per_s));
        self.put_json("max_concurrent_requests", s.peaks.concurrent_requests);
        self.put_json("rtfx", float(s.rtfx));
    }

    /// Without `failed`, as in the reference client.
    fn put_pooling(&mut self, input: &ReportInput<'a>) {
        let (s, series) = (input.summary, input.series);
        self.put_json("duration", float(s.duration_s));
        self.put_json("completed", s.completed);
        self.put_json("total_input_tokens", s.total_input_tokens);
        self.put_json("total_input_sequences", s.total_input_sequences);
        self.put_json("request_throughput", float(s.request_throughput));
        self.put_json("input_sequence_throughput", float(s.input_sequence_throughput));
        self.put_json("total_token_throughput", float(s.total_token_throughput));
        self.put("input_lens", Field::Integers(&series.input_tokens));
        self.put("latencies", Field::Floats(&series.latency_s));
        self.put("queue_times", Field::Floats(&series.queue_s));
        self.put("errors", errors(&input.run.requests));
    }

    fn put_server_times(&mut self, requests: &[RequestRecord]) {
        if requests.iter().any(|r| r.server_queue_s.is_some() || r.server_ttft_s.is_some()) {
            let queue = requests.iter().map(|r| r.server_queue_s).collect();
            self.put("server_queue_times", Field::OptionalFloats(queue));
            let ttft = requests.iter().map(|r| r.server_ttft_s).collect();
            self.put("server_ttfts", Field::OptionalFloats(ttft));
        }
    }

    fn put_side_measurements(&mut self, input: &ReportInput<'a>) {
        if let Some(probes) = input.probes {
            self.put_json("probe_completed", probes.completed);
            self.put_json("probe_failed", probes.failed);
            self.put_json("probe_median_e2el_ms", float(probes.median_e2el_ms));
            self.put_json("probe_p99_e2el_ms", float(probes.p99_e2el_ms));
            self.put_json("probe_max_e2el_ms", float(probes.max_e2el_ms));
        }
        if let Some(changes) = input.rps_changes {
            self.put("rps_change_events", Field::RpsChanges(changes));
        }
        if let Some(s) = input.speculative {
            self.put_json("spec_decode_acceptance_rate", float(s.acceptance_rate));
            self.put_json("spec_decode_acceptance_length", float(s.acceptance_length));
            self.put_json("spec_decode_num_drafts", s.num_drafts);
            self.put_json("spec_decode_draft_tokens", s.draft_tokens);
            self.put_json("spec_decode_accepted_tokens", s.accepted_tokens);
            self.put_json(
                "spec_decode_per_position_acceptance_rates",
                s.per_position_acceptance_rates.clone(),
            );
        }
        if let Some(d) = input.diffusion {
            self.put_json("diffusion_committed_throughput", float(d.committed_throughput));
            self.put_json("diffusion_steps_per_canvas", float(d.steps_per_canvas));
            self.put_json("diffusion_committed_per_step", float(d.committed_per_step));
            self.put_json("diffusion_committed_tokens", d.committed_tokens);
            self.put_json("diffusion_denoising_steps", d.denoising_steps);
            self.put_json("diffusion_canvas_positions", d.canvas_positions);
        }
    }

    fn put_latencies(&mut self, summary: &Summary) {
        for latency in &summary.latencies {
            let name = latency.metric.name();
            self.put_json(format!("mean_{name}_ms"), float(latency.mean_ms));
            self.put_json(format!("median_{name}_ms"), float(latency.median_ms));
            self.put_json(format!("std_{name}_ms"), float(latency.std_ms));
            for &(percent, value) in &latency.percentiles_ms {
                self.put_json(format!("p{}_{name}_ms", percentile_label(percent)), float(value));
            }
        }
    }
}

impl Serialize for ResultJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields.serialize(serializer)
    }
}

fn errors(requests: &[RequestRecord]) -> Field<'_> {
    Field::Texts(requests.iter().map(|r| r.failure.as_ref().map_or("", |f| f.message.as_str())).collect())
}
