//! Misdeeds of a backend.

use std::cell::Cell;

use crate::contract::exports::vbench::plugin::backend::{
    Body, Client, Condition, Endpoint, ErrorRule, FailureText, Framing, Guest, GuestClient, OpenArgs, Parsed,
    Part, PartValue, Plan, RequestIn, RequestOut, Response, Task, Test, TokenEvent, TokenRule,
};
use crate::contract::vbench::plugin::types::{Error, Header, TokenKind, Usage};
use crate::deeds::{common, hidden, nested};
use crate::{Evil, deed, order};

impl Guest for Evil {
    type Client = Backend;
}

pub struct Backend {
    order: String,
    parsed: Cell<u32>,
}

fn header(name: &str, value: &str) -> Vec<Header> {
    vec![Header { name: name.into(), value: value.into() }]
}

/// A plan that fails on its one rule.
fn plan(when: Vec<Condition>) -> Plan {
    Plan {
        ignore: Vec::new(),
        errors: Vec::new(),
        tokens: vec![TokenRule { when, kind: TokenKind::Content, text: None }],
        usage: Vec::new(),
        terminal: None,
        no_token: None,
        finish_reason: None,
        server_queue_ms: None,
        server_ttft_ms: None,
    }
}

impl GuestClient for Backend {
    fn open(args: OpenArgs) -> Result<Client, Error> {
        let order = order(&args.config);
        common(deed(&order, "open").unwrap_or_default())?;
        Ok(Client::new(Backend { order, parsed: Cell::new(0) }))
    }

    fn endpoint(&self) -> Result<Endpoint, Error> {
        let deed = deed(&self.order, "endpoint").unwrap_or_default();
        common(deed)?;
        let mut endpoint = Endpoint {
            task: Task::Generation,
            method: "POST".into(),
            path: "/v1/completions".into(),
            headers: header("Content-Type", "application/json"),
            framing: Framing::Sse,
            plan: None,
        };
        let condition = |pointer: &str, test| vec![Condition { pointer: pointer.into(), test }];
        match deed {
            "absolute-url" => endpoint.path = "http://169.254.169.254/latest".into(),
            "other-host" => endpoint.path = "//evil.example/v1".into(),
            "parent" => endpoint.path = "/v1/../admin".into(),
            "parent-escaped" => endpoint.path = "/v1/%2e%2E/admin".into(),
            "path-crlf" => endpoint.path = "/v1 HTTP/1.1\r\nHost: evil.example\r\n".into(),
            "path-long" => endpoint.path = format!("/{}", "p".repeat(1 << 20)),
            "path-empty" => endpoint.path = String::new(),
            "method-crlf" => endpoint.method = "GET / HTTP/1.1\r\nx:".into(),
            "method-connect" => endpoint.method = "CONNECT".into(),
            "host" => endpoint.headers = header("Host", "evil.example"),
            "content-length" => endpoint.headers = header("content-LENGTH", "0"),
            "transfer-encoding" => endpoint.headers = header("Transfer-Encoding", "chunked"),
            "authorization" => endpoint.headers = header("Authorization", "Bearer mine"),
            "header-crlf" => endpoint.headers = header("x-a", "b\r\nHost: evil.example"),
            "header-name" => endpoint.headers = header("x-a: b\r\nx-c", "d"),
            "headers" => endpoint.headers = vec![Header { name: "x".into(), value: "y".into() }; 1_001],
            "pointer" => endpoint.plan = Some(plan(condition("no/pointer", Test::Present))),
            "pointer-long" => endpoint.plan = Some(plan(condition(&"/a".repeat(1_000), Test::Present))),
            "equals-broken" => endpoint.plan = Some(plan(condition("/a", Test::Equals("{".into())))),
            "equals-deep" => endpoint.plan = Some(plan(condition("/a", Test::Equals(nested(100_000))))),
            "conditions" => {
                let one = Condition { pointer: "/a".into(), test: Test::Present };
                endpoint.plan = Some(plan(vec![one; 1_001]));
            }
            "rule-escapes" => {
                let rule = ErrorRule { when: Vec::new(), message: FailureText::Text(hidden("it failed")) };
                endpoint.plan = Some(Plan { errors: vec![rule], ..plan(Vec::new()) });
            }
            _ => {}
        }
        Ok(endpoint)
    }

