//! `/generate_stream` and `/generate` of Text Generation Inference.

use std::io::Write as _;

use serde_json::json;

use super::{Counts, Sink, Tokens, Writer, write_tokens};

/// TGI's answers. Its events hold one token each; several tokens of ours are
/// one of its.
#[derive(Default)]
pub(super) struct Tgi {
    text: Vec<u8>,
}

/// The body of an error.
pub(super) fn error_json(message: &str) -> String {
    json!({"error": message, "error_type": "generation"}).to_string()
}

fn details(counts: &Counts) -> String {
    format!(
        r#"{{"finish_reason":"length","generated_tokens":{},"seed":null,"input_length":{}}}"#,
        counts.output, counts.prompt
    )
}

impl Writer for Tgi {
    fn tokens(&mut self, sink: &mut Sink<'_>, tokens: &Tokens<'_>, counts: &Counts) {
        self.text.clear();
        let number = tokens.first + tokens.count;
        // Writing to a Vec cannot fail.
        let _ = write!(self.text, r#"data:{{"index":{number},"token":{{"id":{},"text":""#, tokens.first);
        self.text.extend_from_slice(tokens.text);
        self.text.extend_from_slice(br#"","logprob":-1.0,"special":false},"generated_text":"#);
        if tokens.last {
            self.text.push(b'"');
            write_tokens(&mut self.text, 0, counts.output);
            let _ = write!(self.text, r#"","details":{}}}"#, details(counts));
        } else {
            self.text.extend_from_slice(br#"null,"details":null}"#);
        }
        sink.event(&[&self.text, b"\n\n"]);
    }

    fn error(&mut self, sink: &mut Sink<'_>, message: &str) {
        sink.event(&[b"data:", error_json(message).as_bytes(), b"\n\n"]);
    }

    fn whole(&self, counts: &Counts) -> Vec<u8> {
        let mut body = br#"{"generated_text":""#.to_vec();
        write_tokens(&mut body, 0, counts.output);
        body.extend_from_slice(format!(r#"","details":{}}}"#, details(counts)).as_bytes());
        body
    }
}
