//! Tasks of this repository, run as `cargo xtask COMMAND`.
//!
//! - `toolchain`: what compiles `wasm32-wasip2`, and how to get it;
//! - `plugins`: components and descriptions of the built-in plugins;
//! - `test_plugins`: plugins that only the tests use;
//! - `docs`: pages of `docs/reference` that are made from something else;
//! - `demo`, `demo_data`: the demonstration and the conversations it uses;
//! - `bench`: figures of the client, against the embedded mock server;
//! - `mock`: that server as a child process; `workspace`: the checkout.

mod bench;
mod demo;
mod demo_data;
mod docs;
mod mock;
mod plugins;
mod test_plugins;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::toolchain::Way;
use crate::workspace::Workspace;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Tasks of the vbench repository")]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// How to get a toolchain for wasm32-wasip2.
    #[arg(long, global = true, value_enum, default_value_t = Way::Auto, env = "VBENCH_WASM_TOOLCHAIN")]
    toolchain: Way,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make wasm32-wasip2 builds possible on this machine.
    Setup,
    /// Build the plugins into target/plugins.
    Plugins,
    /// Build the plugins of the tests into target/test-plugins.
    TestPlugins,
    /// Write the pages of docs/reference that are made from something else.
    Docs {
        /// Change nothing, and fail if a page is not current.
        #[arg(long)]
        check: bool,
    },
    /// Feed what reads plugins and responses with inputs that nobody would write.
    Fuzz {
        /// How long each target runs.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Benchmark the embedded mock server with the ShareGPT plugin.
    Demo(demo::DemoArgs),
    /// Write the conversations of the demo again.
    DemoData,
    /// Build the plugins, then run all tests.
    Test {
        /// Arguments of `cargo test`.
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Measure what the client costs and how wrong its times are.
    Bench(bench::BenchArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    match cli.command {
        Command::Setup => {
            let toolchain = toolchain::set_up(&workspace, cli.toolchain)?;
            println!("wasm32-wasip2 is built with {toolchain}");
        }
        Command::Plugins => {
            for plugin in plugins::build(&workspace, cli.toolchain)? {
                println!("{plugin}");
            }
        }
        Command::TestPlugins => {
            for line in test_plugins::build(&workspace, cli.toolchain)? {
                println!("{line}");
            }
        }
        Command::Fuzz { seconds } => {
            let mut cargo = workspace.cargo();
            cargo.args([
                "test",
                "--package",
                "vbench",
                "--lib",
                "--",
                "--nocapture",
                "--test-threads=1",
                "fuzz::",
            ]);
            return workspace::exit_code(cargo.env("VBENCH_FUZZ_SECONDS", seconds.to_string()));
        }
        Command::Docs { check } => docs::write(&workspace, check)?,
        Command::Demo(args) => return demo::run(&workspace, cli.toolchain, &args),
        Command::DemoData => println!("{}", demo_data::write(&workspace)?.display()),
        Command::Test { args } => {
            plugins::build(&workspace, cli.toolchain)?;
            let built = test_plugins::build(&workspace, cli.toolchain)?;
            let code = workspace::exit_code(workspace.cargo().args(["test", "--workspace"]).args(args))?;
            for line in built.iter().filter(|line| line.contains("SKIPPED") || line.contains("skipped")) {
                println!("{line}");
            }
            return Ok(code);
        }
        Command::Bench(args) => {
            plugins::build(&workspace, cli.toolchain)?;
            bench::run(&workspace, &args)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
