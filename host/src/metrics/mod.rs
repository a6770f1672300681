//! From what happened to numbers.
//!
//! [`series`] turns the records of a run into one value a request by the rules
//! of the reference client; [`summary`] and [`latency`] aggregate these values
//! exactly as it does; [`peaks`] has its peak figures beside exact ones.
//! [`extensions`] holds what vbench reports on top, [`groups`] figures by the
//! labels of samples, [`histogram`] the recorders behind it, [`token_kinds`]
//! what tokens are part of, [`server_counters`] what the server says of itself. [`stats`] is
//! the arithmetic below all of them.
//!
//! Depends on `record` and `clock` only. Nothing here prints, reads a clock or
//! touches a file; everything is linear in the number of token events, or
//! n log n where a percentile needs sorted values.

pub mod extensions;
pub mod groups;
pub mod histogram;
pub mod latency;
pub mod peaks;
pub mod probe;
pub mod series;
pub mod server_counters;
pub mod stats;
pub mod summary;
pub mod token_kinds;

pub use extensions::{ClientReport, ExtensionInput, Extensions, LagReport};
pub use histogram::TokenHistograms;
pub use latency::{LatencyMetric, LatencyStatistics, UnknownMetric};
pub use probe::ProbeSummary;
pub use series::Series;
pub use server_counters::{DiffusionDecoding, PrefixCache, ServerCounters, SpeculativeDecoding};
pub use summary::{MetricOptions, Summary};
pub use token_kinds::{KindReport, name as kind_name, token_kinds};
