//! Embeddings of chat messages, with media: `openai-embeddings-chat`, and two
//! that rewrite the prompt into what a family of models was trained on.

use std::borrow::Cow;

use vbench_plugin::openai::{self, MediaPlace, Payload, Pooling};
use vbench_plugin::prelude::*;

use crate::{Config, one_turn, path};

/// What the three have in common: the body and how it is answered.
struct Messages {
    path: String,
    payload: Payload,
    pooling: Pooling,
    compat: Compat,
}

impl Messages {
    fn open(cx: &BackendContext) -> Result<Self> {
        let payload = Payload::new()
            .slot("model")
            .slot("messages")
            .fixed("truncate_prompt_tokens", &-1)?
            .merge_user_fields(cx)?;
        Ok(Self {
            path: path(cx, "OpenAI Embeddings API", "/v1/embeddings")?,
            payload,
            pooling: Pooling::new(cx),
            compat: cx.compat,
        })
    }

    /// Writes a request with `prompt` in place of its own.
    fn build(&self, request: &RequestIn, prompt: &Prompt, place: MediaPlace) -> Result<RequestOut> {
        one_turn(request)?;
        let media = request.turn.attachments.as_slice();
        let overrides = request.overrides.as_deref();
        let capacity =
            openai::prompt_bytes(prompt) + media.iter().map(|media| media.url.len()).sum::<usize>();
        let body = self.payload.write(capacity, overrides, |key, out| {
            if key == "model" {
                return openai::write_json(out, request.model.as_str());
            }
            out.push(b'[');
            openai::append_prompt(out, prompt, media, place, self.compat)?;
            out.push(b']');
            Ok(())
        })?;
        self.pooling.request(body, overrides, 1)
    }
}

/// Embeddings of a chat message as it is.
pub struct ChatEmbeddings(Messages);

impl Backend for ChatEmbeddings {
    type Config = Config;
    const NAME: &'static str = "openai-embeddings-chat";
    const SUMMARY: &'static str = "Embeddings API of vLLM servers, with chat messages.";

    fn open(cx: &BackendContext, _config: Config) -> Result<Self> {
        Messages::open(cx).map(Self)
    }

    fn endpoint(&self) -> Result<Endpoint> {
        Ok(self.0.pooling.endpoint(&self.0.path))
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        self.0.build(request, &request.turn.prompt, MediaPlace::Last)
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        Ok(self.0.pooling.parse(response))
    }
}

/// Embeddings of a text or of media: CLIP models take one of the two, so media
/// push the text out.
pub struct ClipEmbeddings(Messages);

impl Backend for ClipEmbeddings {
    type Config = Config;
    const NAME: &'static str = "openai-embeddings-clip";
    const SUMMARY: &'static str = "Embeddings API of vLLM servers, for CLIP models.";

    fn open(cx: &BackendContext, _config: Config) -> Result<Self> {
        Messages::open(cx).map(Self)
    }

    fn endpoint(&self) -> Result<Endpoint> {
        Ok(self.0.pooling.endpoint(&self.0.path))
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        self.0.build(request, &text_or_media(&request.turn), MediaPlace::Last)
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        Ok(self.0.pooling.parse(response))
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
pub struct Vlm2VecEmbeddings(Messages);

impl Backend for Vlm2VecEmbeddings {
    type Config = Config;
    const NAME: &'static str = "openai-embeddings-vlm2vec";
    const SUMMARY: &'static str = "Embeddings API of vLLM servers, for VLM2Vec models.";

    fn open(cx: &BackendContext, _config: Config) -> Result<Self> {
        Messages::open(cx).map(Self)
    }

    fn endpoint(&self) -> Result<Endpoint> {
        Ok(self.0.pooling.endpoint(&self.0.path))
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        let prompt = instruction(request)?;
        self.0.build(request, &prompt, MediaPlace::First)
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        Ok(self.0.pooling.parse(response))
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
