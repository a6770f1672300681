//! See `vbench::fuzz::framing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| vbench::fuzz::framing(input));
