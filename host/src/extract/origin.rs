//! Telling a response that was never of the backend's kind from one that is broken.

use super::plan::excerpt;
use crate::record::{Failure, FailureClass};
use crate::wire::Framing;

/// Where responses come from, and what they should be.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The backend that reads them.
    pub backend: String,
    /// The address that they come from.
    pub url: String,
    /// How the backend wants them cut into events.
    pub framing: Framing,
}

/// What a response without a single token event was like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    /// Its content type, if it had one.
    pub(super) content_type: Option<&'a str>,
    /// It had events, and none of them said anything.
    pub(super) strange: bool,
    /// The beginning of its body.
    pub(super) beginning: &'a [u8],
}

impl Origin {
    /// Changes the failure of a response without token events, where it comes
    /// from this: the content type is of another framing, or not one event is
    /// one that the backend knows.
    pub(super) fn explain(&self, failure: &mut Failure, seen: &Seen<'_>) {
        let other = seen.content_type.and_then(|kind| contradiction(self.framing, kind));
        let what = match (failure.class, other) {
            (FailureClass::Plugin, _) => return,
            (_, Some(wanted)) => {
                format!("`{}` where {wanted} should come", seen.content_type.unwrap_or_default())
            }
            (FailureClass::Incomplete, None) if seen.strange => {
                "not one of its events is one that the backend knows".to_owned()
            }
            _ => return,
        };
        *failure = Failure {
            class: FailureClass::WrongKind,
            message: format!(
                "a response of the wrong kind for the backend `{}` from {}: {what}: {}",
                self.backend,
                self.url,
                excerpt(seen.beginning)
            ),
        };
    }
}

/// What should come, if a content type rules it out. Servers are careless with
/// content types, so only what cannot be meant otherwise counts.
fn contradiction(framing: Framing, content_type: &str) -> Option<&'static str> {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (json, stream, page) = (kind == "application/json", kind == "text/event-stream", kind == "text/html");
    let lines = ["application/x-ndjson", "application/ndjson", "application/jsonl"].contains(&kind.as_str());
    match framing {
        Framing::Sse if json || lines || page => Some("server-sent events"),
        Framing::Ndjson if stream || page => Some("a JSON text a line"),
        Framing::WholeBody if stream || lines || page => Some("one body"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(framing: Framing, class: FailureClass, content_type: &str, strange: bool) -> Failure {
        let origin = Origin { backend: "tgi".into(), url: "http://h/generate_stream".into(), framing };
        let mut failure = Failure { class, message: "as it was".into() };
        let seen = Seen { content_type: Some(content_type), strange, beginning: b"{\"a\":\n1}" };
        origin.explain(&mut failure, &seen);
        failure
    }

    #[test]
    fn another_content_type_or_unknown_events_are_the_wrong_kind() {
        use FailureClass::{Incomplete, Protocol, Stream, WrongKind};
        let json = explained(Framing::Sse, Incomplete, "Application/JSON; charset=utf-8", false);
        assert_eq!(
            json.message,
            "a response of the wrong kind for the backend `tgi` from http://h/generate_stream: \
             `Application/JSON; charset=utf-8` where server-sent events should come: {\"a\": 1}"
        );
        let unknown = explained(Framing::Sse, Incomplete, "text/event-stream", true);
        assert!(unknown.class == WrongKind && unknown.message.contains("not one of its events"));
        for (framing, class, content_type) in [
            (Framing::Ndjson, Stream, "text/event-stream"),
            (Framing::WholeBody, Protocol, "application/x-ndjson"),
            (Framing::WholeBody, Stream, "text/html"),
        ] {
            assert_eq!(explained(framing, class, content_type, true).class, WrongKind, "{content_type}");
        }
    }

    #[test]
    fn other_failures_stay_what_they_are() {
        use FailureClass::{Incomplete, Plugin, Protocol, Stream};
        for (framing, class, content_type, strange) in [
            (Framing::Sse, Incomplete, "text/event-stream", false),
            (Framing::Sse, Stream, "text/event-stream", true),
            (Framing::Sse, Protocol, "text/plain", true),
            (Framing::Ndjson, Stream, "application/json", true),
            (Framing::WholeBody, Protocol, "application/json", true),
            (Framing::Sse, Plugin, "text/html", true),
        ] {
            let failure = explained(framing, class, content_type, strange);
            assert_eq!((failure.class, failure.message.as_str()), (class, "as it was"));
        }
    }
}
