//! The datasets against what the reference client sampled.

use serde_json::{Value, json};
use vbench_plugin::generators::PythonRandom;
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{ChatMl, DatasetArgs, DatasetRun, Host, RecordedSample};
use vbench_plugin_spec_bench::{SpecBench, SpeedBench};

#[derive(Deserialize)]
struct Case {
    case: String,
    dataset: String,
    count: i64,
    seed: u64,
    config: Value,
    samples: Vec<RecordedSample>,
}

fn rows(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap()
}

fn host(tokenizer: ChatMl) -> Host {
    Host::new()
        .with_tokenizer(tokenizer)
        .with_rows("path", rows(include_str!("fixtures/spec_bench.json")))
        .with_member_rows("path", "qualitative.jsonl", rows(include_str!("fixtures/qualitative.json")))
        .with_member_rows("path", "throughput_1k.jsonl", rows(include_str!("fixtures/throughput_1k.json")))
}

fn run(host: &Host, dataset: &str, mut config: Value, args: DatasetArgs) -> Result<DatasetRun> {
    config["path"] = json!("the.jsonl");
    match dataset {
        "spec_bench" => host.run_dataset::<SpecBench>(&config.to_string(), args),
        _ => host.run_dataset::<SpeedBench>(&config.to_string(), args),
    }
}

#[test]
fn samples_are_those_of_the_reference_client() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/cases.json")).unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let tokenizer = ChatMl::new(RecordedSample::lengths(&case.samples));
        let args = DatasetArgs::recorded(case.seed, case.count);
        let run = run(&host(tokenizer), &case.dataset, case.config, args).unwrap();
        RecordedSample::assert_drawn(&case.samples, &run.samples, &case.case);
    }
}

fn args(count: i64, compat: Compat) -> DatasetArgs {
    DatasetArgs { count, compat, seed: 7, ..DatasetArgs::default() }
}

/// The reference client's random choices of adapters come from the state that
/// is left, which knows nothing of the run's seed.
#[test]
fn the_order_is_drawn_with_seed_0() {
    let run = run(&host(ChatMl::default()), "spec_bench", json!({}), args(0, Compat::V0_33)).unwrap();
    let mut random = PythonRandom::new(0);
    random.shuffle(&mut vec![(); run.samples.len()]);
    assert_eq!(run.summary.python_random.unwrap().words, random.state().0);
    assert!(run.summary.numpy_random.is_none());
}

#[test]
fn options_that_the_reference_client_passes_over_count_here() {
    let config = json!({"skip_chat_template": true, "disable_shuffle": true});
    let host = host(ChatMl::default());
    let first = |compat| {
        let run = run(&host, "spec_bench", config.clone(), args(1, compat)).unwrap();
        let Prompt::Text(prompt) = &run.samples[0].turns[0].prompt else { panic!("no text") };
        (prompt.starts_with("<|im_start|>"), run.messages.len())
    };
    assert_eq!(first(Compat::Vbench), (false, 0));
    assert_eq!(first(Compat::V0_33), (true, 1));
}

#[test]
fn a_category_without_rows_is_refused() {
    for dataset in ["spec_bench", "speed_bench"] {
        let config = json!({"category": "cooking"});
        let error = run(&host(ChatMl::default()), dataset, config, args(3, Compat::V0_33)).unwrap_err();
        assert_eq!(error.config_key.as_deref(), Some("category"));
    }
    // Texts that all look like numbers are numbers to a data frame.
    let numbered = vec![json!({"category": "1", "turns": ["a"]}), json!({"category": "2", "turns": ["b"]})];
    let host = Host::new().with_tokenizer(ChatMl::default()).with_rows("path", numbered);
    let asked = |compat| run(&host, "spec_bench", json!({"category": "1"}), args(0, compat));
    assert!(asked(Compat::V0_33).is_err());
    assert_eq!(asked(Compat::Vbench).unwrap().samples.len(), 1);
}

#[test]
fn bad_rows_and_files_that_are_not_there_are_named() {
    for row in
        [json!({"turns": []}), json!({"turns": "a"}), json!({"turns": [["a"]]}), json!({"prompt": "a"})]
    {
        let host = Host::new().with_tokenizer(ChatMl::default()).with_rows("path", vec![row]);
        let error = run(&host, "spec_bench", json!({}), args(1, Compat::V0_33)).unwrap_err();
        let location = error.location.unwrap();
        assert_eq!((location.row, location.column.as_deref()), (Some(1), Some("turns")));
    }
    let config = json!({"dataset_subset": "throughput_8k"});
    assert!(run(&host(ChatMl::default()), "speed_bench", config, args(1, Compat::V0_33)).is_err());
    let without = host(ChatMl::default()).without_tokenizer();
    let error = run(&without, "speed_bench", json!({}), args(1, Compat::V0_33)).unwrap_err();
    assert!(error.message.contains("needs a tokenizer"));
}
