//! The datasets against what the reference client sampled.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vbench_plugin::generators::{NumpyRandomState, PythonRandom};
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{DatasetArgs, DatasetRun, Host, HostTokenizer};
use vbench_plugin::tokenizer::Info;
use vbench_plugin_traces::{BurstGpt, TimedTrace};

/// A tokenizer as far as traces go: its vocabulary. A text is the list of its ids.
#[derive(Clone, Deserialize)]
struct Vocabulary {
    vocab_size: u32,
    full_vocab_size: u32,
    special_ids: Vec<u32>,
}

impl HostTokenizer for Vocabulary {
    fn describe(&self) -> Info {
        Info {
            name: "vocabulary".into(),
            vocab_size: self.vocab_size,
            full_vocab_size: self.full_vocab_size,
            special_ids: self.special_ids.clone(),
            added_special_ids: Vec::new(),
            specials_per_sequence: 2,
            has_chat_template: false,
        }
    }

    fn encode(&self, _text: &str, _add_special_tokens: bool) -> Vec<u32> {
        unreachable!("the datasets encode nothing")
    }

    fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> String {
        assert!(!skip_special_tokens);
        ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
    }
}

#[derive(Deserialize)]
struct Case {
    case: String,
    file: String,
    tokenizer: Vocabulary,
    count: i64,
    seed: u64,
    config: Value,
    /// Lengths of prompt and answer, the time if there is one, and for token ids
    /// the SHA-256 of their JSON.
    samples: Vec<(u64, i64, Option<f64>, Option<String>)>,
}

fn cases(dataset: &str) -> Vec<Case> {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/cases.json")).unwrap();
    cases.into_iter().filter(|case| case.case.starts_with(dataset)).collect()
}

