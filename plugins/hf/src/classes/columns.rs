//! Any dataset, by the columns that the user names.

use serde_json::Value;

use vbench_plugin::Compat;

use super::{AnswerRule, Draft, Fault, Keep, MediaUse, Numbering, Output, Row, Template, TextClass};
use crate::Config;

/// Prompts of one column; lengths, or answers whose lengths count, of another.
pub const CLASS: TextClass = TextClass {
    name: "columns",
    ids: &[],
    split: Some("train"),
    subset: None,
    columns: &[],
    draft,
    template: Template::UnlessSkipped,
    output: Output::Answer(AnswerRule {
        special_tokens: false,
        flag_wins: true,
        positive: false,
        keep: Keep::All,
    }),
    numbering: Numbering::Samples,
    media: MediaUse::None,
};

fn draft(row: &Row<'_>, config: &Config, _: Compat) -> Result<Option<Draft>, Fault> {
    let draft = Draft::user(row.text(config.prompt_column.as_deref().unwrap_or_default())?);
    let Some(column) = &config.output_column else { return Ok(Some(draft)) };
    Ok(Some(match row.value(column) {
        Some(Value::Number(number)) if number.is_i64() => Draft { output_tokens: number.as_i64(), ..draft },
        _ => draft.answered(row.text(column)?),
    }))
}
