//! What goes wrong in sweeps, and what they say then.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::command::Vbench;
use super::experiment::{BENCH, Experiment, wait_for};

#[test]
fn an_interrupted_sweep_keeps_what_is_finished() {
    let experiment = Experiment::new();
    let bench = experiment.file("bench.json", &json!([{"num_prompts": 4}, {"num_prompts": 4000}]));
    let more = ["--bench-params", &bench, "--num-runs", "1"];
    let running = experiment.command("serve", BENCH, "--ttft-ms 5 --itl-ms 5 --max-batch 2", &more).start();
    let second = experiment.path("exp/BENCH--num_prompts=4000/.run=0.running");
    wait_for("the second run did not begin", || second.exists());
    running.signal("INT");
    let outcome = running.wait().expect_code(130);
    assert!(outcome.stderr.contains("Use `--resume`"), "{}", outcome.stderr);
    assert!(!experiment.listens());
    assert_eq!(experiment.json("BENCH--num_prompts=4/summary.json").as_array().unwrap().len(), 1);
    // The cut run does not count, whatever it left.
    assert!(second.exists());
    let resumed = experiment
        .run("serve", "--ttft-ms 0 --itl-ms 0", &[&more[..], &["--resume"]].concat())
        .expect_code(0);
    assert_eq!(resumed.stdout.matches("Found existing results.").count(), 1, "{}", resumed.stdout);
    assert_eq!(experiment.json("BENCH--num_prompts=4000/summary.json")[0]["completed"], 4000);
}

#[test]
fn two_sweeps_do_not_share_a_folder() {
    let experiment = Experiment::new();
    let running = experiment.command("serve", BENCH, "--ttft-ms 300", &["--num-runs", "3"]).start();
    wait_for("the first has not begun", || {
        experiment.path("exp/.vbench.lock").exists() && experiment.listens()
    });
    let second = experiment.run("serve", "", &["--resume"]).expect_code(2);
    assert!(second.stderr.contains("in use by another sweep (process "), "{}", second.stderr);
    running.signal("KILL");
    running.wait();
}

#[test]
fn bad_input_is_refused_before_anything_starts() {
    let experiment = Experiment::new();
    let broken = experiment.path("broken.json");
    fs::write(&broken, "[{\"a\": 1},\n {\"a\" 2}]").unwrap();
    let broken = broken.display().to_string();
    let twice = experiment.file("twice.json", &json!([{"_benchmark_name": "x"}, {"_benchmark_name": "x"}]));
    let unknown = experiment.file("unknown.json", &json!([{"max_concurrency": 1}, {"no_such_thing": 1}]));
    let wrong = experiment.file("wrong.json", &json!([{"max_concurrency": "many"}]));
    let loads = experiment.file("loads.json", &json!([{"max_concurrency": 1}]));
    let mixed = experiment.file("mixed.json", &json!({"a/b": {"num_prompts": 1}, "a_b": {"num_prompts": 2}}));
    let sla = experiment.file("sla.json", &json!([{"p99_ttft_ms": "<=5"}]));
    for (sub, more, reasons) in [
        ("serve", &["--bench-params", &broken][..], &["broken.json (--bench-params)", "line 2 column 7"][..]),
        ("serve", &["--serve-params", "/no/such.json"], &["/no/such.json (--serve-params)"]),
        ("serve", &["--serve-params", &twice], &["Duplicate _benchmark_name values found: {'x'}"]),
        ("serve", &["--bench-params", &unknown], &["no-such-thing", "{'no_such_thing': 1}"]),
        ("serve", &["--bench-params", &wrong], &["many", "--max-concurrency"]),
        ("serve", &["--bench-params", &mixed], &["a_b", "_benchmark_name"]),
        (
            "serve",
            &["--bench-params", &loads, "--link-vars", "max_batch=max_concurrency"],
            &["--link-vars: no combination of --serve-params has `max_batch`; there are: none"],
        ),
        (
            "serve",
            &["--serve-params", &loads, "--bench-params", &loads, "--link-vars", "max_concurrency=load"],
            &["--link-vars: no combination of --bench-params has `load`; there are: max_concurrency"],
        ),
        ("serve-sla", &["--sla-params", &broken], &["broken.json (--sla-params)", "line 2 column 7"]),
        ("serve", &["--link-vars", "a"], &["`a` is no pair"]),
        ("serve", &["--num-runs", "0"], &["`num_runs` should be at least 1"]),
        ("serve", &["--warmup-num-prompts", "-1"], &["`warmup_num_prompts` should be at least 0"]),
        ("serve", &["--resume"], &["Cannot resume from non-existent experiment_dir="]),
        ("serve", &["--resume=other"], &["name different experiments"]),
        (
            "serve-workload",
            &["--workload-var", "max_concurrency", "--bench-params", &loads],
            &["should not override `max_concurrency`"],
        ),
        (
            "serve-sla",
            &["--sla-params", &sla, "--sla-variable", "max_concurrency", "--bench-params", &loads],
            &["should not override `max_concurrency`"],
        ),
        ("serve-sla", &[], &["--sla-params"]),
        ("serve-sla", &["--sla", "nothing"], &["`nothing`", "threshold"]),
        ("serve-sla", &["--sla-params", &sla, "--sla-min", "9", "--sla-max", "8"], &["--sla-min 9 is above"]),
        ("serve-sla", &["--sla-params", &sla, "--goodput", "ttft:1"], &["not --sla goodput"]),
    ] {
        let outcome = experiment.run(sub, "", more).expect_code(2);
        for reason in reasons {
            assert!(outcome.stderr.contains(reason), "{more:?}: {}", outcome.stderr);
        }
        assert!(!outcome.stdout.contains("[BEGIN SERVER]"), "{}", outcome.stdout);
        let _ = fs::remove_dir_all(experiment.path("exp"));
    }
    for (name, words) in [("--serve-cmd", ["'open", "x"]), ("--bench-cmd", ["x", ""])] {
        let args = ["sweep", "serve", "--serve-cmd", words[0], "--bench-cmd", words[1]];
        let outcome = Vbench::new(args).run().expect_code(2);
        assert!(outcome.stderr.contains(name), "{}", outcome.stderr);
    }
}

