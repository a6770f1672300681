//! Tokenizers for tests.

use crate::tokenizer::Info;
use crate::{Error, Result};

/// A tokenizer that a test puts in the host's place.
pub trait HostTokenizer {
    /// Facts that sampling depends on.
    fn describe(&self) -> Info;

    /// Ascending ids of the whole vocabulary.
    fn vocabulary_ids(&self) -> Vec<u32> {
        (0..self.describe().full_vocab_size).collect()
    }

    /// Tokens of a text.
    fn encode(&self, text: &str, add_special_tokens: bool) -> Vec<u32>;

    /// Text of a sequence.
    fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> String;

    /// A conversation as text. The default writes `role: content` lines, then
    /// `assistant: ` where an answer is asked for; contents that are no
    /// strings, tools and options are refused.
    fn render_chat(
        &self,
        messages: &str,
        tools: Option<&str>,
        add_generation_prompt: bool,
        template_options: Option<&str>,
    ) -> Result<String> {
        if tools.is_some() || template_options.is_some() {
            return Err(Error::unsupported("this test tokenizer's template knows neither tools nor options"));
        }
        let messages: Vec<Message> = serde_json::from_str(messages)
            .map_err(|error| Error::input(format!("not a list of messages with text: {error}")))?;
        let mut text: String =
            messages.iter().map(|message| format!("{}: {}\n", message.role, message.content)).collect();
        if add_generation_prompt {
            text.push_str("assistant: ");
        }
        Ok(text)
    }
}

#[derive(serde::Deserialize)]
struct Message {
    role: String,
    content: String,
}

/// A token a byte, and the special token `<s>` (256), which begins a sequence.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByteTokenizer;

impl ByteTokenizer {
    const BEGIN: u32 = 256;
    const BEGIN_TEXT: &'static str = "<s>";
}

impl HostTokenizer for ByteTokenizer {
    fn describe(&self) -> Info {
        Info {
            name: "bytes".into(),
            vocab_size: 256,
            full_vocab_size: 257,
            special_ids: vec![Self::BEGIN],
            added_special_ids: vec![Self::BEGIN],
            specials_per_sequence: 1,
            has_chat_template: true,
        }
    }

    fn encode(&self, text: &str, add_special_tokens: bool) -> Vec<u32> {
        let mut ids: Vec<u32> = if add_special_tokens { vec![Self::BEGIN] } else { Vec::new() };
        for (number, piece) in text.split(Self::BEGIN_TEXT).enumerate() {
            if number > 0 {
                ids.push(Self::BEGIN);
            }
            ids.extend(piece.bytes().map(u32::from));
        }
        ids
    }

    fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> String {
        let mut bytes = Vec::with_capacity(ids.len());
        for &id in ids {
            match u8::try_from(id) {
                Ok(byte) => bytes.push(byte),
                Err(_) if id == Self::BEGIN && !skip_special_tokens => {
                    bytes.extend_from_slice(Self::BEGIN_TEXT.as_bytes());
                }
                Err(_) => {}
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
