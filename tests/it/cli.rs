//! What a user sees: exit codes, messages, help, results.

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::command::{Mock, Outcome, Vbench, plugin_file};
use super::comparison;
use super::recording_server::RecordingServer;

/// Words that every run here begins with.
const SERVE: [&str; 9] = [
    "serve",
    "--model",
    "m",
    "--tokenizer",
    "tokenizers/bpe",
    "--ready-check-timeout-sec",
    "0",
    "--request-id-prefix",
    "r-",
];
/// A small dataset that is the same every time.
const SHAREGPT: [&str; 4] = ["--dataset-name", "sharegpt", "--dataset-path", "data/sharegpt_small.json"];
/// Writes `result.json`.
const SAVE: [&str; 6] =
    ["--save-result", "--save-detailed", "--result-dir", "@OUT@", "--result-filename", "result.json"];

fn words<'a>(parts: &[&[&'a str]]) -> Vec<&'a str> {
    parts.concat()
}

/// Runs each line, split at blanks, and shows exit codes and standard error.
fn transcript(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        let outcome = Vbench::new(line.split_whitespace()).run();
        let code = outcome.code.map_or("a signal".to_owned(), |code| code.to_string());
        text += &format!("$ vbench {line}\n{}[exit {code}]\n\n", outcome.errors());
    }
    text
}

/// Compares with a snapshot, in which nothing depends on the machine.
macro_rules! assert_stable {
    ($text:expr) => {
        insta::with_settings!({filters => vec![
            (r"/\S*/target/plugins/", "@PLUGINS@/"),
            (r"/\S*/hf/hub", "@HF@/hub"),
            (r"\b[0-9a-f]{64}\b", "@SHA256@"),
            (r"\b\d+ bytes\b", "@SIZE@ bytes"),
            (r"127\.0\.0\.1:\d{2,5}\b", "127.0.0.1:@PORT@"),
            (r"there are [a-z0-9_, -]+;", "there are @NAMES@;"),
            (r"offset 0x[0-9a-f]+", "offset @AT@"),
        ], snapshot_path => "snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!($text);
        });
    };
}

fn validate(result: &Value) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/result.schema.json");
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    let schema = compiler.compile(path, &mut schemas).expect("the schema is one");
    if let Err(error) = schemas.validate(result, schema) {
        panic!("{error:#}\n{result:#}");
    }
}

#[test]
fn command_lines_that_make_no_sense() {
    assert_stable!(transcript(&[
        "bogus",
        "serve --mock --no-such-flag",
        "serve --mock --random-input-len -3",
        "serve --mock --random-input-len many",
        "serve --mock --model m --tokenizer tokenizers/bpe --random-input-len 1 --random-range-ratio 0.9",
        "serve --mock --request-rate 0",
        "serve --mock --dataset-name nonsense",
        "serve --mock --dataset-name custom",
        "serve --mock --backend nonsense",
        "serve --mock --sla nonsense",
        "serve --mock --sla threshold",
        "serve --mock --base-url http://127.0.0.1:80",
        "serve --base-url ftp://x --model m --tokenizer tokenizers/bpe",
        "serve --base-url localhost:8000 --model m --tokenizer tokenizers/bpe",
        "mock --fail-every 2",
    ]));
}

