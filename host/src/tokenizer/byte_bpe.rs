//! Byte-level BPE, loaded and merged without a string for every token.
//!
//! The library's BPE keeps tokens as strings, looks merges up by a heap for
//! every word and makes a string for every token it gives. For the kind of
//! model that nearly all language models have, which starts from the 256 bytes
//! and needs nothing else, this does the same with ids only. What it gives is
//! tested against the library.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rayon::prelude::*;
use tokenizers::models::bpe::{BpeTrainer, MergeMap};
use tokenizers::{Model, Token};

use super::token_ids::TokenIds;
use super::tokenizer_json::{BpeModel, Merge};

/// Words of up to this many bytes are merged by looking for the best pair
/// again after every merge, which is quicker than a heap for short words.
const SHORT_BYTES: usize = 64;
/// How many merges a thread resolves in a go.
const MERGES_AT_ONCE: usize = 8192;
/// The rank of a pair that does not merge.
const NEVER: u32 = u32::MAX;

/// The character that byte-level BPE writes each byte as: printable bytes as
/// themselves, the others as the characters from 256 on (GPT-2's
/// `bytes_to_unicode`).
pub(super) static LETTERS: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut letters = ['\0'; 256];
    let mut other = 256;
    for byte in 0..=255_u8 {
        letters[usize::from(byte)] = match byte {
            b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => char::from(byte),
            _ => {
                other += 1;
                char::from_u32(other - 1).unwrap_or('\0')
            }
        };
    }
    letters
});

/// The bytes by their letters, for the letters below 512.
static BYTES: LazyLock<[Option<u8>; 512]> = LazyLock::new(|| {
    let mut bytes = [None; 512];
    for (letter, byte) in LETTERS.iter().zip(0..=255_u8) {
        bytes[*letter as usize] = Some(byte);
    }
    bytes
});

/// The byte that a letter stands for.
fn byte_of(letter: char) -> Option<u8> {
    BYTES.get(letter as usize).copied().flatten()
}

/// Appends the bytes of a token; one with characters that are no letters
/// stands for itself, as in the library's `ByteLevel` decoder.
pub(super) fn push_bytes(token: &str, out: &mut Vec<u8>) {
    let start = out.len();
    for letter in token.chars() {
        match byte_of(letter) {
            Some(byte) => out.push(byte),
            None => {
                out.truncate(start);
                out.extend_from_slice(token.as_bytes());
                return;
            }
        }
    }
}

/// A byte-level BPE model.
pub(super) struct ByteBpe {
    vocab: TokenIds,
    /// Rank and result of each pair of ids that merges.
    merges: MergeMap,
    /// The same for pairs of single bytes, which are looked up most.
    byte_merges: Vec<(u32, u32)>,
    byte_ids: [u32; 256],
    /// Words that are tokens are not merged from bytes.
    ignore_merges: bool,
}

/// Buffers of the merge loop, to be used again.
#[derive(Default)]
pub(super) struct Scratch {
    word: String,
    ids: Vec<u32>,
    ranks: Vec<u32>,
    results: Vec<u32>,
}

impl ByteBpe {
    /// Builds the model, or gives back none where it is not one that starts
    /// from all 256 bytes and needs nothing else. `Err` names a merge whose
    /// parts or result are no tokens.
    pub(super) fn build(model: &BpeModel) -> Result<Option<Self>, String> {
        let plain = model.dropout.is_none_or(|dropout| dropout == 0.0)
            && model.unk_token.is_none()
            && model.continuing_subword_prefix.as_deref().unwrap_or_default().is_empty()
            && model.end_of_word_suffix.as_deref().unwrap_or_default().is_empty()
            && !model.byte_fallback;
        if !plain {
            return Ok(None);
        }
        let Some(vocab) = TokenIds::build(&model.vocab) else { return Ok(None) };
        let mut byte_ids = [0; 256];
        for (letter, slot) in LETTERS.iter().zip(&mut byte_ids) {
            match vocab.get(letter.encode_utf8(&mut [0; 4]) as &str) {
                Some(id) => *slot = id,
                None => return Ok(None),
            }
        }
        let pairs = resolve_merges(model, &vocab)?;
        let mut merges = MergeMap::with_capacity(pairs.len());
        for (rank, (pair, result)) in (0..).zip(pairs) {
            merges.insert(pair, (rank, result));
        }
        let mut byte_merges = Vec::with_capacity(1 << 16);
        for left in byte_ids {
            for right in byte_ids {
                byte_merges.push(merges.get(&(left, right)).copied().unwrap_or((NEVER, 0)));
            }
        }
        Ok(Some(Self { vocab, merges, byte_merges, byte_ids, ignore_merges: model.ignore_merges }))
    }

    /// The token with this id, in letters.
    pub(super) fn token(&self, id: u32) -> Option<&str> {
        self.vocab.token(id)
    }

    /// Appends the ids of a word, given as bytes.
    pub(super) fn push_word(&self, word: &[u8], scratch: &mut Scratch, out: &mut Vec<u32>) {
        if let [byte] = word {
            out.push(self.byte_ids[usize::from(*byte)]);
            return;
        }
        if self.ignore_merges {
            scratch.word.clear();
            scratch.word.extend(word.iter().map(|byte| LETTERS[usize::from(*byte)]));
            if let Some(id) = self.vocab.get(scratch.word.as_str()) {
                out.push(id);
                return;
            }
        }
        scratch.ids.clear();
        scratch.ids.extend(word.iter().map(|byte| self.byte_ids[usize::from(*byte)]));
        scratch.ranks.clear();
        scratch.results.clear();
        for pair in word.windows(2) {
            let (rank, result) = self.byte_merges[usize::from(pair[0]) << 8 | usize::from(pair[1])];
            scratch.ranks.push(rank);
            scratch.results.push(result);
        }
        if word.len() <= SHORT_BYTES {
            self.merge_short(scratch);
        } else {
            self.merge_long(scratch);
        }
        out.extend_from_slice(&scratch.ids);
    }

