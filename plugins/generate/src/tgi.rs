//! `tgi`: Text Generation Inference.

use vbench_plugin::backend::{Condition, ErrorRule, RawObject, TerminalRule, TokenRule, UsageRule};
use vbench_plugin::openai::{self, Payload};
use vbench_plugin::options::NoOptions;
use vbench_plugin::prelude::*;
use vbench_plugin::sampling::Names;

use crate::fields::{self, Nested, Paths, Server, Use};

const STREAMED: &str = "/generate_stream";

const SERVER: Server = Server {
    name: "TGI",
    paths: Paths::ByPath { streamed: STREAMED, whole: "/generate" },
    sampling: Names {
        known: &["temperature", "top_p", "top_k", "repetition_penalty", "frequency_penalty"],
        renamed: &[],
    },
    logprobs: false,
    ignore_eos: false,
};

/// Writes and reads TGI's requests.
pub struct Tgi {
    path: String,
    streams: bool,
    payload: Payload,
    parameters: Nested,
}

impl Backend for Tgi {
    type Config = NoOptions;
    const NAME: &'static str = "tgi";
    const SUMMARY: &'static str =
        "Text Generation Inference, /generate_stream, or /generate with --endpoint (not streamed).";

    fn open(cx: &BackendContext, _: NoOptions) -> Result<Self> {
        let Use { path, streams, sampling } = SERVER.open(cx, STREAMED)?;
        let own = Payload::new().slot("max_new_tokens").fixed("details", &true)?;
        let (own, sampling) = draws(own, sampling)?;
        let mut extra_body = cx.extra_body.clone();
        let parameters = Nested::new("parameters", own, &sampling, &mut extra_body)?;
        let payload = Payload::new().slot("inputs").slot("parameters").fixed_fields(&extra_body);
        Ok(Self { path, streams, payload, parameters })
    }

    fn endpoint(&self) -> Result<Endpoint> {
        Ok(match self.streams {
            true => openai::stream_endpoint(&self.path, Some(stream_plan())),
            false => openai::whole_endpoint(&self.path, Some(whole_plan())),
        })
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        let text = fields::text(request, Self::NAME)?;
        let body = self.payload.write(text.len(), request.overrides.as_deref(), |key, out| {
            if self.parameters.write(key, request, out)? {
                return Ok(());
            }
            openai::write_json(out, text)
        })?;
        Ok(RequestOut::json(body))
    }
}

/// TGI takes the likeliest token unless it is told to draw, and refuses a
/// temperature of 0, which means the same.
fn draws(own: Payload, mut sampling: RawObject) -> Result<(Payload, RawObject)> {
    let zero = |value: &str| value.parse::<f64>() == Ok(0.0);
    if sampling.get("temperature").is_some_and(|value| zero(value.get())) {
        sampling.shift_remove("temperature");
        return Ok((own.fixed("do_sample", &false)?, sampling));
    }
    let draws = ["temperature", "top_p", "top_k"].iter().any(|key| sampling.contains_key(*key));
    Ok((if draws { own.fixed("do_sample", &true)? } else { own }, sampling))
}

fn errors() -> Vec<ErrorRule> {
    vec![ErrorRule::new(vec![Condition::truthy("/error")], "/error")]
}

fn usage() -> Vec<UsageRule> {
    vec![UsageRule {
        when: vec![Condition::truthy("/details")],
        on_token_events: true,
        output_tokens: Some("/details/generated_tokens".into()),
        prompt_tokens: Some("/details/input_length".into()),
        cached_tokens: None,
        reasoning_tokens: None,
    }]
}

/// Every event has one token; the text of special ones is not part of the answer.
fn stream_plan() -> Plan {
    Plan {
        errors: errors(),
        tokens: vec![
            TokenRule::new(TokenKind::Content, vec![Condition::equals("/token/special", "true")]),
            TokenRule::new(TokenKind::Content, vec![Condition::truthy("/token")]).with_text("/token/text"),
        ],
        usage: usage(),
        terminal: Some(TerminalRule {
            any: vec![vec![Condition::truthy("/generated_text")], vec![Condition::truthy("/details")]],
            missing: "the stream ended without its last event, which has the whole text".into(),
        }),
        no_token: Some("the stream had no token".into()),
        finish_reason: Some("/details/finish_reason".into()),
        ..Plan::default()
    }
}

fn whole_plan() -> Plan {
    let text = "/generated_text";
    Plan {
        errors: errors(),
        tokens: vec![TokenRule::new(TokenKind::Content, vec![Condition::present(text)]).with_text(text)],
        usage: usage(),
        no_token: Some("the response has no generated_text".into()),
        finish_reason: Some("/details/finish_reason".into()),
        ..Plan::default()
    }
}
