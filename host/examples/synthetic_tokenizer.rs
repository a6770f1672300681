//! Writes a tokenizer as large as those of present-day models into a folder:
//! `cargo run --package vbench --example synthetic_tokenizer -- DIR`.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use vbench::tokenizer::synthetic::{MergeForm, Shape, tokenizer_json};

fn main() -> Result<(), Box<dyn Error>> {
    let dir: PathBuf = std::env::args_os().nth(1).ok_or("name the folder")?.into();
    fs::create_dir_all(&dir)?;
    let shape = Shape { form: MergeForm::Pair, ..Shape::LARGE };
    fs::write(dir.join("tokenizer.json"), tokenizer_json(shape))?;
    Ok(())
}
