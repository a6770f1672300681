//! `vbench serve` from plan to exit code.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::anyhow;
use serde_json::Value;

use super::align::align;
use super::bench::Bench;
use super::control::{Control, ControlError};
use super::dry_run::dry_run;
use super::finish::{Criteria, Finish, check_places};
use super::phase::PhaseOutcome;
use super::prepare::{meta_of, request_of};
use super::probes::Probes;
use super::sampling::sample;
use super::screen::Screen;
use super::workload::{Workload, to_token_ids};
use super::{honesty, limits};
use crate::cli::plan::{LoadPlan, TokenizerPlan};
use crate::cli::{Compat, ServePlan};
use crate::clock;
use crate::extract::RequestMeta;
use crate::fault::{EXIT_INTERRUPTED, Fault};
use crate::media::Store;
use crate::metrics::ServerCounters;
use crate::plugin::Plugins;
use crate::plugin::contract::{BackendArgs, CriterionArgs, RequestIn, Role, Sample};
use crate::record::{FailureClass, RequestRecord, RunRecord};
use crate::report::RpsChange;
use crate::schedule::Arrivals;
use crate::tokenizer::{self, Tokenizer, Tokenizers};

/// Backends whose requests a dataset may make ignore the end-of-sequence token.
const IGNORE_EOS_BACKENDS: [&str; 7] =
    ["vllm", "openai", "openai-chat", "openai-responses", "sglang", "tensorrt-llm", "llama-cpp"];

