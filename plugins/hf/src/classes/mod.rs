//! The datasets that the reference client knows, one class a file: which ids
//! belong to it and how a row becomes a prompt. The order of the checks is that
//! of the reference client.
//!
//! A class of text is a table of facts ([`TextClass`]) that [`crate::sampling`]
//! follows; it knows nothing of files, shuffles or tokens.

mod aimo;
mod asr;
mod blazedit;
mod columns;
mod conversation;
mod gsm8k;
mod human_eval;
mod instruct_coder;
mod mlperf;
mod mm_conversation;
mod mm_star;
mod mmvu;
mod mt_bench;
mod next_edit;
mod vision_arena;

use serde_json::{Map, Value, json};
use vbench_plugin::prelude::*;
use vbench_plugin::rules::Validity;

use crate::Config;
use crate::bfcl;

pub use asr::LongestSpeech;

/// What an id stands for.
#[derive(Clone, Copy)]
pub enum Class {
    /// Prompts of text.
    Text(&'static TextClass),
    /// Function calls, whose files are read in a way of their own.
    Bfcl,
}

/// Name of the class of changes of code.
pub const BLAZEDIT: &str = blazedit::CLASS.name;
/// Where the videos of MMVU are on the hub.
pub const MMVU_ROOT: &str = mmvu::REMOTE_ROOT;
/// Name of the class of speech.
pub const ASR: &str = asr::CLASS.name;
/// Name of the class of function calls.
pub const BFCL: &str = "BFCL";

impl Class {
    /// Its name in the reference client.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text(class) => class.name,
            Self::Bfcl => BFCL,
        }
    }
}

/// A class of text.
pub struct TextClass {
    /// Its name in the reference client.
    pub name: &'static str,
    /// The datasets that belong to it.
    pub ids: &'static [&'static str],
    /// The split, unless the user names one.
    pub split: Option<&'static str>,
    /// The subset, unless the user names one.
    pub subset: Option<&'static str>,
    /// The columns of a row that are looked at; empty where options name them.
    pub columns: &'static [&'static str],
    /// Makes the prompt of a row; none for a row that is passed over.
    pub draft: fn(&Row<'_>, &Config, Compat) -> Result<Option<Draft>, Fault>,
    /// When the prompt goes through the tokenizer's chat template.
    pub template: Template,
    /// How long the answer may be.
    pub output: Output,
    /// What request ids count.
    pub numbering: Numbering,
    /// Whether prompts have media, and what becomes of them in a chat.
    pub media: MediaUse,
}

/// Whether prompts have media, and what becomes of them when prompts are written
/// as chat messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaUse {
    /// They have none.
    None,
    /// Media stay beside the messages.
    Kept,
    /// Media are in the messages alone.
    Embedded,
    /// Sounds, which go beside the prompt always.
    Sound,
}

/// A medium as a row has it.
#[derive(Debug, Clone, PartialEq)]
pub struct RowMedium {
    /// The column, for messages.
    pub column: &'static str,
    /// What it is.
    pub kind: vbench_plugin::sample::MediaKind,
    /// A text, or an object of `bytes` and `path`.
    pub value: Value,
}

/// When a prompt goes through the tokenizer's chat template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    Never,
    /// Unless the user does not want it.
    UnlessSkipped,
    /// Also then, under the reference client's rules.
    Always,
}

/// How long an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// What the user says, else this many tokens.
    Fixed(i64),
    /// As long as the answer that comes with the row.
    Answer(AnswerRule),
}

/// How the answer of a row gives a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerRule {
    /// Whether special tokens count.
    pub special_tokens: bool,
    /// Whether a length that the user says wins under the reference client's rules.
    pub flag_wins: bool,
    /// Whether a length below one is refused.
    pub positive: bool,
    /// Which lengths are kept.
    pub keep: Keep,
}

/// Which lengths of prompt and answer are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    All,
    /// These, where the answer's length is the row's.
    WhenMeasured(Validity),
    /// These, whoever says the answer's length.
    Always(Validity),
}

/// What request ids count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbering {
    /// Samples.
    Samples,
    /// Rows, also those that were passed over. Only under the reference
    /// client's rules, since ids made later can be the same.
    Rows,
}

/// What a row asks.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The texts of the prompt.
    pub ask: Ask,
    /// The answer that comes with it, where its length matters.
    pub answer: Option<String>,
    /// The length of the answer, where the row has it as a number.
    pub output_tokens: Option<i64>,
    /// The medium that goes with the prompt.
    pub medium: Option<RowMedium>,
}

/// The texts of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// What a user says.
    User(String),
    /// What the system and a user say.
    System { system: String, user: String },
}

impl Draft {
    /// A prompt without an answer.
    pub fn user(text: String) -> Self {
        Self { ask: Ask::User(text), answer: None, output_tokens: None, medium: None }
    }

    /// Adds a medium, if there is one.
    pub fn with_medium(self, medium: Option<RowMedium>) -> Self {
        Self { medium, ..self }
    }

    /// Adds the answer.
    pub fn answered(self, answer: String) -> Self {
        Self { answer: Some(answer), ..self }
    }
}

impl Ask {
    /// The messages of a chat as JSON.
    pub fn messages(&self) -> String {
        match self {
            Self::User(text) => json!([{"role": "user", "content": text}]),
            Self::System { system, user } => {
                json!([{"role": "system", "content": system}, {"role": "user", "content": user}])
            }
        }
        .to_string()
    }

