//! An extraction plan made ready to run over events.

use std::ops::Range;

use serde_json::Value;

use super::fields::{Field, Pointers};
use super::likeness::Likeness;
use crate::plugin::contract::{
    Condition, ErrorRule, FailureText, Plan, Test, TokenKind, TokenRule, Usage, UsageRule,
};

/// A condition with its pointer resolved to a field.
#[derive(Debug)]
struct Check {
    field: usize,
    test: Test,
}

impl Check {
    fn holds(&self, fields: &[Field<'_>]) -> bool {
        let field = &fields[self.field];
        match &self.test {
            Test::Present => *field != Field::Absent,
            Test::Absent => *field == Field::Absent,
            Test::Truthy => field.is_truthy(),
            Test::Equals(value) => field.equals(value),
        }
    }
}

fn all(checks: &[Check], fields: &[Field<'_>]) -> bool {
    checks.iter().all(|check| check.holds(fields))
}

#[derive(Debug)]
struct ReadyToken {
    when: Vec<Check>,
    kind: TokenKind,
    text: Option<usize>,
}

#[derive(Debug)]
struct ReadyUsage {
    when: Vec<Check>,
    on_token_events: bool,
    output_tokens: Option<usize>,
    prompt_tokens: Option<usize>,
    cached_tokens: Option<usize>,
    reasoning_tokens: Option<usize>,
}

#[derive(Debug)]
struct ReadyError {
    when: Vec<Check>,
    message: ReadyMessage,
}

#[derive(Debug)]
enum ReadyMessage {
    Field(usize),
    Text(String),
}

/// A [`Plan`] whose pointers are resolved.
#[derive(Debug)]
pub struct ReadyPlan {
    pointers: Pointers,
    ignore: Vec<String>,
    errors: Vec<ReadyError>,
    tokens: Vec<ReadyToken>,
    usage: Vec<ReadyUsage>,
    terminal: Option<(Vec<Vec<Check>>, String)>,
    no_token: Option<String>,
    finish_reason: Option<usize>,
    server_queue_ms: Option<usize>,
    server_ttft_ms: Option<usize>,
    /// No rule looks into a text or at a container as a whole, so that events
    /// which differ in their text alone say the same.
    blind_to_text: bool,
}

/// What the events of one response have said so far.
#[derive(Debug, Default, PartialEq)]
pub struct Gathered {
    /// Text of the answer.
    pub text: String,
    /// Token counts.
    pub usage: Usage,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// Time in the server's queue, in milliseconds.
    pub server_queue_ms: Option<f64>,
    /// The server's own TTFT, in milliseconds.
    pub server_ttft_ms: Option<f64>,
    /// An event came that makes the answer whole.
    pub terminal: bool,
}

impl Gathered {
    /// Whether no event has said anything.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
            && self.usage == Usage::default()
            && self.finish_reason.is_none()
            && self.server_queue_ms.is_none()
            && self.server_ttft_ms.is_none()
            && !self.terminal
    }
}

/// What one event was.
#[derive(Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It carries a token.
    Token(TokenKind),
    /// It carries none.
    Other,
    /// The server reports an error in it, which fails the request.
    Error(String),
    /// It cannot be read, which fails the request.
    Malformed(String),
}

impl ReadyPlan {
    /// Resolves the pointers of a plan.
    pub fn new(plan: &Plan) -> Self {
        let mut p = Pointers::default();
        let errors = plan.errors.iter().map(|rule| ready_error(rule, &mut p)).collect();
        let tokens = plan.tokens.iter().map(|rule| ready_token(rule, &mut p)).collect();
        let usage = plan.usage.iter().map(|rule| ready_usage(rule, &mut p)).collect();
        let terminal = plan.terminal.as_ref().map(|rule| {
            (rule.any.iter().map(|conditions| checks(conditions, &mut p)).collect(), rule.missing.clone())
        });
        let finish_reason = field(plan.finish_reason.as_deref(), &mut p);
        let server_queue_ms = field(plan.server_queue_ms.as_deref(), &mut p);
        let server_ttft_ms = field(plan.server_ttft_ms.as_deref(), &mut p);
        let blind_to_text = is_blind_to_text(plan);
        Self {
            pointers: p,
            ignore: plan.ignore.clone(),
            errors,
            tokens,
            usage,
            terminal,
            no_token: plan.no_token.clone(),
            finish_reason,
            server_queue_ms,
            server_ttft_ms,
            blind_to_text,
        }
    }

