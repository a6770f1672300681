//! The backends `vllm-pooling` and `vllm-rerank`: vLLM's endpoint for any
//! pooling model, and its endpoint for ranking documents by a query.
//!
//! Fields and their order are those of the reference client, vLLM 0.33. As
//! there, a rerank request takes nothing from `--extra-body`; outside of the
//! reference client's rules giving it is an error rather than without effect.

mod pooling;
mod rerank;

use vbench_plugin::prelude::*;

pub use pooling::AnyPooling;
pub use rerank::Rerank;

vbench_plugin::export! { backends: [AnyPooling, Rerank] }

/// Refuses what neither request can hold. The reference client leaves media out.
fn check(request: &RequestIn, compat: Compat) -> Result<()> {
    if !request.history.is_empty() {
        return Err(Error::unsupported("the sample has several turns, which a pooling request cannot carry"));
    }
    if !compat.is_reference() && !request.turn.attachments.as_slice().is_empty() {
        return Err(Error::unsupported(
            "the sample has media, which this backend cannot carry; use openai-embeddings-chat",
        ));
    }
    Ok(())
}
