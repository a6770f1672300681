//! What can go wrong with a tokenizer, in words for the user.

use std::path::PathBuf;

/// A tokenizer that could not be found, loaded or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `--tokenizer-mode` names a mode that does not exist.
    #[error("unknown tokenizer mode \"{0}\"; use auto or hf")]
    UnknownMode(String),

    /// `--tokenizer-mode` names a mode of the reference client that this
    /// program does not have.
    #[error(
        "tokenizer mode \"{0}\" is not available yet; use auto or hf with a model that has a tokenizer.json"
    )]
    UnavailableMode(String),

    /// The name is neither a path that exists nor the name of a hub repository.
    #[error(
        "no tokenizer at \"{name}\": there is no such file or folder, and it is not the name of a hub repository; \
         pass a folder that holds tokenizer.json, or a name such as organisation/model"
    )]
    NoSuchPath {
        /// As the user wrote it.
        name: String,
    },

    /// A hub name that is neither in the cache nor could be downloaded.
    #[error(
        "cannot find tokenizer \"{name}\": there is no such file or folder, the cache {} has no tokenizer.json \
         of revision {revision} for it, and {reason}; pass a folder that holds tokenizer.json", cache.display()
    )]
    NotOnHub {
        /// As the user wrote it.
        name: String,
        /// The revision that was looked for.
        revision: String,
        /// The cache that was looked at.
        cache: PathBuf,
        /// Why it was not downloaded.
        reason: String,
    },

    /// A folder without `tokenizer.json`.
    #[error("no tokenizer.json in {}{hint}; convert the tokenizer to tokenizer.json (save_pretrained of the transformers library does it)", folder.display())]
    NoTokenizerJson {
        /// Where it was looked for.
        folder: PathBuf,
        /// What was there in its place, or nothing.
        hint: String,
    },

    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },

    /// A JSON file of the tokenizer is not JSON.
    #[error("{} is not valid JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and what.
        #[source]
        source: serde_json::Error,
    },

    /// A JSON file of the tokenizer holds a value of the wrong kind.
    #[error("{}: {message}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The key, and what it should be.
        message: String,
    },

    /// `tokenizer.json` describes something the tokenizers library refuses.
    #[error("cannot load the tokenizer in {}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What the library said.
        message: String,
    },

    /// A text could not be encoded.
    #[error("tokenizer \"{name}\" cannot encode a text: {message}")]
    Encode {
        /// The tokenizer.
        name: String,
        /// What the library said.
        message: String,
    },

    /// A token sequence could not be decoded.
    #[error("tokenizer \"{name}\" cannot decode a token sequence: {message}")]
    Decode {
        /// The tokenizer.
        name: String,
        /// What the library said.
        message: String,
    },

    /// A batch of token sequences whose ends do not fit its ids.
    #[error("malformed batch of token sequences: {0}")]
    TokenLists(String),

    /// The tokenizer has no chat template, or none that fits.
    #[error(
        "tokenizer \"{name}\" has no chat template{detail}; pass --skip-chat-template, or use a tokenizer that has one"
    )]
    NoChatTemplate {
        /// The tokenizer.
        name: String,
        /// What there was in its place, or nothing.
        detail: String,
    },

    /// A conversation that no template can be given.
    #[error("cannot render a chat: {0}")]
    Chat(String),

    /// A chat template is malformed, or stopped while it was rendered.
    #[error("chat template \"{template}\" ({origin}){}: {message}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Template {
        /// `default`, `tool_use`, …
        template: String,
        /// The file it came from.
        origin: String,
        /// The line in the template, where known.
        line: Option<usize>,
        /// What is wrong.
        message: String,
    },
}
