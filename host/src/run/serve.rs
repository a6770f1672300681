//! `vbench serve` from plan to exit code.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::anyhow;
use serde_json::Value;
use vbench_random::PythonRandom;

use super::align::align;
use super::bench::Bench;
use super::control::{Control, ControlError};
use super::finish::{Criteria, Finish, check_places};
use super::phase::PhaseOutcome;
use super::prepare::{meta_of, request_of};
use super::sampling::{Sampled, sample};
use super::screen::Screen;
use super::{honesty, limits};
use crate::cli::plan::{LoadPlan, LoraPlan};
use crate::cli::{Compat, ServePlan};
use crate::clock;
use crate::extract::RequestMeta;
use crate::fault::{EXIT_INTERRUPTED, Fault};
use crate::metrics::ServerCounters;
use crate::plugin::Plugins;
use crate::plugin::contract::{BackendArgs, CriterionArgs, RequestIn, Role, Sample};
use crate::record::{FailureClass, RequestRecord, RunRecord};
use crate::report::RpsChange;
use crate::schedule::{Arrivals, Pace, arrivals, assign_lora};
use crate::tokenizer::{self, Hub, Tokenizer};

/// Backends whose requests a dataset may make ignore the end-of-sequence token.
const IGNORE_EOS_BACKENDS: [&str; 4] = ["vllm", "openai", "openai-chat", "openai-responses"];

