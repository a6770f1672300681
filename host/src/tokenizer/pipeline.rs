//! The library's pipeline around our model or the library's, with a direct way
//! for byte-level BPE.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};
use tokenizers::models::TrainerWrapper;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::pre_tokenizer::PreTokenizedString;
use tokenizers::{
    DecoderWrapper, Model, ModelWrapper, NormalizerWrapper, OffsetReferential, OffsetType,
    PostProcessorWrapper, PreTokenizerWrapper, SplitDelimiterBehavior, Token, TokenizerImpl,
};

use super::byte_bpe::{ByteBpe, Scratch, push_bytes};

/// A tokenizer of the library with a model of either kind.
pub(super) type Pipeline =
    TokenizerImpl<AnyModel, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

/// The model of a pipeline.
pub(super) enum AnyModel {
    /// Byte-level BPE.
    ByteBpe(Box<ByteBpe>),
    /// Any other.
    Library(Box<ModelWrapper>),
}

impl AnyModel {
    /// Whether the transformers library calls it `BPE`.
    pub(super) fn is_bpe(&self) -> bool {
        match self {
            Self::ByteBpe(_) => true,
            Self::Library(model) => matches!(**model, ModelWrapper::BPE(_)),
        }
    }
}

impl<'de> Deserialize<'de> for AnyModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::Library(Box::new(ModelWrapper::deserialize(deserializer)?)))
    }
}

impl Model for AnyModel {
    type Trainer = TrainerWrapper;

    fn tokenize(&self, sequence: &str) -> tokenizers::Result<Vec<Token>> {
        match self {
            Self::ByteBpe(model) => model.tokenize(sequence),
            Self::Library(model) => model.tokenize(sequence),
        }
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        match self {
            Self::ByteBpe(model) => model.token_to_id(token),
            Self::Library(model) => model.token_to_id(token),
        }
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        match self {
            Self::ByteBpe(model) => model.id_to_token(id),
            Self::Library(model) => model.id_to_token(id),
        }
    }

    fn get_vocab(&self) -> HashMap<String, u32> {
        match self {
            Self::ByteBpe(model) => model.get_vocab(),
            Self::Library(model) => model.get_vocab(),
        }
    }

    fn get_vocab_size(&self) -> usize {
        match self {
            Self::ByteBpe(model) => model.get_vocab_size(),
            Self::Library(model) => model.get_vocab_size(),
        }
    }

    fn save(&self, folder: &Path, prefix: Option<&str>) -> tokenizers::Result<Vec<PathBuf>> {
        match self {
            Self::ByteBpe(model) => model.save(folder, prefix),
            Self::Library(model) => model.save(folder, prefix),
        }
    }

    fn get_trainer(&self) -> TrainerWrapper {
        match self {
            Self::ByteBpe(model) => model.get_trainer().into(),
            Self::Library(model) => model.get_trainer(),
        }
    }
}

/// How `ByteLevel` splits text where it does (`use_regex`); the library's
/// pattern, which is GPT-2's.
const GPT2_WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// The direct way from text to ids: split into words, merge bytes. It leaves
/// out what the library carries along for offsets.
pub(super) struct DirectEncoder {
    splits: Vec<Split>,
    before: Vec<u32>,
    after: Vec<u32>,
}

