//! Every built-in backend against a stand-in of its API in the mock server.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use super::command::{Mock, Outcome, Vbench};
use super::recording_server::RecordingServer;

/// Runs at the same time. They wait more than they work.
const AT_A_TIME: usize = 4;
/// Requests of a run.
const REQUESTS: usize = 3;
/// Tokens of an answer.
const TOKENS: usize = 5;
/// Its text.
const TEXT: &str = " w0 w1 w2 w3 w4";

/// What a backend is asked with.
struct Case {
    backend: &'static str,
    path: &'static str,
    task: Task,
}

enum Task {
    /// Arguments that ask for an answer in one piece.
    Generation {
        whole: &'static [&'static str],
    },
    Pooling,
}

const NO_STREAM: &[&str] = &["--extra-body", r#"{"stream":false}"#];

const CASES: &[Case] = &[
    generation("anthropic-messages", "/v1/messages", NO_STREAM),
    generation("llama-cpp", "/completion", NO_STREAM),
    generation("ollama", "/api/chat", NO_STREAM),
    generation("openai", "/v1/completions", NO_STREAM),
    generation("openai-chat", "/v1/chat/completions", NO_STREAM),
    generation("openai-responses", "/v1/responses", NO_STREAM),
    generation("sglang", "/generate", NO_STREAM),
    // Described by the files of the guide, of which the second asks for no stream.
    generation("template", "/completion", &[]),
    generation(
        "tensorrt-llm",
        "/v2/models/ensemble/generate_stream",
        &["--endpoint", "/v2/models/ensemble/generate"],
    ),
    generation("tgi", "/generate_stream", &["--endpoint", "/generate"]),
    pooling("infinity-embeddings", "/embeddings"),
    pooling("infinity-embeddings-clip", "/embeddings"),
    pooling("openai-embeddings", "/v1/embeddings"),
    pooling("openai-embeddings-chat", "/v1/embeddings"),
    pooling("openai-embeddings-clip", "/v1/embeddings"),
    pooling("openai-embeddings-vlm2vec", "/v1/embeddings"),
    pooling("vllm-pooling", "/pooling"),
    pooling("vllm-rerank", "/v1/rerank"),
];

const fn generation(backend: &'static str, path: &'static str, whole: &'static [&'static str]) -> Case {
    Case { backend, path, task: Task::Generation { whole } }
}

const fn pooling(backend: &'static str, path: &'static str) -> Case {
    Case { backend, path, task: Task::Pooling }
}

/// The templates of the guide, as files: with a stream and without.
struct Templates {
    _dir: tempfile::TempDir,
    files: [String; 2],
}

impl Templates {
    fn of_the_guide() -> Self {
        let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guides/unknown-api.md");
        let guide = fs::read_to_string(guide).expect("the guide is there");
        let blocks =
            guide.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
        let dir = tempfile::tempdir().expect("a temporary folder");
        let files: Vec<String> = blocks
            .enumerate()
            .map(|(number, block)| {
                let path = dir.path().join(format!("{number}.json"));
                fs::write(&path, block).expect("it can be written");
                path.display().to_string()
            })
            .collect();
        Self { _dir: dir, files: files.try_into().expect("the guide has two templates") }
    }
}

impl Case {
    fn is_generation(&self) -> bool {
        matches!(self.task, Task::Generation { .. })
    }

    /// Runs it against a server.
    fn run(&self, url: &str, templates: &Templates, streams: bool, extra: &[&str]) -> Outcome {
        let requests = REQUESTS.to_string();
        let mut args = vec![
            "serve",
            "--model",
            "m",
            "--tokenizer",
            "tokenizers/bpe",
            "--ready-check-timeout-sec",
            "0",
            "--backend",
            self.backend,
            "--base-url",
            url,
            "--num-prompts",
            &requests,
            "--save-result",
            "--save-detailed",
            "--result-dir",
            "@OUT@",
            "--result-filename",
            "result.json",
            "--save-requests",
            "@OUT@/requests.jsonl",
        ];
        if self.backend == "vllm-rerank" {
            args.extend(["--dataset-name", "random-rerank", "--random-input-len", "20"]);
            args.extend(["--random-batch-size", "1"]);
        } else {
            args.extend(["--dataset-name", "sharegpt", "--dataset-path", "data/sharegpt_small.json"]);
            args.extend(["--sharegpt-output-len", "5"]);
        }
        if self.backend == "template" {
            args.extend(["--template", &templates.files[usize::from(!streams)]]);
        }
        if let Task::Generation { whole } = self.task
            && !streams
        {
            args.extend(whole);
        }
        args.extend(extra);
        Vbench::new(args).run()
    }
}

