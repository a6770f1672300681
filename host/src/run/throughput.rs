//! `vbench throughput`: all requests of a dataset at once, and how long the whole takes.
//!
//! The reference client hands them to vLLM's engine in one call. Here they go
//! out over HTTP without any pacing or cap, so the time includes the server's
//! front end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::anyhow;
use serde_json::{Map, json};

use super::bench::Bench;
use super::finish::count_output;
use super::prepare::{meta_of, request_of};
use super::sampling::sample;
use super::screen::Screen;
use super::serve::{backend_args, check_readiness, load_tokenizer, reach, test_input, warm_up};
use super::workload::{Workload, to_token_ids};
use super::{batch, limits};
use crate::cli::{ServePlan, ThroughputOptions};
use crate::clock;
use crate::extract::RequestMeta;
use crate::fault::{EXIT_INTERRUPTED, EXIT_OK, EXIT_TARGET, Fault};
use crate::media::Store;
use crate::plugin::Plugins;
use crate::record::{RequestRecord, RunRecord};
use crate::tokenizer::Tokenizers;

/// Carries out `vbench throughput` and gives its exit code.
///
/// # Errors
/// With whose fault it is, when there is nothing to report.
pub fn throughput(
    plan: &ServePlan,
    options: &ThroughputOptions,
    plugins: &Plugins,
    screen: &Screen,
    stop: &Arc<AtomicBool>,
) -> Result<u8, Fault> {
    for warning in &plan.warnings {
        screen.warn(warning);
    }
    let (authorization, control, model) = reach(plan, screen)?;
    let tokenizer = load_tokenizer(plan, &model.id, &Arc::new(Tokenizers::default()))()?;
    let media = Arc::new(Store::new());
    let backend_args = backend_args(plan, true);
    let mut bench =
        Bench::start(plan, plugins, backend_args, authorization, Arc::clone(&media), Arc::clone(stop))?;
    let mut sampled = sample(plan, plugins, tokenizer.as_ref(), &media, screen)?;
    if let Some(tokenizer) = tokenizer.as_ref().filter(|_| plan.prompt_token_ids) {
        to_token_ids(&mut sampled.samples, tokenizer)?;
    }
    for warning in plugins.take_warnings() {
        screen.warn(warning);
    }
    // A trace's own times have no place here.
    for sample in &mut sampled.samples {
        sample.arrival_s = None;
    }
    let workload = Workload::new(plan, sampled, &model.name, screen)?;
    let count = workload.samples.len();
    limits::make_room(count as u64, true, screen)?;
    let test = test_input(&workload.samples[0], &model.name);
    check_readiness(plan, &mut bench, &test, screen)?;
    warm_up(plan, &mut bench, &test, None, screen)?;
    if bench.stopped() {
        return Ok(EXIT_INTERRUPTED);
    }
    let metas: Vec<RequestMeta> = workload.samples.iter().map(meta_of).collect();
    let inputs = workload
        .samples
        .into_iter()
        .zip(&workload.models)
        .filter_map(|(sample, model)| request_of(sample, model))
        .collect();
    let ahead = bench.prepare(inputs)?;
    if options.profile && !control.profile(true) {
        return Err(Fault::target(anyhow!("the server did not start its profiler")));
    }
    let bar = screen.bar(plan.results.progress, Some(count as u64), "Requests");
    let (outcome, writing) = bench.run(ahead, metas, &[], None, |progress| {
        bar.set_position(progress.ended.load(Ordering::Relaxed) as u64);
    })?;
    bar.finish_and_clear();
    if options.profile && !control.profile(false) {
        screen.warn("the server did not stop its profiler");
    }
    let stopped = bench.stopped();
    let task = bench.envelope().endpoint.task;
    let backend = bench.identity().clone();
    bench.end();
    let mut requests = outcome.records;
    requests.retain(|request| request.stamps.started_ns != 0);
    let mut run = RunRecord { task, start_ns: outcome.start_ns, end_ns: outcome.end_ns, requests };
    count_output(&mut run, tokenizer.as_deref())?;
    let figures = Figures::of(&run);
    if figures.failed > 0 {
        let first = run.requests.iter().find_map(|request| request.failure.as_ref());
        screen.warn(format!(
            "{} of {count} requests failed and do not count; the first: {}",
            figures.failed,
            first.map_or("no reason is known", |failure| failure.message.as_str())
        ));
    }
    screen.line(format!(
        "Throughput: {:.2} requests/s, {:.2} total tokens/s, {:.2} output tokens/s",
        figures.per_s(figures.completed),
        figures.per_s(figures.prompt_tokens + figures.output_tokens),
        figures.per_s(figures.output_tokens)
    ));
    screen.line(format!("Total num prompt tokens:  {}", figures.prompt_tokens));
    screen.line(format!("Total num output tokens:  {}", figures.output_tokens));
    if let Some(path) = &options.output_json {
        let total = figures.prompt_tokens + figures.output_tokens;
        let mut result = Map::new();
        for (key, value) in [
            ("model_id", json!(model.id)),
            ("elapsed_time", json!(figures.elapsed_s)),
            ("num_requests", json!(figures.completed)),
            ("total_num_tokens", json!(total)),
            ("requests_per_second", json!(figures.per_s(figures.completed))),
            ("tokens_per_second", json!(figures.per_s(total))),
        ] {
            result.insert(key.to_owned(), value);
        }
        let own = json!({
            "n": options.n,
            "num_prompts": plan.num_prompts,
            "num_warmups": options.num_warmups,
            "dataset_name": plan.dataset.name,
            "profile": options.profile,
            "output_json": options.output_json,
        });
        let further = json!({
            "args": own,
            "failed": figures.failed,
            "prompt_tokens": figures.prompt_tokens,
            "output_tokens": figures.output_tokens,
            "output_tokens_per_second": figures.per_s(figures.output_tokens),
            "complete": !stopped,
            "warnings": screen.warnings(),
        });
        result.insert("vbench".to_owned(), batch::about(&[&workload.dataset, &backend], further));
        let metric = |key: &'static str| (key, result.get(key).cloned().into_iter().collect());
        let metrics = [metric("requests_per_second"), metric("tokens_per_second")];
        let args = batch::args(own, plan, &model.id);
        let extra = ["elapsed_time", "num_requests", "total_num_tokens"];
        batch::write(path, &result, &metrics, &extra, &args)?;
    }
    match writing {
        Some(fault) => Err(fault.context("the run ended early, and what was measured is kept")),
        None if stopped => Ok(EXIT_INTERRUPTED),
        None if figures.completed == 0 => Ok(EXIT_TARGET),
        None => Ok(EXIT_OK),
    }
}

