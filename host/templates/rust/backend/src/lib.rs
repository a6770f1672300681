//! The backend `{{name}}`. Read what `endpoint` and `build` do, then make them yours.

use serde_json::json;
use vbench_plugin::backend::{Condition, ErrorRule, TokenRule, UsageRule};
use vbench_plugin::prelude::*;

vbench_plugin::export! { backends: [{{type}}] }

/// Where requests go unless `--endpoint` says otherwise.
const PATH: &str = "/v1/completions";

/// Options. Each field is a flag, its comment the help.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Put before every prompt.
    #[serde(default)]
    prefix: String,
}

struct {{type}} {
    path: String,
    config: Config,
}

impl Backend for {{type}} {
    type Config = Config;
    const NAME: &'static str = "{{name}}";
    const SUMMARY: &'static str = "Completions as server-sent events.";

    fn open(cx: &BackendContext, config: Config) -> Result<Self> {
        Ok(Self { path: cx.endpoint.clone().unwrap_or_else(|| PATH.into()), config })
    }

    fn endpoint(&self) -> Result<Endpoint> {
        Ok(Endpoint {
            task: Task::Generation,
            method: "POST".into(),
            path: self.path.clone(),
            headers: vec![Header::new("Content-Type", "application/json")],
            framing: Framing::Sse,
            // The host reads events by this plan, natively. A format that a plan
            // cannot express is read by `Backend::parse` instead.
            plan: Some(Plan {
                ignore: vec!["[DONE]".into()],
                errors: vec![ErrorRule::new(vec![Condition::present("/error")], "/error/message")],
                tokens: vec![
                    TokenRule::new(TokenKind::Content, vec![Condition::present("/choices/0/text")])
                        .with_text("/choices/0/text"),
                ],
                usage: vec![UsageRule {
                    when: Vec::new(),
                    on_token_events: true,
                    output_tokens: Some("/usage/completion_tokens".into()),
                    prompt_tokens: Some("/usage/prompt_tokens".into()),
                    cached_tokens: None,
                    reasoning_tokens: None,
                }],
                no_token: Some("the answer holds no token".into()),
                finish_reason: Some("/choices/0/finish_reason".into()),
                ..Plan::default()
            }),
        })
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        let Prompt::Text(prompt) = &request.turn.prompt else {
            return Err(Error::unsupported("this backend sends text only"));
        };
        let body = json!({
            "model": request.model,
            "prompt": format!("{}{prompt}", self.config.prefix),
            "max_tokens": request.turn.output_tokens,
            "stream": true,
            "stream_options": {"include_usage": true},
        });
        Ok(RequestOut::json(body.to_string().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_requests_and_reads_answers() {
        let backend = testing::TestBackend::<{{type}}>::open(r#"{"prefix": "> "}"#, Default::default()).unwrap();
        let built = backend.build(&testing::request(Turn::text("hi", 1, 8))).unwrap();
        let vbench_plugin::backend::Body::Bytes(body) = built.body else { panic!("bytes") };
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["prompt"], "> hi");

        let events = [r#"{"choices":[{"text":"Hel"}]}"#, r#"{"choices":[{"text":"lo"}],"usage":{"completion_tokens":2}}"#];
        let parsed = backend.read(&Response::from_events(events)).unwrap();
        assert_eq!(parsed.text, "Hello");
        assert_eq!(parsed.tokens.len(), 2);
        assert_eq!(parsed.error, None);
    }
}
