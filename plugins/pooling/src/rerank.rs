//! `vllm-rerank`: documents to be ranked by a query.

use vbench_plugin::openai::{self, Payload, Pooling};
use vbench_plugin::options::NoOptions;
use vbench_plugin::prelude::*;

use crate::check;

/// Ranking by a vLLM server.
pub struct Rerank {
    path: String,
    payload: Payload,
    pooling: Pooling,
    compat: Compat,
}

impl Backend for Rerank {
    type Config = NoOptions;
    const NAME: &'static str = "vllm-rerank";
    const SUMMARY: &'static str = "Rerank API of vLLM servers.";

    fn open(cx: &BackendContext, _: NoOptions) -> Result<Self> {
        let path = cx.endpoint.as_deref().unwrap_or("/v1/rerank");
        openai::check_suffix(path, "vLLM score API", &["rerank"])?;
        if !cx.compat.is_reference() && !cx.extra_body.is_empty() {
            return Err(Error::config("--extra-body is not sent by vllm-rerank; leave it out"));
        }
        let payload = Payload::new()
            .slot("model")
            .slot("query")
            .slot("documents")
            .fixed("truncate_prompt_tokens", &-1)?;
        Ok(Self { path: path.into(), payload, pooling: Pooling::json(cx.compat), compat: cx.compat })
    }

    fn endpoint(&self) -> Result<Endpoint> {
        Ok(self.pooling.endpoint(&self.path))
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        check(request, self.compat)?;
        let Prompt::Texts(texts) = &request.turn.prompt else { return Err(not_ranked()) };
        let [query, documents @ ..] = texts.as_slice() else { return Err(not_ranked()) };
        if documents.is_empty() {
            return Err(not_ranked());
        }
        if !self.compat.is_reference() && request.overrides.is_some() {
            return Err(Error::unsupported(
                "the sample has fields of its own, which vllm-rerank does not send",
            ));
        }
        let body =
            self.payload.write(openai::prompt_bytes(&request.turn.prompt), None, |key, out| match key {
                "model" => openai::write_json(out, request.model.as_str()),
                "query" => openai::write_json(out, query),
                _ => openai::write_json(out, documents),
            })?;
        self.pooling.request(body, None, u32::try_from(documents.len()).unwrap_or(u32::MAX))
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        Ok(self.pooling.parse(response))
    }
}

fn not_ranked() -> Error {
    Error::unsupported(
        "the sample is no query followed by documents, which vllm-rerank needs; use the dataset random-rerank",
    )
}
