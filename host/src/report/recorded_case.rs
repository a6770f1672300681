//! A result that the reference client wrote, as the parts it was made of.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::result_json::ReportInput;
use super::settings::{RampUp, RpsChange, RunSettings};
use crate::metrics::peaks::BucketPeaks;
use crate::metrics::{
    DiffusionDecoding, ExtensionInput, Extensions, LatencyMetric, LatencyStatistics, MetricOptions, Series,
    Summary, TokenHistograms,
};
use crate::record::{Failure, FailureClass, RequestRecord, RunRecord, Stamps, Task, TokenEvent, TokenKind};

/// With every array in the result (`--save-detailed`).
pub(super) const DETAILED: [&str; 19] = [
    "edge-all-fail",
    "edge-audio",
    "edge-chat",
    "edge-completions",
    "edge-pooling",
    "edge-pooling-bytes-no-header",
    "edge-responses",
    "metrics-audio-rtfx",
    "metrics-default-metrics",
    "metrics-diffusion",
    "metrics-failures",
    "metrics-pooling",
    "metrics-recount",
    "metrics-server-metrics",
    "metrics-varied-goodput",
    "metrics-varied-inf-rate",
    "out-pytorch-detailed-all",
    "out-save-detailed",
    "rerank-native",
];
const BRIEF: [&str; 6] = [
    "out-append-new",
    "out-default-name-ramp",
    "out-default-name-rate-conc",
    "out-metadata",
    "out-pytorch",
    "out-pytorch-eager-name",
];

pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) args: Vec<String>,
    /// The result file's name.
    pub(super) file: String,
    pub(super) text: String,
    pub(super) result: Map<String, Value>,
    pub(super) console: String,
}

impl Case {
    pub(super) fn load(name: &'static str) -> Self {
        let dir = folder().join(name);
        let file = fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .find(|file| file.ends_with(".json") && !file.ends_with(".pytorch.json"))
            .unwrap();
        let read = |file: &str| fs::read_to_string(dir.join(file)).unwrap();
        // Appended results are lines; table and arguments are the last one's.
        let text = read(&file).lines().last().unwrap().to_owned();
        Self {
            name,
            args: read("args.txt").split_whitespace().map(str::to_owned).collect(),
            result: serde_json::from_str(&text).unwrap(),
            file,
            text,
            console: read("console.txt"),
        }
    }

    fn argument(&self, flag: &str) -> Option<&str> {
        let at = self.args.iter().rposition(|arg| arg == flag)?;
        self.args.get(at + 1).map(String::as_str)
    }

    pub(super) fn task(&self) -> Task {
        if self.result.contains_key("total_input_sequences") { Task::Pooling } else { Task::Generation }
    }

    fn number(&self, key: &str) -> f64 {
        self.result.get(key).and_then(Value::as_f64).unwrap_or_else(|| panic!("{}: {key}", self.name))
    }

    fn count(&self, key: &str) -> u64 {
        self.result.get(key).and_then(Value::as_u64).unwrap_or_else(|| panic!("{}: {key}", self.name))
    }

    fn floats(&self, key: &str) -> Option<Vec<f64>> {
        self.result.get(key).map(|v| serde_json::from_value(v.clone()).unwrap())
    }

    fn texts(&self, key: &str) -> Vec<String> {
        self.result.get(key).map_or_else(Vec::new, |v| serde_json::from_value(v.clone()).unwrap())
    }

    pub(super) fn settings(&self) -> RunSettings {
        let text = |key: &str| self.result[key].as_str().map(str::to_owned);
        let metadata: &[(&str, &str)] = match self.name {
            "out-metadata" => &[("version", "0.3.3"), ("tp", "1"), ("date", "override"), ("a b", "c=d")],
            "out-pytorch" => &[("tensor_parallel_size", "4")],
            _ => &[],
        };
        let date =
            self.result["date"].as_str().filter(|date| *date != "override").unwrap_or("20260101-000000");
        let part = |from: usize, to: usize| date[from..to].parse::<i8>().unwrap();
        RunSettings {
            date: jiff::civil::date(date[..4].parse().unwrap(), part(4, 6), part(6, 8)).at(
                part(9, 11),
                part(11, 13),
                part(13, 15),
                0,
            ),
            backend: text("backend").unwrap(),
            endpoint_type: text("endpoint_type").unwrap(),
            label: text("label"),
            model_id: text("model_id").unwrap(),
            tokenizer_id: text("tokenizer_id"),
            num_prompts: self.result["num_prompts"].as_i64().unwrap(),
            metadata: metadata.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect(),
            request_rate: self.result["request_rate"].as_f64().unwrap_or(f64::INFINITY),
            burstiness: self.number("burstiness"),
            max_concurrency: self.result["max_concurrency"].as_u64(),
            ramp_up: self.result.contains_key("ramp_up_strategy").then(|| RampUp {
                strategy: text("ramp_up_strategy").unwrap(),
                start_rps: self.count("ramp_up_start_rps"),
                end_rps: self.count("ramp_up_end_rps"),
            }),
        }
    }

