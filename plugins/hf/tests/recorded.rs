//! The dataset against what the reference client sampled.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use vbench_plugin::dataset::Grant;
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{ChatMl, DatasetArgs, Host};
use vbench_plugin_hf::HuggingFace;

#[derive(Deserialize)]
struct Case {
    case: String,
    folder: String,
    config: Map<String, Value>,
    seed: u64,
    count: i64,
    backend: String,
    /// Tokens of the answers that count.
    answers: HashMap<String, usize>,
    samples: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Recorded {
    request_id: String,
    prompt_len: u64,
    output_len: i64,
    prompt: String,
    overrides: Option<String>,
    /// What the prompt is counted by, where it is a chat.
    text: Option<String>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Puts the files of a folder of JSON Lines into the host.
fn with_files(mut host: Host, root: &Path, folder: &Path) -> Host {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            host = with_files(host, root, &path);
        } else if path.extension().is_some_and(|ending| ending == "jsonl" || ending == "json") {
            let text = fs::read_to_string(&path).unwrap();
            let rows = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            host = host.with_member_rows("path", path.strip_prefix(root).unwrap().to_str().unwrap(), rows);
        }
    }
    host
}

fn grants(folder: &Path) -> Vec<Grant> {
    vec![Grant { config_key: "path".into(), guest_path: folder.to_str().unwrap().into() }]
}

#[test]
fn samples_are_those_of_the_reference_client() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/cases.json")).unwrap();
    assert_eq!(cases.len(), 16);
    for case in cases {
        let mut lengths = case.answers;
        for sample in &case.samples {
            let text = sample.text.as_ref().unwrap_or(&sample.prompt);
            lengths.insert(text.clone(), sample.prompt_len as usize);
        }
        let folder = fixtures().join(&case.folder);
        let host = with_files(Host::new().with_tokenizer(ChatMl::new(lengths)), &folder, &folder);
        let mut config = case.config;
        if !config.contains_key("blazedit_max_distance") {
            config.insert("blazedit_max_distance".into(), 1.0.into());
        }
        if case.case.starts_with("bfcl") {
            // The reference client has the cache without being told.
            config.insert("name".into(), config["path"].clone());
        }
        let args = DatasetArgs {
            backend: case.backend,
            grants: grants(&folder),
            ..DatasetArgs::recorded(case.seed, case.count)
        };
        let run = host.run_dataset::<HuggingFace>(&Value::Object(config).to_string(), args).unwrap();
        assert_eq!(run.samples.len(), case.samples.len(), "{}", case.case);
        for (sample, recorded) in run.samples.iter().zip(&case.samples) {
            let turn = &sample.turns[0];
            let name = format!("{} {}", case.case, recorded.request_id);
            let prompt = match &turn.prompt {
                Prompt::Text(text) | Prompt::Messages(text) => text,
                other => panic!("{name}: {other:?}"),
            };
            assert_eq!(sample.id.as_deref(), Some(recorded.request_id.as_str()), "{name}");
            assert_eq!(*prompt, recorded.prompt, "{name}");
            assert_eq!(sample.overrides, recorded.overrides, "{name}");
            assert_eq!(
                (turn.prompt_tokens, turn.output_tokens),
                (recorded.prompt_len, recorded.output_len),
                "{name}"
            );
        }
    }
}

#[derive(Deserialize)]
struct StreamOrder {
    seed: u64,
    rows: u32,
    order: Vec<u32>,
}

#[test]
fn more_rows_than_the_buffer_holds_come_in_the_recorded_order() {
    let recorded: StreamOrder = serde_json::from_str(include_str!("fixtures/stream_order.json")).unwrap();
    let rows = (0..recorded.rows).map(|row| serde_json::json!({"turns": [row.to_string()]})).collect();
    let config = r#"{"path": "x.jsonl", "name": "philschmid/mt-bench", "skip_chat_template": true}"#;
    let args = DatasetArgs {
        seed: recorded.seed,
        count: recorded.order.len() as i64,
        compat: Compat::V0_33,
        ..DatasetArgs::default()
    };
    let run = Host::new().with_rows("path", rows).run_dataset::<HuggingFace>(config, args).unwrap();
    let order: Vec<Prompt> = run.samples.into_iter().map(|sample| sample.turns[0].prompt.clone()).collect();
    assert!(order.into_iter().eq(recorded.order.iter().map(|row| Prompt::Text(row.to_string()))));
}