#[test]
fn files_that_are_no_good() {
    assert_stable!(transcript(&[
        "serve --mock --model m --tokenizer tokenizers/bpe --dataset-name sharegpt --dataset-path nowhere.json",
        "serve --mock --model m --tokenizer tokenizers/bpe --dataset-name sharegpt --dataset-path data",
        "serve --mock --model m --tokenizer tokenizers/bpe --dataset-name sharegpt --dataset-path data/broken.jsonl",
        "serve --mock --model m --tokenizer tokenizers/bpe --dataset-name custom --dataset-path data/broken.jsonl",
        "serve --mock --model m --tokenizer tokenizers/bpe --dataset-name custom --dataset-path data/misspelt.jsonl",
        "serve --dry-run --model m --tokenizer tokenizers/bpe --dataset-name custom --dataset-path data/latin1.jsonl",
        "serve --dry-run --model m --tokenizer tokenizers/bpe --dataset-name custom --dataset-path data/wrong_type.jsonl --skip-chat-template --disable-shuffle",
        "serve --dry-run --model m --tokenizer tokenizers/bpe --dataset-name spec_bench --dataset-path data/custom.jsonl",
        "serve --dry-run --model m --tokenizer tokenizers/bpe --dataset-name sharegpt --dataset-path data/nothing_to_ask.json",
        "serve --dry-run --model m --tokenizer tokenizers/bpe --dataset-name timed_trace --dataset-path data/trace_gap.jsonl",
        "serve --dry-run --model m --tokenizer tokenizers/bpe --dataset-name burstgpt --dataset-path data/few_columns.csv",
        "serve --dry-run --model m --tokenizer tokenizers/bpe --dataset-name burstgpt --dataset-path data/custom.jsonl",
        "serve --mock --model m --tokenizer data",
        "serve --mock --model m --tokenizer acme/nowhere",
        "serve --mock --config nowhere.yaml",
        "--plugin nowhere.wasm plugin list",
        "--plugin data/custom.jsonl plugin list",
        "plugin inspect data/custom.jsonl",
    ]));
}

#[test]
fn a_damaged_plugin_is_the_plugins_fault() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let whole = std::fs::read(plugin_file("sharegpt")).expect("plugins are built");
    let file = dir.path().join("cut.wasm").display().to_string();
    std::fs::write(&file, &whole[..whole.len() / 2]).expect("it can be written");
    for args in [vec!["plugin", "inspect", &file], vec!["--plugin", &file, "plugin", "list"]] {
        let outcome = Vbench::new(args).run().expect_code(3);
        assert!(
            outcome.stderr.starts_with(&format!("error: plugin {file} is damaged or cut short: ")),
            "{}",
            outcome.stderr
        );
    }
}

#[test]
fn a_plugin_that_wants_too_much_memory_is_named() {
    let args = words(&[&["--plugin-memory-mib", "1"], &SERVE, &["--mock", "--num-prompts", "2"]]);
    let outcome = Vbench::new(args).run().expect_code(3);
    assert!(outcome.stderr.contains("MiB of memory and may have 1.0 MiB"), "{}", outcome.stderr);
}

#[test]
fn plugins_are_listed_and_inspected() {
    let file = plugin_file("sharegpt");
    let rows =
        |text: &str| text.lines().filter(|line| line.contains(" sharegpt ")).collect::<Vec<_>>().join("\n");
    let list = Vbench::new(["plugin", "list"]).run().expect_code(0).stdout;
    for name in ["custom", "random", "openai, vllm", "openai-chat", "goodput", "threshold"] {
        assert!(list.contains(name), "{name} in\n{list}");
    }
    let loaded = Vbench::new(["--plugin", &file, "plugin", "list"]).run().expect_code(0);
    assert_eq!(list.lines().count(), loaded.stdout.lines().count());
    let inspect = Vbench::new(["plugin", "inspect", &file]).run().expect_code(0).stdout;
    // What a toolchain imports of WASI is not ours to fix.
    let inspect: Vec<&str> = inspect.lines().filter(|line| !line.starts_with("import      wasi:")).collect();
    assert_stable!(format!(
        "{}\n{}\n{}\n{}",
        rows(&list),
        rows(&loaded.stdout),
        loaded.stderr,
        inspect.join("\n")
    ));
}