#[test]
fn an_experiment_is_not_overwritten() {
    let experiment = Experiment::new();
    fs::create_dir(experiment.path("exp")).unwrap();
    let outcome = experiment.run("serve", "", &[]).expect_code(2);
    assert!(outcome.stderr.contains("Cannot overwrite existing experiment_dir="), "{}", outcome.stderr);
}

#[test]
fn a_failed_run_is_tried_again() {
    let experiment = Experiment::new();
    // The benchmark fails the first time.
    let script = experiment.script(
        "bench.sh",
        r#"while [ $# -gt 0 ]; do case $1 in --result-dir) d=$2;; --result-filename) f=$2;; esac; shift; done
if [ -e "$d/once" ]; then echo '{"completed": 1}' > "$d/$f"; else touch "$d/once"; echo no luck >&2; exit 7; fi"#,
    );
    let failed = experiment.command("serve", &script, "", &["--num-runs", "1"]).run().expect_code(4);
    for reason in ["returned non-zero exit status 7", "no luck", "Use `--resume`"] {
        assert!(failed.stderr.contains(reason), "{reason}: {}", failed.stderr);
    }
    fs::remove_dir_all(experiment.path("exp")).unwrap();
    let outcome =
        experiment.command("serve", &script, "", &["--num-runs", "1", "--retries", "2"]).run().expect_code(0);
    assert!(outcome.stdout.contains("[RETRY 1 of 2] run=0: CalledProcessError"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("[PROGRESS] 1 of 1 runs done, 0 left"), "{}", outcome.stdout);
}

#[test]
fn a_place_that_cannot_be_written_ends_the_sweep() {
    let experiment = Experiment::new();
    let more = ["--num-runs", "1"];
    experiment.run("serve", "--ttft-ms 0 --itl-ms 0", &more).expect_code(0);
    fs::remove_file(experiment.path("exp/summary.csv")).unwrap();
    fs::create_dir(experiment.path("exp/summary.csv")).unwrap();
    let outcome =
        experiment.run("serve", "", &["--num-runs", "1", "--resume", "--continue-on-error"]).expect_code(2);
    assert!(outcome.stderr.contains("summary.csv"), "{}", outcome.stderr);
}

#[test]
fn memory_on_the_gpu_is_waited_for() {
    let experiment = Experiment::new();
    let bin = experiment.path("bin");
    fs::create_dir(&bin).unwrap();
    // Nothing in use at first; much right after the server; then nothing again.
    let count = experiment.path("count").display().to_string();
    experiment.script(
        "bin/nvidia-smi",
        &format!(
            "echo x >> {count}\nn=$(wc -l < {count})\n\
             if [ $n -gt 1 ] && [ $n -lt 4 ]; then echo 70000; else echo 10; fi"
        ),
    );
    let outcome = experiment
        .command("serve", BENCH, "--ttft-ms 0 --itl-ms 0", &["--num-runs", "1"])
        .env("PATH", &format!("{}:/usr/bin:/bin", bin.display()))
        .run()
        .expect_code(0);
    assert!(!outcome.stderr.contains("GPU"), "{}", outcome.stderr);
    assert_eq!(fs::read_to_string(count).unwrap().lines().count(), 4);
}

/// A server that loads and loads is told with what it printed last; so is the next one.
#[test]
fn a_server_that_never_gets_ready_is_given_up() {
    let experiment = Experiment::new();
    let server = experiment.script("server.sh", "echo loading weights; exec sleep 300");
    let command = |more: &[&str]| {
        let more = [&["--server-ready-timeout", "1", "--num-runs", "1"], more].concat();
        experiment.command_with("serve", BENCH, &format!("{server} --port {}", experiment.port), &more)
    };
    let outcome = command(&[]).run().expect_code(4);
    for reason in ["Server failed to become ready within 1 seconds.", "loading weights", "Use `--resume`"] {
        assert!(outcome.stderr.contains(reason), "{reason}: {}", outcome.stderr);
    }
    let outcome = command(&["--resume", "--continue-on-error"]).run().expect_code(0);
    let told = "[FAILED SERVER COMBINATION] (default): TimeoutError: Server failed to become ready within 1 seconds.";
    assert_eq!(outcome.lines(told).len(), 1, "{}", outcome.stdout);
    let note = experiment.json("SERVE-default-failure.json");
    assert_eq!(note["error_type"], "TimeoutError");
    assert!(note["detail"].as_str().unwrap().contains("loading weights"), "{note}");
}

#[test]
fn an_end_is_possible_while_a_server_starts() {
    let experiment = Experiment::new();
    let pid = experiment.path("pid");
    let server = experiment
        .script("server.sh", &format!("echo $$ > {}.new; mv {0}.new {0}; exec sleep 300", pid.display()));
    let serve_cmd = format!("{server} --port {}", experiment.port);
    let running = experiment.command_with("serve", BENCH, &serve_cmd, &["--num-runs", "1"]).start();
    wait_for("the server did not start", || pid.exists());
    running.signal("INT");
    let outcome = running.wait().expect_code(130);
    assert!(outcome.stderr.contains("Use `--resume`"), "{}", outcome.stderr);
    let process = format!("/proc/{}", fs::read_to_string(pid).unwrap().trim());
    assert!(!fs::exists(process).unwrap(), "the server is left behind");
}

/// The server is killed in the middle of a run, after some requests were answered.
#[test]
fn a_run_whose_server_dies_is_repeated_on_a_new_one() {
    let experiment = Experiment::new();
    let pids = experiment.path("pids");
    let server = experiment.script(
        "server.sh",
        &format!("echo $$ >> {}\nexec {} mock \"$@\"", pids.display(), env!("CARGO_BIN_EXE_vbench")),
    );
    let serve_cmd = format!("{server} --host 127.0.0.1 --port {} --ttft-ms 5 --itl-ms 2", experiment.port);
    let bench = BENCH.replace("--num-prompts 12", "--num-prompts 200 --max-concurrency 2");
    let more = ["--num-runs", "1", "--retries", "1", "--after-bench-cmd", "true"];
    let running = experiment.command_with("serve", &bench, &serve_cmd, &more).start();
    // The probe before a run has 8 tokens as well.
    wait_for("no request was answered", || experiment.generated_tokens() >= 80);
    let started = || fs::read_to_string(&pids).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(Command::new("kill").args(["-s", "KILL", &started()[0]]).status().unwrap().success());
    let outcome = running.wait().expect_code(0);
    let told = "[RETRY 1 of 1] run=0: RuntimeError: Server process crashed with return code -9";
    assert_eq!(outcome.lines(told).len(), 1, "{}", outcome.stdout);
    assert!(
        outcome.stderr.contains("starting the server again: the server process ended"),
        "{}",
        outcome.stderr
    );
    assert_eq!(started().len(), 2);
    let run = &experiment.json("summary.json")[0];
    assert_eq!((&run["completed"], &run["failed"]), (&json!(200), &json!(0)));
    // What the first attempt measured is kept, but does not count.
    assert_eq!(experiment.json(".run=0.failed.json")["num_prompts"], 200);
}

/// A result does not fit on the disk: the sweep ends although it is to go on
/// after failures, and goes on when there is room.
#[test]
fn a_full_disk_ends_the_sweep() {
    let experiment = Experiment::new();
    // The benchmark itself has room.
    let bench = experiment.script(
        "bench.sh",
        r#"while [ $# -gt 0 ]; do case $1 in --result-dir) d=$2;; --result-filename) f=$2;; esac; shift; done
ulimit -S -f unlimited
echo "{\"completed\": 1, \"text\": \"$(head -c 20000 /dev/zero | tr '\0' x)\"}" > "$d/$f""#,
    );
    let more = ["--num-runs", "2", "--continue-on-error"];
    let outcome = experiment.command("serve", &bench, "", &more).on_a_small_disk().run().expect_code(2);
    for reason in
        ["cannot write ", "run=0.json: File too large", "name another place with -o", "Use `--resume`"]
    {
        assert!(outcome.stderr.contains(reason), "{reason}: {}", outcome.stderr);
    }
    let pair = experiment.path("exp");
    assert!(!pair.join("summary.json").exists() && !pair.join("run=1.json").exists());
    let left = fs::read_dir(&pair).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!left.into_iter().any(|name| name.ends_with(".tmp")), "a part of a file is left");
    let more = [&more[..], &["--resume"]].concat();
    let resumed = experiment.command("serve", &bench, "", &more).run().expect_code(0);
    assert_eq!(resumed.lines("Found existing results.").len(), 1, "{}", resumed.stdout);
    let runs = experiment.json("summary.json");
    assert_eq!((&runs[0]["run_number"], &runs[1]["run_number"]), (&json!(0), &json!(1)));
}
