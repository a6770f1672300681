//! `openai-embeddings`: texts or tokens, one or several a request.

use vbench_plugin::openai::{self, Payload, Pooling};
use vbench_plugin::prelude::*;

use crate::{Config, one_turn, path};

/// Embeddings of texts or tokens.
pub struct Embeddings {
    path: String,
    payload: Payload,
    pooling: Pooling,
    compat: Compat,
}

impl Backend for Embeddings {
    type Config = Config;
    const NAME: &'static str = "openai-embeddings";
    const SUMMARY: &'static str = "Embeddings API of OpenAI-compatible servers.";

    fn open(cx: &BackendContext, _config: Config) -> Result<Self> {
        let payload = Payload::new()
            .slot("model")
            .slot("input")
            .fixed("truncate_prompt_tokens", &-1)?
            .merge_user_fields(cx)?;
        Ok(Self {
            path: path(cx, "OpenAI Embeddings API", "/v1/embeddings")?,
            payload,
            pooling: Pooling::new(cx),
            compat: cx.compat,
        })
    }

    fn endpoint(&self) -> Result<Endpoint> {
        Ok(self.pooling.endpoint(&self.path))
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        one_turn(request)?;
        let turn = &request.turn;
        if !self.compat.is_reference() && !turn.attachments.as_slice().is_empty() {
            return Err(Error::unsupported(
                "the sample has media, which a list of inputs cannot carry; use openai-embeddings-chat",
            ));
        }
        let overrides = request.overrides.as_deref();
        let body =
            self.payload.write(openai::prompt_bytes(&turn.prompt), overrides, |key, out| match key {
                "model" => openai::write_json(out, request.model.as_str()),
                _ => self.pooling.write_input(out, &turn.prompt),
            })?;
        self.pooling.request(body, overrides, Pooling::input_sequences(&turn.prompt))
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        Ok(self.pooling.parse(response))
    }
}
