//! The backend `ollama`: Ollama's `/api/chat`, a JSON text a line.
//!
//! Ollama's messages hold plain text, with the Base64 of images beside it. Lists
//! of text parts are joined; video, sound, and images at an address are refused.
//! Sampling flags go into `options`, under Ollama's names.

mod messages;
mod response;

use vbench_plugin::backend::raw_object;
use vbench_plugin::openai::{self, Payload};
use vbench_plugin::options::NoOptions;
use vbench_plugin::prelude::*;
use vbench_plugin::sampling::Names;

vbench_plugin::export! { backends: [Ollama] }

/// The path that the backend uses unless `--endpoint` names another.
const PATH: &str = "/api/chat";

/// Writes and reads requests of Ollama's chat.
pub struct Ollama {
    path: String,
    payload: Payload,
    options: Payload,
    streams: bool,
}

impl Backend for Ollama {
    type Config = NoOptions;
    const NAME: &'static str = "ollama";
    const SUMMARY: &'static str = "Ollama, /api/chat.";

    fn open(cx: &BackendContext, _: NoOptions) -> Result<Self> {
        let path = cx.endpoint.as_deref().unwrap_or(PATH);
        openai::check_suffix(path, "Ollama chat", &[PATH])?;
        for (given, flag) in [(cx.ignore_eos, "--ignore-eos"), (cx.logprobs.is_some(), "--logprobs")] {
            if given {
                return Err(Error::config(format!("Ollama knows nothing like {flag}; leave it out")));
            }
        }
        let mut extra_body = cx.extra_body.clone();
        let sampling = Names::LLAMA_CPP.apply(&cx.sampling, "Ollama")?;
        let mut options = Payload::new().slot("num_predict").fixed_fields(&sampling);
        if let Some(given) = extra_body.shift_remove("options") {
            options = options.fixed_fields(&raw_object(given.get(), "`options` of --extra-body")?);
        }
        let streams = cx.streams();
        let payload = Payload::new()
            .slot("model")
            .slot("messages")
            .fixed("stream", &streams)?
            .slot("options")
            .fixed_fields(&extra_body);
        Ok(Self { path: path.into(), payload, options, streams })
    }

    /// Read by the plugin: durations are in nanoseconds, and one of them is a sum.
    fn endpoint(&self) -> Result<Endpoint> {
        let framing = if self.streams { Framing::Ndjson } else { Framing::WholeBody };
        Ok(Endpoint { framing, ..openai::stream_endpoint(&self.path, None) })
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        let tokens = request.turn.output_tokens;
        let capacity = openai::prompt_bytes(&request.turn.prompt);
        let body = self.payload.write(capacity, request.overrides.as_deref(), |key, out| match key {
            "model" => openai::write_json(out, request.model.as_str()),
            "messages" => messages::write(out, request),
            _ => {
                out.extend(self.options.write(0, None, |_, out| openai::write_json(out, &tokens))?);
                Ok(())
            }
        })?;
        Ok(RequestOut::json(body))
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        Ok(response::read(response))
    }
}
