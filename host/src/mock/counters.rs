//! What `/metrics` shows, under vLLM's names.

use std::fmt::Write;

/// Counters since the start of the server.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counters {
    /// Prompt tokens of requests that entered the batch.
    pub(super) prompt_tokens: u64,
    /// Tokens whose due time has come.
    pub(super) generation_tokens: u64,
    /// Prompt tokens looked up in the prefix cache.
    pub(super) prefix_cache_queries: u64,
    /// Prompt tokens found in the prefix cache.
    pub(super) prefix_cache_hits: u64,
}

impl Counters {
    /// Prometheus text format 0.0.4.
    pub(super) fn render(&self, model: &str, running: usize, waiting: usize) -> String {
        let label = model.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let mut text = String::with_capacity(2048);
        let rows = [
            ("num_requests_running", "gauge", "Requests that generate.", running as u64),
            ("num_requests_waiting", "gauge", "Requests that wait for the batch.", waiting as u64),
            ("prompt_tokens_total", "counter", "Prompt tokens of admitted requests.", self.prompt_tokens),
            ("generation_tokens_total", "counter", "Generated tokens.", self.generation_tokens),
            (
                "prefix_cache_queries_total",
                "counter",
                "Prompt tokens looked up in the prefix cache.",
                self.prefix_cache_queries,
            ),
            (
                "prefix_cache_hits_total",
                "counter",
                "Prompt tokens found in the prefix cache.",
                self.prefix_cache_hits,
            ),
        ];
        for (name, kind, help, value) in rows {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "# HELP vllm:{name} {help}\n# TYPE vllm:{name} {kind}\n\
                 vllm:{name}{{engine=\"0\",model_name=\"{label}\"}} {value}.0"
            );
        }
        text
    }
}
