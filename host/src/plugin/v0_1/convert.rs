//! Between the types of contract version 0.1 and the host's own.

use super::bindings::exported::{backend, dataset, meta, sla};
use super::bindings::imported::types;
use crate::plugin::check::Broken;
use crate::plugin::contract as c;
use crate::plugin::text;

/// Converts every item of a list.
fn all<A, B: From<A>>(items: Vec<A>) -> Vec<B> {
    items.into_iter().map(B::from).collect()
}

impl From<types::Error> for c::ContractError {
    fn from(error: types::Error) -> Self {
        let cause = match error.cause {
            types::Cause::Config => c::Cause::Config,
            types::Cause::Input => c::Cause::Input,
            types::Cause::Unsupported => c::Cause::Unsupported,
            types::Cause::Internal => c::Cause::Internal,
        };
        let location = error.location.map(|at| c::Location { file: at.file, row: at.row, column: at.column });
        Self { cause, message: error.message, config_key: error.config_key, location }
    }
}

impl From<c::ContractError> for types::Error {
    fn from(error: c::ContractError) -> Self {
        let cause = match error.cause {
            c::Cause::Config => types::Cause::Config,
            c::Cause::Input => types::Cause::Input,
            c::Cause::Unsupported => types::Cause::Unsupported,
            c::Cause::Internal => types::Cause::Internal,
        };
        let location = error.location.map(Into::into);
        Self { cause, message: error.message, config_key: error.config_key, location }
    }
}

impl From<c::Location> for types::Location {
    fn from(at: c::Location) -> Self {
        Self { file: at.file, row: at.row, column: at.column }
    }
}

impl From<types::Header> for c::Header {
    fn from(header: types::Header) -> Self {
        Self { name: header.name, value: header.value }
    }
}

impl From<c::Header> for types::Header {
    fn from(header: c::Header) -> Self {
        Self { name: header.name, value: header.value }
    }
}

impl From<meta::Role> for c::Role {
    fn from(role: meta::Role) -> Self {
        match role {
            meta::Role::Dataset => Self::Dataset,
            meta::Role::Backend => Self::Backend,
            meta::Role::Sla => Self::Sla,
        }
    }
}

/// A description, its schemas read.
pub(super) fn description(description: meta::Description) -> Result<c::Description, Broken> {
    let offers = description
        .offers
        .into_iter()
        .map(|offer| {
            let config_schema = crate::plugin::check::schema_text(&offer.name, &offer.config_schema)?;
            Ok(c::Offer {
                role: offer.role.into(),
                name: offer.name,
                aliases: offer.aliases,
                summary: offer.summary,
                config_schema,
            })
        })
        .collect::<Result<_, Broken>>()?;
    Ok(c::Description {
        name: description.name,
        version: description.version,
        summary: description.summary,
        offers,
    })
}

impl From<types::Media> for c::Media {
    fn from(media: types::Media) -> Self {
        let kind = match media.kind {
            types::MediaKind::Image => c::MediaKind::Image,
            types::MediaKind::Video => c::MediaKind::Video,
            types::MediaKind::Audio => c::MediaKind::Audio,
        };
        Self { kind, url: media.url, format: media.format, extra: media.extra }
    }
}

impl From<c::Media> for types::Media {
    fn from(media: c::Media) -> Self {
        let kind = match media.kind {
            c::MediaKind::Image => types::MediaKind::Image,
            c::MediaKind::Video => types::MediaKind::Video,
            c::MediaKind::Audio => types::MediaKind::Audio,
        };
        Self { kind, url: media.url, format: media.format, extra: media.extra }
    }
}

impl From<types::Turn> for c::Turn {
    fn from(turn: types::Turn) -> Self {
        let prompt = match turn.prompt {
            types::Prompt::Text(text) => c::Prompt::Text(text),
            types::Prompt::Texts(texts) => c::Prompt::Texts(texts),
            types::Prompt::TokenIds(ids) => c::Prompt::TokenIds(ids),
            types::Prompt::TokenIdLists(lists) => c::Prompt::TokenIdLists(lists),
            types::Prompt::Messages(json) => c::Prompt::Messages(json),
            types::Prompt::Parts(json) => c::Prompt::Parts(json),
            types::Prompt::Object(json) => c::Prompt::Object(json),
        };
        let attachments = match turn.attachments {
            types::Attachments::None => c::Attachments::None,
            types::Attachments::One(media) => c::Attachments::One(media.into()),
            types::Attachments::Many(media) => c::Attachments::Many(all(media)),
        };
        Self {
            prompt,
            attachments,
            prompt_tokens: turn.prompt_tokens,
            output_tokens: turn.output_tokens,
            delay_ms: turn.delay_ms,
        }
    }
}

