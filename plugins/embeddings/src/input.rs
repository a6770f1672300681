//! `openai-embeddings`: texts or tokens, one or several a request.

use vbench_plugin::openai::{self, Pooling};
use vbench_plugin::options::NoOptions;
use vbench_plugin::prelude::*;

use crate::Embedder;

/// Embeddings of texts or tokens.
pub struct Embeddings(Embedder);

impl Backend for Embeddings {
    type Config = NoOptions;
    const NAME: &'static str = "openai-embeddings";
    const SUMMARY: &'static str = "Embeddings API of OpenAI-compatible servers.";

    fn open(cx: &BackendContext, _: NoOptions) -> Result<Self> {
        Embedder::open(cx, "input").map(Self)
    }

    fn endpoint(&self) -> Result<Endpoint> {
        Ok(self.0.endpoint())
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        let Turn { prompt, attachments, .. } = &request.turn;
        if !self.0.compat.is_reference() && !attachments.as_slice().is_empty() {
            return Err(Error::unsupported(
                "the sample has media, which a list of inputs cannot carry; use openai-embeddings-chat",
            ));
        }
        let (capacity, inputs) = (openai::prompt_bytes(prompt), Pooling::input_sequences(prompt));
        self.0.build(request, capacity, inputs, |out| self.0.pooling.write_input(out, prompt))
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        Ok(self.0.parse(response))
    }
}