    /// Reads one event into `gathered`. `likeness` is what the response's
    /// earlier events were like.
    pub fn read(&self, payload: &[u8], gathered: &mut Gathered, likeness: &mut Likeness) -> EventKind {
        if let Some((kind, text)) = likeness.read(payload) {
            likeness.confirm();
            gathered.text.push_str(text);
            return EventKind::Token(kind);
        }
        // Borrows from the payload, so it cannot outlive the call; few fields, one small allocation.
        let mut fields = Vec::new();
        if let Err(e) = self.pointers.read(payload, &mut fields) {
            if self.ignore.iter().any(|text| text.as_bytes() == payload.trim_ascii()) {
                return EventKind::Other;
            }
            return EventKind::Malformed(format!("an event is not JSON ({e}): {}", excerpt(payload)));
        }
        for rule in &self.errors {
            if all(&rule.when, &fields) {
                return EventKind::Error(match &rule.message {
                    ReadyMessage::Text(text) => text.clone(),
                    ReadyMessage::Field(at) => fields[*at].to_text().unwrap_or_else(|| excerpt(payload)),
                });
            }
        }
        let token = self.tokens.iter().find(|rule| all(&rule.when, &fields));
        if let Some(rule) = token
            && let Some(at) = rule.text
            && let Field::Text(text) = &fields[at]
        {
            gathered.text.push_str(text);
            if self.blind_to_text
                && likeness.is_wanted()
                && let Some(range) = place_in(payload, text)
                && self.says_nothing_else(&fields)
            {
                likeness.remember(payload, range, rule.kind);
            }
        }
        for rule in &self.usage {
            if (token.is_none() || rule.on_token_events) && all(&rule.when, &fields) {
                let count = |at: Option<usize>| at.and_then(|at| fields[at].as_count());
                let usage = &mut gathered.usage;
                usage.output_tokens = count(rule.output_tokens).or(usage.output_tokens);
                usage.prompt_tokens = count(rule.prompt_tokens).or(usage.prompt_tokens);
                usage.cached_tokens = count(rule.cached_tokens).or(usage.cached_tokens);
                usage.reasoning_tokens = count(rule.reasoning_tokens).or(usage.reasoning_tokens);
            }
        }
        if let Some((any, _)) = &self.terminal {
            gathered.terminal |= any.iter().any(|conditions| all(conditions, &fields));
        }
        if let Some(Field::Text(reason)) = self.finish_reason.map(|at| &fields[at]) {
            gathered.finish_reason = Some(reason.as_ref().to_owned());
        }
        let number = |at: Option<usize>| at.and_then(|at| fields[at].as_number());
        gathered.server_queue_ms = number(self.server_queue_ms).or(gathered.server_queue_ms);
        gathered.server_ttft_ms = number(self.server_ttft_ms).or(gathered.server_ttft_ms);
        token.map_or(EventKind::Other, |rule| EventKind::Token(rule.kind))
    }

