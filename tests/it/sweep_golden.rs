//! Recorded sweeps of the reference client, run again with a stand-in for
//! `vllm`. See `tests/fixtures/sweep/README.md`.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::command::{Vbench, fixtures};
use super::stand_in;

/// Files that vbench adds.
const OWN_FILES: [&str; 3] = [".", "vbench", "aggregate"];

fn json_of(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a folder, relative to it.
fn files(root: &Path) -> BTreeSet<String> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root).expect("it is below").display().to_string());
            }
        }
    }
    found
}

fn copy_tree(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(&file);
        fs::create_dir_all(target.parent().expect("it has one")).expect("a folder");
        fs::copy(from.join(&file), target).expect("a copy");
    }
}

/// The tree that a case starts from.
fn prepare(pre: &str, cases: &Path, out: &Path) {
    let (mode, source) = pre.split_once(':').expect("a mode and a case");
    let experiment = out.join("exp");
    copy_tree(&cases.join(format!("sweep-{source}/tree/exp")), &experiment);
    if mode == "partial" {
        let mut dirs: Vec<PathBuf> = fs::read_dir(&experiment)
            .expect("a folder")
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("SERVE")))
            .collect();
        dirs.sort();
        let last = dirs.last().expect("a pair");
        for file in [last.join("run=1.json"), last.join("summary.json"), experiment.join("summary.csv")] {
            fs::remove_file(file).expect("it is there");
        }
    }
}

/// A result without what differs by design.
fn stripped(mut value: Value) -> Value {
    for object in value.as_array_mut().map_or_else(Vec::new, |items| items.iter_mut().collect()) {
        if let Some(object) = object.as_object_mut() {
            object.remove("vbench");
        }
    }
    if let Some(object) = value.as_object_mut() {
        object.remove("vbench");
    }
    value
}

fn differences(name: &str, cases: &Path) -> Vec<String> {
    let dir = cases.join(name);
    let case = json_of(&dir.join("case.json"));
    let work = Arc::new(tempfile::tempdir().expect("a temporary folder"));
    let (out, bin) = (work.path().join("o"), work.path().join("bin"));
    for folder in [&out, &bin] {
        fs::create_dir(folder).expect("a folder");
    }
    let log = work.path().join("argv.jsonl");
    stand_in::install(&bin, &["vllm", "fakeserver"], &log);
    if let Some(pre) = case["pre"].as_str() {
        prepare(pre, cases, &out);
    }
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let out_text = out.display().to_string();
    let words = case["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let words = words.map(|word| word.replace("@PORT2@", &port.to_string()).replace("@OUT@", &out_text));
    let sub = case["sub"].as_str().unwrap_or_default();
    let args = ["sweep", sub, "--compat", "v0.33"].into_iter().map(str::to_owned).chain(words);
    let outcome = Vbench::within(Arc::clone(&work), args)
        .env("PATH", &format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()))
        .in_dir(&fixtures().join("sweep"))
        .run();

    let back = |text: &str| text.replace(&out_text, "@OUT@").replace(&port.to_string(), "@PORT2@");
    let mut problems = Vec::new();
    let succeeds = case["exit_code"] == 0;
    if succeeds != (outcome.code == Some(0)) {
        problems.push(format!("exit {:?}: {}", outcome.code, outcome.stderr));
    }
    // The name of this one is the time.
    if name.contains("default-name") {
        return problems;
    }
    let listed: BTreeSet<String> = case["files"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|file| !file.is_empty() && !file.ends_with('/'))
        .map(str::to_owned)
        .collect();
    let written: BTreeSet<String> = files(&out)
        .into_iter()
        .filter(|file| {
            let last = file.rsplit('/').next().unwrap_or_default();
            !OWN_FILES.iter().any(|own| last.starts_with(own)) && !file.contains("/logs/")
        })
        .collect();
    for file in listed.symmetric_difference(&written) {
        problems.push(format!("{file}: {}", if listed.contains(file) { "missing" } else { "not expected" }));
    }
    for file in listed.intersection(&written) {
        let (expected, got) = (dir.join("tree").join(file), out.join(file));
        if !expected.exists() {
            continue;
        }
        let same = if file.ends_with("failure.json") {
            // What vbench adds to a failure is its own.
            let (expected, got) = (json_of(&expected), json_of(&got));
            ["run_number", "error_type", "serve_overrides", "bench_overrides"]
                .iter()
                .all(|key| expected.get(*key) == got.get(*key))
        } else if file.ends_with(".json") {
            stripped(json_of(&expected)) == stripped(json_of(&got))
        } else {
            fs::read(&expected).expect("it is there") == fs::read(&got).expect("it is there")
        };
        if !same {
            problems.push(format!("{file}: differs"));
        }
    }
    let lines = |text: String| -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let expected = lines(fs::read_to_string(dir.join("argv.jsonl")).unwrap_or_default());
    let got = lines(back(&fs::read_to_string(&log).unwrap_or_default()));
    if expected != got {
        let at = expected.iter().zip(&got).take_while(|(a, b)| a == b).count();
        problems.push(format!(
            "commands differ from {at} on: {:?} expected {:?}",
            got.get(at),
            expected.get(at)
        ));
    }
    if succeeds {
        let printed: BTreeSet<String> = back(&outcome.stdout).lines().map(str::to_owned).collect();
        let recorded = fs::read_to_string(dir.join("console.txt")).unwrap_or_default();
        let lost = recorded.lines().filter(|line| !line.trim().is_empty() && !printed.contains(*line));
        problems.extend(lost.map(|line| format!("not printed: {line}")));
    }
    problems
}

#[test]
fn recorded_sweeps_are_repeated() {
    let cases = fixtures().join("sweep/cases");
    let mut names: Vec<String> = fs::read_dir(&cases)
        .expect("the fixtures are there")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let failed: Vec<String> = names
        .iter()
        .filter_map(|name| {
            let problems = differences(name, &cases);
            (!problems.is_empty()).then(|| format!("{name}\n    {}", problems.join("\n    ")))
        })
        .collect();
    assert!(
        !names.is_empty() && failed.is_empty(),
        "{} of {}:\n{}",
        failed.len(),
        names.len(),
        failed.join("\n")
    );
}
