//! When each request waited and when its tokens came, as a page.
//!
//! A row a request: a bar up to the first token, then one for each gap between
//! tokens, in a colour by its length. A run of many requests has more gaps than
//! a page can hold. Then neighbouring gaps of one class become one bar, which
//! looks the same, and if that is not enough, only every so many requests are
//! shown; the page says which.

use std::fmt::Write;

use serde_json::{Value, json};

use super::page;
use super::svg::escape;
use crate::metrics::Series;

const STYLE: &str = include_str!("page/timeline.css");
const SCRIPT: &str = include_str!("page/timeline.js");

/// More bars than this are not drawn one by one.
const MOST_GAPS: usize = 400_000;
/// More bars than this, requests left out included, are not drawn at all: the
/// page stays at a few megabytes.
const MOST_BARS: usize = 800_000;

/// Colours of the time to the first token and of the three classes of gaps, as
/// the reference client has them.
const COLOURS: [&str; 4] = ["#636EFA", "#109618", "#FF7F0E", "#D62728"];

/// Two lengths of gaps between tokens, in milliseconds, that part them into
/// three classes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ItlThresholds {
    low_ms: f64,
    high_ms: f64,
}

impl Default for ItlThresholds {
    fn default() -> Self {
        Self { low_ms: 25.0, high_ms: 50.0 }
    }
}

impl ItlThresholds {
    /// Reads `25,50`.
    ///
    /// # Errors
    /// Other than two numbers, or the second below the first.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split(',').collect();
        let [low, high] = words.as_slice() else {
            return Err(format!("Expected 2 ITL threshold values, got {}", words.len()));
        };
        let number = |word: &str| match word.trim().parse::<f64>() {
            Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
            _ => Err(format!("`{word}` is no number of milliseconds")),
        };
        let (low_ms, high_ms) = (number(low)?, number(high)?);
        if high_ms < low_ms {
            return Err(format!("the second threshold, {high_ms}, is below the first, {low_ms}"));
        }
        Ok(Self { low_ms, high_ms })
    }

    fn class(self, itl_s: f64) -> u8 {
        match itl_s {
            itl if itl < self.low_ms / 1e3 => 0,
            itl if itl < self.high_ms / 1e3 => 1,
            _ => 2,
        }
    }

    /// What the bars are called, the one to the first token included.
    fn names(self) -> [String; 4] {
        let Self { low_ms, high_ms } = self;
        [
            "TTFT".to_owned(),
            format!("ITL < {low_ms}ms"),
            format!("{low_ms}ms ≤ ITL < {high_ms}ms"),
            format!("ITL ≥ {high_ms}ms"),
        ]
    }
}

/// A stretch between tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bar {
    /// Its length.
    length_us: u64,
    /// How many gaps it holds.
    gaps: u64,
    /// The longest of them.
    longest_us: u64,
    /// 0 to 2.
    class: u8,
}

/// How much of the run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reduction {
    /// Neighbouring gaps of one class are one bar.
    merged: bool,
    /// Every so many requests have a row.
    stride: usize,
}

/// The page.
pub fn html(run: &Series, thresholds: ItlThresholds) -> String {
    let reduction = reduction(run, thresholds, MOST_GAPS, MOST_BARS);
    let start_s = run.start_s.iter().copied().filter(|start| *start > 0.0).fold(f64::INFINITY, f64::min);
    let rows: Vec<Value> = (0..run.len())
        .step_by(reduction.stride)
        .filter(|&request| run.start_s[request] > 0.0)
        .map(|request| row(run, request, start_s, thresholds, reduction.merged))
        .collect();
    let names = thresholds.names();
    let legend: String = names.iter().zip(COLOURS).fold(String::new(), |mut legend, (name, colour)| {
        // Writing to a String does not fail.
        let _ = write!(legend, "<span><i style=\"background:{colour}\"></i>{}</span>", escape(name));
        legend
    });
    let body = format!(
        "<header><h1>Timeline</h1><div id=\"legend\">{legend}</div></header>\n<p id=\"note\">{}</p>\n<div \
         id=\"plot\"><canvas id=\"bars\"></canvas><div id=\"values\" hidden></div></div>\n<p class=\"hint\">Wheel: zoom \
         in time. Shift and wheel: zoom in requests. Drag: move. Double click: all. Point at a bar for its values.</p>\n",
        escape(&note(run.len(), rows.len(), reduction))
    );
    let data = json!({"names": names, "colours": COLOURS, "merged": reduction.merged, "rows": rows});
    page::document("Timeline", STYLE, &body, &data, SCRIPT)
}

