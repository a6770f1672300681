//! `tokenizer.json` to pipeline, quickly.
//!
//! The library reads a `tokenizer.json` into a tree of JSON values before it
//! builds the model, which takes long where the vocabulary has 128k tokens. For
//! a BPE model the file is read once here, its vocabulary and merges without a
//! copy; everything else in it is small and takes the library's own way. What
//! this does not understand takes the library's way as a whole.

use std::fmt;
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};
use tokenizers::models::bpe::BPE;
use tokenizers::{AddedToken, ModelWrapper};

use super::Error;
use super::byte_bpe::ByteBpe;
use super::pipeline::{AnyModel, Pipeline};
use super::source::read_text;

/// Loads a `tokenizer.json`.
pub(super) fn load(path: &Path) -> Result<Pipeline, Error> {
    let text = read_text(path)?;
    let invalid = |message: String| Error::Invalid { path: path.to_owned(), message };
    match quick(&text) {
        Quick::Loaded(pipeline) => Ok(*pipeline),
        Quick::Broken(message) => Err(invalid(message)),
        Quick::Unknown => serde_json::from_str(&text).map_err(|error| invalid(error.to_string())),
    }
}

enum Quick {
    Loaded(Box<Pipeline>),
    /// A BPE model that cannot work, and would make the library panic.
    Broken(String),
    Unknown,
}

fn quick(text: &str) -> Quick {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let Ok(file) = FileSeed.deserialize(&mut deserializer) else { return Quick::Unknown };
    if deserializer.end().is_err() {
        return Quick::Unknown;
    }
    let (Some(model), mut rest) = (file.model, file.rest) else { return Quick::Unknown };
    if let Err(message) = model.check() {
        return Quick::Broken(message);
    }
    let added = rest.insert("added_tokens".to_owned(), json!([])).unwrap_or(json!([]));
    let Ok(added) = serde_json::from_value::<Vec<AddedToken>>(added) else { return Quick::Unknown };
    // Whether the model sees nothing but the letters of bytes.
    let bytes_only = ["normalizer", "pre_tokenizer"]
        .iter()
        .filter_map(|part| rest.get(*part))
        .any(|part| part.to_string().contains(r#""type":"ByteLevel""#));
    // The library builds everything around the model, with an empty one.
    rest.insert("model".to_owned(), json!({ "type": "BPE", "vocab": {}, "merges": [] }));
    let Ok(mut pipeline) = serde_json::from_value::<Pipeline>(Value::Object(rest)) else {
        return Quick::Unknown;
    };
    let byte_bpe = if bytes_only { ByteBpe::build(&model) } else { Ok(None) };
    let model = match byte_bpe {
        Ok(Some(model)) => AnyModel::ByteBpe(Box::new(model)),
        Ok(None) => match model.into_library() {
            Ok(model) => AnyModel::Library(Box::new(ModelWrapper::BPE(model))),
            Err(error) => return Quick::Broken(error.to_string()),
        },
        Err(message) => return Quick::Broken(message),
    };
    pipeline.with_model(model);
    if pipeline.add_tokens(added).is_err() {
        return Quick::Unknown;
    }
    Quick::Loaded(Box::new(pipeline))
}

/// A `tokenizer.json` with a BPE model.
struct File {
    model: Option<BpeModel>,
    rest: Map<String, Value>,
}

/// The `model` of a `tokenizer.json`, its `type` being `BPE`.
#[derive(Default)]
pub(super) struct BpeModel {
    pub(super) dropout: Option<f32>,
    pub(super) unk_token: Option<String>,
    pub(super) continuing_subword_prefix: Option<String>,
    pub(super) end_of_word_suffix: Option<String>,
    pub(super) fuse_unk: bool,
    pub(super) byte_fallback: bool,
    pub(super) ignore_merges: bool,
    /// Tokens and their ids, as they stand.
    pub(super) vocab: Vocab,
    /// Pairs of tokens by rank.
    pub(super) merges: Merges,
}

/// The tokens of a file, one after the other in one text, with their ids. Like
/// [`Merges`] it is that compact because a start waits for the memory it takes.
#[derive(Default)]
pub(super) struct Vocab {
    text: String,
    /// The end of each token in the text, and its id.
    tokens: Vec<(u32, u32)>,
}

impl Vocab {
    /// Number of tokens.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// All tokens, without anything between them.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The tokens and their ids, in the order of the file.
    pub(super) fn tokens(&self) -> impl Iterator<Item = (&str, u32)> {
        self.tokens.iter().scan(0, |start, &(end, id)| {
            let span = *start..end as usize;
            *start = end as usize;
            Some((self.text.get(span).unwrap_or_default(), id))
        })
    }

    #[cfg(test)]
    pub(super) fn push(&mut self, token: &str, id: u32) {
        self.text.push_str(token);
        self.tokens.push((self.text.len() as u32, id));
    }
}

/// The merges of a file, each as the text it makes and the place where its two
/// tokens meet.
#[derive(Default)]
pub(super) struct Merges {
    text: String,
    spans: Vec<MergeSpan>,
}

/// Where a merge is in the text of all.
#[derive(Clone, Copy)]
pub(super) struct MergeSpan {
    start: u32,
    middle: u32,
    end: u32,
}

/// Two tokens, and one after the other.
pub(super) struct Merge<'a> {
    pub(super) left: &'a str,
    pub(super) right: &'a str,
    pub(super) joined: &'a str,
}

impl Merges {
    /// By rank.
    pub(super) fn spans(&self) -> &[MergeSpan] {
        &self.spans
    }

    /// The merge of a span.
    pub(super) fn get(&self, span: MergeSpan) -> Merge<'_> {
        let part = |from: u32, to: u32| self.text.get(from as usize..to as usize).unwrap_or_default();
        Merge {
            left: part(span.start, span.middle),
            right: part(span.middle, span.end),
            joined: part(span.start, span.end),
        }
    }

    /// Adds the merge whose tokens were appended to the text from `start`, meeting in `middle`.
    fn close<E: serde::de::Error>(&mut self, start: u32, middle: u32) -> Result<(), E> {
        let end = length(&self.text)?;
        self.spans.push(MergeSpan { start, middle, end });
        Ok(())
    }
}

