//! `/v1/completions`.

use serde_json::json;

use super::openai::{done, error, garbage, usage};
use super::{About, Counts, Sink, Tokens, Writer, write_tokens};

/// Text completions.
pub(super) struct Completions {
    /// `{"id":…,"model":…,"choices":[`
    prefix: Vec<u8>,
}

impl Completions {
    pub(super) fn new(about: &About<'_>) -> Self {
        Self { prefix: prefix(about, "cmpl", "text_completion") }
    }
}

/// What all events of an answer begin with.
pub(super) fn prefix(about: &About<'_>, id: &str, object: &str) -> Vec<u8> {
    let lead = if about.streamed { "data: " } else { "" };
    let (id, model, created) = (json!(about.id(id)), json!(about.model), about.created);
    format!(r#"{lead}{{"id":{id},"object":"{object}","created":{created},"model":{model},"choices":["#)
        .into_bytes()
}

impl Writer for Completions {
    fn tokens(&mut self, sink: &mut Sink<'_>, tokens: &Tokens<'_>, _counts: &Counts) {
        let close: &[u8] = if tokens.last {
            b"\",\"logprobs\":null,\"finish_reason\":\"length\",\"stop_reason\":null}]}\n\n"
        } else {
            b"\",\"logprobs\":null,\"finish_reason\":null,\"stop_reason\":null}]}\n\n"
        };
        sink.event(&[&self.prefix, br#"{"index":0,"text":""#, tokens.text, close]);
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
        let mut body = self.prefix.clone();
        body.extend_from_slice(br#"{"index":0,"text":""#);
        write_tokens(&mut body, 0, counts.output);
        body.extend_from_slice(
            br#"","logprobs":null,"finish_reason":"length","stop_reason":null}],"usage":"#,
        );
        body.extend_from_slice(usage(counts).as_bytes());
        body.push(b'}');
        body
    }
}
