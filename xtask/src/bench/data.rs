//! Files of prompts for benchmarks, made up and the same every time.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};

/// Words that texts are made of.
const WORDS: [&str; 24] = [
    "the",
    "of",
    "a",
    "river",
    "and",
    "stone",
    "quickly",
    "under",
    "light",
    "seven",
    "garden",
    "memory",
    "answer",
    "question",
    "between",
    "slowly",
    "mountain",
    "paper",
    "window",
    "never",
    "always",
    "thread",
    "engine",
    "question's",
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

/// So many lines with a `prompt` and its `output_tokens`, and with `turns` and a
/// `category`, so that several datasets can read it.
pub(super) fn prompts(path: &Path, lines: u64) -> Result<()> {
    write(path, u64::MAX, "", "", |number| {
        let text = text(number, 60 + number % 80);
        (number < lines).then(|| {
            format!(
                "{{\"prompt\":\"{text}\",\"output_tokens\":64,\"turns\":[\"{text}\"],\"category\":\"c{}\"}}\n",
                number % 7
            )
        })
    })
}

/// A trace of so many requests with times, lengths and hash ids.
pub(super) fn trace(path: &Path, lines: u64) -> Result<()> {
    write(path, u64::MAX, "", "", |number| {
        let ids: Vec<String> = (0..8).map(|block| (number / 16 * 8 + block).to_string()).collect();
        (number < lines).then(|| {
            format!(
                "{{\"timestamp\":{}.{:03},\"input_length\":128,\"output_length\":64,\"hash_ids\":[{}]}}\n",
                number / 1000,
                number % 1000,
                ids.join(",")
            )
        })
    })
}

/// Rows as in BurstGPT's files.
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
    use serde_json::Value;

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
        prompts(&path, 5).unwrap();
        assert_eq!(read().lines().count(), 5);
        assert!(
            read().lines().all(|line| serde_json::from_str::<Value>(line).unwrap()["turns"][0].is_string())
        );
        trace(&path, 3).unwrap();
        assert!(
            read().lines().all(|line| serde_json::from_str::<Value>(line).unwrap()["timestamp"].is_f64())
        );
        burstgpt(&path, 3).unwrap();
        assert!(read().lines().all(|line| line.split(',').count() == 6));
    }
}
