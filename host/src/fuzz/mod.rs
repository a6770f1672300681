//! Inputs that nobody would write, for everything that reads what others made: plugin files, what plugins return,
//! responses, events.
//!
//! A target is a function of bytes that checks what has to hold for all bytes. It is run on a corpus of good and bad
//! examples and on mutations of them. The tests run a fixed number, the same ones every time; `cargo xtask fuzz` goes on
//! for as long as it is told, from a new seed each time. There is no guidance by coverage: that takes instrumented builds
//! of all dependencies, the code generator among them, and a nightly compiler. The examples are chosen to make up for it.
//!
//! - `mutate`: how bytes are changed; `plugins`, `responses`: targets.
//!
//! May depend on everything; nothing depends on it. Compiled for tests only.

mod mutate;
mod plugins;
mod responses;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use self::mutate::Mutator;
use crate::clock;

/// Runs a target: a fixed number of inputs, or for `VBENCH_FUZZ_SECONDS` from a seed of the clock's.
///
/// # Panics
/// When the target does; the input is in a file that the message names.
fn run(name: &str, corpus: &[Vec<u8>], inputs: u32, target: impl Fn(&[u8])) {
    let try_one = |input: &[u8]| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
            let path = keep(name, input);
            eprintln!("fuzz target {name}: {} bytes that fail are in {}", input.len(), path.display());
            std::panic::resume_unwind(panic);
        }
    };
    corpus.iter().for_each(|input| try_one(input));
    let seconds = std::env::var("VBENCH_FUZZ_SECONDS").ok().and_then(|text| text.parse::<u64>().ok());
    let Some(seconds) = seconds else {
        let mut mutator = Mutator::new(0);
        (0..inputs).for_each(|_| try_one(&mutator.next(corpus)));
        return;
    };
    let start_ns = clock::now_ns();
    let mut mutator = Mutator::new(start_ns);
    let mut count = 0_u64;
    while clock::now_ns() - start_ns < seconds * 1_000_000_000 {
        try_one(&mutator.next(corpus));
        count += 1;
    }
    eprintln!("fuzz target {name}: {count} inputs from seed {start_ns}");
}

fn keep(name: &str, input: &[u8]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("vbench-fuzz-{name}-{}.bin", std::process::id()));
    // Without a place for it the message still says which target failed.
    let _ = std::fs::write(&path, input);
    path
}
