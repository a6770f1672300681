//! Rules that several datasets of the reference client share.

mod column;
mod fit;
mod prompt_rows;
pub mod python_number;
mod repeats;
mod row_order;
mod row_pages;

pub use column::{Column, ColumnKind};
pub use fit::{Draw, Fitted, Fitter, Substreams, TokenDraws, Window};
pub use prompt_rows::{PromptPages, PromptRow, PromptRows};
pub use repeats::Repeats;
pub use row_order::{BUFFER_ROWS, ShuffleBuffer, shuffled_files};
pub use row_pages::{RowPage, RowPages};

use crate::dataset::Twister;
use crate::generators::{NumpyRandomState, PythonRandom};
use crate::openai;
use crate::sample::{Attachments, Media, MediaKind};
use crate::{Error, Result};

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
}
