//! The waves against the loop as it is written down, one request after the other.

use super::*;
use crate::testing::{Host, HostTokenizer};
use crate::tokenizer::Info;
use proptest::prelude::*;

/// Loses and gains tokens: of the ids below 16, 14 decodes to nothing and 15 to
/// two letters; `bc` is one token, and `ghi` is three more than its letters.
struct Lossy;

const VOCAB: u32 = 17;

impl HostTokenizer for Lossy {
    fn describe(&self) -> Info {
        Info {
            name: "lossy".into(),
            vocab_size: VOCAB,
            full_vocab_size: VOCAB,
            special_ids: Vec::new(),
            added_special_ids: Vec::new(),
            specials_per_sequence: 0,
            has_chat_template: false,
        }
    }

    fn encode(&self, text: &str, _add_special_tokens: bool) -> Vec<u32> {
        let text = text.replace("ghi", "ghidad");
        let mut ids = Vec::new();
        let mut letters = text.bytes().peekable();
        while let Some(letter) = letters.next() {
            if letter == b'b' && letters.next_if_eq(&b'c').is_some() {
                ids.push(16);
            } else {
                ids.push(u32::from(letter - b'a'));
            }
        }
        ids
    }

    fn decode(&self, ids: &[u32], _skip_special_tokens: bool) -> String {
        ids.iter().fold(String::new(), |mut text, &id| {
            match id {
                14 => {}
                15 => text.push_str("ef"),
                16 => text.push_str("bc"),
                id => text.push(char::from(b'a' + id as u8)),
            }
            text
        })
    }
}

/// The loop of the reference client, for the sequence with this number.
fn serial(mut ids: Vec<u32>, target: usize, draws: &mut impl TokenDraws, sequence: u64) -> Fitted {
    let mut retries = RETRIES;
    loop {
        let text = Lossy.decode(&ids, false);
        ids = Lossy.encode(&text, false);
        if retries == 0 || ids.len() == target {
            return Fitted { text, ids, target };
        }
        if ids.len() < target {
            let missing = target - ids.len();
            draws.draw(Draw { sequence, round: retries - 1 }, VOCAB, missing, &mut ids).unwrap();
        } else {
            ids.truncate(target);
        }
        retries -= 1;
    }
}

fn in_waves(requests: &[(Vec<u32>, usize)], window: Window, draws: &mut impl TokenDraws) -> Vec<Fitted> {
    let mut fitter = Fitter::new(VOCAB, window);
    let mut waiting = requests.iter();
    let mut next = waiting.next();
    let mut done = Vec::new();
    while next.is_some() || !fitter.is_empty() {
        while let Some((ids, target)) = next.filter(|(_, target)| fitter.has_room(*target)) {
            fitter.push(*target, |own| own.extend_from_slice(ids));
            next = waiting.next();
        }
        fitter.advance(draws).unwrap();
        while let Some(fitted) = fitter.pop() {
            fitter.recycle(vec![7; 3]);
            done.push(fitted);
        }
    }
    done
}

proptest! {
    #[test]
    fn waves_draw_as_one_request_after_the_other(
        requests in prop::collection::vec((prop::collection::vec(0..VOCAB, 0..40), 0..40_usize), 0..40),
        seed in any::<u64>(),
        unfinished in 1..20_usize,
        further in 0..20_usize,
        tokens in 0..400_usize,
    ) {
        let mut one_by_one = NumpyGenerator::new(seed);
        let expected: Vec<Fitted> =
            requests.iter().map(|(ids, target)| serial(ids.clone(), *target, &mut one_by_one, 0)).collect();
        let mut at_once = NumpyGenerator::new(seed);
        let window = Window { unfinished, sequences: unfinished + further, tokens };
        let done = Host::new().with_tokenizer(Lossy).enter(|| in_waves(&requests, window, &mut at_once));
        prop_assert_eq!(done, expected);
        prop_assert_eq!(at_once, one_by_one);
    }
}

proptest! {
    #[test]
    fn with_streams_of_their_own_sequences_do_not_depend_on_each_other(
        requests in prop::collection::vec((prop::collection::vec(0..VOCAB, 0..40), 0..40_usize), 0..40),
        seed in any::<u64>(),
        unfinished in 1..20_usize,
        tokens in 0..400_usize,
    ) {
        let mut streams = Substreams::new(seed);
        let expected: Vec<Fitted> = requests
            .iter()
            .zip(0..)
            .map(|((ids, target), number)| serial(ids.clone(), *target, &mut streams, number))
            .collect();
        let window = Window { unfinished, sequences: unfinished, tokens };
        let done = Host::new().with_tokenizer(Lossy).enter(|| in_waves(&requests, window, &mut streams));
        prop_assert_eq!(done, expected);
    }
}

#[test]
fn no_two_draws_have_the_same_stream() {
    let mut seen = std::collections::HashSet::new();
    for seed in 0..3 {
        for sequence in [0, 1, 2, 1 << 32, u64::MAX] {
            for round in [0, 1, 9, u32::MAX] {
                let mut ids = Vec::new();
                Substreams::new(seed).draw(Draw { sequence, round }, u32::MAX, 4, &mut ids).unwrap();
                assert!(seen.insert(ids), "seed {seed}, sequence {sequence}, round {round}");
            }
        }
    }
}

/// The tokenizer above would prove little if nothing were ever drawn or cut.
#[test]
fn the_lossy_tokenizer_shrinks_grows_and_never_ends() {
    let mut draws = NumpyGenerator::new(1);
    let before = draws.clone();
    assert_eq!(serial(vec![6, 7, 8], 6, &mut draws, 0).ids.len(), 6);
    assert_eq!(draws, before);
    assert_eq!(serial(vec![14; 20], 20, &mut draws, 0).mismatch(), 0);
    assert_ne!(draws, before);
    let endless = serial(vec![6, 7, 8], 3, &mut draws, 0);
    assert_eq!((endless.mismatch(), endless.text.as_str()), (3, "ghi"));
}
