//! Rules for what plugins return. A plugin is not trusted: what breaks a rule
//! here is refused, with the rule in words, before anything else sees it.

use serde::de::IgnoredAny;
use serde_json::Value;

use super::contract::{
    Attachments, Body, Condition, Description, Endpoint, FailureText, Header, Media, Offer, Parsed, Part,
    PartValue, Plan, Prompt, RequestOut, Response, Role, Sample, Summary, Test, Turn, Twister, Verdict,
};
use super::text;

/// Longest name of a plugin or offer.
const MAX_NAME_BYTES: usize = 64;
/// Longest header value, path, id or label.
const MAX_LINE_BYTES: usize = 8 * 1024;
/// Largest JSON Schema of an offer.
const MAX_SCHEMA_BYTES: usize = 256 * 1024;
/// Most offers of a plugin, aliases of an offer, headers, tags, rules of a plan, or findings.
const MAX_ITEMS: usize = 1_000;

/// Most tokens of a prompt, a response or an event that can be meant: a thousand
/// billion. Sums over a run stay far from the end of 64 bits.
const MAX_TOKENS: u64 = 1_000_000_000_000;
/// Deepest nesting of JSON, below what readers of it give up at.
const MAX_JSON_DEPTH: usize = 120;
/// Latest arrival, in seconds from the start of a run: a year.
const MAX_ARRIVAL_S: f64 = 366.0 * 86_400.0;
/// Largest JSON object that a backend may keep with a request.
const MAX_EXTRA_BYTES: usize = 64 * 1024;
/// Text of an answer that is allowed whatever the size of its response.
const FREE_TEXT_BYTES: usize = 64 * 1024;

/// A rule that was broken, in words.
pub(crate) type Broken = String;

