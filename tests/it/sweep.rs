//! A whole sweep over real `vbench mock` servers: measured, killed, resumed, drawn.

use std::fs;
use std::sync::Arc;

use serde_json::json;

use super::command::{Vbench, png_size};
use super::experiment::{BENCH, Experiment, wait_for};

/// Two servers, one of which crashes by design, three loads, two runs; killed in
/// the middle, resumed and drawn.
#[test]
fn a_sweep_that_was_killed_is_resumed_and_drawn() {
    let experiment = Experiment::new();
    let serve = experiment.file("serve.json", &json!([{"max_batch": 4}, {"max_batch": 0}]));
    let bench = experiment.file("bench.json", &json!([1, 2, 4].map(|c| json!({"max_concurrency": c}))));
    let more = ["--serve-params", &serve, "--bench-params", &bench, "--num-runs", "2", "--continue-on-error"];
    let server = "--ttft-ms 5 --itl-ms 2";
    let planned = experiment.run("serve", server, &[&more[..], &["--dry-run"]].concat()).expect_code(0);
    let running = experiment.command("serve", BENCH, server, &more).start();
    let pair = |c: u32| format!("SERVE--max_batch=4-BENCH--max_concurrency={c}");
    let first = experiment.path("exp").join(pair(1)).join("run=0.json");
    let cut = experiment.path("exp").join(pair(1)).join(".run=1.running");
    wait_for("the second run did not begin", || cut.exists());
    running.signal("KILL");
    let killed = running.wait();
    assert_eq!(killed.code, None);
    wait_for("the server outlives vbench", || !experiment.listens());
    let before = fs::read(&first).unwrap();

    let resumed = experiment.run("serve", server, &[&more[..], &["--resume"]].concat()).expect_code(0);
    assert_eq!(fs::read(&first).unwrap(), before);
    assert_eq!(resumed.lines("Found existing results.").len(), 1, "{}", resumed.stdout);
    assert_eq!(resumed.lines("[END BENCHMARK]").len(), 5, "{}", resumed.stdout);
    // The same commands as without the interruption, seeds included; those of the other server are left out.
    let command = "Benchmark command: ";
    assert_eq!(planned.lines(command).len(), 12);
    assert_eq!(resumed.lines(command), planned.lines(command)[..6]);
    assert!(
        resumed.stdout.contains(
            "[FAILED SERVER COMBINATION] max_batch=0: RuntimeError: Server process crashed with return code 2"
        ),
        "{}",
        resumed.stdout
    );
    assert!(resumed.stderr.contains("--max-batch"), "{}", resumed.stderr);
    let failure = experiment.json("SERVE-max_batch=0-failure.json");
    assert_eq!(
        (&failure["error_type"], &failure["serve_overrides"]),
        (&json!("RuntimeError"), &json!({"max_batch": 0}))
    );
    let mut seeds = Vec::new();
    for c in [1, 2, 4] {
        let summary = experiment.json(&format!("{}/summary.json", pair(c)));
        let runs = summary.as_array().unwrap();
        assert_eq!(runs.len(), 2);
        for (number, run) in runs.iter().enumerate() {
            assert_eq!((&run["run_number"], &run["completed"]), (&json!(number), &json!(12)));
            assert_eq!((&run["max_concurrency"], &run["max_batch"]), (&json!(c), &json!(4)));
            seeds.push(run["vbench"]["args"]["seed"].as_u64().unwrap());
        }
        assert!(!experiment.path("exp").join(pair(c)).join(".run=1.running").exists());
    }
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 6, "every point has prompts of its own");
    let csv = fs::read_to_string(experiment.path("exp/summary.csv")).unwrap();
    assert_eq!(csv.lines().count(), 7);
    let aggregate = experiment.json("aggregate.json");
    assert_eq!(aggregate.as_array().unwrap().len(), 3);
    assert!(aggregate[0]["metrics"]["mean_ttft_ms"]["ci95_low"].is_number());
    assert!(!experiment.listens());
    draw(&experiment);
}

/// Draws curves and frontier and looks at the files.
fn draw(experiment: &Experiment) {
    let draw = |args: &[&str]| {
        let words = ["sweep"].iter().chain(args).chain(&["--fig-dpi", "50"]);
        Vbench::within(Arc::clone(&experiment.dir), words).run().expect_code(0)
    };
    let curves = ["--var-x", "output_throughput", "--var-y", "p99_ttft_ms", "--curve-by", "max_batch"];
    draw(&[&["plot", "@OUT@/exp", "--fig-height", "4"], &curves[..]].concat());
    let (width, height) = png_size(&experiment.path("exp/FIGURE.png"));
    assert_eq!(height, 200, "4 inches of 50 pixels");
    assert!((height..3 * height).contains(&width), "{width}");
    draw(&[
        "plot",
        "@OUT@/exp",
        "--var-x",
        "max_concurrency",
        "--fig-by",
        "max_concurrency",
        "--fig-dir",
        "by",
    ]);
    for c in [1, 2, 4] {
        assert_eq!(png_size(&experiment.path(&format!("exp/by/FIGURE-max_concurrency={c}.png"))).1, 320);
    }
    let outcome = draw(&["plot-pareto", "@OUT@/exp"]);
    assert_eq!(png_size(&experiment.path("exp/pareto/PARETO.png")), (400, 300), "8 by 6 inches");
    assert_eq!(outcome.lines("Plotted 6 points; ").len(), 1, "{}", outcome.stdout);
}
