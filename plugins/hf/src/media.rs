//! The media of rows: images as JPEG, videos by their address, sounds as WAV.

use serde_json::Value;
use vbench_plugin::media::{self, Form, Samples, Source};
use vbench_plugin::prelude::*;
use vbench_plugin::rules;

use crate::classes::{MMVU_ROOT, RowMedium};

/// How media are taken from rows.
pub struct RowMedia {
    /// The option whose folder the rows are from.
    pub key: &'static str,
    /// The user's path to the folder of the dataset's files, without a slash at
    /// its end.
    pub folder: String,
}

/// A medium, and how long it is if it is a sound.
pub struct Taken {
    pub media: Media,
    pub duration_s: Option<f64>,
}

impl RowMedia {
    /// Takes the medium of a row. The error does not say where the row is.
    pub fn take(&self, medium: &RowMedium) -> Result<Taken> {
        match medium.kind {
            MediaKind::Image => self.image(&medium.value),
            MediaKind::Video => Ok(self.video(&medium.value)?.into()),
            MediaKind::Audio => self.sound(&medium.value),
        }
    }

    fn image(&self, value: &Value) -> Result<Taken> {
        if let Value::String(text) = value
            && !text.starts_with(media::PREFIX)
        {
            return Ok(rules::media(MediaKind::Image, text).into());
        }
        Ok(media::hold(self.source(value)?, Form::Jpeg)?.media().into())
    }

    fn video(&self, value: &Value) -> Result<Media> {
        match value {
            Value::String(text) if text.starts_with(media::PREFIX) => {
                Ok(media::hold(Source::Held(text.clone()), Form::Unchanged)?.media())
            }
            Value::String(text) => {
                // What is on the hub is in the copy as well.
                let text = text.replace(MMVU_ROOT, &self.folder);
                Ok(rules::media(MediaKind::Video, &text))
            }
            value => Ok(media::hold(self.source(value)?, Form::Unchanged)?.media()),
        }
    }

    fn sound(&self, value: &Value) -> Result<Taken> {
        let source = match (value.get("array"), value.get("sampling_rate")) {
            (Some(Value::Array(array)), Some(rate)) => {
                let values: Option<Vec<f64>> = array.iter().map(Value::as_f64).collect();
                let rate = rate.as_u64().and_then(|rate| u32::try_from(rate).ok());
                let (Some(values), Some(rate_hz)) = (values, rate) else {
                    return Err(Error::input("the samples are no numbers, or their rate is none"));
                };
                Source::Samples(Samples { rate_hz, channels: 1, values })
            }
            _ => self.source(value)?,
        };
        let held = media::hold(source, Form::Wav)?;
        Ok(Taken { media: held.media(), duration_s: held.duration_s })
    }

    /// A cell of bytes, or the file that a path names.
    fn source(&self, value: &Value) -> Result<Source> {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let bytes = text(value.get("bytes"));
        match (bytes, text(value.get("path")).or_else(|| text(Some(value)))) {
            (Some(reference), _) => Ok(Source::Held(reference)),
            (None, Some(reference)) if reference.starts_with(media::PREFIX) => Ok(Source::Held(reference)),
            (None, Some(path)) => Ok(Source::file(self.key, path)),
            (None, None) => Err(Error::input("is neither bytes nor the path of a file")),
        }
    }
}

impl From<Media> for Taken {
    fn from(media: Media) -> Self {
        Self { media, duration_s: None }
    }
}