/// Carries out `vbench serve` and gives its exit code. `stop` is set when the
/// user asks for an end.
///
/// # Errors
/// With whose fault it is, when there is nothing to report.
pub fn serve(
    plan: &ServePlan,
    plugins: &Plugins,
    screen: &Screen,
    stop: &Arc<AtomicBool>,
) -> Result<u8, Fault> {
    if plan.compat == Compat::V033 {
        screen.line(plan.namespace.to_python());
    }
    for warning in &plan.warnings {
        screen.warn(warning);
    }
    check_places(plan)?;
    let authorization = api_key().map(|key| format!("Bearer {key}"));
    let control = control(plan, authorization.as_deref())?;
    let model = Model::find(plan, &control, screen)?;

    // The largest file of a start-up is read while the plugins are.
    let tokenizer_name = plan.tokenizer.name.clone().unwrap_or_else(|| model.id.clone());
    let mode = plan.tokenizer.mode.clone();
    let slow_allowed = plan.compat == Compat::V012;
    let loading = (!plan.tokenizer.skip).then(|| {
        let name = tokenizer_name.clone();
        thread::spawn(move || {
            let mode = tokenizer::Mode::parse(&mode, slow_allowed)?;
            Tokenizer::load(&name, mode, &Hub::from_env()).map(Arc::new)
        })
    });
    let ignore_eos = plan.backend.ignore_eos || dataset_says(plugins, plan, "x-ignore-eos")?;
    let backend_args = backend_args(plan, ignore_eos);
    let mut bench = Bench::start(plan, plugins, backend_args, authorization, Arc::clone(stop))?;
    let tokenizer = match loading {
        None => None,
        Some(loading) => {
            let spinner = screen.bar(plan.results.progress, None, "Loading the tokenizer");
            let loaded = loading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            spinner.finish_and_clear();
            Some(loaded.map_err(Fault::user)?)
        }
    };

    let mut sampled = sample(plan, plugins, tokenizer.as_ref(), screen)?;
    if dataset_says(plugins, plan, "x-align-prompts")? {
        for note in align(&control, &model.id, &mut sampled.samples) {
            screen.line(note);
        }
    }
    let criteria = open_criteria(plan, plugins)?;
    if let Some(notice) = plan.backend.temperature_notice {
        screen.line(notice);
    }
    for warning in plugins.take_warnings() {
        screen.warn(warning);
    }
    let Sampled { samples, mut python_random, mut numpy_random, identity: dataset } = sampled;
    let count = samples.len();
    let cap = plan.load.max_concurrency.map(|cap| cap as usize);
    let certain = cap.is_some() || (plan.load.request_rate.is_infinite() && plan.load.ramp_up.is_none());
    limits::make_room(cap.unwrap_or(count).min(count) as u64, certain, screen)?;
    let timestamps_s = trace_times(&samples);
    let self_timed = timestamps_s.is_some();
    if self_timed && (plan.load.request_rate.is_finite() || plan.load.ramp_up.is_some()) {
        screen.warn("the dataset replays its own arrival times, so the rate asked for has no effect");
    }
    let pace = timestamps_s.map_or_else(|| pace(&plan.load), |timestamps_s| Pace::SelfTimed { timestamps_s });
    let schedule = arrivals(&pace, count, &mut numpy_random).map_err(Fault::user)?;

    let test = test_input(&samples[0], &model.name);
    check_readiness(plan, &mut bench, &test, screen)?;
    warm_up(plan, &mut bench, &test, cap, screen)?;
    if bench.stopped() {
        return Ok(EXIT_INTERRUPTED);
    }

    screen.line("Starting main benchmark run...");
    let metas: Vec<RequestMeta> = samples.iter().map(meta_of).collect();
    let names = model_names(plan.backend.lora.as_ref(), &model.name, count, &mut python_random)?;
    let inputs =
        samples.into_iter().zip(&names).filter_map(|(sample, name)| request_of(sample, name)).collect();
    if plan.load.profile {
        screen.line("Starting profiler...");
        if control.profile(true) {
            screen.line("Profiler started");
        }
    }
    if self_timed {
        screen.line("Self timing is set, using the timestamps from the trace file.");
    } else {
        tell_traffic(&plan.load, screen);
    }
    let counters_before = counters(&control, plan.compat);
    let ahead = bench.prepare(inputs)?;
    let cpu_before_ns = clock::process_cpu_ns();
    let started_at = clock::local_now();
    let bar = screen.bar(plan.results.progress, Some(count as u64), "Requests");
    let (outcome, writing) = bench.run(ahead, metas, &schedule.offsets_s, cap, |progress| {
        bar.set_position(progress.ended.load(Ordering::Relaxed) as u64);
    })?;
    bar.finish_and_clear();
    let cpu_ns = clock::process_cpu_ns() - cpu_before_ns;
    let counters_after = counters(&control, plan.compat);

    let backend = bench.identity().clone();
    let run = run_record(&bench, outcome);
    let stopped = bench.stopped();
    let lanes = bench.end();
    let requested_rps = (!self_timed && plan.load.ramp_up.is_none() && plan.load.request_rate.is_finite())
        .then_some(plan.load.request_rate);
    let finish = Finish {
        plan,
        screen,
        plugins,
        tokenizer: tokenizer.as_deref(),
        model_id: &model.id,
        tokenizer_id: tokenizer.is_some().then_some(tokenizer_name.as_str()),
        identities: vec![dataset, backend],
        criteria,
        counters: counters_before.zip(counters_after),
        rps_changes: plan.load.ramp_up.is_some().then(|| rps_changes(&schedule, &started_at)),
        client: honesty::client_report(&run, &lanes, cpu_ns, requested_rps),
        ignore_eos,
        unsent: count - run.requests.len(),
    };
    let code = finish.report(run)?;
    if plan.load.profile {
        screen.line("Stopping profiler...");
        if control.profile(false) {
            screen.line("Profiler stopped");
        }
    }
    match writing {
        Some(fault) => Err(fault.context("the run ended early, and what was measured is kept")),
        None if stopped => Ok(EXIT_INTERRUPTED),
        None => Ok(code),
    }
}

/// The server's counters, for speculative and for diffusion decoding. The
/// reference client asks for them one after the other.
fn counters(control: &Control, compat: Compat) -> Option<[ServerCounters; 2]> {
    let first = ServerCounters::parse(&control.metrics()?);
    let second = match compat {
        Compat::V033 => ServerCounters::parse(&control.metrics()?),
        _ => first.clone(),
    };
    Some([first, second])
}

/// What requests call the model, and what it is.
struct Model {
    /// In requests.
    name: String,
    /// In results, and for the tokenizer.
    id: String,
}

