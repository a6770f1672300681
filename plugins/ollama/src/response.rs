//! Reading Ollama's lines.

use serde::de::IgnoredAny;
use serde_json::json;
use vbench_plugin::openai::{Text, Truthy};
use vbench_plugin::prelude::*;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    message: Option<Message<'a>>,
    #[serde(default)]
    done: bool,
    #[serde(borrow, default)]
    done_reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    error: Option<Text<'a>>,
    #[serde(default)]
    prompt_eval_count: Option<u64>,
    #[serde(default)]
    eval_count: Option<u64>,
    /// Durations are in nanoseconds.
    #[serde(default)]
    total_duration: Option<u64>,
    #[serde(default)]
    load_duration: Option<u64>,
    #[serde(default)]
    prompt_eval_duration: Option<u64>,
    #[serde(default)]
    eval_duration: Option<u64>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Option<Text<'a>>,
    #[serde(default)]
    thinking: Truthy,
    #[serde(default)]
    tool_calls: Option<Vec<IgnoredAny>>,
}

impl Message<'_> {
    fn kind(&self) -> Option<TokenKind> {
        if self.content.as_ref().is_some_and(|text| !text.0.is_empty()) {
            Some(TokenKind::Content)
        } else if self.thinking.0 {
            Some(TokenKind::Reasoning)
        } else if self.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty()) {
            Some(TokenKind::ToolCall)
        } else {
            None
        }
    }
}

/// Reads a response, streamed or not. What the server says of its own time is
/// kept with the request: the server's TTFT is the time to load the model and
/// to read the prompt.
pub(crate) fn read(response: &Response) -> Parsed {
    let mut parsed = Parsed::default();
    let mut done = false;
    for (number, payload) in response.events().enumerate() {
        let line: Line<'_> = match serde_json::from_slice(payload) {
            Ok(line) => line,
            Err(error) => {
                parsed.error =
                    Some(format!("line {} of the response is not one of Ollama's: {error}", number + 1));
                return parsed;
            }
        };
        if let Some(error) = line.error {
            parsed.error = Some(error.0.into_owned());
            return parsed;
        }
        if let Some(message) = &line.message
            && let Some(kind) = message.kind()
        {
            let event = u32::try_from(number).unwrap_or(u32::MAX);
            parsed.tokens.push(TokenEvent { event, kind, tokens: 0 });
            parsed.text.push_str(message.content.as_ref().map_or("", |text| &text.0));
        }
        if line.done {
            done = true;
            end(&mut parsed, &line);
        }
    }
    if parsed.tokens.is_empty() {
        parsed.error = Some("the response had no token".into());
    } else if !done {
        parsed.error = Some("the response ended without the line that says `done`".into());
    }
    parsed
}

/// Takes what the last line says.
fn end(parsed: &mut Parsed, line: &Line<'_>) {
    let ms = |nanoseconds: u64| nanoseconds as f64 / 1e6;
    if line.eval_count.is_some() || line.prompt_eval_count.is_some() {
        parsed.usage = Some(Usage {
            output_tokens: line.eval_count,
            prompt_tokens: line.prompt_eval_count,
            ..Usage::default()
        });
    }
    parsed.finish_reason = line.done_reason.as_ref().map(|reason| reason.0.clone().into_owned());
    parsed.server_ttft_ms =
        line.prompt_eval_duration.map(|prompt| ms(prompt.saturating_add(line.load_duration.unwrap_or(0))));
    if line.total_duration.is_some() {
        let durations = json!({
            "total_ms": line.total_duration.map(ms),
            "load_ms": line.load_duration.map(ms),
            "prompt_eval_ms": line.prompt_eval_duration.map(ms),
            "eval_ms": line.eval_duration.map(ms),
        });
        parsed.extra = Some(durations.to_string());
    }
}
