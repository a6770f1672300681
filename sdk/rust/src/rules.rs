//! Rules that several datasets of the reference client share.

mod column;
mod fit;
mod prompt_rows;
pub mod python_number;
mod row_order;

pub use column::{Column, ColumnKind};
pub use fit::{Draw, Fitted, Fitter, Substreams, TokenDraws, Window};
pub use prompt_rows::{PromptPages, PromptRow, PromptRows};
pub use row_order::{BUFFER_ROWS, ShuffleBuffer, shuffled_files};

use crate::dataset::Twister;
use crate::generators::{NumpyRandomState, PythonRandom};
use crate::openai;
use crate::sample::{Attachments, Media, MediaKind};
use crate::{Error, Result, Sample};

/// Longest prompt that is made of tokens. Far above any model's context, and far
/// below what would exhaust a plugin's memory by one request.
pub const MOST_PROMPT_TOKENS: i64 = 1 << 24;

/// Which pairs of prompt and answer are worth asking: neither too short for a
/// figure nor too long for common models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Shortest prompt and shortest answer, in tokens.
    pub min_tokens: u64,
    /// Longest prompt, in tokens.
    pub max_prompt_tokens: u64,
    /// Longest prompt and answer together, in tokens.
    pub max_total_tokens: u64,
    /// Whether a short answer is fine, as when the user sets its length.
    pub any_output: bool,
}

impl Validity {
    /// The limits of ShareGPT-like conversations.
    pub const CONVERSATION: Self =
        Self { min_tokens: 4, max_prompt_tokens: 1024, max_total_tokens: 2048, any_output: false };

    /// Whether a pair of these lengths is kept.
    pub fn accepts(&self, prompt_tokens: u64, output_tokens: i64) -> bool {
        let output = i128::from(output_tokens);
        prompt_tokens >= self.min_tokens
            && (self.any_output || output >= i128::from(self.min_tokens))
            && prompt_tokens <= self.max_prompt_tokens
            && i128::from(prompt_tokens) + output <= i128::from(self.max_total_tokens)
    }
}

/// Fills up to `count` samples with copies of those there are, drawn by
/// `random`, which the caller has seeded with the dataset's seed. Copy `i` gets
/// the id `prefix` and its place. Does nothing if there are enough.
///
/// Fails when there is nothing to copy, and when two samples have the same id.
pub fn oversample(
    samples: &mut Vec<Sample>,
    count: i64,
    prefix: &str,
    random: &mut PythonRandom,
) -> Result<()> {
    let there = samples.len();
    let wanted = usize::try_from(count).unwrap_or(0);
    if there < wanted {
        if there == 0 {
            return Err(Error::input(format!(
                "no row can be used, so there is nothing to repeat to get {wanted} samples"
            )));
        }
        for place in there..wanted {
            let drawn = random.choice(there).map_err(|error| Error::internal(error.to_string()))?;
            let copy = samples[drawn].clone().with_id(format!("{prefix}{place}"));
            samples.push(copy);
        }
        let mut ids: Vec<Option<&str>> = samples.iter().map(|sample| sample.id.as_deref()).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Error::internal("two samples have the same request id"));
        }
    }
    Ok(())
}

/// A medium by what a row says of it: an address that a server can resolve is
/// left as it is, anything else is taken for a path.
pub fn media(kind: MediaKind, text: &str) -> Media {
    let schemes: &[&str] = match kind {
        MediaKind::Image => &["http://", "https://", "file://", "data:image/"],
        MediaKind::Video | MediaKind::Audio => &["http://", "https://", "file://"],
    };
    let known = schemes.iter().any(|scheme| text.starts_with(scheme));
    Media::new(kind, if known { text.to_owned() } else { format!("file://{text}") })
}

/// A text and its media as the messages of a chat, as the reference client
/// writes them with `--enable-multimodal-chat`.
pub fn chat_messages(text: &str, attachments: &Attachments) -> Result<String> {
    let mut out = br#"[{"role":"user","content":[{"text":"#.to_vec();
    openai::write_json(&mut out, text)?;
    out.extend_from_slice(br#","type":"text"}"#);
    for media in attachments.as_slice() {
        out.push(b',');
        openai::write_media(&mut out, media)?;
    }
    out.extend_from_slice(b"]}]");
    String::from_utf8(out).map_err(|error| Error::internal(error.to_string()))
}

/// The state of a generator for a dataset's summary.
pub fn python_state(random: &PythonRandom) -> Twister {
    let (words, position) = random.state();
    Twister { words: words.to_vec(), position }
}

/// The state of a legacy numpy generator for a dataset's summary.
pub fn numpy_state(random: &NumpyRandomState) -> Twister {
    let (words, position) = random.state();
    Twister { words: words.to_vec(), position }
}

/// The seed of a run as numpy's legacy generator takes it. Fails above 32 bits.
pub fn numpy_seed(seed: u64) -> Result<u32> {
    u32::try_from(seed).map_err(|_| {
        Error::config(format!("seed {seed} is above {}, which numpy's generator cannot take", u32::MAX))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Turn;

    #[test]
    fn lengths_are_kept_within_the_limits() {
        let rule = Validity::CONVERSATION;
        assert!(rule.accepts(4, 4) && rule.accepts(1024, 1024));
        assert!(
            !rule.accepts(3, 4) && !rule.accepts(4, 3) && !rule.accepts(1025, 4) && !rule.accepts(1024, 1025)
        );
        assert!(Validity { any_output: true, ..rule }.accepts(4, -1));
    }

    #[test]
    fn paths_become_file_addresses() {
        let url = |kind, text: &str| media(kind, text).url;
        assert_eq!(url(MediaKind::Image, "a/b.png"), "file://a/b.png");
        assert_eq!(url(MediaKind::Image, "data:image/png;base64,A"), "data:image/png;base64,A");
        assert_eq!(url(MediaKind::Video, "data:video/mp4;base64,A"), "file://data:video/mp4;base64,A");
        let attachments = Attachments::One(media(MediaKind::Video, "https://a/v.mp4"));
        assert_eq!(
            chat_messages("x", &attachments).unwrap(),
            r#"[{"role":"user","content":[{"text":"x","type":"text"},{"type":"video_url","video_url":{"url":"https://a/v.mp4"}}]}]"#
        );
    }

    #[test]
    fn copies_are_drawn_from_the_originals_and_numbered_on() {
        let ask =
            |number: u32| Sample::new(Turn::text(number.to_string(), 1, 1)).with_id(format!("r-{number}"));
        let mut samples: Vec<Sample> = (0..3).map(ask).collect();
        oversample(&mut samples, 6, "r-", &mut PythonRandom::new(0)).unwrap();
        let ids: Vec<_> = samples.iter().filter_map(|sample| sample.id.as_deref()).collect();
        assert_eq!(ids, ["r-0", "r-1", "r-2", "r-3", "r-4", "r-5"]);
        // CPython: random.seed(0); [random.choice(range(3)) for _ in range(3)]
        let drawn: Vec<_> = samples[3..].iter().map(|copy| copy.turns[0].prompt.clone()).collect();
        assert_eq!(
            drawn,
            [
                samples[1].turns[0].prompt.clone(),
                samples[1].turns[0].prompt.clone(),
                samples[0].turns[0].prompt.clone()
            ]
        );
        let error = oversample(&mut Vec::new(), 1, "r-", &mut PythonRandom::new(0)).unwrap_err();
        assert!(error.message.contains("nothing to repeat"));
        assert!(oversample(&mut Vec::new(), 0, "r-", &mut PythonRandom::new(0)).is_ok());
    }
}
