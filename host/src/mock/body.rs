//! What a request asks for, read without keeping its prompt.

use serde::Deserialize;

use super::api::Api;
use super::http::Refusal;
use super::prompt::{Inputs, Messages, Prompt};

/// Tokens of an answer if the request names no number: OpenAI's default for
/// completions, taken for all others as well.
const DEFAULT_TOKENS: u64 = 16;

/// A request for an answer that takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GenerationRequest {
    pub(super) api: Api,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    /// Tokens asked for; 0 for pooling.
    pub(super) tokens: u64,
    pub(super) prompt: Prompt,
    /// Inputs that it holds; 1 but for pooling.
    pub(super) inputs: u64,
}

/// The fields of all APIs that say something to the mock server.
#[derive(Deserialize)]
struct Fields {
    prompt: Option<Inputs>,
    messages: Option<Messages>,
    /// Responses, and pooling.
    input: Option<Inputs>,
    /// TGI.
    inputs: Option<Inputs>,
    /// SGLang.
    text: Option<Inputs>,
    /// SGLang.
    input_ids: Option<Inputs>,
    /// Triton.
    text_input: Option<Inputs>,
    /// Rerank.
    query: Option<Inputs>,
    /// Rerank.
    documents: Option<Inputs>,
    /// Score.
    text_1: Option<Inputs>,
    /// Score.
    text_2: Option<Inputs>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<i64>,
    max_completion_tokens: Option<i64>,
    max_output_tokens: Option<i64>,
    n_predict: Option<i64>,
    /// TGI.
    parameters: Option<Limits>,
    /// SGLang.
    sampling_params: Option<Limits>,
    /// Ollama.
    options: Option<Limits>,
    n: Option<i64>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct Limits {
    max_new_tokens: Option<i64>,
    num_predict: Option<i64>,
}

impl GenerationRequest {
    /// Reads the JSON body of a request to an API, of which `path` is a path.
    pub(super) fn parse(api: Api, path: &str, body: &[u8]) -> Result<Self, Refusal> {
        let fields: Fields = serde_json::from_slice(body)
            .map_err(|error| Refusal::bad(format!("malformed request body: {error}")))?;
        let sglang = api == Api::Tgi && path == "/generate" && fields.inputs.is_none();
        let api =
            if sglang && (fields.text.is_some() || fields.input_ids.is_some()) { Api::Sglang } else { api };
        let limit = limit(api, &fields);
        let by_path = path.ends_with("/generate_stream");
        let stream = match api {
            Api::Tgi | Api::Triton => by_path,
            Api::Ollama => fields.stream.unwrap_or(true),
            Api::Pooling(_) => false,
            _ => fields.stream.unwrap_or(false),
        };
        let include_usage = fields.stream_options.as_ref().and_then(|o| o.include_usage).unwrap_or(false);
        if fields.n.is_some_and(|n| n != 1) {
            return Err(Refusal::bad("the mock server gives one choice a request: n must be 1"));
        }
        let (prompt, inputs) = prompt(api, fields)?;
        let tokens = match limit {
            _ if matches!(api, Api::Pooling(_)) => 0,
            None if api == Api::Messages => return Err(missing("max_tokens")),
            None => DEFAULT_TOKENS,
            Some(limit) => u64::try_from(limit)
                .ok()
                .filter(|&limit| limit > 0)
                .ok_or_else(|| Refusal::bad(format!("max_tokens must be at least 1, got {limit}")))?,
        };
        Ok(Self { api, stream, include_usage, tokens, prompt, inputs })
    }
}

/// Tokens asked for, if the request says so.
fn limit(api: Api, fields: &Fields) -> Option<i64> {
    let new_tokens = |limits: &Option<Limits>| limits.as_ref().and_then(|limits| limits.max_new_tokens);
    match api {
        Api::Completions | Api::Messages | Api::Triton | Api::Pooling(_) => fields.max_tokens,
        Api::Chat => fields.max_completion_tokens.or(fields.max_tokens),
        Api::Responses => fields.max_output_tokens,
        Api::Tgi => new_tokens(&fields.parameters),
        Api::Sglang => new_tokens(&fields.sampling_params),
        Api::LlamaCpp => fields.n_predict,
        Api::Ollama => fields.options.as_ref().and_then(|limits| limits.num_predict),
    }
}

fn missing(field: &str) -> Refusal {
    Refusal::bad(format!("field required: {field}"))
}

/// The prompt, and how many inputs it is.
fn prompt(api: Api, fields: Fields) -> Result<(Prompt, u64), Refusal> {
    let (inputs, name) = match api {
        Api::Chat | Api::Messages | Api::Ollama => {
            return fields.messages.map(|m| (m.0, 1)).ok_or_else(|| missing("messages"));
        }
        Api::Pooling(super::api::Pooled::Rerank) => return pair(fields.query, fields.documents, "documents"),
        Api::Pooling(super::api::Pooled::Score) => return pair(fields.text_1, fields.text_2, "text_2"),
        Api::Pooling(_) => {
            if let Some(messages) = fields.messages {
                return Ok((messages.0, 1));
            }
            let inputs = fields.input.ok_or_else(|| missing("input"))?;
            return Ok((inputs.prompt, inputs.count));
        }
        Api::Completions | Api::LlamaCpp => (fields.prompt, "prompt"),
        Api::Responses => (fields.input, "input"),
        Api::Tgi => (fields.inputs, "inputs"),
        Api::Sglang => (fields.text.or(fields.input_ids), "text"),
        Api::Triton => (fields.text_input, "text_input"),
    };
    let inputs = inputs.ok_or_else(|| missing(name))?;
    if inputs.count != 1 || (inputs.chat && api != Api::Responses) {
        return Err(Refusal::bad("the mock server takes one prompt a request"));
    }
    Ok((inputs.prompt, 1))
}

/// One text against one or several others.
fn pair(one: Option<Inputs>, others: Option<Inputs>, name: &str) -> Result<(Prompt, u64), Refusal> {
    let (one, others) = one.zip(others).ok_or_else(|| missing(name))?;
    Ok((Prompt::join([one.prompt, others.prompt]), others.count))
}

/// Body of `/tokenize`.
#[derive(Deserialize)]
pub(super) struct TokenizeRequest {
    pub(super) prompt: String,
}

/// Body of `/detokenize`.
#[derive(Deserialize)]
pub(super) struct DetokenizeRequest {
    pub(super) tokens: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completion(body: &str) -> Result<GenerationRequest, Refusal> {
        GenerationRequest::parse(Api::Completions, "/v1/completions", body.as_bytes())
    }

