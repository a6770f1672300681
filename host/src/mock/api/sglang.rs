//! `/generate` of SGLang.

use std::io::Write as _;

use serde_json::json;

use super::openai::{done, error, garbage};
use super::{About, Counts, Sink, Tokens, Writer, write_tokens};

/// SGLang's answers: every event holds all of the text so far.
pub(super) struct Sglang {
    id: String,
    /// What has been written of the text.
    text: Vec<u8>,
    meta: Vec<u8>,
}

impl Sglang {
    pub(super) fn new(about: &About<'_>) -> Self {
        Self { id: json!(about.id("sgl")).to_string(), text: Vec::new(), meta: Vec::new() }
    }
}

fn write_meta(out: &mut Vec<u8>, id: &str, completion_tokens: u64, last: bool, counts: &Counts) {
    let reason = match last {
        true => format!(r#"{{"type":"length","length":{completion_tokens}}}"#),
        false => "null".to_owned(),
    };
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        r#""meta_info":{{"id":{id},"finish_reason":{reason},"prompt_tokens":{},"completion_tokens":{completion_tokens},"cached_tokens":{}"#,
        counts.prompt, counts.cached
    );
    if last {
        let _ = write!(out, r#","e2e_latency":{}"#, counts.total_ns as f64 / 1e9);
    }
    out.extend_from_slice(b"}}");
}

impl Writer for Sglang {
    fn tokens(&mut self, sink: &mut Sink<'_>, tokens: &Tokens<'_>, counts: &Counts) {
        self.text.extend_from_slice(tokens.text);
        self.meta.clear();
        write_meta(&mut self.meta, &self.id, tokens.first + tokens.count, tokens.last, counts);
        sink.event(&[br#"data: {"text":""#, &self.text, b"\",", &self.meta, b"\n\n"]);
    }

    fn closing(&mut self, sink: &mut Sink<'_>, _counts: &Counts) {
        done(sink);
    }

    fn error(&mut self, sink: &mut Sink<'_>, message: &str) {
        error(sink, message);
    }

    fn garbage(&mut self, sink: &mut Sink<'_>) {
        garbage(sink);
    }

    fn whole(&self, counts: &Counts) -> Vec<u8> {
        let mut body = br#"{"text":""#.to_vec();
        write_tokens(&mut body, 0, counts.output);
        body.extend_from_slice(b"\",");
        write_meta(&mut body, &self.id, counts.output, true, counts);
        body
    }
}
