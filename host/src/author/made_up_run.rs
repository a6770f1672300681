//! A run that nobody made, for criteria to judge: the same on every machine.

use crate::clock::MonotonicNs;
use crate::metrics::{MetricOptions, Series, Summary};
use crate::record::{
    Failure, FailureClass, RequestRecord, RunRecord, Stamps, Task, TokenEvent, TokenKind, Usage,
};
use crate::sla::MeasuredRun;

const REQUESTS: u32 = 100;
/// The one request that failed, so that criteria meet values that are no numbers.
const FAILED: u32 = 42;
const PROMPT_TOKENS: u64 = 100;
const OUTPUT_TOKENS: u64 = 20;

const MS: MonotonicNs = 1_000_000;
/// When the run began; 0 would mean never.
const START_NS: MonotonicNs = 1000 * MS;

/// Every metric and column that a run of a server has, request by request a
/// little slower: TTFT from 50 to 149 ms, TPOT from 10 to 20 ms.
pub(super) fn made_up_run() -> MeasuredRun {
    let requests: Vec<RequestRecord> = (0..REQUESTS).map(request).collect();
    let end_ns = requests.iter().map(|request| request.stamps.end_ns).max().unwrap_or(START_NS);
    let run = RunRecord { task: Task::Generation, start_ns: START_NS, end_ns, requests };
    let series = Series::from_run(&run);
    let options = MetricOptions {
        selected: Vec::new(),
        percentiles: Vec::new(),
        capped: false,
        finite_rate: true,
        has_tokenizer: true,
        goodput: None,
    };
    MeasuredRun::new(&run, &series).with_summary(&Summary::compute(&series, &options))
}

fn request(index: u32) -> RequestRecord {
    let nth = MonotonicNs::from(index);
    let scheduled_ns = START_NS + nth * 10 * MS;
    let started_ns = scheduled_ns + MS / 10;
    let mut record = RequestRecord {
        index,
        prompt_tokens: PROMPT_TOKENS + u64::from(index),
        dataset_prompt_tokens: PROMPT_TOKENS + u64::from(index),
        requested_output_tokens: OUTPUT_TOKENS as i64,
        input_sequences: 1,
        stamps: Stamps {
            scheduled_ns,
            released_ns: scheduled_ns,
            started_ns,
            sent_ns: started_ns + MS / 10,
            headers_ns: started_ns + MS,
            first_event_ns: 0,
            end_ns: started_ns + 2 * MS,
        },
        ..RequestRecord::default()
    };
    if index == FAILED {
        record.status = 503;
        record.failure = Some(Failure { class: FailureClass::Status, message: "overloaded".to_owned() });
        return record;
    }
    let first_ns = started_ns + (50 + nth) * MS;
    let gap_ns = 10 * MS + nth * MS / 10;
    let at_ns = (0..OUTPUT_TOKENS).map(|token| first_ns + token * gap_ns);
    record.token_events =
        at_ns.map(|at_ns| TokenEvent { at_ns, kind: TokenKind::Content, tokens: 1 }).collect();
    record.stamps.first_event_ns = first_ns;
    record.stamps.end_ns = first_ns + OUTPUT_TOKENS * gap_ns;
    record.status = 200;
    record.output_tokens = OUTPUT_TOKENS;
    record.usage = Usage { output_tokens: Some(OUTPUT_TOKENS), ..Usage::default() };
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::services::RunView;

    #[test]
    fn has_what_criteria_look_at() {
        let run = made_up_run();
        assert_eq!((run.requests(), run.metric("failed")), (REQUESTS, Some(1.0)));
        for metric in ["duration", "request_throughput", "output_throughput", "total_token_throughput"] {
            assert!(run.metric(metric).is_some_and(|value| value > 0.0), "{metric}");
        }
        for metric in ["mean_ttft_ms", "p99_tpot_ms", "p50_itl_ms", "p90_e2el_ms"] {
            assert!(run.metric(metric).is_some_and(|value| value > 0.0), "{metric}");
        }
        for column in [
            "ttft_s",
            "tpot_s",
            "e2el_s",
            "ttft_scheduled_s",
            "e2el_scheduled_s",
            "prompt_tokens",
            "output_tokens",
        ] {
            let values = run.column(column).unwrap();
            assert_eq!(
                values.iter().filter(|value| **value > 0.0).count(),
                REQUESTS as usize - 1,
                "{column}"
            );
            assert!(values[FAILED as usize].is_nan(), "{column}");
        }
        assert_eq!(run.column("success").unwrap()[FAILED as usize], 0.0);
    }
}