/// The length of a text that spans of 32 bits can point into.
fn length<E: serde::de::Error>(text: &str) -> Result<u32, E> {
    u32::try_from(text.len()).map_err(|_| E::custom("more than 4 GiB of tokens"))
}

impl BpeModel {
    /// Refuses merges that the library's builder would panic on.
    fn check(&self) -> Result<(), String> {
        let longest = self.vocab.tokens().map(|(token, _)| token.len()).max().unwrap_or(0);
        let prefix = self.continuing_subword_prefix.as_deref().unwrap_or_default();
        for span in self.merges.spans() {
            let Merge { left, right, .. } = self.merges.get(*span);
            let fits = right.starts_with(prefix) && left.len() + right.len() - prefix.len() <= longest;
            if !fits {
                return Err(format!(
                    "the merge of \"{left}\" and \"{right}\" makes a token that is not in the vocabulary"
                ));
            }
        }
        Ok(())
    }

    /// The library's model.
    fn into_library(self) -> tokenizers::Result<BPE> {
        let vocab: tokenizers::models::bpe::Vocab =
            self.vocab.tokens().map(|(token, id)| (token.to_owned(), id)).collect();
        let merges = self.merges.spans().iter().map(|span| {
            let Merge { left, right, .. } = self.merges.get(*span);
            (left.to_owned(), right.to_owned())
        });
        let mut builder = BPE::builder().vocab_and_merges(vocab, merges.collect());
        if let Some(dropout) = self.dropout {
            builder = builder.dropout(dropout);
        }
        if let Some(token) = self.unk_token {
            builder = builder.unk_token(token);
        }
        if let Some(prefix) = self.continuing_subword_prefix {
            builder = builder.continuing_subword_prefix(prefix);
        }
        if let Some(suffix) = self.end_of_word_suffix {
            builder = builder.end_of_word_suffix(suffix);
        }
        builder
            .fuse_unk(self.fuse_unk)
            .byte_fallback(self.byte_fallback)
            .ignore_merges(self.ignore_merges)
            .build()
    }
}

