//! Embeddings, scores and rankings: one body, no tokens.

use serde_json::{Value, json};

use super::{About, Counts, Pooled, Sink, Tokens, Writer, error_json};

/// Answers of pooling endpoints.
pub(super) struct Pooling {
    kind: Pooled,
    id: String,
    created: i64,
    model: String,
    inputs: u64,
}

/// Numbers of a vector.
const DIMENSIONS: usize = 8;

impl Pooling {
    pub(super) fn new(kind: Pooled, about: &About<'_>) -> Self {
        let prefix = match kind {
            Pooled::Embeddings => "embd",
            Pooled::Pooling => "pool",
            Pooled::Rerank => "rerank",
            Pooled::Score => "score",
        };
        Self {
            kind,
            id: about.id(prefix),
            created: about.created,
            model: about.model.to_owned(),
            inputs: about.inputs,
        }
    }

    fn item(&self, index: u64) -> Value {
        let vector = || (0..DIMENSIONS).map(|d| (index as f64 + d as f64) / 16.0).collect::<Vec<_>>();
        match self.kind {
            Pooled::Embeddings => json!({"index": index, "object": "embedding", "embedding": vector()}),
            Pooled::Pooling => json!({"index": index, "object": "pooling", "data": vector()}),
            Pooled::Rerank => json!({"index": index, "relevance_score": 1.0 / (index + 1) as f64}),
            Pooled::Score => json!({"index": index, "object": "score", "score": 1.0 / (index + 1) as f64}),
        }
    }
}

impl Writer for Pooling {
    // There is no stream of it: whoever asks for one gets the whole.
    fn tokens(&mut self, _sink: &mut Sink<'_>, _tokens: &Tokens<'_>, _counts: &Counts) {}

    fn error(&mut self, sink: &mut Sink<'_>, message: &str) {
        sink.event(&[error_json(500, message).as_bytes()]);
    }

    fn whole(&self, counts: &Counts) -> Vec<u8> {
        let items: Vec<Value> = (0..self.inputs).map(|index| self.item(index)).collect();
        let usage = json!({"prompt_tokens": counts.prompt, "total_tokens": counts.prompt});
        let body = match self.kind {
            Pooled::Rerank => json!({"id": self.id, "model": self.model, "usage": usage, "results": items}),
            _ => json!({"id": self.id, "object": "list", "created": self.created, "model": self.model,
                "data": items, "usage": usage}),
        };
        body.to_string().into_bytes()
    }
}
