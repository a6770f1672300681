//! HumanEval: Python functions to complete.

use super::{Draft, MediaUse, Numbering, Output, Template, TextClass};

/// `openai/openai_humaneval`.
pub const CLASS: TextClass = TextClass {
    name: "HumanEval",
    ids: &["openai/openai_humaneval"],
    split: Some("test"),
    subset: None,
    columns: &["prompt"],
    draft: |row, _, _| Ok(Some(Draft::user(row.text("prompt")?))),
    template: Template::UnlessSkipped,
    output: Output::Fixed(256),
    numbering: Numbering::Rows,
    media: MediaUse::None,
};
