//! Lines of `vbench latency` and `vbench throughput`.

use serde_json::json;

use super::super::LatencyPlan;
use super::super::root::Invocation;
use super::fake_offers::usual;
use super::{invoke, printed};

fn latency(line: &[&str]) -> Result<LatencyPlan, String> {
    let line: Vec<&str> = ["latency"].iter().chain(line).copied().collect();
    match invoke(&line, &usual()).map_err(|error| error.to_string())? {
        Invocation::Latency(plan) => Ok(*plan),
        other => Err(format!("{other:?}")),
    }
}

#[test]
fn latency_takes_its_own_flags_and_those_of_the_target() {
    let plan = latency(&[]).unwrap();
    let options = &plan.options;
    assert_eq!((options.input_len, options.output_len, options.batch_size, options.n), (32, 128, 8, 1));
    assert_eq!((options.num_iters_warmup, options.num_iters), (10, 30));
    assert!(plan.serve.tokenizer.skip && plan.serve.backend.ignore_eos);
    assert_eq!(json!(plan.serve.backend.sampling), json!({"temperature": 1.0}));
    let plan = latency(&[
        "--batch_size=3",
        "--use-beam-search",
        "--n",
        "4",
        "--base-url",
        "http://h:1",
        "--header",
        "a=b",
        "--top-k",
        "5",
        "--temperature",
        "0.5",
        "--seed",
        "7",
        "--output-json",
        "x.json",
    ])
    .unwrap();
    assert_eq!((plan.options.batch_size, plan.serve.seed), (3, 7));
    assert_eq!(plan.serve.target.base_url, "http://h:1");
    assert_eq!(json!(plan.serve.backend.sampling), json!({"top_k": 5, "temperature": 0.5}));
    assert_eq!(json!(plan.serve.backend.extra_body), json!({"n": 4, "use_beam_search": true}));
    for (words, reason) in [
        (&["--request-rate", "1"][..], "has no meaning for `vbench latency`"),
        (&["--tokenizer", "x"], "has no meaning"),
        (&["--session-header", "x"], "has no meaning"),
        (&["--random-input-len", "4"], "has no meaning"),
        (&["--disable-detokenize"], "vLLM's engine"),
        (&["--num-iters", "0"], "0 is not in"),
        (&["stray"], "stray"),
    ] {
        let error = latency(words).unwrap_err();
        assert!(error.contains(reason), "{words:?}: {error}");
    }
}

#[test]
fn throughput_takes_datasets_too() {
    let throughput = |line: &[&str]| {
        let line: Vec<&str> = ["bench", "throughput"].iter().chain(line).copied().collect();
        match invoke(&line, &usual()).map_err(|error| error.to_string())? {
            Invocation::Throughput(plan) => Ok(*plan),
            other => Err(format!("{other:?}")),
        }
    };
    let plan = throughput(&["--dataset-path", "x.json", "--num-warmups", "2", "--n=3"]).unwrap();
    assert_eq!((plan.serve.dataset.name.as_str(), plan.serve.load.num_warmups), ("sharegpt", 2));
    assert_eq!(json!(plan.serve.backend.extra_body), json!({"n": 3}));
    assert_eq!(plan.serve.load.request_rate, f64::INFINITY);
    let plan = throughput(&["--random-input-len", "5", "--num-prompts", "9"]).unwrap();
    assert_eq!((plan.serve.dataset.name.as_str(), plan.serve.num_prompts), ("random", 9));
    for words in [&["--max-concurrency", "1"][..], &["--save-result"], &["--dry-run"]] {
        assert!(throughput(words).unwrap_err().contains("has no meaning for `vbench throughput`"));
    }
    assert!(printed(&["throughput", "--help"], &usual()).contains("--num-warmups"));
    assert!(printed(&["latency", "--help=Target"], &usual()).contains("--base-url"));
}
