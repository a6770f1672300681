//! What the bytes of a medium are, by their first ones.

use super::error::Problem;
use super::{picture, sound};

/// What a medium is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A sound.
    Audio,
}

impl Kind {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Image => "an image",
            Self::Video => "a video",
            Self::Audio => "a sound",
        }
    }
}

/// What is known of a medium.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// What it is.
    pub kind: Kind,
    /// Its MIME type.
    pub mime_type: &'static str,
    /// Width and height in pixels, of images.
    pub pixels: Option<(u32, u32)>,
    /// Length in seconds, of sounds.
    pub duration_s: Option<f64>,
    /// Samples a second, of sounds.
    pub sample_rate_hz: Option<u32>,
    /// Channels, of sounds.
    pub channels: Option<u32>,
}

impl Facts {
    /// Reads them from the bytes of a file.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.is_empty() {
            return Err(Problem::Empty);
        }
        let (kind, mime_type) = format(bytes).ok_or(Problem::UnknownFormat)?;
        let mut facts =
            Self { kind, mime_type, pixels: None, duration_s: None, sample_rate_hz: None, channels: None };
        match kind {
            Kind::Image => facts.pixels = Some(picture::measures(bytes)?),
            Kind::Audio => {
                let length = sound::length(bytes)?;
                facts.duration_s = Some(length.frames as f64 / f64::from(length.rate_hz));
                facts.sample_rate_hz = Some(length.rate_hz);
                facts.channels = Some(length.channels);
            }
            Kind::Video => {}
        }
        Ok(facts)
    }
}

/// Kind and MIME type by the magic numbers of the formats.
fn format(bytes: &[u8]) -> Option<(Kind, &'static str)> {
    let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    let riff = |form: &[u8]| at(0, b"RIFF") && at(8, form);
    Some(if at(0, b"\xff\xd8\xff") {
        (Kind::Image, "image/jpeg")
    } else if at(0, b"\x89PNG\r\n\x1a\n") {
        (Kind::Image, "image/png")
    } else if at(0, b"GIF87a") || at(0, b"GIF89a") {
        (Kind::Image, "image/gif")
    } else if riff(b"WEBP") {
        (Kind::Image, "image/webp")
    } else if at(0, b"BM") && bytes.len() > 26 {
        (Kind::Image, "image/bmp")
    } else if riff(b"WAVE") {
        (Kind::Audio, "audio/wav")
    } else if riff(b"AVI ") {
        (Kind::Video, "video/x-msvideo")
    } else if at(0, b"fLaC") {
        (Kind::Audio, "audio/flac")
    } else if at(0, b"OggS") {
        (Kind::Audio, "audio/ogg")
    } else if is_mpeg(bytes) {
        (Kind::Audio, "audio/mpeg")
    } else if at(4, b"ftyp") {
        (Kind::Video, "video/mp4")
    } else if at(0, b"\x1a\x45\xdf\xa3") {
        (Kind::Video, "video/webm")
    } else {
        return None;
    })
}

/// Whether the bytes are MPEG audio: they begin with tags, or with the header of
/// a frame of layer III, which is eleven bits of sync, then a version, a bit rate
/// and a sample rate that exist.
pub(super) fn is_mpeg(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"ID3") {
        return true;
    }
    let &[0xff, second, third, ..] = bytes else { return false };
    second & 0xe6 == 0xe2 && second & 0x18 != 0x08 && third & 0xf0 != 0xf0 && third & 0x0c != 0x0c
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::wav;
    use proptest::prelude::*;

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        for (bytes, mime_type) in [
            (&b"\xff\xd8\xff\xe0"[..], "image/jpeg"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
            (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
            (b"fLaC\0\0\0\x22", "audio/flac"),
            (b"ID3\x04\0\0", "audio/mpeg"),
            (b"\xff\xfb\x90\x00", "audio/mpeg"),
            (b"\0\0\0\x18ftypmp42", "video/mp4"),
        ] {
            assert_eq!(format(bytes).unwrap().1, mime_type);
        }
        for bytes in [&b"\xff\xff\xff\xff"[..], b"hello", b"RIFF", b""] {
            assert!(format(bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn a_sound_has_a_length() {
        let wav = wav::encode(8000, 2, &[0.25; 1600]).unwrap();
        let facts = Facts::of(&wav).unwrap();
        assert_eq!((facts.kind, facts.duration_s), (Kind::Audio, Some(0.1)));
        assert_eq!((facts.sample_rate_hz, facts.channels), (Some(8000), Some(2)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_facts_or_an_error(
            magic in prop::sample::select(vec![
                &b"\xff\xd8\xff\xe0"[..], b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x40\0\0\0WEBPVP8L",
                b"BM", b"RIFF\x40\0\0\0WAVEfmt \x10\0\0\0", b"fLaC\0\0\0\x22", b"ID3\x04\0\0\0\0\0\0",
                b"OggS\0\x02", b"\xff\xfb\x90\x00", b"",
            ]),
            rest in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = Facts::of(&[magic, &rest].concat());
        }
    }
}