#[test]
fn help_shows_the_options_of_the_chosen_plugins() {
    let help = |args: &[&str]| Vbench::new(args).run().expect_code(0).stdout;
    let root = help(&["--help"]);
    for command in ["serve", "mock", "plugin", "--plugin <PLUGIN>"] {
        assert!(root.contains(command), "{command} in\n{root}");
    }
    let random = help(&["serve", "--dataset-name", "random", "--help"]);
    assert!(
        random.contains("--random-input-len <INT>") && !random.contains("--sharegpt-output-len"),
        "{random}"
    );
    let sharegpt = help(&["serve", "--dataset-name", "sharegpt", "--help"]);
    assert!(
        sharegpt.contains("--sharegpt-output-len <INT>") && !sharegpt.contains("--random-input-len"),
        "{sharegpt}"
    );
    for text in [&random, &sharegpt] {
        for flag in
            ["--goodput <WORD>", "--threshold-limits <JSON>", "--plugin-memory-mib <MIB>", "--openai-parse"]
        {
            assert!(text.contains(flag), "{flag} in\n{text}");
        }
    }
    let all = help(&["serve", "--help"]);
    assert!(all.contains("--random-input-len") && all.contains("--sharegpt-output-len"), "{all}");
    assert!(help(&["completions", "bash"]).contains("--sharegpt-output-len"));
}

#[test]
fn a_run_against_the_embedded_server_is_written_as_published() {
    let run = |extra: &[&str]| {
        Vbench::new(words(&[&SERVE, &["--mock", "--num-prompts", "4"], &SHAREGPT, extra]))
            .run()
            .expect_code(0)
    };
    let result = run(&SAVE).result();
    validate(&result);
    assert_eq!((&result["completed"], &result["failed"]), (&json!(4), &json!(0)));
    assert_eq!(result["ttfts"].as_array().map(Vec::len), Some(4));
    let plugins = result["vbench"]["plugins"].as_array().expect("plugins are listed");
    let names: Vec<&Value> = plugins.iter().map(|plugin| &plugin["plugin"]).collect();
    assert_eq!(names, ["sharegpt", "openai"]);
    assert_eq!(plugins[0]["grants"].as_array().map(Vec::len), Some(1));

    let brief = run(&["--save-result", "--result-dir", "@OUT@", "--result-filename", "result.json"]).result();
    validate(&brief);
    assert!(brief.get("ttfts").is_none());
    assert!(run(&[]).files().is_empty());
}

#[test]
fn an_agreement_that_is_missed_fails_the_command() {
    let run = |limit: &str| {
        let limits = json!({"p99_e2el_ms": limit}).to_string();
        let sla = ["--sla", "threshold", "--threshold-limits", &limits];
        Vbench::new(words(&[&SERVE, &["--mock", "--num-prompts", "3"], &SHAREGPT, &SAVE, &sla])).run()
    };
    let met = run("<=1e9").expect_code(0);
    assert!(met.stdout.contains("SLA threshold: PASSED"), "{}", met.stdout);
    assert_eq!(met.result()["vbench"]["sla"][0]["pass"], true);
    // The embedded server takes 50 ms to the first token.
    let missed = run("<=1").expect_code(1);
    assert!(missed.stdout.contains("SLA threshold: FAILED"), "{}", missed.stdout);
    let result = missed.result();
    validate(&result);
    assert_eq!(result["vbench"]["sla"][0]["pass"], false);
    assert!(result["vbench"]["sla"][0]["margin"].as_f64() > Some(1.0), "{result}");

    let nonsense = run("about 3").expect_code(2);
    assert!(
        nonsense.stderr.contains("the limit `about 3` of `p99_e2el_ms` has no operator"),
        "{}",
        nonsense.stderr
    );
}

