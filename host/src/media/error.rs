//! What can be wrong with a medium.

use std::io;

/// A medium that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}{problem}", name.as_deref().map_or(String::new(), |name| format!("`{name}`: ")))]
pub struct MediaError {
    /// The file as the user's data name it, if it came from one.
    pub name: Option<String>,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a medium.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The operating system refused to open or read the file.
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The file is in none of the folders that may be read.
    #[error("is not in a folder that may be read; name its folder with --allowed-local-media-path")]
    Outside,
    /// A directory, a FIFO, a device.
    #[error("is no regular file")]
    NotAFile,
    /// More bytes than are taken.
    #[error("has {found_bytes} bytes; at most {limit_bytes} are taken")]
    TooLarge {
        /// Bytes that it has.
        found_bytes: u64,
        /// Bytes that are taken.
        limit_bytes: u64,
    },
    /// No bytes at all.
    #[error("is empty")]
    Empty,
    /// An address that the host does not fetch.
    #[error("`{0}` is on the network, from where media are not fetched; download it and name the file")]
    Remote(String),
    /// The bytes are none of the formats known.
    #[error("is no image, video or sound of a known format")]
    UnknownFormat,
    /// The wrong kind for what is asked.
    #[error("is {found}, which cannot be written as {wanted}")]
    WrongKind {
        /// What it is.
        found: &'static str,
        /// What was asked for.
        wanted: &'static str,
    },
    /// A decoder refused it.
    #[error("cannot be decoded: {0}")]
    Decode(String),
    /// Pixels or samples whose number is not what their measures say.
    #[error("{found} values, where {expected} make up the whole")]
    WrongLength {
        /// Values that came.
        found: u64,
        /// Values that the measures ask for.
        expected: u64,
    },
    /// Measures that no file can have.
    #[error("{0}")]
    Measures(String),
    /// A reference to nothing that is held.
    #[error("`{0}` refers to no medium that the host holds")]
    NotHeld(String),
}

impl Problem {
    /// Without a file to name.
    pub(super) fn unnamed(self) -> MediaError {
        MediaError { name: None, problem: self }
    }

    /// With the file that it is about.
    pub(super) fn of(self, name: &str) -> MediaError {
        MediaError { name: Some(name.to_owned()), problem: self }
    }
}
