//! The backend `anthropic-messages`: Anthropic's Messages API, which other
//! servers have too, streamed unless the extra body says `"stream": false`.
//!
//! Text, thinking and tool calls are kinds of token of their own. The API key of
//! Anthropic's own service is not a bearer token: give it with
//! `--header x-api-key=…`.

mod messages;
mod response;

use vbench_plugin::openai::{self, Payload};
use vbench_plugin::prelude::*;

vbench_plugin::export! { backends: [Messages] }

/// The path that the backend uses unless `--endpoint` names another.
const PATH: &str = "/v1/messages";

/// Options of the backend.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Version of the API, sent as the header anthropic-version.
    #[serde(default = "version")]
    version: String,
}

fn version() -> String {
    "2023-06-01".into()
}

/// Writes and reads requests of the Messages API.
pub struct Messages {
    path: String,
    version: String,
    payload: Payload,
    /// For chats that have a system prompt, which is no message here.
    with_system: Payload,
    streams: bool,
}

impl Backend for Messages {
    type Config = Config;
    const NAME: &'static str = "anthropic-messages";
    const SUMMARY: &'static str = "Messages API of Anthropic and of servers that have it too.";

    fn open(cx: &BackendContext, config: Config) -> Result<Self> {
        let path = cx.endpoint.as_deref().unwrap_or(PATH);
        openai::check_suffix(path, "Anthropic Messages API", &["messages"])?;
        for (given, flag) in [(cx.ignore_eos, "--ignore-eos"), (cx.logprobs.is_some(), "--logprobs")] {
            if given {
                return Err(Error::config(format!(
                    "the Messages API knows nothing like {flag}; leave it out, or send what your server knows \
                     with --extra-body"
                )));
            }
        }
        let streams = cx.streams();
        let base = Payload::new().slot("model").slot("max_tokens");
        let rest =
            |payload: Payload| payload.slot("messages").fixed("stream", &streams)?.merge_user_fields(cx);
        Ok(Self {
            path: path.into(),
            version: config.version,
            with_system: rest(base.clone().slot("system"))?,
            payload: rest(base)?,
            streams,
        })
    }

    /// Read by the plugin: the length of a prompt is a sum of three counts.
    fn endpoint(&self) -> Result<Endpoint> {
        let mut endpoint = openai::generation_endpoint(&self.path, self.streams, None);
        endpoint.headers.push(Header::new("anthropic-version", &self.version));
        Ok(endpoint)
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        let chat = messages::Chat::of(request)?;
        let capacity = openai::prompt_bytes(&request.turn.prompt);
        let payload = if chat.system.is_some() { &self.with_system } else { &self.payload };
        let body = payload.write(capacity, request.overrides.as_deref(), |key, out| match key {
            "model" => openai::write_json(out, request.model.as_str()),
            "messages" => openai::write_json(out, &chat.messages),
            "system" => openai::write_json(out, &chat.system),
            _ => openai::write_json(out, &request.turn.output_tokens),
        })?;
        Ok(RequestOut::json(body))
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        Ok(match self.streams {
            true => response::read_stream(response),
            false => response::read_whole(response),
        })
    }
}