    fn build(&self, requests: Vec<RequestIn>) -> Result<Vec<RequestOut>, Error> {
        let deed = deed(&self.order, "build").unwrap_or_default();
        common(deed)?;
        let mut out: Vec<RequestOut> = requests
            .iter()
            .map(|request| {
                let model = &request.model;
                let body = format!(r#"{{"model":"{model}","prompt":"hello","max_tokens":2,"stream":true}}"#);
                RequestOut { body: Body::Bytes(body.into()), headers: Vec::new(), input_sequences: 1 }
            })
            .collect();
        match deed {
            "none" => out.clear(),
            "fewer" => {
                out.pop();
            }
            "more" => out.extend(out.first().cloned()),
            "no-inputs" => out[0].input_sequences = 0,
            "header-crlf" => out[0].headers = header("x-a", "b\r\n\r\nGET /admin HTTP/1.1"),
            "host" => out[0].headers = header("HOST", "evil.example"),
            "authorization" => out[0].headers = header("authorization", "Bearer mine"),
            "content-length" => out[0].headers = header("Content-Length", "5"),
            "body-100-mib" => out[0].body = Body::Bytes(vec![b'x'; 100 << 20]),
            "body-40-mib" => out[0].body = Body::Bytes(vec![b'x'; 40 << 20]),
            "body-2-mib" => out[0].body = Body::Bytes(vec![b'x'; 2 << 20]),
            "parts-40-mib" => {
                let part = Part {
                    name: "a".into(),
                    filename: None,
                    content_type: None,
                    value: PartValue::Text("x".repeat(1 << 20)),
                };
                out[0].body = Body::Multipart(vec![part; 40]);
            }
            "part-crlf" => {
                let part = Part {
                    name: "a\r\n\r\nb".into(),
                    filename: None,
                    content_type: None,
                    value: PartValue::Text(String::new()),
                };
                out[0].body = Body::Multipart(vec![part]);
            }
            _ => {}
        }
        Ok(out)
    }

    fn parse(&self, response: Response) -> Result<Parsed, Error> {
        let mut deed = deed(&self.order, "parse").unwrap_or_default();
        self.parsed.set(self.parsed.get() + 1);
        if let Some(every_second) = deed.strip_prefix("second-") {
            deed = if self.parsed.get() == 2 { every_second } else { "" };
        }
        common(deed)?;
        let events = response.ends.len() as u32;
        let token = |event| TokenEvent { event, kind: TokenKind::Content, tokens: 1 };
        let mut parsed = Parsed {
            tokens: (0..events.saturating_sub(1)).map(token).collect(),
            text: String::new(),
            usage: None,
            finish_reason: None,
            server_queue_ms: None,
            server_ttft_ms: None,
            error: None,
            extra: None,
        };
        match deed {
            "event-beyond" => parsed.tokens = vec![token(events)],
            "event-twice" => parsed.tokens = vec![token(0), token(0)],
            "event-order" => parsed.tokens = vec![token(1), token(0)],
            "nan" => parsed.server_ttft_ms = Some(f64::NAN),
            "infinite" => parsed.server_queue_ms = Some(f64::INFINITY),
            "usage-huge" => {
                parsed.usage = Some(Usage {
                    output_tokens: Some(u64::MAX),
                    prompt_tokens: Some(u64::MAX),
                    cached_tokens: None,
                    reasoning_tokens: None,
                });
            }
            "tokens-huge" => parsed.tokens.iter_mut().for_each(|token| token.tokens = u32::MAX),
            "text-long" => parsed.text = "x".repeat(32 << 20),
            "text-100-mib" => parsed.text = "x".repeat(100 << 20),
            "extra-list" => parsed.extra = Some("[]".into()),
            "extra-deep" => parsed.extra = Some(format!(r#"{{"a":{}}}"#, nested(100_000))),
            "extra-long" => parsed.extra = Some(format!(r#"{{"a":"{}"}}"#, "x".repeat(1 << 20))),
            "reason-escapes" => parsed.finish_reason = Some(hidden("stop")),
            "failure-escapes" => parsed.error = Some(hidden("it failed")),
            "failure-long" => parsed.error = Some("long ".repeat(200_000)),
            _ => {}
        }
        Ok(parsed)
    }
}
