//! What goes out, when, and what goes out beside it.

use serde_json::{Value, json};

use super::command::{Mock, Vbench};
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
const SAVE: [&str; 6] =
    ["--save-result", "--save-detailed", "--result-dir", "@OUT@", "--result-filename", "result.json"];
const TRACE: [&str; 4] = ["--dataset-name", "timed_trace", "--dataset-path", "data/timed_trace.jsonl"];

fn words<'a>(parts: &[&[&'a str]]) -> Vec<&'a str> {
    parts.concat()
}

/// Bodies of the requests to `/v1/completions`, in order of arrival.
fn bodies(server: &RecordingServer) -> Vec<Value> {
    let log = server.take_log();
    log.into_iter()
        .filter(|request| request["path"] == "/v1/completions")
        .map(|request| request["json"].clone())
        .collect()
}

#[test]
fn a_dry_run_shows_what_a_run_sends_and_sends_nothing() {
    let random = ["--random-input-len", "6", "--random-output-len", "4", "--num-prompts", "5"];
    let server = RecordingServer::start(json!({}));
    let url = server.url();
    let target = ["--base-url", &url, "--header", "X-Api-Key=secret-1", "X-Tenant=a"];
    let load = ["--request-rate", "50", "--max-concurrency", "1"];
    let dry = Vbench::new(words(&[&SERVE, &target, &random, &load, &["--dry-run"]]))
        .env("OPENAI_API_KEY", "secret-2")
        .run()
        .expect_code(0);
    assert!(server.take_log().is_empty());
    assert!(!dry.stdout.contains("secret"), "{}", dry.stdout);
    for text in [
        format!("POST {url}/v1/completions"),
        "Authorization: ***".to_owned(),
        "X-Api-Key: ***".to_owned(),
        "X-Tenant: a".to_owned(),
        "x-request-id: r-0".to_owned(),
        "3 of 5 requests".to_owned(),
        "5 requests by a drawn schedule, the last after 0.100 s".to_owned(),
        "at most 1 at a time".to_owned(),
    ] {
        assert!(dry.stdout.contains(&text), "{text} in\n{}", dry.stdout);
    }
    let shown: Vec<Value> = dry.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    Vbench::new(words(&[&SERVE, &target, &random, &load])).run().expect_code(0);
    assert_eq!(shown, bodies(&server)[..3]);
}

#[test]
fn a_dry_run_needs_no_server_but_a_model() {
    let without = Vbench::new(["serve", "--dry-run", "--mock"]).run().expect_code(2);
    assert!(without.stderr.contains("it needs --model"), "{}", without.stderr);
    // Nobody listens there, and no name is looked up.
    let args = ["--base-url", "http://no-such-host.invalid", "--dry-run", "--num-prompts", "2"];
    let dry = Vbench::new(words(&[&SERVE, &args])).run().expect_code(0);
    assert!(dry.stdout.contains("all 2 requests at once"), "{}", dry.stdout);
}

#[test]
fn prompts_go_out_as_token_ids_where_that_is_asked_for() {
    let sharegpt = ["--dataset-name", "sharegpt", "--dataset-path", "data/sharegpt_small.json"];
    let run = |extra: &[&str]| {
        let server = RecordingServer::start(json!({"gen": {"usage": {"on": "none"}}}));
        let url = server.url();
        let args = ["--base-url", &url, "--num-prompts", "3", "--max-concurrency", "1"];
        let result =
            Vbench::new(words(&[&SERVE, &args, &sharegpt, &SAVE, extra])).run().expect_code(0).result();
        (bodies(&server), result)
    };
    let (texts, with_texts) = run(&[]);
    let (ids, with_ids) = run(&["--prompt-token-ids"]);
    assert!(texts.iter().all(|body| body["prompt"].is_string()));
    let lengths: Vec<usize> =
        ids.iter().map(|body| body["prompt"].as_array().expect("a list of ids").len()).collect();
    // Counted with special tokens, as by the dataset.
    assert_eq!(json!(lengths), with_ids["input_lens"]);
    assert_eq!(with_texts["input_lens"], with_ids["input_lens"]);

    let chat = ["--mock", "--backend", "openai-chat", "--prompt-token-ids"];
    let refused = Vbench::new(words(&[&SERVE, &chat])).run().expect_code(2);
    assert!(refused.stderr.contains("takes no token ids"), "{}", refused.stderr);
    let blind = ["--mock", "--skip-tokenizer-init", "--prompt-token-ids"];
    Vbench::new(words(&[&SERVE, &blind])).run().expect_code(2);
}

