//! Throughput for each user against throughput for each GPU. Pure.

use std::path::Path;

use serde_json::{Map, Number, Value};

use super::error::PlotError;
use super::levels::text_of;
use super::results::{Results, Run, number};
use crate::report::python_float;

/// What to divide the throughput by.
#[derive(Debug, Clone, PartialEq)]
pub struct ParetoKeys {
    /// Key of the number of users; `max_concurrent_requests` if it is missing.
    pub user_count: String,
    /// Key of the number of GPUs; the product of the parallel sizes if it is missing.
    pub gpu_count: Option<String>,
}

/// A run as a point.
#[derive(Debug, Clone, PartialEq)]
pub struct ParetoPoint {
    /// Output tokens per second and user.
    pub tokens_per_user: f64,
    /// Output tokens per second and GPU.
    pub tokens_per_gpu: f64,
    /// The run's own fields, and `tokens_per_user`, `tokens_per_gpu`,
    /// `user_count_estimate` and `gpu_count`.
    pub fields: Map<String, Value>,
}

/// The points, and how many runs have none since they say nothing of users.
///
/// # Errors
/// A run without throughput, or a value that is no number.
pub fn points(results: &Results, keys: &ParetoKeys) -> Result<(Vec<ParetoPoint>, usize), PlotError> {
    let mut points = Vec::new();
    let mut skipped = 0;
    for run in &results.runs {
        let reader = Reader { run, path: results.file(run) };
        let throughput = reader.throughput()?;
        match reader.users(keys)? {
            Some(users) => points.push(point(run, throughput, users, reader.gpus(keys)?)),
            None => skipped += 1,
        }
    }
    Ok((points, skipped))
}

fn point(run: &Run, throughput: f64, users: f64, gpus: f64) -> ParetoPoint {
    let (tokens_per_user, tokens_per_gpu) = (throughput / users, throughput / gpus);
    let mut fields = run.fields.clone();
    let mut add = |key: &str, value: f64| {
        let whole = value.fract() == 0.0 && value.abs() < 1e15;
        let number = if whole { Some(Number::from(value as i64)) } else { Number::from_f64(value) };
        // JSON has no number for what is infinite.
        fields.insert(key.to_owned(), number.map_or_else(|| Value::from(python_float(value)), Value::Number));
    };
    add("tokens_per_user", tokens_per_user);
    add("tokens_per_gpu", tokens_per_gpu);
    add("user_count_estimate", users);
    add("gpu_count", gpus);
    ParetoPoint { tokens_per_user, tokens_per_gpu, fields }
}

struct Reader<'a> {
    run: &'a Run,
    path: &'a Path,
}

impl Reader<'_> {
    fn throughput(&self) -> Result<f64, PlotError> {
        let (option, key) = ("tokens per second", "output_throughput");
        self.numeric(option, &[key])?.ok_or_else(|| PlotError::MissingInRun {
            option,
            key: key.to_owned(),
            path: self.path.to_owned(),
        })
    }

    /// The configured number of users, else the observed peak; 0 is none.
    fn users(&self, keys: &ParetoKeys) -> Result<Option<f64>, PlotError> {
        let option = "--user-count-var";
        let configured = self.numeric(option, &[keys.user_count.as_str(), "request_rate"])?;
        Ok(match configured.filter(|count| *count != 0.0) {
            Some(count) => Some(count),
            None => self.numeric(option, &["max_concurrent_requests"])?.filter(|count| *count != 0.0),
        })
    }

    fn gpus(&self, keys: &ParetoKeys) -> Result<f64, PlotError> {
        let option = "--gpu-count-var";
        if let Some(key) = &keys.gpu_count
            && let Some(count) = self.numeric(option, &[key.as_str()])?.filter(|count| *count != 0.0)
        {
            return Ok(count);
        }
        let sizes =
            [["tensor_parallel_size", "tp"], ["pipeline_parallel_size", "pp"], ["data_parallel_size", "dp"]];
        let mut product = 1.0;
        for names in sizes {
            product *= self.numeric(option, &names)?.filter(|size| *size != 0.0).unwrap_or(1.0);
        }
        Ok(product)
    }

    /// The value of the first key that is there, with `-` or `_`, even if it is null.
    fn numeric(&self, option: &'static str, keys: &[&str]) -> Result<Option<f64>, PlotError> {
        let spellings =
            keys.iter().flat_map(|key| [(*key).to_owned(), key.replace('_', "-"), key.replace('-', "_")]);
        for key in spellings {
            let Some(value) = self.run.fields.get(&key) else { continue };
            let text_number = value.as_str().and_then(|text| text.trim().parse().ok());
            return match number(value).or(text_number) {
                _ if value.is_null() => Ok(None),
                Some(number) => Ok(Some(number)),
                None => Err(PlotError::NotANumber {
                    option,
                    key,
                    value: text_of(value),
                    path: self.path.to_owned(),
                }),
            };
        }
        Ok(None)
    }
}

