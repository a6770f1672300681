//! The tokenizer that a run uses.

use serde_json::{Map, Value};
use tokenizers::{AddedToken, PostProcessor};

use super::clean_up::clean_up;
use super::config::Config;
use super::pipeline::{DirectEncoder, Pipeline, decode_bytes};
use super::source::Files;
use super::template::{Renderer, Templates};
use super::{Chat, Error, Hub, Mode, Source, TokenLists, batch, tokenizer_json};

/// Facts that sampling depends on; `info` of the plugin contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The name or path by which the user chose the tokenizer.
    pub name: String,
    /// Size of the vocabulary without added tokens (`vocab_size`).
    pub vocab_size: u32,
    /// Size with added tokens (`len(tokenizer)`).
    pub full_vocab_size: u32,
    /// Ids of the special tokens that the configuration names, in the order of
    /// `all_special_ids`.
    pub special_ids: Vec<u32>,
    /// Ids of all added tokens flagged as special, ascending.
    pub added_special_ids: Vec<u32>,
    /// Special tokens added to one sequence (`num_special_tokens_to_add`).
    pub specials_per_sequence: u32,
    /// Whether chats can be rendered.
    pub has_chat_template: bool,
}

/// One decode, and the encode of what came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// The decoded texts, special tokens kept.
    pub texts: Vec<String>,
    /// Their tokens, no special tokens added.
    pub tokens: TokenLists,
}

/// A tokenizer as the transformers library's `PreTrainedTokenizerFast` has it.
///
/// All functions take a batch and spread it over the cores. It can be shared
/// between threads.
pub struct Tokenizer {
    info: Info,
    inner: Pipeline,
    direct: Option<DirectEncoder>,
    /// Names and texts of the named special tokens.
    named: Vec<(String, String)>,
    templates: Templates,
    clean_up: bool,
}

impl Tokenizer {
    /// Loads the tokenizer that `name` stands for (see [`Source::of`]).
    ///
    /// # Errors
    ///
    /// When it cannot be found, downloaded, read or understood.
    pub fn load(name: &str, _mode: Mode, hub: &Hub) -> Result<Self, Error> {
        Self::from_files(name, &Source::of(name)?.files(hub)?)
    }

    fn from_files(name: &str, files: &Files) -> Result<Self, Error> {
        let mut config = Config::read(files)?;
        let mut inner = tokenizer_json::load(&files.tokenizer)?;
        let invalid = |message: String| Error::Invalid { path: files.tokenizer.clone(), message };
        if let Some(padding) = inner.get_padding() {
            config.default_pad(&padding.pad_token);
        }
        // Neither is in force when a caller does not ask for it.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| invalid(error.to_string()))?;
        inner.set_encode_special_tokens(config.split_special_tokens);
        let missing = missing_tokens(&inner, &config);
        inner.add_tokens(missing).map_err(|error| invalid(error.to_string()))?;

        let size = |with_added| {
            u32::try_from(inner.get_vocab_size(with_added))
                .map_err(|_| invalid("the vocabulary is too large".to_owned()))
        };
        let mut added_special_ids: Vec<u32> = inner
            .get_added_vocabulary()
            .get_added_tokens_decoder()
            .iter()
            .filter(|(_, token)| token.special)
            .map(|(id, _)| *id)
            .collect();
        added_special_ids.sort_unstable();
        let specials = inner.get_post_processor().map_or(0, |post| post.added_tokens(false));
        let info = Info {
            name: name.to_owned(),
            vocab_size: size(false)?,
            full_vocab_size: size(true)?,
            special_ids: special_ids(&inner, &config),
            added_special_ids,
            specials_per_sequence: u32::try_from(specials).unwrap_or(u32::MAX),
            has_chat_template: !config.templates.is_empty(),
        };
        // The clean-up is made for word pieces and spoils byte-level text.
        let is_bpe = inner.get_model().is_bpe();
        Ok(Self {
            info,
            direct: DirectEncoder::of(&inner),
            inner,
            clean_up: config.clean_up && (!is_bpe || config.clean_up_bpe),
            named: config.named.into_iter().map(|(name, token)| (name, token.content)).collect(),
            templates: config.templates,
        })
    }

    /// The facts about it.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Ascending ids of the whole vocabulary, added tokens included.
    pub fn vocabulary_ids(&self) -> Vec<u32> {
        let mut ids: Vec<u32> = self.inner.get_vocab(true).into_values().collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Number of tokens of each text.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] if the tokenizer has no token for a character.
    pub fn count<S: AsRef<str> + Sync>(
        &self,
        texts: &[S],
        add_special_tokens: bool,
    ) -> Result<Vec<u32>, Error> {
        batch::map(
            texts,
            |text| text.as_ref().len(),
            |text| {
                let ids = self.encode_one(text.as_ref(), add_special_tokens)?;
                Ok(u32::try_from(ids.len()).unwrap_or(u32::MAX))
            },
        )
    }

