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

use vbench_plugin::openai::{self, Payload, Pooling};
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

/// What the backends for vLLM's servers have in common: the body, and how it is
/// answered.
struct Embedder {
    path: String,
    payload: Payload,
    pooling: Pooling,
    compat: Compat,
}

impl Embedder {
    /// With the prompt in the field `slot`.
    fn open(cx: &BackendContext, slot: &str) -> Result<Self> {
        let payload = Payload::new()
            .slot("model")
            .slot(slot)
            .fixed("truncate_prompt_tokens", &-1)?
            .merge_user_fields(cx)?;
        Ok(Self {
            path: path(cx, "OpenAI Embeddings API", "/v1/embeddings")?,
            payload,
            pooling: Pooling::new(cx),
            compat: cx.compat,
        })
    }

    fn endpoint(&self) -> Endpoint {
        self.pooling.endpoint(&self.path)
    }

    /// Writes a request that counts as so many inputs; `write_slot` writes the
    /// prompt, `capacity` is a guess at its length.
    fn build(
        &self,
        request: &RequestIn,
        capacity: usize,
        input_sequences: u32,
        write_slot: impl Fn(&mut Vec<u8>) -> Result<()>,
    ) -> Result<RequestOut> {
        one_turn(request)?;
        let overrides = request.overrides.as_deref();
        let body = self.payload.write(capacity, overrides, |key, out| match key {
            "model" => openai::write_json(out, request.model.as_str()),
            _ => write_slot(out),
        })?;
        self.pooling.request(body, overrides, input_sequences)
    }

    fn parse(&self, response: &Response) -> Parsed {
        self.pooling.parse(response)
    }
}

/// Checks that the path is one of embeddings; `usual` is the one without `--endpoint`.
fn path(cx: &BackendContext, api: &str, usual: &str) -> Result<String> {
    let path = cx.endpoint.as_deref().unwrap_or(usual);
    openai::check_suffix(path, api, &["embeddings"])?;
    Ok(path.into())
}

/// Refuses several turns, which no embeddings request can hold.
fn one_turn(request: &RequestIn) -> Result<()> {
    if request.history.is_empty() {
        return Ok(());
    }
    Err(Error::unsupported("the sample has several turns, which an embeddings request cannot carry"))
}
