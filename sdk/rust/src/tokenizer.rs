//! The benchmark's tokenizer, which the host runs natively.
//!
//! All functions take many items, since a call costs more than the work on one,
//! and make as many calls of them as the host's limit on what one may hand over
//! needs. Each but [`describe`] fails with cause `config` when the run has no tokenizer.

use std::borrow::Cow;

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

/// Most that is handed over in one call. The host takes 32 MiB unless its user says otherwise.
const CALL_BYTES: usize = 8 << 20;
/// What the host counts for a text beside its bytes.
const ITEM_BYTES: usize = 8;

/// Number of tokens of each text.
pub fn count(texts: &[String], add_special_tokens: bool) -> Result<Vec<u32>> {
    let mut counts = Vec::new();
    for texts in calls(texts, text_bytes, CALL_BYTES) {
        append(&mut counts, imports::count(texts, add_special_tokens)?);
    }
    Ok(counts)
}

/// Tokens of each text.
pub fn encode(texts: &[String], add_special_tokens: bool) -> Result<TokenLists> {
    let mut lists = TokenLists { ids: Vec::new(), ends: Vec::new() };
    for texts in calls(texts, text_bytes, CALL_BYTES) {
        lists.append(imports::encode(texts, add_special_tokens)?);
    }
    Ok(lists)
}

/// Text of each sequence; special tokens stay unless they are to be skipped.
pub fn decode(tokens: &TokenLists, skip_special_tokens: bool) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for tokens in tokens.calls(CALL_BYTES) {
        append(&mut texts, imports::decode(&tokens, skip_special_tokens)?);
    }
    Ok(texts)
}

/// [`decode`] with special tokens kept, then [`encode`] without adding any.
pub fn round_trip(tokens: &TokenLists) -> Result<Round> {
    let mut all = Round { texts: Vec::new(), tokens: TokenLists { ids: Vec::new(), ends: Vec::new() } };
    for tokens in tokens.calls(CALL_BYTES) {
        let round = imports::round_trip(&tokens)?;
        append(&mut all.texts, round.texts);
        all.tokens.append(round.tokens);
    }
    Ok(all)
}

/// Each conversation as text by the tokenizer's chat template.
/// `template_options` is a JSON object of further variables for it.
pub fn render_chat(
    chats: &[Chat],
    add_generation_prompt: bool,
    template_options: Option<&str>,
) -> Result<Vec<String>> {
    let bytes =
        |chat: &Chat| chat.messages.len() + chat.tools.as_ref().map_or(0, String::len) + 2 * ITEM_BYTES;
    let mut texts = Vec::new();
    for chats in calls(chats, bytes, CALL_BYTES) {
        append(&mut texts, imports::render_chat(chats, add_generation_prompt, template_options)?);
    }
    Ok(texts)
}

#[allow(clippy::ptr_arg, reason = "it is called for the items of a list of strings")]
fn text_bytes(text: &String) -> usize {
    text.len() + ITEM_BYTES
}

/// The items in their order, as many at a time as one call may have, at least
/// one. No items make one call, which says whether there is a tokenizer.
fn calls<T>(items: &[T], bytes: impl Fn(&T) -> usize, max_bytes: usize) -> impl Iterator<Item = &[T]> {
    let mut rest = Some(items);
    std::iter::from_fn(move || {
        let items = rest?;
        let mut total = 0;
        let fitting = items.iter().take_while(|item| {
            total += bytes(item);
            total <= max_bytes
        });
        let (call, after) = items.split_at(fitting.count().max(1).min(items.len()));
        rest = (!after.is_empty()).then_some(after);
        Some(call)
    })
}

/// Moves what there is at once where there was nothing.
fn append<T>(all: &mut Vec<T>, more: Vec<T>) {
    if all.is_empty() {
        *all = more;
    } else {
        all.extend(more);
    }
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

    /// Appends the sequences of another batch.
    pub fn append(&mut self, more: Self) {
        let start = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        append(&mut self.ids, more.ids);
        self.ends.extend(more.ends.into_iter().map(|end| end.saturating_add(start)));
    }

    /// The sequences, as many at a time as one call may have; the batch itself
    /// if it is small enough.
    fn calls(&self, max_bytes: usize) -> Vec<Cow<'_, Self>> {
        const ID_BYTES: usize = size_of::<u32>();
        if ID_BYTES * (self.ids.len() + self.ends.len()) <= max_bytes {
            return vec![Cow::Borrowed(self)];
        }
        let sequences: Vec<&[u32]> = self.iter().collect();
        calls(&sequences, |ids| ID_BYTES * (ids.len() + 1), max_bytes)
            .map(|sequences| Cow::Owned(Self::from_sequences(sequences)))
            .collect()
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

    #[test]
    fn calls_hold_as_much_as_they_may_and_at_least_one_item() {
        let sizes = |max_bytes| -> Vec<usize> {
            calls(&[3_usize, 4, 9, 1, 1, 1], |size| *size, max_bytes).map(<[_]>::len).collect()
        };
        assert_eq!(sizes(7), [2, 1, 3]);
        assert_eq!(sizes(1), [1; 6]);
        assert_eq!(sizes(100), [6]);
        assert_eq!(calls(&[0_usize; 0], |size| *size, 7).map(<[_]>::len).collect::<Vec<_>>(), [0]);
    }

    proptest::proptest! {
        #[test]
        fn batches_that_are_cut_up_and_joined_are_what_they_were(
            sequences in proptest::collection::vec(proptest::collection::vec(0_u32..9, 0..6), 0..12),
            max_bytes in 4_usize..60,
        ) {
            let whole = TokenLists::from_sequences(&sequences);
            let mut joined = TokenLists { ids: Vec::new(), ends: Vec::new() };
            for part in whole.calls(max_bytes) {
                let bytes = 4 * (part.ids.len() + part.ends.len());
                proptest::prop_assert!(bytes <= max_bytes || part.len() == 1);
                joined.append(part.into_owned());
            }
            proptest::prop_assert_eq!(&joined.ids, &whole.ids);
            proptest::prop_assert_eq!(&joined.ends, &whole.ends);
        }
    }
}
