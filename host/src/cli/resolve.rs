//! From parsed flags to the plan: defaults by mode, and all checks that need
//! neither network nor files. Checks run in the reference client's order.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::Ipv6Addr;
use std::path::Path;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::argv::Normalised;
use super::compat::Compat;
use super::error::CliError;
use super::known;
use super::namespace::{ArgValue, Namespace};
use super::offers::{self, Role};
use super::plan::{
    BackendPlan, DatasetPlan, LoadPlan, LoraPlan, ResultPlan, ServePlan, SlaPlan, TargetPlan, TokenizerPlan,
};
use super::plugin_flags::PluginFlags;
use super::serve_args::{LoadArgs, ResultArgs, SamplingArgs, ServeArgs, TargetArgs};
use crate::plot::ItlThresholds;
use crate::schedule::{RampUp, RampUpStrategy};

/// Printed by the reference client when no temperature is given.
pub const TEMPERATURE_NOTICE: &str = "WARNING: vllm bench serve no longer sets temperature==0 (greedy) in requests \
     by default. The default will be determined on the server side and can be model/API specific. For the old \
     behavior, include --temperature=0.";

/// Path of requests of the reference client, whatever the backend.
const REFERENCE_ENDPOINT: &str = "/v1/completions";
/// Readiness check of vbench and of older releases, in seconds.
const READY_CHECK_S: u32 = 600;
/// Backends that take sampling parameters.
const OPENAI_COMPATIBLE: &[&str] = &["vllm", "openai", "openai-chat", "openai-responses"];
/// Backends of the reference client that take token ids for prompts.
const COMPLETIONS: &[&str] = &["openai", "vllm"];
/// Backends of the reference client whose answers are no tokens.
const POOLING: &[&str] = &[
    "openai-embeddings",
    "openai-embeddings-chat",
    "openai-embeddings-clip",
    "openai-embeddings-vlm2vec",
    "infinity-embeddings",
    "infinity-embeddings-clip",
    "vllm-pooling",
    "vllm-rerank",
];
/// Metrics that can have statistics.
const METRICS: &[&str] = &["ttft", "tpot", "itl", "e2el", "client_queue_time", "e2el_including_client_queue"];

fn usage(text: impl Into<String>) -> CliError {
    CliError::Usage(text.into())
}

/// Makes the plan.
pub(super) fn plan(
    args: ServeArgs,
    given: &Normalised,
    plugins: &PluginFlags<'_>,
) -> Result<ServePlan, CliError> {
    let compat = args.general.compat;
    let mut warnings = Vec::new();
    if !given.duplicates.is_empty() {
        warnings.push(format!("Found duplicate keys {}", given.duplicates.join(", ")));
    }
    let dataset = find(plugins, Role::Dataset, &args.dataset.dataset_name, known::DATASETS)?;
    let backend = find(plugins, Role::Backend, &args.target.backend, known::BACKENDS)?;
    let criteria = criteria(plugins, &args.result.sla, given)?;
    plugins.check_words(given)?;

    let request_id_prefix = args.dataset.request_id_prefix.clone().unwrap_or_else(random_prefix);
    let load = load(&args.load, compat, request_id_prefix, &mut warnings)?;
    let target = target(&args.target, args.dataset.session_header.as_deref(), args.load.io_threads)?;
    let tokenizer = tokenizer(&args, compat, &mut warnings)?;

    if let Some(path) = given.values("dataset-path").and_then(<[String]>::last)
        && !plugins.has_flag(dataset, "dataset-path")
    {
        return Err(usage(format!(
            "Cannot use '{}' dataset with --dataset-path. Please specify the appropriate --dataset-name (e.g., \
             'sharegpt', 'custom', 'hf') for your dataset file: {path}",
            args.dataset.dataset_name
        )));
    }
    let configured = plugins.configure(dataset, given)?;
    let dataset_plan = DatasetPlan {
        name: args.dataset.dataset_name.clone(),
        plugin: plugins.offer(dataset).plugin.clone(),
        config: configured.config,
        flags: configured.flags,
        grants: configured.grants,
        media_folders: args.dataset.allowed_local_media_path.clone(),
    };
    let backend_plan = backend_plan(&args, plugins, backend, given, &mut warnings)?;
    let takes_ids = |name: &String| COMPLETIONS.contains(&name.as_str());
    let offer = plugins.offer(backend);
    if args.dataset.prompt_token_ids
        && known::BACKENDS.contains(&offer.name.as_str())
        && !takes_ids(&offer.name)
    {
        return Err(usage(format!(
            "--prompt-token-ids is for completions (--backend {}): backend `{}` takes no token ids",
            COMPLETIONS.join(" or "),
            args.target.backend
        )));
    }
    let sla = criteria
        .iter()
        .map(|(name, index, named)| {
            let configured = plugins.configure(*index, given)?;
            Ok(SlaPlan {
                name: name.clone(),
                plugin: plugins.offer(*index).plugin.clone(),
                config: configured.config,
                flags: configured.flags,
                named: *named,
            })
        })
        .collect::<Result<Vec<_>, CliError>>()?;
    let results = results(&args.result, compat, &mut warnings)?;

    let chosen: Vec<usize> =
        [dataset, backend].into_iter().chain(criteria.iter().map(|(_, index, _)| *index)).collect();
    warnings.extend(plugins.without_effect(given, &chosen));

    let mut namespace = Namespace::new(given, plugins.names());
    namespace.set("request_id_prefix", ArgValue::Text(load.request_id_prefix.clone()));
    namespace.set("ready_check_timeout_sec", ArgValue::Int(i64::from(load.ready_check_timeout_s)));
    namespace.set("endpoint", backend_plan.endpoint.clone().map_or(ArgValue::None, ArgValue::Text));

    Ok(ServePlan {
        compat,
        target,
        model: args.model.model,
        served_model_name: args.model.served_model_name,
        tokenizer,
        seed: args.dataset.seed,
        num_prompts: args.dataset.num_prompts,
        dataset: dataset_plan,
        prompt_token_ids: args.dataset.prompt_token_ids,
        backend: backend_plan,
        load,
        results,
        sla,
        warnings,
        dry_run: args.general.dry_run,
        namespace,
    })
}

