//! Tasks of this repository, run as `cargo xtask COMMAND`.
//!
//! - `toolchain`: what compiles `wasm32-wasip2`, and how to get it;
//! - `plugins`: components and descriptions of the built-in plugins;
//! - `docs`: reference pages from the plugins' own words;
//! - `demo`, `demo_data`: the demonstration and the conversations it uses;
//! - `bench`: figures of the client, against the embedded mock server;
//! - `mock`: that server as a child process; `workspace`: the checkout.

mod bench;
mod demo;
mod demo_data;
mod docs;
mod mock;
mod plugins;
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
    /// Benchmark the embedded mock server with the ShareGPT plugin.
    Demo(demo::DemoArgs),
    /// Write the conversations of the demo again.
    DemoData,
    /// Write the reference of datasets and backends again.
    Docs,
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
        Command::Demo(args) => return demo::run(&workspace, cli.toolchain, &args),
        Command::DemoData => println!("{}", demo_data::write(&workspace)?.display()),
        Command::Docs => {
            for path in docs::write(&workspace)? {
                println!("{}", path.display());
            }
        }
        Command::Test { args } => {
            plugins::build(&workspace, cli.toolchain)?;
            return workspace::exit_code(workspace.cargo().args(["test", "--workspace"]).args(args));
        }
        Command::Bench(args) => {
            plugins::build(&workspace, cli.toolchain)?;
            bench::run(&workspace, &args)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
