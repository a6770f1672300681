//! What dataset plugins may use of the host: the run's tokenizer and the files
//! that the user named.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use crate::data;
use crate::media::{self, Folders, Store};
use crate::plugin::contract::{Cause, ContractError, Json, Location, MediaKind};
use crate::plugin::services::{
    Chat, MediaForm, MediaService, MediaSource, Medium, Round, TableFormat, TableRows, TableService,
    TokenLists, TokenizerInfo, TokenizerService,
};
use crate::tokenizer::{self, Tokenizer};

/// The run's tokenizer as plugins see it.
pub struct RunTokenizer(pub Arc<Tokenizer>);

fn tokenizer_error(error: tokenizer::Error) -> ContractError {
    ContractError::new(Cause::Input, error.to_string())
}

fn from_plugin(tokens: &TokenLists) -> Result<tokenizer::TokenLists, ContractError> {
    tokenizer::TokenLists::from_parts(tokens.ids.clone(), tokens.ends.clone()).map_err(tokenizer_error)
}

fn to_plugin(tokens: tokenizer::TokenLists) -> TokenLists {
    let (ids, ends) = tokens.into_parts();
    TokenLists { ids, ends }
}

impl TokenizerService for RunTokenizer {
    fn describe(&self) -> TokenizerInfo {
        let info = self.0.info();
        TokenizerInfo {
            name: info.name.clone(),
            vocab_size: info.vocab_size,
            full_vocab_size: info.full_vocab_size,
            special_ids: info.special_ids.clone(),
            added_special_ids: info.added_special_ids.clone(),
            specials_per_sequence: info.specials_per_sequence,
            has_chat_template: info.has_chat_template,
        }
    }

    fn vocabulary_ids(&self) -> Result<Vec<u32>, ContractError> {
        Ok(self.0.vocabulary_ids())
    }

    fn count(&self, texts: &[String], add_special_tokens: bool) -> Result<Vec<u32>, ContractError> {
        self.0.count(texts, add_special_tokens).map_err(tokenizer_error)
    }

    fn encode(&self, texts: &[String], add_special_tokens: bool) -> Result<TokenLists, ContractError> {
        self.0.encode(texts, add_special_tokens).map(to_plugin).map_err(tokenizer_error)
    }

    fn decode(&self, tokens: &TokenLists, skip_special_tokens: bool) -> Result<Vec<String>, ContractError> {
        self.0.decode(&from_plugin(tokens)?, skip_special_tokens).map_err(tokenizer_error)
    }

    fn round_trip(&self, tokens: &TokenLists) -> Result<Round, ContractError> {
        let round = self.0.round_trip(&from_plugin(tokens)?).map_err(tokenizer_error)?;
        Ok(Round { texts: round.texts, tokens: to_plugin(round.tokens) })
    }