fn find(plugins: &PluginFlags<'_>, role: Role, name: &str, reference: &[&str]) -> Result<usize, CliError> {
    plugins.find(role, name).ok_or_else(|| {
        let (name, available) = (name.to_owned(), offers::names(plugins.offers(), role));
        if reference.contains(&name.as_str()) {
            CliError::OfferNotYet { role, name, available }
        } else {
            CliError::NoOffer { role, name, available }
        }
    })
}

/// Criteria that were named, then those of which only an option was given.
pub(super) fn criteria(
    plugins: &PluginFlags<'_>,
    named: &[String],
    given: &Normalised,
) -> Result<Vec<(String, usize, bool)>, CliError> {
    let mut criteria: Vec<(String, usize, bool)> = Vec::new();
    for name in named {
        let index = find(plugins, Role::Sla, name, &[])?;
        if criteria.iter().any(|(_, other, _)| *other == index) {
            return Err(usage(format!("--sla {name} is there twice")));
        }
        criteria.push((name.clone(), index, true));
    }
    for index in plugins.criteria_given(given) {
        if criteria.iter().all(|(_, other, _)| *other != index) {
            criteria.push((plugins.offer(index).name.clone(), index, false));
        }
    }
    Ok(criteria)
}

fn load(
    args: &LoadArgs,
    compat: Compat,
    request_id_prefix: String,
    warnings: &mut Vec<String>,
) -> Result<LoadPlan, CliError> {
    let max_concurrency = match args.max_concurrency {
        None => None,
        Some(limit) if limit <= 0 => return Err(usage("--max-concurrency must be greater than 0")),
        Some(limit) => {
            Some(u32::try_from(limit).map_err(|_| usage(format!("--max-concurrency {limit} is too large")))?)
        }
    };
    let ramp_up = ramp_up(args, compat, warnings)?;
    if args.request_rate.is_nan() || args.burstiness.is_nan() {
        return Err(usage("--request-rate and --burstiness have to be numbers"));
    }
    // The reference client finds out when it makes the schedule, after
    // requests of its own; so does the schedule under v0.33.
    if compat != Compat::V033 {
        if args.request_rate <= 0.0 {
            return Err(usage(format!("--request-rate must be above 0, not {}", args.request_rate)));
        }
        if args.burstiness <= 0.0 {
            return Err(usage(format!("--burstiness must be above 0, not {}", args.burstiness)));
        }
        if ramp_up.is_some_and(|ramp| ramp.start_rps == 0) {
            return Err(usage(
                "--ramp-up-start-rps must be above 0: at a rate of 0 the first request never goes out",
            ));
        }
    }
    let max_error_rate = match (args.fail_on_errors, args.max_error_rate) {
        (true, _) => Some(0.0),
        (false, Some(share)) if (0.0..=1.0).contains(&share) => Some(share),
        (false, Some(share)) => {
            return Err(usage(format!("--max-error-rate must be from 0 to 1, not {share}")));
        }
        (false, None) => None,
    };
    let probe_rps = match args.probe_request_rate {
        rate if rate > 0.0 && rate.is_finite() => Some(rate),
        0.0 => None,
        rate => return Err(usage(format!("--probe-request-rate must be a number from 0 on, not {rate}"))),
    };
    let self_timed = match (args.self_timed, args.no_self_timed) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    };
    let default_ready_check = if compat == Compat::V033 { 0 } else { READY_CHECK_S };
    Ok(LoadPlan {
        request_rate: args.request_rate,
        burstiness: args.burstiness,
        ramp_up,
        self_timed,
        probe_rps,
        max_concurrency,
        num_warmups: args.num_warmups,
        ready_check_timeout_s: args.ready_check_timeout_sec.unwrap_or(default_ready_check),
        profile: args.profile,
        request_id_prefix,
        max_error_rate,
    })
}

