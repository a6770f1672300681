//! The one place that holds the bytes of media.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::error::{MediaError, Problem};
use super::facts::{Facts, Kind};
use super::{MAX_BYTES, jpeg, mp4, picture, png, sound, wav};

/// What every reference begins with.
pub const PREFIX: &str = "vbench-media:";
/// Hexadecimal digits of a reference after the prefix.
const DIGITS: usize = 32;

/// Where a medium comes from.
#[derive(Debug)]
pub enum Source<'a> {
    /// The bytes of a file.
    Bytes(Bytes),
    /// A reference to what is held.
    Held(&'a str),
    /// A picture, or the frames of a film, of red, green and blue.
    Pixels {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// 1 for a picture.
        frames: u32,
        /// `width * height * frames * 3` bytes.
        rgb: &'a [u8],
    },
    /// A sound.
    Samples {
        /// Samples of a channel in a second.
        rate_hz: u32,
        /// Channels.
        channels: u32,
        /// Amplitudes from -1 to 1, those of all channels at one moment together.
        values: &'a [f64],
    },
}

/// How a medium is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// As it is.
    Unchanged,
    /// An image as JPEG of quality 75, 4:2:0.
    Jpeg,
    /// An image as PNG of 8-bit RGB.
    Png,
    /// Frames as MP4.
    Mp4,
    /// A sound as WAV of 16-bit PCM.
    Wav,
}

impl Form {
    fn words(self) -> &'static str {
        match self {
            Self::Unchanged => "a file",
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Mp4 => "MP4",
            Self::Wav => "WAV",
        }
    }
}

/// What is held.
#[derive(Debug, Clone, PartialEq)]
pub struct Medium {
    /// What stands for it.
    pub reference: String,
    /// What it is.
    pub facts: Facts,
    /// Bytes that will be sent.
    pub size_bytes: u64,
}

/// The names of media: a digest of their bytes.
type Id = u128;

/// All media of a run, each once.
#[derive(Debug, Default)]
pub struct Store(Mutex<Shelves>);

#[derive(Debug, Default)]
struct Shelves {
    held: HashMap<Id, Arc<Held>>,
    /// What was made of what, so that nothing is encoded twice.
    made: HashMap<(Id, Form), Id>,
}

#[derive(Debug)]
struct Held {
    facts: OnceLock<Facts>,
    size_bytes: u64,
    data: Mutex<Data>,
}

/// Bytes in the form that was asked for last; a run needs one of the two.
#[derive(Debug)]
enum Data {
    Raw(Bytes),
    /// A `data:` address, and where its Base64 begins.
    Address(Bytes, usize),
}

impl Held {
    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn raw(&self) -> Result<Bytes, Problem> {
        let mut data = self.data();
        if let Data::Address(text, start) = &*data {
            let bytes = BASE64.decode(&text[*start..]).map_err(|e| Problem::Decode(e.to_string()))?;
            *data = Data::Raw(bytes.into());
        }
        match &*data {
            Data::Raw(bytes) | Data::Address(bytes, _) => Ok(bytes.clone()),
        }
    }

    fn facts(&self) -> Result<&Facts, Problem> {
        if let Some(facts) = self.facts.get() {
            return Ok(facts);
        }
        let facts = Facts::of(&self.raw()?)?;
        Ok(self.facts.get_or_init(|| facts))
    }

    /// The `data:` address, and where its Base64 begins.
    fn address(&self) -> Result<(Bytes, usize), Problem> {
        let mime_type = self.facts()?.mime_type;
        let mut data = self.data();
        if let Data::Raw(bytes) = &*data {
            let mut text = format!("data:{mime_type};base64,");
            let start = text.len();
            BASE64.encode_string(bytes, &mut text);
            *data = Data::Address(text.into(), start);
        }
        match &*data {
            Data::Address(text, start) => Ok((text.clone(), *start)),
            Data::Raw(bytes) => Ok((bytes.clone(), 0)),
        }
    }
}

impl Store {
    /// A store without media.
    pub fn new() -> Self {
        Self::default()
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        // No code that holds the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.shelves().held.is_empty()
    }

    /// Takes bytes without looking at what they are, and gives their reference.
    pub fn put(&self, bytes: Bytes) -> String {
        reference(self.put_with(bytes, None))
    }

    fn put_with(&self, bytes: Bytes, facts: Option<Facts>) -> Id {
        let id = digest(&bytes);
        self.shelves().held.entry(id).or_insert_with(|| {
            Arc::new(Held {
                facts: facts.map_or_else(OnceLock::new, OnceLock::from),
                size_bytes: bytes.len() as u64,
                data: Mutex::new(Data::Raw(bytes)),
            })
        });
        id
    }

    /// Takes a medium in the form in which it is to be sent.
    ///
    /// # Errors
    /// When it is no medium, damaged, too large, or cannot be had in this form.
    pub fn hold(&self, source: Source<'_>, form: Form) -> Result<Medium, MediaError> {
        self.take(source, form).map_err(Problem::unnamed)
    }

