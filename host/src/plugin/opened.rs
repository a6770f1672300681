//! Opened datasets, backends and criteria, and the one trait that a contract
//! version implements to make them.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::contract::{
    BackendArgs, CriterionArgs, DatasetArgs, Description, Endpoint, Json, Parsed, RequestIn, RequestOut,
    Response, Role, Sample, Summary, Verdict,
};
use super::cost::Ledger;
use super::error::PluginError;
use super::limits::Limits;
use super::services::{LogSink, RunView, Services};

/// Which plugin an opened thing comes from and how it was opened; kept in results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// Name of the plugin.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// Version of the contract it was built for.
    pub api_version: String,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
    /// Where the file came from.
    pub source: Source,
    /// What was opened.
    pub role: Role,
    /// Name of the offer, whatever alias it was chosen by.
    pub offer: String,
    /// JSON object of the options it was opened with.
    pub config: Json,
    /// Directories and files it could read.
    pub grants: Vec<PathBuf>,
}

/// Where a plugin comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// It is part of this binary.
    BuiltIn,
    /// It is a file that the user named.
    File(PathBuf),
    /// It was fetched: the address, with the digest of what came from there.
    Remote(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Remote(address) => f.write_str(address),
        }
    }
}

/// An opened dataset. Calls block; keep it on a thread of its own. After a
/// fault it is dead and every call fails.
pub trait DatasetSource: Send {
    /// The next samples, at most `max`; none means that there are no more.
    fn next(&mut self, max: u32) -> Result<Vec<Sample>, PluginError>;
    /// What there is to know when all samples are out; to be called once.
    fn finish(&mut self) -> Result<Summary, PluginError>;
    /// Which plugin it is.
    fn identity(&self) -> &Identity;
}

/// An opened backend. Calls block; one instance a thread. After a fault the
/// next call opens a fresh instance; what the faulty call held is lost.
pub trait BackendClient: Send {
    /// Where and how requests go out.
    fn endpoint(&mut self) -> Result<Endpoint, PluginError>;
    /// Writes requests; as many come back, in the same order.
    fn build(&mut self, requests: Vec<RequestIn>) -> Result<Vec<RequestOut>, PluginError>;
    /// Reads one finished response.
    fn parse(&mut self, response: Response) -> Result<Parsed, PluginError>;
    /// How many instances have died so far.
    fn faults(&self) -> u32;
    /// Which plugin it is.
    fn identity(&self) -> &Identity;
}

/// An opened criterion. Calls block. After a fault it is dead.
pub trait Criterion: Send {
    /// For each request whether it was good; none if it judges runs only.
    fn good(&mut self, run: &Arc<dyn RunView>) -> Result<Option<Vec<bool>>, PluginError>;
    /// The verdict over repeated runs of one setting, at least one.
    fn evaluate(&mut self, runs: &[Arc<dyn RunView>]) -> Result<Verdict, PluginError>;
    /// What to make as large as possible while the criterion passes; finite.
    fn objective(&mut self, run: &Arc<dyn RunView>) -> Result<f64, PluginError>;
    /// Which plugin it is.
    fn identity(&self) -> &Identity;
}

/// What every instance of a plugin shares.
#[derive(Clone)]
pub(crate) struct Surroundings {
    /// What the plugin is called in messages.
    pub(crate) label: Arc<str>,
    pub(crate) limits: Limits,
    pub(crate) log: Arc<dyn LogSink>,
    pub(crate) ledger: Arc<Ledger>,
}

/// A compiled plugin of some contract version. The only thing that a version
/// has to provide.
pub(crate) trait Prepared: Send + Sync {
    /// The plugin's account of itself, checked.
    fn describe(&self, around: &Surroundings) -> Result<Description, PluginError>;

    fn open_dataset(
        &self,
        around: &Surroundings,
        identity: Identity,
        chosen_name: &str,
        args: DatasetArgs,
        services: Services,
    ) -> Result<Box<dyn DatasetSource>, PluginError>;

    fn open_backend(
        &self,
        around: &Surroundings,
        identity: Identity,
        chosen_name: &str,
        args: BackendArgs,
    ) -> Result<Box<dyn BackendClient>, PluginError>;

    fn open_criterion(
        &self,
        around: &Surroundings,
        identity: Identity,
        chosen_name: &str,
        args: CriterionArgs,
    ) -> Result<Box<dyn Criterion>, PluginError>;
}