/// The sums over the requests that succeeded.
struct Figures {
    /// From the first byte of a request to the end of the last answer.
    elapsed_s: f64,
    completed: u64,
    failed: u64,
    prompt_tokens: u64,
    output_tokens: u64,
}

impl Figures {
    fn of(run: &RunRecord) -> Self {
        let successes = || run.requests.iter().filter(|request| request.succeeded());
        let first_ns = run.requests.iter().map(|request| request.stamps.started_ns).min();
        let total = |value: fn(&RequestRecord) -> u64| successes().map(value).sum();
        let completed = successes().count() as u64;
        Self {
            elapsed_s: first_ns.map_or(0.0, |first_ns| clock::seconds_between(first_ns, run.end_ns)),
            completed,
            failed: run.requests.len() as u64 - completed,
            prompt_tokens: total(|request| request.prompt_tokens),
            output_tokens: total(|request| request.output_tokens),
        }
    }

    fn per_s(&self, count: u64) -> f64 {
        if self.elapsed_s > 0.0 { count as f64 / self.elapsed_s } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Failure, FailureClass, Stamps, Task};

    #[test]
    fn failures_take_time_but_count_for_nothing() {
        let request = |started_ns, tokens, failed: bool| RequestRecord {
            stamps: Stamps { started_ns, ..Stamps::default() },
            prompt_tokens: 10,
            output_tokens: tokens,
            failure: failed.then(|| Failure { class: FailureClass::Connect, message: "refused".into() }),
            ..RequestRecord::default()
        };
        let requests = vec![
            request(1_000_000_000, 6, false),
            request(1_500_000_000, 4, false),
            request(1_200_000_000, 0, true),
        ];
        let run = RunRecord { task: Task::Generation, start_ns: 0, end_ns: 3_000_000_000, requests };
        let figures = Figures::of(&run);
        assert_eq!((figures.elapsed_s, figures.completed, figures.failed), (2.0, 2, 1));
        assert_eq!((figures.prompt_tokens, figures.output_tokens), (20, 10));
        assert_eq!(figures.per_s(figures.completed), 1.0);
    }
}