    /// Whether an event with a token says no more than what kind it is and what
    /// its text is, and perhaps, as often as you like, that the answer is whole.
    fn says_nothing_else(&self, fields: &[Field<'_>]) -> bool {
        let usage = |rule: &ReadyUsage| rule.on_token_events && all(&rule.when, fields);
        let number = |at: Option<usize>| at.and_then(|at| fields[at].as_number());
        !self.usage.iter().any(usage)
            && !matches!(self.finish_reason.map(|at| &fields[at]), Some(Field::Text(_)))
            && number(self.server_queue_ms).is_none()
            && number(self.server_ttft_ms).is_none()
    }

    /// Why a response that has ended without an error is no answer all the same.
    pub fn incomplete(&self, gathered: &Gathered, token_events: usize) -> Option<&str> {
        if token_events == 0
            && let Some(message) = &self.no_token
        {
            return Some(message);
        }
        match &self.terminal {
            Some((_, missing)) if !gathered.terminal => Some(missing),
            _ => None,
        }
    }
}

/// Where a text stands in the payload that it was borrowed from; none if it is
/// empty or had to be unescaped.
fn place_in(payload: &[u8], text: &str) -> Option<Range<usize>> {
    let start = (text.as_ptr() as usize).checked_sub(payload.as_ptr() as usize)?;
    let range = start..start + text.len();
    (!range.is_empty() && payload.get(range.clone()) == Some(text.as_bytes())).then_some(range)
}

fn is_blind_to_text(plan: &Plan) -> bool {
    let texts: Vec<&str> = plan.tokens.iter().filter_map(|rule| rule.text.as_deref()).collect();
    let conditions = (plan.errors.iter().flat_map(|rule| &rule.when))
        .chain(plan.tokens.iter().flat_map(|rule| &rule.when))
        .chain(plan.usage.iter().flat_map(|rule| &rule.when))
        .chain(plan.terminal.iter().flat_map(|rule| rule.any.iter().flatten()));
    let looks = |condition: &Condition| match &condition.test {
        // A text that is remembered is not empty, and never equal to anything but a text.
        Test::Equals(Value::String(text)) => !text.is_empty() && texts.contains(&condition.pointer.as_str()),
        Test::Equals(value) => value.is_array() || value.is_object(),
        Test::Present | Test::Absent | Test::Truthy => false,
    };
    let others = [&plan.finish_reason, &plan.server_queue_ms, &plan.server_ttft_ms];
    let messages = plan.errors.iter().filter_map(|rule| match &rule.message {
        FailureText::Pointer(pointer) => Some(pointer.as_str()),
        FailureText::Text(_) => None,
    });
    let mut conditions = conditions;
    !conditions.any(looks)
        && !others.into_iter().flatten().map(String::as_str).chain(messages).any(|p| texts.contains(&p))
}

/// The beginning of what a server sent, fit for a message.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    const LONGEST: usize = 300;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * LONGEST)]);
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    let clean = clean.trim();
    if bytes.len() > clean.len() + LONGEST { format!("{clean}…") } else { clean.to_owned() }
}

fn field(pointer: Option<&str>, p: &mut Pointers) -> Option<usize> {
    pointer.map(|pointer| p.add(pointer, false))
}

fn checks(conditions: &[Condition], p: &mut Pointers) -> Vec<Check> {
    conditions
        .iter()
        .map(|condition| {
            let whole = matches!(&condition.test, Test::Equals(v) if v.is_array() || v.is_object());
            Check { field: p.add(&condition.pointer, whole), test: condition.test.clone() }
        })
        .collect()
}

fn ready_token(rule: &TokenRule, p: &mut Pointers) -> ReadyToken {
    ReadyToken { when: checks(&rule.when, p), kind: rule.kind, text: field(rule.text.as_deref(), p) }
}

fn ready_usage(rule: &UsageRule, p: &mut Pointers) -> ReadyUsage {
    ReadyUsage {
        when: checks(&rule.when, p),
        on_token_events: rule.on_token_events,
        output_tokens: field(rule.output_tokens.as_deref(), p),
        prompt_tokens: field(rule.prompt_tokens.as_deref(), p),
        cached_tokens: field(rule.cached_tokens.as_deref(), p),
        reasoning_tokens: field(rule.reasoning_tokens.as_deref(), p),
    }
}

