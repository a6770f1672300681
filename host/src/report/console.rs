//! The table at the end of a run.

use super::python_float::percentile_label;
use super::result_json::ReportInput;
use crate::metrics::{DiffusionDecoding, Extensions, ProbeSummary, SpeculativeDecoding, kind_name};
use crate::record::{Task, TokenKind};

/// Failures that are shown one by one.
const SHOWN_FAILURES: usize = 10;

/// The text from the list of failures to the closing rule, line ends included.
/// With `reference_tip` there is the reference client's advice on its own plots
/// in the terminal, which means nothing to anyone else.
pub fn render(input: &ReportInput<'_>, reference_tip: bool) -> String {
    let mut table = Table::default();
    let generation = input.summary.task == Task::Generation;
    if generation {
        table.failures(input);
        if reference_tip && input.summary.completed > 0 {
            table.line("tip: install termplotlib and gnuplot to plot the metrics");
        }
    }
    table.text += &format!("{:=^50}\n", " Serving Benchmark Result ");
    table.totals(input);
    if let Some(probes) = input.probes {
        table.probes(probes);
    }
    table.latencies(input);
    if let Some(diffusion) = input.diffusion {
        table.diffusion(diffusion);
    } else if let Some(speculative) = input.speculative {
        table.speculative(speculative);
    }
    table.line(&"=".repeat(50));
    table.text
}

/// What the reference client's table has no place for: the server's prefix
/// cache, and kinds of token beside content. Empty if there is nothing of both.
pub fn render_beyond(extensions: &Extensions) -> String {
    let mut table = Table::default();
    if extensions.token_kinds.keys().any(|kind| *kind != kind_name(TokenKind::Content)) {
        table.kinds(extensions);
    }
    if let Some(cache) = &extensions.prefix_cache {
        table.section("Prefix Cache");
        table.row("Prompt tokens looked up:", cache.query_tokens);
        table.row("Prompt tokens found:", cache.hit_tokens);
        table.number("Hit rate (%):", cache.hit_rate * 100.0);
    }
    if !table.text.is_empty() {
        table.line(&"=".repeat(50));
    }
    table.text
}

#[derive(Default)]
struct Table {
    text: String,
}

impl Table {
    fn line(&mut self, line: &str) {
        self.text += line;
        self.text.push('\n');
    }

    fn section(&mut self, title: &str) {
        self.text += &format!("{title:-^50}\n");
    }

    fn row(&mut self, label: &str, value: impl std::fmt::Display) {
        self.text += &format!("{label:<40} {:<10}\n", value.to_string());
    }

    fn number(&mut self, label: &str, value: f64) {
        self.row(label, format_args!("{value:.2}"));
    }

    fn failures(&mut self, input: &ReportInput<'_>) {
        let failures = input.run.requests.iter().filter_map(|r| r.failure.as_ref());
        for (i, failure) in failures.take(SHOWN_FAILURES).enumerate() {
            if i == 0 {
                self.line("Failed requests during benchmark run detected (capping to 10):");
            }
            self.line(&format!("Error {i}: {}", failure.message));
        }
    }

    fn totals(&mut self, input: &ReportInput<'_>) {
        let (s, settings) = (input.summary, input.settings);
        let generation = s.task == Task::Generation;
        let tokenizer = settings.tokenizer_id.is_some();
        self.row("Successful requests:", s.completed);
        self.row("Failed requests:", s.failed);
        if let Some(cap) = settings.max_concurrency {
            self.row("Maximum request concurrency:", cap);
        }
        if settings.request_rate.is_finite() {
            self.number("Request rate configured (RPS):", settings.request_rate);
        }
        self.number("Benchmark duration (s):", s.duration_s);
        self.row("Total input tokens:", s.total_input_tokens);
        if generation && tokenizer {
            self.row("Total generated tokens:", s.total_output_tokens);
        }
        self.number("Request throughput (req/s):", s.request_throughput);
        if !generation {
            self.number("Input throughput (inputs/s):", s.input_sequence_throughput);
        }
        if let Some(goodput) = s.request_goodput {
            self.number("Request goodput (req/s):", goodput);
        }
        if generation {
            if tokenizer {
                self.number("Output token throughput (tok/s):", s.output_throughput);
                self.number("Peak output token throughput (tok/s):", s.peaks.output_events_per_s);
            }
            self.number("Peak concurrent requests:", s.peaks.concurrent_requests as f64);
            if s.rtfx > 0.0 {
                self.number("RTFx (Inverse Real-Time Factor):", s.rtfx);
            }
        }
        if tokenizer {
            self.number("Total token throughput (tok/s):", s.total_token_throughput);
        }
    }

    fn probes(&mut self, probes: &ProbeSummary) {
        self.section("Probe Requests");
        self.row("Probe requests completed:", probes.completed);
        self.row("Probe requests failed:", probes.failed);
        self.number("Median probe E2EL (ms):", probes.median_e2el_ms);
        self.number("P99 probe E2EL (ms):", probes.p99_e2el_ms);
        self.number("Max probe E2EL (ms):", probes.max_e2el_ms);
    }

    fn latencies(&mut self, input: &ReportInput<'_>) {
        for latency in &input.summary.latencies {
            let label = latency.metric.label();
            self.section(latency.metric.title());
            self.number(&format!("Mean {label} (ms):"), latency.mean_ms);
            self.number(&format!("Median {label} (ms):"), latency.median_ms);
            for &(percent, value) in &latency.percentiles_ms {
                self.number(&format!("P{} {label} (ms):", percentile_label(percent)), value);
            }
        }
    }

    fn kinds(&mut self, extensions: &Extensions) {
        self.section("Kinds of Token");
        for (kind, report) in &extensions.token_kinds {
            self.row(&format!("Events, {kind}:"), report.events);
            self.number(&format!("Median time to first, {kind} (ms):"), report.first.p50_ms);
            if let Some(gaps) = &report.gaps {
                self.number(&format!("Median ITL, {kind} (ms):"), gaps.p50_ms);
            }
        }
    }

    fn diffusion(&mut self, d: &DiffusionDecoding) {
        self.section("Diffusion Decoding");
        self.number("Committed throughput (tok/s):", d.committed_throughput);
        self.number("Denoising steps per canvas:", d.steps_per_canvas);
        self.number("Committed per denoising step:", d.committed_per_step);
        self.row("Committed tokens:", d.committed_tokens);
        self.row("Denoising steps:", d.denoising_steps);
        self.row("Canvas positions evaluated:", d.canvas_positions);
    }

    fn speculative(&mut self, s: &SpeculativeDecoding) {
        self.section("Speculative Decoding");
        self.number("Acceptance rate (%):", s.acceptance_rate);
        self.number("Acceptance length:", s.acceptance_length);
        self.row("Drafts:", s.num_drafts);
        self.row("Draft tokens:", s.draft_tokens);
        self.row("Accepted tokens:", s.accepted_tokens);
        if !s.per_position_acceptance_rates.is_empty() {
            self.line("Per-position acceptance (%):");
        }
        for (i, rate) in s.per_position_acceptance_rates.iter().enumerate() {
            self.number(&format!("  Position {i}:"), rate * 100.0);
        }
    }
}
