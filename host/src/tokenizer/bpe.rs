//! `tokenizer.json` to tokenizer, quickly.
//!
//! The library reads a `tokenizer.json` into a tree of JSON values before it
//! builds the model, which takes a second where the vocabulary has 128k tokens.
//! For a BPE model the file is read once here, straight into the model's
//! builder; everything else in it is small and takes the library's own way.
//! What this does not understand takes the library's way as a whole.

use std::fmt;
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};
use tokenizers::models::bpe::{BPE, BpeBuilder, Merges, Vocab};
use tokenizers::{AddedToken, Tokenizer};

use super::Error;
use super::source::read_text;

/// Loads a `tokenizer.json`.
pub(super) fn load(path: &Path) -> Result<Tokenizer, Error> {
    let text = read_text(path)?;
    let invalid = |message: String| Error::Invalid { path: path.to_owned(), message };
    match quick(&text) {
        Quick::Loaded(tokenizer) => Ok(*tokenizer),
        Quick::Broken(message) => Err(invalid(message)),
        Quick::Unknown => text.parse().map_err(|error: tokenizers::Error| {
            // The library reports syntax errors of the file in the same type.
            invalid(error.to_string())
        }),
    }
}

enum Quick {
    Loaded(Box<Tokenizer>),
    /// A BPE model that cannot work, and would make the library panic.
    Broken(String),
    Unknown,
}

fn quick(text: &str) -> Quick {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    // A vocabulary entry with its merges takes about 80 bytes of the file.
    let seed = FileSeed { tokens: text.len() / 80 };
    let Ok(file) = seed.deserialize(&mut deserializer) else { return Quick::Unknown };
    if deserializer.end().is_err() {
        return Quick::Unknown;
    }
    let (Some(model), mut rest) = (file.model, file.rest) else { return Quick::Unknown };
    if let Err(message) = model.check() {
        return Quick::Broken(message);
    }
    let added = rest.insert("added_tokens".to_owned(), json!([])).unwrap_or(json!([]));
    let Ok(added) = serde_json::from_value::<Vec<AddedToken>>(added) else { return Quick::Unknown };
    // The library builds everything around the model, with an empty one.
    rest.insert("model".to_owned(), json!({ "type": "BPE", "vocab": {}, "merges": [] }));
    let Ok(mut tokenizer) = serde_json::from_value::<Tokenizer>(Value::Object(rest)) else {
        return Quick::Unknown;
    };
    let Ok(model) = model.build() else { return Quick::Unknown };
    tokenizer.with_model(model);
    if tokenizer.add_tokens(added).is_err() {
        return Quick::Unknown;
    }
    Quick::Loaded(Box::new(tokenizer))
}

/// A `tokenizer.json` with a BPE model.
struct File {
    model: Option<Model>,
    rest: Map<String, Value>,
}

/// The `model` of a `tokenizer.json`, its `type` being `BPE`.
#[derive(Default)]
struct Model {
    dropout: Option<f32>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    fuse_unk: Option<bool>,
    byte_fallback: Option<bool>,
    ignore_merges: Option<bool>,
    vocab: Vocab,
    merges: Merges,
}

impl Model {
    /// Refuses merges that the library's builder would panic on.
    fn check(&self) -> Result<(), String> {
        let longest = self.vocab.keys().map(String::len).max().unwrap_or(0);
        let prefix = self.continuing_subword_prefix.as_deref().unwrap_or_default();
        for (rank, (left, right)) in self.merges.iter().enumerate() {
            let fits = right.starts_with(prefix) && left.len() + right.len() - prefix.len() <= longest;
            if !fits {
                return Err(format!(
                    "merge {} (\"{left}\", \"{right}\") makes a token that is not in the vocabulary",
                    rank + 1
                ));
            }
        }
        Ok(())
    }

    fn build(self) -> tokenizers::Result<BPE> {
        let mut builder: BpeBuilder = BPE::builder().vocab_and_merges(self.vocab, self.merges);
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
            .fuse_unk(self.fuse_unk.unwrap_or(false))
            .byte_fallback(self.byte_fallback.unwrap_or(false))
            .ignore_merges(self.ignore_merges.unwrap_or(false))
            .build()
    }
}

/// Capacity hint for the vocabulary.
#[derive(Clone, Copy)]
struct FileSeed {
    tokens: usize,
}

impl<'de> DeserializeSeed<'de> for FileSeed {
    type Value = File;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<File, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FileSeed {
    type Value = File;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tokenizer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<File, A::Error> {
        let mut file = File { model: None, rest: Map::new() };
        while let Some(key) = map.next_key::<String>()? {
            if key == "model" {
                file.model = Some(map.next_value_seed(ModelSeed { tokens: self.tokens })?);
            } else {
                let value = map.next_value()?;
                file.rest.insert(key, value);
            }
        }
        Ok(file)
    }
}

struct ModelSeed {
    tokens: usize,
}

impl<'de> DeserializeSeed<'de> for ModelSeed {
    type Value = Model;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Model, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ModelSeed {
    type Value = Model;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a BPE model")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Model, A::Error> {
        let mut model = Model::default();
        let (mut bpe, mut vocab, mut merges) = (false, false, false);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "type" => bpe = map.next_value::<String>()? == "BPE",
                "dropout" => model.dropout = map.next_value()?,
                "unk_token" => model.unk_token = map.next_value()?,
                "continuing_subword_prefix" => {
                    model.continuing_subword_prefix = map.next_value()?;
                }
                "end_of_word_suffix" => model.end_of_word_suffix = map.next_value()?,
                "fuse_unk" => model.fuse_unk = map.next_value()?,
                "byte_fallback" => model.byte_fallback = map.next_value()?,
                "ignore_merges" => model.ignore_merges = map.next_value()?,
                "vocab" => {
                    model.vocab = map.next_value_seed(VocabSeed { tokens: self.tokens })?;
                    vocab = true;
                }
                "merges" => {
                    model.merges = map.next_value_seed(MergesSeed { tokens: self.tokens })?;
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

struct VocabSeed {
    tokens: usize,
}

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
        let mut vocab = Vocab::with_capacity(self.tokens);
        while let Some((token, id)) = map.next_entry()? {
            vocab.insert(token, id);
        }
        Ok(vocab)
    }
}

struct MergesSeed {
    tokens: usize,
}

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
        let mut merges = Merges::with_capacity(2 * self.tokens);
        while let Some(merge) = list.next_element_seed(MergeSeed)? {
            merges.extend(merge);
        }
        Ok(merges)
    }
}

/// One merge, `"a b"` or `["a", "b"]`; none for the version line that old files
/// have among them.
struct MergeSeed;

impl<'de> DeserializeSeed<'de> for MergeSeed {
    type Value = Option<(String, String)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MergeSeed {
    type Value = Option<(String, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a merge")
    }

    fn visit_str<E: serde::de::Error>(self, line: &str) -> Result<Self::Value, E> {
        if line.starts_with("#version") {
            return Ok(None);
        }
        match line.split_once(' ') {
            Some((left, right)) if !right.contains(' ') => Ok(Some((left.to_owned(), right.to_owned()))),
            _ => Err(E::custom("a merge is two tokens")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Self::Value, A::Error> {
        let (Some(left), Some(right)) = (pair.next_element()?, pair.next_element()?) else {
            return Err(A::Error::custom("a merge is two tokens"));
        };
        if pair.next_element::<IgnoredAny>()?.is_some() {
            return Err(A::Error::custom("a merge is two tokens"));
        }
        Ok(Some((left, right)))
    }
}
