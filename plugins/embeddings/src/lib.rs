//! Backends that turn prompts into embeddings: `openai-embeddings` with texts
//! or tokens, three that send chat messages (`-chat`, `-clip`, `-vlm2vec`), and
//! those of Infinity servers.
//!
//! Fields, their order and the rules by which prompts are rewritten are those of
//! the reference client, vLLM 0.33. Outside of its rules media that a request
//! would leave out are refused, as is what makes the reference client stop in
//! the middle of a run.

mod chat;
mod infinity;
mod input;

use vbench_plugin::prelude::*;

pub use chat::{ChatEmbeddings, ClipEmbeddings, Vlm2VecEmbeddings};
pub use infinity::{InfinityClipEmbeddings, InfinityEmbeddings};
pub use input::Embeddings;

vbench_plugin::export! {
    backends: [
        Embeddings,
        ChatEmbeddings,
        ClipEmbeddings,
        Vlm2VecEmbeddings,
        InfinityEmbeddings,
        InfinityClipEmbeddings,
    ]
}

/// Options of the backends, which have none.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// Checks that the path is one of embeddings; `usual` is the one without `--endpoint`.
fn path(cx: &BackendContext, api: &str, usual: &str) -> Result<String> {
    let path = cx.endpoint.as_deref().unwrap_or(usual);
    vbench_plugin::openai::check_suffix(path, api, &["embeddings"])?;
    Ok(path.into())
}

/// Refuses several turns, which no embeddings request can hold.
fn one_turn(request: &RequestIn) -> Result<()> {
    if request.history.is_empty() {
        return Ok(());
    }
    Err(Error::unsupported("the sample has several turns, which an embeddings request cannot carry"))
}
