//! The demonstration: a run against the embedded mock server.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::mock::Mock;
use crate::plugins;
use crate::toolchain::Way;
use crate::workspace::{Workspace, exit_code, line};

const MODEL: &str = "demo";

/// Delays of the server: a small model on a busy machine.
const TTFT_MS: &str = "lognormal:60,0.35";
const ITL_MS: &str = "normal:8,1.5";

/// Size of the demonstration.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Conversations to send.
    #[arg(long, default_value_t = 150)]
    num_prompts: u32,

    /// Conversations a second.
    #[arg(long, default_value_t = 15.0)]
    request_rate: f64,
}

/// Builds everything, runs, and says what to try next. The exit code is that of `vbench`.
///
/// # Errors
/// Something does not build, or the server does not start.
pub fn run(workspace: &Workspace, way: Way, args: &DemoArgs) -> Result<ExitCode> {
    plugins::build(workspace, way)?;
    let vbench = workspace.build_release()?;
    let result_dir = workspace.target().join("demo");
    fs::create_dir_all(&result_dir).with_context(|| format!("cannot create {}", result_dir.display()))?;

    let mock = Mock::start(&mut Mock::command(&vbench, MODEL, TTFT_MS, ITL_MS))?;
    let mut command = serve(workspace, &vbench, mock.url(), &result_dir, args);
    println!("\n$ {}\n", line(&command));
    let code = exit_code(&mut command)?;
    let report = mock.stop()?;
    println!("\nThe mock server's own account of the run:\n{}", report.trim_end());
    if code == ExitCode::SUCCESS {
        println!("{}", next_steps(&vbench, &result_dir));
    }
    Ok(code)
}

fn serve(workspace: &Workspace, vbench: &Path, url: &str, result_dir: &Path, args: &DemoArgs) -> Command {
    let mut command = Command::new(vbench);
    command
        .arg("--plugin")
        .arg(workspace.target().join("plugins/sharegpt.wasm"))
        .args(["serve", "--backend", "openai-chat", "--endpoint", "/v1/chat/completions"])
        .args(["--base-url", url, "--model", MODEL, "--tokenizer"])
        .arg(workspace.tokenizer())
        .args(["--dataset-name", "sharegpt", "--dataset-path"])
        .arg(workspace.root().join(crate::demo_data::PATH))
        .args(["--num-prompts", &args.num_prompts.to_string()])
        .args(["--request-rate", &args.request_rate.to_string()])
        .args(["--save-result", "--save-detailed", "--result-dir"])
        .arg(result_dir);
    command
}

fn next_steps(vbench: &Path, result_dir: &Path) -> String {
    let (vbench, results) = (vbench.display(), result_dir.display());
    format!(
        "\nThe result, with every request, is in {results}.\n\
         Next:\n  \
         {vbench} serve --help\n      all flags\n  \
         {vbench} serve --base-url http://HOST:PORT --model MODEL --dataset-name random --num-prompts 100\n      \
         a first run against a server of yours\n  \
         {vbench} serve … --goodput ttft:200 tpot:50\n      how many requests were good enough"
    )
}
