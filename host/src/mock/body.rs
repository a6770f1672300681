//! What a generation request asks for, read without keeping its prompt.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::answer::Kind;
use super::http::Refusal;

/// Tokens of an answer if the request names no number: OpenAI's default for
/// completions, taken for chats as well.
pub(super) const DEFAULT_TOKENS: u64 = 16;

/// A prompt as the mock server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prompt {
    /// Words of the text, or number of token ids.
    pub(super) tokens: u64,
    /// Equal for equal prompts, different for different ones (but for 64-bit
    /// hash collisions).
    pub(super) digest: u64,
}

/// A request for text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GenerationRequest {
    pub(super) kind: Kind,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    /// Tokens asked for.
    pub(super) tokens: u64,
    pub(super) prompt: Prompt,
}

#[derive(Deserialize)]
struct Fields {
    prompt: Option<CompletionPrompt>,
    messages: Option<Messages>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<i64>,
    max_completion_tokens: Option<i64>,
    n: Option<i64>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

impl GenerationRequest {
    /// Reads the JSON body of a request to `/v1/completions` or
    /// `/v1/chat/completions`.
    pub(super) fn parse(kind: Kind, body: &[u8]) -> Result<Self, Refusal> {
        let fields: Fields = serde_json::from_slice(body)
            .map_err(|error| Refusal::bad(format!("malformed request body: {error}")))?;
        let (prompt, limit) = match kind {
            Kind::Completion => (fields.prompt.map(|p| p.0), fields.max_tokens),
            Kind::Chat => (fields.messages.map(|m| m.0), fields.max_completion_tokens.or(fields.max_tokens)),
        };
        let missing = || Refusal::bad(format!("field required: {}", kind.prompt_field()));
        let prompt = prompt.ok_or_else(missing)?;
        if fields.n.is_some_and(|n| n != 1) {
            return Err(Refusal::bad("the mock server gives one choice a request: n must be 1"));
        }
        let tokens = match limit {
            None => DEFAULT_TOKENS,
            Some(limit) => u64::try_from(limit)
                .ok()
                .filter(|&limit| limit > 0)
                .ok_or_else(|| Refusal::bad(format!("max_tokens must be at least 1, got {limit}")))?,
        };
        Ok(Self {
            kind,
            stream: fields.stream.unwrap_or(false),
            include_usage: fields.stream_options.and_then(|o| o.include_usage).unwrap_or(false),
            tokens,
            prompt,
        })
    }
}

fn words(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

fn text_prompt(text: &str) -> Prompt {
    let mut hasher = DefaultHasher::new();
    (Kind::Completion, 't', text).hash(&mut hasher);
    Prompt { tokens: words(text), digest: hasher.finish() }
}

/// Prompt of a completion: a text, a list of token ids, or a list of one of these.
struct CompletionPrompt(Prompt);

impl<'de> Deserialize<'de> for CompletionPrompt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CompletionPromptVisitor)
    }
}

struct CompletionPromptVisitor;

