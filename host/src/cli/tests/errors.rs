//! What a line that cannot be meant is answered with.

use serde_json::json;

use super::super::offers::Role;
use super::fake_offers::{acme, offer, usual};
use super::{invoke, serve_with};

#[test]
fn typical_errors() {
    let mut offers = usual();
    offers.push(acme());
    let lines: &[&[&str]] = &[
        &["--nonsense", "1"],
        &["--num-promts", "1"],
        &["--seed", "-1"],
        &["--seed"],
        &["--request-rate", "fast"],
        &["--request-rate", "nan"],
        &["--request-rate", "0"],
        &["--burstiness", "-1"],
        &["--max-concurrency", "0"],
        &["--ramp-up-strategy", "linear"],
        &["--ramp-up-strategy", "linear", "--ramp-up-start-rps", "-1", "--ramp-up-end-rps", "1"],
        &["--ramp-up-strategy", "linear", "--ramp-up-start-rps", "2", "--ramp-up-end-rps", "1"],
        &["--header", "secret"],
        &["--session-header", "Host"],
        &["--session-header", "x y"],
        &["--metadata", "novalue"],
        &["--metric-percentiles", "101"],
        &["--base-url", "localhost:8000"],
        &["--mock", "--base-url", "http://x"],
        &["--extra-body", "[1]"],
        &["--extra-body", "{"],
        &["--temperature", "inf"],
        &["--save-result=yes"],
        &["--goodput"],
        &["--top"],
        &["--hf-name", "x"],
        &["--dataset-name", "hf"],
        &["--dataset-name", "nonsense"],
        &["--backend", "vllm-rerank"],
        &["--sla", "nonsense"],
        &["--dataset-path", "x.json"],
        &["--dataset-name", "sharegpt"],
        &["--random-input-len", "many"],
        &["--dataset-name", "custom", "--dataset-path", "x", "--random-input-len", "many"],
        &["--random-output-len", "0"],
        &["--input-len", "-5"],
        &["--dataset-name", "acme_logs", "--acme-logs-size", "7"],
        &["--dataset-name", "acme_logs", "--acme-logs-size", "64"],
        &["--dataset-name", "acme_logs", "--acme-logs-mode", "medium"],
        &["--dataset-name", "acme_logs", "--acme-logs-ratio", "0"],
        &["--dataset-name", "acme_logs", "--acme-logs-word", "b"],
        &["--sla", "threshold", "--sla", "threshold"],
        &["--max-error-rate", "2"],
        &["--percentile-metrics", "ttft,ttfb"],
        &["--probe-request-rate", "-1"],
        &["--probe-request-rate", "inf"],
        &["--prompt-token-ids", "--skip-tokenizer-init"],
        &["--prompt-token-ids", "--backend", "openai-chat"],
        &["--fail-on-errors", "--max-error-rate", "0.1"],
        &["--io-threads", "0"],
        &["--request-timeout-sec", "0"],
        &["--common-prefix-len", "1"],
        &["--extra-body.size", "1.5K"],
        &["stray"],
    ];
    let mut report = String::new();
    for line in lines {
        let error = serve_with(line, &offers).expect_err(&line.join(" "));
        report.push_str(&format!("$ {}\n{error}\n\n", line.join(" ")));
    }
    insta::assert_snapshot!(report);
}

#[test]
fn plugins_that_disagree_are_named() {
    let flag = |plugin: &str, name: &str, schema| offer(Role::Dataset, plugin, name, json!({"p": schema}));
    let mut report = String::new();
    for (left, right) in [
        (
            flag("acme", "a", json!({"type": "string", "x-flag": "shared"})),
            flag("bolt", "b", json!({"type": "integer", "x-flag": "shared"})),
        ),
        (
            flag("acme", "a", json!({"type": "string", "x-flag": "b-p"})),
            flag("bolt", "b", json!({"type": "string"})),
        ),
        (flag("acme", "a", json!({"type": "string"})), flag("bolt", "a", json!({"type": "string"}))),
        (
            flag("acme", "a", json!({"type": "string"})),
            flag("bolt", "b", json!({"type": "string", "x-flag": "seed"})),
        ),
        (
            flag("acme", "a", json!({"type": "string"})),
            flag("bolt", "b", json!({"type": "string", "x-flag": "plugin-cache"})),
        ),
        (
            flag("acme", "a", json!({"type": "string"})),
            flag("bolt", "b", json!({"type": "string", "x-flag": "plot-timeline"})),
        ),
        (
            flag("acme", "a", json!({"type": "string"})),
            flag("bolt", "b", json!({"type": "string", "x-flag": "help"})),
        ),
        (
            flag("acme", "a", json!({"type": "string"})),
            flag("bolt", "b", json!({"type": "string", "x-general-flag": "b-p"})),
        ),
    ] {
        let error = invoke(&["serve"], &[left, right]).expect_err("the plugins disagree");
        report.push_str(&format!("{error}\n"));
        assert_eq!(crate::fault::Fault::from(error).exit_code(), crate::fault::EXIT_PLUGIN);
    }
    insta::assert_snapshot!(report);
    let same = flag("acme", "a", json!({"type": "string", "x-flag": "hf-name"}));
    let mut offers = usual();
    offers.push(same);
    let plan = serve_with(&["--dataset-name", "a", "--hf-name", "x"], &offers).unwrap();
    assert_eq!(plan.dataset.config, json!({"p": "x"}));
}
