//! What a run sent and wrote against what the reference client sent and wrote.
//!
//! Requests are compared whole but for headers that the recording does not
//! name; results but for times, of which only type and number count.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::discriminant;

use serde_json::Value;

/// Differences listed of one aspect of a case.
const MOST_DIFFERENCES: usize = 6;

/// Keys of results whose values are times or depend on them.
const TIMED: [&str; 12] = [
    "date",
    "duration",
    "input_sequence_throughput",
    "max_concurrent_requests",
    "max_output_tokens_per_s",
    "output_throughput",
    "request_goodput",
    "request_throughput",
    "rps_change_events",
    "rtfx",
    "tokenizer_id",
    "total_token_throughput",
];
/// Beginnings of such keys.
const TIMED_PREFIXES: [&str; 5] = ["mean_", "median_", "std_", "probe_", "diffusion_committed_throughput"];
/// Arrays of times, one item a request.
const TIMED_ARRAYS: [&str; 5] = ["ttfts", "itls", "latencies", "start_times", "queue_times"];

/// Adds where two values differ. Numbers are equal if they are written alike: 1
/// and 1.0 are not.
fn differ(path: &str, expected: &Value, got: &Value, found: &mut Vec<String>) {
    if found.len() >= MOST_DIFFERENCES {
        return;
    }
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            for (key, value) in expected {
                match got.get(key) {
                    None => found.push(format!("{path}.{key}: missing")),
                    Some(got) => differ(&format!("{path}.{key}"), value, got, found),
                }
            }
            found.extend(
                got.keys()
                    .filter(|key| !expected.contains_key(*key))
                    .map(|key| format!("{path}.{key}: not expected")),
            );
            if expected.len() == got.len()
                && expected.keys().all(|key| got.contains_key(key))
                && !expected.keys().eq(got.keys())
            {
                let keys = |object: &serde_json::Map<String, Value>| {
                    object.keys().cloned().collect::<Vec<_>>().join(", ")
                };
                found.push(format!("{path}: keys {} expected {}", keys(got), keys(expected)));
            }
        }
        (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => {
            for (at, (expected, got)) in expected.iter().zip(got).enumerate() {
                differ(&format!("{path}[{at}]"), expected, got, found);
            }
        }
        (Value::Array(expected), Value::Array(got)) => {
            found.push(format!("{path}: {} items expected {}", got.len(), expected.len()));
        }
        _ if expected != got => found.push(format!("{path}: {} expected {}", shown(got), shown(expected))),
        _ => {}
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(90) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Whether a request is no part of the measurement.
fn is_control(request: &Value) -> bool {
    let path = path_of(request);
    request["method"] == "GET"
        || path.starts_with("/reset")
        || ["_profile", "/tokenize", "/detokenize"].iter().any(|end| path.ends_with(end))
}

fn path_of(request: &Value) -> &str {
    request["path"].as_str().and_then(|path| path.split('?').next()).unwrap_or_default()
}

/// How the requests differ. Requests with ids are matched by them; others by
/// their order if they went out `one_by_one`, else in the order of their bodies.
pub fn requests(expected: &[Value], got: &[Value], one_by_one: bool) -> Vec<String> {
    let (expected_control, mut expected): (Vec<&Value>, Vec<&Value>) =
        expected.iter().partition(|r| is_control(r));
    let (got_control, mut got): (Vec<&Value>, Vec<&Value>) = got.iter().partition(|r| is_control(r));
    let mut found = Vec::new();
    if expected.len() != got.len() {
        found.push(format!("{} requests expected {}", got.len(), expected.len()));
    }
    let named = |requests: &[&Value]| -> BTreeSet<String> {
        requests.iter().map(|r| format!("{} {}", r["method"], r["path"])).collect()
    };
    let seen = named(&got_control);
    // Metrics are asked for more than once by the one and not at all by the other.
    let wanted = named(&expected_control);
    found.extend(
        wanted
            .iter()
            .filter(|r| !seen.contains(*r) && !r.contains("/metrics"))
            .map(|r| format!("no request {r}")),
    );

    let id = |request: &Value| request["headers"]["x-request-id"].as_str().map(str::to_owned);
    let ids: BTreeSet<_> = expected.iter().filter_map(|request| id(request)).collect();
    if ids.len() == expected.len() {
        let by_id: BTreeMap<_, _> = got.iter().filter_map(|request| Some((id(request)?, *request))).collect();
        for request in &expected {
            let id = id(request).unwrap_or_default();
            match by_id.get(&id) {
                Some(got) => request_differs(&id, request, got, &mut found),
                None => found.push(format!("no request {id}")),
            }
        }
    } else {
        if !one_by_one {
            expected.sort_by_key(|request| body_of(request));
            got.sort_by_key(|request| body_of(request));
        }
        for (at, (expected, got)) in expected.iter().zip(&got).enumerate() {
            request_differs(&format!("#{at}"), expected, got, &mut found);
        }
    }
    found
}

fn body_of(request: &Value) -> String {
    request.get("json").or_else(|| request.get("multipart")).map(Value::to_string).unwrap_or_default()
}

fn request_differs(name: &str, expected: &Value, got: &Value, found: &mut Vec<String>) {
    for key in ["method", "path", "json", "multipart", "raw"] {
        differ(&format!("{name} {key}"), &expected[key], &got[key], found);
    }
    for (header, value) in expected["headers"].as_object().into_iter().flatten() {
        differ(&format!("{name} header {header}"), value, &got["headers"][header], found);
    }
}

/// How the results differ. Our own object `vbench` does not count.
pub fn result(expected: &Value, got: &Value) -> Vec<String> {
    let (Some(expected), Some(got)) = (expected.as_object(), got.as_object()) else {
        return vec!["no JSON object".to_owned()];
    };
    let mut found = Vec::new();
    let keys: Vec<&String> = got.keys().filter(|key| *key != "vbench").collect();
    if !expected.keys().eq(keys.iter().copied()) {
        let missing: Vec<_> = expected.keys().filter(|key| !got.contains_key(*key)).collect();
        let more: Vec<_> = keys.iter().filter(|key| !expected.contains_key(**key)).collect();
        found.push(format!("keys: missing {missing:?}, not expected {more:?}, or in another order"));
    }
    for (key, expected) in expected {
        let Some(got) = got.get(key) else { continue };
        if TIMED_ARRAYS.contains(&key.as_str()) {
            array_differs(key, expected, got, &mut found);
        } else if key == "errors" {
            let failed = |errors: &Value| -> Vec<bool> {
                errors.as_array().into_iter().flatten().map(|error| error.as_str() != Some("")).collect()
            };
            if failed(expected) != failed(got) {
                found.push("errors: other requests failed".to_owned());
            }
        } else if is_timed(key) {
            if discriminant(expected) != discriminant(got) {
                found.push(format!("{key}: {} expected a value like {}", shown(got), shown(expected)));
            }
        } else {
            differ(key, expected, got, &mut found);
        }
    }
    found
}

fn is_timed(key: &str) -> bool {
    let percentile = key.strip_prefix('p').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    percentile || TIMED.contains(&key) || TIMED_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

/// Which requests have times, and how many.
fn array_differs(key: &str, expected: &Value, got: &Value, found: &mut Vec<String>) {
    let shape = |value: &Value| -> Option<Vec<String>> {
        let items = value.as_array()?.iter().map(|item| match item {
            Value::Array(inner) => format!("{} times", inner.len()),
            number if ["ttfts", "latencies"].contains(&key) => (number.as_f64() > Some(0.0)).to_string(),
            _ => "a time".to_owned(),
        });
        Some(items.collect())
    };
    match (shape(expected), shape(got)) {
        (Some(expected), Some(got)) if expected.len() == got.len() => {
            for (at, (expected, got)) in expected.iter().zip(got).enumerate() {
                if *expected != got && found.len() < MOST_DIFFERENCES {
                    found.push(format!("{key}[{at}]: {got} expected {expected}"));
                }
            }
        }
        _ => found.push(format!("{key}: another number of requests")),
    }
}

/// How the rows of the table differ: all of the reference client's are there,
/// and whole numbers, which no clock has a part in, are the same.
pub fn table(expected: &str, console: &str) -> Vec<String> {
    let row = |line: &str| {
        line.split_once(':').map(|(label, value)| (label.trim().to_owned(), value.trim().to_owned()))
    };
    let (_, table) = console.split_once("Serving Benchmark Result").unwrap_or_default();
    let got: BTreeMap<String, String> = table.lines().filter_map(row).collect();
    let mut found = Vec::new();
    for (label, value) in expected.lines().filter_map(row) {
        match got.get(&label) {
            None => found.push(format!("no row `{label}`")),
            Some(got) if value.parse::<u64>().is_ok() && *got != value => {
                found.push(format!("`{label}`: {got} expected {value}"));
            }
            Some(_) => {}
        }
    }
    found
}

#[test]
fn differences_are_found() {
    use serde_json::json;
    let of = |expected: Value, got: Value| {
        let mut found = Vec::new();
        differ("", &expected, &got, &mut found);
        found
    };
    assert!(of(json!({"a": [1, {"b": 2.5}]}), json!({"a": [1, {"b": 2.5}]})).is_empty());
    assert_eq!(of(json!({"a": 1}), json!({"a": 1.0})), [".a: 1.0 expected 1"]);
    assert_eq!(of(json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1})), [": keys b, a expected a, b"]);
    assert_eq!(of(json!({"a": 1}), json!({"b": 1})), [".a: missing", ".b: not expected"]);
    assert_eq!(of(json!([1]), json!([1, 2])), [": 2 items expected 1"]);

    let request = |id: &str, prompt: &str| {
        json!({"method": "POST", "path": "/v1/completions",
        "headers": {"x-request-id": id}, "json": {"prompt": prompt}})
    };
    let expected = [request("a", "x"), request("b", "y")];
    assert!(requests(&expected, &[request("b", "y"), request("a", "x")], false).is_empty());
    let found = requests(&expected, &[request("b", "x"), request("c", "x")], false);
    assert_eq!(found, ["no request a", "b json.prompt: \"x\" expected \"y\""]);
    assert_eq!(requests(&expected[..1], &expected, false), ["2 requests expected 1"]);

    let run = json!({"completed": 1, "ttfts": [0.5], "itls": [[0.1]], "mean_ttft_ms": 500.0, "errors": [""]});
    let other = json!({"completed": 1, "ttfts": [0.7], "itls": [[0.2]], "mean_ttft_ms": 700.0, "errors": [""], "vbench": {}});
    assert!(result(&run, &other).is_empty());
    let broken = json!({"completed": 2, "ttfts": [0.0], "itls": [[]], "mean_ttft_ms": "", "errors": ["x"]});
    assert_eq!(result(&run, &broken).len(), 5, "{:?}", result(&run, &broken));

    assert_eq!(
        table("A: 1\nB: 2.0", "Serving Benchmark Result\nA: 2\n"),
        ["`A`: 2 expected 1", "no row `B`"]
    );
}
