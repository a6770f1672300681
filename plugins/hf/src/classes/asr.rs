//! Speech to be written down.

use std::borrow::Cow;

use schemars::{Schema, SchemaGenerator, json_schema};
use vbench_plugin::prelude::*;
use vbench_plugin::tokenizer::{self, Info};

use super::{Draft, Fault, MediaUse, Numbering, Output, RowMedium, Template, TextClass};

/// Datasets of speech, by their column `audio`.
pub const CLASS: TextClass = TextClass {
    name: "ASR",
    ids: &[
        "openslr/librispeech_asr",
        "facebook/voxpopuli",
        "LIUM/tedlium",
        "edinburghcstr/ami",
        "speechcolab/gigaspeech",
        "kensho/spgispeech",
        "ArtificialAnalysis/Earnings22-Cleaned-AA",
        "D4nt3/esb-datasets-earnings22-validation-tiny-filtered",
    ],
    split: Some("train"),
    subset: None,
    columns: &["audio"],
    draft: |row, _, _| {
        let value = row.value("audio").cloned().ok_or_else(|| Fault {
            column: "audio".to_owned(),
            message: "the row has no `audio`".to_owned(),
        })?;
        let medium = RowMedium { column: "audio", kind: MediaKind::Audio, value };
        Ok(Some(Draft::user(prompt()?).with_medium(Some(medium))))
    },
    template: Template::Never,
    output: Output::Fixed(1024),
    numbering: Numbering::Samples,
    media: MediaUse::Sound,
};

/// The control tokens that the model's decoder begins with.
const WHISPER: &str = "<|startoftranscript|><|en|><|transcribe|><|notimestamps|>";
/// Those of Cohere's models, whose tokenizer adds none itself: language and task
/// are English, with punctuation, and without the rest.
const COHERE: &str = "<|startofcontext|><|startoftranscript|><|emo:undefined|><|en|><|en|><|pnc|><|noitn|>\
    <|notimestamp|><|nodiarize|>";
/// The token that tokenizers of Cohere's models for speech have, and others not.
const OF_COHERE: &str = "<|startofcontext|>";

/// Whisper is told by its path, Cohere's models by their path or, as the
/// reference client tells the class of their tokenizer, by its vocabulary. Other
/// models take no control tokens.
fn prompt() -> Result<String, Fault> {
    let Some(info) = tokenizer::describe() else { return Ok(String::new()) };
    if info.name.contains("openai") {
        return Ok(WHISPER.to_owned());
    }
    let of_cohere = info.name.to_lowercase().contains("cohere") || has_token(&info, OF_COHERE)?;
    Ok(if of_cohere { COHERE.to_owned() } else { String::new() })
}

fn has_token(info: &Info, token: &str) -> Result<bool, Fault> {
    let encoded = tokenizer::encode(&[token.to_owned()], false)
        .map_err(|error| Fault { column: "audio".to_owned(), message: error.message })?;
    Ok(match encoded.ids.as_slice() {
        [id] => info.added_special_ids.contains(id) || info.special_ids.contains(id),
        _ => false,
    })
}

/// The longest speech that is asked: seconds, or a word for any.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum LongestSpeech {
    /// That many.
    Seconds(f64),
    /// Any.
    Word(AnyLength),
}

/// That there is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum AnyLength {
    /// As Python writes it.
    #[serde(rename = "inf", alias = "infinity")]
    Infinite,
}

impl LongestSpeech {
    /// In seconds. The reference client takes 0 for no limit.
    pub fn seconds(self) -> f64 {
        match self {
            Self::Seconds(seconds) if seconds > 0.0 => seconds,
            Self::Seconds(_) | Self::Word(AnyLength::Infinite) => f64::INFINITY,
        }
    }
}

impl JsonSchema for LongestSpeech {
    fn schema_name() -> Cow<'static, str> {
        "LongestSpeech".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["number", "string"], "minimum": 0, "pattern": "^inf(inity)?$"})
    }
}
