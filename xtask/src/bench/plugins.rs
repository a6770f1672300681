//! The page on what plugins cost, with figures of this machine.

use std::collections::HashSet;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::dataset_cases::CASES;
use super::{Setting, process};
use crate::workspace::{Workspace, output};

/// Rows of the files that are made: as many as samples are drawn.
const ROWS: u64 = 500;

/// Flags of offers that need some, beside those of the text datasets. Files are
/// in `tests/fixtures`.
const FLAGS: [(&str, &[&str]); 10] = [
    ("custom_image", &["--backend", "openai-chat", "--dataset-path", "data/custom_image_local.jsonl"]),
    ("custom_audio", &["--backend", "openai-audio", "--dataset-path", "data/custom_audio.jsonl"]),
    ("random-mm", &["--backend", "openai-chat"]),
    ("openai-audio", &["--dataset-name", "custom_audio", "--dataset-path", "data/custom_audio.jsonl"]),
    ("vllm-rerank", &["--dataset-name", "random-rerank"]),
    ("template", &["--template", "data/template.json"]),
    ("threshold", &["--threshold-limits", r#"{"p99_ttft_ms": "<=1000"}"#]),
    ("goodput", &["--goodput", "ttft:1000"]),
    ("mlperf-server", &["--mlperf-server-model", "llama2-70b"]),
    (
        "composite",
        &["--composite-rule", r#"{"any": [{"p99_ttft_ms": "<=100"}, {"all": [{"p50_ttft_ms": "<=200"}]}]}"#],
    ),
];

/// Measures the built-in plugins and writes the page.
///
/// # Errors
/// Something does not run, an offer cannot be measured, or the page cannot be written.
pub(super) fn document(workspace: &Workspace, setting: &Setting) -> Result<()> {
    let mut command = Command::new(&setting.vbench);
    command.current_dir(workspace.root().join("tests/fixtures"));
    command.args(["plugin", "bench", "built-in", "--markdown", "--count", &ROWS.to_string()]);
    let mut datasets = HashSet::new();
    for case in CASES.iter().filter(|case| datasets.insert(case.offer)) {
        let dir = setting.dir.join("plugins").join(case.offer);
        command.args(["--for", case.offer]).args(case.flags(&dir, ROWS)?);
    }
    for (offer, flags) in FLAGS {
        command.args(["--for", offer]).args(flags);
    }
    let tables = output(&mut command)?;
    let missing: Vec<&str> = tables.lines().filter(|line| line.contains("not measured")).collect();
    if !missing.is_empty() {
        bail!("there are offers that want other flags than they are given here:\n{}", missing.join("\n"));
    }
    let page = format!(
        "# What plugins cost\n\n\
         Written by `cargo xtask bench plugins` on: {}.\n\n\
         A cold load reads, checks and compiles a plugin; a warm load finds it compiled in the cache. A cold load\n\
         happens once for each plugin and machine.\n\n\
         Calls of datasets and backends are made before a request is due, never between the arrival of a byte and its\n\
         time stamp. `backend.parse` is called after a response, and only of backends that have no extraction plan; here\n\
         it reads answers of a few bytes that are none of its format, and `cargo xtask bench parse` measures it in runs. The\n\
         time of a call holds that of the host's services that the plugin called, the tokenizer above all. {ROWS} samples\n\
         are drawn of each dataset, and written by each backend; `dataset.next` and `backend.build` take many at once.\n\
         Criteria judge a made-up run of 100 requests. Bytes are those of prompts drawn, and of requests written.\n\n\
         {tables}",
        process::machine()
    );
    let path = workspace.root().join("docs/reference/plugin-costs.md");
    fs::write(&path, page.trim_end().to_owned() + "\n")
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}
