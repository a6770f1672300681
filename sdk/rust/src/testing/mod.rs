//! A stand-in for the host, so that a plugin's tests are plain `cargo test`.
//!
//! In native code the host's functions ([`tokenizer`](crate::tokenizer),
//! [`table`](crate::table), [`media`](crate::media), [`log`](crate::log)) go to
//! the [`Host`] of the thread: a tokenizer, tables and files in memory, the media
//! handed over, and a list of messages.
//! `Recorded…` holds a plugin against what another client did.

pub(crate) mod host;
mod recorded;
mod run_data;
mod tokenizer;

pub use host::{HeldMedium, Host, Message};
pub use recorded::{ChatMl, RecordedRequest, RecordedSample, RecordedStream};
pub use run_data::RunData;
pub use tokenizer::{ByteTokenizer, HostTokenizer};

use crate::backend::{Backend, Endpoint, Parsed, PastTurn, RequestIn, RequestOut, Response, open_backend};
use crate::criterion::{Criterion, Run, Verdict, open_criterion};
use crate::dataset::{Dataset, Grant, Summary, open_dataset};
use crate::sample::{Sample, Turn};
use crate::{Compat, Error, Result};

/// What a run wants of a dataset; the defaults are those of the command line,
/// but for 10 samples.
#[derive(Debug, Clone)]
pub struct DatasetArgs {
    /// `--seed`.
    pub seed: u64,
    /// `--num-prompts`.
    pub count: i64,
    /// `--request-id-prefix`.
    pub request_id_prefix: String,
    /// Name of the backend.
    pub backend: String,
    /// Whose rules hold.
    pub compat: Compat,
    /// The files the plugin may read.
    pub grants: Vec<Grant>,
}

impl Default for DatasetArgs {
    fn default() -> Self {
        Self {
            seed: 0,
            count: 10,
            request_id_prefix: "test-".into(),
            backend: "openai".into(),
            compat: Compat::Vbench,
            grants: Vec::new(),
        }
    }
}

impl DatasetArgs {
    /// What the reference client was asked with where its samples were recorded:
    /// its own rules, and request ids that begin with `g-`.
    pub fn recorded(seed: u64, count: i64) -> Self {
        Self { seed, count, request_id_prefix: "g-".into(), compat: Compat::V0_33, ..Self::default() }
    }
}

/// What came out of a dataset.
#[derive(Debug, Clone)]
pub struct DatasetRun {
    /// All samples in dispatch order.
    pub samples: Vec<Sample>,
    /// What the dataset said at the end.
    pub summary: Summary,
    /// What it logged.
    pub messages: Vec<Message>,
}

/// Runs a dataset to its end under the default host, which has a tokenizer of
/// bytes and no tables. `config` is the JSON object of the options, defaults
/// included as far as the type has them.
pub fn run_dataset<D: Dataset>(config: &str, args: DatasetArgs) -> Result<DatasetRun> {
    Host::new().run_dataset::<D>(config, args)
}

impl Host {
    /// Opens a dataset, to be asked page by page.
    pub fn open_dataset<D: Dataset>(&self, config: &str, args: DatasetArgs) -> Result<TestDataset<D>> {
        let args = crate::dataset::OpenArgs {
            name: D::NAME.into(),
            config: config.into(),
            seed: args.seed,
            count: args.count,
            request_id_prefix: args.request_id_prefix,
            backend: args.backend,
            compat: args.compat.name().into(),
            grants: args.grants,
        };
        let dataset = self.enter(|| open_dataset(&args))?;
        Ok(TestDataset { host: self.clone(), dataset })
    }

    /// Runs a dataset to its end. Fails, beside its own errors, when it yields
    /// more than it was asked for or a sample without turns.
    pub fn run_dataset<D: Dataset>(&self, config: &str, args: DatasetArgs) -> Result<DatasetRun> {
        // Small and odd, so that tests see several calls.
        const MAX: usize = 7;
        let mut dataset: TestDataset<D> = self.open_dataset(config, args)?;
        let mut samples: Vec<Sample> = Vec::new();
        loop {
            let batch = dataset.next(MAX)?;
            if batch.is_empty() {
                break;
            }
            samples.extend(batch);
        }
        Ok(DatasetRun { samples, summary: dataset.finish()?, messages: self.messages() })
    }
}

