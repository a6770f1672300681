//! Changes of code files, those whose edit distance the user wants.

use vbench_plugin::Compat;

use super::{Draft, Fault, MediaUse, Numbering, Output, Row, Template, TextClass};
use crate::Config;

/// `vdaita/edit_…`.
pub const CLASS: TextClass = TextClass {
    name: "Blazedit",
    ids: &["vdaita/edit_5k_char", "vdaita/edit_10k_char"],
    split: Some("train"),
    subset: None,
    columns: &["code", "change_request", "norm_distance"],
    draft,
    template: Template::UnlessSkipped,
    output: Output::Fixed(4000),
    numbering: Numbering::Rows,
    media: MediaUse::None,
};

fn draft(row: &Row<'_>, config: &Config, _: Compat) -> Result<Option<Draft>, Fault> {
    let distance = row.number("norm_distance")?;
    if distance < config.blazedit_min_distance || distance > config.blazedit_max_distance {
        return Ok(None);
    }
    let (code, request) = (row.text("code")?, row.text("change_request")?);
    Ok(Some(Draft::user(format!(
        "Given a code file, please apply the change requests and generate the new file.\n\nOriginal file:\n\
         ```python\n{code}\n```\n\nChange request:\n{request}\n\nPlease generate the new code file in the \
         \"New file\" section below."
    ))))
}
