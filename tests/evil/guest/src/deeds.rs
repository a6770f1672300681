//! Misdeeds that are possible in any call.

use std::hint::black_box;

use crate::contract::vbench::plugin::log::{Level, log};
use crate::contract::vbench::plugin::types::{Cause, Error};
use crate::{error, probes};

/// Does what is asked for, if it is one of these. What it returns is an error
/// for the host.
pub fn common(deed: &str) -> Result<(), Error> {
    match deed {
        "loop" => endless(),
        "panic" => first_trouble(),
        "overflow" => {
            black_box(deeper(black_box(1)));
        }
        "grow" => grow(),
        "exit" => std::process::exit(7),
        "abort" => std::process::abort(),
        "print" => loop {
            println!("\u{1b}[31mfor ever\u{1b}[0m and ever");
        },
        "log" => loop {
            log(Level::Info, "for ever and ever");
        },
        "log-escapes" => log(Level::Warn, &hidden("a message")),
        "log-long" => log(Level::Warn, &"long ".repeat(200_000)),
        "sleep" => std::thread::sleep(std::time::Duration::from_secs(86_400)),
        "error-escapes" => return Err(error(Cause::Internal, hidden("an error"))),
        "error-long" => return Err(error(Cause::Internal, "long ".repeat(200_000))),
        "error-empty" => return Err(error(Cause::Internal, "")),
        "error-blames-user" => return Err(error(Cause::Config, "it is all your fault")),
        "connect" => probes::connect(),
        "resolve" => probes::resolve(),
        "bind" => probes::bind(),
        "environment" => probes::environment(),
        "stdin" => probes::stdin(),
        "time" => probes::time(),
        "random" => probes::random(),
        "files" => probes::files(),
        "thread" => probes::thread(),
        _ => {}
    }
    Ok(())
}

/// Text around terminal escape sequences and marks that turn the writing direction.
pub fn hidden(what: &str) -> String {
    format!("{what} \u{1b}[2J\u{1b}]0;owned\u{7}with\u{202e} hidden\u{200b} \u{9b}31mthings\r\nin it\u{0}")
}

/// A JSON array in an array in an array.
pub fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

fn endless() {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

#[inline(never)]
fn first_trouble() {
    second_trouble(black_box("wrong phase"));
    black_box(());
}

#[inline(never)]
fn second_trouble(phase: &str) {
    panic!("the moon is in the {phase}");
}

#[inline(never)]
fn deeper(depth: u64) -> u64 {
    let here = black_box([depth; 64]);
    if black_box(depth == 0) {
        return 0;
    }
    deeper(black_box(depth + 1)) + here[63]
}

fn grow() {
    let mut kept = Vec::new();
    loop {
        kept.push(black_box(vec![1_u8; 1 << 20]));
    }
}
