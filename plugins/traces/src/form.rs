//! The forms in which recorded traces are published.

use jiff::civil::DateTime;
use vbench_plugin::prelude::*;
use vbench_plugin::table::Format;

/// How a trace is written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// JSON Lines, as the reference client takes them.
    #[default]
    Jsonl,
    /// The traces of Mooncake: JSON Lines with times in milliseconds and blocks
    /// of 512 tokens.
    Mooncake,
    /// The traces of Azure's LLM inference: CSV with dates, without blocks.
    Azure,
    /// BurstGPT's: CSV with seconds, without blocks.
    Burstgpt,
}

/// What a form settles, as far as no option says otherwise.
pub(crate) struct Usual {
    pub(crate) format: Format,
    pub(crate) timestamp: &'static str,
    pub(crate) input_length: &'static str,
    pub(crate) output_length: &'static str,
    /// None where nothing is known of what prompts have in common.
    pub(crate) hash_ids: Option<&'static str>,
    pub(crate) block_tokens: i64,
    pub(crate) sec_multiplier: f64,
    /// Times are days and hours, not numbers.
    pub(crate) has_dates: bool,
    /// Times count from the first request, and requests without an answer, which
    /// had failed, are passed over.
    pub(crate) is_log: bool,
}

impl Form {
    pub(crate) fn usual(self) -> Usual {
        let jsonl = Usual {
            format: Format::Jsonl,
            timestamp: "timestamp",
            input_length: "input_length",
            output_length: "output_length",
            hash_ids: Some("hash_ids"),
            block_tokens: 16,
            sec_multiplier: 1.0,
            has_dates: false,
            is_log: false,
        };
        match self {
            Self::Jsonl => jsonl,
            Self::Mooncake => Usual { block_tokens: 512, sec_multiplier: 0.001, ..jsonl },
            Self::Azure => Usual {
                format: Format::Csv,
                timestamp: "TIMESTAMP",
                input_length: "ContextTokens",
                output_length: "GeneratedTokens",
                hash_ids: None,
                has_dates: true,
                is_log: true,
                ..jsonl
            },
            Self::Burstgpt => Usual {
                format: Format::Csv,
                timestamp: "Timestamp",
                input_length: "Request tokens",
                output_length: "Response tokens",
                hash_ids: None,
                is_log: true,
                ..jsonl
            },
        }
    }
}

/// When a request came, in the trace's own terms.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    /// A number of the trace's units, from whatever it counts from.
    Number(f64),
    /// By the calendar. All of a trace are of one time zone.
    Date(DateTime),
}

impl Moment {
    /// A date such as `2023-11-16 18:17:03.9799600`.
    pub(crate) fn date(text: &str) -> Option<Self> {
        text.parse().ok().map(Self::Date)
    }

    /// Units, which are seconds for dates, since another moment of the same
    /// trace; since what the trace counts from without one.
    pub(crate) fn since(self, first: Option<Self>) -> f64 {
        match (self, first) {
            (Self::Date(date), Some(Self::Date(first))) => date.duration_since(first).as_secs_f64(),
            (Self::Number(number), Some(Self::Number(first))) => number - first,
            (Self::Number(number), _) => number,
            (Self::Date(_), _) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_differ_by_seconds() {
        let since = |date: &str, first: &str| Moment::date(date).unwrap().since(Moment::date(first));
        assert_eq!(since("2023-11-16 18:17:03.9799600", "2023-11-16 18:17:02.9799600"), 1.0);
        assert_eq!(since("2024-05-10 00:00:00.009930+00:00", "2024-05-09 23:59:59.509930+00:00"), 0.5);
        assert_eq!(since("2024-02-28T23:59:59", "2024-03-01T00:00:00"), -86_401.0);
        for wrong in ["", "17", "2024-13-01 00:00:00", "2024-01-01 25:00:00", "yesterday"] {
            assert!(Moment::date(wrong).is_none(), "{wrong}");
        }
    }
}
