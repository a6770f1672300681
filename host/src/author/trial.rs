//! A small run of one offer of a plugin: every call is made, nothing is sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;

use super::made_up_run::made_up_run;
use crate::cli::{self, Compat, OfferSpec, ServePlan};
use crate::extract::plan::ReadyPlan;
use crate::fault::Fault;
use crate::media::Store;
use crate::plugin::contract::{
    Attachments, Body, Cause, CriterionArgs, Endpoint, Offer, Prompt, RequestIn, RequestOut, Response, Role,
    Sample, Turn,
};
use crate::plugin::services::RunView;
use crate::plugin::{ErrorKind, PluginError, Plugins};
use crate::plugins;
use crate::run::{self, Screen};
use crate::tokenizer::{Hub, Mode, Tokenizer};
use vbench_synthetic::{MergeForm, Shape, write_folder};

/// Backends that a dataset is tried with, in this order.
const BACKENDS: [&str; 3] = ["openai", "openai-chat", "vllm-rerank"];
/// Datasets that a backend is tried with, in this order.
const DATASETS: [&str; 2] = ["random", "random-rerank"];

/// What came of a trial.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Trial {
    /// What the dataset drew, or what the backend was given.
    pub(super) samples: Vec<Sample>,
    /// What the backend wrote.
    pub(super) requests: Vec<RequestOut>,
    /// What else the plugin answered, as text.
    pub(super) answers: Vec<String>,
    /// Bytes that went across, by call.
    pub(super) bytes: BTreeMap<&'static str, u64>,
}

/// Tries offers out.
pub(super) struct Bench<'a> {
    /// The plugins, the one to try among them.
    pub(super) plugins: &'a Plugins,
    /// What the command line knows of them.
    pub(super) offers: Vec<OfferSpec>,
    /// Flags of `vbench serve`.
    pub(super) flags: &'a [String],
    /// How many samples.
    pub(super) count: u32,
    /// Shows what goes on.
    pub(super) screen: &'a Screen,
    tokenizer: Option<Arc<Tokenizer>>,
    /// The media of the samples drawn last.
    pub(super) media: Arc<Store>,
}

impl<'a> Bench<'a> {
    /// Makes ready. Unless the flags name a model or a tokenizer, a small one
    /// with a chat template is made up, which is the same everywhere.
    ///
    /// # Errors
    /// When the tokenizer cannot be loaded.
    pub(super) fn new(
        plugins: &'a Plugins,
        flags: &'a [String],
        count: u32,
        screen: &'a Screen,
    ) -> Result<Self, Fault> {
        let offers = plugins::offer_specs(plugins);
        let mut this = Self { plugins, offers, flags, count, screen, tokenizer: None, media: Arc::default() };
        this.tokenizer = if names_tokenizer(flags) {
            load_tokenizer(&this.plan(&[])?)?
        } else {
            Some(Arc::new(made_up_tokenizer()?))
        };
        Ok(this)
    }

    /// Makes every call of an offer.
    ///
    /// # Errors
    /// Its first failure, or that its options are wrong or missing.
    pub(super) fn run(&self, offer: &Offer) -> Result<Trial, Fault> {
        match offer.role {
            Role::Dataset => self.dataset(&offer.name),
            Role::Backend => self.backend(&offer.name),
            Role::Sla => self.criterion(&offer.name),
        }
    }

    /// The plan of these flags and the user's.
    pub(super) fn plan(&self, words: &[&str]) -> Result<ServePlan, Fault> {
        let count = self.count.to_string();
        let mut all: Vec<String> =
            ["--model", "model", "--num-prompts", &count, "--request-id-prefix", "trial-", "--disable-tqdm"]
                .into_iter()
                .chain(words.iter().copied())
                .map(str::to_owned)
                .collect();
        all.extend(self.flags.iter().cloned());
        Ok(cli::serve_plan(&all, &self.offers)?)
    }

    /// Draws the samples of a plan.
    pub(super) fn sample(&self, plan: &ServePlan) -> Result<Vec<Sample>, Fault> {
        Ok(run::sample(plan, self.plugins, self.tokenizer.as_ref(), &self.media, self.screen)?.samples)
    }

