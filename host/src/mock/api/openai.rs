//! What OpenAI's APIs have in common.

use serde_json::{Value, json};

use super::{Counts, Sink, data};

/// The last event of a stream.
pub(super) fn done(sink: &mut Sink<'_>) {
    sink.event(&[b"data: [DONE]\n\n"]);
}

/// An error inside a stream, and its end.
pub(super) fn error(sink: &mut Sink<'_>, message: &str) {
    data(sink, error_json(500, message).as_bytes());
    done(sink);
}

/// Garbage inside a stream, and its end.
pub(super) fn garbage(sink: &mut Sink<'_>) {
    sink.event(&[b"data: {\"choices\": [\xff\xfe garbage\n\n"]);
    done(sink);
}

/// The object `usage`.
pub(super) fn usage(counts: &Counts) -> String {
    let total = counts.prompt + counts.output;
    let mut usage = format!(
        r#"{{"prompt_tokens":{},"total_tokens":{total},"completion_tokens":{}"#,
        counts.prompt, counts.output
    );
    if counts.cached > 0 {
        usage += &format!(r#","prompt_tokens_details":{{"cached_tokens":{}}}"#, counts.cached);
    }
    if counts.parts.reasoning > 0 {
        let reasoning = counts.parts.reasoning.min(counts.output);
        usage += &format!(r#","completion_tokens_details":{{"reasoning_tokens":{reasoning}}}"#);
    }
    usage.push('}');
    usage
}

/// The body of an error.
pub(in crate::mock) fn error_json(status: u16, message: &str) -> String {
    let kind = match status {
        404 => "NotFoundError",
        429 => "RateLimitError",
        500.. => "InternalServerError",
        _ => "BadRequestError",
    };
    json!({"error": {"message": message, "type": kind, "param": null, "code": status}}).to_string()
}

/// A tool call with these arguments.
pub(super) fn tool_call(arguments: &str) -> Value {
    json!({"id": "call-mock", "type": "function", "function": {"name": "act", "arguments": arguments}})
}
