//! See `vbench::fuzz::returned_data`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| vbench::fuzz::returned_data(input));
