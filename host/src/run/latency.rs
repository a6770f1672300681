//! `vbench latency`: batches of a fixed size, one after the other.
//!
//! The reference client runs a batch inside vLLM's engine. Here its requests go
//! out together over HTTP and the batch ends with its last answer, so the time
//! includes the server's front end, and the engine may begin with the first of
//! the batch before it has the last. Each batch has prompts of its own, so that
//! no prefix cache answers.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::anyhow;
use serde_json::{Map, Value, json};
use vbench_random::NumpyRandomState;

use super::bench::Bench;
use super::screen::Screen;
use super::serve::{backend_args, check_readiness, reach};
use super::{batch, limits};
use crate::cli::{LatencyOptions, ServePlan};
use crate::clock;
use crate::extract::RequestMeta;
use crate::fault::{EXIT_INTERRUPTED, EXIT_OK, Fault};
use crate::media::Store;
use crate::metrics::stats::{Sorted, mean};
use crate::plugin::Plugins;
use crate::plugin::contract::{Attachments, Prompt, RequestIn, Turn};
use crate::record::RequestRecord;

/// Token ids of prompts are below this, as in the reference client.
const TOKEN_IDS: i64 = 10_000;
/// Percentiles of the result.
const PERCENTILES: [f64; 6] = [10.0, 25.0, 50.0, 75.0, 90.0, 99.0];

/// What came of a batch.
struct Batch {
    latency_s: f64,
    /// Answers shorter than asked for, where the server says how long they are.
    short: u64,
}

/// Carries out `vbench latency` and gives its exit code.
///
/// # Errors
/// With whose fault it is. A request that fails ends the command, since a batch
/// without it is another batch.
pub fn latency(
    plan: &ServePlan,
    options: &LatencyOptions,
    plugins: &Plugins,
    screen: &Screen,
    stop: &Arc<AtomicBool>,
) -> Result<u8, Fault> {
    for warning in &plan.warnings {
        screen.warn(warning);
    }
    let (authorization, control, model) = reach(plan, screen)?;
    limits::make_room(u64::from(options.batch_size), true, screen)?;
    let media = Arc::new(Store::new());
    let backend_args = backend_args(plan, true);
    let mut bench = Bench::start(plan, plugins, backend_args, authorization, media, Arc::clone(stop))?;
    let mut prompts = NumpyRandomState::new(plan.seed);
    let mut next = |bench: &mut Bench<'_>| -> Result<Option<Batch>, Fault> {
        let inputs = inputs(options, &model.name, &mut prompts)?;
        run_batch(bench, inputs, options)
    };
    let test = inputs(options, &model.name, &mut NumpyRandomState::new(u32::MAX - plan.seed))?.pop();
    check_readiness(plan, &mut bench, &test, screen)?;

    screen.line("Warming up...");
    for _ in 0..options.num_iters_warmup {
        if next(&mut bench)?.is_none() {
            return Ok(EXIT_INTERRUPTED);
        }
    }
    if options.profile {
        if !control.profile(true) {
            return Err(Fault::target(anyhow!("the server did not start its profiler")));
        }
        let profiled = next(&mut bench);
        let stopped = control.profile(false);
        profiled?;
        if !stopped {
            return Err(Fault::target(anyhow!("the server did not stop its profiler")));
        }
        screen.line("Profiled one batch; the server keeps the profile.");
        return Ok(EXIT_OK);
    }
    let mut latencies_s = Vec::new();
    let mut short = 0;
    let bar = screen.bar(plan.results.progress, Some(u64::from(options.num_iters)), "Batches");
    for _ in 0..options.num_iters {
        let Some(done) = next(&mut bench)? else { break };
        latencies_s.push(done.latency_s);
        short += done.short;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let interrupted = bench.stopped();
    let identity = bench.identity().clone();
    bench.end();
    if latencies_s.is_empty() {
        return Ok(EXIT_INTERRUPTED);
    }
    if interrupted {
        screen.warn(format!("stopped after {} of {} batches", latencies_s.len(), options.num_iters));
    }
    if short > 0 {
        screen.warn(format!(
            "{short} answers were shorter than {} tokens, so the latencies are of less work than asked for",
            options.output_len
        ));
    }
    let avg_s = mean(&latencies_s);
    let sorted = Sorted::new(latencies_s.clone());
    screen.line(format!("Avg latency: {avg_s} seconds"));
    let mut percentiles = Map::new();
    for percent in PERCENTILES {
        let value_s = sorted.percentile(percent);
        screen.line(format!("{percent}% percentile latency: {value_s} seconds"));
        percentiles.insert(percent.to_string(), json!(value_s));
    }
    if let Some(path) = &options.output_json {
        let mut result = Map::new();
        result.insert("model_id".to_owned(), json!(model.id));
        result.insert("avg_latency".to_owned(), json!(avg_s));
        result.insert("latencies".to_owned(), json!(latencies_s));
        result.insert("percentiles".to_owned(), Value::Object(percentiles));
        let own = own_args(options);
        let further = json!({
            "args": own, "complete": !interrupted, "short_answers": short, "warnings": screen.warnings(),
        });
        result.insert("vbench".to_owned(), batch::about(&[&identity], further));
        let values: Vec<Value> = latencies_s.iter().map(|&latency_s| json!(latency_s)).collect();
        let args = batch::args(own, plan, &model.id);
        batch::write(path, &result, &[("latency", values)], &["avg_latency", "percentiles"], &args)?;
    }
    Ok(if interrupted { EXIT_INTERRUPTED } else { EXIT_OK })
}

