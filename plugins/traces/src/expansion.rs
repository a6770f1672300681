//! From hash ids to tokens: blocks with the same id have the same tokens, so
//! that prompts share prefixes as they did in the recorded traffic.

use std::collections::HashMap;
use std::str::FromStr;

use vbench_plugin::generators::{PythonRandom, PythonStringHash};
use vbench_plugin::prelude::*;

/// Tokens of blocks that are kept for when they come again. It changes speed
/// and memory, never the result.
const KEPT_TOKENS: usize = 1 << 24;

/// `--timed-trace-hash`: how a block's id becomes the seed of its tokens.
///
/// The reference client takes Python's hash of a text, which differs from one
/// process to the next unless `PYTHONHASHSEED` is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HashSeed(pub(crate) u32);

impl FromStr for HashSeed {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "stable" {
            return Ok(Self(0));
        }
        text.strip_prefix("python:").and_then(|seed| seed.parse().ok()).map(Self).ok_or_else(|| {
            Error::config(format!(
                "has to be `stable`, or `python:` and the number in PYTHONHASHSEED, but is `{text}`"
            ))
            .key("hash")
        })
    }
}

/// Makes the tokens of blocks.
pub(crate) struct Expansion {
    hash: PythonStringHash,
    /// Ids that prompts are made of, ascending.
    vocabulary: Vec<u32>,
    block_tokens: usize,
    kept: HashMap<String, Vec<u32>>,
    kept_tokens: usize,
}

impl Expansion {
    /// `vocabulary` has to hold something.
    pub(crate) fn new(seed: HashSeed, vocabulary: Vec<u32>, block_tokens: usize) -> Self {
        let hash = PythonStringHash::new(seed.0);
        Self { hash, vocabulary, block_tokens, kept: HashMap::new(), kept_tokens: 0 }
    }

    /// A prompt of `length` tokens, or as many as the blocks with these ids
    /// have; the last block is cut.
    pub(crate) fn prompt(&mut self, ids: &[String], length: usize) -> Result<Vec<u32>> {
        let mut prompt = Vec::with_capacity(length.min(ids.len().saturating_mul(self.block_tokens)));
        for id in ids {
            let size = self.block_tokens.min(length - prompt.len());
            if size == 0 {
                break;
            }
            // A cut block is one of its own, not the beginning of the whole one.
            let key = format!("{id}:{size}");
            match self.kept.get(&key) {
                Some(block) => prompt.extend_from_slice(block),
                None => {
                    let block = self.block(&key, size)?;
                    prompt.extend_from_slice(&block);
                    self.keep(key, block);
                }
            }
        }
        Ok(prompt)
    }

    /// A prompt that shares nothing with those of other rows.
    pub(crate) fn alone(&self, row: u64, length: usize) -> Result<Vec<u32>> {
        self.block(&format!("row {row}:{length}"), length)
    }

    fn block(&self, key: &str, size: usize) -> Result<Vec<u32>> {
        let seed = self.hash.hash(key) as u64 & u64::from(u32::MAX);
        let places = PythonRandom::new(seed)
            .choices(self.vocabulary.len(), size)
            .map_err(|error| Error::internal(error.to_string()))?;
        Ok(places.into_iter().map(|place| self.vocabulary[place]).collect())
    }

    fn keep(&mut self, key: String, block: Vec<u32>) {
        if self.kept_tokens + block.len() > KEPT_TOKENS {
            self.kept.clear();
            self.kept_tokens = 0;
        }
        self.kept_tokens += block.len();
        self.kept.insert(key, block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|&id| id.into()).collect()
    }

    #[test]
    fn blocks_with_the_same_id_and_size_are_the_same() {
        let mut expansion = Expansion::new(HashSeed(0), (0..1000).collect(), 4);
        let prompt = expansion.prompt(&ids(&["7", "8", "7", "8"]), 14).unwrap();
        assert_eq!(prompt.len(), 14);
        assert_eq!(prompt[..4], prompt[8..12]);
        assert_ne!(prompt[4..6], prompt[12..]);
        assert_eq!(expansion.prompt(&ids(&["7", "8", "9"]), 8).unwrap(), prompt[..8]);
    }

    #[test]
    fn ids_that_run_out_leave_the_prompt_short() {
        let mut expansion = Expansion::new(HashSeed(0), (0..1000).collect(), 4);
        assert_eq!(expansion.prompt(&ids(&["1"]), usize::MAX).unwrap().len(), 4);
        assert!(expansion.prompt(&[], 100).unwrap().is_empty());
        assert!(expansion.prompt(&ids(&["1"]), 0).unwrap().is_empty());
    }

    #[test]
    fn prompts_without_blocks_are_all_different() {
        let expansion = Expansion::new(HashSeed(0), (0..1000).collect(), 4);
        let prompt = |row| expansion.alone(row, 20).unwrap();
        assert_eq!(prompt(7).len(), 20);
        assert_eq!(prompt(7), prompt(7));
        assert_ne!(prompt(7)[..4], prompt(8)[..4]);
        assert!(expansion.alone(7, 0).unwrap().is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded_and_changes_nothing() {
        let mut expansion = Expansion::new(HashSeed(3), (0..10).collect(), KEPT_TOKENS / 2 + 1);
        let first = expansion.prompt(&ids(&["1", "2"]), 1 << 24).unwrap();
        assert!(expansion.kept_tokens <= KEPT_TOKENS);
        assert_eq!(expansion.prompt(&ids(&["1", "2"]), 1 << 24).unwrap(), first);
    }

    #[test]
    fn the_hash_is_stable_or_that_of_a_seed() {
        assert_eq!("stable".parse::<HashSeed>().unwrap(), HashSeed(0));
        assert_eq!("python:4294967295".parse::<HashSeed>().unwrap(), HashSeed(u32::MAX));
        for wrong in ["", "python", "python:", "python:-1", "python:random", "python:4294967296", "7"] {
            assert_eq!(wrong.parse::<HashSeed>().unwrap_err().config_key.as_deref(), Some("hash"), "{wrong}");
        }
    }
}