#[test]
fn the_session_of_a_sample_is_sent_as_the_header_that_the_user_names() {
    let server = RecordingServer::start(json!({}));
    let url = server.url();
    let args = ["--base-url", &url, "--num-prompts", "3", "--request-rate", "inf", "--no-self-timed"];
    let header = ["--session-header", "X-Session-Id"];
    // Any column of the trace may name the session.
    let label = ["--timed-trace-label-session", "output_length"];
    let run = |extra: &[&str]| Vbench::new(words(&[&SERVE, &args, &TRACE, extra])).run();
    let sessions = || -> Vec<String> {
        let log = server.take_log();
        let mut sessions: Vec<String> = log
            .iter()
            .filter(|request| request["path"] == "/v1/completions")
            .map(|request| request["headers"]["x-session-id"].as_str().unwrap_or("none").to_owned())
            .collect();
        sessions.sort();
        sessions
    };
    run(&[&header[..], &label].concat()).expect_code(0);
    assert_eq!(sessions(), ["6", "7", "9"]);
    run(&label).expect_code(0);
    assert_eq!(sessions(), ["none"; 3]);
    let warned = run(&header).expect_code(0);
    assert!(warned.stderr.contains("--session-header X-Session-Id has no effect"), "{}", warned.stderr);
    let wrong = run(&["--timed-trace-label-session", "hash_ids"]).expect_code(2);
    assert!(wrong.stderr.contains("neither a text nor a number"), "{}", wrong.stderr);
}

#[test]
fn a_trace_goes_by_its_own_times_or_by_a_rate() {
    let run = |extra: &[&str]| {
        let server = RecordingServer::start(json!({}));
        let url = server.url();
        let args = ["--base-url", &url, "--num-prompts", "6"];
        let requests = ["--save-requests", "@OUT@/requests.jsonl"];
        let outcome = Vbench::new(words(&[&SERVE, &args, &TRACE, &requests, extra])).run().expect_code(0);
        let lines = outcome.file("requests.jsonl").unwrap_or_default();
        let due = |line: &str| -> f64 {
            let line: Value = serde_json::from_str(line).expect("a line is JSON");
            line["scheduled_s"].as_f64().expect("it was due")
        };
        (lines.lines().map(due).collect::<Vec<f64>>(), outcome.stdout)
    };
    let (own, said) = run(&[]);
    assert!(said.contains("Self timing is set"), "{said}");
    assert_eq!(run(&["--self-timed"]).0, own);
    let (by_rate, said) = run(&["--no-self-timed", "--request-rate", "100"]);
    assert!(said.contains("Traffic request rate: 100.0"), "{said}");
    assert!((by_rate[5] - 0.06).abs() < 1e-9, "{by_rate:?}");
    assert_ne!(own, by_rate);

    for flag in ["--self-timed", "--no-self-timed"] {
        let refused =
            Vbench::new(words(&[&SERVE, &["--mock", "--num-prompts", "2", flag]])).run().expect_code(2);
        assert!(refused.stderr.contains("arrival times of their own"), "{}", refused.stderr);
    }
}

#[test]
fn probes_run_beside_the_load_and_outside_the_cap() {
    let server = RecordingServer::start(json!({"gen": {"ttft_ms": [150]}}));
    let url = server.url();
    let args =
        ["--base-url", &url, "--num-prompts", "4", "--max-concurrency", "2", "--random-input-len", "6"];
    let probe = ["--probe-request-rate", "50", "--extra-body", "{\"k\": 1}"];
    let outcome = Vbench::new(words(&[&SERVE, &args, &probe, &SAVE])).run().expect_code(0);
    let result = outcome.result();
    let completed = result["probe_completed"].as_u64().expect("there were probes");
    assert!(completed >= 1 && result["probe_failed"] == 0, "{result}");
    assert_eq!(result["completed"], 4);
    assert!(result["probe_median_e2el_ms"].as_f64() <= result["probe_max_e2el_ms"].as_f64());
    assert!(outcome.stdout.contains("Probe requests completed:"), "{}", outcome.stdout);
    let probes: Vec<Value> = bodies(&server).into_iter().filter(|body| body["prompt"] == "Hi").collect();
    // The last one may have been on its way at the end.
    assert!((completed..=completed + 1).contains(&(probes.len() as u64)), "{probes:?}");
    assert_eq!((&probes[0]["max_tokens"], &probes[0]["k"]), (&json!(1), &json!(1)));

    let none = Vbench::new(words(&[&SERVE, &args, &SAVE])).run().expect_code(0).result();
    assert!(none.get("probe_completed").is_none());
}

