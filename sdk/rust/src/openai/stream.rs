//! Reading the events of a streamed completion.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::alike::Alike;
use crate::Compat;
use crate::backend::{Condition, ErrorRule, Parsed, Plan, Response, TokenKind, Usage, UsageRule};
use crate::plan::Reader;

/// The extraction plan of a stream of `choices`, all but its token rules.
///
/// Under the rules of the reference client an error inside a stream does not
/// fail the request, and usage counts are not taken from token events, where
/// some servers put them.
pub fn stream_plan(compat: Compat) -> Plan {
    let errors = if compat.is_reference() {
        Vec::new()
    } else {
        vec![
            ErrorRule::new(vec![Condition::truthy("/error/message")], "/error/message"),
            ErrorRule::new(vec![Condition::truthy("/error")], "/error"),
            ErrorRule::new(vec![Condition::equals("/object", "\"error\"")], "/message"),
        ]
    };
    Plan {
        ignore: vec!["[DONE]".into()],
        errors,
        tokens: Vec::new(),
        usage: vec![UsageRule {
            when: vec![Condition::truthy("/usage")],
            on_token_events: !compat.is_reference(),
            output_tokens: Some("/usage/completion_tokens".into()),
            prompt_tokens: Some("/usage/prompt_tokens".into()),
            cached_tokens: Some("/usage/prompt_tokens_details/cached_tokens".into()),
            reasoning_tokens: Some("/usage/completion_tokens_details/reasoning_tokens".into()),
        }],
        terminal: None,
        no_token: Some(
            "Never received a valid chunk to calculate TTFT.This response will be marked as failed!".into(),
        ),
        finish_reason: Some("/choices/0/finish_reason".into()),
        server_queue_ms: Some("/metrics/queue_time_ms".into()),
        server_ttft_ms: Some("/metrics/time_to_first_token_ms".into()),
    }
}

/// The first choice of an event, as far as a backend looks at it.
pub trait Choice<'a>: Deserialize<'a> {
    /// Whether it makes the event a token event, of which kind, and with which text.
    fn token(&self, compat: Compat) -> Option<(TokenKind, Option<&str>)>;

    /// Why the model stopped, if it did.
    fn finish_reason(&self) -> Option<&str>;
}

/// Reads a response as `plan` would, without a document tree for events of the
/// usual shape. `plan` comes from [`stream_plan`] and has the token rules that
/// [`Choice::token`] stands for; events of another shape are left to it.
pub fn read_stream<'a, C: Choice<'a>>(plan: &Plan, compat: Compat, response: &'a Response) -> Parsed {
    let mut reader = Reader::new(plan);
    // Nearly every event is a token event.
    reader.parsed_mut().tokens.reserve(response.ends.len());
    let usage_on_token_events = plan.usage.iter().any(|rule| rule.on_token_events);
    let mut alike: Option<Alike<'_>> = None;
    for payload in response.events() {
        if let Some((kind, text)) = alike.as_ref().and_then(|alike| alike.read(payload))
            && !reader.is_over()
        {
            reader.token(kind, Some(text));
            reader.skip();
            continue;
        }
        let event: Event<C> = match serde_json::from_slice(payload) {
            Ok(event) if !reader.is_over() => event,
            _ => {
                reader.event(payload);
                continue;
            }
        };
        if event.error.0 || event.object.0 {
            reader.event(payload);
            continue;
        }
        let token = event.choices.0.as_ref().and_then(|choice| choice.token(compat));
        let reason = event.choices.0.as_ref().and_then(Choice::finish_reason);
        if let Some((kind, Some(text))) = token
            && event.usage.is_none()
            && event.metrics.is_none()
            && reason.is_none()
        {
            alike = Alike::of(payload, text, kind).or(alike);
        }
        if let Some((kind, text)) = token {
            reader.token(kind, text);
        }
        let parsed = reader.parsed_mut();
        if let Some(usage) = event.usage
            && (token.is_none() || usage_on_token_events)
        {
            usage.add_to(&mut parsed.usage);
        }
        if let Some(reason) = reason {
            parsed.finish_reason = Some(reason.into());
        }
        if let Some(metrics) = event.metrics {
            parsed.server_queue_ms = metrics.queue_time_ms.or(parsed.server_queue_ms);
            parsed.server_ttft_ms = metrics.time_to_first_token_ms.or(parsed.server_ttft_ms);
        }
        reader.skip();
    }
    reader.finish()
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "C: Deserialize<'de>"))]
struct Event<C> {
    #[serde(default)]
    choices: First<C>,
    #[serde(default)]
    usage: Option<UsageIn>,
    #[serde(default)]
    error: Truthy,
    #[serde(default)]
    object: ErrorObject,
    #[serde(default)]
    metrics: Option<Metrics>,
}

#[derive(Deserialize)]
struct UsageIn {
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default)]
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

