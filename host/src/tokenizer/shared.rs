//! Tokenizers that several runs of one process use.

use std::sync::{Arc, Mutex, PoisonError};

use super::error::Error;
use super::hub::Hub;
use super::mode::Mode;
use super::model::Tokenizer;

/// Loaded tokenizers by name and mode, each read once.
#[derive(Default)]
pub struct Tokenizers(Mutex<Vec<(String, Mode, Arc<Tokenizer>)>>);

impl Tokenizers {
    /// The tokenizer, loaded now if it is not there yet.
    ///
    /// # Errors
    /// It cannot be found or read.
    pub fn load(&self, name: &str, mode: Mode) -> Result<Arc<Tokenizer>, Error> {
        let mut loaded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, tokenizer)) = loaded.iter().find(|(n, m, _)| n == name && *m == mode) {
            return Ok(Arc::clone(tokenizer));
        }
        let tokenizer = Arc::new(Tokenizer::load(name, mode, &Hub::from_env())?);
        loaded.push((name.to_owned(), mode, Arc::clone(&tokenizer)));
        Ok(tokenizer)
    }
}