/// Headers that belong to the connection, the host or the credentials.
const HOST_HEADERS: [&str; 12] = [
    "authorization",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(crate) fn description(description: &Description, roles: &[Role]) -> Result<(), Broken> {
    name("the plugin's name", &description.name)?;
    semver::Version::parse(&description.version)
        .map_err(|_| format!("version `{}` is not MAJOR.MINOR.PATCH", shown(&description.version)))?;
    sentence("the plugin's summary", &description.summary)?;
    if description.offers.is_empty() {
        return Err("a plugin has to offer something".into());
    }
    at_most("offers", description.offers.len(), MAX_ITEMS)?;
    let mut seen = std::collections::HashSet::new();
    for offer in &description.offers {
        name("an offer's name", &offer.name)?;
        at_most("aliases", offer.aliases.len(), MAX_ITEMS)?;
        for alias in &offer.aliases {
            name("an alias", alias)?;
        }
        for known_as in std::iter::once(&offer.name).chain(&offer.aliases) {
            if !seen.insert((offer.role, known_as)) {
                return Err(format!("two {} offers are called `{known_as}`", offer.role.name()));
            }
        }
        sentence("an offer's summary", &offer.summary)?;
        if !roles.contains(&offer.role) {
            return Err(format!(
                "it offers {} `{}` but does not export that interface",
                offer.role.name(),
                offer.name
            ));
        }
        schema(offer)?;
    }
    Ok(())
}

fn schema(offer: &Offer) -> Result<(), Broken> {
    let schema = &offer.config_schema;
    match schema.get("type") {
        None => {}
        Some(Value::String(kind)) if kind == "object" => {}
        Some(_) => return Err(format!("the schema of `{}` has to describe an object", offer.name)),
    }
    if schema.get("properties").is_some_and(|properties| !properties.is_object()) {
        return Err(format!("`properties` in the schema of `{}` has to be an object", offer.name));
    }
    let mut pending: Vec<&Value> = schema.values().collect();
    if schema.get("$ref").is_some_and(|reference| !is_local(reference)) {
        return Err(format!("the schema of `{}` refers to another document", offer.name));
    }
    while let Some(value) = pending.pop() {
        match value {
            Value::Object(object) => {
                if object.get("$ref").is_some_and(|reference| !is_local(reference)) {
                    return Err(format!("the schema of `{}` refers to another document", offer.name));
                }
                pending.extend(object.values());
            }
            Value::Array(items) => pending.extend(items),
            _ => {}
        }
    }
    Ok(())
}

fn is_local(reference: &Value) -> bool {
    // A property may be called `$ref`; its schema is no string.
    reference.as_str().is_none_or(|reference| reference.starts_with('#'))
}

/// Reads an offer's schema from the text that a plugin gave.
pub(crate) fn schema_text(offer: &str, json: &str) -> Result<serde_json::Map<String, Value>, Broken> {
    if json.len() > MAX_SCHEMA_BYTES {
        return Err(format!("the schema of `{}` is longer than {MAX_SCHEMA_BYTES} bytes", shown(offer)));
    }
    serde_json::from_str(json)
        .map_err(|error| format!("the schema of `{}` is no JSON object: {error}", shown(offer)))
}

pub(crate) fn samples(samples: &[Sample], max: u32) -> Result<(), Broken> {
    at_most("samples", samples.len(), max as usize)?;
    samples.iter().enumerate().try_for_each(|(index, sample)| {
        self::sample(sample).map_err(|rule| format!("sample {index} of the batch: {rule}"))
    })
}

fn sample(sample: &Sample) -> Result<(), Broken> {
    if sample.turns.is_empty() {
        return Err("a sample needs at least one turn".into());
    }
    sample.turns.iter().try_for_each(turn)?;
    optional(&sample.id, |id| header_value("the id", id))?;
    optional(&sample.session, |session| header_value("the session", session))?;
    optional(&sample.overrides, |json| json_of("overrides", json, '{'))?;
    if let Some(arrival_s) = sample.arrival_s {
        not_negative("arrival-s", arrival_s)?;
        if arrival_s > MAX_ARRIVAL_S {
            return Err(format!("arrival-s is {arrival_s:e}, more than a year"));
        }
    }
    at_most("tags", sample.tags.len(), MAX_ITEMS)?;
    for (key, value) in &sample.tags {
        line("a tag", key)?;
        line("a tag", value)?;
    }
    Ok(())
}

fn turn(turn: &Turn) -> Result<(), Broken> {
    match &turn.prompt {
        Prompt::Text(_) | Prompt::Texts(_) | Prompt::TokenIds(_) | Prompt::TokenIdLists(_) => {}
        Prompt::Messages(json) => json_of("messages", json, '[')?,
        Prompt::Parts(json) => json_of("parts", json, '[')?,
        Prompt::Object(json) => json_of("object", json, '{')?,
    }
    match &turn.attachments {
        Attachments::None => {}
        Attachments::One(media) => self::media(media)?,
        Attachments::Many(media) => media.iter().try_for_each(self::media)?,
    }
    tokens("prompt-tokens", turn.prompt_tokens)?;
    not_negative("delay-ms", turn.delay_ms)
}

fn media(media: &Media) -> Result<(), Broken> {
    if media.url.is_empty() || media.url.chars().any(char::is_control) {
        return Err("the address of a medium is empty or holds control characters".into());
    }
    optional(&media.format, |format| line("a medium's format", format))?;
    optional(&media.extra, |json| json_of("a medium's extra", json, '{'))
}

pub(crate) fn summary(summary: &Summary) -> Result<(), Broken> {
    optional(&summary.python_random, twister)?;
    optional(&summary.numpy_random, twister)?;
    at_most("skip reasons", summary.skipped.len(), MAX_ITEMS)?;
    summary.skipped.iter().try_for_each(|skip| sentence("a skip reason", &skip.reason))
}

fn twister(twister: &Twister) -> Result<(), Broken> {
    if twister.words.len() != 624 || twister.position > 624 {
        return Err("the state of a Mersenne Twister has 624 words and a position up to 624".into());
    }
    Ok(())
}

pub(crate) fn endpoint(endpoint: &Endpoint) -> Result<(), Broken> {
    if !is_token(&endpoint.method) || endpoint.method.eq_ignore_ascii_case("CONNECT") {
        return Err(format!("method `{}` cannot be sent", shown(&endpoint.method)));
    }
    path(&endpoint.path)?;
    headers(&endpoint.headers)?;
    optional(&endpoint.plan, plan)
}

/// A path with an optional query. It can lead nowhere but under the user's base URL.
pub(super) fn path(path: &str) -> Result<(), Broken> {
    let bad = |rule: &str| Err(format!("path `{}` {rule}", shown(path)));
    if !path.starts_with('/') {
        return bad("has to begin with `/`; the user gives scheme and host");
    }
    if path.starts_with("//") {
        return bad("names a host, which only the user may");
    }
    if path.len() > MAX_LINE_BYTES {
        return Err(format!("the path is longer than {MAX_LINE_BYTES} bytes"));
    }
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) || path.contains(['#', '\\']) {
        return bad("holds a character that a path cannot hold");
    }
    let before_query = path.split('?').next().unwrap_or(path);
    // `%2e` is another way to write a dot.
    let plain = before_query.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
    if plain.split('/').any(|segment| segment == "..") {
        return bad("holds a `..` segment");
    }
    Ok(())
}

