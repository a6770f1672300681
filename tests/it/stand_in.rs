//! A stand-in for the `vllm` command in tests of sweeps: it notes how it was
//! called, serves `/health` and cache resets, and makes up results by formula.
//!
//! It is this test binary itself, called through a shell script with the
//! words of its command line in the environment, one a line.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Map, Value, json};

const PROGRAM: &str = "VBENCH_TEST_STAND_IN";
const WORDS: &str = "VBENCH_TEST_STAND_IN_WORDS";
const LOG: &str = "VBENCH_TEST_STAND_IN_LOG";

/// Puts programs of these names into a folder, to be found by `PATH`, that
/// write what they are asked to `log`.
pub fn install(dir: &Path, names: &[&str], log: &Path) {
    let this = std::env::current_exe().expect("this test binary has a path");
    for name in names {
        let script = format!(
            "#!/bin/sh\n{WORDS}=\"$(printf '%s\\n' \"$@\")\" {PROGRAM}={name} {LOG}={} exec {} --exact stand_in::stand_in --nocapture -q\n",
            log.display(),
            this.display()
        );
        let path = dir.join(name);
        fs::write(&path, script).expect("the folder can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
}

/// Does nothing as a test; as a stand-in it does not return.
#[test]
fn stand_in() {
    let Ok(program) = std::env::var(PROGRAM) else { return };
    let words: Vec<String> = std::env::var(WORDS).unwrap_or_default().lines().map(str::to_owned).collect();
    let code = act(&program, &words);
    #[expect(clippy::disallowed_methods, reason = "the code is what the caller looks at")]
    std::process::exit(code);
}

fn act(program: &str, words: &[String]) -> i32 {
    let serves = program != "vllm" || words.first().is_some_and(|word| word == "serve");
    let mut argv = vec![program.to_owned()];
    argv.extend_from_slice(words);
    let mut note = Map::from_iter([("argv".to_owned(), json!(argv))]);
    if serves {
        note.insert("VLLM_SERVER_DEV_MODE".to_owned(), json!(std::env::var("VLLM_SERVER_DEV_MODE").ok()));
    }
    log(&Value::Object(note));
    let options = options(words);
    let has = |name: &str| options.iter().any(|(option, _)| option == name);
    match words {
        _ if serves && has("crash") => 3,
        _ if serves => serve(number(&options, "port").unwrap_or(8000.0) as u16),
        [first, second, ..] if first == "bench" && second == "serve" => {
            println!("fake bench stdout");
            if has("fail_me") { 2 } else { bench(&options) }
        }
        [first, second, ..] if first == "bench" && second == "startup" => startup(&options),
        _ => 0,
    }
}

fn log(note: &Value) {
    let Ok(path) = std::env::var(LOG) else { return };
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the log can be written");
    file.write_all(format!("{note}\n").as_bytes()).expect("the log can be written");
}

type Options = Vec<(String, String)>;

fn options(words: &[String]) -> Options {
    let mut options = Vec::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some(name) = word.strip_prefix("--") else { continue };
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => (name, words.next_if(|next| !next.starts_with("--")).cloned().unwrap_or_default()),
        };
        options.push((name.replace('-', "_"), value));
    }
    options
}

fn text<'o>(options: &'o Options, name: &str) -> Option<&'o str> {
    options.iter().rev().find(|(option, _)| option == name).map(|(_, value)| value.as_str())
}

fn number(options: &Options, name: &str) -> Option<f64> {
    text(options, name)?.parse().ok()
}

fn serve(port: u16) -> i32 {
    println!("fake server up");
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    for stream in listener.incoming().flatten() {
        let mut reader = BufReader::new(&stream);
        let mut first = String::new();
        let mut length = 0;
        if reader.read_line(&mut first).is_err() {
            continue;
        }
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        let _ = reader.read_exact(&mut body);
        if let Some(path) = first.strip_prefix("POST ").and_then(|rest| rest.split(' ').next()) {
            log(&json!({"http": format!("POST {path}")}));
        }
        let _ = (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    }
    0
}

/// A server that works on four requests at a time.
fn bench(options: &Options) -> i32 {
    let n = number(options, "num_prompts").unwrap_or(1000.0);
    let cap = number(options, "max_concurrency");
    let c = cap.map_or(n, |cap| cap.min(n));
    let rate = number(options, "request_rate").unwrap_or(f64::INFINITY);
    let name = text(options, "result_filename").unwrap_or("r.json");
    let run: f64 =
        name.strip_prefix("run=").and_then(|rest| rest.strip_suffix(".json")?.parse().ok()).unwrap_or(0.0);
    let most = 10.0 * c / (c + 4.0) * (1.0 + 0.01 * run);
    let (rps, latency) = (most.min(rate), 1000.0 * c / most);
    let input = number(options, "random_input_len").unwrap_or(128.0);
    let whole = |value: f64| value as i64;
    let model = text(options, "model");
    let mut result = json!({
        "date": "20260101-000000", "endpoint_type": "openai", "backend": "openai", "label": null,
        "model_id": model, "tokenizer_id": model, "num_prompts": whole(n),
        "request_rate": if rate.is_finite() { json!(rate) } else { json!("inf") }, "burstiness": 1.0,
        "max_concurrency": cap.map(whole), "duration": n / rps, "completed": whole(n), "failed": 0,
        "total_input_tokens": whole(n * input), "total_output_tokens": whole(n * 16.0),
        "request_throughput": rps, "request_goodput": null, "output_throughput": rps * 16.0,
        "total_token_throughput": rps * (16.0 + input), "max_output_tokens_per_s": rps * 20.0,
        "max_concurrent_requests": whole(c), "rtfx": 0.0,
    });
    for (metric, factor) in [("ttft", 0.1), ("tpot", 0.01), ("itl", 0.01), ("e2el", 1.0)] {
        result[format!("mean_{metric}_ms")] = json!(latency * factor);
        result[format!("median_{metric}_ms")] = json!(latency * factor * 0.9);
        result[format!("std_{metric}_ms")] = json!(latency * factor * 0.2);
        result[format!("p99_{metric}_ms")] = json!(latency * factor * 1.7);
    }
    write(&Path::new(text(options, "result_dir").unwrap_or(".")).join(name), &result)
}

fn startup(options: &Options) -> i32 {
    let seconds = 10.0 * number(options, "tensor_parallel_size").unwrap_or(1.0);
    let count = number(options, "num_iters_cold").unwrap_or(3.0) as usize;
    let result = json!({
        "avg_cold_startup_time": seconds,
        "cold_startup_times": vec![seconds; count],
        "cold_startup_percentiles": {"10": seconds, "99": seconds},
    });
    write(Path::new(text(options, "output_json").expect("--output-json")), &result)
}

fn write(path: &Path, result: &Value) -> i32 {
    fs::write(path, result.to_string()).expect("the result can be written");
    0
}
