//! The page on what plugins cost, with figures of this machine.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::process;
use crate::workspace::{Workspace, output};

/// Options of datasets that read files, with files of the tests.
const FILES: [(&str, &str); 3] = [
    ("sharegpt", "tests/fixtures/demo/sharegpt.json"),
    ("custom", "tests/fixtures/data/custom.jsonl"),
    ("burstgpt", "tests/fixtures/data/burstgpt.csv"),
];

/// Measures the built-in plugins in the release profile and writes the page.
///
/// # Errors
/// Something does not build or run, or the page cannot be written.
pub(super) fn document(workspace: &Workspace) -> Result<()> {
    let vbench = workspace.build_release()?;
    let mut command = Command::new(vbench);
    command.current_dir(workspace.root()).args(["plugin", "bench", "built-in", "--markdown"]);
    for (offer, file) in FILES {
        command.args(["--for", offer, "--dataset-path", file]);
    }
    command.args(["--for", "threshold", "--threshold-limits", r#"{"p99_ttft_ms": "<=1000"}"#]);
    command.args(["--for", "goodput", "--goodput", "ttft:1000"]);
    let tables = output(&mut command)?;
    let page = format!(
        "# What plugins cost\n\n\
         Written by `cargo xtask bench plugins` on: {}.\n\n\
         A cold load reads, checks and compiles a plugin; a warm load finds it compiled in the cache. A cold load\n\
         happens once for each plugin and machine. Calls of datasets and backends are made before a request is due,\n\
         never between the arrival of a byte and its time stamp. The time of a call holds that of the host's services\n\
         that the plugin called, the tokenizer above all. Payload bytes are those of all calls of an offer together.\n\n\
         {tables}",
        process::machine()
    );
    let path = workspace.root().join("docs/reference/plugin-costs.md");
    fs::write(&path, page.trim_end().to_owned() + "\n")
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}
