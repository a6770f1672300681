//! Extraction plans: how to write one, and what it makes of a response.
//!
//! The host runs a plan natively. [`read`] follows the same rules on a document
//! tree: it shows in a plugin's tests what its plan does, and a backend that
//! parses by itself falls back on a [`Reader`] for events of unusual shape.

use serde_json::Value;

use crate::backend::{
    Condition, ErrorRule, FailureText, Parsed, Plan, Response, TerminalRule, Test, TokenEvent, TokenKind,
    TokenRule, Usage, UsageRule,
};

impl Condition {
    /// There is a value at the pointer, be it null.
    pub fn present(pointer: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), test: Test::Present }
    }

    /// There is no value at the pointer.
    pub fn absent(pointer: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), test: Test::Absent }
    }

    /// Neither missing nor null, false, 0, or an empty string, array or object.
    pub fn truthy(pointer: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), test: Test::Truthy }
    }

    /// The value at the pointer equals this JSON text's.
    pub fn equals(pointer: impl Into<String>, json: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), test: Test::Equals(json.into()) }
    }

    fn holds(&self, event: &Value) -> bool {
        let value = event.pointer(&self.pointer);
        match &self.test {
            Test::Present => value.is_some(),
            Test::Absent => value.is_none(),
            Test::Truthy => value.is_some_and(is_truthy),
            Test::Equals(json) => serde_json::from_str::<Value>(json)
                .is_ok_and(|wanted| value.is_some_and(|value| *value == wanted)),
        }
    }
}

fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

impl TokenRule {
    /// Makes an event a token event of this kind, if all conditions hold.
    pub fn new(kind: TokenKind, when: Vec<Condition>) -> Self {
        Self { when, kind, text: None }
    }

    /// Takes the text from this pointer.
    pub fn with_text(mut self, pointer: impl Into<String>) -> Self {
        self.text = Some(pointer.into());
        self
    }
}

impl ErrorRule {
    /// Fails the request with what is at `pointer`, if all conditions hold.
    pub fn new(when: Vec<Condition>, pointer: impl Into<String>) -> Self {
        Self { when, message: FailureText::Pointer(pointer.into()) }
    }
}

impl Default for Plan {
    /// A plan that takes nothing from a response.
    fn default() -> Self {
        Self {
            ignore: Vec::new(),
            errors: Vec::new(),
            tokens: Vec::new(),
            usage: Vec::new(),
            terminal: None,
            no_token: None,
            finish_reason: None,
            server_queue_ms: None,
            server_ttft_ms: None,
        }
    }
}

/// Reads a response by a plan.
pub fn read(plan: &Plan, response: &Response) -> Parsed {
    let mut reader = Reader::new(plan);
    for event in response.events() {
        reader.event(event);
    }
    reader.finish()
}

/// What a plan has made of the events so far.
///
/// A request fails with the first of: an event that is not JSON or fits an error
/// rule (nothing counts from there on), `no-token`, the terminal rule.
pub struct Reader<'p> {
    plan: &'p Plan,
    parsed: Parsed,
    events: u32,
    over: bool,
    terminal_seen: bool,
}

impl<'p> Reader<'p> {
    /// Before the first event.
    pub fn new(plan: &'p Plan) -> Self {
        Self { plan, parsed: Parsed::default(), events: 0, over: false, terminal_seen: false }
    }

    /// Takes the next event by the plan.
    pub fn event(&mut self, payload: &[u8]) {
        if !self.over {
            match serde_json::from_slice(payload) {
                Ok(event) => self.document(&event),
                Err(_) if self.plan.ignore.iter().any(|text| text.as_bytes() == payload.trim_ascii()) => {}
                Err(error) => {
                    self.fail(format!(
                        "event {} of the response is not JSON: {error}",
                        u64::from(self.events) + 1
                    ));
                    self.over = true;
                }
            }
        }
        self.skip();
    }

    /// Passes over the next event.
    pub fn skip(&mut self) {
        self.events = self.events.saturating_add(1);
    }

    /// Makes the event that is next a token event; [`Reader::skip`] ends it.
    pub fn token(&mut self, kind: TokenKind, text: Option<&str>) {
        self.parsed.tokens.push(TokenEvent { event: self.events, kind, tokens: 0 });
        self.parsed.text.push_str(text.unwrap_or_default());
    }

    /// What was read so far, to be added to.
    pub fn parsed_mut(&mut self) -> &mut Parsed {
        &mut self.parsed
    }

    /// Whether an event has failed the request, after which nothing counts.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// What the response says.
    pub fn finish(mut self) -> Parsed {
        if self.parsed.tokens.is_empty()
            && let Some(message) = &self.plan.no_token
        {
            self.fail(message.clone());
        }
        if let Some(TerminalRule { missing, .. }) = &self.plan.terminal
            && !self.terminal_seen
        {
            self.fail(missing.clone());
        }
        // A report without a single count is none.
        self.parsed.usage = self.parsed.usage.take_if(|usage| *usage != Usage::default());
        self.parsed
    }

    fn fail(&mut self, message: String) {
        self.parsed.error.get_or_insert(message);
    }

