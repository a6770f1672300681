//! Recorded runs of the reference client, run again. See
//! `tests/fixtures/golden/README.md`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use super::command::{Vbench, fixtures};
use super::comparison;
use super::recording_server::RecordingServer;

/// Cases that run at the same time. They wait more than they work.
const AT_A_TIME: usize = 4;

/// A recorded run.
struct Case {
    name: String,
    dir: PathBuf,
    case: Value,
}

/// Differences by aspect.
type Differences = BTreeMap<&'static str, Vec<String>>;

impl Case {
    fn load(name: &str) -> Self {
        let dir = fixtures().join("golden").join(name);
        let case = json_of(&dir.join("case.json")).unwrap_or_else(|| panic!("{name}: no case.json"));
        Self { name: name.to_owned(), dir, case }
    }

    fn args(&self) -> Vec<&str> {
        self.case["args"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Runs it. Panics only over what is wrong with the tests themselves.
    fn differences(&self) -> Differences {
        let args = self.args();
        let one_by_one = args.windows(2).any(|words| words == ["--max-concurrency", "1"]);
        let server = RecordingServer::start(json_of(&self.dir.join("server.json")).unwrap_or(Value::Null));
        let out = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let mut last = None;
        for _ in 0..self.case["repeat"].as_u64().unwrap_or(1) {
            server.take_log();
            let words = ["serve", "--compat", "v0.33"].into_iter().chain(args.iter().copied());
            let words = words.map(|word| word.replace("@PORT@", &server.port.to_string()));
            let mut command = Vbench::within(Arc::clone(&out), words);
            if let Some(dir) = self.case["cwd"].as_str() {
                command = command.in_dir(&fixtures().join(dir));
            }
            for (name, value) in self.case["env"].as_object().into_iter().flatten() {
                command = command.env(name, value.as_str().unwrap_or_default());
            }
            last = Some(command.run());
        }
        let outcome = last.expect("a case runs at least once");

        let mut found = Differences::new();
        let mut add = |aspect, problems: Vec<String>| {
            if !problems.is_empty() {
                found.insert(aspect, problems);
            }
        };
        let succeeded = outcome.code == Some(0);
        let refused = matches!(outcome.code, Some(1..=4));
        if (self.case["exit_code"] == 0) != succeeded || !(succeeded || refused) {
            let message = outcome.stderr.trim().to_owned();
            add("exit", vec![format!("{:?} expected {}: {message}", outcome.code, self.case["exit_code"])]);
        }
        let files: Vec<String> = outcome.files().iter().map(|name| without_date(name)).collect();
        let expected: Vec<String> = self.case["files"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(without_date)
            .collect();
        if files != expected {
            add("files", vec![format!("{files:?} expected {expected:?}")]);
        }
        let recorded: Vec<Value> = fs::read_to_string(self.dir.join("requests.jsonl"))
            .unwrap_or_default()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{}: {e}", self.name)))
            .collect();
        add("requests", comparison::requests(&recorded, &server.take_log(), one_by_one));
        if let Ok(expected) = fs::read_to_string(self.dir.join("result.json")) {
            let got = outcome.file("result.json").unwrap_or_default();
            let got = serde_json::from_str(got.lines().last().unwrap_or_default()).unwrap_or(Value::Null);
            add(
                "result",
                match serde_json::from_str(&expected) {
                    Ok(expected) => comparison::result(&expected, &got),
                    Err(error) => vec![format!("the recorded result is no JSON: {error}")],
                },
            );
        }
        let table = fs::read_to_string(self.dir.join("table.txt")).unwrap_or_default();
        add("console", comparison::table(&table, &outcome.stdout));
        found
    }
}

fn json_of(path: &Path) -> Option<Value> {
    let text = fs::read_to_string(path).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// A file name with `DATE` in place of `20261122-101430`.
fn without_date(name: &str) -> String {
    let is_date = |text: &str| {
        text.len() == 15
            && text
                .bytes()
                .enumerate()
                .all(|(at, byte)| if at == 8 { byte == b'-' } else { byte.is_ascii_digit() })
    };
    let at = (0..name.len()).find(|&at| name.get(at..at + 15).is_some_and(is_date));
    at.map_or_else(|| name.to_owned(), |at| format!("{}DATE{}", &name[..at], &name[at + 15..]))
}

/// Lines of a list that are no comments.
fn lines(file: &str) -> Vec<String> {
    let text = fs::read_to_string(fixtures().join("golden").join(file)).expect("the list is there");
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// A difference that there is a reason for.
struct Known {
    case: String,
    aspect: String,
    reason: String,
}

fn known_differences() -> Vec<Known> {
    let parse = |line: &String| {
        let mut words = line.splitn(3, "  ").map(|word| word.trim().to_owned());
        let known = Known { case: words.next()?, aspect: words.next()?, reason: words.next()? };
        ["exit", "files", "requests", "result", "console"].contains(&known.aspect.as_str()).then_some(known)
    };
    lines("differences.txt")
        .iter()
        .map(|line| parse(line).unwrap_or_else(|| panic!("differences.txt: {line}")))
        .collect()
}

#[test]
fn recorded_runs_are_repeated() {
    let names = lines("cases.txt");
    assert!(!names.is_empty());
    let known = known_differences();
    for known in &known {
        assert!(names.contains(&known.case), "differences.txt names `{}`, which is no case", known.case);
    }
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(BTreeMap::<String, Vec<String>>::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let problems = judge(name, Case::load(name).differences(), &known);
                    if !problems.is_empty() {
                        failures.lock().expect("no thread panics with it").insert(name.clone(), problems);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no thread panicked");
    let text: Vec<String> =
        failures.iter().map(|(name, found)| format!("{name}\n    {}", found.join("\n    "))).collect();
    assert!(text.is_empty(), "{} of {} cases differ:\n{}", text.len(), names.len(), text.join("\n"));
}

/// A run of 1,400 requests, of which the order is recorded alone: more rows of a
/// Parquet file than the buffer of a streamed shuffle holds, a question each.
#[test]
fn a_long_stream_of_parquet_comes_in_the_recorded_order() {
    let recorded = include_str!("../../plugins/hf/tests/fixtures/stream_order.json");
    let recorded: Value = serde_json::from_str(recorded).expect("the recording is JSON");
    let order: Vec<u64> =
        recorded["order"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    let server = RecordingServer::start(Value::Null);
    let (count, seed, url) = (order.len().to_string(), recorded["seed"].to_string(), server.url());
    let args = [
        [
            "serve",
            "--compat",
            "v0.33",
            "--model",
            "mock-model",
            "--tokenizer",
            "tokenizers/bpe",
            "--base-url",
            &url,
        ],
        [
            "--num-prompts",
            &count,
            "--seed",
            &seed,
            "--disable-tqdm",
            "--max-concurrency",
            "8",
            "--request-id-prefix",
            "g-",
        ],
    ];
    let dataset =
        ["--dataset-name", "hf", "--dataset-path", "data/hf/big", "--hf-name", "philschmid/mt-bench"];
    let results = ["--save-result", "--result-dir", "@OUT@", "--result-filename", "result.json"];
    let lengths = ["--skip-chat-template", "--hf-output-len", "1"];
    let args = args.concat().into_iter().chain(dataset).chain(results).chain(lengths);
    let result = Vbench::new(args).run().expect_code(0).result();
    // Recorded with the order.
    assert_eq!((&result["completed"], &result["total_input_tokens"]), (&1400.into(), &8745.into()));
    let asked: BTreeMap<u64, String> = server
        .take_log()
        .iter()
        .filter_map(|request| {
            let number = request["headers"]["x-request-id"].as_str()?.strip_prefix("g-")?.parse().ok()?;
            Some((number, request["json"]["prompt"].as_str()?.to_owned()))
        })
        .collect();
    let expected: Vec<String> = order.iter().map(|row| format!("question {row}")).collect();
    assert!(asked.into_values().eq(expected));
}

/// What is wrong with a case, given what may be.
fn judge(name: &str, mut found: Differences, known: &[Known]) -> Vec<String> {
    let mut problems = Vec::new();
    for known in known.iter().filter(|known| known.case == name) {
        if found.remove(known.aspect.as_str()).is_none() && !known.reason.starts_with("pending:") {
            problems.push(format!("{}: does not differ; remove it from differences.txt", known.aspect));
        }
    }
    problems.extend(
        found
            .into_iter()
            .flat_map(|(aspect, list)| list.into_iter().map(move |text| format!("{aspect}: {text}"))),
    );
    problems
}

#[test]
fn dates_in_names_are_recognised() {
    assert_eq!(without_date("openai-infqps-m-20261122-101430.json"), "openai-infqps-m-DATE.json");
    assert_eq!(without_date("result.json"), "result.json");
    assert_eq!(without_date("ä20261122x101430"), "ä20261122x101430");
}

#[test]
fn known_differences_excuse_only_themselves() {
    let known = |reason: &str| [Known { case: "c".into(), aspect: "exit".into(), reason: reason.into() }];
    let found =
        |aspects: &[&'static str]| aspects.iter().map(|aspect| (*aspect, vec!["x".to_owned()])).collect();
    assert!(judge("c", found(&["exit"]), &known("why")).is_empty());
    assert_eq!(judge("c", found(&["exit", "result"]), &known("why")), ["result: x"]);
    assert_eq!(judge("c", found(&[]), &known("why")).len(), 1);
    assert!(judge("c", found(&[]), &known("pending: soon")).is_empty());
    assert_eq!(judge("d", found(&["exit"]), &known("why")), ["exit: x"]);
}
