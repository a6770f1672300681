//! Reading answers of the Messages API.

use serde_json::Value;
use vbench_plugin::openai::Text;
use vbench_plugin::prelude::*;

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    /// Of `content_block_delta` and `message_delta`.
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    content_block: Option<Block<'a>>,
    #[serde(default)]
    message: Option<Start>,
    #[serde(default)]
    usage: Option<Counts>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    stop_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
}

impl Block<'_> {
    /// What a block is part of; none if it is nothing that the model wrote.
    fn kind(&self) -> Option<TokenKind> {
        match self.kind.0.as_ref() {
            "text" => Some(TokenKind::Content),
            "thinking" | "redacted_thinking" => Some(TokenKind::Reasoning),
            "tool_use" | "server_tool_use" => Some(TokenKind::ToolCall),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct Start {
    #[serde(default)]
    usage: Option<Counts>,
}

/// Running totals. Tokens that were in the cache, or were written to it, are not
/// part of `input_tokens`.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
struct Counts {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
}

impl Counts {
    fn update(&mut self, later: Self) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.cache_creation_input_tokens =
            later.cache_creation_input_tokens.or(self.cache_creation_input_tokens);
        self.cache_read_input_tokens = later.cache_read_input_tokens.or(self.cache_read_input_tokens);
        self.output_tokens = later.output_tokens.or(self.output_tokens);
    }

    fn usage(self) -> Option<Usage> {
        let cached = self.cache_read_input_tokens;
        let beside = self.cache_creation_input_tokens.unwrap_or(0).saturating_add(cached.unwrap_or(0));
        let usage = Usage {
            output_tokens: self.output_tokens,
            prompt_tokens: self.input_tokens.map(|tokens| tokens.saturating_add(beside)),
            cached_tokens: cached,
            reasoning_tokens: None,
        };
        (usage != Usage::default()).then_some(usage)
    }
}

fn message_of(error: &Value) -> String {
    error["message"].as_str().or(error.as_str()).map_or_else(|| error.to_string(), Into::into)
}

/// Reads a stream.
pub(crate) fn read_stream(response: &Response) -> Parsed {
    let mut parsed = Parsed::default();
    let mut counts = Counts::default();
    let mut stopped = false;
    for (number, payload) in response.events().enumerate() {
        let event: Event<'_> = match serde_json::from_slice(payload) {
            Ok(event) => event,
            Err(error) => {
                parsed.error =
                    Some(format!("event {} of the response is not one of a message: {error}", number + 1));
                break;
            }
        };
        if let Some(error) = event.error.filter(|error| !error.is_null()) {
            parsed.error = Some(message_of(&error));
            break;
        }
        let mut token = |kind, text: Option<&Text<'_>>| {
            let event = u32::try_from(number).unwrap_or(u32::MAX);
            parsed.tokens.push(TokenEvent { event, kind, tokens: 0 });
            parsed.text.push_str(text.map_or("", |text| &text.0));
        };
        match (event.kind.0.as_ref(), &event.content_block, &event.delta) {
            // The name of a tool, and thoughts that are kept from the reader, come with their block.
            ("content_block_start", Some(block), _) => match block.kind() {
                Some(TokenKind::Content) if block.text.as_ref().is_some_and(|text| !text.0.is_empty()) => {
                    token(TokenKind::Content, block.text.as_ref());
                }
                Some(TokenKind::ToolCall) => token(TokenKind::ToolCall, None),
                Some(TokenKind::Reasoning) if block.kind.0 == "redacted_thinking" => {
                    token(TokenKind::Reasoning, None);
                }
                _ => {}
            },
            ("content_block_delta", _, Some(delta)) => {
                match delta.kind.as_ref().map(|kind| kind.0.as_ref()) {
                    Some("text_delta") => token(TokenKind::Content, delta.text.as_ref()),
                    Some("thinking_delta") => token(TokenKind::Reasoning, None),
                    Some("input_json_delta") => token(TokenKind::ToolCall, None),
                    // Signatures and citations are not written by the model token by token.
                    _ => {}
                }
            }
            ("message_delta", _, Some(delta)) => {
                parsed.finish_reason = delta.stop_reason.as_ref().map(|reason| reason.0.clone().into_owned());
            }
            ("message_stop", ..) => stopped = true,
            _ => {}
        }
        for reported in event.message.and_then(|message| message.usage).into_iter().chain(event.usage) {
            counts.update(reported);
        }
    }
    parsed.usage = counts.usage();
    if parsed.error.is_none() {
        parsed.error = if parsed.tokens.is_empty() {
            Some("the stream had no content".into())
        } else if !stopped {
            Some("the stream ended without the event message_stop".into())
        } else {
            None
        };
    }
    parsed
}

#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow, default)]
    content: Vec<Block<'a>>,
    #[serde(borrow, default)]
    stop_reason: Option<Text<'a>>,
    #[serde(default)]
    usage: Option<Counts>,
    #[serde(default)]
    error: Option<Value>,
}

/// Reads an answer in one piece, which is one token event, of content if there is any.
pub(crate) fn read_whole(response: &Response) -> Parsed {
    let failed = |error| Parsed { error: Some(error), ..Parsed::default() };
    let whole: Whole<'_> = match serde_json::from_slice(&response.body) {
        Ok(whole) => whole,
        Err(error) => return failed(format!("the response is not a message: {error}")),
    };
    if let Some(error) = whole.error.filter(|error| !error.is_null()) {
        return failed(message_of(&error));
    }
    let mut kinds: Vec<TokenKind> = whole.content.iter().filter_map(Block::kind).collect();
    kinds.sort_by_key(|kind| *kind != TokenKind::Content);
    let Some(&kind) = kinds.first() else { return failed("the response has no content".into()) };
    let texts = whole.content.iter().filter_map(|block| block.text.as_ref());
    Parsed {
        tokens: vec![TokenEvent { event: 0, kind, tokens: 0 }],
        text: texts.map(|text| text.0.as_ref()).collect(),
        usage: whole.usage.and_then(Counts::usage),
        finish_reason: whole.stop_reason.map(|reason| reason.0.into_owned()),
        ..Parsed::default()
    }
}
