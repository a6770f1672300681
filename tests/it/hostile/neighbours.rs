//! What others notice of a plugin that misbehaves: nothing.

use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use vbench::plugin::contract::{DatasetArgs, Sample};
use vbench::plugin::services::Services;
use vbench::plugin::{CacheMode, LoadOptions, Plugins};

use super::super::command::{SAVE, Vbench};
use super::super::recording_server::RecordingServer;
use super::evil_file;

/// `serve` with the plugin's dataset and a short limit on calls, saved with what is known of each request.
fn with_evil(flags: &[&str]) -> Vbench {
    let saved = [&["--dataset-name", "evil"], flags, &SAVE, &["--save-detailed"]].concat();
    Vbench::serve_mock(&evil_file(), &["--plugin-timeout-s", "0.3"], &saved)
}

#[test]
fn a_run_is_kept_when_a_criterion_fails() {
    for order in ["good:loop", "good:panic", "evaluate:loop", "evaluate:nan"] {
        let outcome = with_evil(&[
            "--num-prompts",
            "5",
            "--sla",
            "threshold",
            "--threshold-limits",
            r#"{"p99_ttft_ms": "<=100000"}"#,
            "--sla",
            "evil-sla",
            "--evil-sla-do",
            order,
        ])
        .run()
        .expect_code(3);
        let result = outcome.result();
        assert_eq!(result["completed"], 5, "{order}");
        assert_eq!(result["ttfts"].as_array().map(Vec::len), Some(5), "{order}");
        assert_eq!(
            result["vbench"]["sla"][0]["name"], "threshold",
            "{order}: the other criterion has spoken"
        );
        assert_eq!(result["vbench"]["sla"][0]["pass"], true, "{order}");
        assert_eq!(result["vbench"]["sla"].as_array().map(Vec::len), Some(1), "{order}");
        assert_eq!(result["vbench"]["plugin_costs"]["evil"]["faults"], 1, "{order}");
    }
}

#[test]
fn a_fault_in_one_response_leaves_the_others_alone() {
    for order in
        ["parse:second-loop", "parse:second-panic", "parse:second-event-twice", "parse:second-text-100-mib"]
    {
        let outcome = with_evil(&[
            "--num-prompts",
            "4",
            "--max-concurrency",
            "1",
            "--backend",
            "evil-backend",
            "--evil-backend-do",
            order,
        ])
        .run()
        .expect_code(3);
        let result = outcome.result();
        assert_eq!(
            (&result["completed"], &result["failed"]),
            (&json!(2), &json!(2)),
            "{order}\n{}",
            outcome.stderr
        );
        let errors: Vec<&str> =
            result["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert_eq!(
            errors.iter().filter(|error| error.contains("backend.parse")).count(),
            2,
            "{order}: {errors:?}"
        );
        assert!(outcome.stderr.contains("plugin `evil`, `backend.parse`"), "{order}\n{}", outcome.stderr);
    }
}

#[test]
fn a_plugin_that_keeps_failing_is_not_called_for_ever() {
    let outcome =
        with_evil(&["--num-prompts", "200", "--backend", "evil-backend", "--evil-backend-do", "parse:loop"])
            .run()
            .expect_code(3);
    let result = outcome.result();
    assert_eq!(result["failed"], 200);
    assert_eq!(result["vbench"]["plugin_costs"]["evil"]["calls"]["backend.parse"]["calls"], 3, "and no more");
}

#[test]
fn nobody_waits_for_a_plugin_to_become_ready() {
    // The last one counts.
    let readiness = ["--ready-check-timeout-sec", "600"];
    let backend = ["--backend", "evil-backend", "--evil-backend-do", "parse:event-twice"];
    let flags = [&["--dataset-name", "evil", "--num-prompts", "1"], &readiness[..], &backend].concat();
    let outcome = Vbench::serve_mock(&evil_file(), &[], &flags).run().expect_code(3);
    assert!(
        outcome.stderr.contains("error: plugin `evil`, `backend.parse`: output rejected"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn requests_are_the_same_with_a_hostile_plugin_beside() {
    let bodies = |plugins: &[&str]| {
        let server = RecordingServer::start(json!({}));
        let flags = [
            "--dataset-name",
            "random",
            "--random-input-len",
            "16",
            "--num-prompts",
            "8",
            "--request-id-prefix",
            "x-",
        ];
        Vbench::serve_in_turn(&server.url(), plugins, &flags).run().expect_code(0);
        let sent = server.take_log();
        sent.into_iter().map(|request| (request["path"].clone(), request["json"].clone())).collect::<Vec<_>>()
    };
    let alone = bodies(&[]);
    assert!(alone.len() >= 8);
    assert_eq!(bodies(&[&evil_file()]), alone);
}

#[test]
fn instances_of_one_process_do_not_notice_each_other() {
    let mut options = LoadOptions { cache: CacheMode::Off, ..LoadOptions::default() };
    options.limits.set_call_time(Duration::from_millis(500));
    let mut plugins = Plugins::new(options);
    plugins.add_file(evil_file().as_ref()).expect("it can be described");
    let plugins = Arc::new(plugins);
    let samples = |order: &str| -> Result<Vec<Sample>, String> {
        let args = DatasetArgs {
            config: json!({ "do": order }).to_string(),
            seed: 1,
            count: 5,
            request_id_prefix: String::new(),
            backend: "openai".into(),
            compat: "vbench".into(),
            grants: Vec::new(),
        };
        let mut source =
            plugins.open_dataset("evil", args, Services::default()).map_err(|error| error.to_string())?;
        let samples = source.next(10).map_err(|error| error.to_string())?;
        source.finish().map_err(|error| error.to_string())?;
        Ok(samples)
    };
    let alone = samples("").expect("it does no harm");
    thread::scope(|scope| {
        let evil = ["open:loop", "next:overflow", "next:panic", "next:too-many", "finish:exit"];
        let running: Vec<_> =
            evil.iter().map(|order| scope.spawn(|| samples(order).expect_err("it was refused"))).collect();
        for _ in 0..5 {
            assert_eq!(samples("").expect("it does no harm"), alone);
        }
        for thread in running {
            assert!(thread.join().expect("no panic").starts_with("plugin `evil`, `dataset."));
        }
    });
    assert_eq!(samples("").expect("it does no harm"), alone, "and afterwards");
}

#[test]
fn a_lie_about_the_name_does_not_hide_the_file() {
    let outcome = with_evil(&["--num-prompts", "1"]).run().expect_code(0);
    let plugin = &outcome.result()["vbench"]["plugins"][0];
    assert_eq!(plugin["source"]["file"], json!(evil_file()), "{plugin}");
    assert_eq!(plugin["sha256"].as_str().map(str::len), Some(64));
    assert!(fs::exists(evil_file()).is_ok_and(|exists| exists));
}
