//! The dataset `spec_bench`: a JSON Lines file with `turns`.

use serde_json::{Map, Value};
use vbench_plugin::log;
use vbench_plugin::options::{ChatTemplate, RowChoice};
use vbench_plugin::prelude::*;
use vbench_plugin::rules::PromptRows;
use vbench_plugin::table::{Format, Rows};

use crate::rows::{FirstMessages, SEED, Samples};

/// Options of the dataset.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SpecBenchConfig {
    /// The questions, a JSON Lines file with a column `turns`.
    #[schemars(extend("format" = "path", "x-flag" = "dataset-path"))]
    #[allow(dead_code, reason = "the host opens it by the option's name")]
    path: String,
    /// Longest answer in tokens.
    #[serde(default = "output_len")]
    #[schemars(range(min = 0), extend("x-general-flag" = "output-len"))]
    output_len: i64,
    /// Only questions of this category.
    #[serde(default)]
    category: Option<String>,
    #[serde(flatten)]
    rows: RowChoice,
    /// Send prompts as they are, without the tokenizer's chat template; vLLM 0.33 always takes the template.
    #[serde(default)]
    #[schemars(extend("x-flag" = "skip-chat-template"))]
    skip_chat_template: bool,
    /// Variables for the chat template, a JSON object; vLLM 0.33 gives it none.
    #[serde(default)]
    #[schemars(extend("x-flag" = "chat-template-kwargs"))]
    chat_template_kwargs: Option<Map<String, Value>>,
}

fn output_len() -> i64 {
    256
}

/// The first questions of Spec-Bench.
pub struct SpecBench(Samples);

impl Dataset for SpecBench {
    type Config = SpecBenchConfig;
    const NAME: &'static str = "spec_bench";
    const SUMMARY: &'static str = "First questions of Spec-Bench, which is for speculative decoding.";

    fn open(cx: &DatasetContext, config: SpecBenchConfig) -> Result<Self> {
        let reference = cx.compat.is_reference();
        if reference && (config.skip_chat_template || config.chat_template_kwargs.is_some()) {
            log::warn(
                "--skip-chat-template and --chat-template-kwargs have no effect with spec_bench under the rules of vLLM 0.33",
            );
        }
        let source = FirstMessages {
            rows: Rows::open("path", if reference { Format::Jsonl } else { Format::Auto })?,
            column: "turns",
            category: config.category,
            output_tokens: config.output_len,
            rule: PromptRows {
                seed: SEED,
                rows: config.rows,
                template: ChatTemplate {
                    skip_chat_template: config.skip_chat_template && !reference,
                    chat_template_kwargs: config.chat_template_kwargs.filter(|_| !reference),
                },
            },
        };
        Samples::new(cx, Self::NAME, source, |turns| turns.get(0)?.as_str()).map(Self)
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        Ok(self.next_batch(1)?.pop())
    }

    fn next_batch(&mut self, max: usize) -> Result<Vec<Sample>> {
        self.0.next_batch(max)
    }

    fn finish(&mut self) -> Result<Summary> {
        Ok(self.0.summary())
    }
}
