//! GSM8K: grade school mathematics.

use super::{Draft, MediaUse, Numbering, Output, Template, TextClass};

/// `openai/gsm8k`.
pub const CLASS: TextClass = TextClass {
    name: "GSM8K",
    ids: &["openai/gsm8k"],
    split: Some("test"),
    subset: Some("main"),
    columns: &["question"],
    draft: |row, _, _| Ok(Some(Draft::user(row.text("question")?))),
    template: Template::UnlessSkipped,
    output: Output::Fixed(256),
    numbering: Numbering::Rows,
    media: MediaUse::None,
};
