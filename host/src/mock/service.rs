//! Endpoints: what is answered at once, and what generates.

use serde_json::json;

use super::answer::Reply;
use super::api::Api;
use super::batch::Batch;
use super::body::{DetokenizeRequest, GenerationRequest, TokenizeRequest};
use super::counters::Counters;
use super::http::{Head, Refusal};
use super::prefix_cache::PrefixCache;
use super::prompt::Prompt;

/// What a request leads to.
pub(super) enum Action {
    /// This response.
    Reply(Reply),
    /// An answer that takes its time.
    Generate(GenerationRequest),
}

/// What the endpoints know.
pub(super) struct Service {
    pub(super) model: String,
    /// Seconds since 1970 at the start of the server, the `created` of everything.
    pub(super) created: i64,
    pub(super) counters: Counters,
    prefix_cache: PrefixCache,
}

impl Service {
    pub(super) fn new(model: String, created: i64) -> Self {
        Self { model, created, counters: Counters::default(), prefix_cache: PrefixCache::default() }
    }

    /// Decides what a complete request leads to.
    pub(super) fn respond(&mut self, head: &Head, body: &[u8], batch: &Batch) -> Action {
        self.route(head, body, batch)
            .unwrap_or_else(|refusal| Action::Reply(Reply::error(refusal.status, &refusal.message)))
    }

    fn route(&mut self, head: &Head, body: &[u8], batch: &Batch) -> Result<Action, Refusal> {
        let api = Api::of_path(&head.path);
        if let (Some(api), "POST") = (api, head.method.as_str()) {
            return GenerationRequest::parse(api, &head.path, body).map(Action::Generate);
        }
        let reply = match (head.method.as_str(), head.path.as_str()) {
            ("GET", "/health") => Reply::empty(),
            ("GET", "/v1/models") => self.models(),
            ("GET", "/metrics") => Reply {
                status: 200,
                content_type: "text/plain; version=0.0.4; charset=utf-8",
                body: self.counters.render(&self.model, batch.running(), batch.waiting()).into_bytes(),
            },
            ("POST", "/tokenize") => tokenize(body)?,
            ("POST", "/detokenize") => detokenize(body)?,
            ("POST", "/reset_prefix_cache") => {
                self.prefix_cache.reset();
                Reply::empty()
            }
            // There is nothing in these caches and nothing to profile: done at once.
            ("POST", "/reset_mm_cache" | "/reset_encoder_cache" | "/start_profile" | "/stop_profile") => {
                Reply::empty()
            }
            (method, path) if api.is_some() || KNOWN.contains(&path) => {
                return Err(Refusal::new(405, format!("method {method} not allowed for {path}")));
            }
            (_, path) => return Err(Refusal::new(404, format!("no such endpoint: {path}"))),
        };
        Ok(Action::Reply(reply))
    }

    fn models(&self) -> Reply {
        let model = json!({
            "id": self.model,
            "object": "model",
            "created": self.created,
            "owned_by": "vbench",
            "root": self.model,
            "parent": null,
        });
        Reply::json(200, json!({"object": "list", "data": [model]}).to_string())
    }

    /// A prompt enters the batch. Returns how many of its tokens were in the
    /// prefix cache.
    pub(super) fn prefill(&mut self, prompt: &Prompt) -> u64 {
        self.counters.prompt_tokens += prompt.tokens;
        self.counters.prefix_cache_queries += prompt.tokens;
        let hits = if self.prefix_cache.query(prompt.digest) { prompt.tokens } else { 0 };
        self.counters.prefix_cache_hits += hits;
        hits
    }
}

const KNOWN: [&str; 10] = [
    "/health",
    "/v1/models",
    "/metrics",
    "/tokenize",
    "/detokenize",
    "/reset_prefix_cache",
    "/reset_mm_cache",
    "/reset_encoder_cache",
    "/start_profile",
    "/stop_profile",
];

fn tokenize(body: &[u8]) -> Result<Reply, Refusal> {
    let request: TokenizeRequest = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad(format!("malformed request body: {error}")))?;
    let tokens: Vec<u32> = request.prompt.chars().map(u32::from).collect();
    Ok(Reply::json(200, json!({"count": tokens.len(), "tokens": tokens, "token_strs": null}).to_string()))
}

fn detokenize(body: &[u8]) -> Result<Reply, Refusal> {
    let request: DetokenizeRequest = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad(format!("malformed request body: {error}")))?;
    let prompt = request
        .tokens
        .iter()
        .map(|&id| {
            char::from_u32(id).ok_or_else(|| Refusal::bad(format!("token id {id} is out of vocabulary")))
        })
        .collect::<Result<String, _>>()?;
    Ok(Reply::json(200, json!({"prompt": prompt}).to_string()))
}