pub(super) fn headers(headers: &[Header]) -> Result<(), Broken> {
    at_most("headers", headers.len(), MAX_ITEMS)?;
    for header in headers {
        if !is_token(&header.name) {
            return Err(format!(
                "header name `{}` holds a character that names cannot hold",
                shown(&header.name)
            ));
        }
        if HOST_HEADERS.iter().any(|name| header.name.eq_ignore_ascii_case(name)) {
            return Err(format!("header `{}` is the host's own", header.name));
        }
        header_value(&format!("the value of header `{}`", header.name), &header.value)?;
    }
    Ok(())
}

/// A token by RFC 9110, 5.6.2.
fn is_token(name: &str) -> bool {
    (1..=256).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Visible ASCII, spaces and tabs inside, and obsolete text above ASCII (RFC 9110, 5.5).
fn header_value(what: &str, value: &str) -> Result<(), Broken> {
    if value.len() > MAX_LINE_BYTES {
        return Err(format!("{what} is longer than {MAX_LINE_BYTES} bytes"));
    }
    if value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return Err(format!("{what} holds control characters: `{}`", shown(value)));
    }
    Ok(())
}

fn plan(plan: &Plan) -> Result<(), Broken> {
    let rules = plan.ignore.len() + plan.errors.len() + plan.tokens.len() + plan.usage.len();
    at_most("rules of a plan", rules + plan.terminal.as_ref().map_or(0, |t| t.any.len()), MAX_ITEMS)?;
    for rule in &plan.errors {
        conditions(&rule.when)?;
        match &rule.message {
            FailureText::Pointer(at) => pointer(at)?,
            FailureText::Text(message) => sentence("an error rule's text", message)?,
        }
    }
    for rule in &plan.tokens {
        conditions(&rule.when)?;
        optional(&rule.text, |at| pointer(at))?;
    }
    for rule in &plan.usage {
        conditions(&rule.when)?;
        for at in [&rule.output_tokens, &rule.prompt_tokens, &rule.cached_tokens, &rule.reasoning_tokens] {
            optional(at, |at| pointer(at))?;
        }
    }
    if let Some(terminal) = &plan.terminal {
        terminal.any.iter().try_for_each(|all| conditions(all))?;
        sentence("the text for a missing end", &terminal.missing)?;
    }
    optional(&plan.no_token, |message| sentence("the text for no token", message))?;
    for at in [&plan.finish_reason, &plan.server_queue_ms, &plan.server_ttft_ms] {
        optional(at, |at| pointer(at))?;
    }
    Ok(())
}

fn conditions(conditions: &[Condition]) -> Result<(), Broken> {
    at_most("conditions of a rule", conditions.len(), MAX_ITEMS)?;
    conditions.iter().try_for_each(|condition| {
        let (Test::Present | Test::Absent | Test::Truthy | Test::Equals(_)) = &condition.test;
        pointer(&condition.pointer)
    })
}

/// A JSON pointer by RFC 6901: empty, or `/` before each token; `~` only as `~0` or `~1`.
fn pointer(pointer: &str) -> Result<(), Broken> {
    let starts = pointer.is_empty() || pointer.starts_with('/');
    let tildes = pointer.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    if starts && tildes && pointer.len() <= 1024 {
        Ok(())
    } else {
        Err(format!("`{}` is no JSON pointer", shown(pointer)))
    }
}

/// `max_bytes` is the largest body that a request may have.
pub(crate) fn requests(requests: &[RequestOut], asked: usize, max_bytes: u64) -> Result<(), Broken> {
    if requests.len() != asked {
        return Err(format!("{} requests came back for {asked} given", requests.len()));
    }
    requests.iter().enumerate().try_for_each(|(index, request)| {
        let checked =
            headers(&request.headers).and_then(|()| body(&request.body, max_bytes)).and_then(|()| {
                if request.input_sequences == 0 {
                    Err("a request holds at least one input".into())
                } else {
                    Ok(())
                }
            });
        checked.map_err(|rule| format!("request {index} of the batch: {rule}"))
    })
}