fn note(requests: usize, rows: usize, reduction: Reduction) -> String {
    let mut note = match reduction.stride {
        1 => format!("{rows} requests."),
        stride => format!("{rows} of {requests} requests, 1 in {stride}."),
    };
    if rows < requests.div_ceil(reduction.stride) {
        note.push_str(" Requests that were never sent have no row.");
    }
    if reduction.merged {
        note.push_str(" Neighbouring gaps between tokens that are of one class are drawn as one bar.");
    }
    note
}

/// What has to be left out so that the page is not larger than it may be.
fn reduction(run: &Series, thresholds: ItlThresholds, most_gaps: usize, most_bars: usize) -> Reduction {
    let gaps: usize = (0..run.len()).map(|request| run.itl_s(request).len()).sum();
    // A row costs about as much as four bars.
    let rows = 4 * run.len();
    if gaps + rows <= most_gaps {
        return Reduction { merged: false, stride: 1 };
    }
    let bars: usize = (0..run.len()).map(|request| runs_of(run.itl_s(request), thresholds)).sum();
    Reduction { merged: true, stride: (bars + rows).div_ceil(most_bars).max(1) }
}

/// How many stretches of one class there are.
fn runs_of(itls_s: &[f64], thresholds: ItlThresholds) -> usize {
    itls_s.chunk_by(|a, b| thresholds.class(*a) == thresholds.class(*b)).count()
}

fn bars(itls_s: &[f64], thresholds: ItlThresholds, merged: bool) -> Vec<Bar> {
    let same = |a: &f64, b: &f64| merged && thresholds.class(*a) == thresholds.class(*b);
    let bar = |gaps: &[f64]| Bar {
        length_us: microseconds(gaps.iter().sum()),
        gaps: gaps.len() as u64,
        longest_us: microseconds(gaps.iter().copied().fold(0.0, f64::max)),
        class: thresholds.class(gaps[0]),
    };
    itls_s.chunk_by(same).map(bar).collect()
}

fn microseconds(seconds: f64) -> u64 {
    // Times of a run are far below the limit, and never negative.
    (seconds.max(0.0) * 1e6).round() as u64
}

/// Index, start, time to first token, prompt and output tokens, success, and
/// the bars as text.
fn row(run: &Series, request: usize, start_s: f64, thresholds: ItlThresholds, merged: bool) -> Value {
    let bars = bars(run.itl_s(request), thresholds, merged);
    json!([
        request,
        microseconds(run.start_s[request] - start_s),
        microseconds(run.ttft_s[request]),
        run.input_tokens[request],
        run.output_tokens[request],
        u8::from(run.succeeded[request]),
        encode(&bars, merged),
    ])
}

/// Digits of the bars' numbers: each character has five bits of a number,
/// lowest first, and a sixth that says whether more follow.
const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";

/// `length * 3 + class` for each bar; for merged ones the number of gaps and
/// the longest gap as well.
fn encode(bars: &[Bar], merged: bool) -> String {
    let mut out = String::with_capacity(bars.len() * 3);
    for bar in bars {
        number(&mut out, bar.length_us * 3 + u64::from(bar.class));
        if merged {
            number(&mut out, bar.gaps);
            number(&mut out, bar.longest_us);
        }
    }
    out
}

