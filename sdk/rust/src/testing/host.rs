//! The host of a thread, and what stands in for its functions.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Value;

use super::{ByteTokenizer, HostTokenizer};
use crate::log::Level;
use crate::media::{Form, Medium, Source};
use crate::table::Format;
use crate::{Error, Location, Result};

/// A message that a plugin logged.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// How it is to be shown.
    pub level: Level,
    /// What it says.
    pub text: String,
}

type TableKey = (String, Option<String>);

/// A host made up by a test.
#[derive(Clone)]
pub struct Host {
    tokenizer: Option<Rc<dyn HostTokenizer>>,
    tables: HashMap<TableKey, Rc<Vec<Value>>>,
    files: HashMap<TableKey, Rc<Vec<u8>>>,
    media: Rc<RefCell<Vec<HeldMedium>>>,
    messages: Rc<RefCell<Vec<Message>>>,
}

/// A medium that a plugin handed over in a test.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldMedium {
    /// Where it came from, its bytes included.
    pub source: Source,
    /// The form asked for.
    pub form: Form,
    /// What the plugin was told of it.
    pub medium: Medium,
}

thread_local! {
    static ENTERED: RefCell<Vec<Host>> = const { RefCell::new(Vec::new()) };
}

/// Leaves the host also when a test panics, so that the next one on the thread
/// does not find it.
struct Leave;

impl Drop for Leave {
    fn drop(&mut self) {
        ENTERED.with(|hosts| hosts.borrow_mut().pop());
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// A host with a tokenizer of bytes and without tables.
    pub fn new() -> Self {
        Self {
            tokenizer: Some(Rc::new(ByteTokenizer)),
            tables: HashMap::new(),
            files: HashMap::new(),
            media: Rc::default(),
            messages: Rc::default(),
        }
    }

    /// Takes another tokenizer.
    pub fn with_tokenizer(mut self, tokenizer: impl HostTokenizer + 'static) -> Self {
        self.tokenizer = Some(Rc::new(tokenizer));
        self
    }

    /// Has no tokenizer, as with `--skip-tokenizer-init`.
    pub fn without_tokenizer(mut self) -> Self {
        self.tokenizer = None;
        self
    }

    /// Puts these rows into the file that the option `config_key` names.
    pub fn with_rows(mut self, config_key: &str, rows: Vec<Value>) -> Self {
        self.tables.insert((config_key.into(), None), Rc::new(rows));
        self
    }

    /// Puts these rows into a file of the directory that the option names.
    pub fn with_member_rows(mut self, config_key: &str, member: &str, rows: Vec<Value>) -> Self {
        self.tables.insert((config_key.into(), Some(member.into())), Rc::new(rows));
        self
    }

    /// Puts a file where data at the path of the option `config_key` may name it.
    pub fn with_file(mut self, config_key: &str, path: &str, bytes: &[u8]) -> Self {
        self.files.insert((config_key.into(), Some(path.into())), Rc::new(bytes.to_vec()));
        self
    }

    /// The media handed over so far, in their order.
    pub fn media(&self) -> Vec<HeldMedium> {
        self.media.borrow().clone()
    }

    /// What was logged so far.
    pub fn messages(&self) -> Vec<Message> {
        self.messages.borrow().clone()
    }

    /// Is the host of this thread while `body` runs.
    pub fn enter<T>(&self, body: impl FnOnce() -> T) -> T {
        ENTERED.with(|hosts| hosts.borrow_mut().push(self.clone()));
        let _leave = Leave;
        body()
    }

    /// The host of this thread; outside of [`Host::enter`] one with defaults.
    fn current() -> Self {
        ENTERED.with(|hosts| hosts.borrow().last().cloned()).unwrap_or_default()
    }

    fn tokenizer() -> Result<Rc<dyn HostTokenizer>> {
        Self::current().tokenizer.ok_or_else(|| Error::config("this run has no tokenizer"))
    }
}

pub(crate) fn log(level: Level, message: &str) {
    Host::current().messages.borrow_mut().push(Message { level, text: message.into() });
}

/// Stands in for the interface `tokenizer`.
pub(crate) mod tokenizer {
    use super::Host;
    use crate::Result;
    use crate::tokenizer::{Chat, Info, Round, TokenLists};