/// Does something with every backend, several at a time.
fn with_all(check: impl Fn(&Case, &Templates) + Sync) {
    let templates = Templates::of_the_guide();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(case) = CASES.get(next.fetch_add(1, Ordering::Relaxed)) {
                    check(case, &templates);
                }
            });
        }
    });
}

fn list<'a>(result: &'a Value, key: &str) -> Vec<&'a Value> {
    result[key].as_array().into_iter().flatten().collect()
}

fn errors(result: &Value) -> Vec<&str> {
    list(result, "errors").into_iter().filter_map(Value::as_str).collect()
}

#[test]
fn the_list_of_backends_is_whole() {
    let plugins = Vbench::new(["plugin", "list"]).run().expect_code(0).stdout;
    let mut names: Vec<&str> = plugins
        .lines()
        .filter_map(|line| line.strip_prefix("backend "))
        .filter_map(|line| line.split([',', ' ']).find(|word| !word.is_empty()))
        // It sends audio files, for which it has tests of its own.
        .filter(|name| *name != "openai-audio")
        .collect();
    names.sort_unstable();
    let mut covered: Vec<&str> = CASES.iter().map(|case| case.backend).collect();
    covered.sort_unstable();
    assert_eq!(names, covered);
}

#[test]
fn every_backend_reads_its_api_streamed_and_not() {
    let mock = Mock::start(&[]);
    with_all(|case, templates| {
        for streams in [true, false] {
            if !streams && !case.is_generation() {
                continue;
            }
            let what = format!("{} streams: {streams}", case.backend);
            let result = case.run(&mock.url, templates, streams, &[]).expect_code(0).result();
            assert_eq!(result["completed"], REQUESTS, "{what}: {:?}", errors(&result));
            assert!(list(&result, "input_lens").iter().all(|length| length.as_u64() > Some(0)), "{what}");
            if !case.is_generation() {
                assert_eq!(result["total_input_sequences"], REQUESTS, "{what}");
                continue;
            }
            assert_eq!(list(&result, "generated_texts"), [TEXT; REQUESTS], "{what}");
            // The tokenizer counts what Triton does not report.
            if case.backend != "tensorrt-llm" {
                assert_eq!(list(&result, "output_lens"), [TOKENS; REQUESTS], "{what}");
                assert_eq!(
                    result["vbench"]["finish_reasons"].as_object().map(|r| r.len()),
                    Some(1),
                    "{what}"
                );
            }
            let gaps = if streams { TOKENS - 1 } else { 0 };
            assert!(
                list(&result, "itls").iter().all(|itl| itl.as_array().map(Vec::len) == Some(gaps)),
                "{what}: {}",
                result["itls"]
            );
            let kinds = &result["vbench"]["token_kinds"];
            assert_eq!(kinds["content"]["events"], REQUESTS * (gaps + 1), "{what}");
        }
    });
}

#[test]
fn every_backend_tells_a_servers_error_by_the_servers_words() {
    let said = "the mock server was told to fail this request";
    let refusing = Mock::start(&["--fail-every", "1", "--fail-kind", "status-500"]);
    let breaking = Mock::start(&["--fail-every", "1", "--fail-kind", "stream-error"]);
    let cut = Mock::start(&["--fail-every", "1", "--fail-kind", "truncate"]);
    with_all(|case, templates| {
        let backend = case.backend;
        let result = case.run(&refusing.url, templates, true, &[]).expect_code(4).result();
        for error in errors(&result) {
            assert!(
                error.starts_with("500 Internal Server Error: ") && error.contains(said),
                "{backend}: {error}"
            );
        }
        assert_eq!(result["vbench"]["failures"]["status"]["count"], REQUESTS, "{backend}");
        let result = case.run(&cut.url, templates, true, &[]).expect_code(4).result();
        assert_eq!(
            result["vbench"]["failures"]["protocol"]["count"],
            REQUESTS,
            "{backend}: {:?}",
            errors(&result)
        );
        if !case.is_generation() {
            return;
        }
        let result = case.run(&breaking.url, templates, true, &[]).expect_code(4).result();
        assert_eq!(errors(&result), [said; REQUESTS], "{backend}");
        assert_eq!(result["vbench"]["failures"]["stream-error"]["count"], REQUESTS, "{backend}");
    });
}

