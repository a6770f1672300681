//! The conversations of the demo: in the ShareGPT format, of varied length and
//! language, and composed here, so that nobody's data is in the repository.
//!
//! The file is committed; `cargo xtask demo-data` writes the same bytes again.
//! `phrases` holds the sentences, `languages_*` those of each language,
//! `snippets` the program code.

mod languages_east;
mod languages_west;
mod phrases;
mod snippets;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::workspace::Workspace;
use phrases::Phrases;

/// The file in the checkout.
pub const PATH: &str = "tests/fixtures/demo/sharegpt.json";

const CONVERSATIONS: usize = 360;
const SEED: u64 = 20_260_101;

/// Writes the file; gives its path.
///
/// # Errors
/// It cannot be written.
pub fn write(workspace: &Workspace) -> Result<PathBuf> {
    let path = workspace.root().join(PATH);
    let dir = path.parent().context("the path of the conversations has no folder")?;
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    fs::write(&path, text()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// One conversation a line, which keeps differences readable.
fn text() -> String {
    let lines: Vec<String> = conversations().iter().map(|conversation| format!("  {conversation}")).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

fn conversations() -> Vec<Value> {
    let languages: Vec<&Phrases> = languages_west::ALL.iter().chain(languages_east::ALL).copied().collect();
    let mut choice = Choice::new(SEED);
    (0..CONVERSATIONS)
        .map(|index| {
            // English is half of it, as it is in what people send.
            let language = if index % 2 == 0 { languages[0] } else { choice.of(&languages) };
            json!({
                "id": format!("demo-{index:03}-{}", language.code),
                "conversations": conversation(language, &mut choice),
            })
        })
        .collect()
}

fn conversation(language: &Phrases, choice: &mut Choice) -> Vec<Value> {
    let topic = choice.of(language.topics);
    // Most have one exchange; the longest has five.
    let exchanges = 1 + choice.skewed(4);
    let mut messages = Vec::new();
    for exchange in 0..exchanges {
        let question = if exchange == 0 {
            language.question(topic, choice)
        } else {
            choice.of(language.follow_ups).replace("{}", topic)
        };
        messages.push(json!({ "from": "human", "value": question }));
        messages.push(json!({ "from": "gpt", "value": language.answer(topic, choice) }));
    }
    messages
}

/// A random generator (SplitMix64, by Steele, Lea and Flood), so that the file
/// does not depend on any library's.
#[derive(Debug)]
struct Choice(u64);

impl Choice {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is far below 2^32.
    fn below(&mut self, end: usize) -> usize {
        (((self.next() >> 32) * end as u64) >> 32) as usize
    }

    /// From 0 to `most`, small ones more often.
    fn skewed(&mut self, most: usize) -> usize {
        self.below(most + 1).min(self.below(most + 1))
    }

    /// True once in `times`.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    /// `count` different ones, in their order; all if there are not as many.
    fn several<'a>(&mut self, list: &[&'a str], count: usize) -> Vec<&'a str> {
        let mut wanted = count.min(list.len());
        let mut chosen = Vec::with_capacity(wanted);
        for (index, item) in list.iter().enumerate() {
            if self.below(list.len() - index) < wanted {
                chosen.push(*item);
                wanted -= 1;
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_committed_file_is_what_is_composed() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PATH);
        let committed = fs::read_to_string(path).unwrap();
        assert!(committed == text(), "{PATH} differs: run `cargo xtask demo-data`");
    }

    #[test]
    fn conversations_vary_in_length_and_language() {
        let text = text();
        assert!(text.len() <= 1 << 20, "{} bytes", text.len());
        let data: Vec<Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(data.len(), CONVERSATIONS);
        let mut firsts = BTreeSet::new();
        let mut languages = BTreeSet::new();
        let mut lengths = Vec::new();
        for conversation in &data {
            let messages = conversation["conversations"].as_array().unwrap();
            assert!(messages.len() >= 2 && messages.len() % 2 == 0);
            for (message, from) in messages.iter().zip(["human", "gpt"].iter().cycle()) {
                assert_eq!(message["from"], *from);
                let value = message["value"].as_str().unwrap();
                assert!(!value.is_empty() && !value.contains("{}"), "{value}");
            }
            languages.insert(conversation["id"].as_str().unwrap()[9..].to_owned());
            firsts.insert(messages[0]["value"].as_str().unwrap());
            lengths.push(messages[1]["value"].as_str().unwrap().chars().count());
        }
        assert_eq!(languages.len(), 11, "{languages:?}");
        // Some openings meet twice, but few.
        assert!(firsts.len() * 10 >= CONVERSATIONS * 8, "{}", firsts.len());
        lengths.sort_unstable();
        assert!(lengths[lengths.len() / 10] * 4 < lengths[lengths.len() * 9 / 10], "{lengths:?}");
    }

    #[test]
    fn several_are_different_and_in_order() {
        let mut choice = Choice::new(1);
        let list = ["a", "b", "c", "d"];
        for count in 0..6 {
            let chosen = choice.several(&list, count);
            assert_eq!(chosen.len(), count.min(4));
            assert!(chosen.is_sorted_by(|a, b| a < b), "{chosen:?}");
        }
    }
}
