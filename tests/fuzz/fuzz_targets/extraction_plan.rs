//! See `vbench::fuzz::extraction_plan`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| vbench::fuzz::extraction_plan(input));
