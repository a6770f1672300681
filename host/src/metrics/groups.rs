//! The same figures for each group of requests, by the labels that the dataset
//! gave its samples.

use std::collections::BTreeMap;

use serde::Serialize;

use super::extensions::Distribution;
use super::series::Series;
use crate::record::RunRecord;

/// Values of one label that get figures of their own; a label with more of them
/// is an id, not a group.
const MOST_VALUES: usize = 100;
/// What stands for all values beyond those.
const OTHERS: &str = "\u{2026}others";

/// Figures of the requests with one value of a label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// Requests that succeeded.
    pub completed: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Input tokens of the successes.
    pub input_tokens: u64,
    /// Output tokens of the successes.
    pub output_tokens: u64,
    /// From the beginning to the first token, over the successes that had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft: Option<Distribution>,
    /// Time per output token after the first, over the successes with several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tpot: Option<Distribution>,
    /// From the beginning to the last token, over the successes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e2el: Option<Distribution>,
}

/// Groups by name of the label, then by its value.
pub type Groups = BTreeMap<String, BTreeMap<String, Group>>;

/// The groups of a run; empty when no sample has a label. `series` has to be
/// that of the run. Of a label with more than 100 values, those with the most
/// requests keep their own figures and the others share some.
pub fn groups(run: &RunRecord, series: &Series) -> Groups {
    let mut members: BTreeMap<&str, BTreeMap<&str, Vec<usize>>> = BTreeMap::new();
    for (at, request) in run.requests.iter().enumerate() {
        for (name, value) in &request.tags {
            members.entry(name).or_default().entry(value).or_default().push(at);
        }
    }
    let of_label = |values: BTreeMap<&str, Vec<usize>>| {
        let mut values: Vec<(&str, Vec<usize>)> = values.into_iter().collect();
        let mut others = Vec::new();
        if values.len() > MOST_VALUES {
            // Stable, so that equals keep the order of their names.
            values.sort_by_key(|(_, requests)| std::cmp::Reverse(requests.len()));
            others.extend(values.drain(MOST_VALUES..).flat_map(|(_, requests)| requests));
        }
        if !others.is_empty() {
            values.push((OTHERS, others));
        }
        values.into_iter().map(|(value, requests)| (value.to_owned(), group(&requests, series))).collect()
    };
    members.into_iter().map(|(name, values)| (name.to_owned(), of_label(values))).collect()
}

fn group(requests: &[usize], series: &Series) -> Group {
    let successes: Vec<usize> = requests.iter().copied().filter(|&at| series.succeeded[at]).collect();
    let total = |column: &[u64]| successes.iter().map(|&at| column[at]).sum();
    let over = |value: &dyn Fn(usize) -> Option<f64>| {
        Distribution::of(successes.iter().filter_map(|&at| value(at)).collect())
    };
    Group {
        completed: successes.len() as u64,
        failed: (requests.len() - successes.len()) as u64,
        input_tokens: total(&series.input_tokens),
        output_tokens: total(&series.output_tokens),
        ttft: over(&|at| Some(series.ttft_s[at]).filter(|&ttft_s| ttft_s > 0.0)),
        tpot: over(&|at| series.tpot_s(at)),
        e2el: over(&|at| Some(series.latency_s[at])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Failure, FailureClass, RequestRecord, Stamps, Task, TokenEvent, TokenKind};

    fn request(tags: &[(&str, &str)], end_ns: u64) -> RequestRecord {
        let event = |at_ns| TokenEvent { at_ns, kind: TokenKind::Content, tokens: 0 };
        RequestRecord {
            tags: tags.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
            stamps: Stamps { started_ns: 1_000_000, end_ns, ..Stamps::default() },
            token_events: vec![event(2_000_000), event(end_ns)],
            status: 200,
            output_tokens: 2,
            prompt_tokens: 10,
            ..RequestRecord::default()
        }
    }

    fn groups_of(requests: Vec<RequestRecord>) -> Groups {
        let run = RunRecord { task: Task::Generation, start_ns: 0, end_ns: 1_000_000_000, requests };
        groups(&run, &Series::from_run(&run))
    }

    #[test]
    fn requests_are_counted_under_each_of_their_labels() {
        let failure = Some(Failure { class: FailureClass::Connect, message: "refused".into() });
        let found = groups_of(vec![
            request(&[("size", "small"), ("lang", "en")], 4_000_000),
            request(&[("size", "large")], 6_000_000),
            RequestRecord { failure, ..request(&[("size", "large")], 9_000_000) },
            request(&[], 3_000_000),
        ]);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["lang", "size"]);
        let (small, large) = (&found["size"]["small"], &found["size"]["large"]);
        assert_eq!((small.completed, small.failed, small.input_tokens, small.output_tokens), (1, 0, 10, 2));
        assert_eq!((large.completed, large.failed), (1, 1));
        assert_eq!(small.ttft.unwrap().mean_ms, 1.0);
        assert_eq!(large.e2el.unwrap().max_ms, 5.0);
        assert_eq!(large.tpot.unwrap().p50_ms, 4.0);
        assert_eq!(&found["lang"]["en"], small);
        assert!(groups_of(vec![request(&[], 3_000_000)]).is_empty());
    }

    #[test]
    fn a_label_with_very_many_values_is_cut_off() {
        let value = |number: usize| format!("{number:04}");
        let mut requests: Vec<RequestRecord> =
            (0..150).map(|number| request(&[("id", &value(number))], 4_000_000)).collect();
        requests.push(request(&[("id", &value(149))], 4_000_000));
        let found = groups_of(requests);
        assert_eq!(found["id"].len(), MOST_VALUES + 1);
        assert_eq!(found["id"][&value(149)].completed, 2);
        assert_eq!(found["id"][OTHERS].completed, 50);
    }
}
