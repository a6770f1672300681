//! What the datasets of this plugin have in common: how long answers may be,
//! and what a data frame makes of prompts.

use serde_json::Value;
use vbench_plugin::prelude::*;
use vbench_plugin::rules::{Column, ColumnKind};
use vbench_plugin::table::Rows;

/// How long answers may be: what the option says, else the row.
pub(crate) struct OutputLength {
    option: i64,
    has_tokenizer: bool,
    /// The column of lengths, of which texts are numbers where all are.
    column: Column,
}

impl OutputLength {
    pub(crate) fn new(option: i64, has_tokenizer: bool) -> Self {
        Self { option, has_tokenizer, column: Column::new("output_tokens") }
    }

    /// Tokens of the answer to a row, which has `value` in its column.
    pub(crate) fn of(&self, value: Option<&Value>, rows: &Rows, index: u64) -> Result<i64> {
        if !self.has_tokenizer {
            return Ok(1);
        }
        if self.option != -1 {
            return Ok(self.option);
        }
        self.column.whole_number(value, rows)?.ok_or_else(|| {
            let value = value.map_or("nan".into(), |value| match value {
                Value::Null => "nan".into(),
                Value::String(text) => text.clone(),
                value => value.to_string(),
            });
            let message = format!(
                "Invalid value for 'output_tokens' in custom dataset: '{value}'. Must be an integer."
            );
            Error::input(message).at(rows.locate(index).column("output_tokens"))
        })
    }
}

/// Fails as the reference client does when every prompt looks like a number:
/// its data frame makes numbers of them, which are no text.
pub(crate) fn refuse_numeric_prompts(rows: &Rows) -> Result<()> {
    if Column::new("prompt").kind(rows)? == ColumnKind::AsTheyAre {
        return Ok(());
    }
    Err(Error::input(
        "every prompt is a number, which vLLM 0.33 takes for no text; --compat vbench takes it for text",
    )
    .at(rows.locate(0).column("prompt")))
}
