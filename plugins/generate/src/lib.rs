//! Backends for the own endpoints of servers that take one text and write it on:
//! `tgi` (`/generate_stream`), `sglang` (`/generate`), `tensorrt-llm` (Triton's
//! `generate_stream`) and `llama-cpp` (`/completion`).
//!
//! Sampling flags are sent under the names that each server knows; one that a
//! server does not know is refused, since it would change nothing there. What
//! else a server takes goes into `--extra-body`.

mod fields;
mod llama_cpp;
mod sglang;
mod tensorrt_llm;
mod tgi;

pub use llama_cpp::LlamaCpp;
pub use sglang::Sglang;
pub use tensorrt_llm::TensorRtLlm;
pub use tgi::Tgi;

vbench_plugin::export! { backends: [Tgi, Sglang, TensorRtLlm, LlamaCpp] }
