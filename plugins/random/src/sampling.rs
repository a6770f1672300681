//! The option `--sampling`.

use vbench_plugin::prelude::*;

/// Which streams the tokens come from that make up a prompt's length.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// One for all, as in the reference client: what a prompt draws depends on
    /// all prompts before it.
    #[default]
    Serial,
    /// One for each prompt: prompts depend on nothing but the seed and their
    /// place, so they are made on all cores at once.
    Parallel,
}