fn number(out: &mut String, mut value: u64) {
    loop {
        let more = u64::from(value >= 32) << 5;
        out.push(char::from(DIGITS[((value & 31) | more) as usize]));
        value >>= 5;
        if more == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Task;

    fn series(requests: &[(f64, f64, &[f64])]) -> Series {
        let mut series = Series::empty(Task::Generation, 1.0);
        for (start_s, ttft_s, itls_s) in requests {
            series.succeeded.push(true);
            series.input_tokens.push(11);
            series.output_tokens.push(itls_s.len() as u64 + 1);
            series.start_s.push(*start_s);
            series.ttft_s.push(*ttft_s);
            series.latency_s.push(ttft_s + itls_s.iter().sum::<f64>());
            series.push_itl(itls_s.iter().copied());
        }
        series
    }

    fn decode(text: &str) -> Vec<u64> {
        let (mut numbers, mut value, mut shift) = (Vec::new(), 0, 0);
        for c in text.bytes() {
            let digit = DIGITS.iter().position(|d| *d == c).unwrap() as u64;
            value |= (digit & 31) << shift;
            shift += 5;
            if digit < 32 {
                numbers.push(value);
                (value, shift) = (0, 0);
            }
        }
        numbers
    }

    #[test]
    fn thresholds_are_two_numbers_in_order() {
        assert_eq!(ItlThresholds::parse("25,50"), Ok(ItlThresholds::default()));
        let names = ItlThresholds::parse("2.5, 8").unwrap().names();
        assert_eq!(names, ["TTFT", "ITL < 2.5ms", "2.5ms ≤ ITL < 8ms", "ITL ≥ 8ms"]);
        for (text, word) in
            [("25", "got 1"), ("1,2,3", "got 3"), ("a,2", "`a`"), ("9,2", "below"), ("-1,2", "`-1`")]
        {
            assert!(ItlThresholds::parse(text).unwrap_err().contains(word), "{text}");
        }
    }

    #[test]
    fn a_gap_belongs_to_the_class_that_its_threshold_begins() {
        let thresholds = ItlThresholds::parse("25,50").unwrap();
        let classes: Vec<u8> =
            [0.0, 0.0249, 0.025, 0.0499, 0.05, 9.0].map(|itl| thresholds.class(itl)).into();
        assert_eq!(classes, [0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn a_small_run_is_shown_as_it_was() {
        let run = series(&[(10.0, 0.019, &[0.005, 0.0125]), (10.25, 0.03, &[])]);
        let row = row(&run, 0, 10.0, ItlThresholds::parse("2,8").unwrap(), false);
        assert_eq!(row[2], json!(19_000));
        assert_eq!(decode(row[6].as_str().unwrap()), [5_000 * 3 + 1, 12_500 * 3 + 2]);
        let page = html(&run, ItlThresholds::default());
        assert!(page.contains("2 requests.") && page.contains("[1,250000,30000,11,1,1,\"\"]"), "{page}");
        assert!(!page.contains("Neighbouring"));
        assert!(page.contains("25ms ≤ ITL &lt; 50ms"));
    }

    #[test]
    fn requests_that_never_began_have_no_row() {
        let page = html(&series(&[(0.0, 0.0, &[]), (3.0, 0.1, &[])]), ItlThresholds::default());
        assert!(page.contains("[1,0,100000,") && page.contains("never sent"), "{page}");
    }

    #[test]
    fn a_large_run_is_thinned_out_and_says_so() {
        let slow_now_and_then: Vec<f64> = (0..100).map(|i| if i % 25 == 0 { 0.06 } else { 0.01 }).collect();
        let requests: Vec<_> =
            (0..50).map(|i| (1.0 + f64::from(i), 0.1, slow_now_and_then.as_slice())).collect();
        let run = series(&requests);
        let thresholds = ItlThresholds::default();
        let all = Reduction { merged: false, stride: 1 };
        assert_eq!(reduction(&run, thresholds, 5_200, 10), all);
        assert_eq!(reduction(&run, thresholds, 5_199, 600), Reduction { merged: true, stride: 1 });
        assert_eq!(reduction(&run, thresholds, 5_199, 100), Reduction { merged: true, stride: 6 });
        assert_eq!(
            note(50, 9, Reduction { merged: true, stride: 6 }),
            "9 of 50 requests, 1 in 6. Neighbouring gaps between tokens that are of one class are drawn as one \
             bar."
        );
        let merged = bars(&slow_now_and_then, thresholds, true);
        assert_eq!(merged.len(), 8);
        assert_eq!(merged[1], Bar { length_us: 240_000, gaps: 24, longest_us: 10_000, class: 0 });
    }

    #[test]
    fn a_hundred_thousand_requests_make_a_page_of_a_few_megabytes() {
        let itls: Vec<f64> = (0..128).map(|i| 0.01 + 0.001 * f64::from(i * 37 % 60)).collect();
        let requests: Vec<_> =
            (0..100_000).map(|i| (1.0 + f64::from(i) * 0.01, 0.1, itls.as_slice())).collect();
        let page = html(&series(&requests), ItlThresholds::default());
        assert!(page.len() < 12_000_000, "{} bytes", page.len());
        assert!(page.contains("of 100000 requests"));
    }

    proptest::proptest! {
        #[test]
        fn merging_keeps_time_and_count(itls in proptest::collection::vec(0.0..0.1f64, 0..60)) {
            let thresholds = ItlThresholds::default();
            let (apart, merged) = (bars(&itls, thresholds, false), bars(&itls, thresholds, true));
            let sum = |bars: &[Bar]| bars.iter().map(|bar| bar.length_us).sum::<u64>();
            proptest::prop_assert!(sum(&apart).abs_diff(sum(&merged)) <= itls.len() as u64);
            proptest::prop_assert_eq!(merged.iter().map(|bar| bar.gaps).sum::<u64>(), itls.len() as u64);
            proptest::prop_assert!(merged.windows(2).all(|pair| pair[0].class != pair[1].class));
            proptest::prop_assert_eq!(merged.len(), runs_of(&itls, thresholds));
            let numbers = decode(&encode(&merged, true));
            proptest::prop_assert_eq!(numbers.len(), 3 * merged.len());
        }
    }
}
