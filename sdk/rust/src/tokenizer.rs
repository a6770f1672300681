//! The benchmark's tokenizer, which the host runs natively.
//!
//! All functions take many items, since a call costs more than the work on one.
//! Each but [`describe`] fails with cause `config` when the run has no tokenizer.

use crate::Result;
#[cfg(target_arch = "wasm32")]
use crate::bindings::host::vbench::plugin::tokenizer as imports;
pub use crate::bindings::host::vbench::plugin::tokenizer::{Chat, Info, Round, TokenLists};
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::host::tokenizer as imports;

/// Facts that sampling depends on; none when the run has no tokenizer.
pub fn describe() -> Option<Info> {
    imports::describe()
}

/// Ascending ids of the whole vocabulary, added tokens included.
pub fn vocabulary_ids() -> Result<Vec<u32>> {
    imports::vocabulary_ids()
}

/// Number of tokens of each text.
pub fn count(texts: &[String], add_special_tokens: bool) -> Result<Vec<u32>> {
    imports::count(texts, add_special_tokens)
}

/// Tokens of each text.
pub fn encode(texts: &[String], add_special_tokens: bool) -> Result<TokenLists> {
    imports::encode(texts, add_special_tokens)
}

/// Text of each sequence; special tokens stay unless they are to be skipped.
pub fn decode(tokens: &TokenLists, skip_special_tokens: bool) -> Result<Vec<String>> {
    imports::decode(tokens, skip_special_tokens)
}

/// [`decode`] with special tokens kept, then [`encode`] without adding any.
pub fn round_trip(tokens: &TokenLists) -> Result<Round> {
    imports::round_trip(tokens)
}

/// Each conversation as text by the tokenizer's chat template.
/// `template_options` is a JSON object of further variables for it.
pub fn render_chat(
    chats: &[Chat],
    add_generation_prompt: bool,
    template_options: Option<&str>,
) -> Result<Vec<String>> {
    imports::render_chat(chats, add_generation_prompt, template_options)
}

impl TokenLists {
    /// Puts sequences end to end.
    pub fn from_sequences<S: AsRef<[u32]>>(sequences: impl IntoIterator<Item = S>) -> Self {
        let mut lists = Self { ids: Vec::new(), ends: Vec::new() };
        for sequence in sequences {
            lists.push(sequence.as_ref());
        }
        lists
    }

    /// Appends a sequence.
    pub fn push(&mut self, sequence: &[u32]) {
        self.ids.extend_from_slice(sequence);
        self.ends.push(u32::try_from(self.ids.len()).unwrap_or(u32::MAX));
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no sequence.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The sequences in order. Ends that lie outside or run backwards give
    /// empty sequences.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let sequence = self.ids.get(start..end as usize).unwrap_or_default();
            start = end as usize;
            sequence
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_come_back_as_they_were() {
        let lists = TokenLists::from_sequences([vec![1, 2], vec![], vec![3]]);
        assert_eq!(lists.iter().collect::<Vec<_>>(), [&[1, 2][..], &[], &[3]]);
        assert_eq!(lists.len(), 3);
    }
}
