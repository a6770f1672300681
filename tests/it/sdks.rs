//! Projects of `vbench plugin new`, and the examples of the SDKs for Python and JavaScript, as components in a run.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::command::{SAVE, Vbench};
use super::recording_server::RecordingServer;

/// An example's component, built by `cargo xtask test-plugins`; none, with the reason shown, where its tools could not be
/// had. `cargo xtask test` counts these.
fn example(name: &str) -> Option<String> {
    let path =
        |ending: &str| format!("{}/../target/test-plugins/{name}.{ending}", env!("CARGO_MANIFEST_DIR"));
    let file = path("wasm");
    if fs::exists(&file).is_ok_and(|exists| exists) {
        return Some(file);
    }
    let reason = fs::read_to_string(path("skipped"))
        .unwrap_or_else(|_| panic!("{file} is missing; run `cargo xtask test-plugins`"));
    eprintln!("SKIPPED {name}: {reason}");
    None
}

/// Five questions of a file of three, sent to a server that keeps them.
fn asks_the_questions_of_a_file(file: &str, dataset: &str, questions: &str) {
    let server = RecordingServer::start(json!({}));
    let (path, length) = (format!("--{dataset}-path"), format!("--{dataset}-output-len"));
    let options = ["--dataset-name", dataset, &path, questions, &length, "7"];
    let five = ["--num-prompts", "5", "--request-id-prefix", "q-"];
    let flags = [&options[..], &five, &SAVE].concat();
    let outcome = Vbench::serve_in_turn(&server.url(), &[file], &flags).run().expect_code(0);
    let sent = server.take_log();
    let sent = sent.iter().filter(|request| request["path"] == "/v1/completions");
    let sent: Vec<_> = sent
        .map(|request| {
            (&request["json"]["prompt"], &request["json"]["max_tokens"], &request["headers"]["x-request-id"])
        })
        .collect();
    let asked = ["What is the capital of France?", "How far away is the moon?", "Who wrote Middlemarch?"];
    for (number, (prompt, length, id)) in sent.iter().enumerate() {
        assert_eq!(**prompt, asked[number % 3]);
        assert_eq!(**length, 7);
        assert_eq!(**id, format!("q-{number}"));
    }
    assert_eq!(sent.len(), 5);
    assert!(
        outcome.result()["total_input_tokens"].as_u64() > Some(5),
        "the host has counted the prompts' tokens"
    );
}

fn names_the_option_of_an_empty_file(file: &str, dataset: &str) {
    let dir = tempfile::tempdir().expect("a folder");
    let questions = dir.path().join("empty.txt").display().to_string();
    fs::write(&questions, "\n\n").expect("a file");
    let path = format!("--{dataset}-path");
    let flags = ["--dataset-name", dataset, &path, &questions];
    let outcome = Vbench::serve_mock(file, &[], &flags).run().expect_code(2);
    assert!(outcome.stderr.contains("the file has no question in it"), "{}", outcome.stderr);
}

fn fixture(language: &str) -> String {
    format!("{}/../sdk/{language}/examples/questions/questions.txt", env!("CARGO_MANIFEST_DIR"))
}

/// `cargo xtask test-plugins` has made the three projects, run their tests and built them.
#[test]
fn new_projects_in_rust_work_together() {
    let file = |kind: &str| {
        let file = format!("{}/../target/test-plugins/generated-{kind}.wasm", env!("CARGO_MANIFEST_DIR"));
        assert!(fs::exists(&file).is_ok_and(|exists| exists), "{file}: run `cargo xtask test-plugins`");
        file
    };
    let (dataset, backend, sla) = (file("dataset"), file("backend"), file("sla"));
    let server = RecordingServer::start(json!({}));
    let chosen = ["--dataset-name", "generated-dataset", "--backend", "generated-backend"];
    let judged = ["--sla", "generated-sla", "--generated-sla-ttft-ms", "60000", "--num-prompts", "5"];
    let options = ["--generated-dataset-prompt", "What is", "--generated-backend-prefix", "> "];
    let flags = [&chosen[..], &judged, &options, &SAVE].concat();
    let outcome =
        Vbench::serve_in_turn(&server.url(), &[&dataset, &backend, &sla], &flags).run().expect_code(0);
    let prompts: Vec<_> = server
        .take_log()
        .iter()
        .map(|request| request["json"]["prompt"].clone())
        .filter(Value::is_string)
        .collect();
    assert_eq!(prompts, ["> What is 0", "> What is 1", "> What is 2", "> What is 3", "> What is 4"]);
    let result = outcome.result();
    assert_eq!(result["completed"], 5);
    assert_eq!(result["vbench"]["sla"][0]["pass"], true, "{}", outcome.stdout);
    let plugins = result["vbench"]["plugins"].as_array().map(Vec::len);
    assert_eq!(plugins, Some(3), "{}", result["vbench"]["plugins"]);
    Vbench::new(["plugin", "check", &dataset, "--deterministic"]).run().expect_code(0);
}

