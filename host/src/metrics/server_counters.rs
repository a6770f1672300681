//! What the server's own counters say of a run: the difference of two
//! readings of its `/metrics` text.

use std::collections::BTreeMap;

use serde::Serialize;

const SPEC_DECODE: &str = "vllm:spec_decode";
const DIFFUSION: &str = "vllm:diffusion";
const PREFIX_HITS: &str = "vllm:prefix_cache_hits_total";
const PREFIX_QUERIES: &str = "vllm:prefix_cache_queries_total";

/// How far the server's count of prompt tokens may exceed our own before it
/// is called somebody else's traffic.
const FOREIGN_SHARE: f64 = 0.1;

/// One reading of the counters, summed over label sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerCounters {
    spec_decode: Option<SpecDecodeCounters>,
    diffusion: Option<DiffusionCounters>,
    prefix_cache: Option<PrefixCacheCounters>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct SpecDecodeCounters {
    drafts: i64,
    draft_tokens: i64,
    accepted_tokens: i64,
    accepted_per_position: BTreeMap<i64, i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct DiffusionCounters {
    denoising_steps: i64,
    canvas_positions: i64,
    committed_tokens: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct PrefixCacheCounters {
    hits: i64,
    queries: i64,
}

/// Speculative decoding during the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SpeculativeDecoding {
    /// Accepted draft tokens, percent.
    pub acceptance_rate: f64,
    /// Tokens gained a draft, the verified one included.
    pub acceptance_length: f64,
    /// Drafts made.
    pub num_drafts: i64,
    /// Tokens drafted.
    pub draft_tokens: i64,
    /// Tokens accepted.
    pub accepted_tokens: i64,
    /// Share of drafts whose token at each position was accepted, ascending.
    pub per_position_acceptance_rates: Vec<f64>,
}

/// Diffusion decoding during the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiffusionDecoding {
    /// Committed tokens a second of the run.
    pub committed_throughput: f64,
    /// Denoising steps a canvas.
    pub steps_per_canvas: f64,
    /// Tokens committed a denoising step.
    pub committed_per_step: f64,
    /// Tokens committed.
    pub committed_tokens: i64,
    /// Denoising steps, without the step that starts each canvas.
    pub denoising_steps: i64,
    /// Canvas positions evaluated.
    pub canvas_positions: i64,
}

/// The server's prefix cache during the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PrefixCache {
    /// Prompt tokens looked up.
    pub query_tokens: i64,
    /// Prompt tokens found.
    pub hit_tokens: i64,
    /// Found over looked up.
    pub hit_rate: f64,
    /// Set if the figures cannot be this run's alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