#[test]
fn a_batch_latency_is_reported_as_published() {
    let mock = Mock::start(&[]);
    let args =
        ["latency", "--base-url", &mock.url, "--model", "m", "--num_iters", "3", "--num-iters-warmup=1"];
    let sizes =
        ["--batch-size", "2", "--input-len", "4", "--output-len", "3", "--output-json", "@OUT@/result.json"];
    let outcome = Vbench::new(words(&[&args, &sizes]))
        .env("SAVE_TO_PYTORCH_BENCHMARK_FORMAT", "1")
        .run()
        .expect_code(0);
    let text = outcome.file("result.json").expect("a result");
    let result: Value = serde_json::from_str(&text).expect("it is JSON");
    let keys: Vec<&String> = result.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["model_id", "avg_latency", "latencies", "percentiles", "vbench"]);
    assert_eq!(result["latencies"].as_array().map(Vec::len), Some(3));
    let percentiles: Vec<&String> = result["percentiles"].as_object().expect("an object").keys().collect();
    assert_eq!(percentiles, ["10", "25", "50", "75", "90", "99"]);
    assert!(outcome.stdout.contains("Avg latency: "), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("99% percentile latency: "), "{}", outcome.stdout);
    assert_eq!(result["vbench"]["short_answers"], 0);
    let records: Value = serde_json::from_str(&outcome.file("result.pytorch.json").expect("the other form"))
        .expect("it is JSON");
    assert_eq!(records[0]["metric"]["name"], "latency");
    assert_eq!(records[0]["metric"]["benchmark_values"], result["latencies"]);
    assert_eq!(records[0]["benchmark"]["extra_info"]["args"]["batch_size"], 2);
    let extra: Vec<&String> =
        records[0]["metric"]["extra_info"].as_object().expect("an object").keys().collect();
    assert_eq!(extra, ["avg_latency", "percentiles"]);
}

#[test]
fn batches_have_prompts_of_their_own() {
    let server = RecordingServer::start(json!({}));
    let url = server.url();
    let args = ["latency", "--base-url", &url, "--model", "m", "--num-iters", "2", "--num-iters-warmup", "1"];
    let sizes =
        ["--batch-size", "3", "--input-len", "5", "--output-len", "2", "--n", "2", "--use-beam-search"];
    Vbench::new(words(&[&args, &sizes, &["--ready-check-timeout-sec", "0"]])).run().expect_code(0);
    let bodies = bodies(&server);
    assert_eq!(bodies.len(), 9);
    let prompts: std::collections::BTreeSet<String> =
        bodies.iter().map(|body| body["prompt"].to_string()).collect();
    assert_eq!(prompts.len(), 9);
    let first = &bodies[0];
    assert_eq!(first["prompt"].as_array().map(Vec::len), Some(5));
    assert_eq!(
        (
            &first["max_tokens"],
            &first["temperature"],
            &first["ignore_eos"],
            &first["n"],
            &first["use_beam_search"]
        ),
        (&json!(2), &json!(1.0), &json!(true), &json!(2), &json!(true))
    );
}