/// Carries out `vbench serve` and gives its exit code; what it measured is in
/// the result file. `tokenizers` are shared with other runs of the process.
/// `stop` is set when the user asks for an end.
///
/// # Errors
/// With whose fault it is, when there is nothing to report.
pub fn serve(
    plan: &ServePlan,
    plugins: &Plugins,
    tokenizers: &Arc<Tokenizers>,
    screen: &Screen,
    stop: &Arc<AtomicBool>,
) -> Result<u8, Fault> {
    if plan.dry_run {
        return dry_run(plan, plugins, tokenizers, screen);
    }
    if plan.compat == Compat::V033 {
        screen.line(plan.namespace.to_python());
    }
    for warning in &plan.warnings {
        screen.warn(warning);
    }
    check_places(plan)?;
    let (authorization, control, model) = reach(plan, screen)?;

    // The largest file of a start-up is read while the plugins are.
    let tokenizer_name = plan.tokenizer.name.clone().unwrap_or_else(|| model.id.clone());
    let loading = thread::spawn(load_tokenizer(plan, &model.id, tokenizers));
    let ignore_eos = forces_ignore_eos(plan, plugins)?;
    let backend_args = backend_args(plan, ignore_eos);
    let media = Arc::new(Store::new());
    let mut bench =
        Bench::start(plan, plugins, backend_args, authorization, Arc::clone(&media), Arc::clone(stop))?;
    let spinner = screen.bar(plan.results.progress, None, "Loading the tokenizer");
    let loaded = loading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    spinner.finish_and_clear();
    let tokenizer = loaded?;

    let mut sampled = sample(plan, plugins, tokenizer.as_ref(), &media, screen)?;
    if let Some(tokenizer) = tokenizer.as_ref().filter(|_| plan.prompt_token_ids) {
        to_token_ids(&mut sampled.samples, tokenizer)?;
    } else if !plan.target.mock && dataset_says(plugins, plan, "x-align-prompts")? {
        // The embedded server counts characters, not tokens.
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
    let count = sampled.samples.len();
    let cap = plan.load.max_concurrency.map(|cap| cap as usize);
    let certain = cap.is_some() || (plan.load.request_rate.is_infinite() && plan.load.ramp_up.is_none());
    limits::make_room(cap.unwrap_or(count).min(count) as u64, certain, screen)?;
    let Workload { samples, models, schedule, self_timed, dataset, skipped } =
        Workload::new(plan, sampled, &model.name, screen)?;

    let test = test_input(&samples[0], &model.name);
    check_readiness(plan, &mut bench, &test, screen)?;
    warm_up(plan, &mut bench, &test, cap, screen)?;
    if bench.stopped() {
        return Ok(EXIT_INTERRUPTED);
    }

    screen.line("Starting main benchmark run...");
    let metas: Vec<RequestMeta> = samples.iter().map(meta_of).collect();
    let inputs =
        samples.into_iter().zip(&models).filter_map(|(sample, name)| request_of(sample, name)).collect();
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
    let probes =
        plan.load.probe_rps.zip(test.as_ref()).map(|(rps, test)| bench.probe(test, rps)).transpose()?;
    let cpu_before_ns = clock::process_cpu_ns();
    let started_at = clock::local_now();
    let bar = screen.bar(plan.results.progress, Some(count as u64), "Requests");
    let (outcome, writing) = bench.run(ahead, metas, &schedule.offsets_s, cap, |progress| {
        bar.set_position(progress.ended.load(Ordering::Relaxed) as u64);
    })?;
    bar.finish_and_clear();
    let cpu_ns = clock::process_cpu_ns() - cpu_before_ns;
    let probes = probes.and_then(Probes::stop);
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
        fresh_prompts: fresh_prompts(plugins, plan)?,
        unsent: count - run.requests.len(),
        skipped,
        probes,
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
pub(super) struct Model {
    /// In requests.
    pub(super) name: String,
    /// In results, and for the tokenizer.
    pub(super) id: String,
}

impl Model {
    pub(super) fn find(plan: &ServePlan, control: &Control, screen: &Screen) -> Result<Self, Fault> {
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

/// The credentials' header, the way to the server beside the run, and the model.
pub(super) fn reach(plan: &ServePlan, screen: &Screen) -> Result<(Option<String>, Control, Model), Fault> {
    let authorization = authorization();
    let control = control(plan, authorization.as_deref())?;
    let model = Model::find(plan, &control, screen)?;
    Ok((authorization, control, model))
}

/// The credentials' header, where the environment has a key.
pub(super) fn authorization() -> Option<String> {
    api_key().map(|key| format!("Bearer {key}"))
}

fn control(plan: &ServePlan, authorization: Option<&str>) -> Result<Control, Fault> {
    let mut headers = plan.target.headers.clone();
    let given = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    if let Some(authorization) = authorization.filter(|_| !given) {
        headers.insert(0, ("Authorization".to_owned(), authorization.to_owned()));
    }
    Control::new(&plan.target.base_url, headers, plan.target.insecure).map_err(Fault::user)
}

/// Takes the run's tokenizer out of `tokenizers`, loading it if it is not there; its name is the model's `id` unless the plan has
/// one, on whatever thread the result is called; none if the run does without.
pub(super) fn load_tokenizer(
    plan: &ServePlan,
    id: &str,
    tokenizers: &Arc<Tokenizers>,
) -> impl FnOnce() -> Result<Option<Arc<Tokenizer>>, Fault> + Send + 'static {
    let tokenizers = Arc::clone(tokenizers);
    let TokenizerPlan { name, mode, skip, .. } = plan.tokenizer.clone();
    let name = name.unwrap_or_else(|| id.to_owned());
    let slow_allowed = plan.compat == Compat::V012;
    move || {
        if skip {
            return Ok(None);
        }
        let mode = tokenizer::Mode::parse(&mode, slow_allowed).map_err(Fault::user)?;
        tokenizers.load(&name, mode).map(Some).map_err(Fault::user)
    }
}

/// Whether requests tell the server to go on after an end-of-text token.
pub(super) fn forces_ignore_eos(plan: &ServePlan, plugins: &Plugins) -> Result<bool, Fault> {
    Ok(plan.backend.ignore_eos || dataset_says(plugins, plan, "x-ignore-eos")?)
}

/// Whether a keyword of the dataset's schema is true and concerns this backend.
pub(super) fn dataset_says(plugins: &Plugins, plan: &ServePlan, keyword: &str) -> Result<bool, Fault> {
    let offer = plugins.offer(Role::Dataset, &plan.dataset.name)?.offer;
    let said = offer.config_schema.get(keyword).and_then(Value::as_bool).unwrap_or(false);
    Ok(said && (keyword != "x-ignore-eos" || IGNORE_EOS_BACKENDS.contains(&plan.backend.name.as_str())))
}

/// Whether the dataset says that no prompt repeats another, and no option that
/// gives prompts a common beginning is set.
fn fresh_prompts(plugins: &Plugins, plan: &ServePlan) -> Result<bool, Fault> {
    let offer = plugins.offer(Role::Dataset, &plan.dataset.name)?.offer;
    let says = |schema: &Value, keyword: &str| schema.get(keyword) == Some(&Value::Bool(true));
    let properties = offer.config_schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let shares = properties.filter(|(_, property)| says(property, "x-shared-prefix")).any(|(key, _)| {
        plan.dataset.config.get(key).and_then(Value::as_f64).is_some_and(|length| length > 0.0)
    });
    let fresh = offer.config_schema.get("x-fresh-prompts") == Some(&Value::Bool(true));
    Ok(fresh && !shares)
}

/// What the backend of a plan is opened with.
pub(crate) fn backend_args(plan: &ServePlan, ignore_eos: bool) -> BackendArgs {
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
            let criterion = plugins
                .open_criterion(&sla.name, args)
                .map_err(|error| error.naming_flag(|key| sla.flags.get(key)))?;
            Ok((criterion, sla.named))
        })
        .collect()
}

/// The first sample as the request by which the server is tried: without an id
/// or a session.
pub(super) fn test_input(sample: &Sample, model: &str) -> Option<RequestIn> {
    let mut input = request_of(sample.clone(), model)?;
    (input.id, input.session) = (None, None);
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

pub(super) fn check_readiness(
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

pub(super) fn warm_up(
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