    /// Tokens of each text.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::count`].
    pub fn encode<S: AsRef<str> + Sync>(
        &self,
        texts: &[S],
        add_special_tokens: bool,
    ) -> Result<TokenLists, Error> {
        let sequences = batch::map(
            texts,
            |text| text.as_ref().len(),
            |text| self.encode_one(text.as_ref(), add_special_tokens),
        )?;
        TokenLists::from_sequences(&sequences)
    }

    /// Text of each sequence; special tokens stay unless they are to be
    /// skipped. Ids that no token has are left out.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] if the tokenizer's decoder refuses a sequence.
    pub fn decode(&self, tokens: &TokenLists, skip_special_tokens: bool) -> Result<Vec<String>, Error> {
        let sequences: Vec<&[u32]> = tokens.sequences().collect();
        batch::map(&sequences, |ids| decoded_size(ids), |ids| self.decode_one(ids, skip_special_tokens))
    }

    /// [`Tokenizer::decode`] with special tokens kept, then
    /// [`Tokenizer::encode`] without adding any.
    ///
    /// # Errors
    ///
    /// As theirs.
    pub fn round_trip(&self, tokens: &TokenLists) -> Result<Round, Error> {
        let sequences: Vec<&[u32]> = tokens.sequences().collect();
        let rounds = batch::map(
            &sequences,
            |ids| decoded_size(ids),
            |ids| {
                let text = self.decode_one(ids, false)?;
                let ids = self.encode_one(&text, false)?;
                Ok((text, ids))
            },
        )?;
        let (texts, sequences): (Vec<_>, Vec<_>) = rounds.into_iter().unzip();
        Ok(Round { texts, tokens: TokenLists::from_sequences(&sequences)? })
    }

    /// Each conversation as text, by the tokenizer's chat template. `options`
    /// are further variables for it.
    ///
    /// # Errors
    ///
    /// [`Error::NoChatTemplate`], [`Error::Template`], or [`Error::Chat`] for an
    /// option that is none.
    pub fn render_chat(
        &self,
        chats: &[Chat],
        add_generation_prompt: bool,
        options: &Map<String, Value>,
    ) -> Result<Vec<String>, Error> {
        let named = self.named.iter().map(|(name, token)| (name.as_str(), token.as_str()));
        let renderer =
            Renderer::new(&self.templates, &self.info.name, chats, named, add_generation_prompt, options)?;
        batch::map(chats, Chat::size, |chat| renderer.render(chat))
    }

    #[cfg(test)]
    pub(super) fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    #[cfg(test)]
    pub(super) fn is_direct(&self) -> bool {
        self.direct.is_some()
    }

    fn encode_one(&self, text: &str, add_special_tokens: bool) -> Result<Vec<u32>, Error> {
        let direct =
            self.direct.as_ref().and_then(|direct| direct.encode(&self.inner, text, add_special_tokens));
        if let Some(ids) = direct {
            return Ok(ids);
        }
        match self.inner.encode_fast(text, add_special_tokens) {
            Ok(encoding) => Ok(encoding.get_ids().to_vec()),
            Err(error) => Err(Error::Encode { name: self.info.name.clone(), message: error.to_string() }),
        }
    }

    fn decode_one(&self, ids: &[u32], skip_special_tokens: bool) -> Result<String, Error> {
        let decoded = match decode_bytes(&self.inner, ids, skip_special_tokens) {
            Some(text) => Ok(text),
            None => self.inner.decode(ids, skip_special_tokens),
        };
        match decoded {
            Ok(text) if self.clean_up => Ok(clean_up(text)),
            Ok(text) => Ok(text),
            Err(error) => Err(Error::Decode { name: self.info.name.clone(), message: error.to_string() }),
        }
    }
}

/// About how many bytes of text a sequence is.
fn decoded_size(ids: &[u32]) -> usize {
    4 * ids.len()
}

/// The tokens that the configuration names and `tokenizer.json` lacks, in the
/// order in which the transformers library adds them.
fn missing_tokens(tokenizer: &Pipeline, config: &Config) -> Vec<AddedToken> {
    let known = tokenizer.get_added_vocabulary().get_added_tokens_decoder();
    let mut missing: Vec<AddedToken> =
        config.added.values().filter(|token| !known.values().any(|known| known == *token)).cloned().collect();
    let named = config.named.iter().map(|(_, token)| token);
    for token in named.clone().chain(&config.extra) {
        let have = known.values().chain(&missing).any(|have| have.content == token.content);
        if !have {
            missing.push(token.clone());
        }
    }
    for token in &mut missing {
        token.special |= named.clone().any(|named| named.content == token.content);
    }
    missing
}

/// `all_special_ids`: the named tokens, then the extra ones, each text once.
fn special_ids(tokenizer: &Pipeline, config: &Config) -> Vec<u32> {
    let unknown = config.named.iter().find(|(name, _)| name == "unk_token");
    let unknown = unknown.and_then(|(_, token)| tokenizer.token_to_id(&token.content));
    let mut texts: Vec<&str> = Vec::new();
    for token in config.named.iter().map(|(_, token)| token).chain(&config.extra) {
        if !texts.contains(&token.content.as_str()) {
            texts.push(&token.content);
        }
    }
    texts.into_iter().filter_map(|text| tokenizer.token_to_id(text).or(unknown)).collect()
}