#[test]
fn what_a_command_cannot_do_over_http_is_said() {
    for (line, words) in [
        ("latency --disable-detokenize", "concerns vLLM's engine"),
        ("latency --request-rate 5", "has no meaning for `vbench latency`"),
        ("latency --tokenizer x", "has no meaning for `vbench latency`"),
        ("throughput --max-concurrency 5", "has no meaning for `vbench throughput`"),
        ("throughput --async-engine", "concerns vLLM's engine"),
        ("throughput --no-such-flag", "unexpected argument"),
        ("latency --batch-size 0", "0 is not in"),
    ] {
        let outcome = Vbench::new(line.split(' ')).run().expect_code(2);
        assert!(outcome.stderr.contains(words), "{line}: {}", outcome.stderr);
    }
    let help = Vbench::new(["bench", "latency", "--help"]).run().expect_code(0).stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for flag in ["--num-iters-warmup", "--base-url", "--output-json", "where the server is started"] {
        assert!(help.contains(flag), "{flag} in\n{help}");
    }
    let failing = Mock::start(&["--fail-every", "2", "--fail-kind", "status-500"]);
    let args = ["latency", "--base-url", &failing.url, "--model", "m", "--ready-check-timeout-sec", "0"];
    let outcome = Vbench::new(args).run().expect_code(4);
    assert!(outcome.stderr.contains("a request of a batch failed: 500"), "{}", outcome.stderr);
}

#[test]
fn a_throughput_is_reported_as_published() {
    let mock = Mock::start(&[]);
    let args = ["throughput", "--base-url", &mock.url, "--model", "m", "--tokenizer", "tokenizers/bpe"];
    let dataset = ["--dataset-path", "data/sharegpt_small.json", "--num-prompts", "5", "--output-len", "7"];
    let out = ["--output-json", "@OUT@/result.json", "--num-warmups", "1"];
    let outcome = Vbench::new(words(&[&args, &dataset, &out]))
        .env("SAVE_TO_PYTORCH_BENCHMARK_FORMAT", "1")
        .run()
        .expect_code(0);
    let result: Value =
        serde_json::from_str(&outcome.file("result.json").expect("a result")).expect("it is JSON");
    let keys: Vec<&String> = result.as_object().expect("an object").keys().collect();
    assert_eq!(
        keys,
        [
            "model_id",
            "elapsed_time",
            "num_requests",
            "total_num_tokens",
            "requests_per_second",
            "tokens_per_second",
            "vbench"
        ]
    );
    assert_eq!((&result["num_requests"], &result["vbench"]["output_tokens"]), (&json!(5), &json!(35)));
    assert_eq!(result["vbench"]["plugins"][0]["offer"], "sharegpt");
    assert!(outcome.stdout.contains(" requests/s, ") && outcome.stdout.contains(" output tokens/s"));
    assert!(outcome.stdout.contains("Total num output tokens:  35"), "{}", outcome.stdout);
    let records: Value = serde_json::from_str(&outcome.file("result.pytorch.json").expect("the other form"))
        .expect("it is JSON");
    let names: Vec<&Value> =
        records.as_array().expect("a list").iter().map(|record| &record["metric"]["name"]).collect();
    assert_eq!(names, ["requests_per_second", "tokens_per_second"]);
}

#[test]
fn sampling_in_parallel_is_as_reproducible() {
    let run = |extra: &[&str]| {
        let server = RecordingServer::start(json!({"gen": {"usage": {"on": "none"}}}));
        let url = server.url();
        let args =
            ["--base-url", &url, "--num-prompts", "8", "--max-concurrency", "1", "--random-input-len", "400"];
        let result = Vbench::new(words(&[&SERVE, &args, &SAVE, extra])).run().expect_code(0).result();
        (bodies(&server), result["input_lens"].clone())
    };
    let (_, lengths) = run(&[]);
    let (parallel, as_long) = run(&["--sampling", "parallel"]);
    assert_eq!(lengths.as_array().map(Vec::len), as_long.as_array().map(Vec::len));
    assert_eq!(run(&["--sampling", "parallel"]).0, parallel);
}

#[test]
fn rows_that_are_passed_over_are_in_the_result() {
    let args = ["--mock", "--num-prompts", "2", "--dataset-name", "sharegpt", "--dataset-path"];
    let outcome =
        Vbench::new(words(&[&SERVE, &args, &["data/sharegpt_mm.json"], &SAVE])).run().expect_code(0);
    let skipped = outcome.result()["vbench"]["skipped"].clone();
    for (reason, count) in skipped.as_object().expect("an object") {
        assert!(
            outcome.stderr.contains(&format!("{count} rows passed over: {reason}")),
            "{}",
            outcome.stderr
        );
    }
}
