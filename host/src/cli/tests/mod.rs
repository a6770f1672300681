//! Whole command lines.

mod errors;
mod fake_offers;
mod latency_throughput;
mod reference;

use serde_json::json;

use super::early::early;
use super::offers::{OfferSpec, Role};
use super::plan::ServePlan;
use super::plugin_args::PluginCommand;
use super::root::{Invocation, parse};
use super::{ArgValue, CliError, Compat, TEMPERATURE_NOTICE, known};
use crate::schedule::{LoraAssignment, RampUp, RampUpStrategy};
use fake_offers::{acme, all_backends, offer, usual};

fn invoke(line: &[&str], offers: &[OfferSpec]) -> Result<Invocation, CliError> {
    let words: Vec<String> = line.iter().map(|&word| word.to_owned()).collect();
    parse(&early(&words)?, offers)
}

fn serve_with(line: &[&str], offers: &[OfferSpec]) -> Result<ServePlan, String> {
    let line: Vec<&str> = ["serve"].iter().chain(line).copied().collect();
    match invoke(&line, offers).map_err(|error| error.to_string())? {
        Invocation::Serve(plan) => Ok(*plan),
        other => Err(format!("{other:?}")),
    }
}

fn serve(line: &[&str]) -> Result<ServePlan, String> {
    serve_with(line, &usual())
}