    pub(crate) fn describe() -> Option<Info> {
        Host::tokenizer().ok().map(|tokenizer| tokenizer.describe())
    }

    pub(crate) fn vocabulary_ids() -> Result<Vec<u32>> {
        Ok(Host::tokenizer()?.vocabulary_ids())
    }

    pub(crate) fn count(texts: &[String], add_special_tokens: bool) -> Result<Vec<u32>> {
        let lists = encode(texts, add_special_tokens)?;
        Ok(lists.iter().map(|sequence| u32::try_from(sequence.len()).unwrap_or(u32::MAX)).collect())
    }

    pub(crate) fn encode(texts: &[String], add_special_tokens: bool) -> Result<TokenLists> {
        let tokenizer = Host::tokenizer()?;
        Ok(TokenLists::from_sequences(texts.iter().map(|text| tokenizer.encode(text, add_special_tokens))))
    }

    pub(crate) fn decode(tokens: &TokenLists, skip_special_tokens: bool) -> Result<Vec<String>> {
        let tokenizer = Host::tokenizer()?;
        Ok(tokens.iter().map(|ids| tokenizer.decode(ids, skip_special_tokens)).collect())
    }

    pub(crate) fn round_trip(tokens: &TokenLists) -> Result<Round> {
        let texts = decode(tokens, false)?;
        let tokens = encode(&texts, false)?;
        Ok(Round { texts, tokens })
    }

    pub(crate) fn render_chat(
        chats: &[Chat],
        add_generation_prompt: bool,
        template_options: Option<&str>,
    ) -> Result<Vec<String>> {
        let tokenizer = Host::tokenizer()?;
        let render = |chat: &Chat| {
            tokenizer.render_chat(
                &chat.messages,
                chat.tools.as_deref(),
                add_generation_prompt,
                template_options,
            )
        };
        chats.iter().map(render).collect()
    }
}

/// Stands in for the interface `media`. It tells kinds by form and first bytes,
/// and encodes nothing.
pub(crate) mod media {
    use super::{HeldMedium, Host};
    use crate::media::{Form, Item, Medium, PREFIX, Source};
    use crate::sample::MediaKind;
    use crate::{Error, Result};

    pub(crate) fn hold(items: &[Item]) -> Vec<Result<Medium>> {
        items.iter().map(|item| hold_one(item, &Host::current())).collect()
    }

    fn hold_one(item: &Item, host: &Host) -> Result<Medium> {
        let (mut width, mut height, mut duration_s) = (None, None, None);
        let (found, size) = match &item.source {
            Source::Bytes(bytes) => (by_magic(bytes), bytes.len()),
            Source::File(file) => {
                let key = (file.config_key.clone(), Some(file.path.clone()));
                let bytes = host
                    .files
                    .get(&key)
                    .ok_or_else(|| Error::input(format!("`{}`: cannot be read: no such file", file.path)))?;
                (by_magic(bytes), bytes.len())
            }
            Source::Held(reference) => {
                let held = host.media.borrow();
                let known = held.iter().find(|held| &held.medium.reference == reference);
                match known.map(|held| held.medium.clone()) {
                    Some(medium) => (Some((medium.kind, medium.mime_type)), 1),
                    // A cell: what it is follows from what is asked of it.
                    None => (None, 1),
                }
            }
            Source::Pixels(pixels) => {
                let sides = u64::from(pixels.width) * u64::from(pixels.height);
                if sides * u64::from(pixels.frames) * 3 != pixels.rgb.len() as u64 {
                    return Err(Error::internal("pixels that are not as many as their measures say"));
                }
                (width, height) = (Some(pixels.width), Some(pixels.height));
                (None, pixels.rgb.len())
            }
            Source::Samples(samples) => {
                if samples.channels == 0 || samples.rate_hz == 0 {
                    return Err(Error::internal("a sound without channels or rate"));
                }
                let frames = samples.values.len() as f64 / f64::from(samples.channels);
                duration_s = Some(frames / f64::from(samples.rate_hz));
                (None, samples.values.len() * 2)
            }
        };
        let (kind, mime_type) = match (item.form, found) {
            (Form::Jpeg, _) => (MediaKind::Image, "image/jpeg".to_owned()),
            (Form::Png, _) => (MediaKind::Image, "image/png".to_owned()),
            (Form::Mp4, _) => (MediaKind::Video, "video/mp4".to_owned()),
            (Form::Wav, _) => (MediaKind::Audio, "audio/wav".to_owned()),
            (Form::Unchanged, Some(found)) => found,
            (Form::Unchanged, None) => {
                return Err(Error::input("is no image, video or sound of a known format"));
            }
        };
        if kind == MediaKind::Audio {
            duration_s = duration_s.or(Some(1.0));
        }
        let mut media = host.media.borrow_mut();
        let medium = Medium {
            reference: format!("{PREFIX}{:032x}", media.len() + 1),
            kind,
            mime_type,
            size_bytes: size as u64,
            width,
            height,
            duration_s,
            details: "{}".into(),
        };
        media.push(HeldMedium { source: item.source.clone(), form: item.form, medium: medium.clone() });
        Ok(medium)
    }

