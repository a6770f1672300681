//! Criteria that misbehave. The run has taken place by then: it is shown and kept.

use super::section::Section;
use super::{criterion, everywhere};

#[test]
fn in_every_call() {
    let mut section = Section::new("criterion-calls");
    for call in ["open", "good", "evaluate"] {
        for (what, deed, flags, says) in everywhere(&format!("sla.{call}")) {
            let outcome = criterion(&format!("{call}:{deed}"), flags);
            section.case(&format!("{what} in `{call}`"), &outcome, 3, &says);
            if call != "open" {
                assert!(outcome.stdout.contains("Successful requests:"), "{call}:{deed}\n{}", outcome.stderr);
            }
        }
    }
    section.finish();
}

#[test]
fn by_what_it_returns() {
    let mut section = Section::new("criterion-returns");
    let mut case =
        |what: &str, order: &str, code, says: &str| section.case(what, &criterion(order, &[]), code, says);
    case("does as it should", "", 0, "SLA evil-sla: PASSED");
    case("judges one request too few", "good:fewer", 3, "3 answers for 4 requests");
    case("judges one request too many", "good:more", 3, "5 answers for 4 requests");
    case("judges no request", "good:none", 3, "0 answers for 4 requests");
    case("has a margin that is no number", "evaluate:nan", 3, "a verdict's margin is NaN");
    case("has an infinite margin", "evaluate:infinite", 3, "a verdict's margin is inf");
    case("has a limit that is no number", "evaluate:limit-nan", 3, "a finding's limit is NaN");
    case("found an infinite value", "evaluate:actual-infinite", 3, "a finding's value is -inf");
    case("has a finding with escape sequences", "evaluate:finding-escapes", 3, "control characters");
    case("has a finding of a megabyte", "evaluate:finding-long", 3, "a finding's criterion is longer than");
    case("has 1,001 findings", "evaluate:findings", 3, "1001 findings, more than 1000");
    case("asks for columns that do not exist", "evaluate:columns", 0, "SLA evil-sla: PASSED");
    section.finish();
}
