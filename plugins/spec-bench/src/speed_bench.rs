//! The dataset `speed_bench`: a folder with a JSON Lines file a subset, whose
//! rows have `messages`.

use vbench_plugin::options::{ChatTemplate, RowChoice};
use vbench_plugin::prelude::*;
use vbench_plugin::rules::PromptRows;
use vbench_plugin::table::{Format, Rows};

use crate::rows::{FirstMessages, SEED, Samples};

/// Options of the dataset.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SpeedBenchConfig {
    /// The folder of the benchmark, with a JSON Lines file for each subset.
    #[schemars(extend("format" = "path", "x-flag" = "dataset-path"))]
    #[allow(dead_code, reason = "the host opens it by the option's name")]
    path: String,
    /// Part of the benchmark: the name of its file, without the ending.
    #[serde(default)]
    dataset_subset: Subset,
    /// Longest answer in tokens.
    #[serde(default = "output_len")]
    #[schemars(range(min = 0))]
    output_len: i64,
    /// Only prompts of this category.
    #[serde(default)]
    category: Option<String>,
    #[serde(flatten)]
    rows: RowChoice,
    #[serde(flatten)]
    template: ChatTemplate,
}

fn output_len() -> i64 {
    4096
}

#[derive(Debug, Default, Clone, Copy, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Subset {
    #[default]
    Qualitative,
    #[serde(rename = "throughput_1k")]
    Throughput1k,
    #[serde(rename = "throughput_2k")]
    Throughput2k,
    #[serde(rename = "throughput_8k")]
    Throughput8k,
    #[serde(rename = "throughput_16k")]
    Throughput16k,
    #[serde(rename = "throughput_32k")]
    Throughput32k,
}

impl Subset {
    fn file(self) -> &'static str {
        match self {
            Self::Qualitative => "qualitative.jsonl",
            Self::Throughput1k => "throughput_1k.jsonl",
            Self::Throughput2k => "throughput_2k.jsonl",
            Self::Throughput8k => "throughput_8k.jsonl",
            Self::Throughput16k => "throughput_16k.jsonl",
            Self::Throughput32k => "throughput_32k.jsonl",
        }
    }
}

/// The first messages of SPEED-Bench.
pub struct SpeedBench(Samples);

impl Dataset for SpeedBench {
    type Config = SpeedBenchConfig;
    const NAME: &'static str = "speed_bench";
    const SUMMARY: &'static str = "First messages of SPEED-Bench, which is for speculative decoding.";

    fn open(cx: &DatasetContext, config: SpeedBenchConfig) -> Result<Self> {
        let source = FirstMessages {
            rows: Rows::open_member("path", config.dataset_subset.file(), Format::Jsonl)?,
            column: "messages",
            category: config.category,
            output_tokens: config.output_len,
            rule: PromptRows { seed: SEED, rows: config.rows, template: config.template },
        };
        Samples::new(cx, Self::NAME, source, |messages| messages.get(0)?.get("content")?.as_str()).map(Self)
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
