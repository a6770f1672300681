//! MMVU: questions about videos, with choices.

use serde_json::Value;
use vbench_plugin::Compat;
use vbench_plugin::sample::MediaKind;

use super::{Draft, Fault, MediaUse, Numbering, Output, Row, RowMedium, Template, TextClass};
use crate::Config;

/// Where the dataset's videos are on the hub; a local copy has them in its folder.
pub const REMOTE_ROOT: &str = "https://huggingface.co/datasets/yale-nlp/MMVU/resolve/main";

/// `yale-nlp/MMVU`.
pub const CLASS: TextClass = TextClass {
    name: "MMVU",
    ids: &["yale-nlp/MMVU"],
    split: Some("validation"),
    subset: None,
    columns: &["question", "choices", "video"],
    draft,
    template: Template::Never,
    output: Output::Fixed(128),
    numbering: Numbering::Rows,
    media: MediaUse::Kept,
};

fn draft(row: &Row<'_>, _: &Config, _: Compat) -> Result<Option<Draft>, Fault> {
    let question = row.text("question")?;
    let choices = row.value("choices").and_then(Value::as_object).ok_or_else(|| Fault {
        column: "choices".to_owned(),
        message: "`choices` is no object".to_owned(),
    })?;
    let choices: Vec<String> = choices
        .iter()
        .map(|(key, value)| match value {
            Value::String(text) => format!("{key}.{text}"),
            Value::Null => format!("{key}.None"),
            value => format!("{key}.{value}"),
        })
        .collect();
    let text = format!("{question} {}", choices.join(" "));
    let medium = RowMedium { column: "video", kind: MediaKind::Video, value: row.text("video")?.into() };
    Ok(Some(Draft::user(text).with_medium(Some(medium))))
}