    fn dataset(&self, name: &str) -> Result<Trial, Fault> {
        let mut last = None;
        for backend in self.choices(Role::Backend, "--backend", &BACKENDS) {
            let plan = self.plan(&["--dataset-name", name, "--backend", backend])?;
            match self.sample(&plan).and_then(|samples| self.write(&plan, samples)) {
                Err(fault) if is_unsupported(&fault) => last = Some(fault),
                result => return result.map(|(trial, _)| trial),
            }
        }
        Err(last.unwrap_or_else(|| Fault::user(anyhow!("there is no backend to try dataset `{name}` with"))))
    }

    fn backend(&self, name: &str) -> Result<Trial, Fault> {
        let mut last = None;
        for dataset in self.choices(Role::Dataset, "--dataset-name", &DATASETS) {
            let plan = self.plan(&["--dataset-name", dataset, "--backend", name])?;
            match self.write(&plan, self.sample(&plan)?) {
                Err(fault) if is_unsupported(&fault) => last = Some(fault),
                Err(fault) => return Err(fault),
                Ok((mut trial, endpoint)) => {
                    self.read(&plan, &endpoint, &mut trial)?;
                    return Ok(trial);
                }
            }
        }
        Err(last.unwrap_or_else(|| Fault::user(anyhow!("there is no dataset to try backend `{name}` with"))))
    }

    /// Has the plan's backend write samples.
    fn write(&self, plan: &ServePlan, samples: Vec<Sample>) -> Result<(Trial, Endpoint), Fault> {
        let mut client = self.plugins.open_backend(&plan.backend.name, run::backend_args(plan, false))?;
        let endpoint = client.endpoint()?;
        let inputs: Vec<RequestIn> =
            samples.iter().filter_map(|sample| run::request_of(sample.clone(), "model")).collect();
        let mut trial = Trial::default();
        trial.bytes.insert("dataset.next", samples.iter().map(sample_bytes).sum());
        trial.answers.push(format!("{endpoint:?}"));
        for batch in inputs.chunks(64) {
            trial.requests.extend(client.build(batch.to_vec())?);
        }
        trial.bytes.insert("backend.build", trial.requests.iter().map(request_bytes).sum());
        trial.samples = samples;
        Ok((trial, endpoint))
    }

