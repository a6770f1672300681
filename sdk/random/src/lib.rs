//! The random generators that the reference client draws its prompts, orders
//! and arrival gaps from, reproduced bit for bit, so that the same `--seed`
//! gives the same benchmark.
//!
//! | Python | here |
//! |---|---|
//! | `numpy.random.default_rng(seed)` | [`NumpyGenerator`] |
//! | `numpy.random.seed(seed)`, `numpy.random.RandomState(seed)` | [`NumpyRandomState`] |
//! | `random.seed(seed)`, `random.Random(seed)` | [`PythonRandom`] |
//! | `pandas.DataFrame.sample(random_state=seed)` | [`data_frame_sample`] |
//! | `hash(text)` under `PYTHONHASHSEED` | [`PythonStringHash`] |
//!
//! The crate has no input, output or clock, and builds for `wasm32-wasip2` as
//! well as for the host. Integer draws and uniform doubles are the same on
//! every machine. Draws that take a logarithm or a power (gamma, normal,
//! exponential) use the platform's mathematical library, as numpy does, and so
//! can differ in the last bit between libraries.
//!
//! None of the generators is fit for cryptography.

#![forbid(unsafe_code)]

mod bounded;
mod data_frame;
mod error;
mod numpy_generator;
mod numpy_random_state;
mod pcg64;
mod python_random;
mod python_string_hash;
mod twister;

pub use data_frame::data_frame_sample;
pub use error::{DrawError, StateError};
pub use numpy_generator::NumpyGenerator;
pub use numpy_random_state::NumpyRandomState;
pub use python_random::PythonRandom;
pub use python_string_hash::PythonStringHash;
pub use twister::STATE_WORDS;