    fn by_magic(bytes: &[u8]) -> Option<(MediaKind, String)> {
        let known = [
            (&b"\xff\xd8"[..], MediaKind::Image, "image/jpeg"),
            (b"\x89PNG", MediaKind::Image, "image/png"),
            (b"RIFF", MediaKind::Audio, "audio/wav"),
            (b"fLaC", MediaKind::Audio, "audio/flac"),
            (b"ID3", MediaKind::Audio, "audio/mpeg"),
        ];
        let found = known.into_iter().find(|(magic, ..)| bytes.starts_with(magic));
        found.map(|(_, kind, mime_type)| (kind, mime_type.to_owned()))
    }
}

/// Stands in for the resource `rows` of the interface `table`.
pub(crate) struct Rows {
    key: String,
    rows: Rc<Vec<Value>>,
}

impl Rows {
    pub(crate) fn open(config_key: &str, member: Option<&str>, _format: Format) -> Result<Self> {
        let key = (config_key.to_owned(), member.map(String::from));
        match Host::current().tables.get(&key) {
            Some(rows) => Ok(Self { key: key.0, rows: Rc::clone(rows) }),
            None => Err(Error::config("no such file").key(config_key)),
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.rows.len() as u64
    }

    pub(crate) fn columns(&self) -> Result<Vec<String>> {
        let first = self.rows.first().and_then(Value::as_object);
        Ok(first.map(|row| row.keys().cloned().collect()).unwrap_or_default())
    }

    pub(crate) fn read(&self, indices: &[u64], columns: &[String]) -> Result<Vec<String>> {
        let read = |&index: &u64| {
            let row = usize::try_from(index).ok().and_then(|index| self.rows.get(index));
            let row = row.ok_or_else(|| Error::internal(format!("row {index} of {}", self.rows.len())))?;
            Ok(match row {
                Value::Object(fields) if !columns.is_empty() => {
                    let kept = fields.iter().filter(|(key, _)| columns.contains(key));
                    Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect()).to_string()
                }
                row => row.to_string(),
            })
        };
        indices.iter().map(read).collect()
    }

    pub(crate) fn lengths(&self, column: &str) -> Result<Vec<i64>> {
        let length = |row: &Value| match row.get(column) {
            Some(Value::Array(items)) => items.len() as i64,
            Some(Value::String(text)) => text.chars().count() as i64,
            _ => -1,
        };
        Ok(self.rows.iter().map(length).collect())
    }

    pub(crate) fn locate(&self, index: u64) -> Location {
        Location { file: Some(self.key.clone()), row: Some(index.saturating_add(1)), column: None }
    }
}