    fn chat(body: &str) -> Result<GenerationRequest, Refusal> {
        GenerationRequest::parse(Api::Chat, "/v1/chat/completions", body.as_bytes())
    }

    #[test]
    fn prompts_are_counted_by_the_stated_rule() {
        let tokens = |body: &str| completion(body).unwrap().prompt.tokens;
        assert_eq!(tokens(r#"{"prompt":"  one two\nthree "}"#), 3);
        assert_eq!(tokens(r#"{"prompt":["one two"]}"#), 2);
        assert_eq!(tokens(r#"{"prompt":[5,6,7,8]}"#), 4);
        assert_eq!(tokens(r#"{"prompt":[[5,6]]}"#), 2);
        assert_eq!(tokens(r#"{"prompt":""}"#), 0);
        let body = r#"{"messages":[{"role":"system","content":"be brief"},{"role":"user","content":
            [{"type":"text","text":"a b c"},{"type":"image_url","image_url":{"url":"data: not words"}}]}]}"#;
        assert_eq!(chat(body).unwrap().prompt.tokens, 5);
    }

    #[test]
    fn only_equal_prompts_have_equal_digests() {
        let digest = |body: &str| completion(body).unwrap().prompt.digest;
        assert_eq!(digest(r#"{"prompt":"a b"}"#), digest(r#"{"max_tokens":3,"prompt":["a b"]}"#));
        assert_eq!(digest(r#"{"prompt":[1,2]}"#), digest(r#"{"prompt":[[1,2]]}"#));
        assert_ne!(digest(r#"{"prompt":[1,2]}"#), digest(r#"{"prompt":[2,1]}"#));
        assert_ne!(digest(r#"{"prompt":"a b"}"#), digest(r#"{"prompt":"a  b"}"#));
        let digest = |url: &str| {
            let part = format!(r#"{{"type":"image_url","image_url":{{"url":"{url}"}}}}"#);
            chat(&format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#)).unwrap().prompt.digest
        };
        assert_eq!(digest("x"), digest("x"));
        assert_ne!(digest("x"), digest("y"));
    }

    #[test]
    fn lengths_and_streaming_are_read() {
        let request = chat(
            r#"{"messages":[],"max_tokens":1,"max_completion_tokens":7,"stream":true,
            "stream_options":{"include_usage":true,"other":1},"temperature":0}"#,
        )
        .unwrap();
        assert!(request.stream && request.include_usage);
        assert_eq!(request.tokens, 7);
        assert_eq!(completion(r#"{"prompt":"a"}"#).unwrap().tokens, DEFAULT_TOKENS);
    }

    #[test]
    fn requests_that_cannot_be_served_are_refused() {
        for body in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"prompt":null}"#,
            r#"{"prompt":[]}"#,
            r#"{"prompt":["a","b"]}"#,
            r#"{"prompt":[1,"b"]}"#,
            r#"{"prompt":[-1]}"#,
            r#"{"prompt":{"a":1}}"#,
            r#"{"prompt":"a","max_tokens":0}"#,
            r#"{"prompt":"a","max_tokens":-5}"#,
            r#"{"prompt":"a","max_tokens":"5"}"#,
            r#"{"prompt":"a","n":2}"#,
            r#"{"prompt":"a"} x"#,
        ] {
            assert_eq!(completion(body).unwrap_err().status, 400, "{body}");
        }
        assert_eq!(chat(r#"{"prompt":"a"}"#).unwrap_err().message, "field required: messages");
        assert!(chat(&format!(r#"{{"messages":{}}}"#, "[".repeat(100_000))).is_err());
    }

    #[test]
    fn every_api_says_what_it_wants_in_its_own_fields() {
        for (path, body, streams) in [
            ("/v1/responses", r#"{"input":"a b c","max_output_tokens":5,"stream":true}"#, true),
            (
                "/v1/responses",
                r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"a b c"}]}],"max_output_tokens":5}"#,
                false,
            ),
            (
                "/v1/messages",
                r#"{"messages":[{"role":"user","content":"a b c"}],"max_tokens":5,"stream":true}"#,
                true,
            ),
            ("/generate_stream", r#"{"inputs":"a b c","parameters":{"max_new_tokens":5}}"#, true),
            ("/generate", r#"{"inputs":"a b c","parameters":{"max_new_tokens":5}}"#, false),
            ("/generate", r#"{"text":"a b c","sampling_params":{"max_new_tokens":5},"stream":true}"#, true),
            ("/generate", r#"{"input_ids":[1,2,3],"sampling_params":{"max_new_tokens":5}}"#, false),
            ("/v2/models/ensemble/generate_stream", r#"{"text_input":"a b c","max_tokens":5}"#, true),
            ("/completion", r#"{"prompt":[1,2,3],"n_predict":5,"stream":true}"#, true),
            (
                "/api/chat",
                r#"{"messages":[{"role":"user","content":"a b c"}],"options":{"num_predict":5}}"#,
                true,
            ),
        ] {
            let api = Api::of_path(path).unwrap();
            let request = GenerationRequest::parse(api, path, body.as_bytes()).unwrap();
            assert_eq!(
                (request.prompt.tokens, request.tokens, request.stream),
                (3, 5, streams),
                "{path} {body}"
            );
        }
    }

    #[test]
    fn pooling_requests_hold_several_inputs() {
        for (path, body, tokens, inputs) in [
            ("/v1/embeddings", r#"{"input":["a b","c"]}"#, 3, 2),
            ("/embeddings", r#"{"input":"a b"}"#, 2, 1),
            ("/pooling", r#"{"input":[[1,2],[3]]}"#, 3, 2),
            ("/v1/embeddings", r#"{"messages":[{"role":"user","content":"a b"}]}"#, 2, 1),
            ("/v1/rerank", r#"{"query":"q","documents":["a b","c"]}"#, 4, 2),
            ("/score", r#"{"text_1":"q","text_2":"a b"}"#, 3, 1),
        ] {
            let api = Api::of_path(path).unwrap();
            let request = GenerationRequest::parse(api, path, body.as_bytes()).unwrap();
            assert_eq!(
                (request.prompt.tokens, request.inputs, request.tokens),
                (tokens, inputs, 0),
                "{path}"
            );
        }
        let rerank = Api::of_path("/v1/rerank").unwrap();
        assert!(GenerationRequest::parse(rerank, "/v1/rerank", br#"{"query":"q"}"#).is_err());
    }
}