impl<'de> Visitor<'de> for CompletionPromptVisitor {
    type Value = CompletionPrompt;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of token ids")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<CompletionPrompt, E> {
        Ok(CompletionPrompt(text_prompt(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<CompletionPrompt, A::Error> {
        let mut hasher = DefaultHasher::new();
        (Kind::Completion, 'i').hash(&mut hasher);
        let mut ids = 0;
        while let Some(element) = seq.next_element()? {
            match element {
                Element::Id(id) => {
                    id.hash(&mut hasher);
                    ids += 1;
                }
                Element::Whole(prompt) => {
                    if ids > 0 || seq.next_element::<Element>()?.is_some() {
                        return Err(A::Error::custom("the mock server takes one prompt a request"));
                    }
                    return Ok(CompletionPrompt(prompt));
                }
            }
        }
        if ids == 0 {
            return Err(A::Error::custom("the prompt is an empty list"));
        }
        Ok(CompletionPrompt(Prompt { tokens: ids, digest: hasher.finish() }))
    }
}

enum Element {
    Id(u64),
    Whole(Prompt),
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ElementVisitor)
    }
}

struct ElementVisitor;

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = Element;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token id, a text or a list of token ids")
    }

    fn visit_u64<E: Error>(self, id: u64) -> Result<Element, E> {
        Ok(Element::Id(id))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Element, E> {
        Ok(Element::Whole(text_prompt(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Element, A::Error> {
        let mut hasher = DefaultHasher::new();
        (Kind::Completion, 'i').hash(&mut hasher);
        let mut tokens = 0;
        while let Some(id) = seq.next_element::<u64>()? {
            id.hash(&mut hasher);
            tokens += 1;
        }
        Ok(Element::Whole(Prompt { tokens, digest: hasher.finish() }))
    }
}

/// Messages of a chat: the words of every `content` text and of every `text`
/// part count, everything in them belongs to the digest.
struct Messages(Prompt);

impl<'de> Deserialize<'de> for Messages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut walk = Walk { hasher: DefaultHasher::new(), words: 0, counts: false };
        Kind::Chat.hash(&mut walk.hasher);
        deserializer.deserialize_seq(&mut walk)?;
        Ok(Self(Prompt { tokens: walk.words, digest: walk.hasher.finish() }))
    }
}

/// Hashes any JSON value and counts the words in it that count.
struct Walk {
    hasher: DefaultHasher,
    words: u64,
    /// Whether the words of a text at this place count.
    counts: bool,
}

impl<'de> DeserializeSeed<'de> for &mut Walk {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Walk {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of messages")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        ('b', value).hash(&mut self.hasher);
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        ('u', value).hash(&mut self.hasher);
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        ('i', value).hash(&mut self.hasher);
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        ('f', value.to_bits()).hash(&mut self.hasher);
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        'n'.hash(&mut self.hasher);
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        ('t', text).hash(&mut self.hasher);
        if self.counts {
            self.words += words(text);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.counts = false;
        '['.hash(&mut self.hasher);
        while seq.next_element_seed(&mut *self)?.is_some() {}
        ']'.hash(&mut self.hasher);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        '{'.hash(&mut self.hasher);
        while let Some(key) = map.next_key::<String>()? {
            key.hash(&mut self.hasher);
            self.counts = key == "content" || key == "text";
            map.next_value_seed(&mut *self)?;
        }
        self.counts = false;
        '}'.hash(&mut self.hasher);
        Ok(())
    }
}

/// Body of `/tokenize`.
#[derive(Deserialize)]
pub(super) struct TokenizeRequest {
    pub(super) prompt: String,
}

/// Body of `/detokenize`.
#[derive(Deserialize)]
pub(super) struct DetokenizeRequest {
    pub(super) tokens: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completion(body: &str) -> Result<GenerationRequest, Refusal> {
        GenerationRequest::parse(Kind::Completion, body.as_bytes())
    }

    fn chat(body: &str) -> Result<GenerationRequest, Refusal> {
        GenerationRequest::parse(Kind::Chat, body.as_bytes())
    }

    #[test]
    fn prompts_are_counted_by_the_stated_rule() {
        let tokens = |body: &str| completion(body).unwrap().prompt.tokens;
        assert_eq!(tokens(r#"{"prompt":"  one two\nthree "}"#), 3);
        assert_eq!(tokens(r#"{"prompt":["one two"]}"#), 2);
        assert_eq!(tokens(r#"{"prompt":[5,6,7,8]}"#), 4);
        assert_eq!(tokens(r#"{"prompt":[[5,6]]}"#), 2);
        assert_eq!(tokens(r#"{"prompt":""}"#), 0);
        let body = r#"{"messages":[{"role":"system","content":"be brief"},{"role":"user","content":
            [{"type":"text","text":"a b c"},{"type":"image_url","image_url":{"url":"data: not words"}}]}]}"#;
        assert_eq!(chat(body).unwrap().prompt.tokens, 5);
    }

    #[test]
    fn only_equal_prompts_have_equal_digests() {
        let digest = |body: &str| completion(body).unwrap().prompt.digest;
        assert_eq!(digest(r#"{"prompt":"a b"}"#), digest(r#"{"max_tokens":3,"prompt":["a b"]}"#));
        assert_eq!(digest(r#"{"prompt":[1,2]}"#), digest(r#"{"prompt":[[1,2]]}"#));
        assert_ne!(digest(r#"{"prompt":[1,2]}"#), digest(r#"{"prompt":[2,1]}"#));
        assert_ne!(digest(r#"{"prompt":"a b"}"#), digest(r#"{"prompt":"a  b"}"#));
        let digest = |url: &str| {
            let part = format!(r#"{{"type":"image_url","image_url":{{"url":"{url}"}}}}"#);
            chat(&format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#)).unwrap().prompt.digest
        };
        assert_eq!(digest("x"), digest("x"));
        assert_ne!(digest("x"), digest("y"));
    }

    #[test]
    fn lengths_and_streaming_are_read() {
        let request = chat(
            r#"{"messages":[],"max_tokens":1,"max_completion_tokens":7,"stream":true,
            "stream_options":{"include_usage":true,"other":1},"temperature":0}"#,
        )
        .unwrap();
        assert!(request.stream && request.include_usage);
        assert_eq!(request.tokens, 7);
        assert_eq!(completion(r#"{"prompt":"a"}"#).unwrap().tokens, DEFAULT_TOKENS);
    }

    #[test]
    fn requests_that_cannot_be_served_are_refused() {
        for body in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"prompt":null}"#,
            r#"{"prompt":[]}"#,
            r#"{"prompt":["a","b"]}"#,
            r#"{"prompt":[1,"b"]}"#,
            r#"{"prompt":[-1]}"#,
            r#"{"prompt":{"a":1}}"#,
            r#"{"prompt":"a","max_tokens":0}"#,
            r#"{"prompt":"a","max_tokens":-5}"#,
            r#"{"prompt":"a","max_tokens":"5"}"#,
            r#"{"prompt":"a","n":2}"#,
            r#"{"prompt":"a"} x"#,
        ] {
            assert_eq!(completion(body).unwrap_err().status, 400, "{body}");
        }
        assert_eq!(chat(r#"{"prompt":"a"}"#).unwrap_err().message, "field required: messages");
        assert!(chat(&format!(r#"{{"messages":{}}}"#, "[".repeat(100_000))).is_err());
    }
}