fn ramp_up(args: &LoadArgs, compat: Compat, warnings: &mut Vec<String>) -> Result<Option<RampUp>, CliError> {
    let Some(strategy) = args.ramp_up_strategy else {
        if compat != Compat::V033 && (args.ramp_up_start_rps.is_some() || args.ramp_up_end_rps.is_some()) {
            warnings.push(
                "--ramp-up-start-rps and --ramp-up-end-rps have no effect without --ramp-up-strategy"
                    .to_owned(),
            );
        }
        return Ok(None);
    };
    if args.request_rate != f64::INFINITY {
        return Err(usage(
            "When using ramp-up, do not specify --request-rate. The request rate will be controlled by ramp-up \
             parameters. Please remove the --request-rate argument.",
        ));
    }
    let (Some(start), Some(end)) = (args.ramp_up_start_rps, args.ramp_up_end_rps) else {
        return Err(usage(
            "When using --ramp-up-strategy, both --ramp-up-start-rps and --ramp-up-end-rps must be specified",
        ));
    };
    if start < 0 || end < 0 {
        return Err(usage("Ramp-up start and end RPS must be non-negative"));
    }
    if start > end {
        return Err(usage("Ramp-up start RPS must be less than end RPS"));
    }
    if strategy == RampUpStrategy::Exponential && start == 0 {
        return Err(usage("For exponential ramp-up, the start RPS cannot be 0."));
    }
    // Neither is negative.
    Ok(Some(RampUp { strategy, start_rps: start.unsigned_abs(), end_rps: end.unsigned_abs() }))
}

fn target(args: &TargetArgs, session: Option<&str>, io_threads: Option<u16>) -> Result<TargetPlan, CliError> {
    let base_url = match &args.base_url {
        Some(url) if has_http_scheme(url) => url.clone(),
        Some(url) => return Err(usage(format!("--base-url `{url}` has to begin with http:// or https://"))),
        None if args.host.parse::<Ipv6Addr>().is_ok() => format!("http://[{}]:{}", args.host, args.port),
        None => format!("http://{}:{}", args.host, args.port),
    };
    if args.endpoint.as_ref().is_some_and(|path| path.chars().any(char::is_control)) {
        return Err(usage("--endpoint holds a control character"));
    }
    let timeout = args.request_timeout_sec;
    if !(timeout > 0.0 && timeout <= f64::from(u32::MAX)) {
        return Err(usage(format!("--request-timeout-sec must be above 0, not {timeout}")));
    }
    Ok(TargetPlan {
        base_url,
        mock: args.mock,
        headers: headers(args.header.as_deref().unwrap_or_default())?,
        session_header: session.map(session_header).transpose()?,
        insecure: args.insecure,
        http2: args.http2,
        request_timeout_s: timeout,
        io_threads,
    })
}

fn has_http_scheme(url: &str) -> bool {
    let lower = url.to_ascii_lowercase();
    ["http://", "https://"]
        .iter()
        .any(|scheme| lower.strip_prefix(scheme).is_some_and(|host| !host.is_empty()))
}

/// Splits `KEY=VALUE` at the first `=` and trims both sides. Values may be
/// secrets, so errors do not repeat them.
fn headers(items: &[String]) -> Result<Vec<(String, String)>, CliError> {
    let mut headers = IndexMap::new();
    for item in items {
        let (name, value) =
            pair(item).ok_or_else(|| usage("Invalid header format. Please use KEY=VALUE format."))?;
        if name.is_empty() || name.chars().chain(value.chars()).any(|c| c.is_control() && c != '\t') {
            return Err(usage("--header: a name is empty, or there is a control character"));
        }
        headers.insert(name, value);
    }
    Ok(headers.into_iter().collect())
}

