//! Tokens by what they are part of: answer, reasoning, tool calls.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::extensions::Distribution;
use super::histogram::gap_histogram;
use crate::clock::seconds_between;
use crate::record::{RunRecord, TokenKind};

/// Token events of one kind, over successful requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KindReport {
    /// Requests that have any.
    pub requests: u64,
    /// Events of the kind.
    pub events: u64,
    /// Tokens in them; none unless the format says so of every event.
    pub tokens: Option<u64>,
    /// From the beginning to the first of them, one value a request.
    pub first: Distribution,
    /// From the token event before, of whatever kind, to each of them;
    /// percentiles to three digits. None if each was the first of its request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gaps: Option<Distribution>,
}

#[derive(Debug)]
struct Gathered {
    events: u64,
    tokens: Option<u64>,
    first_s: Vec<f64>,
    gaps_ns: Histogram<u64>,
    gaps_total_ns: f64,
}

/// The kinds that occur, by the names of result files.
pub fn token_kinds(run: &RunRecord) -> BTreeMap<&'static str, KindReport> {
    let mut kinds: BTreeMap<&'static str, Gathered> = BTreeMap::new();
    for request in run.requests.iter().filter(|request| request.succeeded()) {
        let mut seen = Vec::new();
        let mut before_ns = None;
        for event in &request.token_events {
            let kind = kinds.entry(name(event.kind)).or_insert_with(|| Gathered {
                events: 0,
                tokens: Some(0),
                first_s: Vec::new(),
                gaps_ns: gap_histogram(),
                gaps_total_ns: 0.0,
            });
            kind.events += 1;
            kind.tokens =
                kind.tokens.filter(|_| event.tokens > 0).map(|tokens| tokens + u64::from(event.tokens));
            if !seen.contains(&event.kind) {
                seen.push(event.kind);
                kind.first_s.push(seconds_between(request.stamps.started_ns, event.at_ns));
            }
            if let Some(before_ns) = before_ns.replace(event.at_ns) {
                let gap_ns = event.at_ns.saturating_sub(before_ns);
                kind.gaps_ns.saturating_record(gap_ns);
                kind.gaps_total_ns += gap_ns as f64;
            }
        }
    }
    kinds.into_iter().filter_map(|(name, kind)| Some((name, kind.report()?))).collect()
}

impl Gathered {
    fn report(self) -> Option<KindReport> {
        let gaps = &self.gaps_ns;
        Some(KindReport {
            requests: self.first_s.len() as u64,
            events: self.events,
            tokens: self.tokens,
            first: Distribution::of(self.first_s)?,
            gaps: (!gaps.is_empty())
                .then(|| Distribution::of_histogram_ns(gaps, self.gaps_total_ns / gaps.len() as f64)),
        })
    }
}

/// The name of a kind in result files.
pub fn name(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Content => "content",
        TokenKind::Reasoning => "reasoning",
        TokenKind::ToolCall => "tool-call",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{RequestRecord, Stamps, Task, TokenEvent};

    #[test]
    fn kinds_are_counted_and_timed_apart() {
        use TokenKind::{Content, Reasoning, ToolCall};
        let request = |events: &[(u64, TokenKind, u32)]| RequestRecord {
            stamps: Stamps { started_ns: 1_000_000_000, ..Stamps::default() },
            token_events: events
                .iter()
                .map(|&(ms, kind, tokens)| TokenEvent { at_ns: 1_000_000_000 + ms * 1_000_000, kind, tokens })
                .collect(),
            ..RequestRecord::default()
        };
        let requests = vec![
            request(&[(10, Reasoning, 0), (30, Reasoning, 0), (60, Content, 2), (100, Content, 3)]),
            request(&[(20, Content, 1), (25, ToolCall, 0)]),
        ];
        let run = RunRecord { task: Task::Generation, start_ns: 0, end_ns: 0, requests };
        let kinds = token_kinds(&run);
        assert_eq!(kinds.keys().copied().collect::<Vec<_>>(), ["content", "reasoning", "tool-call"]);
        let content = &kinds["content"];
        assert_eq!((content.requests, content.events, content.tokens), (2, 3, Some(6)));
        assert_eq!((content.first.min_ms, content.first.max_ms), (20.0, 60.0));
        let gaps = content.gaps.unwrap();
        assert_eq!((gaps.count, gaps.mean_ms), (2, 35.0));
        let reasoning = &kinds["reasoning"];
        assert_eq!((reasoning.requests, reasoning.events, reasoning.tokens), (1, 2, None));
        assert_eq!(reasoning.gaps.unwrap().count, 1);
        assert_eq!(kinds["tool-call"].first.p50_ms, 25.0);
    }
}
