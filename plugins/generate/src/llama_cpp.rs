//! `llama-cpp`: llama.cpp's own endpoint.

use vbench_plugin::backend::{Condition, ErrorRule, TerminalRule, TokenRule, UsageRule};
use vbench_plugin::openai::{self, Payload};
use vbench_plugin::options::NoOptions;
use vbench_plugin::prelude::*;
use vbench_plugin::sampling::Names;

use crate::fields::{self, Paths, Server, Use};

const PATH: &str = "/completion";

const SERVER: Server = Server {
    name: "llama.cpp",
    paths: Paths::One(PATH),
    sampling: Names::LLAMA_CPP,
    logprobs: true,
    ignore_eos: true,
};

/// Writes and reads requests of llama.cpp's server.
pub struct LlamaCpp {
    path: String,
    payload: Payload,
    streams: bool,
}

impl Backend for LlamaCpp {
    type Config = NoOptions;
    const NAME: &'static str = "llama-cpp";
    const SUMMARY: &'static str = "llama.cpp's server, /completion, with texts or token ids.";

    fn open(cx: &BackendContext, _: NoOptions) -> Result<Self> {
        let Use { path, streams, sampling } = SERVER.open(cx, PATH)?;
        let mut payload = Payload::new().slot("prompt").slot("n_predict").fixed("stream", &streams)?;
        if cx.ignore_eos {
            payload = payload.fixed("ignore_eos", &true)?;
        }
        if let Some(count) = cx.logprobs {
            payload = payload.fixed("n_probs", &count)?;
        }
        let payload = payload.fixed_fields(&sampling).fixed_fields(&cx.extra_body);
        Ok(Self { path, payload, streams })
    }

    fn endpoint(&self) -> Result<Endpoint> {
        let (content, stops) = ("/content", Condition::equals("/stop", "true"));
        let plan = Plan {
            errors: vec![
                ErrorRule::new(vec![Condition::truthy("/error/message")], "/error/message"),
                ErrorRule::new(vec![Condition::truthy("/error")], "/error"),
            ],
            // The last event of a stream has counts and no text, that of a whole answer both.
            tokens: vec![
                TokenRule::new(TokenKind::Content, vec![Condition::equals("/stop", "false")])
                    .with_text(content),
                TokenRule::new(TokenKind::Content, vec![Condition::truthy(content)]).with_text(content),
            ],
            usage: vec![UsageRule {
                when: vec![stops.clone()],
                on_token_events: true,
                output_tokens: Some("/tokens_predicted".into()),
                prompt_tokens: Some("/tokens_evaluated".into()),
                cached_tokens: Some("/timings/cache_n".into()),
                reasoning_tokens: None,
            }],
            terminal: Some(TerminalRule {
                any: vec![vec![stops]],
                missing: "the response ended without the event that says why it stops".into(),
            }),
            no_token: Some("the response had no token".into()),
            finish_reason: Some("/stop_type".into()),
            server_ttft_ms: Some("/timings/prompt_ms".into()),
            ..Plan::default()
        };
        Ok(openai::generation_endpoint(&self.path, self.streams, Some(plan)))
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        fields::only_a_prompt(request, Self::NAME)?;
        let prompt = &request.turn.prompt;
        if !matches!(prompt, Prompt::Text(_) | Prompt::TokenIds(_)) {
            return Err(fields::not_sent(prompt, Self::NAME));
        }
        let capacity = openai::prompt_bytes(prompt);
        let body = self.payload.write(capacity, request.overrides.as_deref(), |key, out| match key {
            "prompt" => openai::write_prompt(out, prompt, Compat::Vbench),
            _ => openai::write_json(out, &request.turn.output_tokens),
        })?;
        Ok(RequestOut::json(body))
    }
}
