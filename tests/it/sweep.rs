//! Sweeps over real `vbench mock` servers, and what goes wrong in them.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use vbench::clock;

use super::command::{Outcome, Vbench};

const BENCH: &str = "vbench serve --host 127.0.0.1 --model mock --tokenizer tokenizers/bpe --dataset-name random \
                     --random-input-len 8 --random-output-len 8 --num-prompts 12";

/// An experiment with a port of its own.
struct Experiment {
    dir: Arc<TempDir>,
    port: u16,
}

impl Experiment {
    fn new() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { dir: Arc::new(tempfile::tempdir().unwrap()), port }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, content: &Value) -> String {
        let path = self.path(name);
        fs::write(&path, content.to_string()).unwrap();
        path.display().to_string()
    }

    fn command(&self, sub: &str, bench: &str, server: &str, more: &[&str]) -> Vbench {
        let serve_cmd =
            format!("{} mock --host 127.0.0.1 --port {} {server}", env!("CARGO_BIN_EXE_vbench"), self.port);
        let bench_cmd = format!("{bench} --port {}", self.port);
        let mut args = vec![
            "sweep",
            sub,
            "--serve-cmd",
            &serve_cmd,
            "--bench-cmd",
            &bench_cmd,
            "-o",
            "@OUT@",
            "-e",
            "exp",
        ];
        args.extend(more);
        Vbench::within(Arc::clone(&self.dir), args).env("PATH", "/usr/local/bin:/usr/bin:/bin")
    }

    fn run(&self, sub: &str, server: &str, more: &[&str]) -> Outcome {
        self.command(sub, BENCH, server, more).run()
    }

    fn json(&self, name: &str) -> Value {
        let path = self.path("exp").join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap()
    }

    fn listens(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }
}

#[track_caller]
fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let deadline_ns = clock::now_ns() + 60_000_000_000;
    while !is_so() {
        assert!(clock::now_ns() < deadline_ns, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Two servers, one of which crashes by design, three loads, two runs; killed in
/// the middle and resumed.
#[test]
fn a_sweep_that_was_killed_is_resumed() {
    let experiment = Experiment::new();
    let serve = experiment.file("serve.json", &json!([{"max_batch": 4}, {"max_batch": 0}]));
    let bench = experiment.file("bench.json", &json!([1, 2, 4].map(|c| json!({"max_concurrency": c}))));
    let more = ["--serve-params", &serve, "--bench-params", &bench, "--num-runs", "2", "--continue-on-error"];
    let server = "--ttft-ms 5 --itl-ms 2";
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
    assert!(resumed.stdout.contains("Found existing results."), "{}", resumed.stdout);
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
}

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
        ("serve", &["--bench-params", &broken][..], &["broken.json", "line 2 column 7"][..]),
        ("serve", &["--serve-params", "/no/such.json"], &["/no/such.json (--serve-params)"]),
        ("serve", &["--serve-params", &twice], &["Duplicate _benchmark_name values found: {'x'}"]),
        ("serve", &["--bench-params", &unknown], &["no-such-thing", "{'no_such_thing': 1}"]),
        ("serve", &["--bench-params", &wrong], &["many", "--max-concurrency"]),
        ("serve", &["--bench-params", &mixed], &["a_b", "_benchmark_name"]),
        (
            "serve",
            &["--bench-params", &loads, "--link-vars", "max_batch=max_concurrency"],
            &["`max_batch`", "serve-params"],
        ),
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
    let script = experiment.path("bench.sh");
    let text = "#!/bin/sh\nwhile [ $# -gt 0 ]; do case $1 in --result-dir) d=$2;; --result-filename) f=$2;; esac; shift; done\n\
                if [ -e \"$d/once\" ]; then echo '{\"completed\": 1}' > \"$d/$f\"; else touch \"$d/once\"; echo no luck >&2; exit 7; fi\n";
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let script = script.display().to_string();
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
    let smi = format!(
        "#!/bin/sh\necho x >> {count}\nn=$(wc -l < {count})\nif [ $n -gt 1 ] && [ $n -lt 4 ]; then echo 70000; else echo 10; fi\n"
    );
    fs::write(bin.join("nvidia-smi"), smi).unwrap();
    fs::set_permissions(bin.join("nvidia-smi"), fs::Permissions::from_mode(0o755)).unwrap();
    let outcome = experiment
        .command("serve", BENCH, "--ttft-ms 0 --itl-ms 0", &["--num-runs", "1"])
        .env("PATH", &format!("{}:/usr/bin:/bin", bin.display()))
        .run()
        .expect_code(0);
    assert!(!outcome.stderr.contains("GPU"), "{}", outcome.stderr);
    assert_eq!(fs::read_to_string(count).unwrap().lines().count(), 4);
}

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
    thread::scope(|scope| {
        for (search, criterion) in searches {
            scope.spawn(move || {
                let experiment = Experiment::new();
                let file = experiment.file("sla.json", &json!([{"p99_ttft_ms": "<=120"}]));
                let criterion: Vec<String> =
                    criterion.iter().map(|word| word.replace("@SLA@", &file)).collect();
                let mut more = vec![
                    "--sla-variable",
                    "max_concurrency",
                    "--num-runs",
                    "1",
                    "--sla-max",
                    "32",
                    "--search",
                    search,
                ];
                more.extend(criterion.iter().map(String::as_str));
                let bench = BENCH
                    .replace("--num-prompts 12", "--num-prompts 20")
                    .replace("output-len 8", "output-len 4");
                let server = "--max-batch 8 --ttft-ms 40 --itl-ms 40";
                let outcome = experiment.command("serve-sla", &bench, server, &more).run().expect_code(0);
                assert!(
                    outcome.stdout.contains("Maximum max_concurrency for SLA: 8 req/s."),
                    "{more:?}\n{}",
                    outcome.stdout
                );
            });
        }
    });
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
    assert!(Path::new(&experiment.path("exp/SLA--p99_ttft_ms<=1.00.json")).exists());
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
