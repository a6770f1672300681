//! `/v1/responses`.

use serde_json::{Value, json};

use super::{About, Counts, Part, Sink, Tokens, Writer};

/// Responses.
pub(super) struct Responses {
    /// `id`, `object`, `created_at` and `model`.
    envelope: Value,
}

impl Responses {
    pub(super) fn new(about: &About<'_>) -> Self {
        let (id, created, model) = (about.id("resp"), about.created, about.model);
        Self { envelope: json!({"id": id, "object": "response", "created_at": created, "model": model}) }
    }

    fn response(&self, status: &str, counts: Option<&Counts>) -> Value {
        let mut response = self.envelope.clone();
        response["status"] = status.into();
        response["error"] = Value::Null;
        let mut output = Vec::new();
        if let Some(counts) = counts {
            if let Some(text) = counts.text(Part::Reasoning) {
                output.push(
                    json!({"type": "reasoning", "content": [{"type": "reasoning_text", "text": text}]}),
                );
            }
            if let Some(text) = counts.text(Part::Content) {
                let part = json!({"type": "output_text", "text": text, "annotations": []});
                output.push(json!({"type": "message", "role": "assistant", "content": [part]}));
            }
            if let Some(text) = counts.text(Part::ToolCall) {
                output.push(json!({"type": "function_call", "call_id": "call-mock", "name": "act", "arguments": text}));
            }
            response["usage"] = json!({
                "input_tokens": counts.prompt,
                "input_tokens_details": {"cached_tokens": counts.cached},
                "output_tokens": counts.output,
                "output_tokens_details": {"reasoning_tokens": counts.parts.reasoning.min(counts.output)},
                "total_tokens": counts.prompt + counts.output,
            });
            response["incomplete_details"] = json!({"reason": "max_output_tokens"});
        }
        response["output"] = output.into();
        response
    }
}

/// An event under its own name.
fn event(sink: &mut Sink<'_>, payload: &Value) {
    let name = payload["type"].as_str().unwrap_or_default();
    sink.event(&[b"event: ", name.as_bytes(), b"\ndata: ", payload.to_string().as_bytes(), b"\n\n"]);
}

impl Writer for Responses {
    fn opening(&mut self, sink: &mut Sink<'_>) {
        event(sink, &json!({"type": "response.created", "response": self.response("in_progress", None)}));
    }

    fn tokens(&mut self, sink: &mut Sink<'_>, tokens: &Tokens<'_>, _counts: &Counts) {
        let open: &[u8] = match tokens.part {
            Part::Content => {
                b"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\""
            }
            Part::Reasoning => {
                b"event: response.reasoning_text.delta\ndata: {\"type\":\"response.reasoning_text.delta\",\"output_index\":0,\"delta\":\""
            }
            Part::ToolCall => {
                b"event: response.function_call_arguments.delta\ndata: {\"type\":\"response.function_call_arguments.delta\",\"output_index\":0,\"delta\":\""
            }
        };
        sink.event(&[open, tokens.text, b"\"}\n\n"]);
    }

    fn closing(&mut self, sink: &mut Sink<'_>, counts: &Counts) {
        event(
            sink,
            &json!({"type": "response.incomplete", "response": self.response("incomplete", Some(counts))}),
        );
    }

    fn error(&mut self, sink: &mut Sink<'_>, message: &str) {
        event(sink, &json!({"type": "error", "code": "server_error", "message": message}));
    }

    fn whole(&self, counts: &Counts) -> Vec<u8> {
        self.response("incomplete", Some(counts)).to_string().into_bytes()
    }
}
