//! Ids by token.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The longest token that is its own key, in bytes.
const SHORT_BYTES: usize = 15;

/// A map of tokens to ids that keeps nearly all tokens inside the table, as
/// numbers: a lookup touches one place in memory, and loading a vocabulary
/// makes no strings.
#[derive(Default)]
pub(super) struct TokenIds {
    short: HashMap<u128, u32, BuildHasherDefault<KeyHasher>>,
    long: HashMap<String, u32>,
}

impl TokenIds {
    /// An empty map with room for `tokens`.
    pub(super) fn with_capacity(tokens: usize) -> Self {
        Self {
            short: HashMap::with_capacity_and_hasher(tokens, BuildHasherDefault::default()),
            long: HashMap::new(),
        }
    }

    /// Number of tokens.
    pub(super) fn len(&self) -> usize {
        self.short.len() + self.long.len()
    }

    /// The id of a token.
    pub(super) fn get(&self, token: &str) -> Option<u32> {
        match key(token) {
            Some(key) => self.short.get(&key).copied(),
            None => self.long.get(token).copied(),
        }
    }

    /// Adds a token, and gives the id that it had.
    pub(super) fn insert(&mut self, token: &str, id: u32) -> Option<u32> {
        match key(token) {
            Some(key) => self.short.insert(key, id),
            None => self.long.insert(token.to_owned(), id),
        }
    }
}

/// The bytes and length of a short token.
fn key(token: &str) -> Option<u128> {
    let mut bytes = [0; 16];
    if token.len() > SHORT_BYTES {
        return None;
    }
    bytes[..token.len()].copy_from_slice(token.as_bytes());
    bytes[SHORT_BYTES] = token.len() as u8;
    Some(u128::from_le_bytes(bytes))
}

/// Mixes a key by multiplication; the file is the user's own, so nobody picks
/// tokens that collide.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u128(u128::from(*byte));
        }
    }

    fn write_u128(&mut self, key: u128) {
        let low = (key as u64 ^ self.0 ^ 0x9e37_79b9_7f4a_7c15) as u128;
        let high = ((key >> 64) as u64 ^ 0xd6e8_feb8_6659_fd93) as u128;
        let product = low.wrapping_mul(high);
        let folded = (product as u64 ^ (product >> 64) as u64) as u128;
        let mixed = folded.wrapping_mul(0xa076_1d64_78bd_642f);
        self.0 = mixed as u64 ^ (mixed >> 64) as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn like_a_map_of_strings(tokens in prop::collection::vec("[ab\0é]{0,20}", 0..60)) {
            let mut ids = TokenIds::with_capacity(4);
            let mut map = HashMap::new();
            for (id, token) in (0..).zip(&tokens) {
                prop_assert_eq!(ids.insert(token, id), map.insert(token.clone(), id));
            }
            prop_assert_eq!(ids.len(), map.len());
            for token in &tokens {
                prop_assert_eq!(ids.get(token), map.get(token).copied());
            }
            prop_assert_eq!(ids.get("c"), None);
        }
    }
}
