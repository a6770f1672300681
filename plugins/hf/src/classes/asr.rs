//! Speech to be written down.

use vbench_plugin::sample::MediaKind;
use vbench_plugin::tokenizer;

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
        Ok(Some(Draft::user(prompt()).with_medium(Some(medium))))
    },
    template: Template::Never,
    output: Output::Fixed(1024),
    numbering: Numbering::Samples,
    media: MediaUse::Sound,
};

/// Whisper's control tokens for its own tokenizer; other models take none.
fn prompt() -> String {
    let whisper = tokenizer::describe().is_some_and(|tokenizer| tokenizer.name.contains("openai"));
    if whisper { "<|startoftranscript|><|en|><|transcribe|><|notimestamps|>".into() } else { String::new() }
}