    /// The text alone.
    pub fn text(self) -> String {
        match self {
            Self::User(text) => text,
            Self::System { system, user } => format!("{system}\n\n{user}"),
        }
    }
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The column, or a JSON pointer.
    pub column: String,
    /// What is wrong.
    pub message: String,
}

/// A row by its columns.
pub struct Row<'a>(pub &'a Map<String, Value>);

impl Row<'_> {
    /// What a column holds; none for one that is missing or null.
    pub fn value(&self, column: &str) -> Option<&Value> {
        self.0.get(column).filter(|value| !value.is_null())
    }

    /// The text of a column.
    pub fn text(&self, column: &str) -> Result<String, Fault> {
        self.text_at(column, self.value(column))
    }

    /// The image of a column, if it has one.
    pub fn image(&self, column: &'static str) -> Option<RowMedium> {
        let value = self.value(column)?.clone();
        Some(RowMedium { column, kind: vbench_plugin::sample::MediaKind::Image, value })
    }

    /// The number of a column.
    pub fn number(&self, column: &str) -> Result<f64, Fault> {
        self.value(column)
            .and_then(Value::as_f64)
            .ok_or_else(|| self.fault(column, self.value(column), "number"))
    }

    /// The items of a column's list.
    pub fn list(&self, column: &str) -> Result<&[Value], Fault> {
        let items = self.value(column).and_then(Value::as_array);
        items.map(Vec::as_slice).ok_or_else(|| self.fault(column, self.value(column), "list"))
    }

    /// A value, found at a place, as text.
    pub fn text_at(&self, place: &str, value: Option<&Value>) -> Result<String, Fault> {
        value.and_then(Value::as_str).map(str::to_owned).ok_or_else(|| self.fault(place, value, "text"))
    }

    fn fault(&self, place: &str, value: Option<&Value>, wanted: &str) -> Fault {
        let message = match value {
            None => format!("the row has no `{place}`"),
            Some(_) => format!("`{place}` is no {wanted}"),
        };
        Fault { column: place.to_owned(), message }
    }
}

/// All classes but that of function calls, in the order in which an id is
/// looked up.
const TEXT: [&TextClass; 14] = [
    &vision_arena::CLASS,
    &mmvu::CLASS,
    &instruct_coder::CLASS,
    &mt_bench::CLASS,
    &human_eval::CLASS,
    &gsm8k::CLASS,
    &mm_conversation::CLASS,
    &conversation::CLASS,
    &aimo::CLASS,
    &next_edit::CLASS,
    &asr::CLASS,
    &blazedit::CLASS,
    &mlperf::CLASS,
    &mm_star::CLASS,
];

/// The class of a dataset: of its path, or the id that the user gave it.
pub fn find(config: &Config, compat: Compat) -> Result<Class> {
    if config.prompt_column.is_some() {
        return Ok(Class::Text(&columns::CLASS));
    }
    let path = config.path.as_str();
    let is = |ids: &[&str], by_name: bool| {
        ids.contains(&path) || (by_name && config.name.as_deref().is_some_and(|name| ids.contains(&name)))
    };
    for class in TEXT {
        // The reference client knows these by their path alone.
        let by_name = !(compat.is_reference() && std::ptr::eq(class, &blazedit::CLASS));
        if is(class.ids, by_name) {
            return Ok(Class::Text(class));
        }
    }
    if is(bfcl::IDS, true) {
        return Ok(Class::Bfcl);
    }
    let known: Vec<&str> =
        TEXT.iter().flat_map(|class| class.ids.iter().copied()).chain(bfcl::IDS.iter().copied()).collect();
    let known = known.join(", ");
    let id = config.id();
    Err(match &config.name {
        Some(_) => Error::config(format!("unsupported dataset `{id}`; known are {known}")).key("name"),
        None => Error::config(format!(
            "unsupported dataset path `{id}`; say with --hf-name which dataset it is, one of {known}, or \
             with --hf-prompt-column where its prompts are"
        ))
        .key(crate::PATH),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_belongs_to_one_class() {
        let mut ids: Vec<&str> = TEXT.iter().flat_map(|class| class.ids.iter().copied()).collect();
        ids.extend(bfcl::IDS);
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }

    #[test]
    fn the_path_or_the_name_tells_the_class() {
        let class = |path: &str, name: Option<&str>, compat| {
            let config = Config { path: path.into(), name: name.map(Into::into), ..Config::default() };
            find(&config, compat).map(Class::name)
        };
        for compat in [Compat::Vbench, Compat::V0_33] {
            assert_eq!(class("openai/gsm8k", None, compat).unwrap(), "GSM8K");
            assert_eq!(class("x", Some("zed-industries/zeta"), compat).unwrap(), "NextEditPrediction");
            assert_eq!(class("Lin-Chen/MMStar", None, compat).unwrap(), "MMStar");
            assert_eq!(class("vdaita/edit_5k_char", None, compat).unwrap(), "Blazedit");
            assert!(class("x", None, compat).unwrap_err().message.contains("--hf-name"));
            assert!(class("x", Some("y"), compat).unwrap_err().message.contains("openai/gsm8k"));
        }
        assert!(class("x", Some("vdaita/edit_5k_char"), Compat::V0_33).is_err());
        assert_eq!(class("x", Some("vdaita/edit_5k_char"), Compat::Vbench).unwrap(), "Blazedit");
    }
}
