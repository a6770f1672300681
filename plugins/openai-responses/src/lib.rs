//! The backend `openai-responses`: the Responses API, streamed unless the extra
//! body says `"stream": false`.
//!
//! Fields, their order and the rules by which answers are read are those of the
//! reference client, vLLM 0.33. Outside of its rules reasoning summaries,
//! refusals and the arguments of function calls count as tokens too, so that an
//! answer that has nothing else is one; and an `error` that is null is none.

mod message;

use serde::Deserializer;
use serde_json::value::RawValue;
use vbench_plugin::backend::{Condition, ErrorRule, TerminalRule, TokenRule, UsageRule};
use vbench_plugin::openai::{self, Payload, Truthy};
use vbench_plugin::options::NoOptions;
use vbench_plugin::plan::Reader;
use vbench_plugin::prelude::*;

vbench_plugin::export! { backends: [Responses] }

/// The path that the backend uses unless `--endpoint` names another.
const PATH: &str = "/v1/responses";

/// Writes and reads requests of the Responses API.
pub struct Responses {
    path: String,
    payload: Payload,
    plan: Plan,
    streams: bool,
    compat: Compat,
}

impl Backend for Responses {
    type Config = NoOptions;
    const NAME: &'static str = "openai-responses";
    const SUMMARY: &'static str = "Responses API of OpenAI-compatible servers.";

    fn open(cx: &BackendContext, _: NoOptions) -> Result<Self> {
        let path = cx.endpoint.as_deref().unwrap_or(PATH);
        openai::check_suffix(path, "OpenAI Responses API", &["responses"])?;
        let payload = Payload::new()
            .slot("model")
            .slot("input")
            .slot("max_output_tokens")
            .fixed("stream", &cx.streams())?
            .fixed("store", &false)?
            .merge_user_fields(cx)?;
        let streams = cx.streams();
        let plan = if streams { plan(cx.compat) } else { whole_plan() };
        Ok(Self { path: path.into(), payload, plan, streams, compat: cx.compat })
    }

    /// The reference client reads on after an error, which a plan does not.
    fn endpoint(&self) -> Result<Endpoint> {
        let plan = (!self.compat.is_reference()).then(|| self.plan.clone());
        Ok(openai::generation_endpoint(&self.path, self.streams, plan))
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        let turn = &request.turn;
        if !request.history.is_empty() {
            return Err(Error::unsupported("the sample has several turns, which need openai-chat"));
        }
        let capacity = openai::prompt_bytes(&turn.prompt);
        let body = self.payload.write(capacity, request.overrides.as_deref(), |key, out| match key {
            "model" => openai::write_json(out, request.model.as_str()),
            "input" if self.compat.is_reference() => self.write_input(out, &turn.prompt),
            "input" => match message::parts(turn)? {
                Some(parts) => message::write(out, &parts),
                None => self.write_input(out, &turn.prompt),
            },
            _ => openai::write_json(out, &turn.output_tokens),
        })?;
        Ok(RequestOut::json(body))
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        let mut reader = Reader::new(&self.plan);
        let mut stream_error = None;
        for payload in response.events() {
            reader.event(payload);
            if !reader.is_over() && stream_error.is_none() {
                stream_error = error_of(payload);
            }
        }
        let unreadable = reader.is_over();
        let mut parsed = reader.finish();
        if unreadable {
            // An event that cannot be read ends the reference client's reading with nothing.
            parsed.text.clear();
        } else {
            parsed.error = stream_error.or(parsed.error);
        }
        Ok(parsed)
    }
}

impl Responses {
    /// A text, or messages as they are; other lists the API does not take.
    fn write_input(&self, out: &mut Vec<u8>, prompt: &Prompt) -> Result<()> {
        match prompt {
            Prompt::Messages(json) => {
                let messages: &RawValue = serde_json::from_str(json)
                    .map_err(|error| Error::input(format!("the sample's messages are not JSON: {error}")))?;
                openai::write_json(out, messages)
            }
            Prompt::Text(_) => openai::write_prompt(out, prompt, self.compat),
            _ if self.compat.is_reference() => openai::write_prompt(out, prompt, self.compat),
            _ => Err(Error::unsupported(
                "the sample is neither a text nor messages, which are all that openai-responses sends",
            )),
        }
    }
}

fn of_type(name: &str) -> Condition {
    Condition::equals("/type", format!("\"{name}\""))
}