fn body(body: &Body, max_bytes: u64) -> Result<(), Broken> {
    let bytes = match body {
        Body::Bytes(bytes) => bytes.len(),
        Body::Multipart(parts) => parts.iter().map(part_bytes).sum(),
    };
    if bytes as u64 > max_bytes {
        return Err(format!(
            "a body of {bytes} bytes, more than {max_bytes} (--plugin-request-mib raises the limit)"
        ));
    }
    let Body::Multipart(parts) = body else {
        return Ok(());
    };
    at_most("parts", parts.len(), MAX_ITEMS)?;
    for part in parts {
        line("a part's name", &part.name)?;
        optional(&part.filename, |name| line("a part's file name", name))?;
        optional(&part.content_type, |kind| header_value("a part's content type", kind))?;
    }
    Ok(())
}

/// Text that a part holds; media are the host's.
fn part_bytes(part: &Part) -> usize {
    let (PartValue::Text(value) | PartValue::Media(value)) = &part.value;
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    part.name.len() + optional(&part.filename) + optional(&part.content_type) + value.len()
}

pub(crate) fn response(response: &Response) -> Result<(), Broken> {
    if !response.ends.is_sorted()
        || response.ends.last().copied().unwrap_or(0) as usize != response.body.len()
    {
        return Err("the ends of a response's events have to ascend to the body's length".into());
    }
    Ok(())
}

/// `events` and `body_bytes` are those of the response that was read.
pub(crate) fn parsed(parsed: &Parsed, events: usize, body_bytes: usize) -> Result<(), Broken> {
    if !parsed.tokens.is_sorted_by(|one, next| one.event < next.event) {
        return Err("token events have to ascend, each event at most once".into());
    }
    if let Some(last) = parsed.tokens.last()
        && last.event as usize >= events
    {
        return Err(format!("token event {} of a response of {events} events", last.event));
    }
    // Texts of all answers are kept, so what a response cannot hold is not taken.
    let longest = body_bytes.saturating_mul(4).max(FREE_TEXT_BYTES);
    if parsed.text.len() > longest {
        return Err(format!(
            "a text of {} bytes is longer than a response of {body_bytes} bytes can hold",
            parsed.text.len()
        ));
    }
    let in_events = parsed.tokens.iter().map(|event| u64::from(event.tokens)).max().unwrap_or(0);
    if in_events > body_bytes as u64 {
        return Err(format!("{in_events} tokens in one event of a response of {body_bytes} bytes"));
    }
    if let Some(usage) = &parsed.usage {
        for (what, count) in [
            ("output-tokens", usage.output_tokens),
            ("prompt-tokens", usage.prompt_tokens),
            ("cached-tokens", usage.cached_tokens),
            ("reasoning-tokens", usage.reasoning_tokens),
        ] {
            optional(&count, |&count| tokens(what, count))?;
        }
    }
    if let Some(ms) = parsed.server_queue_ms {
        not_negative("server-queue-ms", ms)?;
    }
    if let Some(ms) = parsed.server_ttft_ms {
        not_negative("server-ttft-ms", ms)?;
    }
    optional(&parsed.finish_reason, |reason| line("the finish reason", reason))?;
    if let Some(extra) = &parsed.extra
        && extra.len() > MAX_EXTRA_BYTES
    {
        return Err(format!("extra is longer than {MAX_EXTRA_BYTES} bytes"));
    }
    optional(&parsed.extra, |json| json_of("extra", json, '{'))
}

pub(crate) fn good(good: &[bool], requests: u32) -> Result<(), Broken> {
    if good.len() == requests as usize {
        Ok(())
    } else {
        Err(format!("{} answers for {requests} requests", good.len()))
    }
}

pub(crate) fn verdict(verdict: &Verdict) -> Result<(), Broken> {
    finite("a verdict's margin", verdict.margin)?;
    at_most("findings", verdict.findings.len(), MAX_ITEMS)?;
    for finding in &verdict.findings {
        sentence("a finding's criterion", &finding.criterion)?;
        finite("a finding's limit", finding.limit)?;
        finite("a finding's margin", finding.margin)?;
        if let Some(actual) = finding.actual {
            finite("a finding's value", actual)?;
        }
    }
    Ok(())
}