    fn take(&self, source: Source<'_>, form: Form) -> Result<Medium, Problem> {
        let id = match (source, form) {
            (Source::Bytes(bytes), form) => {
                check_size(bytes.len() as u64)?;
                let id = digest(&bytes);
                match self.made(id, form) {
                    Some(made) => made,
                    None if form == Form::Unchanged => {
                        let facts = Facts::of(&bytes)?;
                        self.put_with(bytes, Some(facts))
                    }
                    None => self.put_made(id, form, convert(&bytes, form)?)?,
                }
            }
            (Source::Held(text), form) => {
                let id = parse(text).ok_or_else(|| Problem::NotHeld(text.to_owned()))?;
                match self.made(id, form) {
                    Some(made) => made,
                    None => {
                        let held = self.held(id, text)?;
                        match form {
                            Form::Unchanged => id,
                            form => self.put_made(id, form, convert(&held.raw()?, form)?)?,
                        }
                    }
                }
            }
            (Source::Pixels { width, height, frames, rgb }, form) => {
                check_size(rgb.len() as u64)?;
                let bytes = match (form, frames) {
                    (Form::Jpeg, 1) => jpeg::encode(width, height, rgb)?,
                    (Form::Png, 1) => png::encode(width, height, rgb)?,
                    (Form::Mp4, _) => mp4::encode(width, height, frames, rgb)?,
                    (form, _) => {
                        return Err(Problem::WrongKind { found: "pixels", wanted: form.words() });
                    }
                };
                self.put_encoded(bytes)?
            }
            (Source::Samples { rate_hz, channels, values }, Form::Wav) => {
                self.put_encoded(wav::encode(rate_hz, channels, values)?)?
            }
            (Source::Samples { .. }, form) => {
                return Err(Problem::WrongKind { found: "samples", wanted: form.words() });
            }
        };
        let name = reference(id);
        let held = self.held(id, &name)?;
        Ok(Medium { facts: held.facts()?.clone(), size_bytes: held.size_bytes, reference: name })
    }

    fn made(&self, id: Id, form: Form) -> Option<Id> {
        let shelves = self.shelves();
        shelves.made.get(&(id, form)).copied().filter(|id| shelves.held.contains_key(id))
    }

    fn put_encoded(&self, bytes: Vec<u8>) -> Result<Id, Problem> {
        check_size(bytes.len() as u64)?;
        let facts = Facts::of(&bytes)?;
        Ok(self.put_with(bytes.into(), Some(facts)))
    }

    fn put_made(&self, of: Id, form: Form, bytes: Vec<u8>) -> Result<Id, Problem> {
        let id = self.put_encoded(bytes)?;
        self.shelves().made.insert((of, form), id);
        Ok(id)
    }

    fn held(&self, id: Id, text: &str) -> Result<Arc<Held>, Problem> {
        self.shelves().held.get(&id).cloned().ok_or_else(|| Problem::NotHeld(text.to_owned()))
    }

    fn find(&self, text: &str) -> Result<Arc<Held>, Problem> {
        let id = parse(text).ok_or_else(|| Problem::NotHeld(text.to_owned()))?;
        self.held(id, text)
    }

    /// The bytes behind a reference, and what they are.
    ///
    /// # Errors
    /// When nothing is held by this name, or it is no medium.
    pub fn bytes(&self, reference: &str) -> Result<(Bytes, Facts), MediaError> {
        let found = self.find(reference).and_then(|held| Ok((held.raw()?, held.facts()?.clone())));
        found.map_err(Problem::unnamed)
    }

    /// The `data:` address of a medium, or the part of it that the reference's
    /// end asks for.
    pub(super) fn text(&self, reference: &str) -> Result<Bytes, MediaError> {
        let named = |ending| reference.strip_suffix(ending);
        let found = match (named(BASE64_ALONE), named(MIME_TYPE_ALONE)) {
            (Some(name), _) => {
                self.find(name).and_then(|held| held.address()).map(|(text, start)| text.slice(start..))
            }
            (None, Some(name)) => {
                self.find(name).and_then(|held| Ok(Bytes::from_static(held.facts()?.mime_type.as_bytes())))
            }
            (None, None) => self.find(reference).and_then(|held| held.address()).map(|(text, _)| text),
        };
        found.map_err(Problem::unnamed)
    }

    /// Lets go of everything that none of these texts refers to.
    pub fn keep_only<'a>(&self, texts: impl Iterator<Item = &'a str>) {
        let used: HashSet<Id> = texts
            .flat_map(|text| memchr::memmem::find_iter(text.as_bytes(), PREFIX).map(move |at| (text, at)))
            .filter_map(|(text, at)| parse(text.get(at..at + PREFIX.len() + DIGITS)?))
            .collect();
        self.shelves().held.retain(|id, _| used.contains(id));
    }
}

/// The end of a reference that stands for Base64 text alone.
pub(super) const BASE64_ALONE: &str = ";base64";

/// The end of a reference that stands for the MIME type alone.
pub(super) const MIME_TYPE_ALONE: &str = ";mime-type";

