//! Datasets of random tokens: `random`, prompts whose number of tokens is exact
//! as far as the tokenizer allows; `random-rerank`, a query with documents to
//! rank; `prefix_repetition`, prompts with common beginnings; and `random-mm`,
//! prompts with images and videos of noise.
//!
//! Lengths, tokens, and every draw behind them are those of the reference
//! client, vLLM 0.33, so the same seed gives the same prompts. It makes one
//! prompt after the other; here many are on their way at once where draws allow
//! (see [`vbench_plugin::rules::Fitter`]), with the same result. With `--sampling
//! parallel` every prompt has draws of its own, so all can be on their way, and
//! the prompts are others.

mod buckets;
mod items;
mod lengths;
mod prefix_repetition;
mod prompts;
mod random;
mod random_mm;
mod range_ratio;
mod rerank;
mod sampling;

pub use prefix_repetition::{PrefixRepetition, PrefixRepetitionConfig};
pub use random::{Config, Random};
pub use random_mm::{MmConfig, RandomMm};
pub use range_ratio::RangeRatio;
pub use rerank::{RandomRerank, RerankConfig};
pub use sampling::Sampling;

vbench_plugin::export! { datasets: [Random, RandomRerank, PrefixRepetition, RandomMm] }