impl UsageIn {
    fn add_to(self, usage: &mut Option<Usage>) {
        let usage = usage.get_or_insert_default();
        let cached = self.prompt_tokens_details.and_then(|details| details.cached_tokens);
        let reasoning = self.completion_tokens_details.and_then(|details| details.reasoning_tokens);
        usage.output_tokens = self.completion_tokens.or(usage.output_tokens);
        usage.prompt_tokens = self.prompt_tokens.or(usage.prompt_tokens);
        usage.cached_tokens = cached.or(usage.cached_tokens);
        usage.reasoning_tokens = reasoning.or(usage.reasoning_tokens);
    }
}

#[derive(Deserialize)]
struct Metrics {
    #[serde(default)]
    queue_time_ms: Option<f64>,
    #[serde(default)]
    time_to_first_token_ms: Option<f64>,
}

/// The first item of an array that may also be null.
struct First<C>(Option<C>);

impl<C> Default for First<C> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, C: Deserialize<'de>> Deserialize<'de> for First<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<C>(PhantomData<C>);

        impl<'de, C: Deserialize<'de>> Visitor<'de> for Items<C> {
            type Value = First<C>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an array or null")
            }

            fn visit_unit<E: de::Error>(self) -> Result<First<C>, E> {
                Ok(First(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<First<C>, A::Error> {
                let first = items.next_element()?;
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first))
            }
        }

        deserializer.deserialize_any(Items(PhantomData))
    }
}

/// A string, borrowed from the event where it has no escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Characters<'a>(PhantomData<&'a ()>);

        impl<'de: 'a, 'a> Visitor<'de> for Characters<'a> {
            type Value = Text<'a>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Owned(text.into())))
            }
        }

        deserializer.deserialize_str(Characters(PhantomData))
    }
}

/// Whether a field is there at all, be it null.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Present(pub bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

/// Whether a field is neither missing nor null, false, 0, or empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Truthy(pub bool);

/// Whether `object` is `error`.
#[derive(Default)]
struct ErrorObject(bool);

/// Looks at a value of any type; `word` makes a string count only if it is equal.
struct Look {
    word: Option<&'static str>,
}

impl<'de> Visitor<'de> for Look {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<bool, E> {
        Ok(self.word.is_none() && value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<bool, E> {
        Ok(self.word.is_none() && value != 0)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<bool, E> {
        Ok(self.word.is_none() && value != 0)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<bool, E> {
        Ok(self.word.is_none() && value != 0.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<bool, E> {
        Ok(self.word.map_or(!text.is_empty(), |word| word == text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        let mut any = false;
        while items.next_element::<IgnoredAny>()?.is_some() {
            any = true;
        }
        Ok(self.word.is_none() && any)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<bool, A::Error> {
        let mut any = false;
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            any = true;
        }
        Ok(self.word.is_none() && any)
    }
}

impl<'de> Deserialize<'de> for Truthy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look { word: None }).map(Self)
    }
}

impl<'de> Deserialize<'de> for ErrorObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look { word: Some("error") }).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::TextChoice;

    /// Pieces that stand where the text stands, some of which end it early.
    const TEXTS: &[&str] = &[
        "a",
        "the",
        " of",
        "",
        "\\n",
        "\\u00e9",
        "é",
        "\\\"",
        "x\",\"finish_reason\":\"stop",
        "\u{1}",
        "a\",\"text\":\"b",
        "\"}],\"usage\":{\"prompt_tokens\":5},\"x\":[{\"y\":\"",
    ];

    /// Events that are not like the others.
    const OTHERS: &[&str] = &[
        r#"{"choices":[{"text":"end","finish_reason":"length"}]}"#,
        r#"{"choices":[],"usage":{"completion_tokens":3}}"#,
        r#"{"choices":[{"text":null}]}"#,
        r#"{"error":{"message":"out of memory"}}"#,
        "[DONE]",
        "not JSON",
    ];

    #[test]
    fn says_what_the_plan_says() {
        let plan = Plan { tokens: TextChoice::token_rules(), ..stream_plan(Compat::Vbench) };
        // Every sequence of three, of two shapes and the others.
        let mut pool: Vec<String> = OTHERS.iter().map(|&event| event.to_owned()).collect();
        for text in TEXTS {
            pool.push(format!(
                r#"{{"id":1,"choices":[{{"text":"{text}","finish_reason":null}}],"usage":null}}"#
            ));
            pool.push(format!(r#"{{"choices":[{{"index":0,"text":"{text}"}}]}}"#));
        }
        for first in &pool {
            for second in &pool {
                for third in &pool {
                    let events = [first, second, third, second];
                    let mut reader = Reader::new(&plan);
                    events.iter().for_each(|event| reader.event(event.as_bytes()));
                    let response = Response::from_events(events);
                    let parsed = read_stream::<TextChoice<'_>>(&plan, Compat::Vbench, &response);
                    assert_eq!(parsed, reader.finish(), "{events:?}");
                }
            }
        }
    }
}
