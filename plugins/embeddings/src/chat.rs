//! Embeddings of chat messages, with media: `openai-embeddings-chat`, and two
//! that rewrite the prompt into what a family of models was trained on.

use std::borrow::Cow;

use vbench_plugin::openai::{self, MediaPlace};
use vbench_plugin::options::NoOptions;
use vbench_plugin::prelude::*;

use crate::Embedder;

/// Writes a request with `prompt` in place of its own.
fn build(embedder: &Embedder, request: &RequestIn, prompt: &Prompt, place: MediaPlace) -> Result<RequestOut> {
    let media = request.turn.attachments.as_slice();
    let capacity = openai::prompt_bytes(prompt) + media.iter().map(|media| media.url.len()).sum::<usize>();
    embedder.build(request, capacity, 1, |out| {
        out.push(b'[');
        openai::append_prompt(out, prompt, media, place, embedder.compat)?;
        out.push(b']');
        Ok(())
    })
}

/// Embeddings of a chat message as it is.
pub struct ChatEmbeddings(Embedder);

impl Backend for ChatEmbeddings {
    type Config = NoOptions;
    const NAME: &'static str = "openai-embeddings-chat";
    const SUMMARY: &'static str = "Embeddings API of vLLM servers, with chat messages.";

    fn open(cx: &BackendContext, _: NoOptions) -> Result<Self> {
        Embedder::open(cx, "messages").map(Self)
    }

    fn endpoint(&self) -> Result<Endpoint> {
        Ok(self.0.endpoint())
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        build(&self.0, request, &request.turn.prompt, MediaPlace::Last)
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        Ok(self.0.parse(response))
    }
}

/// Embeddings of a text or of media: CLIP models take one of the two, so media
/// push the text out.
pub struct ClipEmbeddings(Embedder);

impl Backend for ClipEmbeddings {
    type Config = NoOptions;
    const NAME: &'static str = "openai-embeddings-clip";
    const SUMMARY: &'static str = "Embeddings API of vLLM servers, for CLIP models.";

    fn open(cx: &BackendContext, _: NoOptions) -> Result<Self> {
        Embedder::open(cx, "messages").map(Self)
    }

    fn endpoint(&self) -> Result<Endpoint> {
        Ok(self.0.endpoint())
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        build(&self.0, request, &text_or_media(&request.turn), MediaPlace::Last)
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        Ok(self.0.parse(response))
    }
}

/// The prompt that is left of a turn for a model that takes text or media.
pub(crate) fn text_or_media(turn: &Turn) -> Cow<'_, Prompt> {
    if turn.attachments.as_slice().is_empty() {
        Cow::Borrowed(&turn.prompt)
    } else {
        Cow::Owned(Prompt::Text(String::new()))
    }
}

/// Embeddings of media with an instruction, media first, as VLM2Vec was trained.
pub struct Vlm2VecEmbeddings(Embedder);

impl Backend for Vlm2VecEmbeddings {
    type Config = NoOptions;
    const NAME: &'static str = "openai-embeddings-vlm2vec";
    const SUMMARY: &'static str = "Embeddings API of vLLM servers, for VLM2Vec models.";

    fn open(cx: &BackendContext, _: NoOptions) -> Result<Self> {
        Embedder::open(cx, "messages").map(Self)
    }

    fn endpoint(&self) -> Result<Endpoint> {
        Ok(self.0.endpoint())
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        build(&self.0, request, &*instruction(request)?, MediaPlace::First)
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        Ok(self.0.parse(response))
    }
}

/// The instruction that goes with media. Requests take turns by the number at
/// the end of their ids: even ones, and those without a number, ask for the
/// picture alone, odd ones also put the sample's question.
fn instruction(request: &RequestIn) -> Result<Cow<'_, Prompt>> {
    let turn = &request.turn;
    if turn.attachments.as_slice().is_empty() {
        return Ok(Cow::Borrowed(&turn.prompt));
    }
    let last = request.id.as_deref().and_then(|id| id.chars().next_back()).and_then(|c| c.to_digit(10));
    if last.is_none_or(|digit| digit % 2 == 0) {
        return Ok(Cow::Owned(Prompt::Text("Represent the given image.".into())));
    }
    match &turn.prompt {
        Prompt::Text(question) => Ok(Cow::Owned(Prompt::Text(format!(
            "Represent the given image with the following question: {question}"
        )))),
        _ => Err(Error::unsupported(
            "the sample's prompt is no text, which openai-embeddings-vlm2vec cannot put as a question; use openai-embeddings-chat",
        )),
    }
}