    fn document(&mut self, event: &Value) {
        let holds = |conditions: &[Condition]| conditions.iter().all(|condition| condition.holds(event));
        let plan = self.plan;
        if let Some(rule) = plan.errors.iter().find(|rule| holds(&rule.when)) {
            self.fail(failure_text(&rule.message, event));
            self.over = true;
            return;
        }
        let token = plan.tokens.iter().find(|rule| holds(&rule.when));
        if let Some(rule) = token {
            let text =
                rule.text.as_deref().and_then(|pointer| event.pointer(pointer)).and_then(Value::as_str);
            self.token(rule.kind, text);
        }
        for rule in &plan.usage {
            if (token.is_none() || rule.on_token_events) && holds(&rule.when) {
                take_usage(self.parsed.usage.get_or_insert_default(), rule, event);
            }
        }
        let at = |pointer: &Option<String>| pointer.as_deref().and_then(|pointer| event.pointer(pointer));
        if let Some(reason) = at(&plan.finish_reason).and_then(Value::as_str) {
            self.parsed.finish_reason = Some(reason.into());
        }
        if let Some(queue_ms) = at(&plan.server_queue_ms).and_then(Value::as_f64) {
            self.parsed.server_queue_ms = Some(queue_ms);
        }
        if let Some(ttft_ms) = at(&plan.server_ttft_ms).and_then(Value::as_f64) {
            self.parsed.server_ttft_ms = Some(ttft_ms);
        }
        if let Some(rule) = &plan.terminal {
            self.terminal_seen |= rule.any.iter().any(|conditions| holds(conditions));
        }
    }
}

fn failure_text(text: &FailureText, event: &Value) -> String {
    match text {
        FailureText::Text(text) => text.clone(),
        FailureText::Pointer(pointer) => match event.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => event.to_string(),
            Some(value) => value.to_string(),
        },
    }
}

/// A whole number, not negative, also when it is written as `3.0`.
fn as_count(value: &Value) -> Option<u64> {
    let whole =
        |number: f64| (number >= 0.0 && number.fract() == 0.0 && number < 9e15).then_some(number as u64);
    value.as_u64().or_else(|| value.as_f64().and_then(whole))
}

fn take_usage(usage: &mut Usage, rule: &UsageRule, event: &Value) {
    let take = |count: &mut Option<u64>, pointer: &Option<String>| {
        let found = pointer.as_deref().and_then(|pointer| event.pointer(pointer)).and_then(as_count);
        *count = found.or(*count);
    };
    take(&mut usage.output_tokens, &rule.output_tokens);
    take(&mut usage.prompt_tokens, &rule.prompt_tokens);
    take(&mut usage.cached_tokens, &rule.cached_tokens);
    take(&mut usage.reasoning_tokens, &rule.reasoning_tokens);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            ignore: vec!["[DONE]".into()],
            errors: vec![ErrorRule::new(vec![Condition::truthy("/error")], "/error/message")],
            tokens: vec![
                TokenRule::new(TokenKind::Content, vec![Condition::truthy("/text")]).with_text("/text"),
                TokenRule::new(TokenKind::Reasoning, vec![Condition::equals("/kind", "\"thought\"")]),
            ],
            terminal: Some(TerminalRule {
                any: vec![vec![Condition::present("/end")]],
                missing: "no end".into(),
            }),
            no_token: Some("no token".into()),
            ..Plan::default()
        }
    }

    fn read_events(events: &[&str]) -> Parsed {
        read(&plan(), &Response::from_events(events))
    }

    #[test]
    fn the_first_rule_that_fits_makes_the_token_event() {
        let parsed = read_events(&[
            r#"{"text":"a","kind":"thought"}"#,
            r#"{"kind":"thought"}"#,
            "[DONE]",
            r#"{"end":null}"#,
        ]);
        let kinds: Vec<_> = parsed.tokens.iter().map(|token| (token.event, token.kind)).collect();
        assert_eq!(kinds, [(0, TokenKind::Content), (1, TokenKind::Reasoning)]);
        assert_eq!((parsed.text.as_str(), parsed.error), ("a", None));
    }

    #[test]
    fn failures_come_in_their_order() {
        assert_eq!(read_events(&[r#"{"error":{"message":"boom"}}"#]).error.as_deref(), Some("boom"));
        assert_eq!(
            read_events(&[r#"{"error":{"code":5}}"#]).error.as_deref(),
            Some(r#"{"error":{"code":5}}"#)
        );
        assert_eq!(read_events(&[]).error.as_deref(), Some("no token"));
        assert_eq!(read_events(&[r#"{"text":"a"}"#]).error.as_deref(), Some("no end"));
    }

    #[test]
    fn nothing_counts_after_an_event_that_failed_the_request() {
        let parsed = read_events(&[r#"{"text":"a"}"#, "{bad", r#"{"text":"b","end":1}"#]);
        assert_eq!(parsed.tokens.len(), 1);
        assert!(parsed.error.unwrap().starts_with("event 2 of the response is not JSON"));
    }
}
