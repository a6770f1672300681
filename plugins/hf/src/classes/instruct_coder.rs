//! InstructCoder: code with a wish how to change it.

use vbench_plugin::Compat;

use super::{Draft, Fault, MediaUse, Numbering, Output, Row, Template, TextClass};
use crate::Config;

/// `likaixin/InstructCoder`.
pub const CLASS: TextClass = TextClass {
    name: "InstructCoder",
    ids: &["likaixin/InstructCoder"],
    split: Some("train"),
    subset: None,
    columns: &["input", "instruction"],
    draft,
    template: Template::UnlessSkipped,
    output: Output::Fixed(200),
    numbering: Numbering::Rows,
    media: MediaUse::None,
};

fn draft(row: &Row<'_>, _: &Config, _: Compat) -> Result<Option<Draft>, Fault> {
    let (input, instruction) = (row.text("input")?, row.text("instruction")?);
    Ok(Some(Draft::user(format!(
        "{input}\n\n{instruction} Just output the code, do not include any explanation."
    ))))
}
