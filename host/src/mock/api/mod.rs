//! The APIs that the mock server speaks: how each writes its answers.
//!
//! One file an API. A writer is made once an answer and renders what all its
//! events share then, so that an event costs a few copies and a number or two.
//! May depend on nothing else of the mock server.

mod chat;
mod completions;
mod llama_cpp;
mod messages;
mod ollama;
mod openai;
mod pooling;
mod responses;
mod sglang;
mod tgi;
mod triton;

use std::io::Write as _;

use serde_json::json;

pub(super) use openai::error_json;

/// An API with answers that take their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Api {
    /// OpenAI's completions.
    Completions,
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// `/generate` and `/generate_stream` of Text Generation Inference.
    Tgi,
    /// `/generate` of SGLang.
    Sglang,
    /// The generate extension of Triton, as TensorRT-LLM uses it.
    Triton,
    /// `/completion` of llama.cpp.
    LlamaCpp,
    /// Ollama's chat.
    Ollama,
    /// Embeddings and other answers without tokens.
    Pooling(Pooled),
}

/// What a pooling endpoint gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Pooled {
    /// `data` with an `embedding` an input.
    Embeddings,
    /// `data` with `data` an input.
    Pooling,
    /// `results` with a `relevance_score` a document.
    Rerank,
    /// `data` with a `score` a pair.
    Score,
}

impl Api {
    /// The API behind a path, for `POST`. SGLang's and TGI's `/generate` are
    /// told apart by the body.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        Some(match path {
            "/v1/completions" => Self::Completions,
            "/v1/chat/completions" => Self::Chat,
            "/v1/responses" => Self::Responses,
            "/v1/messages" => Self::Messages,
            "/generate" | "/generate_stream" => Self::Tgi,
            "/completion" => Self::LlamaCpp,
            "/api/chat" => Self::Ollama,
            "/v1/embeddings" | "/embeddings" => Self::Pooling(Pooled::Embeddings),
            "/pooling" => Self::Pooling(Pooled::Pooling),
            "/v1/rerank" | "/rerank" => Self::Pooling(Pooled::Rerank),
            "/score" | "/v1/score" => Self::Pooling(Pooled::Score),
            _ => {
                let model = path.strip_prefix("/v2/models/")?;
                let model = model.strip_suffix("/generate").or(model.strip_suffix("/generate_stream"))?;
                (!model.is_empty()).then_some(Self::Triton)?
            }
        })
    }

    /// A writer of one answer.
    pub(super) fn writer(self, about: &About<'_>) -> Box<dyn Writer> {
        match self {
            Self::Completions => Box::new(completions::Completions::new(about)),
            Self::Chat => Box::new(chat::Chat::new(about)),
            Self::Responses => Box::new(responses::Responses::new(about)),
            Self::Messages => Box::new(messages::Messages::new(about)),
            Self::Tgi => Box::new(tgi::Tgi::default()),
            Self::Sglang => Box::new(sglang::Sglang::new(about)),
            Self::Triton => Box::new(triton::Triton::new(about)),
            Self::LlamaCpp => Box::new(llama_cpp::LlamaCpp::new(about)),
            Self::Ollama => Box::new(ollama::Ollama::new(about)),
            Self::Pooling(kind) => Box::new(pooling::Pooling::new(kind, about)),
        }
    }

    /// The body of an error with this status, in the API's own form.
    pub(super) fn error_body(self, status: u16, message: &str) -> String {
        match self {
            Self::Messages => messages::error_json(message),
            Self::Tgi => tgi::error_json(message),
            Self::Triton | Self::Ollama => json!({"error": message}).to_string(),
            _ => error_json(status, message),
        }
    }
}

/// What an answer is an answer to.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    /// The client's id for it.
    pub(super) request_id: Option<&'a str>,
    /// Its number, for ids where the client gave none.
    pub(super) number: u64,
    /// `created` of everything, in seconds since 1970.
    pub(super) created: i64,
    pub(super) model: &'a str,
    pub(super) streamed: bool,
    /// Tokens of the prompt.
    pub(super) prompt_tokens: u64,
    /// Inputs that it holds (pooling).
    pub(super) inputs: u64,
}

impl About<'_> {
    /// An id with this beginning.
    fn id(&self, prefix: &str) -> String {
        match self.request_id {
            Some(id) => format!("{prefix}-{id}"),
            None => format!("{prefix}-mock-{}", self.number),
        }
    }
}

/// What a token is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Part {
    Reasoning,
    #[default]
    Content,
    ToolCall,
}

/// Which tokens of answers are no content: the first ones, and the last ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) reasoning: u64,
    pub(super) tool_call: u64,
}

impl Parts {
    /// What token `number` of an answer of `output` tokens is part of.
    pub(super) fn of(self, number: u64, output: u64) -> Part {
        if number < self.reasoning {
            Part::Reasoning
        } else if number >= output.saturating_sub(self.tool_call) {
            Part::ToolCall
        } else {
            Part::Content
        }
    }
}

