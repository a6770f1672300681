//! Having the dataset plugin make the samples of a run.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::anyhow;
use vbench_random::{NumpyRandomState, PythonRandom};

use super::screen::Screen;
use super::services::{NamedFiles, RunTokenizer};
use crate::cli::ServePlan;
use crate::fault::Fault;
use crate::plugin::contract::{DatasetArgs, PathGrant, Sample, Skip, Twister};
use crate::plugin::services::{Services, TokenizerService};
use crate::plugin::{Identity, PluginError, Plugins};
use crate::tokenizer::Tokenizer;

/// Samples asked for in one call of the plugin.
const BATCH: u32 = 256;

/// What a run sends, and the generators that its dataset left behind.
pub struct Sampled {
    /// In dispatch order.
    pub samples: Vec<Sample>,
    /// The reference client's global `random`, for adapter choices.
    pub python_random: PythonRandom,
    /// Its global `numpy.random`, for arrival gaps.
    pub numpy_random: NumpyRandomState,
    /// Which plugin made them.
    pub identity: Identity,
    /// Rows that it passed over.
    pub skipped: Vec<Skip>,
}

/// Draws the samples of `plan`.
///
/// # Errors
/// When the dataset fails, or has nothing to send.
pub fn sample(
    plan: &ServePlan,
    plugins: &Plugins,
    tokenizer: Option<&Arc<Tokenizer>>,
    screen: &Screen,
) -> Result<Sampled, Fault> {
    let files: HashMap<_, _> =
        plan.dataset.grants.iter().map(|grant| (grant.config_key.clone(), grant.path.clone())).collect();
    let grants = plan
        .dataset
        .grants
        .iter()
        .map(|grant| PathGrant { config_key: grant.config_key.clone(), path: grant.path.clone() })
        .collect();
    let services = Services {
        tokenizer: tokenizer.map(|t| Arc::new(RunTokenizer(Arc::clone(t))) as Arc<dyn TokenizerService>),
        tables: Some(Arc::new(NamedFiles(files))),
    };
    let args = DatasetArgs {
        config: plan.dataset.config.to_string(),
        seed: u64::from(plan.seed),
        count: plan.num_prompts,
        request_id_prefix: plan.load.request_id_prefix.clone(),
        backend: plan.backend.name.clone(),
        compat: plan.compat.name().to_owned(),
        grants,
    };
    let named = |error: PluginError| Fault::from(error.naming_flag(|key| plan.dataset.flags.get(key)));
    let mut source = plugins.open_dataset(&plan.dataset.name, args, services).map_err(named)?;
    let bar = screen.bar(plan.results.progress, u64::try_from(plan.num_prompts).ok(), "Sampling");
    let mut samples = Vec::new();
    loop {
        let batch = source.next(BATCH).map_err(named)?;
        if batch.is_empty() {
            break;
        }
        bar.inc(batch.len() as u64);
        samples.extend(batch);
    }
    bar.finish_and_clear();
    let summary = source.finish().map_err(named)?;
    for Skip { reason, count } in &summary.skipped {
        screen.warn(format!("dataset `{}`: {count} rows passed over: {reason}", plan.dataset.name));
    }
    if samples.is_empty() {
        return Err(Fault::user(anyhow!(
            "dataset `{}` gave no sample, so there is nothing to send",
            plan.dataset.name
        )));
    }
    if samples.iter().any(|sample| sample.turns.len() > 1) {
        return Err(Fault::user(anyhow!(
            "dataset `{}` has conversations of several turns, which are not available yet",
            plan.dataset.name
        )));
    }
    let wrong_state = |e: vbench_random::StateError| {
        Fault::plugin(anyhow!("dataset `{}` returned a generator state that is none: {e}", plan.dataset.name))
    };
    let python_random = match summary.python_random {
        Some(Twister { words, position }) => {
            PythonRandom::from_state(&words, position).map_err(wrong_state)?
        }
        None => PythonRandom::new(u64::from(plan.seed)),
    };
    let numpy_random = match summary.numpy_random {
        Some(Twister { words, position }) => {
            NumpyRandomState::from_state(&words, position).map_err(wrong_state)?
        }
        None => NumpyRandomState::new(plan.seed),
    };
    Ok(Sampled {
        samples,
        python_random,
        numpy_random,
        identity: source.identity().clone(),
        skipped: summary.skipped,
    })
}
