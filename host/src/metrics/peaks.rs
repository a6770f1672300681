//! Peak throughput and concurrency: the reference client's bucket method, and
//! exact figures beside it.

use serde::Serialize;

use super::series::Series;
use crate::record::{RequestRecord, RunRecord};

/// Peaks as the reference client counts them, by buckets of one second from
/// the first start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BucketPeaks {
    /// Most token events in one bucket. Events count, not their tokens.
    pub output_events_per_s: f64,
    /// Most requests that touched one bucket. Over-counts: requests that
    /// followed each other within a second count as concurrent.
    pub concurrent_requests: u64,
}

/// Peaks as they were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ExactPeaks {
    /// Most requests under way at one moment, failed ones included.
    pub concurrent_requests: u64,
    /// Most output tokens in any second, windows starting every 10 ms.
    pub output_tokens_per_s: f64,
}

/// Peaks by the bucket method, over successful requests.
pub fn bucket_peaks(series: &Series) -> BucketPeaks {
    let end_s = |i: usize| series.start_s[i] + series.latency_s[i];
    let t_min = series.successes().map(|i| series.start_s[i]).fold(f64::INFINITY, f64::min);
    let t_max = series.successes().map(end_s).fold(f64::NEG_INFINITY, f64::max);
    if t_max < t_min {
        return BucketPeaks::default();
    }
    let buckets = (t_max - t_min).ceil() as usize + 1;
    let mut tokens = vec![0u64; buckets];
    // Differences instead of a loop over the seconds of every request.
    let mut touched = vec![0i64; buckets + 1];
    for i in series.successes() {
        let mut at = series.start_s[i] + series.ttft_s[i];
        count(&mut tokens, at - t_min);
        for gap in series.itl_s(i) {
            at += gap;
            count(&mut tokens, at - t_min);
        }
        let first = (series.start_s[i] - t_min) as usize;
        let last = ((end_s(i) - t_min) as usize).min(buckets - 1);
        touched[first] += 1;
        touched[last.max(first) + 1] -= 1;
    }
    let mut now = 0;
    let concurrent = touched.iter().map(|change| {
        now += change;
        now
    });
    BucketPeaks {
        concurrent_requests: concurrent.max().unwrap_or(0).unsigned_abs(),
        output_events_per_s: tokens.into_iter().max().unwrap_or(0) as f64,
    }
}

fn count(buckets: &mut [u64], offset_s: f64) {
    if let Some(bucket) = buckets.get_mut(offset_s as usize) {
        *bucket += 1;
    }
}

/// Tokens in one event of the request: as the event says, else the output
/// spread evenly over the events, else one.
pub fn tokens_of_event(request: &RequestRecord, event: usize) -> f64 {
    match request.token_events[event].tokens {
        0 if request.output_tokens > 0 => request.output_tokens as f64 / request.token_events.len() as f64,
        0 => 1.0,
        known => f64::from(known),
    }
}

const BINS_PER_S: u64 = 100;
const BIN_NS: u64 = 1_000_000_000 / BINS_PER_S;

/// Peaks from the stamps themselves: a sweep over starts and ends, and a
/// sliding window over the tokens of successful requests.
pub fn exact_peaks(run: &RunRecord) -> ExactPeaks {
    let mut edges: Vec<(u64, i64)> = Vec::with_capacity(run.requests.len() * 2);
    for request in &run.requests {
        let (from, to) = (request.stamps.started_ns, request.stamps.end_ns);
        if from != 0 && to >= from {
            edges.extend([(from, 1), (to, -1)]);
        }
    }
    // At equal times the end comes first: a slot handed over is one request.
    edges.sort_unstable();
    let (mut now, mut most) = (0i64, 0i64);
    for (_, change) in edges {
        now += change;
        most = most.max(now);
    }
    ExactPeaks { concurrent_requests: most.unsigned_abs(), output_tokens_per_s: peak_tokens_per_s(run) }
}

fn peak_tokens_per_s(run: &RunRecord) -> f64 {
    let events = || run.requests.iter().filter(|r| r.succeeded()).flat_map(|r| &r.token_events);
    let (Some(first), Some(last)) = (events().map(|e| e.at_ns).min(), events().map(|e| e.at_ns).max()) else {
        return 0.0;
    };
    let mut bins = vec![0.0f64; ((last - first) / BIN_NS) as usize + 1];
    for request in run.requests.iter().filter(|r| r.succeeded()) {
        for (i, event) in request.token_events.iter().enumerate() {
            bins[((event.at_ns - first) / BIN_NS) as usize] += tokens_of_event(request, i);
        }
    }
    let width = BINS_PER_S as usize;
    let (mut window, mut most) = (0.0f64, 0.0f64);
    for (i, tokens) in bins.iter().enumerate() {
        window += tokens;
        if i >= width {
            window -= bins[i - width];
        }
        most = most.max(window);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Stamps, Task, TokenEvent, TokenKind};

    fn request(started_ms: u64, ended_ms: u64, tokens: &[(u64, u32)]) -> RequestRecord {
        let ms = 1_000_000;
        RequestRecord {
            stamps: Stamps { started_ns: started_ms * ms, end_ns: ended_ms * ms, ..Stamps::default() },
            token_events: tokens
                .iter()
                .map(|&(at, tokens)| TokenEvent { at_ns: at * ms, kind: TokenKind::Content, tokens })
                .collect(),
            output_tokens: 6,
            status: 200,
            ..RequestRecord::default()
        }
    }

    fn run(requests: Vec<RequestRecord>) -> RunRecord {
        RunRecord { task: Task::Generation, start_ns: 0, end_ns: 9_000_000_000, requests }
    }

    #[test]
    fn requests_one_after_another_are_concurrent_only_by_buckets() {
        let run = run(vec![
            request(1000, 1100, &[(1050, 0), (1100, 0)]),
            request(1100, 1200, &[(1200, 0)]),
            request(1300, 1400, &[(1400, 0)]),
        ]);
        let peaks = bucket_peaks(&Series::from_run(&run));
        assert_eq!((peaks.concurrent_requests, peaks.output_events_per_s), (3, 4.0));
        assert_eq!(exact_peaks(&run).concurrent_requests, 1);
    }

    #[test]
    fn tokens_weigh_in_the_exact_peak() {
        // 2 + 3 tokens lie within a second; 6 tokens in one unmarked event come later.
        let run = run(vec![request(1000, 3000, &[(1990, 2), (2010, 3)]), request(1000, 5000, &[(5000, 0)])]);
        let peaks = bucket_peaks(&Series::from_run(&run));
        assert_eq!((peaks.output_events_per_s, peaks.concurrent_requests), (1.0, 2));
        assert_eq!(exact_peaks(&run), ExactPeaks { concurrent_requests: 2, output_tokens_per_s: 6.0 });
    }

    #[test]
    fn no_success_no_peak() {
        assert_eq!(bucket_peaks(&Series::from_run(&run(vec![]))), BucketPeaks::default());
        assert_eq!(exact_peaks(&run(vec![])), ExactPeaks::default());
    }
}
