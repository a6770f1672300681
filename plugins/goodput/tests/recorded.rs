//! The criterion against a run of the reference client.

use vbench_plugin::prelude::*;
use vbench_plugin::testing::{RunData, TestCriterion};
use vbench_plugin_goodput::Goodput;

#[derive(Deserialize)]
struct Recorded {
    duration: f64,
    request_goodput: f64,
    ttfts: Vec<f64>,
    latencies: Vec<f64>,
    output_lens: Vec<u32>,
    errors: Vec<String>,
}

#[test]
fn the_objective_is_the_reference_clients_goodput() {
    let recorded: Recorded = serde_json::from_str(include_str!("fixtures/run.json")).unwrap();
    let times = recorded.latencies.iter().zip(&recorded.ttfts);
    let tpots: Vec<f64> = times
        .zip(&recorded.output_lens)
        .map(|((e2el, ttft), &tokens)| if tokens > 1 { (e2el - ttft) / f64::from(tokens - 1) } else { 0.0 })
        .collect();
    let success =
        recorded.errors.iter().map(|error| f64::from(u8::from(error.is_empty()))).collect::<Vec<_>>();
    let run = RunData::new()
        .with_metric("duration", recorded.duration)
        .with_column("success", success)
        .with_column("ttft_s", recorded.ttfts)
        .with_column("tpot_s", tpots)
        .with_column("e2el_s", recorded.latencies);
    // The command line of the recorded run.
    let config = r#"{"slos": ["ttft:20", "tpot:5", "e2el:60"]}"#;
    let criterion = TestCriterion::<Goodput>::open(config, Compat::V0_33).unwrap();
    assert_eq!(criterion.objective(&run).unwrap(), recorded.request_goodput);
}
