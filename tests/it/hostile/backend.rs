//! Backends that misbehave.

use super::section::Section;
use super::{SOON, backend, everywhere};

#[test]
fn in_every_call() {
    let mut section = Section::new("backend-calls");
    for call in ["open", "endpoint", "build", "parse"] {
        for (what, deed, flags, says) in everywhere(&format!("backend.{call}")) {
            let outcome = backend(&format!("{call}:{deed}"), flags);
            section.case(&format!("{what} in `{call}`"), &outcome, 3, &says);
        }
    }
    section.finish();
}

#[test]
fn by_what_it_returns() {
    let mut section = Section::new("backend-returns");
    // Some write a hundred megabytes, which takes a busy machine a while.
    let patient = ["--plugin-timeout-s", "30"];
    let mut case =
        |what: &str, order: &str, code, says: &str| section.case(what, &backend(order, &patient), code, says);
    case("does as it should", "", 0, "Successful requests:");
    case("names a URL for a path", "endpoint:absolute-url", 3, "has to begin with `/`");
    case("names another host", "endpoint:other-host", 3, "names a host");
    case("goes up with `..`", "endpoint:parent", 3, "holds a `..` segment");
    case("goes up with `%2e%2E`", "endpoint:parent-escaped", 3, "holds a `..` segment");
    case("puts a header into the path", "endpoint:path-crlf", 3, "holds a character that a path cannot hold");
    case("has a path of a megabyte", "endpoint:path-long", 3, "the path is longer than");
    case("has no path", "endpoint:path-empty", 3, "has to begin with `/`");
    case("puts a request into the method", "endpoint:method-crlf", 3, "cannot be sent");
    case("wants the method CONNECT", "endpoint:method-connect", 3, "cannot be sent");
    case("sets Host", "endpoint:host", 3, "is the host's own");
    case("sets Content-Length", "endpoint:content-length", 3, "is the host's own");
    case("sets Transfer-Encoding", "endpoint:transfer-encoding", 3, "is the host's own");
    case("sets Authorization", "endpoint:authorization", 3, "is the host's own");
    case("puts a header into a header's value", "endpoint:header-crlf", 3, "holds control characters");
    case("puts a header into a header's name", "endpoint:header-name", 3, "that names cannot hold");
    case("sets 1,001 headers", "endpoint:headers", 3, "1001 headers, more than 1000");
    case("has a plan with a pointer that is none", "endpoint:pointer", 3, "is no JSON pointer");
    case("has a plan with a pointer of 2,000 bytes", "endpoint:pointer-long", 3, "is no JSON pointer");
    case("has a plan with a value that is no JSON", "endpoint:equals-broken", 3, "is no JSON");
    case("has a plan with a value of 100,000 levels", "endpoint:equals-deep", 3, "is no JSON");
    case("has a plan of 1,001 conditions", "endpoint:conditions", 3, "1001 conditions");
    case("has a plan that fails with escape sequences", "endpoint:rule-escapes", 3, "control characters");
    case("writes no requests", "build:none", 3, "0 requests came back for");
    case("writes one request too few", "build:fewer", 3, "came back for");
    case("writes one request too many", "build:more", 3, "came back for");
    case("writes a request with no input", "build:no-inputs", 3, "at least one input");
    case("puts a request into a request's header", "build:header-crlf", 3, "holds control characters");
    case("sets Host for one request", "build:host", 3, "is the host's own");
    case("sets Authorization for one request", "build:authorization", 3, "is the host's own");
    case("sets Content-Length for one request", "build:content-length", 3, "is the host's own");
    case("writes a body of 100 MiB", "build:body-100-mib", 3, "moved more than 64.0 MiB");
    case("writes a body of 40 MiB", "build:body-40-mib", 3, "a body of 41943040 bytes, more than 33554432");
    case("writes a form of 40 MiB", "build:parts-40-mib", 3, "more than 33554432");
    case("puts a part into a part's name", "build:part-crlf", 3, "a part's name holds control characters");
    case("finds a token in an event that did not come", "parse:event-beyond", 3, "of a response of");
    case("finds two tokens in one event", "parse:event-twice", 3, "have to ascend");
    case("finds tokens in the wrong order", "parse:event-order", 3, "have to ascend");
    case("says that the server's time is no number", "parse:nan", 3, "server-ttft-ms is NaN");
    case("says that the server's time is infinite", "parse:infinite", 3, "server-queue-ms is inf");
    case("says that 2^64 - 1 tokens came", "parse:usage-huge", 3, "output-tokens");
    case("says that an event has 2^32 - 1 tokens", "parse:tokens-huge", 3, "tokens in one event");
    case("makes 32 MiB of text of a short response", "parse:text-long", 3, "longer than");
    case("makes 100 MiB of text", "parse:text-100-mib", 3, "moved more than 64.0 MiB");
    case("keeps a list where an object belongs", "parse:extra-list", 3, "extra has to be a JSON object");
    case("keeps an object of 100,000 levels", "parse:extra-deep", 3, "extra is longer than");
    case("keeps an object of a megabyte", "parse:extra-long", 3, "extra is longer than");
    case("gives a reason with escape sequences", "parse:reason-escapes", 3, "control characters");
    case("fails a request with escape sequences", "parse:failure-escapes", 4, "it failed with hidden");
    case("fails a request with a megabyte of text", "parse:failure-long", 4, "long long");
    let small = backend("build:body-2-mib", &["--plugin-request-mib", "1"]);
    section.case("writes a body of 2 MiB where 1 MiB is allowed", &small, 3, "more than 1048576");
    section.case("prints without end", &backend("parse:print", &SOON), 3, "stopped after 0.3 s");
    section.finish();
}