#[test]
fn a_dataset_in_python() {
    let Some(file) = example("python-example") else { return };
    asks_the_questions_of_a_file(&file, "questions", &fixture("python"));
    names_the_option_of_an_empty_file(&file, "questions");
}

#[test]
fn a_dataset_in_python_that_imports_nothing_of_wasi() {
    let Some(file) = example("python-stubbed") else { return };
    let outcome = Vbench::new(["plugin", "inspect", &file]).run().expect_code(0);
    assert!(!outcome.stdout.contains("wasi:"), "{}", outcome.stdout);
    asks_the_questions_of_a_file(&file, "questions", &fixture("python"));
}

#[test]
fn a_mistake_in_python_is_shown_with_its_place() {
    let Some(file) = example("python-mistake") else { return };
    let outcome = Vbench::serve_mock(&file, &[], &["--dataset-name", "mistake"]).run().expect_code(3);
    assert!(
        outcome.stderr.contains("plugin `mistake`: ZeroDivisionError: division by zero, in share, line"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("Traceback (most recent call last)"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("mistake.py\", line 19, in samples"), "{}", outcome.stderr);
}

#[test]
fn a_dataset_in_javascript() {
    let Some(file) = example("javascript-example") else { return };
    asks_the_questions_of_a_file(&file, "questions-js", &fixture("javascript"));
    names_the_option_of_an_empty_file(&file, "questions-js");
}

/// Runs a program of another language in a folder; false, with a note, where there is none.
#[track_caller]
fn passes(program: &str, args: &[&str], folder: &Path, python_path: &Path) {
    let outcome =
        Command::new(program).args(args).current_dir(folder).env("PYTHONPATH", python_path).output();
    match outcome {
        Err(error) => eprintln!("SKIPPED {program} {}: {error}", args.join(" ")),
        Ok(outcome) => assert!(
            outcome.status.success(),
            "{}{}",
            String::from_utf8_lossy(&outcome.stdout),
            String::from_utf8_lossy(&outcome.stderr)
        ),
    }
}

fn sdk(path: &str) -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk").join(path)).expect("it is there")
}

#[test]
fn the_python_sdk_passes_its_own_tests() {
    let python = sdk("python");
    passes("python3", &["-m", "unittest", "discover", "-s", "tests"], &python, &python);
    passes("python3", &["-m", "unittest"], &sdk("python/examples/questions"), &python);
}

#[test]
fn the_javascript_example_passes_its_own_tests() {
    // As `npm install` would lay it out, but for the tools that build.
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir(dir.path().join("node_modules")).expect("a folder");
    symlink(sdk("javascript"), dir.path().join("node_modules/vbench-plugin")).expect("a link");
    for file in ["questions.js", "questions.test.js", "package.json"] {
        fs::copy(sdk("javascript/examples/questions").join(file), dir.path().join(file))
            .expect("it is there");
    }
    passes("node", &["--test"], dir.path(), dir.path());
}

#[test]
fn the_copies_of_the_contract_have_not_drifted() {
    let texts = |folder: &Path| -> BTreeMap<String, String> {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
        entries.map(|path| (name(&path), fs::read_to_string(&path).expect("a file"))).collect()
    };
    let contract = texts(&sdk("../wit/v0.1"));
    assert!(!contract.is_empty());
    for copy in ["python/vbench_plugin/wit/v0.1", "javascript/wit/v0.1"] {
        assert_eq!(texts(&sdk(copy)), contract, "copy wit/v0.1 to sdk/{copy}");
    }
}
