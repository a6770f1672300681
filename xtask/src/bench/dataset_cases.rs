//! What datasets are measured with: their options, and files that are made for
//! them, with the columns that they look at and texts about as long as those of
//! the real ones.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::data::{self, text};

/// A dataset with its options.
pub(super) struct DatasetCase {
    pub(super) name: &'static str,
    /// The name of the dataset.
    pub(super) offer: &'static str,
    options: &'static [&'static str],
    input: Input,
}

/// What `--dataset-path` names.
enum Input {
    /// Nothing.
    None,
    /// A file of so many rows.
    File(&'static str, fn(&Path, u64) -> Result<()>),
    /// A file with a row a line.
    Rows(fn(u64) -> Value),
    /// A folder with files that share the rows.
    Folder(&'static [&'static str], fn(u64) -> Value),
}

impl DatasetCase {
    /// What a user would type, but for the path.
    pub(super) fn typed(&self) -> String {
        [&["--dataset-name", self.offer], self.options].concat().join(" ")
    }

    /// The flags of `vbench serve`, after a file of so many rows was written into
    /// `dir`, if the dataset reads one.
    pub(super) fn flags(&self, dir: &Path, rows: u64) -> Result<Vec<String>> {
        let mut flags = vec!["--dataset-name".to_owned(), self.offer.to_owned()];
        flags.extend(self.options.iter().map(|&option| option.to_owned()));
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let path = match self.input {
            Input::None => return Ok(flags),
            Input::File(name, write) => {
                let path = dir.join(name);
                write(&path, rows)?;
                path
            }
            Input::Rows(row) => {
                let path = dir.join("rows.jsonl");
                data::jsonl(&path, rows, row)?;
                path
            }
            Input::Folder(names, row) => {
                for name in names {
                    data::jsonl(&dir.join(name), rows.div_ceil(names.len() as u64), row)?;
                }
                dir.to_owned()
            }
        };
        flags.extend(["--dataset-path".to_owned(), path.display().to_string()]);
        Ok(flags)
    }
}

const fn case(
    name: &'static str,
    offer: &'static str,
    options: &'static [&'static str],
    input: Input,
) -> DatasetCase {
    DatasetCase { name, offer, options, input }
}

