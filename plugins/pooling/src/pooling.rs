//! `vllm-pooling`: texts, tokens, or an object of the caller's own.

use vbench_plugin::backend::{RawObject, raw_object};
use vbench_plugin::openai::{self, Payload, Pooling};
use vbench_plugin::options::NoOptions;
use vbench_plugin::prelude::*;

use crate::check;

/// Any pooling task of a vLLM server.
pub struct AnyPooling {
    path: String,
    /// With `input`.
    payload: Payload,
    /// Without `input` and without the user's fields, for prompts that are objects.
    of_object: Payload,
    /// `ignore_eos` and the user's fields, to go over such an object.
    user_fields: RawObject,
    pooling: Pooling,
    compat: Compat,
}

impl Backend for AnyPooling {
    type Config = NoOptions;
    const NAME: &'static str = "vllm-pooling";
    const SUMMARY: &'static str = "Pooling API of vLLM servers, for any pooling task.";

    fn open(cx: &BackendContext, _: NoOptions) -> Result<Self> {
        let path = cx.endpoint.as_deref().unwrap_or("/pooling");
        openai::check_suffix(path, "vLLM Pooling API", &["pooling"])?;
        let base = Payload::new().slot("model").fixed("truncate_prompt_tokens", &-1)?;
        let mut user_fields = RawObject::new();
        if cx.ignore_eos {
            user_fields.extend(raw_object(r#"{"ignore_eos":true}"#, "ignore_eos")?);
        }
        for fields in [&cx.sampling, &cx.extra_body] {
            user_fields.extend(fields.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        Ok(Self {
            path: path.into(),
            payload: base.clone().slot("input").merge_user_fields(cx)?,
            of_object: base,
            user_fields,
            pooling: Pooling::new(cx),
            compat: cx.compat,
        })
    }

    fn endpoint(&self) -> Result<Endpoint> {
        Ok(self.pooling.endpoint(&self.path))
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        check(request, self.compat)?;
        let prompt = &request.turn.prompt;
        let capacity = openai::prompt_bytes(prompt);
        let slot = |key: &str, out: &mut Vec<u8>| match key {
            "model" => openai::write_json(out, request.model.as_str()),
            _ => self.pooling.write_input(out, prompt),
        };
        if let Prompt::Object(object) = prompt {
            let fields = self.over(object, request.overrides.as_deref())?;
            let body = self.of_object.write(capacity, Some(&fields), slot)?;
            return self.pooling.request(body, Some(&fields), 1);
        }
        let overrides = request.overrides.as_deref();
        let body = self.payload.write(capacity, overrides, slot)?;
        self.pooling.request(body, overrides, Pooling::input_sequences(prompt))
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        Ok(self.pooling.parse(response))
    }
}

impl AnyPooling {
    /// The sample's object, the user's fields over it, the sample's overrides
    /// over these.
    fn over(&self, object: &str, overrides: Option<&str>) -> Result<String> {
        let input = |json, what| raw_object(json, what).map_err(|error| Error::input(error.message));
        let mut fields = input(object, "the sample's object")?;
        fields.extend(self.user_fields.iter().map(|(key, value)| (key.clone(), value.clone())));
        if let Some(overrides) = overrides {
            fields.extend(input(overrides, "the sample's overrides")?);
        }
        serde_json::to_string(&fields).map_err(|error| Error::internal(error.to_string()))
    }
}