    /// Has a backend read answers: by its plan, or itself. What it says of
    /// answers that are none of its format is its own affair, but it has to
    /// come back from them.
    fn read(&self, plan: &ServePlan, endpoint: &Endpoint, trial: &mut Trial) -> Result<(), Fault> {
        if let Some(plan) = &endpoint.plan {
            ReadyPlan::new(plan);
            return Ok(());
        }
        let mut client = self.plugins.open_backend(&plan.backend.name, run::backend_args(plan, false))?;
        for (status, body) in
            [(200, &b"{}"[..]), (200, b""), (200, b"\xff\x00 not text"), (500, b"overloaded")]
        {
            let ends = if body.is_empty() { Vec::new() } else { vec![body.len() as u32] };
            let response =
                Response { status, headers: Vec::new(), body: body.to_vec(), ends, names: Vec::new() };
            *trial.bytes.entry("backend.parse").or_default() += body.len() as u64;
            match client.parse(response) {
                Ok(parsed) => trial.answers.push(format!("{parsed:?}")),
                Err(PluginError { kind: ErrorKind::Returned(error), .. }) => {
                    trial.answers.push(format!("{error:?}"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn criterion(&self, name: &str) -> Result<Trial, Fault> {
        let plan = self.plan(&["--sla", name])?;
        let sla = plan
            .sla
            .iter()
            .find(|sla| sla.name == name)
            .ok_or_else(|| Fault::user(anyhow!("criterion `{name}` was not chosen by its own name")))?;
        let args = CriterionArgs { config: sla.config.to_string(), compat: plan.compat.name().to_owned() };
        let mut criterion = self.plugins.open_criterion(name, args)?;
        let run: Arc<dyn RunView> = Arc::new(made_up_run());
        let mut trial = Trial::default();
        let mut answer = |result: Result<String, PluginError>| match result {
            Ok(text) => {
                trial.answers.push(text);
                Ok(())
            }
            // The user may have asked for a number that the run has not.
            Err(PluginError { kind: ErrorKind::Returned(error), .. }) if error.cause != Cause::Internal => {
                trial.answers.push(error.message);
                Ok(())
            }
            Err(error) => Err(Fault::from(error)),
        };
        answer(criterion.good(&run).map(|good| format!("{good:?}")))?;
        answer(
            criterion.evaluate(&[Arc::clone(&run), Arc::clone(&run)]).map(|verdict| format!("{verdict:?}")),
        )?;
        answer(criterion.objective(&run).map(|objective| format!("{objective:?}")))?;
        Ok(trial)
    }

    /// What to try one role with: the user's choice, else the usual ones that there are.
    fn choices<'c>(&'c self, role: Role, flag: &str, usual: &'c [&'c str]) -> Vec<&'c str> {
        let mut words = self.flags.iter();
        while let Some(word) = words.next() {
            match word.split_once('=') {
                Some((name, value)) if name == flag => return vec![value],
                None if word == flag => return words.next().map(|value| &**value).into_iter().collect(),
                _ => {}
            }
        }
        usual.iter().copied().filter(|name| self.plugins.offer(role, name).is_ok()).collect()
    }
}

/// Whether the flags say which tokenizer to use.
fn names_tokenizer(flags: &[String]) -> bool {
    ["--model", "--tokenizer", "--skip-tokenizer-init"]
        .iter()
        .any(|flag| flags.iter().any(|word| word == flag || word.starts_with(&format!("{flag}="))))
}

/// The tokenizer that a run with this plan has.
fn load_tokenizer(plan: &ServePlan) -> Result<Option<Arc<Tokenizer>>, Fault> {
    let name = plan.tokenizer.name.as_deref().or(plan.model.as_deref());
    let Some(name) = name.filter(|_| !plan.tokenizer.skip) else { return Ok(None) };
    let mode = Mode::parse(&plan.tokenizer.mode, plan.compat == Compat::V012).map_err(Fault::user)?;
    Tokenizer::load(name, mode, &Hub::from_env())
        .map(|tokenizer| Some(Arc::new(tokenizer)))
        .map_err(Fault::user)
}

fn made_up_tokenizer() -> Result<Tokenizer, Fault> {
    let shape = Shape { tokens: 2_000, merges: 3_000, form: MergeForm::Text, seed: 1 };
    let load = |dir: &Path| {
        write_folder(dir, shape)?;
        let mode = Mode::parse("auto", false)?;
        Ok::<_, anyhow::Error>(Tokenizer::load(&dir.display().to_string(), mode, &Hub::from_env())?)
    };
    let dir = tempfile::tempdir().map_err(Fault::user)?;
    load(dir.path()).map_err(Fault::user)
}

fn is_unsupported(fault: &Fault) -> bool {
    fault.error.chain().any(|cause| {
        cause.downcast_ref::<PluginError>().is_some_and(
            |error| matches!(&error.kind, ErrorKind::Returned(error) if error.cause == Cause::Unsupported),
        )
    })
}

fn sample_bytes(sample: &Sample) -> u64 {
    sample.turns.iter().map(turn_bytes).sum()
}

fn turn_bytes(turn: &Turn) -> u64 {
    let media = match &turn.attachments {
        Attachments::None => 0,
        Attachments::One(media) => media.url.len(),
        Attachments::Many(media) => media.iter().map(|media| media.url.len()).sum(),
    };
    let prompt = match &turn.prompt {
        Prompt::Text(text) | Prompt::Messages(text) | Prompt::Parts(text) | Prompt::Object(text) => {
            text.len()
        }
        Prompt::Texts(texts) => texts.iter().map(String::len).sum(),
        Prompt::TokenIds(ids) => ids.len() * 4,
        Prompt::TokenIdLists(lists) => lists.iter().map(|ids| ids.len() * 4).sum(),
    };
    (media + prompt) as u64
}

fn request_bytes(request: &RequestOut) -> u64 {
    match &request.body {
        Body::Bytes(bytes) => bytes.len() as u64,
        Body::Multipart(parts) => parts.iter().map(|part| part.name.len() as u64).sum(),
    }
}