impl ServerCounters {
    /// Reads a Prometheus text. Lines that are no counters of interest, and
    /// values that are no numbers, are passed over.
    pub fn parse(text: &str) -> Self {
        let mut counters = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ', '\t']).next().unwrap_or_default();
            if !name.ends_with("_total") {
                continue;
            }
            let Some(value) = line.split_whitespace().next_back().and_then(integer) else { continue };
            counters.add(name, line, value);
        }
        counters
    }

    fn add(&mut self, name: &str, line: &str, value: i64) {
        if name.starts_with(SPEC_DECODE) {
            let c = self.spec_decode.get_or_insert_default();
            if name.contains("num_drafts") {
                add_to(&mut c.drafts, value);
            } else if name.contains("num_draft_tokens") {
                add_to(&mut c.draft_tokens, value);
            } else if name.contains("num_accepted_tokens_per_pos") {
                if let Some(position) = label(line, "position").and_then(|p| p.trim().parse().ok()) {
                    add_to(c.accepted_per_position.entry(position).or_default(), value);
                }
            } else if name.contains("num_accepted_tokens") {
                add_to(&mut c.accepted_tokens, value);
            }
        } else if name.starts_with(DIFFUSION) {
            let c = self.diffusion.get_or_insert_default();
            if name.contains("num_denoising_steps") {
                add_to(&mut c.denoising_steps, value);
            } else if name.contains("num_canvas_positions") {
                add_to(&mut c.canvas_positions, value);
            } else if name.contains("num_committed_tokens") {
                add_to(&mut c.committed_tokens, value);
            }
        } else if name == PREFIX_HITS {
            add_to(&mut self.prefix_cache.get_or_insert_default().hits, value);
        } else if name == PREFIX_QUERIES {
            add_to(&mut self.prefix_cache.get_or_insert_default().queries, value);
        }
    }

    /// Speculative decoding between two readings; none if nothing was drafted.
    pub fn speculative_decoding(before: &Self, after: &Self) -> Option<SpeculativeDecoding> {
        let (before, after) = (before.spec_decode.as_ref()?, after.spec_decode.as_ref()?);
        let drafts = after.drafts.saturating_sub(before.drafts);
        let draft_tokens = after.draft_tokens.saturating_sub(before.draft_tokens);
        let accepted = after.accepted_tokens.saturating_sub(before.accepted_tokens);
        if draft_tokens <= 0 {
            return None;
        }
        let mut per_position = Vec::new();
        if drafts > 0 {
            let mut positions = before.accepted_per_position.clone();
            positions.extend(&after.accepted_per_position);
            for (position, then) in positions {
                let earlier = before.accepted_per_position.get(&position).copied().unwrap_or(0);
                per_position.push(then.saturating_sub(earlier) as f64 / drafts as f64);
            }
        }
        Some(SpeculativeDecoding {
            acceptance_rate: accepted as f64 / draft_tokens as f64 * 100.0,
            acceptance_length: if drafts > 0 { 1.0 + accepted as f64 / drafts as f64 } else { 0.0 },
            num_drafts: drafts,
            draft_tokens,
            accepted_tokens: accepted,
            per_position_acceptance_rates: per_position,
        })
    }

    /// Diffusion decoding between two readings; none if nothing was committed.
    pub fn diffusion_decoding(before: &Self, after: &Self, duration_s: f64) -> Option<DiffusionDecoding> {
        let (before, after) = (before.diffusion.as_ref()?, after.diffusion.as_ref()?);
        let steps = after.denoising_steps.saturating_sub(before.denoising_steps);
        let positions = after.canvas_positions.saturating_sub(before.canvas_positions);
        let committed = after.committed_tokens.saturating_sub(before.committed_tokens);
        if steps <= 0 || committed <= 0 {
            return None;
        }
        // A canvas holds as many positions as one step evaluates; each canvas
        // starts with a step that denoises nothing.
        let block = positions as f64 / steps as f64;
        let canvases = ratio(committed as f64, block);
        let denoising = steps as f64 - canvases;
        Some(DiffusionDecoding {
            committed_throughput: ratio(committed as f64, duration_s),
            steps_per_canvas: ratio(denoising, canvases),
            committed_per_step: ratio(committed as f64, denoising),
            committed_tokens: committed,
            denoising_steps: denoising as i64,
            canvas_positions: positions,
        })
    }

    /// The prefix cache between two readings; none if nothing was looked up.
    /// `sent_tokens` is how many prompt tokens this run sent in between.
    pub fn prefix_cache(before: &Self, after: &Self, sent_tokens: u64) -> Option<PrefixCache> {
        let (before, after) = (before.prefix_cache.as_ref()?, after.prefix_cache.as_ref()?);
        let queries = after.queries.saturating_sub(before.queries);
        let hits = after.hits.saturating_sub(before.hits);
        if queries <= 0 {
            return None;
        }
        let foreign = queries as f64 > sent_tokens as f64 * (1.0 + FOREIGN_SHARE);
        Some(PrefixCache {
            query_tokens: queries,
            hit_tokens: hits,
            hit_rate: hits as f64 / queries as f64,
            warning: foreign.then(|| {
                format!(
                    "the server looked up {queries} prompt tokens while this run sent {sent_tokens}: \
                     other traffic, or lookups repeated after preemption, are in the hit rate"
                )
            }),
        })
    }
}

/// Counters of a server are not to be trusted to stay within range.
fn add_to(counter: &mut i64, value: i64) {
    *counter = counter.saturating_add(value);
}

fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

/// `int(float(text))`: cut towards zero; none for what is no finite number.
fn integer(text: &str) -> Option<i64> {
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some(value as i64)
}