/// The extraction plan. Under the rules of the reference client errors are not
/// part of it: [`Backend::parse`] looks for them, since reading goes on after one.
fn plan(compat: Compat) -> Plan {
    let delta = |kind, name: &str| TokenRule::new(kind, vec![of_type(name)]);
    let mut tokens = vec![
        delta(TokenKind::Content, "response.output_text.delta").with_text("/delta"),
        delta(TokenKind::Reasoning, "response.reasoning_text.delta"),
    ];
    let mut errors = Vec::new();
    if !compat.is_reference() {
        tokens.push(delta(TokenKind::Reasoning, "response.reasoning_summary_text.delta"));
        tokens.push(delta(TokenKind::Content, "response.refusal.delta").with_text("/delta"));
        tokens.push(delta(TokenKind::ToolCall, "response.function_call_arguments.delta"));
        errors = vec![
            ErrorRule::new(vec![Condition::truthy("/error/message")], "/error/message"),
            ErrorRule::new(vec![Condition::truthy("/error")], "/error"),
            ErrorRule::new(vec![of_type("error")], "/message"),
            ErrorRule::new(vec![of_type("response.failed")], "/response/error/message"),
        ];
    }
    let terminal = ["response.completed", "response.incomplete"];
    Plan {
        ignore: vec!["[DONE]".into()],
        errors,
        tokens,
        usage: terminal.iter().map(|name| usage(vec![of_type(name)], "/response")).collect(),
        terminal: Some(TerminalRule {
            any: terminal.iter().map(|name| vec![of_type(name)]).collect(),
            missing: "Stream ended without a terminal event.This response will be marked as failed!".into(),
        }),
        no_token: Some(
            "Never received a token delta to calculate TTFT.This response will be marked as failed!".into(),
        ),
        finish_reason: Some("/response/incomplete_details/reason".into()),
        ..Plan::default()
    }
}

/// The plan of an answer in one piece, which is one token event. Its text is that
/// of the first message, which reasoning may stand before.
fn whole_plan() -> Plan {
    let message = |at: usize| {
        let is_message = Condition::equals(format!("/output/{at}/type"), "\"message\"");
        TokenRule::new(TokenKind::Content, vec![is_message]).with_text(format!("/output/{at}/content/0/text"))
    };
    let output = |kind, name: &str| {
        TokenRule::new(kind, vec![Condition::equals("/output/0/type", format!("\"{name}\""))])
    };
    Plan {
        errors: vec![
            ErrorRule::new(vec![Condition::truthy("/error/message")], "/error/message"),
            ErrorRule::new(vec![Condition::truthy("/error")], "/error"),
        ],
        tokens: vec![
            message(0),
            message(1),
            message(2),
            output(TokenKind::ToolCall, "function_call"),
            output(TokenKind::Reasoning, "reasoning"),
        ],
        usage: vec![usage(Vec::new(), "")],
        no_token: Some("the response has no output".into()),
        finish_reason: Some("/incomplete_details/reason".into()),
        ..Plan::default()
    }
}

/// Counts of the response that stands at `pointer`.
fn usage(when: Vec<Condition>, pointer: &str) -> UsageRule {
    let at = |field: &str| Some(format!("{pointer}/usage/{field}"));
    UsageRule {
        when,
        on_token_events: true,
        output_tokens: at("output_tokens"),
        prompt_tokens: at("input_tokens"),
        cached_tokens: at("input_tokens_details/cached_tokens"),
        reasoning_tokens: at("output_tokens_details/reasoning_tokens"),
    }
}

/// An event as far as it may say that the request has failed.
#[derive(Deserialize)]
struct Failure<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<&'a RawValue>,
    /// None only where there is no such key.
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// A value that is there, be it null.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// What an event fails the request with by the rules of the reference client:
/// the JSON text of its `error`, or of the whole event where that says nothing.
fn error_of(payload: &[u8]) -> Option<String> {
    let event: Failure = serde_json::from_slice(payload).ok()?;
    let kind = event.kind.map(RawValue::get);
    if event.error.is_none() && !matches!(kind, Some("\"error\"" | "\"response.failed\"")) {
        return None;
    }
    let says = |error: &&RawValue| serde_json::from_str::<Truthy>(error.get()).is_ok_and(|truthy| truthy.0);
    Some(match event.error.filter(says) {
        Some(error) => error.get().to_owned(),
        None => String::from_utf8_lossy(payload).trim().to_owned(),
    })
}
