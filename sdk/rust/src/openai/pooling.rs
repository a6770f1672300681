//! Pooling tasks (embeddings, scores, labels): one body in, one body out.

use indexmap::IndexMap;
use serde_json::Value;
use serde_json::value::RawValue;

use super::write_prompt;
use crate::backend::{
    BackendContext, Condition, Endpoint, ErrorRule, Framing, Header, Parsed, Plan, RequestOut, Response,
    Task, Usage, UsageRule, raw_object,
};
use crate::sample::Prompt;
use crate::{Compat, Error, Result};

/// The field of a body by which its answer's format is chosen.
const ENCODING_FORMAT: &str = "encoding_format";

/// Where an answer says how many tokens its prompt had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// In the body, which is JSON (`float`, `base64` and whatever else a server knows).
    Json,
    /// In the header `metadata`; the body is numbers (`bytes`).
    Bytes,
    /// Nowhere; the body is numbers (`bytes_only`).
    BytesOnly,
}

impl Encoding {
    fn from_json(value: &RawValue) -> Self {
        match serde_json::from_str(value.get()) {
            Ok(Value::String(name)) if name == "bytes" => Self::Bytes,
            Ok(Value::String(name)) if name == "bytes_only" => Self::BytesOnly,
            _ => Self::Json,
        }
    }
}

/// How the answers of a pooling endpoint are read.
///
/// Under the rules of the reference client a JSON answer has to come with a
/// JSON content type and, if it has `usage` at all, with an object there; a
/// prompt whose tokens the server does not count has none. Outside of them
/// any JSON that reports no error will do, and such a prompt is as long as the
/// dataset says.
#[derive(Debug, Clone, Copy)]
pub struct Pooling {
    encoding: Encoding,
    compat: Compat,
}

impl Pooling {
    /// For requests that the extra body is merged into, with its `encoding_format`.
    pub fn new(cx: &BackendContext) -> Self {
        let encoding =
            cx.extra_body.get(ENCODING_FORMAT).map_or(Encoding::Json, |value| Encoding::from_json(value));
        Self { encoding, compat: cx.compat }
    }

    /// For requests whose answers are always JSON.
    pub fn json(compat: Compat) -> Self {
        Self { encoding: Encoding::Json, compat }
    }

    /// The endpoint: JSON in, a whole body out. A plan reads it where that is enough.
    pub fn endpoint(&self, path: &str) -> Endpoint {
        let by_plan = self.encoding == Encoding::Json && !self.compat.is_reference();
        Endpoint {
            task: Task::Pooling,
            method: "POST".into(),
            path: path.into(),
            headers: vec![Header::new("content-type", "application/json")],
            framing: Framing::WholeBody,
            plan: by_plan.then(plan),
        }
    }

    /// Makes a request of a written body. `overrides` are the fields that the
    /// sample has laid over it: an `encoding_format` there that is read in
    /// another way than the run's is refused, since an answer does not say
    /// which request it belongs to.
    pub fn request(
        &self,
        body: Vec<u8>,
        overrides: Option<&str>,
        input_sequences: u32,
    ) -> Result<RequestOut> {
        if let Some(json) = overrides {
            let fields = raw_object(json, "the sample's overrides").map_err(|e| Error::input(e.message))?;
            if fields.get(ENCODING_FORMAT).is_some_and(|value| Encoding::from_json(value) != self.encoding) {
                return Err(Error::unsupported(
                    "the sample sets encoding_format for itself; set it for the whole run with --extra-body",
                ));
            }
        }
        Ok(RequestOut { input_sequences, ..RequestOut::json(body) })
    }

    /// Reads a whole answer; [`Backend::parse`](crate::Backend::parse) of a pooling backend.
    pub fn parse(&self, response: &Response) -> Parsed {
        let usage = match self.encoding {
            Encoding::BytesOnly => Ok(None),
            Encoding::Bytes => match header(response, "metadata") {
                Some(metadata) => self.usage(metadata.as_bytes(), "the response's header `metadata`"),
                None => {
                    Err("the response has no header `metadata`, which an encoding_format of bytes asks for"
                        .into())
                }
            },
            Encoding::Json => self.json_body(response),
        };
        match usage {
            Ok(usage) => Parsed { usage, ..Parsed::default() },
            Err(error) => Parsed { error: Some(error), ..Parsed::default() },
        }
    }

