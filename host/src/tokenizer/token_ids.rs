//! Tokens and their ids, both ways.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxBuildHasher;

use super::tokenizer_json::Vocab;

/// The span of an id without a token: not one that a text has.
const HOLE: (u32, u32) = (1, 0);

/// A vocabulary in three flat pieces: a lookup touches little memory, which is
/// what it costs where 128k tokens are looked up at random, and loading one
/// makes no strings.
pub(super) struct TokenIds {
    /// The tokens one after the other.
    text: String,
    /// Start and end of each id's token in `text`.
    spans: Vec<(u32, u32)>,
    /// The ids by the hash of their tokens. The file is the user's own, so
    /// nobody picks tokens that collide.
    ids: HashTable<u32>,
}

impl TokenIds {
    /// The vocabulary of a file, or none where its ids have large holes, or
    /// where two of its tokens have one id or one text.
    pub(super) fn build(vocab: &Vocab) -> Option<Self> {
        let size = vocab.tokens().map(|(_, id)| id as usize + 1).max().unwrap_or(0);
        if size > 4 * vocab.len() {
            return None;
        }
        let mut spans = vec![HOLE; size];
        let mut start = 0;
        for (token, id) in vocab.tokens() {
            let span = spans.get_mut(id as usize)?;
            if *span != HOLE {
                return None;
            }
            // A vocabulary's text is shorter than 4 GiB.
            let end = start + token.len() as u32;
            *span = (start, end);
            start = end;
        }
        let text = vocab.text().to_owned();
        let mut ids = HashTable::with_capacity(vocab.len());
        let at = |id: &u32| token_at(&text, &spans, *id).unwrap_or_default();
        for (token, id) in vocab.tokens() {
            match ids.entry(hash(token), |id| at(id) == token, |id| hash(at(id))) {
                Entry::Vacant(place) => place.insert(id),
                Entry::Occupied(_) => return None,
            };
        }
        Some(Self { text, spans, ids })
    }

    /// Number of tokens.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// One more than the largest id.
    pub(super) fn size(&self) -> usize {
        self.spans.len()
    }

    /// The id of a token.
    pub(super) fn get(&self, token: &str) -> Option<u32> {
        self.ids.find(hash(token), |id| self.token(*id) == Some(token)).copied()
    }

    /// The token with this id.
    pub(super) fn token(&self, id: u32) -> Option<&str> {
        token_at(&self.text, &self.spans, id)
    }
}

fn token_at<'a>(text: &'a str, spans: &[(u32, u32)], id: u32) -> Option<&'a str> {
    let (start, end) = *spans.get(id as usize)?;
    text.get(start as usize..end as usize)
}

fn hash(token: &str) -> u64 {
    FxBuildHasher.hash_one(token)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn built(tokens: &[(String, u32)]) -> Option<TokenIds> {
        let mut vocab = Vocab::default();
        for (token, id) in tokens {
            vocab.push(token, *id);
        }
        TokenIds::build(&vocab)
    }

    proptest! {
        #[test]
        fn like_maps_of_strings(map in prop::collection::hash_map("[ab\0é]{0,20}", 0..200_u32, 0..60)) {
            let tokens: Vec<(String, u32)> = map.clone().into_iter().collect();
            let by_id: HashMap<u32, &str> = tokens.iter().map(|(token, id)| (*id, token.as_str())).collect();
            let largest = tokens.iter().map(|(_, id)| *id as usize + 1).max().unwrap_or(0);
            let fits = by_id.len() == tokens.len() && largest <= 4 * tokens.len();
            let ids = built(&tokens);
            prop_assert_eq!(ids.is_some(), fits);
            let Some(ids) = ids else { return Ok(()) };
            prop_assert_eq!((ids.len(), ids.size()), (map.len(), largest));
            for (token, id) in &tokens {
                prop_assert_eq!(ids.get(token), Some(*id));
            }
            prop_assert_eq!(ids.get("c"), None);
            for id in 0..210 {
                prop_assert_eq!(ids.token(id), by_id.get(&id).copied());
            }
        }
    }

    #[test]
    fn one_text_twice_is_no_vocabulary() {
        assert!(built(&[("a".to_owned(), 0), ("a".to_owned(), 1)]).is_none());
    }
}
