//! Ollama's `/api/chat`: a JSON text a line.

use serde_json::{Value, json};

use super::{About, Counts, Part, Sink, Tokens, Writer};

/// Ollama's answers. The last line has the counts, and durations in nanoseconds.
pub(super) struct Ollama {
    /// `{"model":…,"created_at":…,"message":{"role":"assistant",`
    prefix: Vec<u8>,
    envelope: Value,
}

impl Ollama {
    pub(super) fn new(about: &About<'_>) -> Self {
        let created = jiff::Timestamp::from_second(about.created).unwrap_or_default().to_string();
        let prefix = format!(
            r#"{{"model":{},"created_at":{},"message":{{"role":"assistant","#,
            json!(about.model),
            json!(created)
        );
        Self { prefix: prefix.into_bytes(), envelope: json!({"model": about.model, "created_at": created}) }
    }

    fn last(&self, message: Value, counts: &Counts) -> Vec<u8> {
        let mut line = self.envelope.clone();
        line["message"] = message;
        line["done"] = true.into();
        line["done_reason"] = "length".into();
        line["total_duration"] = counts.total_ns.into();
        line["load_duration"] = 0.into();
        line["prompt_eval_count"] = counts.prompt.into();
        line["prompt_eval_duration"] = counts.ttft_ns.into();
        line["eval_count"] = counts.output.into();
        line["eval_duration"] = (counts.total_ns - counts.ttft_ns).into();
        let mut line = line.to_string().into_bytes();
        line.push(b'\n');
        line
    }
}

impl Writer for Ollama {
    fn stream_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn whole_type(&self) -> &'static str {
        "application/json; charset=utf-8"
    }

    fn tokens(&mut self, sink: &mut Sink<'_>, tokens: &Tokens<'_>, _counts: &Counts) {
        let (open, close): (&[u8], &[u8]) = match tokens.part {
            Part::Content => (br#""content":""#, b"\"},\"done\":false}\n"),
            Part::Reasoning => (br#""content":"","thinking":""#, b"\"},\"done\":false}\n"),
            Part::ToolCall => (
                br#""content":"","tool_calls":[{"function":{"name":"act","arguments":{"value":""#,
                b"\"}}}]},\"done\":false}\n",
            ),
        };
        sink.event(&[&self.prefix, open, tokens.text, close]);
    }

    fn closing(&mut self, sink: &mut Sink<'_>, counts: &Counts) {
        let line = self.last(json!({"role": "assistant", "content": ""}), counts);
        sink.event(&[&line]);
    }

    fn error(&mut self, sink: &mut Sink<'_>, message: &str) {
        sink.event(&[json!({"error": message}).to_string().as_bytes(), b"\n"]);
    }

    fn garbage(&mut self, sink: &mut Sink<'_>) {
        sink.event(&[b"{\"message\": [\xff\xfe garbage\n"]);
    }

    fn whole(&self, counts: &Counts) -> Vec<u8> {
        let content = counts.text(Part::Content).unwrap_or_default();
        let mut message = json!({"role": "assistant", "content": content});
        if let Some(text) = counts.text(Part::Reasoning) {
            message["thinking"] = text.into();
        }
        if let Some(text) = counts.text(Part::ToolCall) {
            message["tool_calls"] = json!([{"function": {"name": "act", "arguments": {"value": text}}}]);
        }
        self.last(message, counts)
    }
}
