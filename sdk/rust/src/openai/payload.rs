//! Bodies with a fixed order of fields, some of which differ by request.

use std::collections::BTreeMap;
use std::io::Write;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::backend::{BackendContext, RawObject, raw_object};
use crate::{Error, Result};

/// Writes a value as JSON.
pub fn write_json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) -> Result<()> {
    serde_json::to_writer(out, value)
        .map_err(|error| Error::internal(format!("a value cannot be written: {error}")))
}

/// A value of a body.
#[derive(Debug, Clone)]
enum Field {
    /// The same in every request.
    Fixed(Box<RawValue>),
    /// Written for each request.
    Slot,
}

/// A body: base fields in their order, then what the user adds.
///
/// Objects are merged one over the other without descending into them; a field
/// that is there keeps its place and gets the new value, others are appended.
/// This is done once, so that a request costs no more than its own fields.
#[derive(Debug, Clone, Default)]
pub struct Payload {
    fields: IndexMap<String, Field>,
}

impl Payload {
    /// A body without fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field that is written for each request.
    pub fn slot(mut self, key: &str) -> Self {
        self.fields.insert(key.into(), Field::Slot);
        self
    }

    /// Adds a field with a value that never changes. Fails on a value that JSON
    /// cannot hold.
    pub fn fixed(mut self, key: &str, value: &impl Serialize) -> Result<Self> {
        let value = to_raw_value(value).map_err(|error| Error::internal(format!("`{key}`: {error}")))?;
        self.fields.insert(key.into(), Field::Fixed(value));
        Ok(self)
    }

    /// Adds what asks for a stream with counts at its end, or for none.
    pub fn stream_fields(self, streams: bool) -> Result<Self> {
        let this = self.fixed("stream", &streams)?;
        match streams {
            true => this.fixed("stream_options", &BTreeMap::from([("include_usage", true)])),
            false => Ok(this),
        }
    }

    /// Adds fields with values that never change, in their order.
    pub fn fixed_fields(mut self, fields: &RawObject) -> Self {
        self.merge(fields);
        self
    }

    /// Merges what every generation request takes from the user: `ignore_eos`
    /// if it is set, the sampling flags, and over these the extra body.
    pub fn merge_user_fields(mut self, cx: &BackendContext) -> Result<Self> {
        if cx.ignore_eos {
            self = self.fixed("ignore_eos", &true)?;
        }
        self.merge(&cx.sampling);
        self.merge(&cx.extra_body);
        Ok(self)
    }

    fn merge(&mut self, object: &RawObject) {
        for (key, value) in object {
            self.fields.insert(key.clone(), Field::Fixed(value.clone()));
        }
    }

    /// Writes the body of a request with `overrides`, a JSON object, merged
    /// over it. `slot` writes the value of the slot with the key it is given;
    /// it is not asked for slots that the user has replaced. `capacity` is a
    /// guess at the length of what it writes.
    pub fn write(
        &self,
        capacity: usize,
        overrides: Option<&str>,
        mut slot: impl FnMut(&str, &mut Vec<u8>) -> Result<()>,
    ) -> Result<Vec<u8>> {
        let overrides = match overrides {
            Some(json) => {
                raw_object(json, "the sample's overrides").map_err(|error| Error::input(error.message))?
            }
            None => RawObject::new(),
        };
        let mut out = Vec::with_capacity(capacity + 256);
        out.push(b'{');
        for (key, field) in &self.fields {
            write_key(&mut out, key)?;
            match (overrides.get(key), field) {
                (Some(value), _) | (None, Field::Fixed(value)) => write_raw(&mut out, value)?,
                (None, Field::Slot) => slot(key, &mut out)?,
            }
        }
        for (key, value) in overrides.iter().filter(|(key, _)| !self.fields.contains_key(*key)) {
            write_key(&mut out, key)?;
            write_raw(&mut out, value)?;
        }
        out.push(b'}');
        Ok(out)
    }
}

fn write_key(out: &mut Vec<u8>, key: &str) -> Result<()> {
    if out.len() > 1 {
        out.push(b',');
    }
    write_json(out, key)?;
    out.push(b':');
    Ok(())
}

fn write_raw(out: &mut Vec<u8>, value: &RawValue) -> Result<()> {
    out.write_all(value.get().as_bytes()).map_err(|error| Error::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn context(sampling: &str, extra_body: &str) -> BackendContext {
        BackendContext {
            name: "x".into(),
            endpoint: None,
            sampling: raw_object(sampling, "sampling").unwrap(),
            extra_body: raw_object(extra_body, "extra body").unwrap(),
            ignore_eos: true,
            logprobs: None,
            compat: crate::Compat::Vbench,
        }
    }

    fn body(payload: &Payload, overrides: Option<&str>) -> String {
        let written = payload.write(0, overrides, |key, out| write_json(out, key)).unwrap();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn fields_keep_their_place_and_numbers_their_text() {
        let payload = Payload::new().slot("model").fixed("max", &1).unwrap().slot("prompt");
        let payload = payload
            .merge_user_fields(&context(
                r#"{"top_p":0.90,"temperature":0.7}"#,
                r#"{"temperature":0,"max":2,"prompt":"p","z":[1, 2.50]}"#,
            ))
            .unwrap();
        assert_eq!(
            body(&payload, None),
            r#"{"model":"model","max":2,"prompt":"p","ignore_eos":true,"top_p":0.90,"temperature":0,"z":[1, 2.50]}"#
        );
        assert_eq!(
            body(&payload, Some(r#"{"y":1,"model":null}"#)),
            r#"{"model":null,"max":2,"prompt":"p","ignore_eos":true,"top_p":0.90,"temperature":0,"z":[1, 2.50],"y":1}"#
        );
    }

    #[test]
    fn overrides_that_are_no_object_are_bad_data() {
        let error = Payload::new().write(0, Some("[1]"), |_, _| Ok(())).unwrap_err();
        assert_eq!(error.cause, crate::Cause::Input);
    }

    proptest! {
        /// The rule of the reference client: `{**base, **extra, **overrides}`.
        #[test]
        fn merging_is_a_chain_of_dictionary_updates(
            extra in proptest::collection::vec(("[a-f]", 0u32..9), 0..6),
            overrides in proptest::collection::vec(("[a-h]", 0u32..9), 0..6),
        ) {
            let object = |pairs: &[(String, u32)]| -> serde_json::Map<_, _> {
                pairs.iter().map(|(key, value)| (key.clone(), (*value).into())).collect()
            };
            let (extra, overrides) = (object(&extra), object(&overrides));
            let mut payload = Payload::new().slot("a").fixed("c", &1).unwrap();
            let text = serde_json::to_string(&extra).unwrap();
            payload.merge(&raw_object(&text, "extra").unwrap());
            let mut wanted = object(&[]);
            wanted.insert("a".into(), "a".into());
            wanted.insert("c".into(), 1.into());
            wanted.extend(extra);
            wanted.extend(overrides.clone());
            let overrides = serde_json::to_string(&overrides).unwrap();
            prop_assert_eq!(body(&payload, Some(&overrides)), serde_json::to_string(&wanted).unwrap());
        }
    }
}
