//! One JSON line a request: its whole life, for whoever wants to compute their own numbers.

use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::{ReportError, write_atomically};
use crate::clock;
use crate::metrics::kind_name;
use crate::record::{RequestRecord, RunRecord};

/// Writes the requests of a run to `path`, times in seconds from the start of the run.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, run: &RunRecord) -> Result<(), ReportError> {
    let mut content = Vec::new();
    for request in &run.requests {
        serde_json::to_writer(&mut content, &line(request, run.start_ns))?;
        // Writing to memory does not fail.
        let _ = content.write_all(b"\n");
    }
    write_atomically(path, &content)
}

fn line(request: &RequestRecord, start_ns: u64) -> Value {
    let at = |ns: u64| if ns == 0 { Value::Null } else { json!(clock::seconds_between(start_ns, ns)) };
    let stamps = &request.stamps;
    let tokens = request.token_events.iter().map(|event| {
        let kind = kind_name(event.kind);
        json!([clock::seconds_between(start_ns, event.at_ns), kind, event.tokens])
    });
    // The plugin's JSON was checked when it came.
    let extra: Option<Value> = request.extra.as_deref().and_then(|json| serde_json::from_str(json).ok());
    json!({
        "index": request.index,
        "id": request.id,
        "session": request.session,
        "tags": request.tags.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<Value>(),
        "scheduled_s": at(stamps.scheduled_ns),
        "released_s": at(stamps.released_ns),
        "started_s": at(stamps.started_ns),
        "sent_s": at(stamps.sent_ns),
        "headers_s": at(stamps.headers_ns),
        "first_event_s": at(stamps.first_event_ns),
        "end_s": at(stamps.end_ns),
        "token_events": tokens.collect::<Value>(),
        "prompt_tokens": request.prompt_tokens,
        "dataset_prompt_tokens": request.dataset_prompt_tokens,
        "requested_output_tokens": request.requested_output_tokens,
        "output_tokens": request.output_tokens,
        "cached_tokens": request.usage.cached_tokens,
        "reasoning_tokens": request.usage.reasoning_tokens,
        "finish_reason": request.finish_reason,
        "status": request.status,
        "bytes_out": request.bytes_out,
        "bytes_in": request.bytes_in,
        "server_queue_s": request.server_queue_s,
        "server_ttft_s": request.server_ttft_s,
        "extra": extra,
        "text": request.text,
        "failure": request.failure.as_ref().map(|f| json!({"class": f.class.name(), "message": f.message})),
    })
}