pub(crate) fn finite(what: &str, value: f64) -> Result<(), Broken> {
    if value.is_finite() { Ok(()) } else { Err(format!("{what} is {value}, not a finite number")) }
}

fn tokens(what: &str, count: u64) -> Result<(), Broken> {
    if count <= MAX_TOKENS { Ok(()) } else { Err(format!("{what} is {count}, more than {MAX_TOKENS}")) }
}

fn not_negative(what: &str, value: f64) -> Result<(), Broken> {
    finite(what, value)?;
    if value >= 0.0 { Ok(()) } else { Err(format!("{what} is {value}, below 0")) }
}

fn name(what: &str, name: &str) -> Result<(), Broken> {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    if (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(format!(
        "{what} `{}` is not made of lower-case letters, digits, `-` and `_`, at most {MAX_NAME_BYTES}",
        shown(name)
    ))
}

/// Text for people: bounded, one line, nothing that a terminal would act on.
fn sentence(what: &str, sentence: &str) -> Result<(), Broken> {
    if sentence.len() > text::MAX_MESSAGE_BYTES {
        return Err(format!("{what} is longer than {} bytes", text::MAX_MESSAGE_BYTES));
    }
    if sentence.chars().any(char::is_control) {
        return Err(format!("{what} holds control characters: `{}`", shown(sentence)));
    }
    Ok(())
}

fn line(what: &str, text: &str) -> Result<(), Broken> {
    if text.len() > MAX_LINE_BYTES {
        return Err(format!("{what} is longer than {MAX_LINE_BYTES} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{what} holds control characters: `{}`", shown(text)));
    }
    Ok(())
}

/// That `json` is one JSON text that begins with `opening`, `{` or `[`.
pub(super) fn json_of(what: &str, json: &str, opening: char) -> Result<(), Broken> {
    let kind = if opening == '{' { "object" } else { "array" };
    if !json.trim_ascii_start().starts_with(opening) {
        return Err(format!("{what} has to be a JSON {kind}"));
    }
    if let Err(error) = serde_json::from_str::<IgnoredAny>(json) {
        return Err(format!("{what} is no JSON {kind}: {error}"));
    }
    if depth(json) > MAX_JSON_DEPTH {
        return Err(format!("{what} is nested deeper than {MAX_JSON_DEPTH}"));
    }
    Ok(())
}

/// How deep a JSON text is nested, which is known to be one.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_text) = (0_usize, 0, false);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if in_text => {
                bytes.next();
            }
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn at_most(what: &str, count: usize, max: usize) -> Result<(), Broken> {
    if count <= max { Ok(()) } else { Err(format!("{count} {what}, more than {max}")) }
}

fn optional<T>(value: &Option<T>, check: impl FnOnce(&T) -> Result<(), Broken>) -> Result<(), Broken> {
    value.as_ref().map_or(Ok(()), check)
}

