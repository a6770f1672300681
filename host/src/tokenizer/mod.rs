//! The benchmark's tokenizer, as the reference client sees it.
//!
//! The reference client loads its tokenizer with the transformers library
//! (`PreTrainedTokenizerFast`); this module gives the same ids, texts and facts
//! from the same files. Plugins reach it through the `tokenizer` interface of
//! the contract.
//!
//! - `source`, `hub`, `mode`: what `--tokenizer` and `--tokenizer-mode` mean.
//! - `tokenizer_json`: that file, read quickly; `config`: the files beside it.
//! - `pipeline`: the tokenizers library, with `byte_bpe` (and its `token_ids`) for
//!   the model that nearly all language models have.
//! - `model`: [`Tokenizer`] itself; `batch` spreads its work over the cores,
//!   `clean_up` is a part of decoding.
//! - `template`, `python_json`: chat templates.
//!
//! It depends on [`crate::clock`] only (a template may ask for the time).

mod batch;
mod byte_bpe;
mod clean_up;
mod config;
mod error;
mod hub;
mod mode;
mod model;
mod pipeline;
mod python_json;
mod source;
mod template;
mod token_ids;
mod tokenizer_json;
mod tokens;

pub use error::Error;
pub use hub::Hub;
pub use mode::Mode;
pub use model::{Info, Round, Tokenizer};
pub use source::Source;
pub use template::Chat;
pub use tokens::TokenLists;

#[cfg(test)]
mod golden;
