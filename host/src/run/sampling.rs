//! Having the dataset plugin make the samples of a run.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::anyhow;
use vbench_random::{NumpyRandomState, PythonRandom};

use super::hub_dataset;
use super::screen::Screen;
use super::services::{NamedFiles, RunMedia, RunTokenizer};
use crate::cli::ServePlan;
use crate::fault::Fault;
use crate::media::Store;
use crate::plugin::contract::{
    Attachments, DatasetArgs, Media, PathGrant, Prompt, Role, Sample, Skip, Turn, Twister,
};
use crate::plugin::services::{Services, TokenizerService};
use crate::plugin::{Identity, PluginError, Plugins};
use crate::tokenizer::{Hub, Tokenizer};

/// Samples asked for in one call of the plugin.
const BATCH: u32 = 256;
/// Most samples of a run.
const MAX_SAMPLES: usize = 2_000_000;
/// Most bytes of prompts of a run.
const MAX_BYTES: usize = 2 << 30;

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

/// Draws the samples of `plan`; their media are in `media` afterwards, and no others.
///
/// # Errors
/// When the dataset fails, or has nothing to send.
pub fn sample(
    plan: &ServePlan,
    plugins: &Plugins,
    tokenizer: Option<&Arc<Tokenizer>>,
    media: &Arc<Store>,
    screen: &Screen,
) -> Result<Sampled, Fault> {
    let mut dataset = plan.dataset.clone();
    let schema = plugins.offer(Role::Dataset, &dataset.name)?.offer.config_schema.clone();
    hub_dataset::find(&mut dataset, &schema, &Hub::from_env(), screen)?;
    let files: HashMap<_, _> =
        dataset.grants.iter().map(|grant| (grant.config_key.clone(), grant.path.clone())).collect();
    let grants = dataset
        .grants
        .iter()
        .map(|grant| PathGrant { config_key: grant.config_key.clone(), path: grant.path.clone() })
        .collect();
    let services = Services {
        tokenizer: tokenizer.map(|t| Arc::new(RunTokenizer(Arc::clone(t))) as Arc<dyn TokenizerService>),
        media: Some(Arc::new(RunMedia::new(Arc::clone(media), &files, &dataset.media_folders))),
        tables: Some(Arc::new(NamedFiles { paths: files, media: Arc::clone(media) })),
    };
    let args = DatasetArgs {
        config: dataset.config.to_string(),
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
    let mut samples: Vec<Sample> = Vec::new();
    let mut bytes = 0_usize;
    loop {
        let batch = source.next(BATCH).map_err(named)?;
        if batch.is_empty() {
            break;
        }
        bar.inc(batch.len() as u64);
        bytes += batch.iter().map(size_bytes).sum::<usize>();
        samples.extend(batch);
        if samples.len() > MAX_SAMPLES || bytes > MAX_BYTES {
            return Err(Fault::plugin(anyhow!(
                "dataset `{}` gave {} samples of {} MiB and did not end; a run has at most {MAX_SAMPLES} samples and \
                 {} MiB of prompts",
                plan.dataset.name,
                samples.len(),
                bytes >> 20,
                MAX_BYTES >> 20
            )));
        }
    }
    bar.finish_and_clear();
    media.keep_only(samples.iter().flat_map(texts_with_media));
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
    let again = repeated_ids(&samples);
    if again > 0 {
        screen.warn(format!(
            "dataset `{}`: {again} samples have the id of another, so a server's log cannot tell them apart",
            plan.dataset.name
        ));
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

/// The texts of a sample in which a reference to a medium may stand.
fn texts_with_media(sample: &Sample) -> impl Iterator<Item = &str> {
    let of_turns = sample.turns.iter().flat_map(|turn| {
        let prompt = match &turn.prompt {
            Prompt::Messages(json) | Prompt::Parts(json) | Prompt::Object(json) => Some(json.as_str()),
            _ => None,
        };
        turn.attachments.as_slice().iter().map(|media| media.url.as_str()).chain(prompt)
    });
    of_turns.chain(sample.overrides.as_deref())
}

/// About what a sample takes of memory.
fn size_bytes(sample: &Sample) -> usize {
    let media = |media: &Media| media.url.len() + media.extra.as_ref().map_or(0, String::len);
    let turns = sample.turns.iter().map(|turn| {
        let prompt = match &turn.prompt {
            Prompt::Text(text) | Prompt::Messages(text) | Prompt::Parts(text) | Prompt::Object(text) => {
                text.len()
            }
            Prompt::Texts(texts) => texts.iter().map(String::len).sum(),
            Prompt::TokenIds(ids) => 4 * ids.len(),
            Prompt::TokenIdLists(lists) => lists.iter().map(|ids| 4 * ids.len()).sum(),
        };
        let attached = match &turn.attachments {
            Attachments::None => 0,
            Attachments::One(one) => media(one),
            Attachments::Many(many) => many.iter().map(media).sum(),
        };
        size_of::<Turn>() + prompt + attached
    });
    let tags = sample.tags.iter().map(|(key, value)| key.len() + value.len());
    let texts = [&sample.id, &sample.session, &sample.overrides].into_iter().flatten().map(String::len);
    size_of::<Sample>() + turns.chain(tags).chain(texts).sum::<usize>()
}

/// How many samples have an id that one before them has.
fn repeated_ids(samples: &[Sample]) -> usize {
    let ids: Vec<&str> = samples.iter().filter_map(|sample| sample.id.as_deref()).collect();
    ids.len() - ids.iter().collect::<HashSet<_>>().len()
}