impl From<c::Turn> for types::Turn {
    fn from(turn: c::Turn) -> Self {
        let prompt = match turn.prompt {
            c::Prompt::Text(text) => types::Prompt::Text(text),
            c::Prompt::Texts(texts) => types::Prompt::Texts(texts),
            c::Prompt::TokenIds(ids) => types::Prompt::TokenIds(ids),
            c::Prompt::TokenIdLists(lists) => types::Prompt::TokenIdLists(lists),
            c::Prompt::Messages(json) => types::Prompt::Messages(json),
            c::Prompt::Parts(json) => types::Prompt::Parts(json),
            c::Prompt::Object(json) => types::Prompt::Object(json),
        };
        let attachments = match turn.attachments {
            c::Attachments::None => types::Attachments::None,
            c::Attachments::One(media) => types::Attachments::One(media.into()),
            c::Attachments::Many(media) => types::Attachments::Many(all(media)),
        };
        Self {
            prompt,
            attachments,
            prompt_tokens: turn.prompt_tokens,
            output_tokens: turn.output_tokens,
            delay_ms: turn.delay_ms,
        }
    }
}

impl From<types::Sample> for c::Sample {
    fn from(sample: types::Sample) -> Self {
        Self {
            id: sample.id,
            turns: all(sample.turns),
            arrival_s: sample.arrival_s,
            overrides: sample.overrides,
            session: sample.session,
            tags: sample.tags,
        }
    }
}

impl From<dataset::Summary> for c::Summary {
    fn from(summary: dataset::Summary) -> Self {
        let twister = |state: dataset::Twister| c::Twister { words: state.words, position: state.position };
        Self {
            python_random: summary.python_random.map(twister),
            numpy_random: summary.numpy_random.map(twister),
            skipped: summary
                .skipped
                .into_iter()
                .map(|skip| c::Skip { reason: skip.reason, count: skip.count })
                .collect(),
        }
    }
}

impl From<types::TokenKind> for c::TokenKind {
    fn from(kind: types::TokenKind) -> Self {
        match kind {
            types::TokenKind::Content => Self::Content,
            types::TokenKind::Reasoning => Self::Reasoning,
            types::TokenKind::ToolCall => Self::ToolCall,
        }
    }
}

fn conditions(conditions: Vec<backend::Condition>) -> Result<Vec<c::Condition>, Broken> {
    conditions
        .into_iter()
        .map(|condition| {
            let test = match condition.test {
                backend::Test::Present => c::Test::Present,
                backend::Test::Absent => c::Test::Absent,
                backend::Test::Truthy => c::Test::Truthy,
                backend::Test::Equals(json) => {
                    c::Test::Equals(serde_json::from_str(&json).map_err(|error| {
                        format!("the value that `{}` is to equal is no JSON: {error}", condition.pointer)
                    })?)
                }
            };
            Ok(c::Condition { pointer: condition.pointer, test })
        })
        .collect()
}

fn plan(plan: backend::Plan) -> Result<c::Plan, Broken> {
    let error_rule = |rule: backend::ErrorRule| {
        let message = match rule.message {
            backend::FailureText::Pointer(at) => c::FailureText::Pointer(at),
            backend::FailureText::Text(text) => c::FailureText::Text(text),
        };
        Ok(c::ErrorRule { when: conditions(rule.when)?, message })
    };
    let token_rule = |rule: backend::TokenRule| {
        Ok(c::TokenRule { when: conditions(rule.when)?, kind: rule.kind.into(), text: rule.text })
    };
    let usage_rule = |rule: backend::UsageRule| {
        Ok(c::UsageRule {
            when: conditions(rule.when)?,
            on_token_events: rule.on_token_events,
            output_tokens: rule.output_tokens,
            prompt_tokens: rule.prompt_tokens,
            cached_tokens: rule.cached_tokens,
            reasoning_tokens: rule.reasoning_tokens,
        })
    };
    let terminal_rule = |rule: backend::TerminalRule| {
        let any = rule.any.into_iter().map(conditions).collect::<Result<_, Broken>>()?;
        Ok::<_, Broken>(c::TerminalRule { any, missing: rule.missing })
    };
    Ok(c::Plan {
        ignore: plan.ignore,
        errors: plan.errors.into_iter().map(error_rule).collect::<Result<_, Broken>>()?,
        tokens: plan.tokens.into_iter().map(token_rule).collect::<Result<_, Broken>>()?,
        usage: plan.usage.into_iter().map(usage_rule).collect::<Result<_, Broken>>()?,
        terminal: plan.terminal.map(terminal_rule).transpose()?,
        no_token: plan.no_token,
        finish_reason: plan.finish_reason,
        server_queue_ms: plan.server_queue_ms,
        server_ttft_ms: plan.server_ttft_ms,
    })
}

