//! Problems of mathematics with worked solutions.

use vbench_plugin::rules::Validity;

use super::{AnswerRule, Draft, Keep, MediaUse, Numbering, Output, Template, TextClass};

/// Solutions are long, so more is kept than of conversations.
const KEPT: Validity =
    Validity { max_prompt_tokens: 2048, max_total_tokens: 32_000, ..Validity::CONVERSATION };

/// `AI-MO/…`.
pub const CLASS: TextClass = TextClass {
    name: "AIMO",
    ids: &["AI-MO/aimo-validation-aime", "AI-MO/NuminaMath-1.5", "AI-MO/NuminaMath-CoT"],
    split: Some("train"),
    subset: None,
    columns: &["problem", "solution"],
    draft: |row, _, _| Ok(Some(Draft::user(row.text("problem")?).answered(row.text("solution")?))),
    template: Template::Never,
    output: Output::Answer(AnswerRule {
        special_tokens: true,
        flag_wins: true,
        positive: true,
        keep: Keep::WhenMeasured(KEPT),
    }),
    numbering: Numbering::Samples,
    media: MediaUse::None,
};
