//! Results that the reference client wrote, taken apart and put together
//! again: the aggregates from its arrays bit for bit, file and table byte for
//! byte.

use std::fs;

use serde_json::{Map, Value};

use super::recorded_case::{Case, DETAILED, all, folder};
use super::result_json::{EXTENSION_KEY, ReportInput, ResultJson};
use super::settings::RunSettings;
use super::{console, default_name, pytorch};
use crate::metrics::peaks::BucketPeaks;
use crate::metrics::{MetricOptions, ProbeSummary, Series, SpeculativeDecoding, Summary};
use crate::record::Task;

#[test]
fn aggregates_follow_from_the_arrays_bit_for_bit() {
    for case in DETAILED.map(Case::load) {
        let series = case.series();
        let mut computed = Summary::compute(&series, &case.options(&series));
        let expected = case.summary();
        if case.task() == Task::Pooling {
            computed.peaks = BucketPeaks::default();
        }
        assert_eq!(computed, expected, "{}", case.name);
    }
}

#[test]
fn records_give_the_arrays_to_the_nanosecond() {
    for case in DETAILED.map(Case::load) {
        let expected = case.series();
        let got = Series::from_run(&case.run(&expected));
        let close = |a: &[f64], b: &[f64], what: &str| {
            assert_eq!(a.len(), b.len(), "{} {what}", case.name);
            for (a, b) in a.iter().zip(b) {
                assert!((a - b).abs() < 0.6e-9, "{} {what}: {a} {b}", case.name);
            }
        };
        close(&got.latency_s, &expected.latency_s, "latency");
        close(&got.queue_s, &expected.queue_s, "queue");
        if case.task() == Task::Generation {
            close(&got.ttft_s, &expected.ttft_s, "ttft");
        }
        for i in 0..got.len() {
            close(got.itl_s(i), expected.itl_s(i), "itl");
        }
        assert_eq!(got.succeeded, expected.succeeded, "{}", case.name);
        assert_eq!(got.input_tokens, expected.input_tokens, "{}", case.name);
        assert_eq!(got.output_tokens, expected.output_tokens, "{}", case.name);
    }
}

#[test]
fn result_files_equal_byte_for_byte() {
    for case in all() {
        let detailed = case.args.iter().any(|arg| arg == "--save-detailed");
        let bytes = case.report(|input| ResultJson::new(input, detailed).to_vec().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        let own = text.find(&format!(", \"{EXTENSION_KEY}\": {{")).unwrap();
        assert_eq!(format!("{}}}", &text[..own]), case.text, "{}", case.name);
        serde_json::from_str::<Value>(&text).unwrap();
    }
}

#[test]
fn ramp_ups_list_their_rates() {
    for case in ["sched-ramp-linear", "sched-ramp-exponential"].map(Case::load) {
        let bytes = case.report(|input| ResultJson::new(input, true).to_vec().unwrap());
        let mut got: Map<String, Value> = serde_json::from_slice(&bytes).unwrap();
        got.shift_remove(EXTENSION_KEY);
        assert_eq!(got, case.result, "{}", case.name);
        assert!(got.keys().eq(case.result.keys()), "{}", case.name);
    }
}

#[test]
fn tables_equal_byte_for_byte() {
    for case in all() {
        let brief_with_failures = !case.result.contains_key("errors");
        assert!(!brief_with_failures || case.result["completed"] == case.result["num_prompts"]);
        assert_eq!(case.report(|input| console::render(input, true)), case.console, "{}", case.name);
        let own = case.report(|input| console::render(input, false));
        let is_tip = |line: &&str| line.starts_with("tip: ");
        assert!(own.lines().eq(case.console.lines().filter(|line| !is_tip(line))), "{}", case.name);
    }
}

#[test]
fn default_names_are_the_reference_clients() {
    for case in ["out-default-name-ramp", "out-default-name-rate-conc"].map(Case::load) {
        assert_eq!(default_name(&case.settings()), case.file);
    }
}

#[test]
fn pytorch_files_equal_byte_for_byte() {
    for (name, header) in [
        ("out-pytorch", None),
        ("out-pytorch-detailed-all", Some("secret=1")),
        ("out-pytorch-eager-name", None),
    ] {
        let case = Case::load(name);
        let file = case.file.replace(".json", ".pytorch.json");
        let expected = fs::read_to_string(folder().join(name).join(file)).unwrap();
        let records: Vec<Value> = serde_json::from_str(&expected).unwrap();
        let Value::Object(mut args) = records[0]["benchmark"]["extra_info"]["args"].clone() else { panic!() };
        // Taken back what the format itself does to the arguments.
        args.shift_remove("tensor_parallel_size");
        args["header"] = header.map_or(Value::Null, |header| serde_json::json!([header]));
        let detailed = case.args.iter().any(|arg| arg == "--save-detailed");
        let bytes = case.report(|input| pytorch::to_vec(&ResultJson::new(input, detailed), &args).unwrap());
        assert_eq!(String::from_utf8(bytes).unwrap(), expected, "{name}");
    }
}

#[test]
fn pytorch_files_need_no_file_name() {
    let case = Case::load("out-save-detailed");
    let args =
        serde_json::json!({"model": "m", "result_filename": null, "compilation_config": {"mode": "0"}});
    let bytes =
        case.report(|input| pytorch::to_vec(&ResultJson::new(input, false), args.as_object().unwrap()));
    let records: Vec<Value> = serde_json::from_slice(&bytes.unwrap()).unwrap();
    let info = &records[0]["benchmark"]["extra_info"];
    assert_eq!((records.len(), &info["use_compile"]), (12, &Value::Bool(false)));
    assert_eq!(info["compilation_config.mode"], "0");
}

#[test]
fn results_follow_the_published_schema() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/result.schema.json");
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    let schema = compiler.compile(path, &mut schemas).unwrap();
    let check = |name: &str, result: &Value| {
        if let Err(error) = schemas.validate(result, schema) {
            panic!("{name}: {error:#}");
        }
    };
    for case in all() {
        check(case.name, &Value::Object(case.result.clone()));
        let bytes = case.report(|input| ResultJson::new(input, true).to_vec().unwrap());
        check(case.name, &serde_json::from_slice(&bytes).unwrap());
    }
    // The schema is no rubber stamp.
    let mut broken = Case::load("out-save-detailed").result;
    broken["mean_ttft_ms"] = Value::from("fast");
    assert!(schemas.validate(&Value::Object(broken.clone()), schema).is_err());
    broken.shift_remove("mean_ttft_ms");
    broken.shift_remove("duration");
    assert!(schemas.validate(&Value::Object(broken), schema).is_err());
}

