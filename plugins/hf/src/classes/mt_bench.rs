//! MT-Bench: the first turn of each conversation.

use super::{Draft, MediaUse, Numbering, Output, Template, TextClass};

/// `philschmid/mt-bench`.
pub const CLASS: TextClass = TextClass {
    name: "MTBench",
    ids: &["philschmid/mt-bench"],
    split: Some("train"),
    subset: None,
    columns: &["turns"],
    draft: |row, _, _| Ok(Some(Draft::user(row.text_at("turns/0", row.list("turns")?.first())?))),
    template: Template::UnlessSkipped,
    output: Output::Fixed(256),
    numbering: Numbering::Rows,
    media: MediaUse::None,
};