/// Appends a text of the file to another.
struct Append<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Append<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Append<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.push_str(text);
        Ok(())
    }
}

struct FileSeed;

impl<'de> DeserializeSeed<'de> for FileSeed {
    type Value = File;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FileSeed {
    type Value = File;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tokenizer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut file = File { model: None, rest: Map::new() };
        while let Some(key) = map.next_key::<String>()? {
            if key == "model" {
                file.model = Some(map.next_value_seed(ModelSeed)?);
            } else {
                let value = map.next_value()?;
                file.rest.insert(key, value);
            }
        }
        Ok(file)
    }
}

struct ModelSeed;

impl<'de> DeserializeSeed<'de> for ModelSeed {
    type Value = BpeModel;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ModelSeed {
    type Value = BpeModel;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a BPE model")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut model = BpeModel::default();
        let (mut bpe, mut vocab, mut merges) = (false, false, false);
        let flag = |value: Option<bool>| value.unwrap_or(false);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "type" => bpe = map.next_value::<String>()? == "BPE",
                "dropout" => model.dropout = map.next_value()?,
                "unk_token" => model.unk_token = map.next_value()?,
                "continuing_subword_prefix" => {
                    model.continuing_subword_prefix = map.next_value()?;
                }
                "end_of_word_suffix" => model.end_of_word_suffix = map.next_value()?,
                "fuse_unk" => model.fuse_unk = flag(map.next_value()?),
                "byte_fallback" => model.byte_fallback = flag(map.next_value()?),
                "ignore_merges" => model.ignore_merges = flag(map.next_value()?),
                "vocab" => {
                    model.vocab = map.next_value_seed(VocabSeed)?;
                    vocab = true;
                }
                "merges" => {
                    model.merges = map.next_value_seed(MergesSeed)?;
                    merges = true;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if bpe && vocab && merges { Ok(model) } else { Err(A::Error::custom("not a complete BPE model")) }
    }
}

struct VocabSeed;

impl<'de> DeserializeSeed<'de> for VocabSeed {
    type Value = Vocab;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vocab, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for VocabSeed {
    type Value = Vocab;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of tokens to ids")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocab, A::Error> {
        let mut vocab = Vocab::default();
        while map.next_key_seed(Append(&mut vocab.text))?.is_some() {
            let end = length(&vocab.text)?;
            vocab.tokens.push((end, map.next_value()?));
        }
        Ok(vocab)
    }
}

struct MergesSeed;

impl<'de> DeserializeSeed<'de> for MergesSeed {
    type Value = Merges;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Merges, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for MergesSeed {
    type Value = Merges;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of merges")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Merges, A::Error> {
        let mut merges = Merges::default();
        while list.next_element_seed(MergeSeed(&mut merges))?.is_some() {}
        Ok(merges)
    }
}

/// Adds one merge, `"a b"` or `["a", "b"]`; none for the version line that old
/// files have among them.
struct MergeSeed<'a>(&'a mut Merges);

impl<'de> DeserializeSeed<'de> for MergeSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MergeSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a merge")
    }

    fn visit_str<E: serde::de::Error>(self, line: &str) -> Result<(), E> {
        if line.starts_with("#version") {
            return Ok(());
        }
        match line.split_once(' ') {
            Some((left, right)) if !right.contains(' ') => {
                let start = length(&self.0.text)?;
                self.0.text.push_str(left);
                let middle = length(&self.0.text)?;
                self.0.text.push_str(right);
                self.0.close(start, middle)
            }
            _ => Err(E::custom("a merge is two tokens")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<(), A::Error> {
        let start = length(&self.0.text)?;
        let left = pair.next_element_seed(Append(&mut self.0.text))?;
        let middle = length(&self.0.text)?;
        let right = pair.next_element_seed(Append(&mut self.0.text))?;
        if left.is_none() || right.is_none() || pair.next_element::<IgnoredAny>()?.is_some() {
            return Err(A::Error::custom("a merge is two tokens"));
        }
        self.0.close(start, middle)
    }
}
