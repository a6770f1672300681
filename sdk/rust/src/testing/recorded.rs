//! What was recorded of another client, to be held against a plugin: requests,
//! streams and samples.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::{BackendArgs, HostTokenizer, TestBackend, request};
use crate::backend::{Backend, Body, RequestIn, Response};
use crate::sample::{Attachments, Media, MediaKind, Prompt, Sample, Turn};
use crate::tokenizer::Info;
use crate::{Compat, Result};

/// A request as it was sent, and what it was made of.
#[derive(Debug, Clone, Deserialize)]
pub struct RecordedRequest {
    /// Names it in messages of a test.
    pub case: String,
    /// The backend, where a plugin has several.
    #[serde(default)]
    pub backend: String,
    /// Sampling flags.
    #[serde(default = "empty")]
    sampling: Value,
    /// `--extra-body`.
    #[serde(default = "empty")]
    extra_body: Value,
    #[serde(default)]
    ignore_eos: bool,
    #[serde(default)]
    logprobs: Option<i64>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    id: Option<String>,
    prompt: Value,
    /// Kind, as a content part names it, and address. A list in the request.
    #[serde(default)]
    media: Vec<(String, String)>,
    /// Addresses of images; a single one is no list in the request.
    #[serde(default)]
    images: Vec<String>,
    #[serde(default)]
    overrides: Option<Value>,
    #[serde(default = "one")]
    output_tokens: i64,
    /// Inputs that it held.
    #[serde(default)]
    input_sequences: Option<u32>,
    /// The body.
    json: Value,
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

fn one() -> i64 {
    1
}

impl RecordedRequest {
    /// Fails the test unless the backend writes the same body, fields in the
    /// same order, under the rules of the reference client.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn assert_written_by<B: Backend>(&self) {
        let args = BackendArgs {
            sampling: self.sampling.to_string(),
            extra_body: self.extra_body.to_string(),
            ignore_eos: self.ignore_eos,
            logprobs: self.logprobs,
            compat: Compat::V0_33,
            ..BackendArgs::default()
        };
        let case = &self.case;
        let written = TestBackend::<B>::open("{}", args).and_then(|backend| backend.build(&self.request()));
        let out = written.unwrap_or_else(|error| panic!("{case}: {error:?}"));
        let Body::Bytes(body) = out.body else { panic!("{case}: not bytes") };
        // As text, so that the order of the fields is compared as well.
        let body: Value = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(body.to_string(), self.json.to_string(), "{case}");
        if let Some(input_sequences) = self.input_sequences {
            assert_eq!(out.input_sequences, input_sequences, "{case}");
        }
    }

    fn request(&self) -> RequestIn {
        let turn = Turn::new(self.prompt(), 1, self.output_tokens).with_attachments(self.attachments());
        let mut request = request(turn);
        if let Some(model) = &self.model {
            request.model.clone_from(model);
        }
        request.id.clone_from(&self.id);
        request.overrides = self.overrides.as_ref().map(Value::to_string);
        request
    }

    /// A text, token ids, texts, content parts, or an object with `messages`.
    fn prompt(&self) -> Prompt {
        let read = "a list of one type";
        match &self.prompt {
            Value::String(text) => Prompt::Text(text.clone()),
            Value::Object(object) => Prompt::Messages(object["messages"].to_string()),
            Value::Array(items) if items.iter().all(Value::is_string) => {
                Prompt::Texts(serde_json::from_value(self.prompt.clone()).expect(read))
            }
            Value::Array(items) if items.iter().all(Value::is_number) => {
                Prompt::TokenIds(serde_json::from_value(self.prompt.clone()).expect(read))
            }
            parts => Prompt::Parts(parts.to_string()),
        }
    }

    fn attachments(&self) -> Attachments {
        let medium = |(kind, url): &(String, String)| match kind.as_str() {
            "image_url" => Media::new(MediaKind::Image, url),
            "video_url" => Media::new(MediaKind::Video, url),
            kind => panic!("{}: {kind}", self.case),
        };
        let mut images: Vec<Media> =
            self.images.iter().map(|url| Media::new(MediaKind::Image, url)).collect();
        match images.len() {
            0 if self.media.is_empty() => Attachments::None,
            0 => Attachments::Many(self.media.iter().map(medium).collect()),
            1 => Attachments::One(images.remove(0)),
            _ => Attachments::Many(images),
        }
    }
}

/// A stream as it came, and what was made of it.
#[derive(Debug, Clone, Deserialize)]
pub struct RecordedStream {
    /// Names it in messages of a test.
    pub name: String,
    events: Vec<String>,
    error: String,
    text: String,
    /// None where it is not known.
    token_events: Option<usize>,
    input_len: u64,
    output_len: u64,
    #[serde(default)]
    server_queue_s: Option<f64>,
    #[serde(default)]
    server_ttft_s: Option<f64>,
}

impl RecordedStream {
    /// The events as a response.
    pub fn response(&self) -> Response {
        Response::from_events(&self.events)
    }