/// A name that no other header of a request has.
fn session_header(name: &str) -> Result<String, CliError> {
    const TAKEN: [&str; 7] = [
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "x-request-id",
    ];
    match http::HeaderName::from_bytes(name.as_bytes()) {
        Ok(valid) if !TAKEN.contains(&valid.as_str()) => Ok(name.to_owned()),
        Ok(_) => Err(usage(format!("--session-header `{name}`: that header is taken; name another"))),
        Err(_) => Err(usage(format!("--session-header `{name}` is no name of a header"))),
    }
}

fn pair(item: &str) -> Option<(String, String)> {
    item.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
}

fn tokenizer(
    args: &ServeArgs,
    compat: Compat,
    warnings: &mut Vec<String>,
) -> Result<TokenizerPlan, CliError> {
    let model = &args.model;
    if model.tokenizer_mode == "slow" && compat != Compat::V012 {
        return Err(usage(
            "--tokenizer-mode slow is gone since vLLM 0.12; it is accepted under --compat v0.12",
        ));
    }
    if model.trust_remote_code && compat != Compat::V033 {
        warnings.push(
            "--trust-remote-code has no effect: vbench never runs code that comes with a model".to_owned(),
        );
    }
    Ok(TokenizerPlan {
        name: model.tokenizer.clone(),
        mode: model.tokenizer_mode.clone(),
        skip: model.skip_tokenizer_init,
        trust_remote_code: model.trust_remote_code,
    })
}

fn backend_plan(
    args: &ServeArgs,
    plugins: &PluginFlags<'_>,
    index: usize,
    given: &Normalised,
    warnings: &mut Vec<String>,
) -> Result<BackendPlan, CliError> {
    let compat = args.general.compat;
    let offer = plugins.offer(index);
    let is_one_of = |names: &[&str]| names.iter().any(|name| offer.answers_to(name));
    let openai = is_one_of(OPENAI_COMPATIBLE);
    let pooling = is_one_of(POOLING);

    let mut sampling = sampling(&args.sampling)?;
    if pooling && !sampling.is_empty() {
        let flags: Vec<String> = sampling.keys().map(|key| format!("--{}", key.replace('_', "-"))).collect();
        let verb = if flags.len() == 1 { "has" } else { "have" };
        warnings.push(format!(
            "{} {verb} no effect with backend `{}`",
            flags.join(", "),
            args.target.backend
        ));
        sampling.clear();
    }
    if !sampling.is_empty() && !openai && known::BACKENDS.contains(&offer.name.as_str()) {
        return Err(usage("Sampling parameters are only supported by openai-compatible backends."));
    }
    let silent = args.sampling.temperature.is_none() && !pooling;
    let temperature_notice = (silent && compat == Compat::V033).then_some(TEMPERATURE_NOTICE);
    if silent && openai && compat != Compat::V033 {
        sampling = in_order(&sampling, ("temperature", Value::from(0.0)));
    }
    if args.sampling.use_beam_search && compat != Compat::V033 {
        warnings.push("--use-beam-search has no effect on requests, as in the reference client".to_owned());
    }
    let extra_body = match &args.sampling.extra_body {
        None => Map::new(),
        Some(text) => match serde_json::from_str(text) {
            Ok(Value::Object(object)) => object,
            Ok(_) => return Err(usage("--extra-body has to be a JSON object")),
            Err(error) => return Err(usage(format!("--extra-body is not JSON: {error}"))),
        },
    };
    let lora = args
        .model
        .lora_modules
        .clone()
        .filter(|modules| !modules.is_empty())
        .map(|modules| LoraPlan { modules, assignment: args.model.lora_assignment });
    let endpoint = args
        .target
        .endpoint
        .clone()
        .or_else(|| (compat == Compat::V033).then(|| REFERENCE_ENDPOINT.to_owned()));
    let configured = plugins.configure(index, given)?;
    Ok(BackendPlan {
        name: args.target.backend.clone(),
        plugin: offer.plugin.clone(),
        config: configured.config,
        flags: configured.flags,
        endpoint,
        sampling,
        temperature_notice,
        extra_body,
        ignore_eos: args.sampling.ignore_eos,
        logprobs: args.sampling.logprobs,
        lora,
    })
}

/// Sampling parameters in the order in which they are sent.
const SAMPLING_ORDER: [&str; 7] =
    ["top_p", "top_k", "min_p", "temperature", "frequency_penalty", "presence_penalty", "repetition_penalty"];