fn own_args(options: &LatencyOptions) -> Value {
    json!({
        "input_len": options.input_len,
        "output_len": options.output_len,
        "batch_size": options.batch_size,
        "n": options.n,
        "use_beam_search": options.use_beam_search,
        "num_iters_warmup": options.num_iters_warmup,
        "num_iters": options.num_iters,
        "profile": options.profile,
        "output_json": options.output_json,
    })
}

/// The requests of the next batch.
fn inputs(
    options: &LatencyOptions,
    model: &str,
    random: &mut NumpyRandomState,
) -> Result<Vec<RequestIn>, Fault> {
    let input = |_| {
        let drawn = random
            .randint_vec(0, TOKEN_IDS, options.input_len as usize)
            .map_err(|e| Fault::user(anyhow!("prompts cannot be drawn: {e}")))?;
        let turn = Turn {
            prompt: Prompt::TokenIds(drawn.into_iter().map(|id| id as u32).collect()),
            attachments: Attachments::None,
            prompt_tokens: u64::from(options.input_len),
            output_tokens: i64::from(options.output_len),
            delay_ms: 0.0,
        };
        Ok(RequestIn {
            id: None,
            session: None,
            model: model.to_owned(),
            history: Vec::new(),
            turn,
            overrides: None,
        })
    };
    (0..options.batch_size).map(input).collect()
}

/// Sends a batch and waits for its last answer; none if the user asked for an end.
fn run_batch(
    bench: &mut Bench<'_>,
    inputs: Vec<RequestIn>,
    options: &LatencyOptions,
) -> Result<Option<Batch>, Fault> {
    let metas = inputs
        .iter()
        .map(|input| RequestMeta {
            prompt_tokens: input.turn.prompt_tokens,
            output_tokens: input.turn.output_tokens,
            ..RequestMeta::default()
        })
        .collect();
    let ahead = bench.prepare(inputs)?;
    let (outcome, writing) = bench.run(ahead, metas, &[], None, |_| {})?;
    if let Some(fault) = writing {
        return Err(fault);
    }
    if bench.stopped() {
        return Ok(None);
    }
    if let Some(failure) = outcome.records.iter().find_map(|record| record.failure.as_ref()) {
        return Err(Fault::target(anyhow!("a request of a batch failed: {}", failure.message)));
    }
    let released_ns = outcome.records.iter().map(|record| record.stamps.released_ns).min();
    let wanted = u64::from(options.output_len) * u64::from(options.n);
    let is_short = |record: &&RequestRecord| record.usage.output_tokens.is_some_and(|tokens| tokens < wanted);
    Ok(released_ns.map(|released_ns| Batch {
        latency_s: clock::seconds_between(released_ns, outcome.end_ns),
        short: outcome.records.iter().filter(is_short).count() as u64,
    }))
}