/// Tokens that go out in one event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tokens<'a> {
    /// Number of the first of them, from 0.
    pub(super) first: u64,
    pub(super) count: u64,
    /// The answer ends with them.
    pub(super) last: bool,
    pub(super) part: Part,
    /// Needs no escapes in JSON.
    pub(super) text: &'a [u8],
}

/// Counts of a whole answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) prompt: u64,
    /// Those of the prompt that were in the prefix cache.
    pub(super) cached: u64,
    pub(super) output: u64,
    pub(super) parts: Parts,
    /// The client asked for usage in a stream of an API where it has to.
    pub(super) include_usage: bool,
    /// From entry into the batch to the first token.
    pub(super) ttft_ns: u64,
    /// From entry into the batch to the last token.
    pub(super) total_ns: u64,
}

impl Counts {
    /// Tokens of each part, as ranges.
    fn ranges(&self) -> [(Part, std::ops::Range<u64>); 3] {
        let reasoning = self.parts.reasoning.min(self.output);
        let tool_call = self.output.saturating_sub(self.parts.tool_call).max(reasoning);
        [
            (Part::Reasoning, 0..reasoning),
            (Part::Content, reasoning..tool_call),
            (Part::ToolCall, tool_call..self.output),
        ]
    }

    /// Text of a part; none if it has no tokens.
    fn text(&self, part: Part) -> Option<String> {
        let (_, range) = self.ranges().into_iter().find(|(p, range)| *p == part && !range.is_empty())?;
        let mut text = Vec::new();
        write_tokens(&mut text, range.start, range.end - range.start);
        String::from_utf8(text).ok()
    }
}

/// Text of `count` tokens from number `first`.
pub(super) fn write_tokens(out: &mut Vec<u8>, first: u64, count: u64) {
    for token in first..first + count {
        // Writing to a Vec cannot fail.
        let _ = write!(out, " w{token}");
    }
}

/// Where events go: each is a chunk if the body is chunked.
pub(super) struct Sink<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) chunked: bool,
}

impl Sink<'_> {
    /// Writes an event, framing of the format included.
    pub(super) fn event(&mut self, parts: &[&[u8]]) {
        if self.chunked {
            let length: usize = parts.iter().map(|part| part.len()).sum();
            // Writing to a Vec cannot fail.
            let _ = write!(self.out, "{length:x}\r\n");
        }
        for part in parts {
            self.out.extend_from_slice(part);
        }
        if self.chunked {
            self.out.extend_from_slice(b"\r\n");
        }
    }
}

/// How an API writes one answer.
pub(super) trait Writer: Send {
    /// Content type of a stream.
    fn stream_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    /// Content type of an answer in one piece.
    fn whole_type(&self) -> &'static str {
        "application/json"
    }

    /// Events before the first token.
    fn opening(&mut self, _sink: &mut Sink<'_>) {}

    /// An event with tokens.
    fn tokens(&mut self, sink: &mut Sink<'_>, tokens: &Tokens<'_>, counts: &Counts);

    /// Events after the last token.
    fn closing(&mut self, _sink: &mut Sink<'_>, _counts: &Counts) {}

    /// An error inside a stream; its end included.
    fn error(&mut self, sink: &mut Sink<'_>, message: &str);

    /// An event that is neither JSON nor UTF-8; the stream's end included.
    fn garbage(&mut self, sink: &mut Sink<'_>) {
        sink.event(&[b"data: {\"choices\": [\xff\xfe garbage\n\n"]);
    }

    /// An answer that is not streamed.
    fn whole(&self, counts: &Counts) -> Vec<u8>;
}

/// Payload as an unnamed server-sent event.
fn data(sink: &mut Sink<'_>, payload: &[u8]) {
    sink.event(&[b"data: ", payload, b"\n\n"]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_apis() {
        assert_eq!(Api::of_path("/v2/models/ensemble/generate_stream"), Some(Api::Triton));
        assert_eq!(Api::of_path("/v2/models/a/generate"), Some(Api::Triton));
        for path in
            ["/v2/models//generate", "/v2/models/a", "/v2/models/a/infer", "/generatex", "/v1/embedding"]
        {
            assert_eq!(Api::of_path(path), None, "{path}");
        }
    }

    #[test]
    fn the_parts_of_an_answer_cover_it() {
        for (reasoning, tool_call, output) in [(0, 0, 5), (2, 1, 5), (9, 9, 5), (3, 4, 5), (0, 5, 5)] {
            let parts = Parts { reasoning, tool_call };
            let counts = Counts { output, parts, ..Counts::default() };
            let mut next = 0;
            for (part, range) in counts.ranges() {
                assert_eq!(range.start.min(output), next);
                assert!(range.clone().all(|token| parts.of(token, output) == part), "{parts:?}");
                next = range.end;
            }
            assert_eq!(next, output);
        }
    }
}
