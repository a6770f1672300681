//! `vbench startup` over real `vbench mock` servers.

use std::sync::Arc;

use serde_json::Value;

use super::command::Vbench;
use super::experiment::Experiment;

#[test]
fn starts_of_a_server_are_measured() {
    let experiment = Experiment::new();
    let command = format!("{} mock --host 127.0.0.1", env!("CARGO_BIN_EXE_vbench"));
    let outcome = Vbench::within(
        Arc::clone(&experiment.dir),
        [
            "startup",
            "--server-cmd",
            &command,
            "--port",
            &experiment.port.to_string(),
            "--num-iters-cold",
            "2",
            "--num-iters-warmup",
            "0",
            "--num-iters-warm",
            "1",
            "--output-json",
            "@OUT@/start.json",
            "--ttft-ms",
            "1",
        ],
    )
    .run()
    .expect_code(0);
    assert!(outcome.stdout.contains("COLD STARTUP:\nAvg startup time: "), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("the server's log does not tell it"), "{}", outcome.stdout);
    let result: Value = serde_json::from_str(&outcome.file("start.json").unwrap()).unwrap();
    assert_eq!(result["cold_startup_times"].as_array().unwrap().len(), 2);
    assert!(result["warm_startup_percentiles"]["99"].is_number());
    let one = &result["vbench"]["milestones"]["cold"][0];
    let at = |name: &str| one[name].as_f64().unwrap();
    assert!(at("port_open_s") <= at("healthy_s") && at("healthy_s") <= at("models_s"));
    assert!(at("models_s") <= at("first_token_s"));
}

#[test]
fn a_server_that_crashes_at_its_start_is_told() {
    let experiment = Experiment::new();
    let outcome = Vbench::new([
        "startup",
        "--server-cmd",
        "/bin/sh -c 'echo no GPU; exit 5'",
        "--port",
        &experiment.port.to_string(),
    ])
    .run()
    .expect_code(4);
    assert!(
        outcome.stderr.contains("return code 5") && outcome.stderr.contains("no GPU"),
        "{}",
        outcome.stderr
    );
}