    /// The columns as the reference client had them.
    pub(super) fn series(&self) -> Series {
        let mut series = Series::empty(self.task(), self.number("duration"));
        series.latency_s = self.floats("latencies").unwrap();
        let n = series.latency_s.len();
        let errors = self.texts("errors");
        series.succeeded = (0..n).map(|i| errors.get(i).is_none_or(String::is_empty)).collect();
        let column = |key: &str| self.floats(key).unwrap_or_else(|| vec![0.0; n]);
        let whole = |key: &str| column(key).into_iter().map(|x| x as u64).collect();
        series.queue_s = column("queue_times");
        series.ttft_s = column("ttfts");
        series.start_s = column("start_times");
        series.input_tokens = whole("input_lens");
        series.output_tokens = whole("output_lens");
        // Sums only are known of these two; they go to the first success.
        series.input_sequences = vec![0; n];
        series.audio_s = vec![0.0; n];
        if let Some(first) = series.succeeded.iter().position(|ok| *ok) {
            let sequences = self.result.get("total_input_sequences").and_then(Value::as_u64);
            series.input_sequences[first] = sequences.unwrap_or(0);
            let rtfx = self.result.get("rtfx").and_then(Value::as_f64).unwrap_or(0.0);
            let product = rtfx * series.duration_s;
            series.audio_s[first] = [product, product.next_up(), product.next_down()]
                .into_iter()
                .find(|audio| audio / series.duration_s == rtfx)
                .unwrap();
        }
        let gaps: Vec<Vec<f64>> = self
            .result
            .get("itls")
            .map_or_else(|| vec![vec![]; n], |v| serde_json::from_value(v.clone()).unwrap());
        gaps.into_iter().for_each(|gaps| series.push_itl(gaps));
        series
    }

    /// Records whose stamps are what the columns round to.
    pub(super) fn run(&self, series: &Series) -> RunRecord {
        let ns = |s: f64| (s * 1e9).round() as u64;
        let (errors, texts) = (self.texts("errors"), self.texts("generated_texts"));
        let optional = |key: &str, i: usize| self.result.get(key).and_then(|list| list[i].as_f64());
        let requests = (0..series.len()).map(|i| {
            let started_ns = ns(series.start_s[i]) + 1_000_000_000_000;
            let failure = errors.get(i).filter(|e| !e.is_empty()).map(|message| {
                let class = match (series.latency_s[i] > 0.0, series.ttft_s[i] > 0.0) {
                    (true, _) => FailureClass::Stream,
                    (false, true) => FailureClass::Protocol,
                    (false, false) => FailureClass::Status,
                };
                Failure { class, message: message.clone() }
            });
            let mut at_ns = started_ns + ns(series.ttft_s[i]);
            let mut token_events = Vec::new();
            if series.ttft_s[i] > 0.0 {
                let event = |at_ns| TokenEvent { at_ns, kind: TokenKind::Content, tokens: 0 };
                token_events.push(event(at_ns));
                for gap in series.itl_s(i) {
                    at_ns += ns(*gap);
                    token_events.push(event(at_ns));
                }
            }
            let end_ns = started_ns + ns(series.latency_s[i]);
            RequestRecord {
                index: i as u32,
                prompt_tokens: series.input_tokens[i],
                output_tokens: series.output_tokens[i],
                input_sequences: series.input_sequences[i] as u32,
                audio_s: series.audio_s[i],
                stamps: Stamps {
                    scheduled_ns: started_ns - ns(series.queue_s[i]),
                    released_ns: started_ns - ns(series.queue_s[i]),
                    started_ns,
                    first_event_ns: if series.latency_s[i] > 0.0 { end_ns } else { 0 },
                    end_ns,
                    ..Stamps::default()
                },
                status: if failure.as_ref().is_some_and(|f| f.class == FailureClass::Status) {
                    500
                } else {
                    200
                },
                token_events,
                text: texts.get(i).cloned().unwrap_or_default(),
                server_queue_s: optional("server_queue_times", i),
                server_ttft_s: optional("server_ttfts", i),
                failure,
                ..RequestRecord::default()
            }
        });
        let requests = requests.collect();
        RunRecord { task: self.task(), start_ns: 7, end_ns: 7 + ns(series.duration_s), requests }
    }

    pub(super) fn options(&self, series: &Series) -> MetricOptions {
        let settings = self.settings();
        let selected = match self.argument("--percentile-metrics") {
            Some(names) => names.split(',').map(|name| name.parse().unwrap()).collect(),
            None => LatencyMetric::default_for(self.task()).to_vec(),
        };
        let percentiles = self.argument("--metric-percentiles").unwrap_or("99");
        MetricOptions {
            selected,
            percentiles: percentiles.split(',').map(|p| p.parse().unwrap()).collect(),
            capped: settings.max_concurrency.is_some(),
            finite_rate: settings.request_rate.is_finite(),
            has_tokenizer: settings.tokenizer_id.is_some(),
            goodput: self.goodput(series),
        }
    }

