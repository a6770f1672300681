//! Histograms of the gaps between token events.

use hdrhistogram::Histogram;

use super::peaks::tokens_of_event;
use crate::record::RunRecord;

/// Longest gap kept apart: a day. Longer ones count as a day.
const MAX_NS: u64 = 24 * 3600 * 1_000_000_000;
/// Significant decimal digits; a percentile is off by at most 0.1 %.
const DIGITS: u8 = 3;

/// Gaps of all successful requests, in nanoseconds.
#[derive(Debug, Clone)]
pub struct TokenHistograms {
    /// Gaps between token events.
    pub itl_ns: Histogram<u64>,
    /// The gaps shared out among the tokens of the later event, one count a token.
    pub itl_per_token_ns: Histogram<u64>,
    /// Sum of the gaps and number of tokens after them, unrounded.
    per_token_totals: (f64, f64),
}

impl TokenHistograms {
    /// Records the gaps of a run.
    pub fn from_run(run: &RunRecord) -> Self {
        let mut histograms =
            Self { itl_ns: gap_histogram(), itl_per_token_ns: gap_histogram(), per_token_totals: (0.0, 0.0) };
        for request in run.requests.iter().filter(|r| r.succeeded()) {
            for (i, pair) in request.token_events.windows(2).enumerate() {
                let gap_ns = pair[1].at_ns.saturating_sub(pair[0].at_ns);
                let tokens = tokens_of_event(request, i + 1);
                histograms.itl_ns.saturating_record(gap_ns);
                let share_ns = (gap_ns as f64 / tokens).round() as u64;
                // A fraction of a token (more events than tokens) counts as one.
                histograms.itl_per_token_ns.saturating_record_n(share_ns, tokens.round().max(1.0) as u64);
                histograms.per_token_totals.0 += gap_ns as f64;
                histograms.per_token_totals.1 += tokens;
            }
        }
        histograms
    }

    /// Mean time per token over all gaps, exact; none without gaps.
    pub fn mean_per_token_ns(&self) -> Option<f64> {
        let (gaps_ns, tokens) = self.per_token_totals;
        (tokens > 0.0).then(|| gaps_ns / tokens)
    }
}

/// An empty histogram of gaps in nanoseconds.
pub(super) fn gap_histogram() -> Histogram<u64> {
    Histogram::new_with_max(MAX_NS, DIGITS).expect("constant bounds that the library accepts")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{RequestRecord, Task, TokenEvent, TokenKind};

    fn run(output_tokens: u64, events: &[(u64, u32)]) -> RunRecord {
        let token_events = events
            .iter()
            .map(|&(at, tokens)| TokenEvent { at_ns: at * 1000, kind: TokenKind::Content, tokens })
            .collect();
        let request = RequestRecord { token_events, output_tokens, ..RequestRecord::default() };
        RunRecord { task: Task::Generation, start_ns: 0, end_ns: 0, requests: vec![request] }
    }

    #[test]
    fn shares_a_gap_among_the_tokens_that_it_brought() {
        let h = TokenHistograms::from_run(&run(9, &[(0, 1), (400, 4), (500, 1)]));
        assert_eq!((h.itl_ns.len(), h.itl_per_token_ns.len()), (2, 5));
        assert!(h.itl_per_token_ns.equivalent(h.itl_per_token_ns.max(), 100_000));
        assert_eq!(h.mean_per_token_ns(), Some(100_000.0));
    }

    #[test]
    fn falls_back_to_tokens_over_events() {
        let h = TokenHistograms::from_run(&run(6, &[(0, 0), (200, 0), (400, 0)]));
        assert_eq!((h.itl_per_token_ns.len(), h.mean_per_token_ns()), (4, Some(100_000.0)));
        assert_eq!(TokenHistograms::from_run(&run(6, &[(0, 0)])).mean_per_token_ns(), None);
    }
}
