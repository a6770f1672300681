//! The role `dataset`: what to ask.

use std::cell::RefCell;
use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::bindings::dataset as wit;
pub use crate::bindings::dataset::{Grant, OpenArgs, Skip, Summary, Twister};
use crate::description::{Offer, Role, offer, read_config};
use crate::{Compat, Error, Result, Sample};

/// A source of samples. Called before the clock starts, on a thread of its own.
///
/// ```
/// use vbench_plugin::prelude::*;
///
/// #[derive(Deserialize, JsonSchema)]
/// #[serde(deny_unknown_fields)]
/// struct Config {
///     /// What to ask.
///     prompt: String,
///     /// Longest answer, in tokens.
///     #[serde(default = "eight")]
///     output_len: i64,
/// }
///
/// fn eight() -> i64 {
///     8
/// }
///
/// struct Echo {
///     config: Config,
///     left: i64,
/// }
///
/// impl Dataset for Echo {
///     type Config = Config;
///     const NAME: &'static str = "echo";
///     const SUMMARY: &'static str = "Asks the same thing again and again.";
///
///     fn open(cx: &DatasetContext, config: Config) -> Result<Self> {
///         Ok(Self { config, left: cx.count })
///     }
///
///     fn next(&mut self) -> Result<Option<Sample>> {
///         if self.left <= 0 {
///             return Ok(None);
///         }
///         self.left -= 1;
///         Ok(Some(Sample::new(Turn::text(&self.config.prompt, 1, self.config.output_len))))
///     }
/// }
///
/// let args = testing::DatasetArgs { count: 2, ..Default::default() };
/// let run = testing::run_dataset::<Echo>(r#"{"prompt": "hi"}"#, args).unwrap();
/// assert_eq!(run.samples.len(), 2);
/// ```
pub trait Dataset: Sized + 'static {
    /// The options. Each field becomes a flag, its doc comment the help.
    type Config: DeserializeOwned + JsonSchema;
    /// What the user writes after `--dataset-name`.
    const NAME: &'static str;
    /// Other names for the same thing.
    const ALIASES: &'static [&'static str] = &[];
    /// One sentence for lists and help.
    const SUMMARY: &'static str;

    /// Checks the options and prepares; a wrong option is an error here.
    fn open(cx: &DatasetContext, config: Self::Config) -> Result<Self>;

    /// The next sample in the order of dispatch; none when there are no more.
    fn next(&mut self) -> Result<Option<Sample>>;

    /// The next samples, at most `max`; none when there are no more. Override it
    /// where many are cheaper than one by one, as wherever tokens are counted.
    fn next_batch(&mut self, max: usize) -> Result<Vec<Sample>> {
        let mut samples = Vec::new();
        while samples.len() < max {
            match self.next()? {
                Some(sample) => samples.push(sample),
                None => break,
            }
        }
        Ok(samples)
    }

    /// What the host needs to know when all samples are out.
    fn finish(&mut self) -> Result<Summary> {
        Ok(Summary::default())
    }
}

/// What a run wants of a dataset.
#[derive(Debug, Clone)]
pub struct DatasetContext {
    /// The name, or alias, by which the user chose the dataset.
    pub name: String,
    /// `--seed`.
    pub seed: u64,
    /// `--num-prompts`: how many samples are wanted. Some datasets read 0 and
    /// less as all rows.
    pub count: i64,
    /// Request ids are this and a number (`--request-id-prefix`).
    pub request_id_prefix: String,
    /// Name of the backend that will write the samples. See
    /// [`Self::server_applies_chat_template`].
    pub backend: String,
    /// Whose rules hold.
    pub compat: Compat,
    /// The files the plugin may read.
    pub grants: Vec<Grant>,
}

impl DatasetContext {
    /// Whether the backend's server turns chats into prompts itself, so that a
    /// prompt that is written with a chat template gets it twice. Only built-in
    /// backends are known.
    pub fn server_applies_chat_template(&self) -> bool {
        ["openai-chat", "openai-responses", "anthropic-messages", "ollama"].contains(&self.backend.as_str())
    }

    fn new(args: &OpenArgs) -> Result<Self> {
        Ok(Self {
            name: args.name.clone(),
            seed: args.seed,
            count: args.count,
            request_id_prefix: args.request_id_prefix.clone(),
            backend: args.backend.clone(),
            compat: Compat::from_name(&args.compat)?,
            grants: args.grants.clone(),
        })
    }

    /// The request id with this number.
    pub fn request_id(&self, number: impl std::fmt::Display) -> String {
        format!("{}{number}", self.request_id_prefix)
    }

    /// Where the file of a `path` option is for the plugin; none if the option
    /// was not given.
    pub fn path(&self, config_key: &str) -> Option<&str> {
        let of_key = |grant: &&Grant| grant.config_key == config_key;
        self.grants.iter().find(of_key).map(|grant| grant.guest_path.as_str())
    }
}

#[expect(clippy::derivable_impls, reason = "the type is generated")]
impl Default for Summary {
    fn default() -> Self {
        Self { python_random: None, numpy_random: None, skipped: Vec::new() }
    }
}

/// A dataset behind which the type is forgotten.
#[doc(hidden)]
pub trait AnyDataset {
    /// See [`Dataset::next_batch`].
    fn next_batch(&mut self, max: usize) -> Result<Vec<Sample>>;
    /// See [`Dataset::finish`].
    fn finish(&mut self) -> Result<Summary>;
}

impl<D: Dataset> AnyDataset for D {
    fn next_batch(&mut self, max: usize) -> Result<Vec<Sample>> {
        Dataset::next_batch(self, max)
    }

    fn finish(&mut self) -> Result<Summary> {
        Dataset::finish(self)
    }
}

/// The datasets of a plugin, implemented by [`export!`](crate::export).
#[doc(hidden)]
pub trait Datasets: 'static {
    /// Opens the one with the name asked for.
    fn open(args: &OpenArgs) -> Result<Box<dyn AnyDataset>>;
}

#[doc(hidden)]
pub fn dataset_offer<D: Dataset>() -> Offer {
    offer::<D::Config>(Role::Dataset, D::NAME, D::ALIASES, D::SUMMARY)
}

#[doc(hidden)]
pub fn is_dataset<D: Dataset>(name: &str) -> bool {
    name == D::NAME || D::ALIASES.contains(&name)
}

/// Opens a dataset from what the host passes.
#[doc(hidden)]
pub fn open_dataset<D: Dataset>(args: &OpenArgs) -> Result<D> {
    D::open(&DatasetContext::new(args)?, read_config(&args.config)?)
}

/// The error for a name that the plugin does not offer.
#[doc(hidden)]
pub fn no_such_offer(role: &str, name: &str) -> Error {
    Error::internal(format!("this plugin offers no {role} `{name}`"))
}

/// What the component exports as `source`.
#[doc(hidden)]
pub struct Source<P>(RefCell<Box<dyn AnyDataset>>, PhantomData<P>);

impl<P: Datasets> wit::GuestSource for Source<P> {
    fn open(args: OpenArgs) -> Result<wit::Source> {
        Ok(wit::Source::new(Self(RefCell::new(P::open(&args)?), PhantomData)))
    }

    fn next(&self, max: u32) -> Result<Vec<Sample>> {
        self.0.borrow_mut().next_batch(max as usize)
    }

    fn finish(&self) -> Result<Summary> {
        self.0.borrow_mut().finish()
    }
}