/// The places of the points that no other point beats in both directions,
/// ascending in tokens per user.
pub fn frontier(points: &[ParetoPoint]) -> Vec<usize> {
    /// So that points that are equal but for rounding all count.
    const SLACK: f64 = 1e-9;
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (&points[a], &points[b]);
        let by_user = b.tokens_per_user.total_cmp(&a.tokens_per_user);
        by_user.then_with(|| b.tokens_per_gpu.total_cmp(&a.tokens_per_gpu))
    });
    let mut best = f64::NEG_INFINITY;
    order.retain(|&at| {
        let value = points[at].tokens_per_gpu;
        let kept = value >= best - SLACK;
        best = best.max(value);
        kept
    });
    order.reverse();
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keys(user_count: &str, gpu_count: Option<&str>) -> ParetoKeys {
        ParetoKeys { user_count: user_count.into(), gpu_count: gpu_count.map(str::to_owned) }
    }

    fn results(runs: &[Value]) -> Results {
        let runs =
            runs.iter().map(|run| Run { source: 0, fields: run.as_object().unwrap().clone() }).collect();
        Results { files: vec!["a/summary.json".into()], runs, file_is_point: true }
    }

    fn coordinates(run: Value, keys: &ParetoKeys) -> Option<(f64, f64)> {
        let (points, _) = points(&results(&[run]), keys).unwrap();
        points.first().map(|point| (point.tokens_per_user, point.tokens_per_gpu))
    }

    #[test]
    fn users_and_gpus_are_found() {
        let usual = keys("max_concurrency", None);
        for (run, expected) in [
            (json!({"output_throughput": 80, "max_concurrency": 4}), Some((20.0, 80.0))),
            (json!({"output_throughput": 80, "max-concurrency": 4, "tp": 2, "dp": 2}), Some((20.0, 20.0))),
            (
                json!({"output_throughput": 80, "max_concurrency": null, "max_concurrent_requests": 8}),
                Some((10.0, 80.0)),
            ),
            (
                json!({"output_throughput": 80, "max_concurrency": 0, "max_concurrent_requests": 8}),
                Some((10.0, 80.0)),
            ),
            (json!({"output_throughput": 80, "max_concurrency": null, "request_rate": 2}), None),
            (json!({"output_throughput": 80, "request_rate": 2}), Some((40.0, 80.0))),
            (json!({"output_throughput": 80, "request_rate": "inf"}), Some((0.0, 80.0))),
            (
                json!({"output_throughput": 80, "max_concurrency": "4", "tensor-parallel-size": 0}),
                Some((20.0, 80.0)),
            ),
            (json!({"output_throughput": 80}), None),
        ] {
            assert_eq!(coordinates(run.clone(), &usual), expected, "{run}");
        }
        let run = json!({"output_throughput": 80, "seqs": 16, "gpus": 4, "tp": 2});
        assert_eq!(coordinates(run.clone(), &keys("seqs", Some("gpus"))), Some((5.0, 20.0)));
        let (points, skipped) =
            points(&results(&[run, json!({"output_throughput": 1})]), &keys("seqs", None)).unwrap();
        assert_eq!((points.len(), skipped), (1, 1));
        assert_eq!(
            (&points[0].fields["gpu_count"], &points[0].fields["user_count_estimate"]),
            (&json!(2), &json!(16))
        );
    }

    #[test]
    fn what_is_no_number_is_named() {
        let error = |run: Value| points(&results(&[run]), &keys("users", None)).unwrap_err().to_string();
        let text = error(json!({"output_throughput": 1, "users": "many"}));
        assert!(
            text.contains("--user-count-var") && text.contains("many") && text.contains("a/summary.json"),
            "{text}"
        );
        assert!(error(json!({"users": 1})).contains("output_throughput"));
    }

    fn at(points: &[(f64, f64)]) -> Vec<ParetoPoint> {
        let point = |&(tokens_per_user, tokens_per_gpu): &(f64, f64)| ParetoPoint {
            tokens_per_user,
            tokens_per_gpu,
            fields: Map::new(),
        };
        points.iter().map(point).collect()
    }

    #[test]
    fn the_frontier_is_what_nothing_beats() {
        assert_eq!(
            frontier(&at(&[(1.0, 9.0), (5.0, 5.0), (4.0, 4.0), (9.0, 1.0), (5.0, 5.0)])),
            [0, 4, 1, 3]
        );
        assert!(frontier(&[]).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn nothing_beats_the_frontier(points in proptest::collection::vec((0.0..10.0f64, 0.0..10.0f64), 1..40)) {
            let points = at(&points);
            let frontier = frontier(&points);
            proptest::prop_assert!(!frontier.is_empty());
            for (index, point) in points.iter().enumerate() {
                let beaten = points.iter().any(|other| {
                    other.tokens_per_user > point.tokens_per_user && other.tokens_per_gpu > point.tokens_per_gpu + 1e-9
                });
                proptest::prop_assert_eq!(frontier.contains(&index), !beaten);
            }
        }
    }
}
