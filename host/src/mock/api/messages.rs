//! `/v1/messages`.

use serde_json::{Value, json};

use super::{About, Counts, Part, Sink, Tokens, Writer};

/// Anthropic's messages. Each part of an answer is a content block.
pub(super) struct Messages {
    id: String,
    model: String,
    prompt_tokens: u64,
    /// The block that is open, and its number.
    block: Option<(Part, usize)>,
}

impl Messages {
    pub(super) fn new(about: &About<'_>) -> Self {
        Self {
            id: about.id("msg"),
            model: about.model.to_owned(),
            prompt_tokens: about.prompt_tokens,
            block: None,
        }
    }

    fn message(&self, content: Vec<Value>, reason: Option<&str>, usage: Value) -> Value {
        json!({"id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": content,
            "stop_reason": reason, "stop_sequence": null, "usage": usage})
    }

    fn open(&mut self, sink: &mut Sink<'_>, part: Part) {
        let index = match self.block {
            Some((open, _)) if open == part => return,
            Some((_, index)) => {
                event(sink, &json!({"type": "content_block_stop", "index": index}));
                index + 1
            }
            None => 0,
        };
        self.block = Some((part, index));
        event(
            sink,
            &json!({"type": "content_block_start", "index": index, "content_block": block(part, "")}),
        );
    }
}

/// A content block with this text.
fn block(part: Part, text: &str) -> Value {
    match part {
        Part::Content => json!({"type": "text", "text": text}),
        Part::Reasoning => json!({"type": "thinking", "thinking": text, "signature": ""}),
        Part::ToolCall => {
            let input = if text.is_empty() { json!({}) } else { json!({"value": text}) };
            json!({"type": "tool_use", "id": "toolu-mock", "name": "act", "input": input})
        }
    }
}

/// Tokens as Anthropic counts them: `input_tokens` leaves out what was cached.
fn usage(counts: &Counts) -> Value {
    json!({"input_tokens": counts.prompt.saturating_sub(counts.cached), "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": counts.cached, "output_tokens": counts.output})
}

/// The body of an error.
pub(super) fn error_json(message: &str) -> String {
    json!({"type": "error", "error": {"type": "api_error", "message": message}}).to_string()
}

fn event(sink: &mut Sink<'_>, payload: &Value) {
    let name = payload["type"].as_str().unwrap_or_default();
    sink.event(&[b"event: ", name.as_bytes(), b"\ndata: ", payload.to_string().as_bytes(), b"\n\n"]);
}

impl Writer for Messages {
    fn opening(&mut self, sink: &mut Sink<'_>) {
        let counts = Counts { prompt: self.prompt_tokens, output: 1, ..Counts::default() };
        event(
            sink,
            &json!({"type": "message_start", "message": self.message(Vec::new(), None, usage(&counts))}),
        );
        event(sink, &json!({"type": "ping"}));
    }

    fn tokens(&mut self, sink: &mut Sink<'_>, tokens: &Tokens<'_>, _counts: &Counts) {
        self.open(sink, tokens.part);
        let index = self.block.map_or(0, |(_, index)| index).to_string();
        let open: &[u8] = match tokens.part {
            Part::Content => b",\"delta\":{\"type\":\"text_delta\",\"text\":\"",
            Part::Reasoning => b",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"",
            Part::ToolCall => b",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"",
        };
        let lead = b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":";
        sink.event(&[lead, index.as_bytes(), open, tokens.text, b"\"}}\n\n"]);
    }

    fn closing(&mut self, sink: &mut Sink<'_>, counts: &Counts) {
        let (part, index) = self.block.unwrap_or_default();
        event(sink, &json!({"type": "content_block_stop", "index": index}));
        let reason = if part == Part::ToolCall { "tool_use" } else { "max_tokens" };
        let delta = json!({"stop_reason": reason, "stop_sequence": null});
        event(sink, &json!({"type": "message_delta", "delta": delta, "usage": usage(counts)}));
        event(sink, &json!({"type": "message_stop"}));
    }

    fn error(&mut self, sink: &mut Sink<'_>, message: &str) {
        sink.event(&[b"event: error\ndata: ", error_json(message).as_bytes(), b"\n\n"]);
    }

    fn whole(&self, counts: &Counts) -> Vec<u8> {
        let parts = [Part::Reasoning, Part::Content, Part::ToolCall];
        let blocks: Vec<Value> =
            parts.iter().filter_map(|&part| Some(block(part, &counts.text(part)?))).collect();
        let calls = counts.text(Part::ToolCall).is_some();
        let reason = if calls { "tool_use" } else { "max_tokens" };
        self.message(blocks, Some(reason), usage(counts)).to_string().into_bytes()
    }
}
