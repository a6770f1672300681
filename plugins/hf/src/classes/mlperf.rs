//! The chats of MLPerf's inference benchmarks for Llama models.

use vbench_plugin::Compat;
use vbench_plugin::rules::Validity;

use super::{AnswerRule, Ask, Draft, Fault, Keep, MediaUse, Numbering, Output, Row, Template, TextClass};
use crate::Config;

/// `mgoin/mlperf-inference-…`.
pub const CLASS: TextClass = TextClass {
    name: "MLPerf",
    ids: &["mgoin/mlperf-inference-llama2-data", "mgoin/mlperf-inference-llama3.1-data"],
    split: Some("train"),
    subset: None,
    columns: &["system_prompt", "question", "output"],
    draft,
    template: Template::Always,
    output: Output::Answer(AnswerRule {
        special_tokens: false,
        flag_wins: true,
        positive: false,
        keep: Keep::Always(Validity::CONVERSATION),
    }),
    numbering: Numbering::Samples,
    media: MediaUse::None,
};

fn draft(row: &Row<'_>, _: &Config, _: Compat) -> Result<Option<Draft>, Fault> {
    let ask = Ask::System { system: row.text("system_prompt")?, user: row.text("question")? };
    Ok(Some(Draft { ask, answer: Some(row.text("output")?), output_tokens: None, medium: None }))
}
