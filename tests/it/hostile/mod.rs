//! Plugins that misbehave, through the whole command: what they do ends in a message with their name and an exit code,
//! never in a hang or a crash, and harms nobody else.
//!
//! `tests/evil/guest` is a plugin of all roles that does what its option `do` says; what takes a component that no
//! toolchain makes is written by hand around `tests/evil/wat`.
//!
//! - `section`: cases, and their tables in `docs/concepts/sandbox.md`; `wat`: components by hand;
//! - `loading`, `describing`: before a plugin is used; `cache`: files planted among compiled code;
//! - `dataset`, `backend`, `criterion`: by role; `reach`: attempts to get out;
//! - `neighbours`: what others notice of it.

mod backend;
mod cache;
mod criterion;
mod dataset;
mod describing;
mod loading;
mod neighbours;
mod reach;
mod section;
mod wat;

use std::fs;

use super::command::{Outcome, Vbench};

/// `tests/evil/guest` as a file, built by `cargo xtask test-plugins`.
pub fn evil_file() -> String {
    format!("{}/../target/test-plugins/evil.wasm", env!("CARGO_MANIFEST_DIR"))
}

/// `serve` against the embedded server with what every case needs.
fn serve(flags: &[&str]) -> Outcome {
    let file = evil_file();
    assert!(fs::exists(&file).is_ok_and(|exists| exists), "run `cargo xtask test-plugins`");
    // Limits of plugins come before the subcommand.
    let limits = if flags.first().is_some_and(|flag| flag.starts_with("--plugin-")) { 2 } else { 0 };
    let (limits, flags) = flags.split_at(limits);
    Vbench::serve_mock(&file, limits, flags).run()
}

/// Has the dataset do this.
fn dataset(order: &str, flags: &[&str]) -> Outcome {
    serve(&[flags, &["--dataset-name", "evil", "--evil-do", order, "--num-prompts", "3"]].concat())
}

/// Has the backend do this.
fn backend(order: &str, flags: &[&str]) -> Outcome {
    let chosen = [
        "--dataset-name",
        "evil",
        "--num-prompts",
        "4",
        "--backend",
        "evil-backend",
        "--evil-backend-do",
        order,
    ];
    serve(&[flags, &chosen].concat())
}

/// Has the criterion do this.
fn criterion(order: &str, flags: &[&str]) -> Outcome {
    let chosen =
        ["--dataset-name", "evil", "--num-prompts", "4", "--sla", "evil-sla", "--evil-sla-do", order];
    serve(&[flags, &chosen].concat())
}

/// A short limit on calls.
const SOON: [&str; 2] = ["--plugin-timeout-s", "0.3"];
/// A small limit on memory.
const SMALL: [&str; 2] = ["--plugin-memory-mib", "16"];

/// Misdeeds that are possible in every call, what they end with, and what is said.
fn everywhere(call: &str) -> Vec<(&'static str, &'static str, &'static [&'static str], String)> {
    vec![
        (
            "loops without end",
            "loop",
            &SOON,
            format!("`{call}`: stopped after 0.3 s, the time limit of this call"),
        ),
        ("panics", "panic", &[], "the moon is in the wrong phase".to_owned()),
        (
            "calls itself without end",
            "overflow",
            &[],
            format!("`{call}`: trapped: out of bounds memory access (in vbench_evil::deeds::deeper"),
        ),
        ("takes memory without end", "grow", &SMALL, "and may have 16.0 MiB".to_owned()),
        ("ends its process", "exit", &[], format!("`{call}`: ended itself with exit code 1")),
        (
            "returns an error with escape sequences and hidden marks",
            "error-escapes",
            &[],
            "an error with hidden".into(),
        ),
        ("returns an error of a megabyte", "error-long", &[], "long long long".to_owned()),
    ]
}
