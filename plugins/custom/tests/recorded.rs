//! The dataset against what the reference client sampled.

use serde_json::{Value, json};
use vbench_plugin::log::Level;
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{ChatMl, DatasetArgs, Host, RecordedSample};
use vbench_plugin_custom::Custom;

#[derive(Deserialize)]
struct Case {
    case: String,
    file: String,
    count: i64,
    seed: u64,
    output_len: i64,
    disable_shuffle: bool,
    skip_chat_template: bool,
    samples: Vec<RecordedSample>,
}

fn rows(file: &str) -> Vec<Value> {
    let text = match file {
        "custom" => include_str!("fixtures/custom.json"),
        "custom_small" => include_str!("fixtures/custom_small.json"),
        other => panic!("no file {other}"),
    };
    serde_json::from_str(text).unwrap()
}

#[test]
fn samples_are_those_of_the_reference_client() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/cases.json")).unwrap();
    assert_eq!(cases.len(), 7);
    for case in cases {
        let tokenizer = ChatMl::new(RecordedSample::lengths(&case.samples));
        let host = Host::new().with_tokenizer(tokenizer).with_rows("path", rows(&case.file));
        let config = json!({
            "path": "x.jsonl",
            "output_len": case.output_len,
            "disable_shuffle": case.disable_shuffle,
            "skip_chat_template": case.skip_chat_template,
        });
        let args = DatasetArgs::recorded(case.seed, case.count);
        let run = host.run_dataset::<Custom>(&config.to_string(), args).unwrap();
        RecordedSample::assert_drawn(&case.samples, &run.samples, &case.case);
    }
}

fn run(rows: Vec<Value>, config: Value, compat: Compat) -> Result<testing::DatasetRun> {
    let args = DatasetArgs { count: 0, compat, backend: "openai-chat".into(), ..DatasetArgs::default() };
    Host::new()
        .with_tokenizer(ChatMl::default())
        .with_rows("path", rows)
        .run_dataset::<Custom>(&config.to_string(), args)
}

#[test]
fn a_row_without_a_length_is_named() {
    let rows = vec![json!({"prompt": "a", "output_tokens": 3.0}), json!({"prompt": "b"})];
    let config = json!({"path": "x.jsonl", "output_len": -1, "disable_shuffle": true});
    let error = run(rows, config, Compat::V0_33).unwrap_err();
    assert_eq!(
        error.message,
        "Invalid value for 'output_tokens' in custom dataset: 'nan'. Must be an integer."
    );
    assert_eq!(error.location.unwrap().row, Some(2));
}

#[test]
fn numbers_in_every_prompt_are_refused_under_the_reference_clients_rules_only() {
    let rows = vec![json!({"prompt": "1"}), json!({"prompt": "22"})];
    let config = json!({"path": "x.jsonl", "disable_shuffle": true, "skip_chat_template": true});
    assert!(run(rows.clone(), config.clone(), Compat::V0_33).is_err());
    let run = run(rows, config, Compat::Vbench).unwrap();
    assert_eq!(run.samples[1].turns[0].prompt, Prompt::Text("22".into()));
    assert!(run.messages.is_empty());
}

#[test]
fn template_options_are_passed_on_and_double_templating_is_warned_of() {
    let config = json!({"path": "x.jsonl", "chat_template_kwargs": {"thinking": true}});
    let run = run(vec![json!({"prompt": "a"})], config, Compat::Vbench).unwrap();
    let Prompt::Text(prompt) = &run.samples[0].turns[0].prompt else { panic!("no text") };
    assert!(prompt.ends_with("<|im_start|>assistant\n<think>\n"), "{prompt}");
    assert_eq!(run.messages[0].level, Level::Warn);
}

#[test]
fn other_files_and_bad_rows_are_refused() {
    let path = |path: &str| json!({"path": path});
    let error = run(Vec::new(), path("x.json"), Compat::V0_33).unwrap_err();
    assert!(error.message.starts_with("Only JSONL format is supported"));
    for row in [json!({"prompt": ["a"]}), json!({"text": "a"})] {
        let error = run(vec![row], path("x.jsonl"), Compat::Vbench).unwrap_err();
        assert_eq!(error.location.unwrap().column.as_deref(), Some("prompt"));
    }
}

/// Texts are numbers in a column where all are, as in a data frame; in any other
/// only whole ones are.
#[test]
fn lengths_are_read_as_the_whole_column_is() {
    let row = |output_tokens: Value| json!({"prompt": "a", "output_tokens": output_tokens});
    let config = json!({"path": "x.jsonl", "output_len": -1, "disable_shuffle": true});
    let lengths = |values: [Value; 3]| {
        run(values.map(row).to_vec(), config.clone(), Compat::V0_33)
            .map(|run| run.samples.iter().map(|sample| sample.turns[0].output_tokens).collect::<Vec<_>>())
    };
    assert_eq!(lengths([json!("4"), json!("5.0"), json!(6.9)]).unwrap(), [4, 5, 6]);
    assert_eq!(lengths([json!("4"), json!(5.0), json!("4")]).unwrap(), [4, 5, 4]);
    let error = lengths([json!("4"), json!("5.0"), json!("six")]).unwrap_err();
    assert_eq!(error.location.unwrap().row, Some(2));
    assert!(error.message.contains("'5.0'"), "{}", error.message);
}