    fn merge(&self, left: u32, right: u32) -> (u32, u32) {
        self.merges.get(&(left, right)).copied().unwrap_or((NEVER, 0))
    }

    /// Merges the pair of the lowest rank, the leftmost of equals, until none
    /// is left. `ranks[i]` and `results[i]` are those of `ids[i]`, `ids[i + 1]`.
    fn merge_short(&self, scratch: &mut Scratch) {
        let Scratch { ids, ranks, results, .. } = scratch;
        loop {
            let mut best = (NEVER, 0);
            for (at, rank) in ranks.iter().enumerate() {
                if *rank < best.0 {
                    best = (*rank, at);
                }
            }
            let (rank, at) = best;
            if rank == NEVER {
                return;
            }
            ids[at] = results[at];
            ids.remove(at + 1);
            ranks.remove(at);
            results.remove(at);
            for pair in at.saturating_sub(1)..=at {
                if pair < ranks.len() {
                    (ranks[pair], results[pair]) = self.merge(ids[pair], ids[pair + 1]);
                }
            }
        }
    }

    /// The same with a heap of pairs over a linked list, for long words.
    fn merge_long(&self, scratch: &mut Scratch) {
        let Scratch { ids, ranks, results, .. } = scratch;
        let count = ids.len();
        // Neighbours of each position; `count` for none.
        let mut next: Vec<usize> = (1..=count).collect();
        let mut previous: Vec<usize> = std::iter::once(count).chain(0..count.saturating_sub(1)).collect();
        let mut gone = vec![false; count];
        ranks.resize(count, NEVER);
        results.resize(count, 0);
        let mut heap: BinaryHeap<Reverse<(u32, usize)>> = ranks
            .iter()
            .enumerate()
            .filter(|(_, rank)| **rank != NEVER)
            .map(|(at, rank)| Reverse((*rank, at)))
            .collect();
        while let Some(Reverse((rank, at))) = heap.pop() {
            // An entry is stale once either side of its pair has changed.
            if gone[at] || ranks[at] != rank {
                continue;
            }
            let right = next[at];
            ids[at] = results[at];
            gone[right] = true;
            next[at] = next[right];
            if next[at] < count {
                previous[next[at]] = at;
            }
            for pair in [previous[at], at] {
                if pair == count {
                    continue;
                }
                let second = next[pair];
                (ranks[pair], results[pair]) =
                    if second < count { self.merge(ids[pair], ids[second]) } else { (NEVER, 0) };
                if ranks[pair] != NEVER {
                    heap.push(Reverse((ranks[pair], pair)));
                }
            }
        }
        let mut gone = gone.into_iter();
        ids.retain(|_| !gone.next().unwrap_or(false));
    }
}

/// A pair of ids that merges, and the id it merges to.
type Resolved = ((u32, u32), u32);

/// The merges as ids, in order.
fn resolve_merges(model: &BpeModel, vocab: &TokenIds) -> Result<Vec<Resolved>, String> {
    model
        .merges
        .spans()
        .par_chunks(MERGES_AT_ONCE)
        .flat_map_iter(|spans| {
            let mut last = 0;
            spans.iter().map(move |span| {
                let Merge { left, right, joined } = model.merges.get(*span);
                let missing = |token: &str| {
                    format!("the merge of \"{left}\" and \"{right}\" needs the token \"{token}\", which is not in the vocabulary")
                };
                let id = |token: &str| vocab.get(token).ok_or_else(|| missing(token));
                // Most files list merges in the order of what they make.
                let next = [last, last + 1].into_iter().find(|next| vocab.token(*next) == Some(joined));
                let pair = (id(left)?, id(right)?);
                last = next.map_or_else(|| id(joined), Ok)?;
                Ok((pair, last))
            })
        })
        .collect()
}

impl Model for ByteBpe {
    type Trainer = BpeTrainer;

    /// For pipelines that the direct way does not know.
    fn tokenize(&self, sequence: &str) -> tokenizers::Result<Vec<Token>> {
        let (mut scratch, mut ids) = (Scratch::default(), Vec::new());
        let bytes: Option<Vec<u8>> = sequence.chars().map(byte_of).collect();
        // Without an unknown token, characters that are none are left out.
        let bytes = bytes.unwrap_or_else(|| sequence.chars().filter_map(byte_of).collect());
        if !bytes.is_empty() {
            self.push_word(&bytes, &mut scratch, &mut ids);
        }
        let mut end = 0;
        Ok(ids
            .into_iter()
            .map(|id| {
                let token = self.token(id).unwrap_or_default();
                let start = end;
                end += token.len();
                Token::new(id, token.to_owned(), (start, end))
            })
            .collect())
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        self.vocab.get(token)
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        self.token(id).map(str::to_owned)
    }

    fn get_vocab(&self) -> HashMap<String, u32> {
        (0..self.vocab.size() as u32).filter_map(|id| Some((self.id_to_token(id)?, id))).collect()
    }

    fn get_vocab_size(&self) -> usize {
        self.vocab.len()
    }

    fn save(&self, _folder: &Path, _prefix: Option<&str>) -> tokenizers::Result<Vec<PathBuf>> {
        Err("a loaded tokenizer is not written again".into())
    }

    fn get_trainer(&self) -> BpeTrainer {
        BpeTrainer::default()
    }
}
