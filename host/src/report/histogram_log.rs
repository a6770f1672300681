//! Histograms as an HdrHistogram interval log (format V2, deflated), which the
//! HdrHistogram tools plot, compare and merge.

use std::path::Path;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::ReportError;
use super::files::write_atomically;
use crate::metrics::TokenHistograms;

/// Nanoseconds in a millisecond: the log's human-readable maximum is in ms.
const MAX_VALUE_DIVISOR: f64 = 1e6;

/// Writes the histograms of a run that began at `started`, one interval each
/// under the tags `itl` and `itl_per_token`; values are nanoseconds.
///
/// # Errors
/// If a histogram cannot be serialised or the file not written.
pub fn write_histogram_log(
    path: &Path,
    histograms: &TokenHistograms,
    started: SystemTime,
    duration: Duration,
) -> Result<(), ReportError> {
    write_atomically(path, &log(histograms, started, duration)?)
}

fn log(
    histograms: &TokenHistograms,
    started: SystemTime,
    duration: Duration,
) -> Result<Vec<u8>, ReportError> {
    let failed = |tag| move |reason: String| ReportError::Histogram { tag, reason };
    let mut out = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment("[gaps between token events, in nanoseconds; written by vbench]")
        .with_start_time(started)
        .with_base_time(started)
        .with_max_value_divisor(MAX_VALUE_DIVISOR)
        .begin_log_with(&mut out, &mut serializer)
        .map_err(|e| failed("header")(e.to_string()))?;
    let all: [(&'static str, &Histogram<u64>); 2] =
        [("itl", &histograms.itl_ns), ("itl_per_token", &histograms.itl_per_token_ns)];
    for (tag, histogram) in all {
        writer
            .write_histogram(histogram, Duration::ZERO, duration, Tag::new(tag))
            .map_err(|e| failed(tag)(e.to_string()))?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::record::{RequestRecord, RunRecord, Task, TokenEvent, TokenKind};

    #[test]
    fn a_log_reads_back() {
        let event = |at_ns| TokenEvent { at_ns, kind: TokenKind::Content, tokens: 2 };
        let request =
            RequestRecord { token_events: vec![event(10), event(1_000_010)], ..RequestRecord::default() };
        let run = RunRecord { task: Task::Generation, start_ns: 0, end_ns: 0, requests: vec![request] };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gaps.hlog");
        let started = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        write_histogram_log(&path, &TokenHistograms::from_run(&run), started, Duration::from_secs(3))
            .unwrap();

        let bytes = std::fs::read(&path).unwrap();
        let mut seen = Vec::new();
        for entry in IntervalLogIterator::new(&bytes) {
            if let LogEntry::Interval(interval) = entry.unwrap() {
                let packed = interval.encoded_histogram();
                let histogram: Histogram<u64> =
                    Deserializer::new().deserialize(&mut decode(packed).as_slice()).unwrap();
                assert_eq!(interval.duration(), Duration::from_secs(3));
                seen.push((interval.tag().unwrap().as_str(), histogram.len(), histogram.max() / 1000));
            }
        }
        assert_eq!(seen, [("itl", 1, 1000), ("itl_per_token", 2, 500)]);
    }

    /// Base64, which the log's reader leaves to its user.
    fn decode(text: &str) -> Vec<u8> {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let (mut out, mut bits, mut have) = (Vec::new(), 0u32, 0);
        for byte in text.bytes().filter(|b| *b != b'=') {
            bits = bits << 6 | alphabet.iter().position(|c| *c == byte).unwrap() as u32;
            have += 6;
            if have >= 8 {
                have -= 8;
                out.push((bits >> have) as u8);
            }
        }
        out
    }
}
