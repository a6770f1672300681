//! Prompts in the forms in which requests hold them, read without being kept.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A prompt as the mock server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prompt {
    /// Words of the text, or number of token ids.
    pub(super) tokens: u64,
    /// Equal for equal prompts, different for different ones (but for 64-bit
    /// hash collisions).
    pub(super) digest: u64,
}

impl Prompt {
    /// Several prompts as one.
    pub(super) fn join(prompts: impl IntoIterator<Item = Self>) -> Self {
        let mut hasher = DefaultHasher::new();
        let mut tokens = 0;
        for prompt in prompts {
            prompt.digest.hash(&mut hasher);
            tokens += prompt.tokens;
        }
        Self { tokens, digest: hasher.finish() }
    }
}

fn words(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

fn text_prompt(text: &str) -> Prompt {
    let mut hasher = DefaultHasher::new();
    ('t', text).hash(&mut hasher);
    Prompt { tokens: words(text), digest: hasher.finish() }
}

/// A text, a list of token ids, or a list of one of these or of messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inputs {
    /// All of them as one.
    pub(super) prompt: Prompt,
    /// How many there are; messages are one together.
    pub(super) count: u64,
    /// They are messages of a chat.
    pub(super) chat: bool,
}

impl<'de> Deserialize<'de> for Inputs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InputsVisitor)
    }
}

struct InputsVisitor;

impl<'de> Visitor<'de> for InputsVisitor {
    type Value = Inputs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of token ids")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Inputs, E> {
        Ok(Inputs { prompt: text_prompt(text), count: 1, chat: false })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Inputs, A::Error> {
        let mut ids = DefaultHasher::new();
        'i'.hash(&mut ids);
        let mut id_count = 0;
        let (mut wholes, mut messages) = (Vec::new(), Vec::new());
        while let Some(element) = seq.next_element()? {
            match element {
                Element::Id(id) => {
                    id.hash(&mut ids);
                    id_count += 1;
                }
                Element::Whole(prompt) => wholes.push(prompt),
                Element::Message(prompt) => messages.push(prompt),
            }
        }
        match (id_count, wholes.as_slice(), messages.is_empty()) {
            (0, [], true) => Err(A::Error::custom("the prompt is an empty list")),
            (_, [], true) => {
                let prompt = Prompt { tokens: id_count, digest: ids.finish() };
                Ok(Inputs { prompt, count: 1, chat: false })
            }
            (0, [prompt], true) => Ok(Inputs { prompt: *prompt, count: 1, chat: false }),
            (0, prompts, true) => {
                let count = prompts.len() as u64;
                Ok(Inputs { prompt: Prompt::join(wholes), count, chat: false })
            }
            (0, [], false) => Ok(Inputs { prompt: Prompt::join(messages), count: 1, chat: true }),
            _ => Err(A::Error::custom("the prompt is a list of different things")),
        }
    }
}

enum Element {
    Id(u64),
    Whole(Prompt),
    Message(Prompt),
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
        f.write_str("a token id, a text, a list of token ids or a message")
    }

    fn visit_u64<E: Error>(self, id: u64) -> Result<Element, E> {
        Ok(Element::Id(id))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Element, E> {
        Ok(Element::Whole(text_prompt(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Element, A::Error> {
        let mut hasher = DefaultHasher::new();
        'i'.hash(&mut hasher);
        let mut tokens = 0;
        while let Some(id) = seq.next_element::<u64>()? {
            id.hash(&mut hasher);
            tokens += 1;
        }
        Ok(Element::Whole(Prompt { tokens, digest: hasher.finish() }))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Element, A::Error> {
        let mut walk = Walk::default();
        (&mut walk).visit_map(map)?;
        Ok(Element::Message(Prompt { tokens: walk.words, digest: walk.hasher.finish() }))
    }
}

/// Messages of a chat: the words of every `content` text and of every `text`
/// part count, everything in them belongs to the digest.
pub(super) struct Messages(pub(super) Prompt);

impl<'de> Deserialize<'de> for Messages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut walk = Walk::default();
        deserializer.deserialize_seq(&mut walk)?;
        Ok(Self(Prompt { tokens: walk.words, digest: walk.hasher.finish() }))
    }
}

/// Hashes any JSON value and counts the words in it that count.
#[derive(Default)]
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
