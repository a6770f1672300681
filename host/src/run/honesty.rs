//! How well the client kept its own schedule, and whether it was the limit.

use hdrhistogram::Histogram;

use crate::clock;
use crate::metrics::{ClientReport, LagReport};
use crate::record::RunRecord;
use crate::wire::LaneReport;

/// A stamp that may be later than this at the 99th percentile is no good for
/// inter-token latencies of a fast server.
const LOOP_LAG_LIMIT_MS: f64 = 5.0;
/// Releases later than this at the 99th percentile change the load.
const RELEASE_LAG_LIMIT_MS: f64 = 5.0;
/// A thread busier than this has no reserve for bursts.
const IO_CPU_LIMIT: f64 = 0.9;
/// Less of the requested rate than this is another load than was asked for.
const RATE_LIMIT: f64 = 0.98;

/// What the client says of itself. `requested_rps` is the finite rate asked for.
pub fn client_report(
    run: &RunRecord,
    lanes: &[LaneReport],
    cpu_ns: u64,
    requested_rps: Option<f64>,
) -> ClientReport {
    let duration_s = clock::seconds_between(run.start_ns, run.end_ns);
    let loop_lag = lanes.iter().map(|lane| &lane.busy).fold(None, |total, busy| {
        let mut total: Histogram<u64> = total.unwrap_or_else(|| Histogram::new_from(busy));
        // Same bounds, so nothing can be out of range.
        let _ = total.add(busy);
        Some(total)
    });
    let loop_lag = loop_lag.filter(|busy| !busy.is_empty()).map(|busy| {
        let ms = |ns: u64| ns as f64 / 1e6;
        LagReport {
            p50_ms: ms(busy.value_at_quantile(0.5)),
            p99_ms: ms(busy.value_at_quantile(0.99)),
            max_ms: ms(busy.max()),
        }
    });
    let lateness = run
        .requests
        .iter()
        .filter(|r| r.stamps.released_ns != 0)
        .map(|r| clock::seconds_between(r.stamps.scheduled_ns, r.stamps.released_ns));
    let release = LagReport::of(lateness.collect());
    let mut reasons = Vec::new();
    if let Some(lag) = &loop_lag
        && lag.p99_ms > LOOP_LAG_LIMIT_MS
    {
        reasons.push(format!("its I/O loop was up to {:.1} ms late (p99)", lag.p99_ms));
    }
    let busiest = lanes.iter().map(|lane| clock::seconds(lane.cpu_ns)).fold(0.0, f64::max);
    if duration_s > 0.5 && busiest / duration_s > IO_CPU_LIMIT {
        reasons.push(format!("an I/O thread used {:.0} % of a core", 100.0 * busiest / duration_s));
    }
    if let Some(rate) = requested_rps {
        if let Some(lag) = &release
            && lag.p99_ms > RELEASE_LAG_LIMIT_MS
        {
            reasons.push(format!("requests were released {:.1} ms late (p99)", lag.p99_ms));
        }
        let last_release = run.requests.iter().map(|r| r.stamps.released_ns).max().unwrap_or(run.start_ns);
        let over_s = clock::seconds_between(run.start_ns, last_release);
        let achieved = run.requests.len() as f64 / over_s;
        if over_s > 0.0 && achieved < RATE_LIMIT * rate {
            reasons.push(format!("it released {achieved:.2} of {rate:.2} requests a second"));
        }
    }
    ClientReport {
        cpu_s: clock::seconds(cpu_ns),
        io_threads: lanes.len() as u32,
        loop_lag,
        client_limited: (!reasons.is_empty()).then(|| reasons.join("; ")),
    }
}
