//! Embeddings of Infinity servers: a text, or one picture, video or sound.

use vbench_plugin::openai::{self, Payload, Pooling};
use vbench_plugin::options::NoOptions;
use vbench_plugin::prelude::*;

use crate::chat::text_or_media;
use crate::{one_turn, path};

/// What both have in common.
struct Infinity {
    path: String,
    /// With a text or tokens.
    of_text: Payload,
    /// With the address of a medium.
    of_media: Payload,
    pooling: Pooling,
    compat: Compat,
}

impl Infinity {
    fn open(cx: &BackendContext) -> Result<Self> {
        let base = Payload::new().slot("model").slot("input");
        Ok(Self {
            path: path(cx, "Infinity Embeddings API", "/embeddings")?,
            of_text: base.clone().merge_user_fields(cx)?,
            of_media: base.slot("modality").merge_user_fields(cx)?,
            pooling: Pooling::new(cx),
            compat: cx.compat,
        })
    }

    /// Writes a request with `prompt` in place of its own, or of its medium if
    /// that is empty.
    fn build(&self, request: &RequestIn, prompt: &Prompt) -> Result<RequestOut> {
        one_turn(request)?;
        let attachments = &request.turn.attachments;
        let overrides = request.overrides.as_deref();
        if !is_empty(prompt) {
            if !self.compat.is_reference() && !attachments.as_slice().is_empty() {
                return Err(Error::unsupported(
                    "the sample has a text and media, of which infinity-embeddings sends the text only; use infinity-embeddings-clip to send the media",
                ));
            }
            let body = self.of_text.write(openai::prompt_bytes(prompt), overrides, |key, out| match key {
                "model" => openai::write_json(out, request.model.as_str()),
                _ => self.pooling.write_input(out, prompt),
            })?;
            return self.pooling.request(body, overrides, Pooling::input_sequences(prompt));
        }
        let media = self.one_medium(attachments)?;
        let body = self.of_media.write(media.url.len(), overrides, |key, out| match key {
            "model" => openai::write_json(out, request.model.as_str()),
            "input" => openai::write_json(out, media.url.as_str()),
            _ => openai::write_json(out, modality(media)),
        })?;
        self.pooling.request(body, overrides, 1)
    }

    /// The medium to embed. The reference client stops when it meets a list,
    /// be it of one piece.
    fn one_medium<'a>(&self, attachments: &'a Attachments) -> Result<&'a Media> {
        match attachments {
            Attachments::One(media) => Ok(media),
            Attachments::Many(media) if media.len() == 1 && !self.compat.is_reference() => Ok(&media[0]),
            Attachments::Many(media) if !media.is_empty() => Err(Error::unsupported(format!(
                "the sample has a list of media ({}), but an Infinity request holds one",
                media.len()
            ))),
            _ => Err(Error::input("the sample has neither a text nor a medium to embed")),
        }
    }
}

/// What a medium is in Infinity's words.
fn modality(media: &Media) -> &'static str {
    match media.kind {
        MediaKind::Image => "image",
        MediaKind::Video => "video",
        MediaKind::Audio => "audio",
    }
}

fn is_empty(prompt: &Prompt) -> bool {
    match prompt {
        Prompt::Text(text) => text.is_empty(),
        Prompt::Texts(texts) => texts.is_empty(),
        Prompt::TokenIds(ids) => ids.is_empty(),
        Prompt::TokenIdLists(lists) => lists.is_empty(),
        Prompt::Messages(_) | Prompt::Parts(_) | Prompt::Object(_) => false,
    }
}

/// Embeddings of a text, or of the medium of a sample without one.
pub struct InfinityEmbeddings(Infinity);

impl Backend for InfinityEmbeddings {
    type Config = NoOptions;
    const NAME: &'static str = "infinity-embeddings";
    const SUMMARY: &'static str = "Embeddings API of Infinity servers.";

    fn open(cx: &BackendContext, _: NoOptions) -> Result<Self> {
        Infinity::open(cx).map(Self)
    }

    fn endpoint(&self) -> Result<Endpoint> {
        Ok(self.0.pooling.endpoint(&self.0.path))
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        self.0.build(request, &request.turn.prompt)
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        Ok(self.0.pooling.parse(response))
    }
}

/// Embeddings of a text or of a medium, which pushes the text out.
pub struct InfinityClipEmbeddings(Infinity);

impl Backend for InfinityClipEmbeddings {
    type Config = NoOptions;
    const NAME: &'static str = "infinity-embeddings-clip";
    const SUMMARY: &'static str = "Embeddings API of Infinity servers, for CLIP models.";

    fn open(cx: &BackendContext, _: NoOptions) -> Result<Self> {
        Infinity::open(cx).map(Self)
    }

    fn endpoint(&self) -> Result<Endpoint> {
        Ok(self.0.pooling.endpoint(&self.0.path))
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        self.0.build(request, &text_or_media(&request.turn))
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        Ok(self.0.pooling.parse(response))
    }
}
