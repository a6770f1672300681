//! The backend `openai-chat`: chat completions, streamed unless the extra body
//! says `"stream": false`.
//!
//! Fields, their order and the rules by which answers are read are those of the
//! reference client, vLLM 0.33. Outside of its rules `reasoning_content` counts
//! like `reasoning`, an error inside a stream fails the request, and usage
//! counts are also taken from events that carry text.

use vbench_plugin::backend::{Condition, TokenRule};
use vbench_plugin::openai::{self, Choice, Payload, Present, Text, Truthy};
use vbench_plugin::prelude::*;

vbench_plugin::export! { backends: [Chat] }

/// The path that the backend uses unless `--endpoint` names another.
const PATH: &str = "/v1/chat/completions";

/// Options of the backend.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Read responses in the plugin instead of by extraction plan, with the same result; for measurements.
    #[serde(default)]
    parse: bool,
}

/// Writes and reads chat completions.
pub struct Chat {
    path: String,
    payload: Payload,
    plan: Plan,
    streams: bool,
    parse: bool,
    compat: Compat,
}

impl Backend for Chat {
    type Config = Config;
    const NAME: &'static str = "openai-chat";
    const SUMMARY: &'static str = "Chat completions API of OpenAI-compatible servers.";

    fn open(cx: &BackendContext, config: Config) -> Result<Self> {
        let path = cx.endpoint.as_deref().unwrap_or(PATH);
        openai::check_suffix(path, "OpenAI Chat Completions API", &["chat/completions"])?;
        let streams = cx.streams();
        let payload = Payload::new()
            .slot("model")
            .slot("messages")
            .slot("max_completion_tokens")
            .stream_fields(streams)?
            .merge_user_fields(cx)?;
        let tokens = if streams { token_rules(cx.compat) } else { whole_rules() };
        let plan = Plan { tokens, ..openai::stream_plan(cx.compat) };
        Ok(Self { path: path.into(), payload, plan, streams, parse: config.parse, compat: cx.compat })
    }

    fn endpoint(&self) -> Result<Endpoint> {
        let plan = (!self.parse).then(|| self.plan.clone());
        Ok(openai::generation_endpoint(&self.path, self.streams, plan))
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        let capacity =
            request.history.iter().map(|past| past.reply.len() + openai::prompt_bytes(&past.turn.prompt));
        let capacity = capacity.sum::<usize>() + openai::prompt_bytes(&request.turn.prompt);
        let body = self.payload.write(capacity, request.overrides.as_deref(), |key, out| match key {
            "model" => openai::write_json(out, request.model.as_str()),
            "messages" => openai::messages(out, request, self.compat),
            _ => openai::write_json(out, &request.turn.output_tokens),
        })?;
        Ok(RequestOut::json(body))
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        Ok(match self.streams {
            true => openai::read_stream::<DeltaChoice>(&self.plan, self.compat, response),
            false => vbench_plugin::plan::read(&self.plan, response),
        })
    }
}

/// An event is a token event if its delta says something, be it a lone empty
/// content; the chunk that only names the role is none. The client of late 2025
/// took every event with choices for one.
fn token_rules(compat: Compat) -> Vec<TokenRule> {
    const CONTENT: &str = "/choices/0/delta/content";
    let says = |kind, field: &str| {
        TokenRule::new(kind, vec![Condition::truthy(format!("/choices/0/delta/{field}"))]).with_text(CONTENT)
    };
    let mut rules = vec![says(TokenKind::Content, "content"), says(TokenKind::Reasoning, "reasoning")];
    if compat != Compat::V0_33 {
        rules.push(says(TokenKind::Reasoning, "reasoning_content"));
    }
    rules.push(says(TokenKind::ToolCall, "tool_calls"));
    rules.push(says(TokenKind::ToolCall, "function_call"));
    rules.push(TokenRule::new(
        TokenKind::Content,
        vec![Condition::equals(CONTENT, "\"\""), Condition::absent("/choices/0/delta/role")],
    ));
    if compat == Compat::V0_12 {
        rules.push(TokenRule::new(TokenKind::Content, vec![Condition::truthy("/choices")]));
    }
    rules
}

/// An answer in one piece is one token event, of the kind of what it ends in.
fn whole_rules() -> Vec<TokenRule> {
    const CONTENT: &str = "/choices/0/message/content";
    let says = |kind, field: &str| {
        TokenRule::new(kind, vec![Condition::truthy(format!("/choices/0/message/{field}"))])
    };
    vec![
        says(TokenKind::Content, "content").with_text(CONTENT),
        says(TokenKind::ToolCall, "tool_calls"),
        says(TokenKind::ToolCall, "function_call"),
        says(TokenKind::Reasoning, "reasoning"),
        says(TokenKind::Reasoning, "reasoning_content"),
        TokenRule::new(TokenKind::Content, vec![Condition::present("/choices/0/message")]),
    ]
}

/// A choice of an event; [`token_rules`] in code.
#[derive(Deserialize)]
struct DeltaChoice<'a> {
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(default)]
    role: Present,
    #[serde(borrow, default)]
    content: Option<Text<'a>>,
    #[serde(default)]
    reasoning: Truthy,
    #[serde(default)]
    reasoning_content: Truthy,
    #[serde(default)]
    tool_calls: Truthy,
    #[serde(default)]
    function_call: Truthy,
}

impl Delta<'_> {
    fn token(&self, compat: Compat) -> Option<(TokenKind, Option<&str>)> {
        let text = self.content.as_ref().map(|text| text.0.as_ref());
        let kind = if text.is_some_and(|text| !text.is_empty()) {
            TokenKind::Content
        } else if self.reasoning.0 || (self.reasoning_content.0 && compat != Compat::V0_33) {
            TokenKind::Reasoning
        } else if self.tool_calls.0 || self.function_call.0 {
            TokenKind::ToolCall
        } else if text.is_some() && !self.role.0 {
            TokenKind::Content
        } else {
            return None;
        };
        Some((kind, text))
    }
}

impl<'a> Choice<'a> for DeltaChoice<'a> {
    fn token(&self, compat: Compat) -> Option<(TokenKind, Option<&str>)> {
        let every = (compat == Compat::V0_12).then_some((TokenKind::Content, None));
        self.delta.as_ref().and_then(|delta| delta.token(compat)).or(every)
    }

    fn finish_reason(&self) -> Option<&str> {
        self.finish_reason.as_ref().map(|reason| reason.0.as_ref())
    }
}
