//! Triton's generate extension, with the outputs of a TensorRT-LLM ensemble.

use serde_json::json;

use super::{About, Counts, Sink, Tokens, Writer, data, write_tokens};

/// Triton's answers. An ensemble reports no counts.
pub(super) struct Triton {
    /// An answer up to its text.
    open: Vec<u8>,
}

impl Triton {
    pub(super) fn new(about: &About<'_>) -> Self {
        let model = json!(about.model);
        let open = format!(
            r#"{{"model_name":{model},"model_version":"1","sequence_end":false,"sequence_id":0,"sequence_start":false,"text_output":""#
        );
        Self { open: open.into_bytes() }
    }
}

impl Writer for Triton {
    fn tokens(&mut self, sink: &mut Sink<'_>, tokens: &Tokens<'_>, _counts: &Counts) {
        sink.event(&[b"data: ", &self.open, tokens.text, b"\"}\n\n"]);
    }

    fn error(&mut self, sink: &mut Sink<'_>, message: &str) {
        data(sink, json!({"error": message}).to_string().as_bytes());
    }

    fn whole(&self, counts: &Counts) -> Vec<u8> {
        let mut body = self.open.clone();
        write_tokens(&mut body, 0, counts.output);
        body.extend_from_slice(b"\"}");
        body
    }
}
