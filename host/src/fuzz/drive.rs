//! Runs a target without a fuzzer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use super::mutate::Mutator;
use crate::clock;

/// Runs a target: a fixed number of inputs, or for `VBENCH_FUZZ_SECONDS` from a seed of the clock's.
///
/// # Panics
/// When the target does; the input is in a file that the message names.
pub(super) fn run(name: &str, corpus: &[Vec<u8>], inputs: u32, target: impl Fn(&[u8])) {
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
