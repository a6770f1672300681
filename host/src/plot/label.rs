//! What keys of results are called on an axis, with their unit.

/// The title of an axis or a line of a hover text: `p99_ttft_ms` is
/// `P99 TTFT (ms)`. A key that is no metric's keeps its own name, since that
/// is what the user wrote.
pub fn title(key: &str) -> String {
    if let Some((_, title)) = METRICS.iter().find(|(metric, _)| *metric == key) {
        return (*title).to_owned();
    }
    latency(key).unwrap_or_else(|| key.to_owned())
}

const METRICS: &[(&str, &str)] = &[
    ("burstiness", "Burstiness"),
    ("completed", "Completed requests"),
    ("duration", "Duration (s)"),
    ("failed", "Failed requests"),
    ("input_sequence_throughput", "Input throughput (inputs/s)"),
    ("max_concurrency", "Maximum concurrency (requests)"),
    ("max_concurrent_requests", "Peak concurrent requests"),
    ("max_output_tokens_per_s", "Peak output token throughput (tok/s)"),
    ("num_prompts", "Requests"),
    ("output_throughput", "Output token throughput (tok/s)"),
    ("request_goodput", "Goodput (req/s)"),
    ("request_rate", "Request rate (req/s)"),
    ("request_throughput", "Request throughput (req/s)"),
    ("rtfx", "RTFx (inverse real-time factor)"),
    ("total_input_tokens", "Input tokens"),
    ("total_output_tokens", "Output tokens"),
    ("total_token_throughput", "Total token throughput (tok/s)"),
];

/// `{statistic}_{metric}_ms` in words.
fn latency(key: &str) -> Option<String> {
    let (statistic, metric) = key.strip_suffix("_ms")?.split_once('_')?;
    let metric = match metric {
        "ttft" => "TTFT",
        "tpot" => "TPOT",
        "itl" => "ITL",
        "e2el" => "E2EL",
        "client_queue_time" => "client queue time",
        "e2el_including_client_queue" => "E2EL incl. client queue",
        _ => return None,
    };
    let statistic = match statistic {
        "mean" => "Mean".to_owned(),
        "median" => "Median".to_owned(),
        "std" => "Standard deviation of".to_owned(),
        percentile => {
            let number = percentile.strip_prefix('p').filter(|number| number.parse::<f64>().is_ok())?;
            format!("P{number}")
        }
    };
    Some(format!("{statistic} {metric} (ms)"))
}

#[cfg(test)]
mod tests {
    use super::title;

    #[test]
    fn metrics_have_names_and_units() {
        for (key, expected) in [
            ("median_ttft_ms", "Median TTFT (ms)"),
            ("p99.9_e2el_ms", "P99.9 E2EL (ms)"),
            ("std_itl_ms", "Standard deviation of ITL (ms)"),
            ("mean_client_queue_time_ms", "Mean client queue time (ms)"),
            ("total_token_throughput", "Total token throughput (tok/s)"),
            ("max_num_seqs", "max_num_seqs"),
            ("pause_ms", "pause_ms"),
            ("pxx_ttft_ms", "pxx_ttft_ms"),
        ] {
            assert_eq!(title(key), expected);
        }
    }
}