fn printed(line: &[&str], offers: &[OfferSpec]) -> String {
    match invoke(line, offers) {
        Ok(Invocation::Print(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn defaults_follow_the_mode() {
    let plan = serve(&[]).unwrap();
    assert_eq!(plan.compat, Compat::Vbench);
    assert_eq!(plan.target.base_url, "http://127.0.0.1:8000");
    assert_eq!(plan.target.request_timeout_s, 21600.0);
    assert_eq!((plan.dataset.name.as_str(), plan.backend.name.as_str()), ("random", "openai"));
    assert_eq!(
        plan.dataset.config,
        json!({"input_len": 1024, "output_len": 128, "range_ratio": 0.0, "prefix_len": 0, "batch_size": 1})
    );
    assert_eq!(plan.load.request_rate, f64::INFINITY);
    assert_eq!(plan.load.ready_check_timeout_s, 600);
    assert_eq!(plan.backend.endpoint, None);
    assert_eq!(json!(plan.backend.sampling), json!({"temperature": 0.0}));
    assert_eq!(plan.backend.temperature_notice, None);
    assert_eq!(plan.results.percentiles, [99.0]);
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
    let prefix = &plan.load.request_id_prefix;
    assert!(prefix.len() == "bench-01234567-".len() && prefix.starts_with("bench-"), "{prefix}");

    let plan = serve(&["--compat", "v0.33"]).unwrap();
    assert_eq!(plan.load.ready_check_timeout_s, 0);
    assert_eq!(plan.backend.endpoint.as_deref(), Some("/v1/completions"));
    assert!(plan.backend.sampling.is_empty());
    assert_eq!(plan.backend.temperature_notice, Some(TEMPERATURE_NOTICE));

    let plan =
        serve(&["--compat=v0.12", "--ready-check-timeout-sec", "3", "--common_prefix_len", "5"]).unwrap();
    assert_eq!(plan.load.ready_check_timeout_s, 3);
    assert_eq!(plan.dataset.config["prefix_len"], json!(5));
    assert_eq!(json!(plan.backend.sampling), json!({"temperature": 0.0}));
    assert!(serve(&["--tokenizer-mode", "slow"]).unwrap_err().contains("v0.12"));
    assert!(serve(&["--compat=v0.12", "--tokenizer-mode", "slow"]).is_ok());
}

#[test]
fn every_flag_lands_in_the_plan() {
    let plan = serve(&[
        "--backend",
        "openai-chat",
        "--openai-chat-system",
        "be brief",
        "--endpoint",
        "/v1/chat/completions",
        "--base-url",
        "https://host/prefix",
        "--header",
        "x-one=1",
        " x-two = a=b ",
        "x-one=2",
        "--session-header",
        "X-Session",
        "--insecure",
        "--http2",
        "--request-timeout-sec",
        "5",
        "--io-threads",
        "2",
        "--model",
        "m",
        "--served-model-name",
        "s",
        "--tokenizer",
        "t",
        "--skip-tokenizer-init",
        "--lora-modules",
        "a",
        "b",
        "--lora-assignment",
        "round-robin",
        "--dataset-name",
        "custom",
        "--dataset-path",
        "d/x.jsonl",
        "--output-len",
        "9",
        "--custom-output-len",
        "7",
        "--chat-template-kwargs.k",
        "true",
        "--disable-shuffle",
        "--num-prompts",
        "-1",
        "--seed",
        "4294967295",
        "--request-id-prefix",
        "g-",
        "--request-rate",
        "2.5",
        "--burstiness",
        "inf",
        "--max-concurrency",
        "3",
        "--num-warmups",
        "2",
        "--profile",
        "--max-error-rate",
        "0.25",
        "--repetition-penalty",
        "1.5",
        "--top-k",
        "-1",
        "--presence-penalty",
        "-0.2",
        "--logprobs",
        "2",
        "--ignore-eos",
        "--extra-body.a.b",
        "1",
        "--label",
        "l",
        "--append-result",
        "--save-detailed",
        "--metadata",
        "k = v=w ",
        "--result-dir",
        "out",
        "--result-filename",
        "r.json",
        "--percentile-metrics",
        "ttft,e2el",
        "--metric-percentiles",
        "50, 99.9",
        "--histogram-log",
        "h",
        "--save-requests",
        "q",
        "--disable-tqdm",
        "--sla",
        "threshold",
        "--require",
        "p99_e2el_ms<=200",
        "--goodput",
        "ttft:5",
        "tpot:1",
    ])
    .unwrap();
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
    assert_eq!(plan.target.base_url, "https://host/prefix");
    assert_eq!(plan.target.headers, [("x-one".into(), "2".into()), ("x-two".into(), "a=b".into())]);
    assert_eq!(plan.target.session_header.as_deref(), Some("X-Session"));
    assert!(plan.target.insecure && plan.target.http2 && !plan.target.mock);
    assert_eq!((plan.target.request_timeout_s, plan.target.io_threads), (5.0, Some(2)));
    assert_eq!(plan.model.as_deref(), Some("m"));
    assert_eq!(plan.served_model_name.as_deref(), Some("s"));
    assert_eq!(plan.tokenizer.name.as_deref(), Some("t"));
    assert!(plan.tokenizer.skip);
    let lora = plan.backend.lora.unwrap();
    assert_eq!((lora.modules, lora.assignment), (vec!["a".into(), "b".into()], LoraAssignment::RoundRobin));
    assert_eq!(
        plan.dataset.config,
        json!({
            "path": "d/x.jsonl", "output_len": 9, "skip_chat_template": false, "chat_template_kwargs": {"k": true},
            "no_oversample": false, "disable_shuffle": true, "enable_multimodal_chat": false
        })
    );
    assert_eq!(plan.dataset.grants.len(), 1);
    assert_eq!(plan.dataset.grants[0].config_key, "path");
    assert_eq!(plan.dataset.grants[0].path.to_str(), Some("d/x.jsonl"));
    assert_eq!((plan.num_prompts, plan.seed), (-1, u32::MAX));
    assert_eq!(plan.load.request_id_prefix, "g-");
    assert_eq!((plan.load.request_rate, plan.load.burstiness), (2.5, f64::INFINITY));
    assert_eq!((plan.load.max_concurrency, plan.load.num_warmups), (Some(3), 2));
    assert!(plan.load.profile);
    assert_eq!(plan.load.max_error_rate, Some(0.25));
    assert_eq!(
        serde_json::to_string(&plan.backend.sampling).unwrap(),
        r#"{"top_k":-1,"temperature":0.0,"presence_penalty":-0.2,"repetition_penalty":1.5}"#
    );
    assert_eq!(plan.backend.config, json!({"system": "be brief"}));
    assert_eq!(plan.backend.endpoint.as_deref(), Some("/v1/chat/completions"));
    assert_eq!((plan.backend.logprobs, plan.backend.ignore_eos), (Some(2), true));
    assert_eq!(json!(plan.backend.extra_body), json!({"a": {"b": 1}}));
    let results = plan.results;
    assert_eq!(results.label.as_deref(), Some("l"));
    assert!(results.save && results.append && results.detailed && !results.progress);
    assert_eq!(results.metadata, [("k".into(), "v=w".into())]);
    assert_eq!(results.dir.unwrap().to_str(), Some("out"));
    assert_eq!(results.filename.as_deref(), Some("r.json"));
    assert_eq!(results.percentile_metrics.unwrap(), ["ttft", "e2el"]);
    assert_eq!(results.percentiles, [50.0, 99.9]);
    assert_eq!(results.histogram_log.unwrap().to_str(), Some("h"));
    assert_eq!(results.save_requests.unwrap().to_str(), Some("q"));
    let sla: Vec<_> = plan.sla.iter().map(|sla| (sla.name.as_str(), sla.named, sla.config.clone())).collect();
    assert_eq!(
        sla,
        [
            ("threshold", true, json!({"require": ["p99_e2el_ms<=200"]})),
            ("goodput", false, json!({"limits": ["ttft:5", "tpot:1"]})),
        ]
    );
    assert_eq!(serve(&["--fail-on-errors"]).unwrap().load.max_error_rate, Some(0.0));
    assert!(serve(&["--mock"]).unwrap().target.mock);
}

#[test]
fn times_probes_and_token_ids() {
    let plan = serve(&[]).unwrap();
    assert_eq!((plan.load.self_timed, plan.load.probe_rps), (None, None));
    assert!(!plan.prompt_token_ids && !plan.dry_run);
    let plan =
        serve(&["--self_timed", "--probe-request-rate=2.5", "--prompt-token-ids", "--dry-run"]).unwrap();
    assert_eq!((plan.load.self_timed, plan.load.probe_rps), (Some(true), Some(2.5)));
    assert!(plan.prompt_token_ids && plan.dry_run);
    assert_eq!(plan.namespace.get("self_timed"), Some(&ArgValue::Bool(true)));
    let plan = serve(&["--self-timed", "--no-self-timed", "--probe-request-rate", "0"]).unwrap();
    assert_eq!((plan.load.self_timed, plan.load.probe_rps), (Some(false), None));
    assert_eq!(plan.namespace.get("self_timed"), Some(&ArgValue::Bool(false)));
    assert_eq!(serve(&["--no-self-timed", "--self-timed"]).unwrap().load.self_timed, Some(true));
    // A metric that there is not is ignored where it was.
    assert!(serve(&["--compat", "v0.33", "--percentile-metrics", "ttfb"]).unwrap().warnings.is_empty());
    assert_eq!(serve(&["--compat", "v0.12", "--percentile-metrics", "ttfb"]).unwrap().warnings.len(), 1);
}

#[test]
fn an_option_knows_the_flag_that_set_it() {
    let plan = serve(&["--input-len", "5"]).unwrap();
    assert_eq!(plan.dataset.flags["input_len"], "input-len");
    assert_eq!(plan.dataset.flags["output_len"], "random-output-len");
}

#[test]
fn addresses() {
    for (words, url) in [
        (&["--host", "::1", "--port", "9"][..], "http://[::1]:9"),
        (&["--host", "example.org"], "http://example.org:8000"),
        (&["--base-url", "http://a:1/", "--host", "b"], "http://a:1/"),
    ] {
        assert_eq!(serve(words).unwrap().target.base_url, url);
    }
}

#[test]
fn general_flags_win_over_specific_ones() {
    let plan = serve(&["--input-len", "5", "--random-input-len", "6", "--random-output-len", "7"]).unwrap();
    assert_eq!(
        (&plan.dataset.config["input_len"], &plan.dataset.config["output_len"]),
        (&json!(5), &json!(7))
    );
    assert_eq!(plan.namespace.get("random_input_len"), Some(&ArgValue::Int(6)));
    assert_eq!(plan.namespace.export(true)["random_input_len"], json!(5));
    let plan = serve(&["--dataset-name", "sharegpt", "--dataset-path", "x", "--output-len", "3"]).unwrap();
    assert_eq!(plan.dataset.config["output_len"], json!(3));
}

#[test]
fn flags_of_other_offers_are_warned_about() {
    let line = [
        "--dataset-name",
        "sharegpt",
        "--dataset-path",
        "x",
        "--random-input-len",
        "5",
        "--openai-chat-system",
        "s",
    ];
    assert_eq!(
        serve(&line).unwrap().warnings,
        [
            "--random-input-len has no effect with dataset `sharegpt`",
            "--openai-chat-system has no effect with backend `openai`",
        ]
    );
    assert_eq!(
        serve(&["--disable-shuffle", "--seed", "1", "--seed", "2", "--num-prompts", "1", "--num-prompts=2"])
            .unwrap()
            .warnings,
        [
            "Found duplicate keys --num-prompts, --seed",
            "--disable-shuffle has no effect with dataset `random`"
        ]
    );
}

#[test]
fn sampling_follows_the_backend() {
    let offers = all_backends();
    let plan = |line: &[&str]| serve_with(line, &offers);
    assert!(plan(&["--backend", "openai-audio"]).unwrap().backend.sampling.is_empty());
    assert_eq!(
        plan(&["--backend", "openai-audio", "--top-p", "1"]).unwrap_err(),
        "Sampling parameters are only supported by openai-compatible backends."
    );
    let pooling = plan(&["--backend", "vllm-pooling", "--top-p", "1", "--compat", "v0.33"]).unwrap();
    assert!(pooling.backend.sampling.is_empty() && pooling.backend.temperature_notice.is_none());
    assert_eq!(pooling.warnings, ["--top-p has no effect with backend `vllm-pooling`"]);
    assert_eq!(json!(plan(&["--backend", "vllm"]).unwrap().backend.sampling), json!({"temperature": 0.0}));
}

#[test]
fn ramps() {
    let ramp = ["--ramp-up-strategy", "linear", "--ramp-up-start-rps", "1", "--ramp-up-end-rps", "10"];
    let expected = RampUp { strategy: RampUpStrategy::Linear, start_rps: 1, end_rps: 10 };
    assert_eq!(serve(&ramp).unwrap().load.ramp_up, Some(expected));
    let zero = ["--ramp-up-strategy", "linear", "--ramp-up-start-rps", "0", "--ramp-up-end-rps", "10"];
    assert!(serve(&zero).unwrap_err().contains("above 0"));
}

#[test]
fn options_of_a_third_party() {
    let mut offers = usual();
    offers.push(acme());
    let line = [
        "--dataset-name",
        "acme_logs",
        "--acme_logs_size",
        "63",
        "--acme-logs-files",
        "a",
        "b",
        "--acme-logs-word",
        "aa",
    ];
    let plan = serve_with(&line, &offers).unwrap();
    assert_eq!(
        plan.dataset.config,
        json!({"size": 63, "mode": "fast", "ratio": 0.5, "files": ["a", "b"], "word": "aa"})
    );
    assert_eq!(plan.dataset.grants.len(), 2);
    assert_eq!(plan.namespace.get("acme_logs_size"), Some(&ArgValue::Text("63".to_owned())));
}

#[test]
fn a_default_opens_no_file_and_keeps_the_rules() {
    let path = json!({"p": {"type": "string", "format": "path", "default": "/etc/passwd"}});
    let offers = |role, properties| {
        let mut offers = usual();
        offers.push(offer(role, "acme", "spy", properties));
        offers
    };
    let plan = serve_with(&["--dataset-name", "spy"], &offers(Role::Dataset, path.clone())).unwrap();
    assert_eq!(plan.dataset.config, json!({"p": "/etc/passwd"}));
    assert!(plan.dataset.grants.is_empty());
    let plan =
        serve_with(&["--dataset-name", "spy", "--spy-p", "a"], &offers(Role::Dataset, path.clone())).unwrap();
    assert_eq!(plan.dataset.grants.len(), 1);
    let error = serve_with(&[], &offers(Role::Backend, path)).unwrap_err();
    assert!(error.contains("only datasets read files"), "{error}");
    let odd = offers(Role::Dataset, json!({"n": {"type": "integer", "minimum": 2, "default": 1}}));
    let error = serve_with(&["--dataset-name", "spy"], &odd).unwrap_err();
    assert!(error.starts_with("plugin `acme`: the default of option `n`"), "{error}");
}

#[test]
fn usage_errors_are_the_users() {
    let error = invoke(&["serve", "--seed", "x"], &usual()).unwrap_err();
    assert_eq!(crate::fault::Fault::from(error).exit_code(), crate::fault::EXIT_USAGE);
}

#[test]
fn help_of_serve() {
    let mut offers = usual();
    offers.push(acme());
    insta::assert_snapshot!("help", printed(&["serve", "--help"], &offers));
    let random = printed(&["bench", "serve", "--dataset-name", "random", "--backend=openai", "-h"], &offers);
    assert!(random.contains("--random-input-len") && !random.contains("--acme-logs-size"));
    assert!(!random.contains("--openai-chat-system") && random.contains("--output-len"));
    let all = printed(&["serve", "--dataset-name", "random", "--help=all"], &offers);
    assert!(all.contains("--acme-logs-size") && all.contains("--openai-chat-system"));
    insta::assert_snapshot!("help_group", printed(&["serve", "--help=load"], &offers));
    insta::assert_snapshot!("help_word", printed(&["serve", "--help=penalty"], &offers));
    let error = invoke(&["serve", "--help=zebra"], &offers).unwrap_err().to_string();
    assert!(error.contains("no group and no flag fits --help=zebra; groups are: Target, Model"), "{error}");
}

#[test]
fn other_commands() {
    assert!(printed(&["--help"], &usual()).contains("completions"));
    assert!(printed(&["--version"], &usual()).starts_with("vbench "));
    assert!(printed(&["completions", "bash"], &usual()).contains("--random-input-len"));
    let inspect = invoke(&["plugin", "inspect", "a.wasm"], &usual()).unwrap();
    assert!(
        matches!(inspect, Invocation::Plugin(PluginCommand::Inspect { plugin, json: false }) if plugin == "a.wasm")
    );
    assert!(matches!(
        invoke(&["plugin", "list"], &usual()).unwrap(),
        Invocation::Plugin(PluginCommand::List)
    ));
    assert!(invoke(&["nonsense"], &usual()).is_err());
}

#[test]
fn a_config_file_gives_flags_and_the_command_line_wins() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.yaml");
    std::fs::write(
        &path,
        "compat: v0.12\ntemperature: 0.5\nnum-warmups: 1\nextra-body:\n  a: 1\nrandom_input_len: 9\nsave-result: false\n\
         header: [a=b]\nchat-template-kwargs.k: 2\n",
    )
    .unwrap();
    let plan = serve(&["--temperature", "0.7", "--config", path.to_str().unwrap()]).unwrap();
    assert_eq!(plan.compat, Compat::V012);
    assert_eq!(json!(plan.backend.sampling), json!({"temperature": 0.7}));
    assert_eq!(plan.load.num_warmups, 1);
    assert_eq!(json!(plan.backend.extra_body), json!({"a": 1}));
    assert_eq!(plan.dataset.config["input_len"], json!(9));
    assert_eq!(plan.target.headers, [("a".into(), "b".into())]);
    assert!(!plan.results.save);
    assert_eq!(plan.warnings, ["--chat-template-kwargs has no effect with dataset `random`"]);
    std::fs::write(&path, "nonsense: 1").unwrap();
    assert!(
        serve(&["--config", path.to_str().unwrap()])
            .unwrap_err()
            .contains("`nonsense`: there is no such flag")
    );
}

#[test]
fn flags_of_the_reference_client_and_who_owns_them() {
    let list: String = known::SERVE
        .iter()
        .map(|known| {
            format!(
                "--{:<40} {:<8} {:?} {:?}\n",
                known.flag(),
                format!("{:?}", known.kind),
                known.owner,
                known.default
            )
        })
        .collect();
    insta::assert_snapshot!(list);
}

#[test]
fn sweeps_are_read_as_serve_is() {
    let plot = |words: &[&str]| match invoke(&[&["sweep", "plot"], words].concat(), &[]) {
        Ok(Invocation::Plot(plan)) => Ok(*plan),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.to_string()),
    };
    let plan =
        plot(&["--fig_by", "a,b", "--var_x=x", "exp", "--no-err", "--fig-dpi", "9", "--fig_dpi=96"]).unwrap();
    assert_eq!(plan.experiment_dir.to_str(), Some("exp"));
    assert_eq!((plan.fig_by, plan.selection.var_x.as_str()), (vec!["a".into(), "b".into()], "x"));
    assert!(!plan.selection.error_bars);
    assert_eq!(plan.output.dpi, 96.0);
    let ambiguous = plot(&["exp", "--fig-d", "1"]).unwrap_err();
    assert!(ambiguous.contains("--fig-dir") && ambiguous.contains("--fig-dpi"), "{ambiguous}");
    for (words, reason) in
        [(&[][..], "EXPERIMENT_DIR"), (&["exp", "--no-such"], "--no-such"), (&["a", "b"], "b")]
    {
        let error = plot(words).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    for name in ["plot-pareto", "plot_pareto"] {
        let read = invoke(&["sweep", name, "exp", "--user_count", "users"], &[]).unwrap();
        assert!(matches!(read, Invocation::PlotPareto(plan) if plan.keys.user_count == "users"));
    }
    assert!(printed(&["sweep", "plot", "--help"], &[]).contains("vbench sweep plot"));
    assert!(printed(&["sweep", "plot", "--help=fig"], &[]).contains("--fig-name"));
    let list = printed(&["sweep", "--help"], &[]);
    for name in ["serve-workload", "serve-sla", "startup", "plot-pareto"] {
        assert!(list.contains(name), "{list}");
    }
}

#[test]
fn completion_scripts_know_the_flags_of_sweeps() {
    let script = printed(&["completions", "bash"], &usual());
    for flag in [
        "--link-vars",
        "--workload-iters",
        "--sla-params",
        "--strict-params",
        "--curve-by",
        "--user-count-var",
    ] {
        assert!(script.contains(flag), "{flag}");
    }
}