    /// Fails the test unless the backend makes the same of it, under the rules
    /// of the reference client.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn assert_read_by<B: Backend>(&self) {
        let name = &self.name;
        let args = BackendArgs { compat: Compat::V0_33, ..BackendArgs::default() };
        let read = TestBackend::<B>::open("{}", args).and_then(|backend| backend.read(&self.response()));
        let parsed = read.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let error = parsed.error.as_deref().unwrap_or_default();
        if self.error == "not JSON" {
            assert!(error.contains("is not JSON"), "{name}: {error}");
            return;
        }
        assert_eq!(error, self.error, "{name}");
        if let Some(token_events) = self.token_events {
            assert_eq!(parsed.tokens.len(), token_events, "{name}");
            assert_eq!(parsed.text, self.text, "{name}");
        }
        let usage = parsed.usage.unwrap_or_default();
        // Without a count the reference client counts the text's tokens, and for failures none.
        if let Some(tokens) = usage.output_tokens.filter(|&count| count > 0 && error.is_empty()) {
            assert_eq!(tokens, self.output_len, "{name}");
        }
        if let Some(tokens) = usage.prompt_tokens {
            assert_eq!(tokens, self.input_len, "{name}");
        }
        assert_eq!(parsed.server_queue_ms.map(|ms| ms / 1000.0), self.server_queue_s, "{name}");
        assert_eq!(parsed.server_ttft_ms.map(|ms| ms / 1000.0), self.server_ttft_s, "{name}");
    }
}

/// A sample as it was drawn, with a prompt of text.
#[derive(Debug, Clone, Deserialize)]
pub struct RecordedSample {
    /// Its request id.
    pub request_id: String,
    /// Tokens of the prompt.
    pub prompt_len: u64,
    /// Longest answer.
    pub output_len: i64,
    /// The prompt.
    pub prompt: String,
}

impl RecordedSample {
    /// Fails the test unless these samples were drawn, in this order; `case`
    /// names them.
    ///
    /// # Panics
    /// When they were not.
    #[track_caller]
    pub fn assert_drawn(recorded: &[Self], samples: &[Sample], case: &str) {
        assert_eq!(samples.len(), recorded.len(), "{case}");
        for (sample, recorded) in samples.iter().zip(recorded) {
            let name = format!("{case} {}", recorded.request_id);
            let turn = &sample.turns[0];
            assert_eq!(sample.id.as_deref(), Some(recorded.request_id.as_str()), "{name}");
            assert_eq!(turn.prompt, Prompt::Text(recorded.prompt.clone()), "{name}");
            assert_eq!(
                (turn.prompt_tokens, turn.output_tokens),
                (recorded.prompt_len, recorded.output_len),
                "{name}"
            );
        }
    }

    /// The lengths of the prompts, for a [`ChatMl`].
    pub fn lengths(recorded: &[Self]) -> HashMap<String, usize> {
        recorded.iter().map(|sample| (sample.prompt.clone(), sample.prompt_len as usize)).collect()
    }
}

/// A tokenizer that knows the lengths of texts that were recorded, and nothing
/// else of them. Its chat template is ChatML.
#[derive(Debug, Clone, Default)]
pub struct ChatMl {
    lengths: HashMap<String, usize>,
}

impl ChatMl {
    /// With these lengths. Every other text has one token: texts are drawn, and
    /// then passed over, that were not recorded.
    pub fn new(lengths: HashMap<String, usize>) -> Self {
        Self { lengths }
    }
}

impl HostTokenizer for ChatMl {
    fn describe(&self) -> Info {
        Info {
            name: "chatml".into(),
            vocab_size: 1,
            full_vocab_size: 1,
            special_ids: Vec::new(),
            added_special_ids: Vec::new(),
            specials_per_sequence: 0,
            has_chat_template: true,
        }
    }

    fn encode(&self, text: &str, _add_special_tokens: bool) -> Vec<u32> {
        vec![0; self.lengths.get(text).copied().unwrap_or(1)]
    }

    /// Nothing is known of ids.
    fn decode(&self, ids: &[u32], _skip_special_tokens: bool) -> String {
        panic!("a text of {} ids was asked of a tokenizer that knows lengths only", ids.len())
    }

    /// The option `thinking` opens the answer with `<think>`. A chat with tools
    /// stands for itself by its first message and the name of its first tool.
    fn render_chat(
        &self,
        messages: &str,
        tools: Option<&str>,
        add_generation_prompt: bool,
        template_options: Option<&str>,
    ) -> Result<String> {
        let invalid = |error: serde_json::Error| crate::Error::input(error.to_string());
        let messages: Vec<Value> = serde_json::from_str(messages).map_err(invalid)?;
        let content = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
        if let Some(tools) = tools {
            let tools: Value = serde_json::from_str(tools).map_err(invalid)?;
            let name = tools[0]["function"]["name"].as_str().unwrap_or_default();
            return Ok(format!("{} {name}", messages.first().map(content).unwrap_or_default()));
        }
        let options: Value = serde_json::from_str(template_options.unwrap_or("null")).map_err(invalid)?;
        let mut text = String::new();
        for message in &messages {
            let role = message["role"].as_str().unwrap_or_default();
            text += &format!("<|im_start|>{role}\n{}<|im_end|>\n", content(message));
        }
        if add_generation_prompt {
            text += "<|im_start|>assistant\n";
            text += if options["thinking"] == true { "<think>\n" } else { "" };
        }
        Ok(text)
    }
}
