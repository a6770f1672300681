//! Datasets for speculative decoding: `spec_bench`, the file of Spec-Bench, and
//! `speed_bench`, the folder of SPEED-Bench.
//!
//! Both take the first message of each row and go on as the dataset `custom`
//! does, in the reference client, vLLM 0.33, as here. Their order is always
//! drawn with seed 0, whatever the run's seed, so that it is the same in all
//! published figures.

mod rows;
mod spec_bench;
mod speed_bench;

pub use spec_bench::{SpecBench, SpecBenchConfig};
pub use speed_bench::{SpeedBench, SpeedBenchConfig};

vbench_plugin::export! { datasets: [SpecBench, SpeedBench] }
