//! What the formats share: what servers know, prompts that are one text, and
//! fields within fields.

use vbench_plugin::backend::{RawObject, raw_object};
use vbench_plugin::openai::{self, Payload};
use vbench_plugin::prelude::*;
use vbench_plugin::sampling::Names;

/// The text of a request that has nothing else.
pub(crate) fn text<'a>(request: &'a RequestIn, backend: &str) -> Result<&'a str> {
    only_a_prompt(request, backend)?;
    match &request.turn.prompt {
        Prompt::Text(text) => Ok(text),
        prompt => Err(not_sent(prompt, backend)),
    }
}

/// Refuses media and earlier turns.
pub(crate) fn only_a_prompt(request: &RequestIn, backend: &str) -> Result<()> {
    if !request.turn.attachments.as_slice().is_empty() {
        return Err(Error::unsupported(format!("the sample has media, which {backend} does not send")));
    }
    if !request.history.is_empty() {
        return Err(Error::unsupported(format!(
            "the sample has several turns, which {backend} does not send"
        )));
    }
    Ok(())
}

/// Why a prompt of another form cannot be sent.
pub(crate) fn not_sent(prompt: &Prompt, backend: &str) -> Error {
    let (what, instead) = match prompt {
        Prompt::Messages(_) | Prompt::Parts(_) => {
            ("a chat", "use openai-chat, or let the dataset give texts")
        }
        Prompt::TokenIds(_) | Prompt::TokenIdLists(_) => ("token ids", "let the dataset give texts"),
        Prompt::Texts(_) => ("a list of texts", "use a dataset of single prompts"),
        Prompt::Object(_) => ("an object for a pooling task", "use vllm-pooling"),
        Prompt::Text(_) => ("a text", "use another backend"),
    };
    Error::unsupported(format!("the sample is {what}, which {backend} cannot send; {instead}"))
}

/// A server: its endpoint, and what it has words for.
pub(crate) struct Server {
    /// Its name, for messages.
    pub(crate) name: &'static str,
    /// Endings of its paths.
    pub(crate) paths: Paths,
    /// Its names of sampling parameters.
    pub(crate) sampling: Names,
    /// Whether it can be asked for the likelihoods of tokens.
    pub(crate) logprobs: bool,
    /// Whether it can be told to write on beyond the end of a text.
    pub(crate) ignore_eos: bool,
}

/// Where a server answers.
pub(crate) enum Paths {
    /// At one path; the body says whether answers are streamed.
    One(&'static str),
    /// At two.
    ByPath { streamed: &'static str, whole: &'static str },
}

/// How a run uses a server.
pub(crate) struct Use {
    pub(crate) path: String,
    pub(crate) streams: bool,
    /// Sampling parameters by the server's names.
    pub(crate) sampling: RawObject,
}

impl Server {
    /// Reads what the run wants; `usual` is the path without `--endpoint`. Fails
    /// on a path of another API, and on what the server has no word for.
    pub(crate) fn open(&self, cx: &BackendContext, usual: &str) -> Result<Use> {
        let path = cx.endpoint.as_deref().unwrap_or(usual);
        let streams = match self.paths {
            Paths::One(ending) => {
                openai::check_suffix(path, self.name, &[ending])?;
                cx.streams()
            }
            Paths::ByPath { streamed, whole } => {
                openai::check_suffix(path, self.name, &[streamed, whole])?;
                if cx.extra_body.contains_key("stream") {
                    return Err(Error::config(format!(
                        "the path decides whether answers are streamed: use --endpoint {streamed} or {whole} in \
                         place of `stream` in --extra-body"
                    )));
                }
                path.ends_with(streamed)
            }
        };
        let server = self.name;
        if cx.logprobs.is_some() && !self.logprobs {
            return Err(Error::config(format!("--logprobs is not sent to {server}; leave it out")));
        }
        if cx.ignore_eos && !self.ignore_eos {
            return Err(Error::config(format!(
                "{server} cannot be told to ignore the end of a text; leave out --ignore-eos"
            )));
        }
        let sampling = self.sampling.apply(&cx.sampling, server)?;
        Ok(Use { path: path.into(), streams, sampling })
    }
}

/// An object of a body in which a server looks for parameters.
pub(crate) struct Nested {
    /// Its key in the body.
    key: &'static str,
    /// Its own fields.
    payload: Payload,
}

impl Nested {
    /// `fields` after those of `payload`, and over both what the extra body has
    /// under the same key. That key is taken out of the extra body.
    pub(crate) fn new(
        key: &'static str,
        payload: Payload,
        fields: &RawObject,
        extra_body: &mut RawObject,
    ) -> Result<Self> {
        let mut payload = payload.fixed_fields(fields);
        if let Some(given) = extra_body.shift_remove(key) {
            let what = format!("`{key}` of --extra-body");
            payload = payload.fixed_fields(&raw_object(given.get(), &what)?);
        }
        Ok(Self { key, payload })
    }

    /// Writes the object if `key` asks for it; its slot is the length of the answer.
    pub(crate) fn write(&self, key: &str, request: &RequestIn, out: &mut Vec<u8>) -> Result<bool> {
        if key != self.key {
            return Ok(false);
        }
        let tokens = request.turn.output_tokens;
        let object = self.payload.write(0, None, |_, out| openai::write_json(out, &tokens))?;
        out.extend_from_slice(&object);
        Ok(true)
    }
}