    fn json_body(&self, response: &Response) -> Result<Option<Usage>, String> {
        if self.compat.is_reference() {
            // What the reference client takes a body without a type for.
            let kind = header(response, "content-type").unwrap_or("application/octet-stream");
            if !is_json(kind) {
                return Err(format!("the response is not JSON by its content type `{kind}`"));
            }
        }
        self.usage(&response.body, "the response")
    }

    /// Takes the counts from a JSON object; `what` names it in the error.
    fn usage(&self, json: &[u8], what: &str) -> Result<Option<Usage>, String> {
        let fields: IndexMap<String, &RawValue> =
            serde_json::from_slice(json).map_err(|error| format!("{what} is not a JSON object: {error}"))?;
        let usage = fields.get("usage").map(|raw| serde_json::from_str::<Value>(raw.get()));
        let usage = usage.transpose().map_err(|error| format!("`usage` of {what}: {error}"))?;
        if !self.compat.is_reference() {
            return Ok(usage.as_ref().map(counts).filter(|usage| usage.prompt_tokens.is_some()));
        }
        match usage {
            None => Ok(Some(Usage { prompt_tokens: Some(0), ..Usage::default() })),
            Some(usage) if !usage.is_object() => Err(format!("`usage` of {what} is {usage}, not an object")),
            Some(usage) => {
                let counts = counts(&usage);
                Ok(Some(Usage { prompt_tokens: counts.prompt_tokens.or(Some(0)), ..counts }))
            }
        }
    }

    /// Writes a prompt for a field that takes texts or tokens, one or several.
    pub fn write_input(&self, out: &mut Vec<u8>, prompt: &Prompt) -> Result<()> {
        match prompt {
            Prompt::Messages(_) | Prompt::Parts(_) if !self.compat.is_reference() => Err(Error::unsupported(
                "the sample is a chat, which this backend cannot send; use openai-embeddings-chat",
            )),
            Prompt::Object(_) if !self.compat.is_reference() => Err(Error::unsupported(
                "the sample is an object, which this backend cannot send; use vllm-pooling",
            )),
            prompt => write_prompt(out, prompt, self.compat),
        }
    }

    /// How many inputs a prompt holds.
    pub fn input_sequences(prompt: &Prompt) -> u32 {
        let count = match prompt {
            Prompt::Texts(texts) => texts.len(),
            Prompt::TokenIdLists(lists) => lists.len(),
            _ => 1,
        };
        u32::try_from(count.max(1)).unwrap_or(u32::MAX)
    }
}

/// The extraction plan of a JSON answer.
fn plan() -> Plan {
    Plan {
        errors: vec![
            ErrorRule::new(vec![Condition::truthy("/error/message")], "/error/message"),
            ErrorRule::new(vec![Condition::truthy("/error")], "/error"),
            ErrorRule::new(vec![Condition::equals("/object", "\"error\"")], "/message"),
        ],
        usage: vec![UsageRule {
            when: vec![Condition::truthy("/usage")],
            on_token_events: false,
            output_tokens: None,
            prompt_tokens: Some("/usage/prompt_tokens".into()),
            cached_tokens: Some("/usage/prompt_tokens_details/cached_tokens".into()),
            reasoning_tokens: None,
        }],
        ..Plan::default()
    }
}

fn counts(usage: &Value) -> Usage {
    Usage {
        prompt_tokens: usage.get("prompt_tokens").and_then(Value::as_u64),
        cached_tokens: usage.pointer("/prompt_tokens_details/cached_tokens").and_then(Value::as_u64),
        ..Usage::default()
    }
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|h| h.value.as_str())
}

