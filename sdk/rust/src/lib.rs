//! What authors of vbench plugins use.
//!
//! A plugin answers one or more of three questions: *what to ask*
//! ([`Dataset`]), *how it is written and read on the wire* ([`Backend`]), *was it
//! good enough* ([`Criterion`]). Implement the trait on a type of yours, name
//! the type in [`export!`], and build the crate for `wasm32-wasip2`:
//!
//! ```toml
//! [package]
//! name = "vbench-plugin-traces"
//! version = "1.0.0"
//! edition = "2024"
//! description = "Replays our traces."
//!
//! [lib]
//! crate-type = ["cdylib", "rlib"]
//!
//! [dependencies]
//! schemars = { version = "1", default-features = false, features = ["derive", "std"] }
//! serde = { version = "1", features = ["derive"] }
//! vbench-plugin = "0.1"
//! ```
//!
//! Options are a struct with `serde` and `schemars` derives: a field `input_len`
//! of dataset `traces` becomes the flag `--traces-input-len`, its doc comment
//! the help, its `serde` default the default. Tests are plain `cargo test`:
//! [`testing`] stands in for the host.

#[doc(hidden)]
pub mod bindings;

pub mod backend;
mod compat;
pub mod criterion;
pub mod dataset;
pub mod description;
mod error;
mod export;
pub mod header;
pub mod limit;
pub mod log;
pub mod media;
pub mod openai;
pub mod options;
pub mod plan;
pub mod rules;
pub mod sample;
pub mod sampling;
pub mod table;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod tokenizer;

/// The generators whose draws the reference client's prompts depend on.
pub use vbench_random as generators;

pub use backend::{Backend, BackendContext};
pub use compat::Compat;
pub use criterion::{Criterion, CriterionContext, Run};
pub use dataset::{Dataset, DatasetContext};
pub use error::{Cause, Error, Location, Result};
pub use sample::Sample;

/// What most plugins need, to be imported with `*`.
pub mod prelude {
    pub use crate::backend::{
        Backend, BackendContext, Endpoint, Framing, Header, Parsed, Plan, RequestIn, RequestOut, Response,
        Task, TokenEvent, TokenKind, Usage,
    };
    pub use crate::criterion::{Criterion, CriterionContext, Finding, Run, Verdict};
    pub use crate::dataset::{Dataset, DatasetContext, Summary};
    pub use crate::sample::{Attachments, Media, MediaKind, Prompt, Sample, Turn};
    #[cfg(not(target_arch = "wasm32"))]
    pub use crate::testing;
    pub use crate::{Compat, Error, Location, Result};
    pub use schemars::JsonSchema;
    pub use serde::Deserialize;
}
