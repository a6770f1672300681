//! The backend `openai-audio`: transcriptions and translations of sounds,
//! uploaded as forms, answers streamed.
//!
//! Fields, their order and the rules by which answers are read are those of the
//! reference client, vLLM 0.33. The text of a prompt is not sent.

mod python_text;

use serde_json::Value;
use vbench_plugin::backend::{
    Body, Condition, ErrorRule, FailureText, Part, PartValue, RawObject, TokenRule, raw_object,
};
use vbench_plugin::openai;
use vbench_plugin::prelude::*;

vbench_plugin::export! { backends: [Audio] }

/// The path that the backend uses unless `--endpoint` names another.
const PATH: &str = "/v1/audio/transcriptions";
/// Content type of fields.
const TEXT: &str = "text/plain; charset=utf-8";

/// Options of the backend.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Language of the sounds, as servers name it.
    #[serde(default = "language")]
    language: String,
}

fn language() -> String {
    "en".to_owned()
}

/// Writes and reads transcriptions.
pub struct Audio {
    path: String,
    language: String,
    ignore_eos: bool,
    /// Sampling flags, then the extra body, in the order in which they are laid
    /// over the fields.
    user_fields: [RawObject; 2],
    plan: Plan,
}

impl Backend for Audio {
    type Config = Config;
    const NAME: &'static str = "openai-audio";
    const SUMMARY: &'static str = "Transcriptions and translations API of OpenAI-compatible servers.";

    fn open(cx: &BackendContext, config: Config) -> Result<Self> {
        let path = cx.endpoint.as_deref().unwrap_or(PATH);
        openai::check_suffix(path, "OpenAI Audio API", &["transcriptions", "translations"])?;
        Ok(Self {
            path: path.into(),
            language: config.language,
            ignore_eos: cx.ignore_eos,
            user_fields: [cx.sampling.clone(), cx.extra_body.clone()],
            plan: plan(cx.compat),
        })
    }

    fn endpoint(&self) -> Result<Endpoint> {
        // The content type comes with the form.
        Ok(Endpoint { headers: Vec::new(), ..openai::stream_endpoint(&self.path, Some(self.plan.clone())) })
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        if !request.history.is_empty() {
            return Err(Error::unsupported("the sample has several turns, which need openai-chat"));
        }
        let sound = match request.turn.attachments.as_slice() {
            [sound] if sound.kind == MediaKind::Audio => sound,
            [] => {
                return Err(Error::unsupported(
                    "the sample has no sound, which is what openai-audio sends; choose a dataset with sounds, such as custom_audio",
                ));
            }
            [_] => return Err(Error::unsupported("the sample has a medium that is no sound")),
            _ => return Err(Error::unsupported("the sample has several media, but a form holds one sound")),
        };
        let mut parts = vec![file(sound)?];
        for (name, value) in self.fields(request)? {
            parts.push(Part {
                name,
                filename: None,
                content_type: Some(TEXT.into()),
                value: PartValue::Text(value),
            });
        }
        Ok(RequestOut { body: Body::Multipart(parts), headers: Vec::new(), input_sequences: 1 })
    }
}

impl Audio {
    /// Names and values of the fields in their order. What the user adds keeps
    /// the place of a field that is there.
    fn fields(&self, request: &RequestIn) -> Result<Vec<(String, String)>> {
        let mut fields: Vec<(String, String)> = [
            ("model", request.model.clone()),
            ("max_completion_tokens", request.turn.output_tokens.to_string()),
            ("stream", "True".to_owned()),
            ("language", self.language.clone()),
            ("stream_include_usage", "True".to_owned()),
            ("stream_continuous_usage_stats", "True".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let mut put = |name: &str, value: String| match fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => fields.push((name.to_owned(), value)),
        };
        if self.ignore_eos {
            put("ignore_eos", "True".to_owned());
        }
        let overrides = match &request.overrides {
            Some(json) => {
                raw_object(json, "the sample's overrides").map_err(|error| Error::input(error.message))?
            }
            None => RawObject::new(),
        };
        for object in self.user_fields.iter().chain([&overrides]) {
            for (name, value) in object {
                let value: Value = serde_json::from_str(value.get())
                    .map_err(|error| Error::config(format!("`{name}`: {error}")))?;
                put(name, python_text::of(&value));
            }
        }
        Ok(fields)
    }
}

/// The part with the sound. Beside its address there may be the name of a file.
fn file(sound: &Media) -> Result<Part> {
    let format = sound.format.as_deref().unwrap_or("wav");
    let given = match &sound.extra {
        Some(json) => raw_object(json, "what is said of a sound")?.shift_remove("filename"),
        None => None,
    };
    let given: Option<String> = given
        .map(|name| serde_json::from_str(name.get()))
        .transpose()
        .map_err(|error| Error::input(format!("the name of a sound's file is no text: {error}")))?;
    let content_type = if format == "mp3" { "audio/mpeg".to_owned() } else { format!("audio/{format}") };
    Ok(Part {
        name: "file".into(),
        filename: Some(given.unwrap_or_else(|| format!("audio.{format}"))),
        content_type: Some(content_type),
        value: PartValue::Media(sound.url.clone()),
    })
}

/// How answers are read: every chunk with choices is a token event, also the
/// one that names the role and the one that ends; prompt tokens are not taken.
fn plan(compat: Compat) -> Plan {
    let mut plan = openai::stream_plan(compat);
    if compat.is_reference() {
        // It takes the delta of a choice for granted.
        plan.errors.push(ErrorRule {
            when: vec![Condition::truthy("/choices"), Condition::absent("/choices/0/delta")],
            message: FailureText::Text("KeyError: 'delta'".into()),
        });
    }
    for usage in &mut plan.usage {
        usage.prompt_tokens = None;
    }
    plan.tokens = vec![
        TokenRule::new(TokenKind::Content, vec![Condition::truthy("/choices")])
            .with_text("/choices/0/delta/content"),
    ];
    plan.server_queue_ms = None;
    plan.server_ttft_ms = None;
    plan
}