fn rows(file: &str) -> Vec<Value> {
    let lines = match file {
        "timed_trace" => include_str!("fixtures/timed_trace.jsonl"),
        "timed_trace_odd" => include_str!("fixtures/timed_trace_odd.jsonl"),
        "mooncake_like" => include_str!("fixtures/mooncake_like.jsonl"),
        "burstgpt" => {
            let mut lines = include_str!("fixtures/burstgpt.csv").lines();
            let header: Vec<&str> = lines.next().unwrap().split(',').collect();
            let row = |line: &str| {
                Value::Object(
                    header.iter().zip(line.split(',')).map(|(&k, v)| (k.into(), v.into())).collect(),
                )
            };
            return lines.map(row).collect();
        }
        other => panic!("no file {other}"),
    };
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn run<D: Dataset>(case: &Case, rows: Vec<Value>, backend: &str) -> Result<DatasetRun> {
    let mut config = case.config.clone();
    config["path"] = json!("the file");
    let args = DatasetArgs { backend: backend.into(), ..DatasetArgs::recorded(case.seed, case.count) };
    Host::new()
        .with_tokenizer(case.tokenizer.clone())
        .with_rows("path", rows)
        .run_dataset::<D>(&config.to_string(), args)
}

#[test]
fn lengths_of_burstgpt_are_those_of_the_reference_client() {
    let cases = cases("burstgpt");
    assert_eq!(cases.len(), 2);
    for case in cases {
        let run = run::<BurstGpt>(&case, rows(&case.file), "openai").unwrap();
        let found: Vec<(u64, i64)> =
            run.samples.iter().map(|s| (s.turns[0].prompt_tokens, s.turns[0].output_tokens)).collect();
        let recorded: Vec<(u64, i64)> = case.samples.iter().map(|s| (s.0, s.1)).collect();
        assert_eq!(found, recorded, "{}", case.case);
        for (number, sample) in run.samples.iter().enumerate() {
            let ids = (0..sample.turns[0].prompt_tokens)
                .map(|k| (number as u64 + k) % u64::from(case.tokenizer.vocab_size));
            let text = ids.map(|id| id.to_string()).collect::<Vec<_>>().join(" ");
            assert_eq!(sample.turns[0].prompt, Prompt::Text(text));
            assert_eq!(sample.id, Some(format!("g-{number}")));
        }
        assert!(run.summary.python_random.is_none() && run.summary.numpy_random.is_none());
    }
}

#[test]
fn traces_are_those_of_the_reference_client() {
    let cases = cases("timed-trace");
    assert_eq!(cases.len(), 3);
    for case in cases {
        let run = run::<TimedTrace>(&case, rows(&case.file), "openai").unwrap();
        let found: Vec<_> = run
            .samples
            .iter()
            .map(|sample| {
                let turn = &sample.turns[0];
                let Prompt::TokenIds(ids) = &turn.prompt else { panic!("no token ids") };
                let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
                let digest = Sha256::digest(format!("[{}]", ids.join(", ")));
                let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                (turn.prompt_tokens, turn.output_tokens, sample.arrival_s, Some(digest))
            })
            .collect();
        assert_eq!(found, case.samples, "{}", case.case);
        // Seeded with 0, whatever the run's seed.
        assert_eq!(run.summary.python_random.unwrap().words, PythonRandom::new(0).state().0);
        assert_eq!(run.summary.numpy_random.unwrap().words, NumpyRandomState::new(0).state().0);
        assert!(run.messages[0].text.starts_with("timed-trace: chunk_size: "));
    }
}

fn trace(rows: Vec<Value>, config: Value, backend: &str) -> Result<DatasetRun> {
    let tokenizer = Vocabulary { vocab_size: 10, full_vocab_size: 12, special_ids: vec![11] };
    let case = Case {
        case: String::new(),
        file: String::new(),
        tokenizer,
        count: 10,
        seed: 0,
        config,
        samples: Vec::new(),
    };
    run::<TimedTrace>(&case, rows, backend)
}

fn one_prompt(row: Value, config: Value) -> Vec<u32> {
    let run = trace(vec![row], config, "vllm").unwrap();
    match &run.samples[0].turns[0].prompt {
        Prompt::TokenIds(ids) => ids.clone(),
        other => panic!("no token ids: {other:?}"),
    }
}

#[test]
fn special_tokens_are_left_out_and_added_ones_are_not() {
    let ids: Vec<u64> = (0..40).collect();
    let row = json!({"timestamp": 0, "input_length": 640, "output_length": 1, "hash_ids": ids});
    let found: BTreeSet<u32> = one_prompt(row, json!({})).into_iter().collect();
    assert_eq!(found, (0..11).collect());
}

#[test]
fn the_hash_decides_the_tokens() {
    let row = json!({"timestamp": 0, "input_length": 16, "output_length": 1, "hash_ids": [1]});
    let prompt = |hash: &str| one_prompt(row.clone(), json!({"hash": hash}));
    assert_eq!(prompt("stable"), prompt("python:0"));
    assert_ne!(prompt("stable"), prompt("python:7"));
}

#[test]
fn a_field_that_is_missing_is_told_with_those_there_are() {
    let row = json!({"ts": 0, "input_length": 16, "output_length": 1});
    let error = trace(vec![row], json!({}), "openai").unwrap_err();
    assert!(error.message.contains("--timed-trace-label-timestamp"), "{}", error.message);
    assert!(error.message.contains("input_length, output_length, ts"), "{}", error.message);
    assert_eq!(error.location.unwrap().row, Some(1));
}

#[test]
fn bad_rows_and_backends_are_refused() {
    let good = json!({"timestamp": 1, "input_length": 16, "output_length": 1, "hash_ids": ["a", 1]});
    assert_eq!(trace(vec![good.clone()], json!({}), "openai").unwrap().samples.len(), 1);
    assert!(trace(vec![good.clone()], json!({}), "openai-chat").unwrap_err().message.contains("completions"));
    for (field, value) in [
        ("timestamp", json!(-1)),
        ("timestamp", json!("soon")),
        ("timestamp", json!(null)),
        ("input_length", json!([16])),
        ("input_length", json!(1e12)),
        ("output_length", json!({})),
        ("hash_ids", json!(7)),
        ("hash_ids", json!([1.5])),
        ("hash_ids", json!([[1]])),
    ] {
        let mut row = good.clone();
        row[field] = value.clone();
        let error = trace(vec![good.clone(), row], json!({}), "openai").unwrap_err();
        let location = error.location.unwrap();
        assert_eq!((location.row, location.column.as_deref()), (Some(2), Some(field)), "{value}");
    }
}

/// Lengths and time of each sample.
fn outline(run: &DatasetRun) -> Vec<(u64, i64, f64)> {
    let outline = |sample: &Sample| {
        let turn = &sample.turns[0];
        (turn.prompt_tokens, turn.output_tokens, sample.arrival_s.unwrap())
    };
    run.samples.iter().map(outline).collect()
}

#[test]
fn logs_are_replayed_from_their_first_request_without_those_that_failed() {
    let azure = |at: &str, context: &str, generated: &str| json!({"TIMESTAMP": at, "ContextTokens": context, "GeneratedTokens": generated});
    let rows = vec![
        azure("2023-11-16 18:15:46.6805900", "37", "4"),
        azure("2023-11-16 18:15:47.6805900", "5", "0"),
        azure("2023-11-16 18:15:50.9305900", "7", "2"),
    ];
    let run = trace(rows.clone(), json!({"form": "azure"}), "openai").unwrap();
    assert_eq!(outline(&run), [(37, 4, 0.0), (7, 2, 4.25)]);
    assert_eq!(run.summary.skipped[0].count, 1);
    let faster = trace(rows.clone(), json!({"form": "azure", "sec_multiplier": 0.25}), "openai").unwrap();
    assert_eq!(faster.samples[1].arrival_s, Some(1.0625));
    let prompts: Vec<&Prompt> = run.samples.iter().map(|sample| &sample.turns[0].prompt).collect();
    assert_ne!(prompts[0], prompts[1]);
    let blocks = json!({"form": "azure", "chunk_hash_size": 16});
    let error = trace(rows.clone(), blocks, "openai").unwrap_err();
    assert_eq!(error.config_key.as_deref(), Some("chunk_hash_size"));
    let run = trace(rows[1..2].to_vec(), json!({"form": "azure"}), "openai").unwrap();
    assert!(run.samples.is_empty());
    let backwards = rows.into_iter().rev().collect();
    let error = trace(backwards, json!({"form": "azure"}), "openai").unwrap_err();
    assert!(error.message.contains("-4.25 s"), "{}", error.message);
    let error = trace(vec![azure("17", "37", "4")], json!({"form": "azure"}), "openai").unwrap_err();
    assert!(error.message.contains("not a date"), "{}", error.message);

    let burst = |at: &str, prompt: &str, answer: &str| json!({"Timestamp": at, "Model": "GPT-4", "Request tokens": prompt, "Response tokens": answer});
    let rows = vec![burst("5", "46", "2"), burst("8.5", "53", "31"), burst("9", "5", "0")];
    let run = trace(rows.clone(), json!({"form": "burstgpt"}), "openai").unwrap();
    assert_eq!(outline(&run), [(46, 2, 0.0), (53, 31, 3.5)]);
    let halved = json!({"form": "burstgpt", "sec_multiplier": 0.5, "label_output_length": "Request tokens"});
    assert_eq!(
        outline(&trace(rows, halved, "openai").unwrap()),
        [(46, 46, 0.0), (53, 53, 1.75), (5, 5, 2.0)]
    );
}

#[test]
fn mooncake_has_milliseconds_and_long_blocks() {
    let rows = vec![json!({"timestamp": 2500, "input_length": 600, "output_length": 1, "hash_ids": [0, 1]})];
    let run = trace(rows.clone(), json!({"form": "mooncake"}), "openai").unwrap();
    assert_eq!(outline(&run), [(600, 1, 2.5)]);
    let run = trace(rows, json!({"form": "mooncake", "chunk_hash_size": 16}), "openai").unwrap();
    assert_eq!(outline(&run), [(32, 1, 2.5)]);
}

fn burst(rows: Vec<Value>, count: i64) -> Result<DatasetRun> {
    let tokenizer = Vocabulary { vocab_size: 10, full_vocab_size: 10, special_ids: Vec::new() };
    let case = Case {
        case: String::new(),
        file: String::new(),
        tokenizer,
        count,
        seed: 0,
        config: json!({}),
        samples: Vec::new(),
    };
    run::<BurstGpt>(&case, rows, "openai")
}

#[test]
fn lengths_are_read_as_a_data_frame_does() {
    let row = |model: &str, prompt: &str, answer: &str| json!({"Timestamp": "0", "Model": model, "Request tokens": prompt, "Response tokens": answer});
    let rows = vec![
        row("GPT-4", "3.0", "7.9"),
        row("GPT-4", "5", ""),
        row("GPT-4 ", "5", "6"),
        row("ChatGPT", "x", "y"),
    ];
    let run = burst(rows, 4).unwrap();
    assert!(run.samples.iter().all(|s| (s.turns[0].prompt_tokens, s.turns[0].output_tokens) == (3, 7)));
    assert_eq!(run.samples.len(), 4);
    for bad in [
        row("GPT-4", "", "4"),
        row("GPT-4", "-4", "4"),
        row("GPT-4", "99999999999", "4"),
        row("GPT-4", "4", "x"),
    ] {
        assert_eq!(burst(vec![bad], 1).unwrap_err().location.unwrap().row, Some(1));
    }
    assert!(burst(vec![row("ChatGPT", "1", "1")], 1).unwrap_err().message.contains("GPT-4"));
    assert!(burst(vec![json!({"Model": "GPT-4", "Response tokens": "1"})], 1).is_err());
}