#[test]
fn every_backend_tells_an_answer_of_the_wrong_kind() {
    let page = json!({"ctype": "text/html", "steps": [["w", "<html>Welcome to the gateway</html>"]]});
    let server = RecordingServer::start(json!({"scripts": [page]}));
    with_all(|case, templates| {
        let (backend, path) = (case.backend, case.path);
        let result = case.run(&server.url(), templates, true, &[]).expect_code(4).result();
        let start = format!(
            "a response of the wrong kind for the backend `{backend}` from {}{path}: `text/html` where ",
            server.url()
        );
        for error in errors(&result) {
            assert!(error.starts_with(&start) && error.ends_with("Welcome to the gateway</html>"), "{error}");
        }
        assert_eq!(result["vbench"]["failures"]["wrong-kind"]["count"], REQUESTS, "{backend}");
    });
}

#[test]
fn the_events_of_another_api_are_of_the_wrong_kind() {
    let event = r#"data: {"token": {"text": "a"}}"#;
    let server = RecordingServer::start(json!({"scripts": [{"steps": [["w", format!("{event}\n\n")]]}]}));
    let chat = CASES.iter().find(|case| case.backend == "openai-chat").expect("it is in the list");
    let result = chat.run(&server.url(), &Templates::of_the_guide(), true, &[]).expect_code(4).result();
    let error = errors(&result)[0].to_owned();
    assert!(
        error.contains("not one of its events is one that the backend knows: data: {\"token\""),
        "{error}"
    );
}

#[test]
fn reasoning_and_tool_calls_are_counted_and_timed_apart() {
    let mock = Mock::start(&["--reasoning-tokens", "2", "--tool-call-tokens", "1"]);
    let templates = Templates::of_the_guide();
    for backend in ["openai-chat", "openai-responses", "anthropic-messages", "ollama"] {
        let case = CASES.iter().find(|case| case.backend == backend).expect("it is in the list");
        let outcome = case.run(&mock.url, &templates, true, &[]).expect_code(0);
        assert!(outcome.stdout.contains("Median ITL, reasoning (ms):"), "{}", outcome.stdout);
        let result = outcome.result();
        let kinds = &result["vbench"]["token_kinds"];
        assert_eq!(kinds["reasoning"]["events"], REQUESTS * 2, "{backend}: {kinds}");
        assert_eq!(kinds["content"]["events"], REQUESTS * 2, "{backend}");
        // The Messages API names the tool in an event of its own.
        let named = usize::from(backend == "anthropic-messages");
        assert_eq!(kinds["tool-call"]["events"], REQUESTS * (1 + named), "{backend}");
        for kind in ["reasoning", "content", "tool-call"] {
            assert_eq!(kinds[kind]["requests"], REQUESTS, "{backend} {kind}");
            assert_eq!(kinds[kind]["first"]["count"], REQUESTS, "{backend} {kind}");
        }
        assert_eq!(list(&result, "generated_texts"), [" w2 w3"; REQUESTS], "{backend}");
        let whole = case.run(&mock.url, &templates, false, &[]).expect_code(0).result();
        assert_eq!(list(&whole, "generated_texts"), [" w2 w3"; REQUESTS], "{backend}");
    }
}

#[test]
fn cached_tokens_and_the_servers_own_times_are_kept() {
    let templates = Templates::of_the_guide();
    for backend in ["openai", "openai-chat", "openai-responses", "anthropic-messages", "sglang", "llama-cpp"]
    {
        let mock = Mock::start(&[]);
        let case = CASES.iter().find(|case| case.backend == backend).expect("it is in the list");
        let cached = || {
            let result = case.run(&mock.url, &templates, true, &[]).expect_code(0).result();
            let input = result["total_input_tokens"].as_u64();
            (result["vbench"]["cached_prompt_tokens"].as_u64().unwrap_or(0), input)
        };
        let (first, input) = cached();
        let (second, again) = cached();
        assert_eq!((first, input), (0, again), "{backend}");
        assert_eq!(Some(second), input, "{backend}");
    }
    let mock = Mock::start(&[]);
    let ollama = CASES.iter().find(|case| case.backend == "ollama").expect("it is in the list");
    let outcome = ollama.run(&mock.url, &templates, true, &[]).expect_code(0);
    let requests = outcome.file("requests.jsonl").unwrap_or_default();
    for line in requests.lines() {
        let request: Value = serde_json::from_str(line).expect("a line is JSON");
        assert!(request["extra"]["total_ms"].is_number(), "{request}");
        assert!(request["server_ttft_s"].is_number(), "{request}");
    }
}

