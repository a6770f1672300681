//! What a run sends and when: everything that is decided before anything is sent.

use anyhow::anyhow;
use vbench_random::PythonRandom;

use super::sampling::Sampled;
use super::screen::Screen;
use crate::cli::ServePlan;
use crate::cli::plan::{LoadPlan, LoraPlan};
use crate::fault::Fault;
use crate::plugin::Identity;
use crate::plugin::contract::{Prompt, Sample, Skip};
use crate::schedule::{Arrivals, Pace, arrivals, assign_lora};
use crate::tokenizer::Tokenizer;

/// What a run sends and when.
pub struct Workload {
    /// In dispatch order; at least one.
    pub samples: Vec<Sample>,
    /// Model or adapter name of each.
    pub models: Vec<String>,
    /// When each is due.
    pub schedule: Arrivals,
    /// The dataset's own times hold, not those of a rate.
    pub self_timed: bool,
    /// Which plugin made the samples.
    pub dataset: Identity,
    /// Rows that it passed over.
    pub skipped: Vec<Skip>,
}

impl Workload {
    /// Sets the times and the names of requests for `model`, drawing on from
    /// where the dataset stopped.
    ///
    /// # Errors
    /// When the plan asks for times that the dataset does not have, or for a
    /// rate at which nothing is ever due.
    pub fn new(plan: &ServePlan, sampled: Sampled, model: &str, screen: &Screen) -> Result<Self, Fault> {
        let Sampled { samples, mut python_random, mut numpy_random, identity, skipped } = sampled;
        let count = samples.len();
        let timestamps_s = own_times(plan, &samples)?;
        let self_timed = timestamps_s.is_some();
        if self_timed && (plan.load.request_rate.is_finite() || plan.load.ramp_up.is_some()) {
            screen.warn("the dataset replays its own arrival times, so the rate asked for has no effect");
        }
        let pace =
            timestamps_s.map_or_else(|| pace(&plan.load), |timestamps_s| Pace::SelfTimed { timestamps_s });
        if let Some(header) = &plan.target.session_header
            && samples.iter().all(|sample| sample.session.is_none())
        {
            screen.warn(format!(
                "--session-header {header} has no effect: no sample of dataset `{}` has a session",
                plan.dataset.name
            ));
        }
        let schedule = arrivals(&pace, count, &mut numpy_random).map_err(Fault::user)?;
        let models = model_names(plan.backend.lora.as_ref(), model, count, &mut python_random)?;
        Ok(Self { samples, models, schedule, self_timed, dataset: identity, skipped })
    }
}

/// The arrival times of the samples, as far as they hold.
fn own_times(plan: &ServePlan, samples: &[Sample]) -> Result<Option<Vec<Option<f64>>>, Fault> {
    let timed = samples.iter().any(|sample| sample.arrival_s.is_some());
    if !timed && plan.load.self_timed.is_some() {
        return Err(Fault::user(anyhow!(
            "--self-timed and --no-self-timed are for datasets with arrival times of their own, such as \
             timed_trace; `{}` has none",
            plan.dataset.name
        )));
    }
    let holds = timed && plan.load.self_timed != Some(false);
    Ok(holds.then(|| samples.iter().map(|sample| sample.arrival_s).collect()))
}

fn pace(load: &LoadPlan) -> Pace {
    match load.ramp_up {
        Some(ramp) => Pace::RampUp { ramp, burstiness: load.burstiness },
        None => Pace::Constant { rate_rps: load.request_rate, burstiness: load.burstiness },
    }
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

/// Puts token ids in the place of texts: those that a server with the same
/// tokenizer makes of the text of a completion, special tokens included. Their
/// number becomes the prompt's length.
///
/// # Errors
/// When a prompt is no text, or the tokenizer cannot read it.
pub fn to_token_ids(samples: &mut [Sample], tokenizer: &Tokenizer) -> Result<(), Fault> {
    /// Texts that are cut into tokens in one go, over all cores.
    const BATCH: usize = 1024;
    for batch in samples.chunks_mut(BATCH) {
        let mut texts: Vec<&str> = Vec::new();
        for sample in batch.iter() {
            for turn in &sample.turns {
                match &turn.prompt {
                    Prompt::Text(text) => texts.push(text),
                    Prompt::Texts(several) => texts.extend(several.iter().map(String::as_str)),
                    Prompt::TokenIds(_) | Prompt::TokenIdLists(_) => {}
                    Prompt::Messages(_) | Prompt::Parts(_) | Prompt::Object(_) => {
                        return Err(Fault::user(anyhow!(
                            "--prompt-token-ids is for prompts of text, but the dataset gave {}",
                            if matches!(turn.prompt, Prompt::Object(_)) { "an object" } else { "a chat" }
                        )));
                    }
                }
            }
        }
        let lists = tokenizer.encode(&texts, true).map_err(Fault::user)?;
        let mut lists = lists.sequences().map(<[u32]>::to_vec);
        for turn in batch.iter_mut().flat_map(|sample| &mut sample.turns) {
            let prompt = match &turn.prompt {
                Prompt::Text(_) => Prompt::TokenIds(lists.next().unwrap_or_default()),
                Prompt::Texts(several) => Prompt::TokenIdLists(lists.by_ref().take(several.len()).collect()),
                _ => continue,
            };
            turn.prompt_tokens = match &prompt {
                Prompt::TokenIdLists(lists) => lists.iter().map(|ids| ids.len() as u64).sum(),
                Prompt::TokenIds(ids) => ids.len() as u64,
                _ => turn.prompt_tokens,
            };
            turn.prompt = prompt;
        }
    }
    Ok(())
}