impl Model {
    fn find(plan: &ServePlan, control: &Control, screen: &Screen) -> Result<Self, Fault> {
        if let Some(id) = &plan.model {
            let name = plan.served_model_name.clone().unwrap_or_else(|| id.clone());
            return Ok(Self { name, id: id.clone() });
        }
        screen.line("Model not specified, fetching first model from server...");
        let served = control.first_model().map_err(|error| match error {
            ControlError::Unreachable { .. } => Fault::target(error),
            _ => Fault::user(error),
        })?;
        screen.line(format!("First model name: {}, first model id: {}", served.id, served.root));
        // The reference client has no use for --served-model-name here either.
        Ok(Self { name: served.id, id: served.root })
    }
}

fn api_key() -> Option<String> {
    std::env::var("OPENAI_API_KEY").ok().filter(|key| !key.is_empty())
}

fn control(plan: &ServePlan, authorization: Option<&str>) -> Result<Control, Fault> {
    let mut headers = plan.target.headers.clone();
    let given = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    if let Some(authorization) = authorization.filter(|_| !given) {
        headers.insert(0, ("Authorization".to_owned(), authorization.to_owned()));
    }
    Control::new(&plan.target.base_url, headers, plan.target.insecure).map_err(Fault::user)
}

/// Whether a keyword of the dataset's schema is true and concerns this backend.
fn dataset_says(plugins: &Plugins, plan: &ServePlan, keyword: &str) -> Result<bool, Fault> {
    let offer = plugins.offer(Role::Dataset, &plan.dataset.name)?.offer;
    let said = offer.config_schema.get(keyword).and_then(Value::as_bool).unwrap_or(false);
    Ok(said && (keyword != "x-ignore-eos" || IGNORE_EOS_BACKENDS.contains(&plan.backend.name.as_str())))
}

fn backend_args(plan: &ServePlan, ignore_eos: bool) -> BackendArgs {
    let backend = &plan.backend;
    BackendArgs {
        config: backend.config.to_string(),
        endpoint: backend.endpoint.clone(),
        sampling: Value::Object(backend.sampling.clone()).to_string(),
        extra_body: Value::Object(backend.extra_body.clone()).to_string(),
        ignore_eos,
        logprobs: backend.logprobs,
        compat: plan.compat.name().to_owned(),
    }
}

fn open_criteria(plan: &ServePlan, plugins: &Plugins) -> Result<Criteria, Fault> {
    plan.sla
        .iter()
        .map(|sla| {
            let args =
                CriterionArgs { config: sla.config.to_string(), compat: plan.compat.name().to_owned() };
            Ok((plugins.open_criterion(&sla.name, args)?, sla.named))
        })
        .collect()
}

fn pace(load: &LoadPlan) -> Pace {
    match load.ramp_up {
        Some(ramp) => Pace::RampUp { ramp, burstiness: load.burstiness },
        None => Pace::Constant { rate_rps: load.request_rate, burstiness: load.burstiness },
    }
}

/// The arrival times of a trace; none if the dataset is none.
fn trace_times(samples: &[Sample]) -> Option<Vec<Option<f64>>> {
    let timed = samples.iter().any(|sample| sample.arrival_s.is_some());
    timed.then(|| samples.iter().map(|sample| sample.arrival_s).collect())
}

/// The first sample as the request by which the server is tried: without an id.
fn test_input(sample: &Sample, model: &str) -> Option<RequestIn> {
    let mut input = request_of(sample.clone(), model)?;
    input.id = None;
    Some(input)
}

/// Sends copies of the test request at once.
fn try_out(
    bench: &mut Bench<'_>,
    test: &Option<RequestIn>,
    copies: usize,
    cap: Option<usize>,
) -> Result<Vec<RequestRecord>, Fault> {
    let inputs: Vec<RequestIn> =
        test.iter().cycle().take(if test.is_some() { copies } else { 0 }).cloned().collect();
    let ahead = bench.prepare(inputs)?;
    let (outcome, writing) = bench.run(ahead, Vec::new(), &[], cap, |_| {})?;
    writing.map_or(Ok(outcome.records), Err)
}

