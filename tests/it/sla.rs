//! Searches for the highest load over real `vbench mock` servers.

use std::thread;

use serde_json::{Value, json};

use super::experiment::{BENCH, Experiment};

/// The server works on eight requests at once; a ninth waits for one of them.
#[test]
fn every_criterion_and_search_finds_the_batch_limit() {
    let limits = r#"{"p99_ttft_ms": "<=120"}"#;
    let rule = format!(r#"{{"any": [{limits}, {{"p99_ttft_ms": "<=1"}}]}}"#);
    let mlperf =
        ["--sla", "mlperf-server", "--mlperf-server-model", "llama2-70b", "--mlperf-server-ttft-ms", "120"];
    let searches: [(&str, &[&str]); 8] = [
        ("auto", &["--sla-params", "@SLA@"]),
        ("auto", &["--sla", "threshold", "--threshold-limits", limits]),
        ("auto", &["--sla", "goodput", "--goodput", "ttft:120"]),
        ("auto", &["--sla", "composite", "--composite-rule", &rule]),
        ("auto", &mlperf),
        ("bisect", &["--sla-params", "@SLA@"]),
        ("spline", &["--sla-params", "@SLA@"]),
        ("scan", &["--sla-params", "@SLA@"]),
    ];
    // They wait more than they work.
    for pair in searches.chunks(2) {
        thread::scope(|scope| {
            for (search, criterion) in pair {
                scope.spawn(|| finds_the_batch_limit(search, criterion));
            }
        });
    }
}

/// A machine that stands still for a moment makes one load look worse than it
/// is, which is no fault of the search: it may be repeated.
fn finds_the_batch_limit(search: &str, criterion: &[&str]) {
    let bench = BENCH.replace("--num-prompts 12", "--num-prompts 20").replace("output-len 8", "output-len 4");
    let server = "--max-batch 8 --ttft-ms 40 --itl-ms 40";
    let mut said = Vec::new();
    while said.len() < 3 {
        let experiment = Experiment::new();
        let file = experiment.file("sla.json", &json!([{"p99_ttft_ms": "<=120"}]));
        let criterion: Vec<String> = criterion.iter().map(|word| word.replace("@SLA@", &file)).collect();
        let mut more = vec!["--sla-variable", "max_concurrency", "--num-runs", "1", "--sla-max", "32"];
        more.extend(["--search", search]);
        more.extend(criterion.iter().map(String::as_str));
        let outcome = experiment.command("serve-sla", &bench, server, &more).run().expect_code(0);
        if outcome.stdout.contains("Maximum max_concurrency for SLA: 8 req/s.") {
            return;
        }
        said.push(outcome.stdout);
    }
    panic!("{search} {criterion:?}\n{}", said.join("\n"));
}

#[test]
fn a_search_in_which_nothing_passes_says_so() {
    let experiment = Experiment::new();
    let sla = experiment.file("sla.json", &json!([{"p99_ttft_ms": "<=1"}]));
    let more =
        ["--sla-params", &sla, "--sla-variable", "max_concurrency", "--num-runs", "1", "--sla-max", "8"];
    let outcome = experiment.run("serve_sla", "--ttft-ms 30 --itl-ms 0", &more).expect_code(0);
    assert!(!outcome.stdout.contains("Maximum max_concurrency"), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("even 1 does not"), "{}", outcome.stderr);
    let found = experiment.json("vbench-SLA--p99_ttft_ms<=1.00.json");
    assert_eq!(found["highest_passing"], Value::Null);
    assert!(experiment.path("exp/SLA--p99_ttft_ms<=1.00.json").exists());
}

#[test]
fn a_dry_run_shows_the_plan_of_a_search() {
    let experiment = Experiment::new();
    let sla = experiment.file("sla.json", &json!([{"p99_ttft_ms": "<=1"}]));
    let outcome = experiment.run("serve-sla", "", &["--sla-params", &sla, "--dry-run"]).expect_code(0);
    for line in [
        "[SLA START]",
        "SLA criteria: p99_ttft_ms<=1.00",
        "Testing request_rate: 65536 req/s",
        "Search plan: first request_rate=65536",
        "Omitting SLA search.",
        "[SLA END]",
    ] {
        assert!(outcome.stdout.contains(line), "{line}\n{}", outcome.stdout);
    }
    assert!(!experiment.path("exp").exists());
}
