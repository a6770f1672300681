//! Images, videos and sounds: what they are, how they are encoded, and the one
//! place that holds their bytes.
//!
//! A [`Store`] takes media from bytes, files, table cells, pixels and samples,
//! and gives out references by content. [`Folders`] says which files may be
//! read. `facts` tells what bytes are; `picture` (with `jpeg_decode`) and `sound`
//! decode; `jpeg`, `png`, `mp4` and `wav` encode. JPEG is written
//! and read to the bit as by the reference client's libraries. [`resolve`] puts data where a body has references.
//!
//! Nothing here knows about plugins, options or rows, and nothing outside of
//! this folder is used.

mod error;
mod facts;
mod folders;
mod jpeg;
mod jpeg_decode;
mod jpeg_tables;
mod mp4;
mod picture;
mod png;
mod sound;
mod store;
mod substitute;
mod wav;

pub use error::{MediaError, Problem};
pub use facts::{Facts, Kind};
pub use folders::Folders;
pub use store::{Form, Medium, PREFIX, Source, Store};
pub use substitute::resolve;

/// The largest medium that is taken, encoded or not.
const MAX_BYTES: u64 = 256 << 20;

/// Runs a decoder. The decoders are written for any input, but a panic in one
/// of them must not take the process down.
fn guarded<T>(decode: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(Problem::Decode("the decoder failed; the data are damaged".to_owned())))
}
