//! The body of a template: which parts are the same in all requests, and where
//! what differs is put.

use serde_json::Value;
use vbench_plugin::openai::{self, Payload};
use vbench_plugin::prelude::*;

use crate::place::Within;

/// What can stand between double braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Prompt,
    Messages,
    Model,
    OutputTokens,
    PromptTokens,
    RequestId,
}

const PLACES: [(&str, Place); 6] = [
    ("prompt", Place::Prompt),
    ("messages", Place::Messages),
    ("model", Place::Model),
    ("output_tokens", Place::OutputTokens),
    ("prompt_tokens", Place::PromptTokens),
    ("request_id", Place::RequestId),
];

/// A value with places in it.
#[derive(Debug, Clone)]
enum Node {
    /// Nothing to put in: JSON text.
    Fixed(String),
    /// The value of a place.
    Value(Place),
    /// Texts with places between them.
    Text(Vec<Piece>),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Place(Place),
}

/// A body to be written for each request.
pub(crate) struct Body {
    payload: Payload,
    /// The top-level fields that have places in them.
    slots: Vec<(String, Node)>,
}

impl Body {
    /// Finds the places; what the user adds is merged over the body. An error
    /// says where in the body it lies.
    pub(crate) fn new(body: &serde_json::Map<String, Value>, cx: &BackendContext) -> Result<Self> {
        let mut payload = Payload::new();
        let mut slots = Vec::new();
        for (key, value) in body {
            match Node::of(value).within(key)? {
                Node::Fixed(_) => payload = payload.fixed(key, value)?,
                node => {
                    payload = payload.slot(key);
                    slots.push((key.clone(), node));
                }
            }
        }
        let places = |wanted: &[Place]| slots.iter().any(|(_, node)| node.has(wanted));
        if !places(&[Place::Prompt, Place::Messages]) {
            return Err(Error::config(
                "the body has neither {{prompt}} nor {{messages}}, so no request would ask anything",
            ));
        }
        Ok(Self { payload: payload.merge_user_fields(cx)?, slots })
    }

    /// Writes the body of a request.
    pub(crate) fn write(&self, request: &RequestIn) -> Result<Vec<u8>> {
        let capacity = openai::prompt_bytes(&request.turn.prompt);
        self.payload.write(capacity, request.overrides.as_deref(), |key, out| {
            match self.slots.iter().find(|(slot, _)| slot == key) {
                Some((_, node)) => node.write(request, out).within(key).within("body").in_file(),
                None => Err(Error::internal(format!("no slot `{key}`"))),
            }
        })
    }
}