/// A server of one path that gives an answer of one word and notes what it was asked.
fn recording(ctype: &str, answer: &str) -> RecordingServer {
    RecordingServer::start(json!({"scripts": [{"ctype": ctype, "steps": [["w", answer]]}]}))
}

/// What a run over the image files of a fixture asked, image by image.
fn asked_with_images(backend: &str, server: &RecordingServer, extra: &[&str]) -> Vec<Value> {
    let url = server.url();
    let args = ["serve", "--model", "m", "--tokenizer", "tokenizers/bpe", "--ready-check-timeout-sec", "0"];
    let dataset = ["--dataset-name", "custom_image", "--dataset-path", "data/custom_image_local.jsonl"];
    let run = ["--num-prompts", "3", "--backend", backend, "--base-url", &url, "--max-concurrency", "1"];
    let mode = ["--custom-ensure-client-side-data", "--disable-shuffle"];
    let results = ["--save-result", "--result-dir", "@OUT@", "--result-filename", "result.json"];
    let args = [&args[..], &dataset, &run, &mode, &results, extra].concat();
    let result = Vbench::new(args).run().expect_code(0).result();
    assert_eq!(result["completed"], 3, "{:?}", errors(&result));
    let log = server.take_log();
    log.into_iter()
        .filter(|request| request["method"] == "POST")
        .map(|mut request| request["json"].take())
        .collect()
}

/// What the recording server notes of Base64 of some length: its digest.
fn is_base64_of_some_image(text: &Value) -> bool {
    text.as_str().is_some_and(|text| text.starts_with("iVBORw0KGgo") || text.starts_with("<sha256:"))
}

