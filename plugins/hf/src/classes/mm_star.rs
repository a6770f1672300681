//! MMStar: questions that cannot be answered without their image.

use super::{Draft, MediaUse, Numbering, Output, Template, TextClass};

/// `Lin-Chen/MMStar`.
pub const CLASS: TextClass = TextClass {
    name: "MMStar",
    ids: &["Lin-Chen/MMStar"],
    split: Some("val"),
    subset: None,
    columns: &["question", "image"],
    draft: |row, _, _| {
        let question = row.text("question")?;
        let before = question.split("Options:").next().unwrap_or(&question);
        Ok(Some(Draft::user(before.trim().to_owned()).with_medium(row.image("image"))))
    },
    template: Template::Never,
    output: Output::Fixed(128),
    numbering: Numbering::Rows,
    media: MediaUse::Embedded,
};
