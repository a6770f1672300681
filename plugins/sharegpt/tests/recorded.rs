//! The dataset against what the reference client sampled. Lengths come from a
//! table of the recorded tokenizers' counts.

use std::collections::HashMap;

use serde_json::{Value, json};
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{ChatMl, DatasetArgs, Host};
use vbench_plugin_sharegpt::ShareGpt;

#[derive(Deserialize)]
struct Case {
    case: String,
    file: String,
    tokenizer: String,
    count: i64,
    seed: u64,
    output_len: Option<i64>,
    disable_shuffle: bool,
    no_oversample: bool,
    enable_multimodal_chat: bool,
    samples: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Recorded {
    request_id: String,
    prompt_len: u64,
    output_len: i64,
    /// The row of the file with this prompt.
    row: usize,
    /// Type and keys of the medium attached.
    mm: Option<String>,
}

fn rows(file: &str) -> Vec<Value> {
    let text = match file {
        "sharegpt" => include_str!("fixtures/sharegpt.json"),
        "sharegpt_small" => include_str!("fixtures/sharegpt_small.json"),
        "sharegpt_mm" => include_str!("fixtures/sharegpt_mm.json"),
        other => panic!("no file {other}"),
    };
    serde_json::from_str(text).unwrap()
}

/// Knows how many tokens the texts of one file have.
fn counts(tokenizer: &str, file: &str) -> ChatMl {
    let counts: HashMap<String, HashMap<String, Vec<Vec<usize>>>> =
        serde_json::from_str(include_str!("fixtures/token_counts.json")).unwrap();
    let mut known = HashMap::new();
    for (row, counts) in rows(file).iter().zip(&counts[tokenizer][file]) {
        for (number, &count) in counts.iter().enumerate() {
            known.insert(row["conversations"][number]["value"].as_str().unwrap().to_owned(), count);
        }
    }
    ChatMl::new(known)
}

#[test]
fn samples_are_those_of_the_reference_client() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/cases.json")).unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let rows = rows(&case.file);
        let host =
            Host::new().with_tokenizer(counts(&case.tokenizer, &case.file)).with_rows("path", rows.clone());
        let config = json!({
            "path": "x.json",
            "output_len": case.output_len,
            "disable_shuffle": case.disable_shuffle,
            "no_oversample": case.no_oversample,
            "enable_multimodal_chat": case.enable_multimodal_chat,
        });
        let args = DatasetArgs::recorded(case.seed, case.count);
        let run = host.run_dataset::<ShareGpt>(&config.to_string(), args).unwrap();
        assert_eq!(run.samples.len(), case.samples.len(), "{}", case.case);
        for (sample, recorded) in run.samples.iter().zip(&case.samples) {
            let turn = &sample.turns[0];
            let name = format!("{} {}", case.case, recorded.request_id);
            assert_eq!(sample.id.as_deref(), Some(recorded.request_id.as_str()), "{name}");
            assert_eq!(
                (turn.prompt_tokens, turn.output_tokens),
                (recorded.prompt_len, recorded.output_len),
                "{name}"
            );
            let text = rows[recorded.row]["conversations"][0]["value"].as_str().unwrap();
            match &turn.prompt {
                Prompt::Text(prompt) => assert_eq!(prompt, text, "{name}"),
                Prompt::Messages(messages) => {
                    let messages: Value = serde_json::from_str(messages).unwrap();
                    assert_eq!(messages[0]["content"][0], json!({"text": text, "type": "text"}), "{name}");
                    let media = usize::from(recorded.mm.is_some());
                    assert_eq!(messages[0]["content"].as_array().unwrap().len(), 1 + media, "{name}");
                }
                other => panic!("{name}: {other:?}"),
            }
            let kind = turn.attachments.as_slice().first().map(|media| media.kind);
            let recorded_kind = recorded.mm.as_deref().map(|mm| match mm {
                "dict:type,image_url" => MediaKind::Image,
                "dict:type,video_url" => MediaKind::Video,
                other => panic!("{name}: {other}"),
            });
            assert_eq!(kind, recorded_kind, "{name}");
        }
        assert!(run.summary.python_random.is_some());
    }
}

#[test]
fn a_message_without_text_is_named_by_its_place() {
    let rows = vec![json!({"conversations": [{"value": "a"}, {"text": "b"}]})];
    let host = Host::new().with_rows("path", rows);
    let error = host.run_dataset::<ShareGpt>(r#"{"path": "x"}"#, DatasetArgs::default()).unwrap_err();
    let location = error.location.unwrap();
    assert_eq!((location.row, location.column.as_deref()), (Some(1), Some("/conversations/1")));
}

#[test]
fn what_is_passed_over_is_counted_by_reason() {
    let pair = |question: &str| json!({"conversations": [{"value": question}, {"value": "an answer of some length"}]});
    let rows = vec![
        pair("a question of some length"),
        json!({"conversations": [{"value": "alone"}]}),
        pair("?"),
        json!({"other": 1}),
    ];
    let host = Host::new().with_rows("path", rows);
    let args = DatasetArgs { count: 5, ..DatasetArgs::default() };
    let run = host.run_dataset::<ShareGpt>(r#"{"path": "x"}"#, args).unwrap();
    let skipped: Vec<_> = run.summary.skipped.iter().map(|skip| (skip.reason.as_str(), skip.count)).collect();
    assert_eq!(skipped, [("without a question and an answer", 2), ("too short or too long to be asked", 1)]);
    let ids: Vec<_> = run.samples.iter().filter_map(|sample| sample.id.as_deref()).collect();
    assert_eq!(ids, ["test-0", "test-1", "test-2", "test-3", "test-4"]);
    assert!(run.samples.iter().all(|sample| sample.turns == run.samples[0].turns));
}

#[test]
fn nothing_to_ask_is_said_clearly() {
    let host = Host::new().with_rows("path", vec![json!({"conversations": []})]);
    let error = host.run_dataset::<ShareGpt>(r#"{"path": "x"}"#, DatasetArgs::default()).unwrap_err();
    assert!(error.message.contains("no conversation can be asked"), "{}", error.message);
    let host = Host::new().with_rows("path", Vec::new()).without_tokenizer();
    let error = host.run_dataset::<ShareGpt>(r#"{"path": "x"}"#, DatasetArgs::default()).unwrap_err();
    assert_eq!(error.cause, vbench_plugin::Cause::Config);
}