#[test]
fn images_go_to_ollama_and_to_the_messages_api_as_data() {
    let line = r#"{"message":{"role":"assistant","content":"a"},"done":false}"#;
    let last =
        r#"{"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","eval_count":1}"#;
    let ollama = recording("application/x-ndjson", &format!("{line}\n{last}\n"));
    let events = [
        r#"{"type":"message_start","message":{"usage":{"input_tokens":3,"output_tokens":1}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let messages = recording("text/event-stream", &events.map(|event| format!("data: {event}\n\n")).concat());
    for in_chat in [false, true] {
        let extra: &[&str] = if in_chat { &["--enable-multimodal-chat"] } else { &[] };
        let asked = asked_with_images("ollama", &ollama, extra);
        assert_eq!(asked.len(), 3);
        for body in asked {
            let message = &body["messages"][0];
            assert!(message["content"].as_str().is_some_and(|text| text.contains(' ')), "{message}");
            assert!(is_base64_of_some_image(&message["images"][0]), "{message}");
        }
        let asked = asked_with_images("anthropic-messages", &messages, extra);
        assert_eq!(asked.len(), 3);
        for body in asked {
            let image = &body["messages"][0]["content"][1];
            assert_eq!((&image["type"], &image["source"]["type"]), (&json!("image"), &json!("base64")));
            assert_eq!(image["source"]["media_type"], "image/png");
            assert!(is_base64_of_some_image(&image["source"]["data"]), "{image}");
        }
    }
}

#[test]
fn the_stand_ins_answer_requests_with_images() {
    let mock = Mock::start(&[]);
    for backend in ["ollama", "anthropic-messages"] {
        let args = ["serve", "--model", "m", "--tokenizer", "tokenizers/bpe", "--backend", backend];
        let dataset = ["--dataset-name", "random-mm", "--random-input-len", "8", "--random-output-len", "2"];
        let media = ["--random-mm-bucket-config", "{(24, 16, 1): 1.0}", "--num-prompts", "4"];
        let run = ["--base-url", &mock.url, "--save-result", "--result-dir", "@OUT@"];
        let result = ["--result-filename", "result.json"];
        let args = [&args[..], &dataset, &media, &run, &result].concat();
        let result = Vbench::new(args).run().expect_code(0).result();
        assert_eq!((&result["completed"], &result["failed"]), (&json!(4), &json!(0)), "{backend}");
    }
}

#[test]
fn the_template_of_the_guide_gives_the_numbers_of_the_backend() {
    let mock = Mock::start(&[]);
    let templates = Templates::of_the_guide();
    let run = |backend: &str, streams| {
        let case = CASES.iter().find(|case| case.backend == backend).expect("it is in the list");
        let mut result = case.run(&mock.url, &templates, streams, &[]).expect_code(0).result();
        ["input_lens", "output_lens", "generated_texts", "errors", "completed"].map(|key| result[key].take())
    };
    for streams in [true, false] {
        assert_eq!(run("template", streams), run("llama-cpp", streams));
    }
}

#[test]
fn what_is_wrong_with_a_template_is_named_by_its_place() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let good = fs::read_to_string(&Templates::of_the_guide().files[0]).expect("it is there");
    let file = dir.path().join("t.json").display().to_string();
    let refused = |text: &str| {
        fs::write(&file, text).expect("it can be written");
        let args =
            ["serve", "--mock", "--model", "m", "--tokenizer", "tokenizers/bpe", "--backend", "template"];
        let args = [&args[..], &["--template", &file, "--num-prompts", "1"]].concat();
        Vbench::new(args).run().expect_code(2).stderr
    };
    for (from, to, said) in [
        (
            "\"sse\"",
            "\"ssl\"",
            ":3:14: at `/framing`: \"ssl\" is none of \"sse\", \"ndjson\", \"whole-body\"",
        ),
        (
            "\"is\": \"truthy\"",
            "\"is\": \"there\"",
            "at `/plan/errors/0/when/0/is`: \"there\" is none of \"present\", \"absent\", \"truthy\"",
        ),
        (
            "\"text\": \"/content\"",
            "\"text\": \"/content\", \"kind\": \"answer\"",
            "at `/plan/tokens/0/kind`: \"answer\" is none of \"content\", \"reasoning\", \"tool-call\"",
        ),
        (
            "\"framing\"",
            "\"task\": \"embedding\", \"framing\"",
            "at `/task`: \"embedding\" is none of \"generation\", \"pooling\"",
        ),
        (
            "\"text\": \"/content\"",
            "\"text\": \"content\"",
            "at `/plan/tokens/0/text`: \"content\" does not fit the pattern ",
        ),
        (
            "\"terminal\"",
            "\"terminals\"",
            "at `/plan`: there is no `terminals`; there are `ignore`, `errors`, `tokens`, ",
        ),
        ("\"path\": \"/completion\",", "", ":1:1: `path` is missing"),
        (
            "\"equals\": false",
            "\"is\": \"truthy\", \"equals\": false",
            "at `/plan/tokens/0/when/0`: only one of `is`, `equals` can be given",
        ),
        ("\"equals\": false", "\"note\": 1", "at `/plan/tokens/0/when/0`: "),
        ("\"stream\": true\n", "\"stream\": \n", "is not JSON: expected value at line 8 column "),
        (
            "{{prompt}}",
            "{{promt}}",
            " @FILE@: `/body/prompt`: there is no place `{{promt}}`; between double braces",
        ),
        ("{{prompt}}", "x", " @FILE@: `/body`: the body has neither {{prompt}} nor {{messages}}"),
        (
            "{{prompt}}",
            "{{prompt",
            " @FILE@: `/body/prompt`: the text `{{prompt` opens `{{` and never closes it",
        ),
        (
            "\"framing\"",
            "\"headers\": {\"Authorization\": \"Bearer x\"}, \"framing\"",
            " @FILE@: `/headers/Authorization`: the client sets this header itself",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let stderr = refused(&good.replacen(from, to, 1));
        let said = said.replace("@FILE@", &file);
        assert!(stderr.contains(&said), "{from} -> {to}: {stderr}");
        assert!(stderr.contains("--template") && stderr.contains(&file), "{from} -> {to}: {stderr}");
    }
}

#[test]
fn hits_of_the_prefix_cache_in_a_random_run_are_warned_of() {
    let mock = Mock::start(&[]);
    let run = |extra: &[&str]| {
        let args = ["serve", "--model", "m", "--tokenizer", "tokenizers/bpe", "--base-url", &mock.url];
        let random = ["--dataset-name", "random", "--random-input-len", "30", "--random-output-len", "2"];
        let outcome = Vbench::new([&args[..], &random, &["--num-prompts", "40"], extra].concat()).run();
        let outcome = outcome.expect_code(0);
        assert!(outcome.stdout.contains("Prompt tokens looked up:"), "{}", outcome.stdout);
        outcome.stderr
    };
    let warned = |stderr: &str| stderr.contains("draws every prompt anew");
    // The first prompt is asked once before, to see whether the server is up.
    let first = run(&[]);
    assert!(!warned(&first), "{first}");
    let again = run(&[]);
    assert!(warned(&again), "{again}");
    let shared = ["--random-prefix-len", "5"];
    run(&shared);
    let again = run(&shared);
    assert!(!warned(&again), "{again}");
}