/// Length of a reference without such an end.
pub(super) const REFERENCE_LEN: usize = PREFIX.len() + DIGITS;

fn check_size(bytes: u64) -> Result<(), Problem> {
    if bytes > MAX_BYTES {
        return Err(Problem::TooLarge { found_bytes: bytes, limit_bytes: MAX_BYTES });
    }
    Ok(())
}

fn convert(bytes: &[u8], form: Form) -> Result<Vec<u8>, Problem> {
    let kind = Facts::of(bytes)?.kind;
    match (kind, form) {
        (Kind::Image, Form::Jpeg) => {
            let image = picture::decode(bytes)?;
            jpeg::encode(image.width, image.height, &image.bytes)
        }
        (Kind::Image, Form::Png) => {
            let image = picture::decode(bytes)?;
            png::encode(image.width, image.height, &image.bytes)
        }
        (Kind::Audio, Form::Wav) => {
            let sound = sound::decode(bytes)?;
            wav::encode(sound.rate_hz, sound.channels, &sound.values)
        }
        (kind, form) => Err(Problem::WrongKind { found: kind.words(), wanted: form.words() }),
    }
}

fn digest(bytes: &[u8]) -> Id {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let (first, _) = digest.split_at(DIGITS / 2);
    first.iter().fold(0, |id, &byte| id << 8 | Id::from(byte))
}

fn reference(id: Id) -> String {
    format!("{PREFIX}{id:032x}")
}

fn parse(reference: &str) -> Option<Id> {
    let digits = reference.strip_prefix(PREFIX)?;
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (digits.len() == DIGITS && digits.bytes().all(hex)).then(|| Id::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(store: &Store, form: Form) -> Medium {
        let source = Source::Pixels { width: 2, height: 2, frames: 1, rgb: &[9; 12] };
        store.hold(source, form).unwrap()
    }

    #[test]
    fn the_same_bytes_have_one_name() {
        let store = Store::new();
        let first = picture(&store, Form::Png);
        assert_eq!(first, picture(&store, Form::Png));
        assert_ne!(first.reference, picture(&store, Form::Jpeg).reference);
        assert_eq!(first.facts.pixels, Some((2, 2)));
        let (bytes, facts) = store.bytes(&first.reference).unwrap();
        assert_eq!((facts.mime_type, bytes.len() as u64), ("image/png", first.size_bytes));
        let again = store.hold(Source::Bytes(bytes), Form::Unchanged).unwrap();
        assert_eq!(again, first);
    }

    #[test]
    fn one_form_is_made_of_another_once() {
        let store = Store::new();
        let png = picture(&store, Form::Png);
        let jpeg = store.hold(Source::Held(&png.reference), Form::Jpeg).unwrap();
        assert_eq!(jpeg, picture(&store, Form::Jpeg));
        assert_eq!(store.shelves().made.len(), 1);
        assert_eq!(store.hold(Source::Held(&png.reference), Form::Jpeg).unwrap(), jpeg);
        let wrong = store.hold(Source::Held(&png.reference), Form::Wav).unwrap_err();
        assert_eq!(wrong.to_string(), "is an image, which cannot be written as WAV");
    }

    #[test]
    fn text_and_bytes_are_two_forms_of_one_copy() {
        let store = Store::new();
        let png = picture(&store, Form::Png);
        let raw = store.bytes(&png.reference).unwrap().0;
        let text = store.text(&png.reference).unwrap();
        assert!(text.starts_with(b"data:image/png;base64,iVBOR"));
        let alone = store.text(&format!("{}{BASE64_ALONE}", png.reference)).unwrap();
        assert_eq!(text[22..], alone);
        let mime_type = store.text(&format!("{}{MIME_TYPE_ALONE}", png.reference)).unwrap();
        assert_eq!(&mime_type[..], b"image/png");
        assert_eq!(store.bytes(&png.reference).unwrap().0, raw);
    }

    #[test]
    fn only_what_is_referred_to_is_kept() {
        let store = Store::new();
        let (png, jpeg) = (picture(&store, Form::Png), picture(&store, Form::Jpeg));
        let cell = store.put(Bytes::from_static(b"anything"));
        let text = format!(r#"[{{"url":"{}"}}, "vbench-media:xyz"]"#, png.reference);
        store.keep_only([text.as_str(), "vbench-media:"].into_iter());
        assert!(store.bytes(&png.reference).is_ok());
        for gone in [&jpeg.reference, &cell] {
            assert!(matches!(store.bytes(gone).unwrap_err().problem, Problem::NotHeld(_)));
        }
    }

    #[test]
    fn bytes_that_are_no_medium_are_refused_when_they_are_used() {
        let store = Store::new();
        let cell = store.put(Bytes::from_static(b"anything"));
        let error = store.hold(Source::Held(&cell), Form::Unchanged).unwrap_err();
        assert!(matches!(error.problem, Problem::UnknownFormat));
        assert!(store.text(&cell).is_err());
        assert!(store.hold(Source::Held("vbench-media:0"), Form::Unchanged).is_err());
    }
}