fn label<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("{name}=\""))?;
    Some(rest.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(lines: &[&str]) -> ServerCounters {
        ServerCounters::parse(&lines.join("\n"))
    }

    #[test]
    fn speculative_decoding_from_two_readings() {
        let before = counters(&[
            "# HELP vllm:spec_decode_num_drafts_total Number of drafts.",
            "vllm:spec_decode_num_drafts_total{engine=\"0\"} 10.0",
            "vllm:spec_decode_num_draft_tokens_total{engine=\"0\"} 30.0",
            "vllm:spec_decode_num_accepted_tokens_total{engine=\"0\"} 1.0",
            "vllm:spec_decode_num_accepted_tokens_per_pos_total{engine=\"0\",position=\"0\"} 1.0",
            "vllm:spec_decode_num_drafts_created{engine=\"0\"} 1.7e9",
        ]);
        let after = counters(&[
            "vllm:spec_decode_num_drafts_total{engine=\"0\"} 12.0",
            "vllm:spec_decode_num_drafts_total{engine=\"1\"} 2",
            "vllm:spec_decode_num_draft_tokens_total{engine=\"0\"} 4.2e1",
            "vllm:spec_decode_num_accepted_tokens_total{engine=\"0\"} 4.0",
            "vllm:spec_decode_num_accepted_tokens_per_pos_total{engine=\"0\",position=\"0\"} 3.0",
            "vllm:spec_decode_num_accepted_tokens_per_pos_total{engine=\"0\",position=\"10\"} 0",
            "vllm:spec_decode_num_accepted_tokens_per_pos_total{engine=\"0\",position=\"2\"} 1",
        ]);
        let spec = ServerCounters::speculative_decoding(&before, &after).unwrap();
        assert_eq!((spec.num_drafts, spec.draft_tokens, spec.accepted_tokens), (4, 12, 3));
        assert_eq!((spec.acceptance_rate, spec.acceptance_length), (25.0, 1.75));
        assert_eq!(spec.per_position_acceptance_rates, [0.5, 0.25, 0.0]);
        assert_eq!(ServerCounters::speculative_decoding(&after, &after), None);
        assert_eq!(ServerCounters::speculative_decoding(&ServerCounters::default(), &after), None);
    }

    #[test]
    fn diffusion_decoding_from_two_readings() {
        let reading = |steps, positions, committed| {
            counters(&[
                &format!("vllm:diffusion_num_denoising_steps_total {steps}"),
                &format!("vllm:diffusion_num_canvas_positions_total {positions}"),
                &format!("vllm:diffusion_num_committed_tokens_total {committed}"),
            ])
        };
        let d =
            ServerCounters::diffusion_decoding(&reading(5, 160, 64), &reading(105, 3360, 704), 0.5).unwrap();
        assert_eq!((d.steps_per_canvas, d.committed_per_step, d.committed_throughput), (4.0, 8.0, 1280.0));
        assert_eq!((d.committed_tokens, d.denoising_steps, d.canvas_positions), (640, 80, 3200));
        assert_eq!(ServerCounters::diffusion_decoding(&reading(5, 160, 64), &reading(9, 160, 64), 1.0), None);
        // A server that counts no positions divides nothing by zero.
        let odd = ServerCounters::diffusion_decoding(&reading(0, 0, 0), &reading(4, 0, 9), 0.0).unwrap();
        assert_eq!((odd.steps_per_canvas, odd.committed_throughput), (0.0, 0.0));
    }

    #[test]
    fn prefix_cache_tells_foreign_traffic() {
        let reading = |queries, hits| {
            counters(&[
                &format!("vllm:prefix_cache_queries_total{{model_name=\"m\"}} {queries}"),
                &format!("vllm:prefix_cache_hits_total{{model_name=\"m\"}} {hits}"),
            ])
        };
        let own = ServerCounters::prefix_cache(&reading(100, 0), &reading(1100, 250), 1000).unwrap();
        assert_eq!((own.hit_rate, own.warning), (0.25, None));
        let shared = ServerCounters::prefix_cache(&reading(100, 0), &reading(1300, 250), 1000).unwrap();
        assert!(shared.warning.unwrap().contains("1200 prompt tokens"));
        assert_eq!(ServerCounters::prefix_cache(&reading(100, 0), &reading(100, 0), 0), None);
    }

    #[test]
    fn garbage_is_passed_over() {
        let got = counters(&[
            "",
            "vllm:spec_decode_num_drafts_total",
            "vllm:spec_decode_num_drafts_total inf",
            "vllm:spec_decode_num_accepted_tokens_per_pos_total{position=\"x\"} 3",
            "vllm:prefix_cache_hits_total 1e300",
        ]);
        assert_eq!(got.spec_decode, Some(SpecDecodeCounters::default()));
        assert_eq!(got.prefix_cache.unwrap().hits, i64::MAX);
    }
}