    fn render_chat(
        &self,
        chats: &[Chat],
        add_generation_prompt: bool,
        options: Option<&str>,
    ) -> Result<Vec<String>, ContractError> {
        let options = match options {
            None => serde_json::Map::new(),
            Some(text) => serde_json::from_str(text).map_err(|e| {
                ContractError::new(Cause::Internal, format!("template options are not a JSON object: {e}"))
            })?,
        };
        let chats = chats
            .iter()
            .map(|chat| tokenizer::Chat::parse(&chat.messages, chat.tools.as_deref()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(tokenizer_error)?;
        self.0.render_chat(&chats, add_generation_prompt, &options).map_err(tokenizer_error)
    }
}

/// The files that the user named for a dataset, by option.
pub struct NamedFiles {
    /// Paths by the option that named them.
    pub paths: HashMap<String, PathBuf>,
    /// Where the bytes of cells go.
    pub media: Arc<Store>,
}

/// Cells of tables that hold bytes become media.
struct MediaCells(Arc<Store>);

impl data::Cells for MediaCells {
    fn put(&self, bytes: bytes::Bytes) -> String {
        self.0.put(bytes)
    }
}

/// The media of a run, and the files that they may come from.
pub struct RunMedia {
    store: Arc<Store>,
    /// By the option whose path holds the data that name the files.
    folders: HashMap<String, Folders>,
}

impl RunMedia {
    /// Media may come from the folders of these paths, and from `allowed` ones.
    pub fn new(store: Arc<Store>, paths: &HashMap<String, PathBuf>, allowed: &[PathBuf]) -> Self {
        let folders = paths.iter().map(|(key, path)| {
            let mut folders = Folders::new();
            folders.add(path);
            allowed.iter().for_each(|path| folders.add(path));
            (key.clone(), folders)
        });
        Self { store, folders: folders.collect() }
    }
}

impl MediaService for RunMedia {
    fn hold(&self, source: MediaSource, form: MediaForm) -> Result<Medium, ContractError> {
        let form = match form {
            MediaForm::Unchanged => media::Form::Unchanged,
            MediaForm::Jpeg => media::Form::Jpeg,
            MediaForm::Png => media::Form::Png,
            MediaForm::Mp4 => media::Form::Mp4,
            MediaForm::Wav => media::Form::Wav,
        };
        let held = match &source {
            MediaSource::Bytes(bytes) => self.store.hold(media::Source::Bytes(bytes.clone().into()), form),
            MediaSource::File { config_key, path } => {
                let folders = self.folders.get(config_key).ok_or_else(|| {
                    let mut error = ContractError::new(Cause::Config, "a file is needed, but none was named");
                    error.config_key = Some(config_key.clone());
                    error
                })?;
                let held =
                    folders.read(path).and_then(|bytes| self.store.hold(media::Source::Bytes(bytes), form));
                held.map_err(|error| media::MediaError { name: Some(path.clone()), ..error })
            }
            MediaSource::Held(reference) => self.store.hold(media::Source::Held(reference), form),
            &MediaSource::Pixels { width, height, frames, ref rgb } => {
                self.store.hold(media::Source::Pixels { width, height, frames, rgb }, form)
            }
            &MediaSource::Samples { rate_hz, channels, ref values } => {
                self.store.hold(media::Source::Samples { rate_hz, channels, values }, form)
            }
        };
        let held = held.map_err(|error| ContractError::new(media_cause(&error), error.to_string()))?;
        let facts = held.facts;
        let kind = match facts.kind {
            media::Kind::Image => MediaKind::Image,
            media::Kind::Video => MediaKind::Video,
            media::Kind::Audio => MediaKind::Audio,
        };
        let mut details = serde_json::Map::new();
        for (key, value) in [("sample_rate_hz", facts.sample_rate_hz), ("channels", facts.channels)] {
            details.extend(value.map(|value| (key.to_owned(), json!(value))));
        }
        Ok(Medium {
            reference: held.reference,
            kind,
            mime_type: facts.mime_type.to_owned(),
            size_bytes: held.size_bytes,
            width: facts.pixels.map(|(width, _)| width),
            height: facts.pixels.map(|(_, height)| height),
            duration_s: facts.duration_s,
            details: serde_json::Value::Object(details).to_string(),
        })
    }
}

/// Who has to act on a medium that cannot be used.
fn media_cause(error: &media::MediaError) -> Cause {
    match error.problem {
        media::Problem::Outside => Cause::Config,
        media::Problem::Remote(_) => Cause::Unsupported,
        media::Problem::NotHeld(_) | media::Problem::Measures(_) | media::Problem::WrongLength { .. } => {
            Cause::Internal
        }
        _ => Cause::Input,
    }
}

impl TableService for NamedFiles {
    fn open(
        &self,
        config_key: &str,
        member: Option<&str>,
        format: TableFormat,
    ) -> Result<Arc<dyn TableRows>, ContractError> {
        let Some(path) = self.paths.get(config_key) else {
            let mut error = ContractError::new(Cause::Config, "a file is needed, but none was named");
            error.config_key = Some(config_key.to_owned());
            return Err(error);
        };
        let format = match format {
            TableFormat::Auto => data::Format::Auto,
            TableFormat::Json => data::Format::Json,
            TableFormat::Jsonl => data::Format::Jsonl,
            TableFormat::Csv => data::Format::Csv,
            TableFormat::Parquet => data::Format::Parquet,
            TableFormat::Lines => data::Format::Lines,
        };
        let table = data::open(path, member, format, Some(Arc::new(MediaCells(Arc::clone(&self.media)))))
            .map_err(|error| data_error(&error))?;
        Ok(Arc::new(OpenTable(Mutex::new(table))))
    }
}

struct OpenTable(Mutex<data::Table>);

impl OpenTable {
    fn table(&self) -> std::sync::MutexGuard<'_, data::Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TableRows for OpenTable {
    fn count(&self) -> u64 {
        self.table().count()
    }

    fn columns(&self) -> Result<Vec<String>, ContractError> {
        self.table().columns().map_err(|error| data_error(&error))
    }

    fn read(&self, indices: &[u64], columns: &[String]) -> Result<Vec<Json>, ContractError> {
        self.table().read(indices, columns).map_err(|error| data_error(&error))
    }

    fn lengths(&self, column: &str) -> Result<Vec<i64>, ContractError> {
        self.table().lengths(column).map_err(|error| data_error(&error))
    }

    fn locate(&self, index: u64) -> Location {
        let at = self.table().locate(index);
        Location { file: Some(at.file), row: at.row, column: None }
    }
}

/// A wrong file in the contract's words. The place goes beside the message, so
/// that it is told once, however the plugin passes it on.
fn data_error(error: &data::DataError) -> ContractError {
    let location =
        Location { file: Some(error.file.clone()), row: error.at.line.or(error.at.row), column: None };
    let message = match error.at.column {
        Some(column) => format!("{} (at byte {column} of the line)", error.problem),
        None => error.problem.to_string(),
    };
    ContractError { location: Some(location), ..ContractError::new(error.cause(), message) }
}
