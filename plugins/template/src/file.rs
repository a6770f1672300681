//! The file: what it may say, and the plan that comes of it.

use std::collections::BTreeMap;

use schemars::{Schema, json_schema};
use serde::Deserializer;
use serde_json::{Map, Value};
use vbench_plugin::backend::{Condition, ErrorRule, FailureText, TerminalRule, Test, TokenRule, UsageRule};
use vbench_plugin::header::{is_hosts_own, is_token};
use vbench_plugin::prelude::*;

use crate::place::Within;

/// How an API is spoken.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Where this format is described, for editors.
    #[serde(default, rename = "$schema")]
    _schema: Option<String>,
    /// Free text about the file.
    #[serde(default, rename = "description")]
    _description: Option<String>,
    /// Whether answers are tokens one after another, or one result.
    #[serde(default)]
    pub(crate) task: TaskName,
    /// HTTP method.
    #[serde(default = "post")]
    pub(crate) method: String,
    /// Path of requests, unless --endpoint names another.
    #[schemars(regex(pattern = "^/"))]
    pub(crate) path: String,
    /// Headers of every request. Credentials go into --header or OPENAI_API_KEY.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// How a response is cut into events: server-sent events, a JSON text a line, or the body as a whole.
    pub(crate) framing: FramingName,
    /// The body. A text that is `{{prompt}}` and nothing else becomes the prompt (a text, or a list where the dataset gives one), `{{messages}}` the prompt as chat messages, `{{output_tokens}}` the number of tokens wanted, `{{prompt_tokens}}` the dataset's count of the prompt's tokens, `{{model}}` and `{{request_id}}` what they say; inside of a longer text they are put in as text. Sampling flags, --ignore-eos and --extra-body are merged over it.
    pub(crate) body: Map<String, Value>,
    /// How events are read.
    pub(crate) plan: PlanFile,
}

impl Template {
    /// Refuses what cannot be sent. An error says where in the file it lies.
    pub(crate) fn check_head(&self) -> Result<()> {
        if !is_token(&self.method) {
            let message = format!("`{}` is no HTTP method, such as POST", self.method);
            return Err(Error::config(message).within("method"));
        }
        for (name, value) in &self.headers {
            let wrong = if !is_token(name) {
                "the name of a header is made of letters, digits and hyphens"
            } else if is_hosts_own(name) {
                "the client sets this header itself; give a key with OPENAI_API_KEY, or the header with --header"
            } else if value.chars().any(|c| c.is_control() && c != '\t') {
                "the value of a header is one line"
            } else {
                continue;
            };
            return Err(Error::config(wrong).within(name).within("headers"));
        }
        Ok(())
    }
}

fn post() -> String {
    "POST".into()
}

/// Which numbers make sense for the answers.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TaskName {
    /// Tokens one after another.
    #[default]
    Generation,
    /// One result at the end.
    Pooling,
}

impl From<TaskName> for Task {
    fn from(name: TaskName) -> Self {
        match name {
            TaskName::Generation => Self::Generation,
            TaskName::Pooling => Self::Pooling,
        }
    }
}

/// How a response is cut into events.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FramingName {
    /// Server-sent events; an event is the joined `data` lines.
    Sse,
    /// One JSON text a line.
    Ndjson,
    /// The whole body is one event.
    WholeBody,
}

impl From<FramingName> for Framing {
    fn from(name: FramingName) -> Self {
        match name {
            FramingName::Sse => Self::Sse,
            FramingName::Ndjson => Self::Ndjson,
            FramingName::WholeBody => Self::WholeBody,
        }
    }
}

/// How events are read. Places are JSON pointers (RFC 6901), such as `/choices/0/text`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanFile {
    /// Payloads that are no JSON and mean nothing, such as `[DONE]`.
    #[serde(default)]
    ignore: Vec<String>,
    /// Events that fail the request.
    #[serde(default)]
    errors: Vec<ErrorFile>,
    /// Events that carry tokens. The first rule that fits counts.
    #[serde(default)]
    tokens: Vec<TokenFile>,
    /// The text of an event is all of the text so far, not what is new of it.
    #[serde(default)]
    pub(crate) cumulative_text: bool,
    /// Where the server reports counts.
    #[serde(default)]
    usage: Vec<UsageFile>,
    /// Events without which an answer is not whole; one of them has to come.
    #[serde(default)]
    terminal: Vec<WhenFile>,
    /// Where the server says why it stopped.
    #[serde(default)]
    finish_reason: Option<Pointer>,
    /// Where the server says how long the request waited, in milliseconds.
    #[serde(default)]
    server_queue_ms: Option<Pointer>,
    /// Where the server says when the first token was there, in milliseconds.
    #[serde(default)]
    server_ttft_ms: Option<Pointer>,
}

/// A place in an event.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Pointer(String);

impl JsonSchema for Pointer {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Pointer".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^(/([^~/]|~0|~1)*)*$"})
    }
}

