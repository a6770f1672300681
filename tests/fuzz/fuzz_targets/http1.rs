//! See `vbench::fuzz::http1`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| vbench::fuzz::http1(input));