#[test]
fn a_server_that_is_not_there_is_the_targets_fault() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port();
    let url = format!("http://127.0.0.1:{port}");
    let run = |extra: &[&str]| {
        Vbench::new(words(&[&SERVE, &["--base-url", &url], &SHAREGPT, &["--num-prompts", "3"], extra])).run()
    };
    // Without a check there is a run, and a result in which all failed.
    let outcome = run(&SAVE).expect_code(4);
    let result = outcome.result();
    validate(&result);
    assert_eq!((&result["completed"], &result["failed"]), (&json!(0), &json!(3)));
    assert!(outcome.stderr.contains("all requests failed"), "{}", outcome.stderr);

    let checked = run(&["--ready-check-timeout-sec=1"]).expect_code(4);
    assert!(checked.stderr.contains("error: Initial test run failed"), "{}", checked.stderr);
    assert!(
        checked.stderr.contains(&format!("cannot connect to 127.0.0.1:{port}: Connection refused")),
        "{}",
        checked.stderr
    );

    let nameless = Vbench::new(["serve", "--base-url", &url]).run().expect_code(4);
    assert!(nameless.stderr.contains("failed to fetch models from server"), "{}", nameless.stderr);
}

/// Six requests, of which every third fails.
fn run_failing(kind: &str, backend: &str, extra: &[&str]) -> Outcome {
    let mock = Mock::start(&["--fail-every", "3", "--fail-kind", kind]);
    let args = [
        "--base-url",
        &mock.url,
        "--backend",
        backend,
        "--num-prompts",
        "6",
        "--max-concurrency",
        "1",
        "--sharegpt-output-len",
        "6",
        "--request-timeout-sec",
        "1",
    ];
    Vbench::new(words(&[&SERVE, &args, &SHAREGPT, &SAVE, extra])).run()
}

