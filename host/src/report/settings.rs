//! What a report says of how the run was set up.

use jiff::civil::DateTime;
use serde::Serialize;

/// The settings that appear in reports.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSettings {
    /// Local time at which the run's results were put together; in the result
    /// and in default file names.
    pub date: DateTime,
    /// The backend's name.
    pub backend: String,
    /// The same under its older key.
    pub endpoint_type: String,
    /// `--label`.
    pub label: Option<String>,
    /// The model.
    pub model_id: String,
    /// The tokenizer; none with `--skip-tokenizer-init`.
    pub tokenizer_id: Option<String>,
    /// `--num-prompts` as given, not the number of requests.
    pub num_prompts: i64,
    /// `--metadata` in order, keys and values trimmed by whoever parsed them.
    pub metadata: Vec<(String, String)>,
    /// Requests a second; infinite without pacing and with a ramp-up.
    pub request_rate: f64,
    /// Burstiness of the arrivals.
    pub burstiness: f64,
    /// `--max-concurrency`.
    pub max_concurrency: Option<u64>,
    /// The ramp-up, if there was one.
    pub ramp_up: Option<RampUp>,
}

/// A growing request rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RampUp {
    /// `linear` or `exponential`.
    pub strategy: String,
    /// Rate at the beginning, requests a second.
    pub start_rps: u64,
    /// Rate at the end, requests a second.
    pub end_rps: u64,
}

/// The moment at which a ramp-up reached a whole rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RpsChange {
    /// The rate, requests a second.
    pub rps: i64,
    /// Local time, ISO 8601.
    pub timestamp: String,
}

/// `YYYYmmdd-HHMMSS`, the form of dates in results and file names.
pub fn date_text(date: DateTime) -> String {
    format!(
        "{:04}{:02}{:02}-{:02}{:02}{:02}",
        date.year(),
        date.month(),
        date.day(),
        date.hour(),
        date.minute(),
        date.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_fixed_width() {
        assert_eq!(date_text(jiff::civil::date(2026, 3, 4).at(5, 6, 7, 8)), "20260304-050607");
    }
}