/// A dataset opened for a test.
pub struct TestDataset<D> {
    host: Host,
    dataset: D,
}

impl<D: Dataset> TestDataset<D> {
    /// The next samples, at most `max`; none when there are no more. Fails,
    /// beside its own errors, when it yields more than it was asked for or a
    /// sample without turns.
    pub fn next(&mut self, max: usize) -> Result<Vec<Sample>> {
        let Self { host, dataset } = self;
        let batch = host.enter(|| dataset.next_batch(max))?;
        if batch.len() > max || batch.iter().any(|sample| sample.turns.is_empty()) {
            return Err(Error::internal("more samples than asked for, or one without turns"));
        }
        Ok(batch)
    }

    /// What it says at the end.
    pub fn finish(&mut self) -> Result<Summary> {
        let Self { host, dataset } = self;
        host.enter(|| dataset.finish())
    }
}

/// What a run wants of a backend; the defaults are those of the command line.
#[derive(Debug, Clone)]
pub struct BackendArgs {
    /// `--endpoint`.
    pub endpoint: Option<String>,
    /// Sampling flags as a JSON object.
    pub sampling: String,
    /// `--extra-body`.
    pub extra_body: String,
    /// `--ignore-eos`.
    pub ignore_eos: bool,
    /// `--logprobs`.
    pub logprobs: Option<i64>,
    /// Whose rules hold.
    pub compat: Compat,
}

impl Default for BackendArgs {
    fn default() -> Self {
        Self {
            endpoint: None,
            sampling: "{}".into(),
            extra_body: "{}".into(),
            ignore_eos: false,
            logprobs: None,
            compat: Compat::Vbench,
        }
    }
}

/// A backend opened for a test.
pub struct TestBackend<B>(B);

impl<B: Backend> TestBackend<B> {
    /// Opens it with the options in `config`, a JSON object.
    pub fn open(config: &str, args: BackendArgs) -> Result<Self> {
        open_backend(&crate::backend::OpenArgs {
            name: B::NAME.into(),
            config: config.into(),
            endpoint: args.endpoint,
            sampling: args.sampling,
            extra_body: args.extra_body,
            ignore_eos: args.ignore_eos,
            logprobs: args.logprobs,
            compat: args.compat.name().into(),
        })
        .map(Self)
    }

    /// The endpoint.
    pub fn endpoint(&self) -> Result<Endpoint> {
        self.0.endpoint()
    }

    /// Writes one request.
    pub fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        self.0.build(request)
    }

    /// Reads a response by the extraction plan if there is one, else by
    /// [`Backend::parse`], as the host does.
    pub fn read(&self, response: &Response) -> Result<Parsed> {
        match self.0.endpoint()?.plan {
            Some(plan) => Ok(crate::plan::read(&plan, response)),
            None => self.0.parse(response),
        }
    }

    /// Reads a response by [`Backend::parse`].
    pub fn parse(&self, response: &Response) -> Result<Parsed> {
        self.0.parse(response)
    }
}

/// A request of one turn to the model `mock-model`.
pub fn request(turn: Turn) -> RequestIn {
    RequestIn { id: None, model: "mock-model".into(), history: Vec::<PastTurn>::new(), turn, overrides: None }
}

/// A criterion opened for a test.
pub struct TestCriterion<C>(C);

impl<C: Criterion> TestCriterion<C> {
    /// Opens it with the options in `config`, a JSON object.
    pub fn open(config: &str, compat: Compat) -> Result<Self> {
        open_criterion(&crate::criterion::OpenArgs {
            name: C::NAME.into(),
            config: config.into(),
            compat: compat.name().into(),
        })
        .map(Self)
    }

    /// For each request whether it was good.
    pub fn good(&self, run: &RunData) -> Result<Option<Vec<bool>>> {
        self.0.good(Run(run))
    }

    /// The verdict over repeated runs.
    pub fn evaluate(&self, runs: &[RunData]) -> Result<Verdict> {
        let runs: Vec<Run> = runs.iter().map(Run).collect();
        self.0.evaluate(&runs)
    }

    /// What to make as large as possible.
    pub fn objective(&self, run: &RunData) -> Result<f64> {
        self.0.objective(Run(run))
    }
}