/// Whether a content type is JSON: `application/json`, or `application/…+json`.
fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let Some(subtype) = kind.strip_prefix("application/") else { return false };
    subtype == "json" || subtype.strip_suffix("+json").is_some_and(|prefix| !prefix.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pooling(extra_body: &str, compat: Compat) -> Pooling {
        Pooling::new(&BackendContext {
            name: "x".into(),
            endpoint: None,
            sampling: raw_object("{}", "sampling").unwrap(),
            extra_body: raw_object(extra_body, "extra body").unwrap(),
            ignore_eos: false,
            logprobs: None,
            compat,
        })
    }

    fn response(headers: &[(&str, &str)], body: &[u8]) -> Response {
        let headers = headers.iter().map(|&(name, value)| Header::new(name, value)).collect();
        Response { headers, ..Response::from_events([body]) }
    }

    /// As the host reads it: by plan where there is one.
    fn read(pooling: Pooling, response: &Response) -> Result<Option<u64>, String> {
        let parsed = match pooling.endpoint("/x").plan {
            Some(plan) => crate::plan::read(&plan, response),
            None => pooling.parse(response),
        };
        match parsed.error {
            Some(error) => Err(error),
            None => Ok(parsed.usage.and_then(|usage| usage.prompt_tokens)),
        }
    }

    fn json(body: &str) -> Response {
        response(&[("content-type", "application/json; charset=utf-8")], body.as_bytes())
    }

    #[test]
    fn a_json_answer_without_counts_has_none_by_the_reference_and_the_datasets_by_ours() {
        for (body, reference, ours) in [
            (r#"{"data":[],"usage":{"prompt_tokens":7}}"#, Some(7), Some(7)),
            (r#"{"data":[]}"#, Some(0), None),
            (r#"{"usage":{"total_tokens":4}}"#, Some(0), None),
        ] {
            assert_eq!(read(pooling("{}", Compat::V0_33), &json(body)), Ok(reference), "{body}");
            assert_eq!(read(pooling("{}", Compat::Vbench), &json(body)), Ok(ours), "{body}");
        }
    }

    #[test]
    fn what_cannot_be_read_fails_the_request() {
        for body in ["", "<html>", r#"{"a": "#, "[1"] {
            assert!(read(pooling("{}", Compat::V0_33), &json(body)).is_err(), "{body}");
            assert!(read(pooling("{}", Compat::Vbench), &json(body)).is_err(), "{body}");
        }
        for body in ["[]", r#"{"usage":null}"#, r#"{"usage":[]}"#] {
            assert!(read(pooling("{}", Compat::V0_33), &json(body)).is_err(), "{body}");
        }
        let error = read(pooling("{}", Compat::Vbench), &json(r#"{"error":{"message":"boom"}}"#));
        assert_eq!(error, Err("boom".into()));
    }

    #[test]
    fn the_reference_client_looks_at_the_content_type() {
        let body = br#"{"usage":{"prompt_tokens":3}}"#;
        for (kind, good) in [
            ("application/json", true),
            ("Application/Problem+JSON", true),
            ("text/plain", false),
            ("application/+json", false),
            ("application/jsonl", false),
        ] {
            let response = response(&[("Content-Type", kind)], body);
            assert_eq!(read(pooling("{}", Compat::V0_33), &response).is_ok(), good, "{kind}");
            assert_eq!(read(pooling("{}", Compat::Vbench), &response), Ok(Some(3)));
        }
        assert!(read(pooling("{}", Compat::V0_33), &response(&[], body)).is_err());
    }

    #[test]
    fn counts_of_binary_answers_come_from_a_header() {
        for compat in [Compat::Vbench, Compat::V0_33] {
            let bytes = pooling(r#"{"encoding_format":"bytes"}"#, compat);
            let good = response(&[("Metadata", r#"{"usage":{"prompt_tokens":5}}"#)], b"\x00\xff");
            assert_eq!(read(bytes, &good), Ok(Some(5)));
            assert!(read(bytes, &response(&[("metadata", "{")], b"")).is_err());
            assert!(read(bytes, &response(&[], b"xx")).unwrap_err().contains("metadata"));
            let bytes_only = pooling(r#"{"encoding_format":"bytes_only"}"#, compat);
            assert_eq!(read(bytes_only, &response(&[], b"\xff")), Ok(None));
        }
    }

    #[test]
    fn a_sample_cannot_choose_another_format() {
        let pooling = pooling("{}", Compat::Vbench);
        assert!(pooling.request(Vec::new(), Some(r#"{"encoding_format":"base64"}"#), 1).is_ok());
        assert!(pooling.request(Vec::new(), Some(r#"{"encoding_format":"bytes"}"#), 1).is_err());
        assert_eq!(pooling.request(Vec::new(), None, 3).unwrap().input_sequences, 3);
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..64), metadata in "\\PC*") {
            for format in ["float", "bytes", "bytes_only"] {
                let extra = format!(r#"{{"encoding_format":"{format}"}}"#);
                for compat in [Compat::Vbench, Compat::V0_33] {
                    let response = response(
                        &[("content-type", "application/json"), ("metadata", &metadata)],
                        &body,
                    );
                    let _ = read(pooling(&extra, compat), &response);
                }
            }
        }
    }
}