    fn goodput(&self, series: &Series) -> Option<Vec<bool>> {
        let at = self.args.iter().position(|arg| arg == "--goodput")?;
        let limits: Vec<(&str, f64)> = self.args[at + 1..]
            .iter()
            .map_while(|arg| arg.split_once(':').filter(|_| !arg.starts_with("--")))
            .map(|(name, ms)| (name, ms.parse::<f64>().unwrap() / 1000.0))
            .collect();
        assert!(!limits.is_empty());
        let tpot = series.tpot_or_zero_s();
        let good = |i: usize| {
            limits.iter().all(|&(name, limit)| match name {
                "ttft" => series.ttft_s[i] <= limit,
                "tpot" => tpot[i] <= limit,
                "e2el" => series.latency_s[i] <= limit,
                other => panic!("{other}"),
            })
        };
        Some((0..series.len()).map(good).collect())
    }

    /// The aggregates as the file says them.
    pub(super) fn summary(&self) -> Summary {
        let task = self.task();
        let pooling = task == Task::Pooling;
        let or_zero = |key: &str| self.result.get(key).and_then(Value::as_f64).unwrap_or(0.0);
        let metrics = LatencyMetric::ALL
            .into_iter()
            .filter(|m| self.result.contains_key(&format!("mean_{}_ms", m.name())));
        let latencies = metrics.map(|metric| {
            let name = metric.name();
            let percentiles = self.argument("--metric-percentiles").unwrap_or("99");
            let percentile = |p: &str| (p.parse().unwrap(), self.number(&format!("p{p}_{name}_ms")));
            LatencyStatistics {
                metric,
                mean_ms: self.number(&format!("mean_{name}_ms")),
                median_ms: self.number(&format!("median_{name}_ms")),
                std_ms: self.number(&format!("std_{name}_ms")),
                percentiles_ms: percentiles.split(',').map(percentile).collect(),
            }
        });
        let requests = self.floats("latencies").unwrap().len() as u64;
        Summary {
            task,
            duration_s: self.number("duration"),
            completed: self.count("completed"),
            failed: if pooling { requests - self.count("completed") } else { self.count("failed") },
            total_input_tokens: self.count("total_input_tokens"),
            total_output_tokens: if pooling { 0 } else { self.count("total_output_tokens") },
            total_input_sequences: if pooling { self.count("total_input_sequences") } else { 0 },
            request_throughput: self.number("request_throughput"),
            request_goodput: self.result.get("request_goodput").and_then(Value::as_f64),
            output_throughput: or_zero("output_throughput"),
            input_sequence_throughput: or_zero("input_sequence_throughput"),
            total_token_throughput: self.number("total_token_throughput"),
            rtfx: or_zero("rtfx"),
            peaks: BucketPeaks {
                output_events_per_s: or_zero("max_output_tokens_per_s"),
                concurrent_requests: or_zero("max_concurrent_requests") as u64,
            },
            latencies: latencies.collect(),
        }
    }

    fn diffusion(&self) -> Option<DiffusionDecoding> {
        self.result.contains_key("diffusion_committed_tokens").then(|| DiffusionDecoding {
            committed_throughput: self.number("diffusion_committed_throughput"),
            steps_per_canvas: self.number("diffusion_steps_per_canvas"),
            committed_per_step: self.number("diffusion_committed_per_step"),
            committed_tokens: self.count("diffusion_committed_tokens") as i64,
            denoising_steps: self.count("diffusion_denoising_steps") as i64,
            canvas_positions: self.count("diffusion_canvas_positions") as i64,
        })
    }

    fn rps_changes(&self) -> Option<Vec<RpsChange>> {
        let changes = self.result.get("rps_change_events")?.as_array().unwrap().iter();
        let change = |c: &Value| RpsChange {
            rps: c["rps"].as_i64().unwrap(),
            timestamp: c["timestamp"].as_str().unwrap().to_owned(),
        };
        Some(changes.map(change).collect())
    }

    /// Hands the parts of a report to `check`.
    pub(super) fn report<T>(&self, check: impl FnOnce(&ReportInput<'_>) -> T) -> T {
        let (series, summary, settings) = (self.series(), self.summary(), self.settings());
        let run = self.run(&series);
        let (diffusion, changes) = (self.diffusion(), self.rps_changes());
        let extensions =
            Extensions::compute(&run, &series, &TokenHistograms::from_run(&run), ExtensionInput::default());
        check(&ReportInput {
            settings: &settings,
            run: &run,
            series: &series,
            summary: &summary,
            probes: None,
            rps_changes: changes.as_deref(),
            speculative: None,
            diffusion: diffusion.as_ref(),
            extensions: &extensions,
            sections: &Map::new(),
        })
    }
}

pub(super) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/results")
}

pub(super) fn all() -> impl Iterator<Item = Case> {
    DETAILED.into_iter().chain(BRIEF).map(Case::load)
}