impl Node {
    fn of(value: &Value) -> Result<Self> {
        let is_fixed = |node: &Self| matches!(node, Self::Fixed(_));
        let node = match value {
            Value::String(text) => return Self::of_text(text),
            Value::Array(items) => {
                let node = |(number, item): (usize, &Value)| Self::of(item).within(number);
                let nodes = items.iter().enumerate().map(node).collect::<Result<Vec<_>>>()?;
                if nodes.iter().all(is_fixed) {
                    return Ok(Self::Fixed(value.to_string()));
                }
                Self::Array(nodes)
            }
            Value::Object(fields) => {
                let nodes = fields
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), Self::of(value).within(key)?)))
                    .collect::<Result<Vec<_>>>()?;
                if nodes.iter().all(|(_, node)| is_fixed(node)) {
                    return Ok(Self::Fixed(value.to_string()));
                }
                Self::Object(nodes)
            }
            other => Self::Fixed(other.to_string()),
        };
        Ok(node)
    }

    fn of_text(text: &str) -> Result<Self> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").ok_or_else(|| {
                Error::config(format!("the text `{text}` opens `{{{{` and never closes it with `}}}}`"))
            })?;
            let place = PLACES.iter().find(|(known, _)| *known == name.trim()).ok_or_else(|| {
                let known: Vec<&str> = PLACES.iter().map(|(known, _)| *known).collect();
                let name = name.trim();
                Error::config(format!(
                    "there is no place `{{{{{name}}}}}`; between double braces can stand {}",
                    known.join(", ")
                ))
            })?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.into()));
            }
            pieces.push(Piece::Place(place.1));
            rest = after;
        }
        Ok(match pieces.as_slice() {
            [] => Self::Fixed(Value::from(text).to_string()),
            [Piece::Place(place)] if rest.is_empty() => Self::Value(*place),
            _ => {
                if !rest.is_empty() {
                    pieces.push(Piece::Text(rest.into()));
                }
                Self::Text(pieces)
            }
        })
    }

    fn has(&self, places: &[Place]) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Value(place) => places.contains(place),
            Self::Text(pieces) => {
                pieces.iter().any(|piece| matches!(piece, Piece::Place(place) if places.contains(place)))
            }
            Self::Array(nodes) => nodes.iter().any(|node| node.has(places)),
            Self::Object(fields) => fields.iter().any(|(_, node)| node.has(places)),
        }
    }

    fn write(&self, request: &RequestIn, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Fixed(json) => out.extend_from_slice(json.as_bytes()),
            Self::Value(place) => place.write(request, out)?,
            Self::Text(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(piece) => text.push_str(piece),
                        Piece::Place(place) => text.push_str(&place.text(request)?),
                    }
                }
                openai::write_json(out, text.as_str())?;
            }
            Self::Array(nodes) => {
                out.push(b'[');
                for (number, node) in nodes.iter().enumerate() {
                    if number > 0 {
                        out.push(b',');
                    }
                    node.write(request, out).within(number)?;
                }
                out.push(b']');
            }
            Self::Object(fields) => {
                out.push(b'{');
                for (number, (key, node)) in fields.iter().enumerate() {
                    if number > 0 {
                        out.push(b',');
                    }
                    openai::write_json(out, key.as_str())?;
                    out.push(b':');
                    node.write(request, out).within(key)?;
                }
                out.push(b'}');
            }
        }
        Ok(())
    }
}

impl Place {
    /// Writes the value as JSON.
    fn write(self, request: &RequestIn, out: &mut Vec<u8>) -> Result<()> {
        let turn = &request.turn;
        match self {
            Self::Prompt => {
                if !request.history.is_empty() || !turn.attachments.as_slice().is_empty() {
                    return Err(Error::unsupported(
                        "the sample has media or several turns, for which the template needs {{messages}}",
                    ));
                }
                match &turn.prompt {
                    Prompt::Messages(_) | Prompt::Parts(_) => Err(Error::unsupported(
                        "the sample is a chat, for which the template needs {{messages}}",
                    )),
                    prompt => openai::write_prompt(out, prompt, Compat::Vbench),
                }
            }
            Self::Messages => openai::messages(out, request, Compat::Vbench),
            Self::Model => openai::write_json(out, request.model.as_str()),
            Self::OutputTokens => openai::write_json(out, &turn.output_tokens),
            Self::PromptTokens => openai::write_json(out, &turn.prompt_tokens),
            Self::RequestId => openai::write_json(out, &request.id),
        }
    }

    /// The value inside of a longer text.
    fn text(self, request: &RequestIn) -> Result<String> {
        match self {
            Self::Model => Ok(request.model.clone()),
            Self::OutputTokens => Ok(request.turn.output_tokens.to_string()),
            Self::PromptTokens => Ok(request.turn.prompt_tokens.to_string()),
            Self::RequestId => Ok(request.id.clone().unwrap_or_default()),
            Self::Prompt | Self::Messages => match &request.turn.prompt {
                Prompt::Text(text) if self == Self::Prompt => Ok(text.clone()),
                _ => Err(Error::unsupported(
                    "the template puts the prompt into a longer text, but the sample's prompt is not a text",
                )),
            },
        }
    }
}
