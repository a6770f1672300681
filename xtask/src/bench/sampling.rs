//! What a prompt costs to make: `random`, 1024 tokens, bit-identical to the
//! reference client's, with an 11 MB byte-level BPE tokenizer, on one CPU.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::process::measure as measure_process;
use super::stats::median;
use super::table::table;
use super::{Setting, clients};

const PROMPTS: u32 = 2000;
const INPUT_TOKENS: u32 = 1024;

/// A tenth of what the reference client takes for a prompt, which is 22 to 25 ms.
const LIMIT_MS: f64 = 2.2;

/// Measures and prints; gives all figures.
pub(super) fn measure(setting: &Setting) -> Result<Vec<Value>> {
    eprintln!("sampling: {PROMPTS} prompts of {INPUT_TOKENS} tokens ({} runs)", setting.runs);
    let tokenizer = setting.large_tokenizer()?;
    let file = setting.dir.join("sampling.result.json");
    let mock = setting.mock(0, 0, None)?;
    let mut per_prompt_ms = Vec::new();
    for _ in 0..setting.runs {
        let mut command = clients::serve(setting, mock.url(), &tokenizer, PROMPTS, &file);
        command
            .args(["--random-input-len", &INPUT_TOKENS.to_string(), "--random-output-len", "1"])
            .args(["--max-concurrency", "64"]);
        measure_process(&mut command, setting.client_cpu)?;
        let result = clients::vbench_result(&file, PROMPTS)?;
        let calls = result
            .pointer("/vbench/plugin_costs/random/calls")
            .and_then(Value::as_object)
            .with_context(|| format!("{} has no costs of the plugin", file.display()))?;
        let wall_ns = |call: &str| calls.get(call).and_then(|call| call["wall_ns"].as_f64()).unwrap_or(0.0);
        let sampling_ns = wall_ns("dataset.open") + wall_ns("dataset.next") + wall_ns("dataset.finish");
        per_prompt_ms.push(sampling_ns / 1e6 / f64::from(PROMPTS));
    }
    mock.stop()?;
    let middle = median(&per_prompt_ms);
    let row = vec![
        format!("random, {INPUT_TOKENS} tokens, serial"),
        format!("{middle:.3}"),
        format!("{:.0}", middle * 100.0),
        format!("{LIMIT_MS}"),
    ];
    println!("\n{}\n", table(&["sampling", "ms/prompt", "s/100,000", "limit ms"], &[row]));
    Ok(vec![json!({
        "case": "random",
        "input_tokens": INPUT_TOKENS,
        "prompts": PROMPTS,
        "median_ms_per_prompt": middle,
        "runs_ms_per_prompt": per_prompt_ms,
        "limit_ms": LIMIT_MS,
    })])
}