#[test]
fn requests_that_fail_are_told_from_those_that_do_not() {
    let mut said = String::new();
    for kind in ["status-500", "status-429", "reset", "truncate", "stall", "garbage", "stream-error"] {
        for backend in ["openai", "openai-chat"] {
            let outcome = run_failing(kind, backend, &[]).expect_code(0);
            let result = outcome.result();
            validate(&result);
            assert_eq!((&result["completed"], &result["failed"]), (&json!(4), &json!(2)), "{kind} {backend}");
            let errors: Vec<&str> =
                result["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let failed: Vec<usize> = (0..6).filter(|&at| !errors[at].is_empty()).collect();
            assert_eq!(failed, [2, 5], "{kind} {backend}");
            assert_eq!(result["output_lens"], json!([6, 6, 0, 6, 6, 0]), "{kind} {backend}");
            said += &format!("{kind} {backend}: {}\n", errors[2]);
        }
    }
    assert_stable!(said);
}

#[test]
fn failed_requests_fail_the_command_if_asked_to() {
    run_failing("reset", "openai", &["--fail-on-errors"]).expect_code(1);
    run_failing("reset", "openai", &["--max-error-rate", "0.3"]).expect_code(1);
    run_failing("reset", "openai", &["--max-error-rate", "0.34"]).expect_code(0);
}

/// Waits until the server has had this many measured requests.
fn wait_for_requests(server: &RecordingServer, count: usize) {
    for _ in 0..20_000 {
        if server.seen("/v1/completions") >= count {
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
    panic!("the run does not begin");
}

#[test]
fn a_signal_ends_the_run_and_what_was_measured_is_kept() {
    for signal in ["INT", "TERM"] {
        let server = RecordingServer::start(json!({}));
        let url = server.url();
        let load = ["--base-url", &url, "--num-prompts", "100000", "--request-rate", "50"];
        let requests = ["--save-requests", "@OUT@/requests.jsonl"];
        let running = Vbench::new(words(&[&SERVE, &load, &SHAREGPT, &SAVE, &requests])).start();
        wait_for_requests(&server, 10);
        running.signal(signal);
        let outcome = running.wait().expect_code(130);
        assert!(outcome.stderr.contains("the run was stopped: "), "{}", outcome.stderr);
        assert!(outcome.stdout.contains("Serving Benchmark Result"), "{}", outcome.stdout);
        let result = outcome.result();
        validate(&result);
        let count = |key: &str| result[key].as_u64().expect("it is a count");
        assert!((9..99_999).contains(&count("completed")), "{}", count("completed"));
        let lines = outcome.file("requests.jsonl").unwrap_or_default().lines().count() as u64;
        assert_eq!(lines, count("completed") + count("failed"));
    }
}

#[test]
fn a_signal_ends_the_wait_for_the_server() {
    let server = RecordingServer::start(json!({"gen": {"ttft_ms": [600_000]}}));
    let url = server.url();
    let args =
        ["serve", "--model", "m", "--tokenizer", "tokenizers/bpe", "--base-url", &url, "--num-prompts", "2"];
    let running = Vbench::new(words(&[&args, &SHAREGPT])).start();
    wait_for_requests(&server, 1);
    running.signal("INT");
    running.wait().expect_code(130);
}

#[test]
fn a_server_that_dies_leaves_a_result() {
    let abort =
        json!({"steps": [["w", "data: {\"choices\": [{\"index\": 0, \"text\": \"a\"}]}\n\n"], ["abort"]]});
    let server = RecordingServer::start(json!({"scripts": [abort]}));
    let url = server.url();
    let args = ["--base-url", &url, "--num-prompts", "3"];
    let outcome = Vbench::new(words(&[&SERVE, &args, &SHAREGPT, &SAVE])).run().expect_code(4);
    let result = outcome.result();
    validate(&result);
    assert_eq!(result["failed"], 3);
    assert_eq!(result["errors"][0], "the connection ended before the response was complete");
}

#[test]
fn a_plugin_from_a_file_asks_what_the_built_in_one_asks() {
    let file = plugin_file("sharegpt");
    let run = |globals: &[&str]| {
        let server = RecordingServer::start(json!({}));
        let url = server.url();
        let args = ["--base-url", &url, "--num-prompts", "12", "--seed", "7"];
        let outcome = Vbench::new(words(&[globals, &SERVE, &args, &SHAREGPT, &SAVE])).run().expect_code(0);
        (server.take_log(), outcome.result())
    };
    let (built_in, first) = run(&[]);
    let (from_file, second) = run(&["--plugin", &file]);
    assert_eq!(built_in.iter().filter(|request| request["path"] == "/v1/completions").count(), 12);
    assert_eq!(comparison::requests(&built_in, &from_file, false), [""; 0]);
    let source = |result: &Value| result["vbench"]["plugins"][0]["source"].clone();
    assert_eq!(source(&first), "builtin");
    assert_ne!(source(&second), "builtin");
    assert_eq!(first["vbench"]["plugins"][0]["sha256"], second["vbench"]["plugins"][0]["sha256"]);
}

#[test]
fn reading_in_the_plugin_and_by_plan_come_to_the_same() {
    for (backend, flag) in [("openai", "--openai-parse"), ("openai-chat", "--openai-chat-parse")] {
        let run = |extra: &[&str]| {
            let server =
                RecordingServer::start(json!({"gen": {"chunks_per_request": [1, 5, 3], "fail_idx": [2],
                "usage": {"on": "own", "fields": ["prompt_tokens", "completion_tokens"]}}}));
            let url = server.url();
            let args = ["--base-url", &url, "--backend", backend, "--num-prompts", "6"];
            Vbench::new(words(&[&SERVE, &args, &SHAREGPT, &SAVE, extra])).run().expect_code(0).result()
        };
        let (by_plan, by_plugin) = (run(&[]), run(&[flag]));
        assert_eq!((&by_plan["completed"], &by_plan["failed"]), (&json!(5), &json!(1)));
        assert_eq!(comparison::result(&without_own(&by_plan), &by_plugin), [""; 0], "{backend}");
        assert_eq!(by_plan["errors"], by_plugin["errors"], "{backend}");
    }
}

/// A result without our own object.
fn without_own(result: &Value) -> Value {
    let own = result.as_object().into_iter().flatten().filter(|(key, _)| *key != "vbench");
    own.map(|(key, value)| (key.clone(), value.clone())).collect()
}
