//! Images, videos and sounds, held and encoded by the host.
//!
//! A plugin hands over bytes, pixels or samples, or says in which file or cell
//! they are, and gets a [`Medium`]: what it is, and a reference that goes
//! wherever its address belongs. Bytes cross the plugin boundary at most once.
//!
//! ```
//! use vbench_plugin::media::{self, Form, Source};
//! use vbench_plugin::testing::Host;
//!
//! Host::new().with_file("path", "a.png", b"\x89PNG...").enter(|| {
//!     let image = media::hold(Source::file("path", "a.png"), Form::Jpeg).unwrap();
//!     assert!(image.media().url.starts_with("vbench-media:"));
//! });
//! ```

pub use crate::bindings::host::vbench::plugin::media::{File, Form, Item, Medium, Pixels, Samples, Source};
use crate::sample::Media;
use crate::{Error, Result};

#[cfg(target_arch = "wasm32")]
use crate::bindings::host::vbench::plugin::media as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::host::media as host;

/// What every reference begins with.
pub const PREFIX: &str = "vbench-media:";

/// Takes one medium in the form in which it is to be sent. Fails when it cannot
/// be read, is damaged, or cannot be had in this form; the error does not say
/// where it stands in the user's data, see [`Error::at`].
pub fn hold(source: Source, form: Form) -> Result<Medium> {
    let mut held = hold_all(vec![Item { source, form }]);
    held.pop().unwrap_or_else(|| Err(Error::internal("the host took no medium")))
}

/// Takes several media at once; what became of each, in their order.
pub fn hold_all(items: Vec<Item>) -> Vec<Result<Medium>> {
    host::hold(&items)
}

impl Source {
    /// A file that the data at the path of an option name.
    pub fn file(config_key: impl Into<String>, path: impl Into<String>) -> Self {
        Self::File(File { config_key: config_key.into(), path: path.into() })
    }

    /// A picture of `width * height * 3` bytes of red, green and blue.
    pub fn picture(width: u32, height: u32, rgb: Vec<u8>) -> Self {
        Self::Pixels(Pixels { width, height, frames: 1, rgb })
    }
}

impl Medium {
    /// As an attachment of a turn. A sound says its format, which is what comes
    /// after the slash of its MIME type.
    pub fn media(&self) -> Media {
        let mut media = Media::new(self.kind, self.reference.clone());
        if self.kind == crate::sample::MediaKind::Audio {
            media.format = Some(self.format().to_owned());
        }
        media
    }

    /// The name of the format: `jpeg`, `png`, `wav`, `mp3`.
    pub fn format(&self) -> &str {
        match self.mime_type.split_once('/') {
            Some(("audio", "mpeg")) => "mp3",
            Some((_, format)) => format,
            None => &self.mime_type,
        }
    }
}

/// The text that stands for a medium's Base64 alone: of a reference, and of a
/// `data:` address what comes after its head.
pub fn base64_of(url: &str) -> String {
    if url.starts_with(PREFIX) {
        return format!("{url};base64");
    }
    url.split_once(";base64,").map_or(url, |(_, data)| data).to_owned()
}

/// The text that stands for what a medium is, as `image/png`: of a reference,
/// and of a `data:` address what its head says. None for another address.
pub fn mime_type_of(url: &str) -> Option<String> {
    if url.starts_with(PREFIX) {
        return Some(format!("{url};mime-type"));
    }
    let (mime_type, _) = url.strip_prefix("data:")?.split_once(";base64,")?;
    Some(mime_type.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::MediaKind;
    use crate::testing::Host;

    #[test]
    fn a_medium_becomes_an_attachment() {
        let host = Host::new();
        host.enter(|| {
            let samples = Samples { rate_hz: 8000, channels: 1, values: vec![0.0; 80] };
            let sound = hold(Source::Samples(samples), Form::Wav).unwrap();
            assert_eq!(sound.duration_s, Some(0.01));
            let media = sound.media();
            assert_eq!((media.kind, media.format.as_deref()), (MediaKind::Audio, Some("wav")));
            assert_eq!(base64_of(&media.url), format!("{};base64", sound.reference));
            let short = Pixels { width: 2, height: 2, frames: 1, rgb: vec![0; 3] };
            assert!(hold(Source::Pixels(short), Form::Jpeg).is_err());
            assert!(hold(Source::file("path", "none.png"), Form::Unchanged).is_err());
        });
    }

    #[test]
    fn the_parts_of_an_address() {
        assert_eq!(base64_of("data:audio/wav;base64,AAAA"), "AAAA");
        assert_eq!(base64_of("AAAA"), "AAAA");
        assert_eq!(mime_type_of("data:audio/wav;base64,AAAA").as_deref(), Some("audio/wav"));
        assert_eq!(mime_type_of("vbench-media:0").as_deref(), Some("vbench-media:0;mime-type"));
        assert_eq!(mime_type_of("https://a/b.png"), None);
    }
}
