//! One row for all runs of a setting: mean, standard deviation, coefficient of
//! variation and confidence interval of every number.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::params::Combination;
use super::statistics::Spread;
use super::table::Row;

/// Keys that number runs rather than describe them.
const NOT_MEASURED: [&str; 1] = ["run_number"];

/// All runs with the same parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Their parameters.
    pub parameters: Row,
    /// How many.
    pub runs: usize,
    /// Every number that is no parameter, and that every run has.
    pub metrics: IndexMap<String, Spread>,
}

/// Groups runs by all keys that any combination sets, and by the loads that
/// sweeps set themselves.
pub fn groups(rows: &[Row], combinations: &[&[Combination]]) -> Vec<Group> {
    let mut keys: Vec<&str> = Vec::new();
    let set = combinations.iter().flat_map(|list| list.iter()).flat_map(|one| one.parameters().keys());
    for key in set.map(String::as_str).chain(["request_rate", "max_concurrency"]) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut grouped: IndexMap<String, (Row, Vec<&Row>)> = IndexMap::new();
    for row in rows {
        let parameters: Row =
            keys.iter().filter_map(|&key| Some((key.to_owned(), row.get(key)?.clone()))).collect();
        let name = Value::Object(parameters.clone()).to_string();
        grouped.entry(name).or_insert_with(|| (parameters, Vec::new())).1.push(row);
    }
    grouped
        .into_values()
        .map(|(parameters, rows)| {
            let measured = rows[0].iter().filter(|(key, value)| {
                value.is_number() && !parameters.contains_key(*key) && !NOT_MEASURED.contains(&key.as_str())
            });
            let metrics = measured
                .filter_map(|(key, _)| {
                    let values: Option<Vec<f64>> =
                        rows.iter().map(|row| row.get(key).and_then(Value::as_f64)).collect();
                    Some((key.clone(), Spread::of(&values?)?))
                })
                .collect();
            Group { parameters, runs: rows.len(), metrics }
        })
        .collect()
}

/// The groups as rows of a table.
pub fn rows(groups: &[Group]) -> Vec<Row> {
    groups
        .iter()
        .map(|group| {
            let mut row = group.parameters.clone();
            row.insert("runs".to_owned(), Value::from(group.runs));
            for (key, spread) in &group.metrics {
                for (name, value) in figures(spread) {
                    row.insert(format!("{key}_{name}"), value);
                }
            }
            row
        })
        .collect()
}

/// The groups as JSON.
pub fn json(groups: &[Group]) -> Value {
    groups
        .iter()
        .map(|group| {
            let metrics: Map<String, Value> = group
                .metrics
                .iter()
                .map(|(key, spread)| (key.clone(), Value::Object(figures(spread).into_iter().collect())))
                .collect();
            json!({"parameters": group.parameters, "runs": group.runs, "metrics": metrics})
        })
        .collect()
}

fn figures(spread: &Spread) -> [(String, Value); 5] {
    let half = spread.half_width_95();
    [
        ("mean", Some(spread.mean)),
        ("sd", spread.deviation),
        ("cv", spread.coefficient_of_variation()),
        ("ci95_low", half.map(|half| spread.mean - half)),
        ("ci95_high", half.map(|half| spread.mean + half)),
    ]
    .map(|(name, value)| (name.to_owned(), value.map_or(Value::Null, Value::from)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: Value) -> Row {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn runs_of_one_setting_are_one_group() {
        let combination = Combination::new(row(json!({"seqs": 1})));
        let rows_in = [
            row(json!({"ttft": 1.0, "label": null, "max_concurrency": 4, "run_number": 0, "seqs": 1})),
            row(
                json!({"ttft": 3.0, "label": null, "max_concurrency": 4, "run_number": 1, "seqs": 1, "more": 1}),
            ),
            row(json!({"ttft": 5.0, "max_concurrency": 8, "run_number": 0, "seqs": 1})),
        ];
        let groups = groups(&rows_in, &[&[combination]]);
        assert_eq!(groups.len(), 2);
        assert_eq!((groups[0].runs, groups[0].metrics.len()), (2, 1));
        let rows = rows(&groups);
        assert_eq!(rows[0]["ttft_mean"], 2.0);
        assert_eq!(rows[1]["ttft_sd"], Value::Null);
        assert_eq!(
            rows[0].keys().take(4).collect::<Vec<_>>(),
            ["seqs", "max_concurrency", "runs", "ttft_mean"]
        );
        assert_eq!(json(&groups)[1]["metrics"]["ttft"]["mean"], 5.0);
    }
}
