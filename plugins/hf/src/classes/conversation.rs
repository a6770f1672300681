//! ShareGPT-like conversations of text: the first two turns of those that have
//! them, whoever speaks.

use serde_json::Value;
use vbench_plugin::Compat;
use vbench_plugin::rules::Validity;

use super::{AnswerRule, Draft, Fault, Keep, MediaUse, Numbering, Output, Row, Template, TextClass};
use crate::Config;

/// `Aeala/ShareGPT_Vicuna_unfiltered`.
pub const CLASS: TextClass = TextClass {
    name: "Conversation",
    ids: &["Aeala/ShareGPT_Vicuna_unfiltered"],
    split: None,
    subset: None,
    columns: &["conversations"],
    draft,
    template: Template::Never,
    output: Output::Answer(AnswerRule {
        special_tokens: true,
        flag_wins: true,
        positive: true,
        keep: Keep::WhenMeasured(Validity::CONVERSATION),
    }),
    numbering: Numbering::Samples,
    media: MediaUse::None,
};

fn draft(row: &Row<'_>, _: &Config, _: Compat) -> Result<Option<Draft>, Fault> {
    let turns = row.list("conversations")?;
    if turns.len() < 2 {
        return Ok(None);
    }
    let text = |number: usize| {
        row.text_at(
            &format!("conversations/{number}/value"),
            turns[number].get("value").filter(|v: &&Value| !v.is_null()),
        )
    };
    Ok(Some(Draft::user(text(0)?).answered(text(1)?)))
}
