//! `tensorrt-llm`: TensorRT-LLM behind Triton's generate extension.

use vbench_plugin::backend::{Condition, ErrorRule, TokenRule, UsageRule};
use vbench_plugin::openai::{self, Payload};
use vbench_plugin::prelude::*;
use vbench_plugin::sampling::Names;

use crate::fields::{self, Paths, Server, Use};

const STREAMED: &str = "/generate_stream";

const SERVER: Server = Server {
    name: "TensorRT-LLM",
    paths: Paths::ByPath { streamed: STREAMED, whole: "/generate" },
    sampling: Names::OWN,
    logprobs: false,
    ignore_eos: true,
};

/// Options of the backend.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Triton's name for the model, which is part of the path.
    #[serde(default = "ensemble")]
    #[schemars(length(min = 1), regex(pattern = "^[A-Za-z0-9._-]+$"))]
    model: String,
}

fn ensemble() -> String {
    "ensemble".into()
}

/// Writes and reads requests of Triton's generate extension.
pub struct TensorRtLlm {
    path: String,
    streams: bool,
    payload: Payload,
}

impl Backend for TensorRtLlm {
    type Config = Config;
    const NAME: &'static str = "tensorrt-llm";
    const SUMMARY: &'static str = "TensorRT-LLM behind Triton, /v2/models/MODEL/generate_stream, or .../generate with --endpoint (not streamed).";

    fn open(cx: &BackendContext, config: Config) -> Result<Self> {
        let usual = format!("/v2/models/{}{STREAMED}", config.model);
        let Use { path, streams, sampling } = SERVER.open(cx, &usual)?;
        let mut payload = Payload::new().slot("text_input").slot("max_tokens");
        if cx.ignore_eos {
            // There is no switch for it; a text that may not be shorter comes to the same.
            payload = payload.slot("min_length");
        }
        let payload = payload.fixed("stream", &streams)?.fixed_fields(&sampling).fixed_fields(&cx.extra_body);
        Ok(Self { path, streams, payload })
    }

    fn endpoint(&self) -> Result<Endpoint> {
        let text = "/text_output";
        let plan = Plan {
            errors: vec![ErrorRule::new(vec![Condition::truthy("/error")], "/error")],
            tokens: vec![TokenRule::new(TokenKind::Content, vec![Condition::present(text)]).with_text(text)],
            // Only models that were told to count have these outputs.
            usage: vec![UsageRule {
                when: Vec::new(),
                on_token_events: true,
                output_tokens: Some("/num_output_tokens".into()),
                prompt_tokens: Some("/num_input_tokens".into()),
                cached_tokens: None,
                reasoning_tokens: None,
            }],
            no_token: Some("the response has no text_output".into()),
            ..Plan::default()
        };
        Ok(openai::generation_endpoint(&self.path, self.streams, Some(plan)))
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        let text = fields::text(request, Self::NAME)?;
        let body = self.payload.write(text.len(), request.overrides.as_deref(), |key, out| match key {
            "text_input" => openai::write_json(out, text),
            _ => openai::write_json(out, &request.turn.output_tokens),
        })?;
        Ok(RequestOut::json(body))
    }
}