fn shown(text: &str) -> String {
    text::one_line(text, 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::contract::{TokenEvent, TokenKind, Usage};

    fn header(name: &str, value: &str) -> Vec<Header> {
        vec![Header { name: name.into(), value: value.into() }]
    }

    #[test]
    fn paths_stay_under_the_base_url() {
        for good in ["/v1/completions", "/", "/a?next=https://x/../y", "/a/..b/c.", "/v1/models/m:generate"] {
            assert_eq!(path(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "v1",
            "http://evil/",
            "//evil/v1",
            "/a/../b",
            "/a/%2e%2E/b",
            "/..",
            "/a\r\nHost: x",
            "/a b",
            "/a#b",
            "/a\\..\\b",
            "/ä",
            "/x%2f..%2fy",
        ] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_of_the_host_and_bad_ones_are_refused() {
        assert_eq!(headers(&header("Content-Type", "application/json")), Ok(()));
        assert_eq!(headers(&header("x-title", "käse")), Ok(()));
        for (name, value) in [
            ("Host", "x"),
            ("content-LENGTH", "1"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "close"),
            ("Authorization", "Bearer x"),
            ("a b", "x"),
            ("", "x"),
            ("x\r\ny", "x"),
            ("x", "a\r\nHost: evil"),
            ("x", "a\0"),
        ] {
            assert!(headers(&header(name, value)).is_err(), "{name}: {value}");
        }
    }

    #[test]
    fn bodies_have_a_limit_whatever_they_are_made_of() {
        let request = |body| [RequestOut { body, headers: Vec::new(), input_sequences: 1 }];
        let part = |text: &str| Part {
            name: "n".into(),
            filename: None,
            content_type: None,
            value: PartValue::Text(text.into()),
        };
        let check = |body, max_bytes| super::requests(&request(body), 1, max_bytes);
        assert_eq!(check(Body::Bytes(vec![0; 4]), 4), Ok(()));
        assert!(check(Body::Bytes(vec![0; 5]), 4).unwrap_err().contains("a body of 5 bytes, more than 4"));
        assert_eq!(check(Body::Multipart(vec![part("a"), part("b")]), 4), Ok(()));
        assert!(check(Body::Multipart(vec![part("a"), part("bc")]), 4).is_err());
    }

    #[test]
    fn token_events_ascend_within_the_response() {
        let event = |event| TokenEvent { event, kind: TokenKind::Content, tokens: 1 };
        let parsed = |events: &[u32]| Parsed {
            tokens: events.iter().map(|&e| event(e)).collect(),
            ..Parsed::default()
        };
        let check = |parsed: Parsed, events| super::parsed(&parsed, events, 100);
        assert_eq!(check(parsed(&[0, 2]), 3), Ok(()));
        assert!(check(parsed(&[0, 2]), 2).is_err());
        assert!(check(parsed(&[1, 1]), 3).is_err());
        assert!(check(parsed(&[2, 1]), 3).is_err());
        assert!(check(Parsed { server_ttft_ms: Some(f64::NAN), ..Parsed::default() }, 0).is_err());
        assert!(check(Parsed { extra: Some("[]".into()), ..Parsed::default() }, 0).is_err());
    }

    #[test]
    fn what_a_response_cannot_hold_is_refused() {
        let text = |bytes: usize| Parsed { text: "x".repeat(bytes), ..Parsed::default() };
        assert_eq!(super::parsed(&text(FREE_TEXT_BYTES), 0, 0), Ok(()));
        assert!(super::parsed(&text(FREE_TEXT_BYTES + 1), 0, 0).is_err());
        assert_eq!(super::parsed(&text(FREE_TEXT_BYTES + 1), 0, FREE_TEXT_BYTES), Ok(()));
        let usage = |output_tokens| {
            let usage = Usage { output_tokens: Some(output_tokens), ..Usage::default() };
            Parsed { usage: Some(usage), ..Parsed::default() }
        };
        assert_eq!(super::parsed(&usage(MAX_TOKENS), 0, 0), Ok(()));
        assert!(super::parsed(&usage(u64::MAX), 0, 0).is_err());
    }

    #[test]
    fn pointers_follow_the_rfc() {
        for good in ["", "/a", "/a/0", "/a~1b", "/~0"] {
            assert_eq!(pointer(good), Ok(()), "{good}");
        }
        for bad in ["a", "/~", "/~2", "#/a"] {
            assert!(pointer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn schemas_stay_in_their_document() {
        let offer = |schema: &str| Offer {
            role: Role::Dataset,
            name: "x".into(),
            aliases: vec![],
            summary: String::new(),
            config_schema: serde_json::from_str(schema).unwrap(),
        };
        assert_eq!(schema(&offer(r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}}}"##)), Ok(()));
        assert!(schema(&offer(r#"{"properties":{"a":{"$ref":"https://x/y"}}}"#)).is_err());
        assert!(schema(&offer(r#"{"$ref":"other.json"}"#)).is_err());
        assert!(schema(&offer(r#"{"type":"string"}"#)).is_err());
    }

    #[test]
    fn depth_counts_what_is_outside_of_texts() {
        for (json, deep) in [("{}", 1), (r#"[{"a":"[[[\\"}]"#, 2), (r#"["\"[["]"#, 1), ("[[],[[]]]", 3)] {
            assert_eq!(depth(json), deep, "{json}");
        }
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(json_of("x", &nested(MAX_JSON_DEPTH), '['), Ok(()));
        assert!(json_of("x", &nested(MAX_JSON_DEPTH + 1), '[').is_err());
    }

    #[test]
    fn names_are_short_and_plain() {
        assert_eq!(name("n", "share-gpt_4"), Ok(()));
        for bad in ["", "Share", "a b", "ä", "a/b", &"x".repeat(65)] {
            assert!(name("n", bad).is_err(), "{bad}");
        }
    }
}
