//! Files of prompts for benchmarks, made up and the same every time.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// Words that texts are made of, in letters that the tokens of made-up tokenizers
/// are made of, so that a word is about as many tokens as in English.
const WORDS: [&str; 24] = [
    "a", "and", "of", "in", "on", "the", "deep", "field", "flame", "home", "plan", "noble", "block", "lamp",
    "candle", "pocket", "handle", "machine", "beach", "garden", "middle", "people", "kingdom", "home's",
];

/// A text of about `words` words, different for every `number`.
pub(super) fn text(number: u64, words: u64) -> String {
    let mut text = format!("{number}:");
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..words {
        // Xorshift, enough to vary words.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push(' ');
        text.push_str(WORDS[(state % WORDS.len() as u64) as usize]);
    }
    text
}

/// Writes what `row` gives between `head` and `tail`, until there are `bytes` of
/// it or `row` gives no more.
fn write(path: &Path, bytes: u64, head: &str, tail: &str, row: impl Fn(u64) -> Option<String>) -> Result<()> {
    let place = || path.display().to_string();
    let mut out = BufWriter::new(File::create(path).with_context(|| format!("cannot create {}", place()))?);
    let mut put =
        |text: &str| out.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", place()));
    put(head)?;
    let mut total = 0;
    for row in (0..).map_while(row) {
        put(&row)?;
        total += row.len() as u64;
        if total >= bytes {
            break;
        }
    }
    put(tail)?;
    out.flush().with_context(|| format!("cannot write {}", place()))
}

/// A ShareGPT file of about so many bytes: conversations of six messages, the
/// first two of which are of a length that is asked.
pub(super) fn sharegpt(path: &Path, bytes: u64) -> Result<()> {
    let message = |from: &str, number: u64, words: u64| {
        format!(r#"{{"from":"{from}","value":"{}"}}"#, text(number, words))
    };
    write(path, bytes, "[", "]", |number| {
        let comma = if number == 0 { "" } else { ",\n" };
        let messages = [
            message("human", number * 6, 40 + number % 100),
            message("gpt", number * 6 + 1, 60 + number % 150),
            message("human", number * 6 + 2, 200),
            message("gpt", number * 6 + 3, 400),
            message("human", number * 6 + 4, 150),
            message("gpt", number * 6 + 5, 300),
        ];
        Some(format!(r#"{comma}{{"id":"c{number}","conversations":[{}]}}"#, messages.join(",")))
    })
}

/// So many rows, one a line.
pub(super) fn jsonl(path: &Path, rows: u64, row: impl Fn(u64) -> Value) -> Result<()> {
    write(path, u64::MAX, "", "", |number| (number < rows).then(|| format!("{}\n", row(number))))
}

/// So many rows as in BurstGPT's files.
pub(super) fn burstgpt(path: &Path, lines: u64) -> Result<()> {
    write(
        path,
        u64::MAX,
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n",
        "",
        |number| {
            let (asked, answered) = (50 + number % 300, 20 + number % 200);
            (number < lines)
                .then(|| format!("{number},GPT-4,{asked},{answered},{},Conversation log\n", asked + answered))
        },
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn files_are_what_they_should_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let read = || std::fs::read_to_string(&path).unwrap();
        sharegpt(&path, 20_000).unwrap();
        let rows: Value = serde_json::from_str(&read()).unwrap();
        assert!(read().len() >= 20_000 && rows.as_array().unwrap().len() > 1);
        assert_eq!(rows[1]["conversations"].as_array().unwrap().len(), 6);
        jsonl(&path, 3, |number| json!({"prompt": text(number, 5)})).unwrap();
        let lines: Vec<Value> = read().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line["prompt"].is_string()) && lines[0] != lines[1]);
        burstgpt(&path, 3).unwrap();
        assert!(read().lines().all(|line| line.split(',').count() == 6));
    }
}