#[test]
fn probes_and_drafts_have_rows_and_keys() {
    let case = Case::load("out-save-detailed");
    let probes = ProbeSummary::new(vec![0.25, 0.5], 1).unwrap();
    let drafts = SpeculativeDecoding {
        acceptance_rate: 25.0,
        acceptance_length: 1.75,
        num_drafts: 4,
        draft_tokens: 12,
        accepted_tokens: 3,
        per_position_acceptance_rates: vec![0.5, 0.25],
    };
    case.report(|input| {
        let settings = RunSettings { burstiness: f64::INFINITY, ..input.settings.clone() };
        let input =
            ReportInput { settings: &settings, probes: Some(&probes), speculative: Some(&drafts), ..*input };
        let table = console::render(&input, true);
        let rows = [
            "------------------Probe Requests------------------\n",
            "Probe requests completed:                2         \n",
            "Probe requests failed:                   1         \n",
            "Median probe E2EL (ms):                  375.00    \n",
            "P99 probe E2EL (ms):                     497.50    \n",
            "Max probe E2EL (ms):                     500.00    \n",
            "---------------Time to First Token----------------\n",
            "---------------Speculative Decoding---------------\n",
            "Acceptance rate (%):                     25.00     \n",
            "Acceptance length:                       1.75      \n",
            "Drafts:                                  4         \n",
            "Draft tokens:                            12        \n",
            "Accepted tokens:                         3         \n",
            "Per-position acceptance (%):\n",
            "  Position 0:                            50.00     \n",
            "  Position 1:                            25.00     \n",
            "==================================================\n",
        ];
        let mut from = 0;
        for row in rows {
            from += table[from..].find(row).unwrap_or_else(|| panic!("{row} not in order in\n{table}"));
        }
        let text = String::from_utf8(ResultJson::new(&input, false).to_vec().unwrap()).unwrap();
        assert!(text.contains("\"burstiness\": \"inf\""));
        assert!(text.contains("\"rtfx\": 0.0, \"probe_completed\": 2, \"probe_failed\": 1, "));
        assert!(text.contains(
            "\"probe_max_e2el_ms\": 500.0, \"spec_decode_acceptance_rate\": 25.0, \
             \"spec_decode_acceptance_length\": 1.75, \"spec_decode_num_drafts\": 4, \
             \"spec_decode_draft_tokens\": 12, \"spec_decode_accepted_tokens\": 3, \
             \"spec_decode_per_position_acceptance_rates\": [0.5, 0.25], \"mean_ttft_ms\""
        ));
    });
}

#[test]
fn without_a_tokenizer_token_rows_are_missing() {
    let case = Case::load("out-save-detailed");
    case.report(|input| {
        let settings = RunSettings { tokenizer_id: None, ..input.settings.clone() };
        let options = MetricOptions { has_tokenizer: false, ..case.options(input.series) };
        let summary = Summary::compute(input.series, &options);
        let input = ReportInput { settings: &settings, summary: &summary, ..*input };
        let table = console::render(&input, true);
        assert!(table.contains("Peak concurrent requests:"));
        for absent in ["TTFT", "tok/s", "generated"] {
            assert!(!table.contains(absent), "{absent}");
        }
        let result = ResultJson::new(&input, false);
        assert_eq!(result.value("tokenizer_id"), Some(&Value::Null));
        assert_eq!(result.value("mean_ttft_ms"), None);
    });
}