fn sampling(args: &SamplingArgs) -> Result<Map<String, Value>, CliError> {
    let values = [
        args.top_p.map(Value::from),
        args.top_k.map(Value::from),
        args.min_p.map(Value::from),
        args.temperature.map(Value::from),
        args.frequency_penalty.map(Value::from),
        args.presence_penalty.map(Value::from),
        args.repetition_penalty.map(Value::from),
    ];
    let mut params = Map::new();
    for (name, value) in SAMPLING_ORDER.iter().zip(values) {
        match value {
            None => {}
            // JSON has no such number, and `Value` makes null of it.
            Some(Value::Null) => {
                return Err(usage(format!("--{} has to be a finite number", name.replace('_', "-"))));
            }
            Some(value) => {
                params.insert((*name).to_owned(), value);
            }
        }
    }
    Ok(params)
}

fn in_order(params: &Map<String, Value>, (extra, value): (&str, Value)) -> Map<String, Value> {
    let mut ordered = Map::new();
    for name in SAMPLING_ORDER {
        if let Some(value) = if name == extra { Some(&value) } else { params.get(name) } {
            ordered.insert(name.to_owned(), value.clone());
        }
    }
    ordered
}

fn results(args: &ResultArgs, compat: Compat, warnings: &mut Vec<String>) -> Result<ResultPlan, CliError> {
    const BAD_METADATA: &str = "Invalid metadata format. Please use KEY=VALUE format.";
    let mut metadata = IndexMap::new();
    let mut late_metadata_error = None;
    for item in args.metadata.as_deref().unwrap_or_default() {
        match pair(item) {
            Some((key, value)) => {
                metadata.insert(key, value);
            }
            None if compat == Compat::V033 => late_metadata_error = Some(BAD_METADATA),
            None => return Err(usage(format!("{BAD_METADATA} Got `{item}`."))),
        }
    }
    let percentile_metrics: Option<Vec<String>> =
        args.percentile_metrics.as_ref().map(|names| names.split(',').map(str::to_owned).collect());
    if compat != Compat::V033 {
        for name in percentile_metrics.iter().flatten().filter(|name| !METRICS.contains(&name.as_str())) {
            let text = format!(
                "--percentile-metrics: there is no metric `{name}`; there are {}",
                METRICS.join(", ")
            );
            // Older releases ignore it, as 0.33 does.
            if compat == Compat::Vbench {
                return Err(usage(text));
            }
            warnings.push(text);
        }
        if args.save_detailed && !args.save_result && !args.append_result {
            warnings
                .push("--save-detailed has no effect without --save-result or --append-result".to_owned());
        }
    }
    let percentiles = args
        .metric_percentiles
        .split(',')
        .map(|word| match word.trim().parse::<f64>() {
            Ok(percentile) if (0.0..=100.0).contains(&percentile) => Ok(percentile),
            _ => Err(usage(format!("--metric-percentiles: `{word}` is not a number from 0 to 100"))),
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(ResultPlan {
        progress: !args.disable_tqdm,
        label: args.label.clone(),
        save: args.save_result || args.append_result,
        detailed: args.save_detailed,
        append: args.append_result,
        metadata: metadata.into_iter().collect(),
        late_metadata_error,
        dir: args.result_dir.as_deref().filter(|dir| *dir != Path::new("")).map(Path::to_owned),
        filename: args.result_filename.clone().filter(|name| !name.is_empty()),
        percentile_metrics,
        percentiles,
        histogram_log: args.histogram_log.clone(),
        save_requests: args.save_requests.clone(),
        timeline: timeline(args, compat, warnings)?,
        dataset_stats: args.plot_dataset_stats,
    })
}

fn timeline(
    args: &ResultArgs,
    compat: Compat,
    warnings: &mut Vec<String>,
) -> Result<Option<ItlThresholds>, CliError> {
    let text = args.timeline_itl_thresholds.as_deref();
    if !args.plot_timeline {
        if text.is_some() && compat != Compat::V033 {
            warnings.push("--timeline-itl-thresholds has no effect without --plot-timeline".to_owned());
        }
        return Ok(None);
    }
    let thresholds = text.map_or(Ok(ItlThresholds::default()), ItlThresholds::parse);
    thresholds
        .map(Some)
        .map_err(|reason| usage(format!("Invalid --timeline-itl-thresholds format: {reason}")))
}

/// `bench-` and eight hexadecimal digits that differ from process to process,
/// so that two runs do not share request ids.
fn random_prefix() -> String {
    // The standard library seeds its hashers from the system's generator.
    format!("bench-{:08x}-", RandomState::new().hash_one(std::process::id()) & 0xffff_ffff)
}