/// Every text dataset; of several cases of one the first is the usual one.
pub(super) const CASES: [DatasetCase; 26] = [
    case("random", "random", &["--random-input-len", "1024"], Input::None),
    case("random-parallel", "random", &["--random-input-len", "1024", "--sampling", "parallel"], Input::None),
    case("random-rerank", "random-rerank", &["--backend", "vllm-rerank"], Input::None),
    case(
        "random-rerank-parallel",
        "random-rerank",
        &["--backend", "vllm-rerank", "--sampling", "parallel"],
        Input::None,
    ),
    case("prefix_repetition", "prefix_repetition", &[], Input::None),
    case("prefix_repetition-parallel", "prefix_repetition", &["--sampling", "parallel"], Input::None),
    // Rows are about 7 KB; some are passed over.
    case(
        "sharegpt",
        "sharegpt",
        &[],
        Input::File("rows.json", |path, rows| data::sharegpt(path, rows * 9_000)),
    ),
    case(
        "custom",
        "custom",
        &[],
        Input::Rows(|n| json!({"prompt": text(n, 60 + n % 80), "output_tokens": 64})),
    ),
    case(
        "spec_bench",
        "spec_bench",
        &[],
        Input::Rows(
            |n| json!({"question_id": n, "category": category(n), "turns": [question(n), text(n, 30)]}),
        ),
    ),
    case(
        "speed_bench",
        "speed_bench",
        &[],
        Input::Folder(&["qualitative.jsonl"], |n| json!({"category": category(n), "messages": said(n)})),
    ),
    case("sonnet", "sonnet", &[], Input::None),
    case("burstgpt", "burstgpt", &[], Input::File("rows.csv", data::burstgpt)),
    // Blocks of 16 tokens, of which sixteen requests in a row share theirs.
    case(
        "timed_trace",
        "timed_trace",
        &[],
        Input::Rows(|n| {
            let blocks: Vec<u64> = (0..8).map(|block| n / 16 * 8 + block).collect();
            json!({"timestamp": n as f64 / 1e3, "input_length": 128, "output_length": 64, "hash_ids": blocks})
        }),
    ),
    // As in Mooncake's traces: milliseconds, blocks of 512 tokens, the first of which are shared.
    case(
        "timed_trace-mooncake",
        "timed_trace",
        &["--timed-trace-form", "mooncake"],
        Input::Rows(|n| {
            json!({
                "timestamp": n,
                "input_length": 2000,
                "output_length": 300,
                "hash_ids": [0, n / 16, 1_000_000 + 2 * n, 1_000_001 + 2 * n],
            })
        }),
    ),
    // Every prompt has tokens of its own.
    case(
        "timed_trace-burstgpt",
        "timed_trace",
        &["--timed-trace-form", "burstgpt"],
        Input::File("rows.csv", data::burstgpt),
    ),
    hf(
        "hf-gsm8k",
        &["--hf-name", "openai/gsm8k"],
        |n| json!({"question": text(n, 30 + n % 40), "answer": text(n, 80)}),
    ),
    hf(
        "hf-instruct-coder",
        &["--hf-name", "likaixin/InstructCoder"],
        |n| json!({"instruction": text(n, 20), "input": text(n, 100 + n % 80), "output": text(n, 120)}),
    ),
    hf(
        "hf-mt-bench",
        &["--hf-name", "philschmid/mt-bench"],
        |n| json!({"category": category(n), "turns": [question(n), text(n, 30)]}),
    ),
    hf(
        "hf-human-eval",
        &["--hf-name", "openai/openai_humaneval"],
        |n| json!({"task_id": n, "prompt": text(n, 100 + n % 60), "canonical_solution": text(n, 60), "test": text(n, 120)}),
    ),
    hf("hf-conversation", &["--hf-name", "Aeala/ShareGPT_Vicuna_unfiltered"], |n| {
        let turn = |from: &str, number, words| json!({"from": from, "value": text(number, words)});
        json!({"id": n, "conversations": [
            turn("human", 4 * n, 40 + n % 100), turn("gpt", 4 * n + 1, 60 + n % 150),
            turn("human", 4 * n + 2, 200), turn("gpt", 4 * n + 3, 400),
        ]})
    }),
    hf(
        "hf-aimo",
        &["--hf-name", "AI-MO/NuminaMath-CoT"],
        |n| json!({"problem": text(n, 40 + n % 40), "solution": text(n, 200 + n % 100)}),
    ),
    hf("hf-next-edit", &["--hf-name", "zed-industries/zeta"], |n| {
        let output = format!("{}<|editable_region_start|>{}", text(n, 50), text(n, 150));
        json!({"events": text(n, 80), "input": text(n, 200), "output": output})
    }),
    hf(
        "hf-blazedit",
        &["--hf-name", "vdaita/edit_5k_char"],
        |n| json!({"code": text(n, 600 + n % 200), "change_request": text(n, 30), "norm_distance": 0.3}),
    ),
    hf(
        "hf-mlperf",
        &["--hf-name", "mgoin/mlperf-inference-llama2-data"],
        |n| json!({"system_prompt": text(n, 20), "question": text(n, 80 + n % 80), "output": text(n, 150)}),
    ),
    case(
        "hf-bfcl",
        "hf",
        &["--hf-name", "gorilla-llm/Berkeley-Function-Calling-Leaderboard", "--backend", "openai-chat"],
        Input::Folder(&["BFCL_v3_simple.json", "BFCL_v3_live_simple.json", "BFCL_v3_multiple.json"], |n| {
            let property = |kind: &str| json!({"type": kind, "description": text(n, 8)});
            json!({"id": n, "question": [said(n)], "function": [{
                "name": "look_up",
                "description": text(n, 15),
                "parameters": {
                    "type": "dict",
                    "properties": {"place": property("string"), "height": property("float")},
                    "required": ["place"],
                },
            }]})
        }),
    ),
    hf(
        "hf-columns",
        &["--hf-prompt-column", "ask", "--hf-output-column", "answer"],
        |n| json!({"ask": question(n), "answer": text(n, 80)}),
    ),
];

const fn hf(name: &'static str, options: &'static [&'static str], row: fn(u64) -> Value) -> DatasetCase {
    case(name, "hf", options, Input::Rows(row))
}

fn question(number: u64) -> String {
    text(number, 60 + number % 80)
}

/// What a user says, as messages.
fn said(number: u64) -> Value {
    json!([{"role": "user", "content": question(number)}])
}

fn category(number: u64) -> String {
    format!("category {}", number % 7)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn files_are_where_the_flags_say() {
        let mut names = HashSet::new();
        for case in &CASES {
            assert!(names.insert(case.name), "{} is there twice", case.name);
            let dir = tempfile::tempdir().unwrap();
            let flags = case.flags(dir.path(), 3).unwrap();
            assert!(flags.join(" ").starts_with(&case.typed()), "{flags:?}");
            let path = flags.iter().skip_while(|flag| *flag != "--dataset-path").nth(1);
            let written = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
            match path {
                Some(path) => assert!(
                    Path::new(path) == dir.path() || written.collect::<Vec<_>>() == [Path::new(path)],
                    "{}",
                    case.name
                ),
                None => assert_eq!(written.count(), 0, "{}", case.name),
            }
        }
    }

    #[test]
    fn files_of_a_folder_share_the_rows() {
        let case = CASES.iter().find(|case| case.name == "hf-bfcl").unwrap();
        let dir = tempfile::tempdir().unwrap();
        case.flags(dir.path(), 7).unwrap();
        for file in fs::read_dir(dir.path()).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(rows.len(), 3);
            assert!(rows.iter().all(|row| row["function"][0]["parameters"]["type"] == "dict"));
        }
    }
}
