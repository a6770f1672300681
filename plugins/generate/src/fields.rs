//! What the formats share: prompts that are one text, and fields by other names.

use vbench_plugin::backend::{RawObject, raw_object};
use vbench_plugin::openai::Payload;
use vbench_plugin::prelude::*;

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

/// Sampling parameters under the names of a server: pairs of ours and theirs.
pub(crate) fn sampling(cx: &BackendContext, names: &[(&str, &str)], server: &str) -> Result<RawObject> {
    let mut fields = RawObject::new();
    for (key, value) in &cx.sampling {
        let Some((_, theirs)) = names.iter().find(|(ours, _)| ours == key) else {
            return Err(Error::config(format!(
                "{server} knows no --{}; leave it out",
                key.replace('_', "-")
            )));
        };
        fields.insert((*theirs).into(), value.clone());
    }
    Ok(fields)
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
        let object = self.payload.write(0, None, |_, out| vbench_plugin::openai::write_json(out, &tokens))?;
        out.extend_from_slice(&object);
        Ok(true)
    }
}

/// Checks that the path is one of these, or the usual one is taken.
pub(crate) fn path(cx: &BackendContext, usual: &str, api: &str, suffixes: &[&str]) -> Result<String> {
    let path = cx.endpoint.as_deref().unwrap_or(usual);
    vbench_plugin::openai::check_suffix(path, api, suffixes)?;
    Ok(path.into())
}

/// Refuses what a server has no word for.
pub(crate) fn refuse(cx: &BackendContext, server: &str, logprobs: bool, ignore_eos: bool) -> Result<()> {
    if logprobs && cx.logprobs.is_some() {
        return Err(Error::config(format!("--logprobs is not sent to {server}; leave it out")));
    }
    if ignore_eos && cx.ignore_eos {
        return Err(Error::config(format!(
            "{server} cannot be told to ignore the end of a text; leave out --ignore-eos"
        )));
    }
    Ok(())
}

/// Refuses `stream` in the extra body of an API where the path decides.
pub(crate) fn by_path(cx: &BackendContext, streamed: &str, whole: &str) -> Result<()> {
    if cx.extra_body.contains_key("stream") {
        return Err(Error::config(format!(
            "the path decides whether answers are streamed: use --endpoint {streamed} or {whole} in place of \
             `stream` in --extra-body"
        )));
    }
    Ok(())
}
