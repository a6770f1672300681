//! `sglang`: SGLang's own endpoint.

use std::borrow::Cow;

use serde_json::Value;
use vbench_plugin::backend::{Condition, ErrorRule, TokenRule, UsageRule};
use vbench_plugin::openai::{self, Payload, Text};
use vbench_plugin::prelude::*;
use vbench_plugin::sampling::Names;

use crate::fields::{self, Nested, Paths, Server, Use};

const PATH: &str = "/generate";

const SERVER: Server = Server {
    name: "SGLang",
    paths: Paths::One(PATH),
    sampling: Names::OWN,
    logprobs: true,
    ignore_eos: true,
};

/// Options of the backend.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The server sends in each event what is new of the text, not all of the text so far (its option --incremental-streaming-output).
    #[serde(default)]
    incremental: bool,
}

/// Writes and reads SGLang's requests.
pub struct Sglang {
    path: String,
    payload: Payload,
    parameters: Nested,
    streams: bool,
    incremental: bool,
}

impl Backend for Sglang {
    type Config = Config;
    const NAME: &'static str = "sglang";
    const SUMMARY: &'static str = "SGLang, /generate, with texts or token ids.";

    fn open(cx: &BackendContext, config: Config) -> Result<Self> {
        let Use { path, streams, sampling } = SERVER.open(cx, PATH)?;
        let mut own = Payload::new().slot("max_new_tokens");
        if cx.ignore_eos {
            own = own.fixed("ignore_eos", &true)?;
        }
        let mut extra_body = cx.extra_body.clone();
        let parameters = Nested::new("sampling_params", own, &sampling, &mut extra_body)?;
        // The slot of the prompt is renamed for token ids.
        let mut payload = Payload::new().slot("sampling_params").fixed("stream", &streams)?;
        if let Some(count) = cx.logprobs {
            payload = payload.fixed("return_logprob", &true)?.fixed("top_logprobs_num", &count)?;
        }
        let payload = payload.fixed_fields(&extra_body);
        Ok(Self { path, payload, parameters, streams, incremental: config.incremental })
    }

    /// Each event repeats the text before it, which a plan cannot say.
    fn endpoint(&self) -> Result<Endpoint> {
        Ok(match self.streams {
            true => openai::stream_endpoint(&self.path, None),
            false => openai::whole_endpoint(&self.path, Some(whole_plan())),
        })
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        fields::only_a_prompt(request, Self::NAME)?;
        let prompt = &request.turn.prompt;
        let key = match prompt {
            Prompt::Text(_) => "text",
            Prompt::TokenIds(_) => "input_ids",
            other => return Err(fields::not_sent(other, Self::NAME)),
        };
        let rest = self.payload.write(0, request.overrides.as_deref(), |key, out| {
            self.parameters.write(key, request, out).map(drop)
        })?;
        let mut body = Vec::with_capacity(openai::prompt_bytes(prompt) + rest.len() + 16);
        body.push(b'{');
        openai::write_json(&mut body, key)?;
        body.push(b':');
        openai::write_prompt(&mut body, prompt, Compat::Vbench)?;
        body.push(b',');
        body.extend_from_slice(rest.get(1..).unwrap_or_default());
        Ok(RequestOut::json(body))
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        Ok(read_stream(response, self.incremental))
    }
}

fn whole_plan() -> Plan {
    let at = |field: &str| Some(format!("/meta_info/{field}"));
    let content = |field: &str| TokenRule::new(TokenKind::Content, vec![Condition::present(field)]);
    Plan {
        errors: vec![
            ErrorRule::new(vec![Condition::truthy("/error/message")], "/error/message"),
            ErrorRule::new(vec![Condition::truthy("/error")], "/error"),
        ],
        tokens: vec![content("/text").with_text("/text"), content("/output_ids")],
        usage: vec![UsageRule {
            when: vec![Condition::truthy("/meta_info")],
            on_token_events: true,
            output_tokens: at("completion_tokens"),
            prompt_tokens: at("prompt_tokens"),
            cached_tokens: at("cached_tokens"),
            reasoning_tokens: None,
        }],
        no_token: Some("the response has no text".into()),
        finish_reason: at("finish_reason/type"),
        ..Plan::default()
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(default)]
    meta_info: Option<Meta>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    cached_tokens: Option<u64>,
    #[serde(default)]
    finish_reason: Option<FinishReason>,
}

#[derive(Deserialize)]
struct FinishReason {
    #[serde(rename = "type")]
    kind: String,
}

/// An event is a token event if the text or the count of tokens has grown; the
/// count says how many tokens it brought.
fn read_stream(response: &Response, incremental: bool) -> Parsed {
    let mut parsed = Parsed::default();
    let mut usage = Usage::default();
    for (number, payload) in response.events().enumerate() {
        let payload = payload.trim_ascii();
        if payload == b"[DONE]" {
            continue;
        }
        let event: Event<'_> = match serde_json::from_slice(payload) {
            Ok(event) => event,
            Err(error) => {
                parsed.error =
                    Some(format!("event {} of the response is not one of SGLang's: {error}", number + 1));
                break;
            }
        };
        if let Some(error) = event.error.filter(|error| !error.is_null()) {
            parsed.error = Some(match error["message"].as_str().or(error.as_str()) {
                Some(message) => message.into(),
                None => error.to_string(),
            });
            break;
        }
        let mut new = 0;
        if let Some(meta) = event.meta_info {
            let before = usage.output_tokens.unwrap_or(0);
            usage.output_tokens = meta.completion_tokens.or(usage.output_tokens);
            usage.prompt_tokens = meta.prompt_tokens.or(usage.prompt_tokens);
            usage.cached_tokens = meta.cached_tokens.or(usage.cached_tokens);
            new = usage.output_tokens.unwrap_or(0).saturating_sub(before);
            parsed.finish_reason = meta.finish_reason.map(|reason| reason.kind).or(parsed.finish_reason);
        }
        let text: Cow<'_, str> = event.text.map(|text| text.0).unwrap_or_default();
        let grows = if incremental { !text.is_empty() } else { text.len() > parsed.text.len() };
        if grows && incremental {
            parsed.text.push_str(&text);
        } else if grows {
            parsed.text = text.into_owned();
        }
        if grows || new > 0 {
            parsed.tokens.push(TokenEvent {
                event: u32::try_from(number).unwrap_or(u32::MAX),
                kind: TokenKind::Content,
                tokens: u32::try_from(new).unwrap_or(u32::MAX),
            });
        }
    }
    parsed.usage = (usage != Usage::default()).then_some(usage);
    if parsed.tokens.is_empty() && parsed.error.is_none() {
        parsed.error = Some("the stream had no token".into());
    }
    parsed
}
