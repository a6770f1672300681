//! Next edits of code, in the words of the model Zeta.

use vbench_plugin::Compat;

use super::{AnswerRule, Draft, Fault, Keep, MediaUse, Numbering, Output, Row, Template, TextClass};
use crate::Config;

/// Where the part of an answer begins that the model is to write.
const REGION: &str = "<|editable_region_start|>";

/// `zed-industries/zeta`.
pub const CLASS: TextClass = TextClass {
    name: "NextEditPrediction",
    ids: &["zed-industries/zeta"],
    split: Some("train"),
    subset: None,
    columns: &["events", "input", "output"],
    draft,
    template: Template::Never,
    output: Output::Answer(AnswerRule {
        special_tokens: true,
        flag_wins: false,
        positive: false,
        keep: Keep::All,
    }),
    numbering: Numbering::Rows,
    media: MediaUse::None,
};

fn draft(row: &Row<'_>, _: &Config, compat: Compat) -> Result<Option<Draft>, Fault> {
    let (events, input, output) = (row.text("events")?, row.text("input")?, row.text("output")?);
    let prompt = format!(
        "### Instruction:\nYou are a code completion assistant and your task is to analyze user edits and then \
         rewrite an excerpt that the user provides, suggesting the appropriate edits within the excerpt, taking \
         into account the cursor location.\n\n### User Edits:\n\n{events}\n\n### User Excerpt:\n\n{input}\n\n\
         ### Response:\n\n"
    );
    let start = match output.find(REGION) {
        Some(start) => start,
        // Its search says -1, which counts from the end.
        None if compat.is_reference() => output.char_indices().next_back().map_or(0, |(at, _)| at),
        None => 0,
    };
    Ok(Some(Draft::user(prompt).answered(output[start..].to_owned())))
}
