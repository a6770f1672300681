//! What the host does for plugins, as traits that the owners of tokenizer,
//! tables and results implement. They mirror the imports of the contract.

use std::sync::Arc;

use super::contract::{ContractError, Json, Location, MediaKind};

/// Facts of a tokenizer that sampling depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizerInfo {
    /// The name or path by which the user chose it.
    pub name: String,
    /// Size of the vocabulary without added tokens.
    pub vocab_size: u32,
    /// Size with added tokens.
    pub full_vocab_size: u32,
    /// `all_special_ids`, in that order.
    pub special_ids: Vec<u32>,
    /// Ids of added tokens flagged as special, ascending.
    pub added_special_ids: Vec<u32>,
    /// `num_special_tokens_to_add`.
    pub specials_per_sequence: u32,
    /// Whether it has a chat template.
    pub has_chat_template: bool,
}

/// A batch of token sequences: sequence i is `ids[ends[i-1]..ends[i]]`.
///
/// What comes from a plugin has been checked: `ends` ascends and its last
/// entry is the length of `ids`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenLists {
    /// All ids, end to end.
    pub ids: Vec<u32>,
    /// End of each sequence.
    pub ends: Vec<u32>,
}

/// A conversation to render with the chat template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// JSON array of messages.
    pub messages: Json,
    /// JSON array of tools.
    pub tools: Option<Json>,
}

/// A decode and the encode of what came out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round {
    /// The texts.
    pub texts: Vec<String>,
    /// Their tokens, without special ones.
    pub tokens: TokenLists,
}

/// The run's tokenizer. All calls take a batch.
pub trait TokenizerService: Send + Sync {
    /// Its facts.
    fn describe(&self) -> TokenizerInfo;
    /// Ascending ids of the whole vocabulary, added tokens included.
    fn vocabulary_ids(&self) -> Result<Vec<u32>, ContractError>;
    /// Number of tokens of each text.
    fn count(&self, texts: &[String], add_special_tokens: bool) -> Result<Vec<u32>, ContractError>;
    /// Tokens of each text.
    fn encode(&self, texts: &[String], add_special_tokens: bool) -> Result<TokenLists, ContractError>;
    /// Text of each sequence.
    fn decode(&self, tokens: &TokenLists, skip_special_tokens: bool) -> Result<Vec<String>, ContractError>;
    /// `decode` with special tokens kept, then `encode` without adding any.
    fn round_trip(&self, tokens: &TokenLists) -> Result<Round, ContractError>;
    /// Each conversation as text; `options` is a JSON object of variables.
    fn render_chat(
        &self,
        chats: &[Chat],
        add_generation_prompt: bool,
        options: Option<&str>,
    ) -> Result<Vec<String>, ContractError>;
}

/// How a table file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// By the file's ending.
    Auto,
    /// A JSON array.
    Json,
    /// One JSON text a line.
    Jsonl,
    /// CSV with a header.
    Csv,
    /// Parquet.
    Parquet,
    /// Every line is a row that holds one JSON string.
    Lines,
}

/// Opens the files that the user named for one opened dataset.
pub trait TableService: Send + Sync {
    /// Opens the file at the path given for `config_key`, or the file `member`
    /// in it. The service knows the paths; a key without one is an error.
    fn open(
        &self,
        config_key: &str,
        member: Option<&str>,
        format: TableFormat,
    ) -> Result<Arc<dyn TableRows>, ContractError>;
}

/// Rows of an open file.
pub trait TableRows: Send + Sync {
    /// How many.
    fn count(&self) -> u64;
    /// Names of the columns.
    fn columns(&self) -> Result<Vec<String>, ContractError>;
    /// Rows as JSON text, in the order asked for; an index out of range is an
    /// error. No columns means all.
    fn read(&self, indices: &[u64], columns: &[String]) -> Result<Vec<Json>, ContractError>;
    /// Length of each row's array or string in a column, -1 where there is none.
    fn lengths(&self, column: &str) -> Result<Vec<i64>, ContractError>;
    /// Where a row stands in the user's file.
    fn locate(&self, index: u64) -> Location;
}

/// Where a medium comes from; see the contract's `media`.
#[derive(Debug, Clone, PartialEq)]
pub enum MediaSource {
    /// The bytes of a file.
    Bytes(Vec<u8>),
    /// A file that the user's data name.
    File {
        /// The option whose path holds those data.
        config_key: String,
        /// As the data have it.
        path: String,
    },
    /// A reference to what the host holds.
    Held(String),
    /// A picture, or the frames of a film.
    Pixels {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// 1 for a picture.
        frames: u32,
        /// `width * height * frames * 3` bytes, if the plugin is right.
        rgb: Vec<u8>,
    },
    /// A sound.
    Samples {
        /// Samples of a channel in a second.
        rate_hz: u32,
        /// Channels.
        channels: u32,
        /// Amplitudes from -1 to 1, those of all channels at one moment together.
        values: Vec<f64>,
    },
}

/// How a medium is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaForm {
    /// As it is.
    Unchanged,
    /// An image as JPEG.
    Jpeg,
    /// An image as PNG.
    Png,
    /// Frames as MP4.
    Mp4,
    /// A sound as WAV.
    Wav,
}

/// What the host holds, and what it knows of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Medium {
    /// Goes where the address of the medium belongs.
    pub reference: String,
    /// What it is.
    pub kind: MediaKind,
    /// MIME type of the bytes that will be sent.
    pub mime_type: String,
    /// Their number.
    pub size_bytes: u64,
    /// In pixels, of images.
    pub width: Option<u32>,
    /// In pixels, of images.
    pub height: Option<u32>,
    /// Of sounds.
    pub duration_s: Option<f64>,
    /// JSON object of what else is known.
    pub details: Json,
}

/// Holds the media of one opened dataset.
pub trait MediaService: Send + Sync {
    /// Takes a medium, in the form in which it is to be sent.
    fn hold(&self, source: MediaSource, form: MediaForm) -> Result<Medium, ContractError>;
}

/// A finished run, as criteria see it.
pub trait RunView: Send + Sync {
    /// A number of the result file by its key.
    fn metric(&self, key: &str) -> Option<f64>;
    /// One value a request, not-a-number where there is none.
    fn column(&self, name: &str) -> Option<Vec<f64>>;
    /// Number of requests.
    fn requests(&self) -> u32;
}

/// What an opened dataset may use.
#[derive(Clone, Default)]
pub struct Services {
    /// None when the run has no tokenizer.
    pub tokenizer: Option<Arc<dyn TokenizerService>>,
    /// None when the user named no file.
    pub tables: Option<Arc<dyn TableService>>,
    /// None where nothing can hold media.
    pub media: Option<Arc<dyn MediaService>>,
}

/// How loud a plugin's message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Shown with `-v`.
    Debug,
    /// Shown as a plain line.
    Info,
    /// Shown, and kept in the result.
    Warn,
}

/// Takes the messages of plugins; they are clean and of bounded length.
pub trait LogSink: Send + Sync {
    /// A message of plugin `plugin`.
    fn log(&self, plugin: &str, level: LogLevel, message: &str);
}
