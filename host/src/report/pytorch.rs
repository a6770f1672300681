//! The result in the form of PyTorch's benchmark database: a list with one
//! record a metric.

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Value};

use super::ReportError;
use super::python_json;
use super::result_json::{EXTENSION_KEY, Field, ResultJson};

/// The metrics that become records, in this order.
const METRICS: [&str; 12] = [
    "median_ttft_ms",
    "mean_ttft_ms",
    "std_ttft_ms",
    "p99_ttft_ms",
    "mean_tpot_ms",
    "median_tpot_ms",
    "std_tpot_ms",
    "p99_tpot_ms",
    "median_itl_ms",
    "mean_itl_ms",
    "std_itl_ms",
    "p99_itl_ms",
];

/// Per-request values that are too long for the database.
const LEFT_OUT: [&str; 6] =
    ["ttfts", "itls", "generated_texts", "errors", "server_queue_times", "server_ttfts"];

const COMPILATION_MODE: &str = "compilation_config.mode";
const OPTIMIZATION_LEVEL: &str = "optimization_level";
const TENSOR_PARALLEL: &str = "tensor_parallel_size";

#[derive(Serialize)]
struct Record<'a, X> {
    benchmark: Benchmark<'a>,
    model: Model<'a>,
    metric: Metric<'a, X>,
}

#[derive(Serialize)]
struct Benchmark<'a> {
    name: &'static str,
    extra_info: &'a BenchmarkInfo,
}

#[derive(Serialize)]
struct BenchmarkInfo {
    args: Map<String, Value>,
    #[serde(rename = "compilation_config.mode")]
    compilation_mode: Value,
    optimization_level: Value,
    use_compile: bool,
}

#[derive(Serialize)]
struct Model<'a> {
    name: &'a Value,
}

#[derive(Serialize)]
struct Metric<'a, X> {
    name: &'a str,
    benchmark_values: &'a [&'a Value],
    extra_info: &'a X,
}

/// Whether the user wants files in this form, as the reference client asks: the
/// variable `SAVE_TO_PYTORCH_BENCHMARK_FORMAT` is not empty.
pub fn is_wanted() -> bool {
    std::env::var("SAVE_TO_PYTORCH_BENCHMARK_FORMAT").is_ok_and(|value| !value.is_empty())
}

/// The file's content. `args` are all settings of the run by their names in
/// the reference client, in order, with infinity as `inf` already; they need
/// `model`, and `result_filename` or `output_json` where the user gave one.
/// Header values never leave: they are masked here.
///
/// # Errors
/// If something has no JSON form.
pub fn to_vec(result: &ResultJson<'_>, args: &Map<String, Value>) -> Result<Vec<u8>, ReportError> {
    let extra: IndexMap<&str, &Field<'_>> = result
        .fields()
        .filter(|(key, _)| !METRICS.contains(key) && !LEFT_OUT.contains(key) && *key != EXTENSION_KEY)
        .collect();
    let info = benchmark_info(&|name| result.value(name), args);
    let metrics: Vec<(&'static str, [&Value; 1])> =
        METRICS.into_iter().filter_map(|name| Some((name, [result.value(name)?]))).collect();
    let metrics = metrics.iter().map(|(name, values)| (*name, values.as_slice()));
    records(metrics, &extra, &info, args)
}

/// The file's content for a command other than `serve`: one record a metric
/// with its values, and what else is to be kept of the result.
///
/// # Errors
/// If something has no JSON form.
pub fn command_to_vec(
    metrics: &[(&str, Vec<Value>)],
    extra: &Map<String, Value>,
    args: &Map<String, Value>,
) -> Result<Vec<u8>, ReportError> {
    let info = benchmark_info(&|name| extra.get(name), args);
    let metrics: Vec<(&str, Vec<&Value>)> =
        metrics.iter().map(|(name, values)| (*name, values.iter().collect())).collect();
    records(metrics.iter().map(|(name, values)| (*name, values.as_slice())), extra, &info, args)
}

fn records<'a, X: Serialize>(
    metrics: impl Iterator<Item = (&'a str, &'a [&'a Value])>,
    extra: &'a X,
    info: &'a BenchmarkInfo,
    args: &'a Map<String, Value>,
) -> Result<Vec<u8>, ReportError> {
    let model = args.get("model").unwrap_or(&Value::Null);
    let records: Vec<Record<'_, X>> = metrics
        .map(|(name, values)| Record {
            benchmark: Benchmark { name: "vLLM benchmark", extra_info: info },
            model: Model { name: model },
            metric: Metric { name, benchmark_values: values, extra_info: extra },
        })
        .collect();
    Ok(python_json::to_vec(&records)?)
}

/// Finds a value of the result by its key.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<&'a Value>;

fn benchmark_info(result: Lookup<'_>, args: &Map<String, Value>) -> BenchmarkInfo {
    let compilation_mode = result_or_argument(result, args, COMPILATION_MODE);
    // The reference client raises a TypeError without a file name; taken as
    // empty it is what was meant.
    let names_eager = |key: &str| args.get(key).and_then(Value::as_str).is_some_and(|v| v.contains("eager"));
    let use_compile =
        compilation_mode != "0" && !names_eager("output_json") && !names_eager("result_filename");

    let mut args_out = args.clone();
    if let Some(header) = args_out.get_mut("header").filter(|header| !header.is_null()) {
        *header = Value::from("***");
    }
    if let Some(size) = result(TENSOR_PARALLEL)
        && !args.get(TENSOR_PARALLEL).is_some_and(truthy)
    {
        args_out.insert(TENSOR_PARALLEL.to_owned(), size.clone());
    }
    BenchmarkInfo {
        optimization_level: result_or_argument(result, args, OPTIMIZATION_LEVEL),
        args: args_out,
        compilation_mode,
        use_compile,
    }
}

/// From the results under the whole name, else from the arguments by the
/// nested names, else the empty text.
fn result_or_argument(result: Lookup<'_>, args: &Map<String, Value>, name: &str) -> Value {
    if let Some(value) = result(name) {
        return value.clone();
    }
    let mut parts = name.split('.');
    let first = parts.next().and_then(|part| args.get(part));
    let found = parts.fold(first, |value, part| value.and_then(|v| v.get(part)));
    found.cloned().unwrap_or_else(|| Value::from(""))
}

/// Python's truth of a JSON value.
fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::String(s) => !s.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}
