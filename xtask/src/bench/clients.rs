//! Commands of the clients, and what they must have achieved.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::case::{Case, TOKENS};
use super::{Setting, read_json};
use crate::workspace::{Workspace, run};

/// The version of oha that figures are compared with.
const OHA_VERSION: &str = "1.16.0";

/// Requests are named `PREFIX` and their index, here and in the server's log.
pub(super) const REQUEST_ID_PREFIX: &str = "bench-";

const INPUT_TOKENS: u32 = 32;
pub(super) const MODEL: &str = "mock";

/// The path of oha, which is built and installed into `target/tools` first if it is not there.
pub(super) fn install_oha(workspace: &Workspace) -> Result<PathBuf> {
    let root = workspace.target().join("tools").join(format!("oha-{OHA_VERSION}"));
    let oha = root.join("bin/oha");
    if !oha.is_file() {
        eprintln!("installing oha {OHA_VERSION} into {}", root.display());
        let package = format!("oha@{OHA_VERSION}");
        let mut command = workspace.cargo();
        command.args(["install", "--locked", &package, "--root"]).arg(&root);
        // In a folder that stays, so that an interrupted build goes on where it was.
        run(command.env("CARGO_TARGET_DIR", root.join("build")))?;
    }
    Ok(oha)
}

/// `vbench serve` with so many requests of a case.
pub(super) fn vbench(setting: &Setting, url: &str, case: &Case, requests: u32, result: &Path) -> Command {
    let mut command = serve(setting, url, &setting.tokenizer, requests, result);
    command
        .args(["--random-input-len", &INPUT_TOKENS.to_string()])
        .args(["--random-output-len", &TOKENS.to_string(), "--ignore-eos"])
        .args(["--max-concurrency", &case.streams.to_string()]);
    command
}

/// `vbench serve` with prompts of `random`, whose lengths are still to be said.
pub(super) fn serve(setting: &Setting, url: &str, tokenizer: &Path, requests: u32, result: &Path) -> Command {
    let mut command = Command::new(&setting.vbench);
    command
        .args(["serve", "--backend", "openai", "--base-url", url, "--model", MODEL, "--tokenizer"])
        .arg(tokenizer)
        .args(["--dataset-name", "random", "--num-prompts", &requests.to_string()])
        .args(["--request-id-prefix", REQUEST_ID_PREFIX, "--disable-tqdm"])
        // The server listens already, and a request to find that out would count.
        .args(["--ready-check-timeout-sec", "0"])
        .args(["--save-result", "--result-dir"])
        .arg(&setting.dir)
        .arg("--result-filename")
        .arg(result.file_name().unwrap_or_default())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// `vbench serve --dry-run`, which makes so many prompts, of `random` unless said otherwise.
pub(super) fn dry_run(setting: &Setting, tokenizer: &Path, prompts: u64) -> Command {
    let mut command = Command::new(&setting.vbench);
    command.args(["serve", "--dry-run", "--model", MODEL, "--disable-tqdm", "--tokenizer"]).arg(tokenizer);
    command.args(["--num-prompts", &prompts.to_string()]).stdout(Stdio::null());
    command
}

/// The result file, if all requests succeeded.
pub(super) fn vbench_result(result: &Path, requests: u32) -> Result<Value> {
    let value = read_json(result)?;
    let completed = value["completed"].as_u64().context("the result has no `completed`")?;
    if completed != u64::from(requests) {
        bail!("vbench completed {completed} of {requests} requests; see {}", result.display());
    }
    Ok(value)
}

/// oha with so many requests of a case, each as `vbench` sends them.
pub(super) fn oha(oha: &Path, url: &str, case: &Case, requests: u32, report: &Path) -> Command {
    let prompt = vec!["word"; INPUT_TOKENS as usize].join(" ");
    let body = json!({
        "model": MODEL,
        "prompt": prompt,
        "repetition_penalty": 1.0,
        "max_tokens": TOKENS,
        "stream": true,
        "stream_options": { "include_usage": true },
        "ignore_eos": true,
    });
    let mut command = Command::new(oha);
    command
        .args(["--no-tui", "--output-format", "json", "--output"])
        .arg(report)
        .args(["-c", &case.streams.to_string(), "-n", &requests.to_string()])
        .args(["-m", "POST", "-T", "application/json", "-d", &body.to_string()])
        .arg(format!("{url}/v1/completions"))
        .stdout(Stdio::null());
    command
}

/// The report of oha, if all requests succeeded.
pub(super) fn oha_report(report: &Path, requests: u32) -> Result<Value> {
    let value = read_json(report)?;
    let ok = value["statusCodeDistribution"]["200"].as_u64().unwrap_or(0);
    if ok != u64::from(requests) {
        bail!("oha completed {ok} of {requests} requests; see {}", report.display());
    }
    Ok(value)
}
