//! The backend `openai`, also called `vllm`: completions with a prompt of text
//! or tokens, streamed unless the extra body says `"stream": false`.
//!
//! Fields, their order and the rules by which answers are read are those of the
//! reference client, vLLM 0.33. Outside of its rules an error inside a stream
//! fails the request, and usage counts are also taken from events that carry text.

use vbench_plugin::openai::{self, Payload, TextChoice};
use vbench_plugin::prelude::*;

vbench_plugin::export! { backends: [Completions] }

/// The path that the backend uses unless `--endpoint` names another.
const PATH: &str = "/v1/completions";

/// Options of the backend.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Read responses in the plugin instead of by extraction plan, with the same result; for measurements.
    #[serde(default)]
    parse: bool,
}

/// Writes and reads completions.
pub struct Completions {
    path: String,
    payload: Payload,
    plan: Plan,
    streams: bool,
    parse: bool,
    compat: Compat,
}

impl Backend for Completions {
    type Config = Config;
    const NAME: &'static str = "openai";
    const ALIASES: &'static [&'static str] = &["vllm"];
    const SUMMARY: &'static str = "Completions API of OpenAI-compatible servers.";

    fn open(cx: &BackendContext, config: Config) -> Result<Self> {
        let path = cx.endpoint.as_deref().unwrap_or(PATH);
        openai::check_suffix(path, "OpenAI Completions API", &["completions"])?;
        let streams = cx.streams();
        let payload = Payload::new()
            .slot("model")
            .slot("prompt")
            .fixed("repetition_penalty", &1.0)?
            .slot("max_tokens")
            .fixed("logprobs", &cx.logprobs)?
            .stream_fields(streams)?
            .merge_user_fields(cx)?;
        let plan = Plan { tokens: TextChoice::token_rules(), ..openai::stream_plan(cx.compat) };
        Ok(Self { path: path.into(), payload, plan, streams, parse: config.parse, compat: cx.compat })
    }

    fn endpoint(&self) -> Result<Endpoint> {
        let plan = (!self.parse).then(|| self.plan.clone());
        Ok(openai::generation_endpoint(&self.path, self.streams, plan))
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        let turn = &request.turn;
        if !self.compat.is_reference() && !turn.attachments.as_slice().is_empty() {
            return Err(Error::unsupported(
                "the sample has media, which completions cannot carry; use openai-chat",
            ));
        }
        if !request.history.is_empty() {
            return Err(Error::unsupported(
                "the sample has several turns, which completions cannot carry; use openai-chat",
            ));
        }
        let body = self.payload.write(
            openai::prompt_bytes(&turn.prompt),
            request.overrides.as_deref(),
            |key, out| match key {
                "model" => openai::write_json(out, request.model.as_str()),
                "prompt" => openai::write_prompt(out, &turn.prompt, self.compat),
                _ => openai::write_json(out, &turn.output_tokens),
            },
        )?;
        let input_sequences = match &turn.prompt {
            Prompt::Texts(texts) => texts.len(),
            Prompt::TokenIdLists(lists) => lists.len(),
            _ => 1,
        };
        Ok(RequestOut {
            input_sequences: u32::try_from(input_sequences).unwrap_or(u32::MAX),
            ..RequestOut::json(body)
        })
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        Ok(openai::read_stream::<TextChoice<'_>>(&self.plan, self.compat, response))
    }
}
