//! `/v1/chat/completions`.

use serde_json::json;

use super::completions::prefix;
use super::openai::{done, error, garbage, tool_call, usage};
use super::{About, Counts, Part, Sink, Tokens, Writer};

/// Chat completions.
pub(super) struct Chat {
    /// `{"id":…,"model":…,"choices":[`
    prefix: Vec<u8>,
    /// The tool has been named.
    calls: bool,
}

impl Chat {
    pub(super) fn new(about: &About<'_>) -> Self {
        let object = if about.streamed { "chat.completion.chunk" } else { "chat.completion" };
        Self { prefix: prefix(about, "chatcmpl", object), calls: false }
    }
}

impl Writer for Chat {
    fn opening(&mut self, sink: &mut Sink<'_>) {
        let choice: &[u8] = br#"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}"#;
        sink.event(&[&self.prefix, choice, b"\n\n"]);
    }

    fn tokens(&mut self, sink: &mut Sink<'_>, tokens: &Tokens<'_>, _counts: &Counts) {
        let (open, close): (&[u8], &[u8]) = match tokens.part {
            Part::Content => (br#"{"index":0,"delta":{"content":""#, b"\"}"),
            Part::Reasoning => (br#"{"index":0,"delta":{"reasoning":""#, b"\"}"),
            Part::ToolCall if std::mem::replace(&mut self.calls, true) => {
                (br#"{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":""#, b"\"}}]}")
            }
            Part::ToolCall => (
                br#"{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call-mock","type":"function","function":{"name":"act","arguments":""#,
                b"\"}}]}",
            ),
        };
        let reason: &[u8] = match (tokens.last, tokens.part) {
            (false, _) => b",\"logprobs\":null,\"finish_reason\":null}]}\n\n",
            (true, Part::ToolCall) => {
                b",\"logprobs\":null,\"finish_reason\":\"tool_calls\",\"stop_reason\":null}]}\n\n"
            }
            (true, _) => b",\"logprobs\":null,\"finish_reason\":\"length\",\"stop_reason\":null}]}\n\n",
        };
        sink.event(&[&self.prefix, open, tokens.text, close, reason]);
    }

    fn closing(&mut self, sink: &mut Sink<'_>, counts: &Counts) {
        if counts.include_usage {
            sink.event(&[&self.prefix, b"],\"usage\":", usage(counts).as_bytes(), b"}\n\n"]);
        }
        done(sink);
    }

    fn error(&mut self, sink: &mut Sink<'_>, message: &str) {
        error(sink, message);
    }

    fn garbage(&mut self, sink: &mut Sink<'_>) {
        garbage(sink);
    }

    fn whole(&self, counts: &Counts) -> Vec<u8> {
        let mut message = json!({"role": "assistant", "content": counts.text(Part::Content)});
        if let Some(text) = counts.text(Part::Reasoning) {
            message["reasoning"] = text.into();
        }
        let calls = counts.text(Part::ToolCall);
        let reason = if calls.is_some() { "tool_calls" } else { "length" };
        if let Some(text) = calls {
            message["tool_calls"] = json!([tool_call(&text)]);
        }
        let mut body = self.prefix.clone();
        body.extend_from_slice(br#"{"index":0,"message":"#);
        body.extend_from_slice(message.to_string().as_bytes());
        body.extend_from_slice(
            format!(r#","logprobs":null,"finish_reason":"{reason}","stop_reason":null}}],"usage":"#)
                .as_bytes(),
        );
        body.extend_from_slice(usage(counts).as_bytes());
        body.push(b'}');
        body
    }
}