fn check_readiness(
    plan: &ServePlan,
    bench: &mut Bench<'_>,
    test: &Option<RequestIn>,
    screen: &Screen,
) -> Result<(), Fault> {
    screen.line("Starting initial single prompt test run...");
    let timeout_s = plan.load.ready_check_timeout_s;
    if timeout_s == 0 {
        screen.line("Skipping endpoint ready check.");
        return Ok(());
    }
    screen.line(format!("Waiting for endpoint to become up in {timeout_s} seconds"));
    let deadline_ns = clock::now_ns() + u64::from(timeout_s) * 1_000_000_000;
    loop {
        let records = try_out(bench, test, 1, None)?;
        let failure = records.into_iter().next().and_then(|record| record.failure);
        if bench.stopped() {
            return Ok(());
        }
        let Some(failure) = failure else {
            screen.line("Initial test run completed.");
            return Ok(());
        };
        if failure.class == FailureClass::Plugin {
            // Waiting does not mend a plugin.
            return Err(Fault::plugin(anyhow!("{}", failure.message)));
        }
        let now_ns = clock::now_ns();
        if now_ns >= deadline_ns {
            return Err(Fault::target(anyhow!(
                "Initial test run failed - Please make sure benchmark arguments are correctly specified. Error: {}",
                failure.message
            )));
        }
        if failure.class != FailureClass::Connect {
            screen.warn(format!("the endpoint is not ready yet: {}", failure.message));
        }
        let pause_ns = (deadline_ns - now_ns).min(5_000_000_000);
        super::pacer::wait_until(now_ns + pause_ns, bench.stop_flag());
    }
}

fn warm_up(
    plan: &ServePlan,
    bench: &mut Bench<'_>,
    test: &Option<RequestIn>,
    cap: Option<usize>,
    screen: &Screen,
) -> Result<(), Fault> {
    let copies = plan.load.num_warmups;
    if copies == 0 || bench.stopped() {
        return Ok(());
    }
    screen.line(format!("Warming up with {copies} requests..."));
    try_out(bench, test, copies as usize, cap)?;
    screen.line("Warmup run completed.");
    Ok(())
}

/// The model or adapter name of each request.
fn model_names(
    lora: Option<&LoraPlan>,
    model: &str,
    count: usize,
    random: &mut PythonRandom,
) -> Result<Vec<String>, Fault> {
    let Some(lora) = lora else { return Ok(vec![model.to_owned(); count]) };
    let picks = assign_lora(lora.assignment, lora.modules.len(), count, random).map_err(Fault::user)?;
    Ok(picks.into_iter().map(|pick| lora.modules[pick].clone()).collect())
}

fn tell_traffic(load: &LoadPlan, screen: &Screen) {
    use crate::report::python_float;
    match load.ramp_up {
        Some(ramp) => {
            screen.line(format!("Traffic ramp-up strategy: {}.", ramp.strategy));
            screen.line(format!(
                "Will increase RPS from {} to {} RPS over the duration of the benchmark.",
                ramp.start_rps, ramp.end_rps
            ));
        }
        None => screen.line(format!("Traffic request rate: {}", python_float(load.request_rate))),
    }
    let process = if load.burstiness == 1.0 { "Poisson process" } else { "Gamma distribution" };
    screen.line(format!("Burstiness factor: {} ({process})", python_float(load.burstiness)));
    let cap = load.max_concurrency.map_or("None".to_owned(), |cap| cap.to_string());
    screen.line(format!("Maximum request concurrency: {cap}"));
}

/// The record of the main phase; requests that never started are left out.
fn run_record(bench: &Bench<'_>, outcome: PhaseOutcome) -> RunRecord {
    let mut requests = outcome.records;
    if outcome.stopped {
        requests.retain(|request| request.stamps.started_ns != 0);
    }
    RunRecord {
        task: bench.envelope().endpoint.task,
        start_ns: outcome.start_ns,
        end_ns: outcome.end_ns,
        requests,
    }
}

fn rps_changes(schedule: &Arrivals, started_at: &jiff::Zoned) -> Vec<RpsChange> {
    schedule
        .rps_changes()
        .map(|change| {
            let offset = jiff::SignedDuration::try_from_secs_f64(change.offset_s).unwrap_or_default();
            let at = started_at.checked_add(offset).unwrap_or_else(|_| started_at.clone());
            RpsChange {
                rps: change.rps as i64,
                timestamp: at.datetime().strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
            }
        })
        .collect()
}
