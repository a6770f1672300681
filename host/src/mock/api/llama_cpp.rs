//! `/completion` of llama.cpp's server.

use serde_json::{Value, json};

use super::{About, Counts, Part, Parts, Sink, Tokens, Writer, data, error_json};

/// llama.cpp's answers. After the last token comes an event without text that
/// has the counts.
pub(super) struct LlamaCpp {
    model: String,
}

impl LlamaCpp {
    pub(super) fn new(about: &About<'_>) -> Self {
        Self { model: about.model.to_owned() }
    }

    fn last(&self, content: &str, counts: &Counts) -> Value {
        let ms = |ns: u64| ns as f64 / 1e6;
        json!({
            "index": 0,
            "content": content,
            "tokens": [],
            "id_slot": 0,
            "stop": true,
            "model": self.model,
            "tokens_predicted": counts.output,
            "tokens_evaluated": counts.prompt,
            "stop_type": "limit",
            "truncated": false,
            "tokens_cached": counts.prompt + counts.output,
            "timings": {
                "cache_n": counts.cached,
                "prompt_n": counts.prompt - counts.cached,
                "prompt_ms": ms(counts.ttft_ns),
                "predicted_n": counts.output,
                "predicted_ms": ms(counts.total_ns - counts.ttft_ns),
            },
        })
    }
}

impl Writer for LlamaCpp {
    fn tokens(&mut self, sink: &mut Sink<'_>, tokens: &Tokens<'_>, _counts: &Counts) {
        let open = br#"data: {"index":0,"content":""#;
        sink.event(&[open, tokens.text, b"\",\"tokens\":[],\"stop\":false,\"id_slot\":0}\n\n"]);
    }

    fn closing(&mut self, sink: &mut Sink<'_>, counts: &Counts) {
        data(sink, self.last("", counts).to_string().as_bytes());
    }

    fn error(&mut self, sink: &mut Sink<'_>, message: &str) {
        data(sink, error_json(500, message).as_bytes());
    }

    fn whole(&self, counts: &Counts) -> Vec<u8> {
        let plain = Counts { parts: Parts::default(), ..*counts };
        self.last(&plain.text(Part::Content).unwrap_or_default(), counts).to_string().into_bytes()
    }
}