/// An endpoint, the JSON values of its plan read.
pub(super) fn endpoint(endpoint: backend::Endpoint) -> Result<c::Endpoint, Broken> {
    Ok(c::Endpoint {
        task: match endpoint.task {
            backend::Task::Generation => c::Task::Generation,
            backend::Task::Pooling => c::Task::Pooling,
        },
        method: endpoint.method,
        path: endpoint.path,
        headers: all(endpoint.headers),
        framing: match endpoint.framing {
            backend::Framing::Sse => c::Framing::Sse,
            backend::Framing::Ndjson => c::Framing::Ndjson,
            backend::Framing::WholeBody => c::Framing::WholeBody,
        },
        plan: endpoint.plan.map(plan).transpose()?,
    })
}

impl From<c::RequestIn> for backend::RequestIn {
    fn from(request: c::RequestIn) -> Self {
        let past = |past: c::PastTurn| backend::PastTurn { turn: past.turn.into(), reply: past.reply };
        Self {
            id: request.id,
            model: request.model,
            history: request.history.into_iter().map(past).collect(),
            turn: request.turn.into(),
            overrides: request.overrides,
        }
    }
}

impl From<backend::RequestOut> for c::RequestOut {
    fn from(request: backend::RequestOut) -> Self {
        let part = |part: backend::Part| c::Part {
            name: part.name,
            filename: part.filename,
            content_type: part.content_type,
            value: match part.value {
                backend::PartValue::Text(text) => c::PartValue::Text(text),
                backend::PartValue::Media(reference) => c::PartValue::Media(reference),
            },
        };
        let body = match request.body {
            backend::Body::Bytes(bytes) => c::Body::Bytes(bytes),
            backend::Body::Multipart(parts) => c::Body::Multipart(parts.into_iter().map(part).collect()),
        };
        Self { body, headers: all(request.headers), input_sequences: request.input_sequences }
    }
}

impl From<c::Response> for backend::Response {
    fn from(response: c::Response) -> Self {
        Self {
            status: response.status,
            headers: all(response.headers),
            body: response.body,
            ends: response.ends,
            names: response.names,
        }
    }
}

impl From<backend::Parsed> for c::Parsed {
    fn from(parsed: backend::Parsed) -> Self {
        let token = |token: backend::TokenEvent| c::TokenEvent {
            event: token.event,
            kind: token.kind.into(),
            tokens: token.tokens,
        };
        let usage = |usage: types::Usage| c::Usage {
            output_tokens: usage.output_tokens,
            prompt_tokens: usage.prompt_tokens,
            cached_tokens: usage.cached_tokens,
            reasoning_tokens: usage.reasoning_tokens,
        };
        Self {
            tokens: parsed.tokens.into_iter().map(token).collect(),
            text: parsed.text,
            usage: parsed.usage.map(usage),
            finish_reason: parsed.finish_reason,
            server_queue_ms: parsed.server_queue_ms,
            server_ttft_ms: parsed.server_ttft_ms,
            // The server's words, shown to people.
            error: parsed.error.map(|error| text::one_line(&error, text::MAX_MESSAGE_BYTES)),
            extra: parsed.extra,
        }
    }
}

impl From<sla::Verdict> for c::Verdict {
    fn from(verdict: sla::Verdict) -> Self {
        let finding = |finding: sla::Finding| c::Finding {
            criterion: finding.criterion,
            actual: finding.actual,
            limit: finding.limit,
            pass: finding.pass,
            margin: finding.margin,
        };
        Self {
            pass: verdict.pass,
            margin: verdict.margin,
            findings: verdict.findings.into_iter().map(finding).collect(),
        }
    }
}
