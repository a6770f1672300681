//! See `vbench::fuzz::loader`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| vbench::fuzz::loader(input));