/// What has to be true of an event: something `is` at a place, or equals a value.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["is"]}, {"required": ["equals"]}]))]
struct ConditionFile {
    /// The place.
    at: Pointer,
    /// There is something, nothing, or something that is neither null, false, 0 nor empty.
    #[serde(default)]
    is: Option<Is>,
    /// The value that stands there.
    #[serde(default, deserialize_with = "present")]
    equals: Option<Value>,
}

/// A value that is there, be it null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Is {
    /// Anything, be it null.
    Present,
    /// Nothing.
    Absent,
    /// Neither missing nor null, false, 0, or empty.
    Truthy,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ErrorFile {
    /// All of these have to be true.
    when: Vec<ConditionFile>,
    /// Where the message is.
    message: Pointer,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    /// All of these have to be true; without any, every event is one.
    #[serde(default)]
    when: Vec<ConditionFile>,
    /// What the tokens are part of.
    #[serde(default)]
    kind: Kind,
    /// Where the text is.
    #[serde(default)]
    text: Option<Pointer>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    /// The answer itself.
    #[default]
    Content,
    /// Thinking aloud before the answer.
    Reasoning,
    /// The name or the arguments of a tool call.
    ToolCall,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UsageFile {
    /// All of these have to be true.
    #[serde(default)]
    when: Vec<ConditionFile>,
    /// Where the number of tokens of the answer is.
    #[serde(default)]
    output_tokens: Option<Pointer>,
    /// Where the number of tokens of the prompt is.
    #[serde(default)]
    prompt_tokens: Option<Pointer>,
    /// Where the number of the prompt's tokens from the cache is.
    #[serde(default)]
    cached_tokens: Option<Pointer>,
    /// Where the number of reasoning tokens is.
    #[serde(default)]
    reasoning_tokens: Option<Pointer>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WhenFile {
    /// All of these have to be true.
    when: Vec<ConditionFile>,
}

fn conditions(when: &[ConditionFile]) -> Result<Vec<Condition>> {
    let condition = |condition: &ConditionFile| {
        let test = match (condition.is, &condition.equals) {
            (Some(Is::Present), None) => Test::Present,
            (Some(Is::Absent), None) => Test::Absent,
            (Some(Is::Truthy), None) => Test::Truthy,
            (None, Some(value)) => Test::Equals(value.to_string()),
            _ => {
                return Err(Error::config(format!(
                    "the condition at `{}` has to say either `is` (present, absent or truthy) or `equals` (a value)",
                    condition.at.0
                )));
            }
        };
        Ok(Condition { pointer: condition.at.0.clone(), test })
    };
    each("when", when, condition)
}

/// Reads the items of the list `name`; an error says in which it lies.
fn each<F, T>(name: &str, items: &[F], read: impl Fn(&F) -> Result<T>) -> Result<Vec<T>> {
    items.iter().enumerate().map(|(number, item)| read(item).within(number).within(name)).collect()
}

fn place(pointer: &Option<Pointer>) -> Option<String> {
    pointer.as_ref().map(|pointer| pointer.0.clone())
}

impl PlanFile {
    /// The extraction plan. An error says where in the plan it lies.
    pub(crate) fn to_plan(&self) -> Result<Plan> {
        let errors = each("errors", &self.errors, |rule| {
            Ok(ErrorRule {
                when: conditions(&rule.when)?,
                message: FailureText::Pointer(rule.message.0.clone()),
            })
        })?;
        let tokens = each("tokens", &self.tokens, |rule| {
            let kind = match rule.kind {
                Kind::Content => TokenKind::Content,
                Kind::Reasoning => TokenKind::Reasoning,
                Kind::ToolCall => TokenKind::ToolCall,
            };
            Ok(TokenRule { when: conditions(&rule.when)?, kind, text: place(&rule.text) })
        })?;
        let usage = each("usage", &self.usage, |rule| {
            Ok(UsageRule {
                when: conditions(&rule.when)?,
                on_token_events: true,
                output_tokens: place(&rule.output_tokens),
                prompt_tokens: place(&rule.prompt_tokens),
                cached_tokens: place(&rule.cached_tokens),
                reasoning_tokens: place(&rule.reasoning_tokens),
            })
        })?;
        let terminal = each("terminal", &self.terminal, |rule| conditions(&rule.when))?;
        Ok(Plan {
            ignore: self.ignore.clone(),
            errors,
            tokens,
            usage,
            terminal: (!terminal.is_empty()).then(|| TerminalRule {
                any: terminal,
                missing: "the response ended without an event of the template's `terminal`".into(),
            }),
            no_token: (!self.tokens.is_empty())
                .then(|| "no event of the response fits a rule of the template's `tokens`".into()),
            finish_reason: place(&self.finish_reason),
            server_queue_ms: place(&self.server_queue_ms),
            server_ttft_ms: place(&self.server_ttft_ms),
        })
    }
}