fn ready_error(rule: &ErrorRule, p: &mut Pointers) -> ReadyError {
    let message = match &rule.message {
        FailureText::Pointer(pointer) => ReadyMessage::Field(p.add(pointer, true)),
        FailureText::Text(text) => ReadyMessage::Text(text.clone()),
    };
    ReadyError { when: checks(&rule.when, p), message }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn condition(pointer: &str, test: Test) -> Condition {
        Condition { pointer: pointer.to_owned(), test }
    }

    /// The rules of the reference client for chat completions.
    fn chat() -> ReadyPlan {
        let delta = |key: &str| format!("/choices/0/delta/{key}");
        let rule = |key: &str, kind, text: Option<&str>| TokenRule {
            when: vec![condition(&delta(key), Test::Truthy)],
            kind,
            text: text.map(delta),
        };
        ReadyPlan::new(&Plan {
            ignore: vec!["[DONE]".into()],
            errors: vec![ErrorRule {
                when: vec![condition("/error", Test::Truthy)],
                message: FailureText::Pointer("/error/message".into()),
            }],
            tokens: vec![
                rule("content", TokenKind::Content, Some("content")),
                rule("reasoning", TokenKind::Reasoning, None),
                rule("tool_calls", TokenKind::ToolCall, None),
                TokenRule {
                    when: vec![
                        condition(&delta("content"), Test::Equals(json!(""))),
                        condition(&delta("role"), Test::Absent),
                    ],
                    kind: TokenKind::Content,
                    text: None,
                },
            ],
            usage: vec![UsageRule {
                when: vec![condition("/usage", Test::Truthy)],
                on_token_events: false,
                output_tokens: Some("/usage/completion_tokens".into()),
                prompt_tokens: Some("/usage/prompt_tokens".into()),
                cached_tokens: Some("/usage/prompt_tokens_details/cached_tokens".into()),
                reasoning_tokens: None,
            }],
            no_token: Some("no token came".into()),
            finish_reason: Some("/choices/0/finish_reason".into()),
            ..Plan::default()
        })
    }

    #[test]
    fn a_chat_stream_is_read_by_its_plan() {
        let plan = chat();
        let (mut gathered, mut likeness) = (Gathered::default(), Likeness::default());
        let events: [(serde_json::Value, EventKind); 6] = [
            (json!({"choices":[{"delta":{"role":"assistant","content":""}}]}), EventKind::Other),
            (json!({"choices":[{"delta":{"reasoning":"hm"}}]}), EventKind::Token(TokenKind::Reasoning)),
            (json!({"choices":[{"delta":{"content":"a\n"}}]}), EventKind::Token(TokenKind::Content)),
            (
                json!({"choices":[{"delta":{"content":""},"finish_reason":"stop"}]}),
                EventKind::Token(TokenKind::Content),
            ),
            (
                json!({"choices":[{"delta":{"content":"b"}}],"usage":{"completion_tokens":99}}),
                EventKind::Token(TokenKind::Content),
            ),
            (
                json!({"choices":[],"usage":{"completion_tokens":3,"prompt_tokens":null,
                    "prompt_tokens_details":{"cached_tokens":2}}}),
                EventKind::Other,
            ),
        ];
        for (event, kind) in events {
            assert_eq!(
                plan.read(event.to_string().as_bytes(), &mut gathered, &mut likeness),
                kind,
                "{event}"
            );
        }
        assert_eq!(plan.read(b" [DONE] ", &mut gathered, &mut likeness), EventKind::Other);
        assert_eq!(gathered.text, "a\nb");
        assert_eq!(gathered.finish_reason.as_deref(), Some("stop"));
        let expected = Usage { output_tokens: Some(3), cached_tokens: Some(2), ..Usage::default() };
        assert_eq!(gathered.usage, expected);
        assert_eq!(plan.incomplete(&gathered, 4), None);
        assert_eq!(plan.incomplete(&gathered, 0), Some("no token came"));
    }

    #[test]
    fn errors_in_the_stream_and_broken_events_are_told_apart() {
        let plan = chat();
        let (mut gathered, mut likeness) = (Gathered::default(), Likeness::default());
        let error = json!({"error":{"message":"out of memory","code":500}}).to_string();
        assert_eq!(
            plan.read(error.as_bytes(), &mut gathered, &mut likeness),
            EventKind::Error("out of memory".into())
        );
        let bare = plan.read(br#"{"error":"no"}"#, &mut gathered, &mut likeness);
        assert_eq!(bare, EventKind::Error(r#"{"error":"no"}"#.into()));
        let EventKind::Malformed(message) = plan.read(b"{\"choices\":[\x1b", &mut gathered, &mut likeness)
        else {
            panic!("a cut-off event is malformed");
        };
        assert!(message.starts_with("an event is not JSON") && !message.contains('\x1b'), "{message}");
    }

    fn event() -> impl Strategy<Value = String> {
        let text = prop_oneof![
            Just(String::new()),
            "[a-z ]{1,5}",
            any::<String>(),
            Just("a\"b\\c\n".to_owned()),
            Just("é世".to_owned()),
        ];
        let finish = prop_oneof![9 => Just(json!(null)), 1 => Just(json!("stop"))];
        let usage =
            prop_oneof![9 => Just(json!(null)), 1 => (0..9).prop_map(|n| json!({"completion_tokens": n}))];
        let key = prop_oneof![4 => Just("content"), 1 => Just("reasoning"), 1 => Just("tool_calls")];
        (text, finish, usage, key, any::<bool>()).prop_map(|(text, finish, usage, key, spaced)| {
            let event = json!({
                "id": "x", "choices": [{"delta": {key: text}, "finish_reason": finish}], "usage": usage,
            });
            if spaced { format!("{event:#}") } else { event.to_string() }
        })
    }

    proptest! {
        /// What is remembered of earlier events changes nothing.
        #[test]
        fn likeness_is_a_short_cut_and_no_more(events in prop::collection::vec(event(), 1..30)) {
            let plan = chat();
            prop_assert!(plan.blind_to_text);
            let (mut short, mut likeness) = (Gathered::default(), Likeness::default());
            let mut full = Gathered::default();
            for event in &events {
                let kind = plan.read(event.as_bytes(), &mut short, &mut likeness);
                prop_assert_eq!(kind, plan.read(event.as_bytes(), &mut full, &mut Likeness::default()));
                prop_assert_eq!(&short, &full);
            }
        }
    }

    #[test]
    fn like_events_are_recognized() {
        let plan = chat();
        let (mut gathered, mut likeness) = (Gathered::default(), Likeness::default());
        let event = |text: &str| json!({"choices":[{"delta":{"content":text}}]}).to_string();
        assert_eq!(likeness.read(event("b").as_bytes()), None);
        plan.read(event("a").as_bytes(), &mut gathered, &mut likeness);
        assert_eq!(likeness.read(event("long").as_bytes()), Some((TokenKind::Content, "long")));
        for other in [event(""), event("\n"), event("\""), event("b") + " "] {
            assert_eq!(likeness.read(other.as_bytes()), None, "{other}");
        }
        // Cut into halves that overlap.
        assert_eq!(likeness.read(br#"{"choices":[{"delta":{"content":"#), None);
    }

    #[test]
    fn a_rule_that_looks_into_the_text_sees_every_event() {
        let rule = TokenRule {
            when: vec![condition("/text", Test::Equals(json!("a")))],
            kind: TokenKind::Content,
            text: Some("/text".into()),
        };
        let plan = ReadyPlan::new(&Plan { tokens: vec![rule], ..Plan::default() });
        let (mut gathered, mut likeness) = (Gathered::default(), Likeness::default());
        assert_eq!(
            plan.read(br#"{"text":"a"}"#, &mut gathered, &mut likeness),
            EventKind::Token(TokenKind::Content)
        );
        assert_eq!(plan.read(br#"{"text":"b"}"#, &mut gathered, &mut likeness), EventKind::Other);
    }
}