impl DirectEncoder {
    /// For a pipeline that it can stand for: byte-level BPE over text that is
    /// split by patterns and nothing else.
    pub(super) fn of(pipeline: &Pipeline) -> Option<Self> {
        let AnyModel::ByteBpe(_) = pipeline.get_model() else { return None };
        let (last, splits) = match pipeline.get_pre_tokenizer()? {
            PreTokenizerWrapper::Sequence(sequence) => sequence.as_ref().split_last()?,
            single => (single, &[][..]),
        };
        let PreTokenizerWrapper::ByteLevel(byte_level) = last else { return None };
        if byte_level.add_prefix_space {
            return None;
        }
        let mut patterns = Vec::new();
        for split in splits {
            match split {
                PreTokenizerWrapper::Split(split)
                    if !split.invert && split.behavior == SplitDelimiterBehavior::Isolated =>
                {
                    patterns.push(split.clone());
                }
                _ => return None,
            }
        }
        if byte_level.use_regex {
            let pattern = SplitPattern::Regex(GPT2_WORDS.to_owned());
            patterns.push(Split::new(pattern, SplitDelimiterBehavior::Isolated, false).ok()?);
        }
        // What the post-processor puts around a sequence, asked of itself.
        let probe = pipeline.encode("a", true).ok()?;
        let special = probe.get_special_tokens_mask();
        let before = special.iter().take_while(|flag| **flag == 1).count();
        let after = special.iter().rev().take_while(|flag| **flag == 1).count();
        let plain = pipeline.encode("a", false).ok()?;
        let ids = probe.get_ids();
        if ids.get(before..ids.len().checked_sub(after)?)? != plain.get_ids() {
            return None;
        }
        Some(Self {
            splits: patterns,
            before: ids[..before].to_vec(),
            after: ids[ids.len() - after..].to_vec(),
        })
    }

    /// The ids of a text.
    pub(super) fn encode(
        &self,
        pipeline: &Pipeline,
        text: &str,
        add_special_tokens: bool,
    ) -> Option<Vec<u32>> {
        let AnyModel::ByteBpe(model) = pipeline.get_model() else { return None };
        let added = pipeline.get_added_vocabulary();
        let pieces: PreTokenizedString = added.extract_and_normalize(pipeline.get_normalizer(), text);
        let mut ids = Vec::with_capacity(text.len() / 3 + 2);
        let mut scratch = Scratch::default();
        if add_special_tokens {
            ids.extend_from_slice(&self.before);
        }
        for (piece, _, tokens) in pieces.get_splits(OffsetReferential::Normalized, OffsetType::None) {
            match tokens {
                Some(tokens) => ids.extend(tokens.iter().map(|token| token.id)),
                None => push_split(&self.splits, piece, &mut |word| {
                    model.push_word(word.as_bytes(), &mut scratch, &mut ids);
                }),
            }
        }
        if add_special_tokens {
            ids.extend_from_slice(&self.after);
        }
        Some(ids)
    }
}

/// Splits by the first pattern, its parts by the next, and so on; matches and
/// what lies between them are parts alike.
fn push_split(splits: &[Split], text: &str, push: &mut impl FnMut(&str)) {
    let Some((split, rest)) = splits.split_first() else {
        if !text.is_empty() {
            push(text);
        }
        return;
    };
    let mut end = 0;
    for (start, stop) in split.regex.find_iter(text) {
        if end < start {
            push_split(rest, &text[end..start], push);
        }
        if start < stop {
            push_split(rest, &text[start..stop], push);
        }
        end = stop;
    }
    if end < text.len() {
        push_split(rest, &text[end..], push);
    }
}

/// The direct way from ids to text, where the decoder is `ByteLevel`: the
/// tokens' bytes one after the other. `None` where it is another.
pub(super) fn decode_bytes(pipeline: &Pipeline, ids: &[u32], skip_special_tokens: bool) -> Option<String> {
    let AnyModel::ByteBpe(model) = pipeline.get_model() else { return None };
    let Some(DecoderWrapper::ByteLevel(_)) = pipeline.get_decoder() else { return None };
    let added = pipeline.get_added_vocabulary();
    let mut bytes = Vec::with_capacity(6 * ids.len());
    for id in ids {
        let special = added.simple_id_to_token(*id);
        let Some(token) = special.as_deref().or_else(|| model.token(*id)) else { continue };
        if !(skip_special_tokens && added.is_special_token(token)) {
            push_bytes(token, &mut bytes);
        }
    }
    Some(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}
