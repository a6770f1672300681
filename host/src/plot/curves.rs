//! From runs to what a figure shows: facets, curves, points. Pure.

use std::path::Path;

use indexmap::IndexMap;
use serde_json::Value;

use super::axis::{Scale, shows};
use super::error::PlotError;
use super::levels::{Group, Levels, Section, text_of};
use super::results::{Results, Run, columns, number};

/// Keys by which runs are grouped, and what is plotted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Selection {
    /// A row of facets for each combination of these.
    pub row_by: Vec<String>,
    /// A column of facets for each combination of these.
    pub col_by: Vec<String>,
    /// A curve for each combination of these.
    pub curve_by: Vec<String>,
    /// Along the horizontal axis.
    pub var_x: String,
    /// Along the vertical axis.
    pub var_y: String,
    /// How the horizontal axis is scaled.
    pub scale_x: Scale,
    /// How the vertical axis is scaled.
    pub scale_y: Scale,
    /// Show the standard deviation.
    pub error_bars: bool,
    /// Take repetitions of one point of a sweep for one point of the curve,
    /// also if their `x` was measured and so differs a little.
    pub merge_repetitions: bool,
    /// Join the points of a curve in the order of their load where `x` was
    /// measured: over the throughput of a server at its limit, left to right
    /// would join them in the order of chance.
    pub along_load: bool,
}

/// What a figure shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Values of the rows' keys; one empty group without keys.
    pub rows: Vec<Group>,
    /// Values of the columns' keys; one empty group without keys.
    pub cols: Vec<Group>,
    /// What tells curves apart.
    pub sections: Vec<Section>,
    /// Names along the horizontal axis, if its values are no numbers.
    pub x_names: Option<Vec<String>>,
    /// All curves.
    pub curves: Vec<Curve>,
    /// Runs that are not shown since a value has no place on its axis.
    pub left_out: usize,
}

/// A line in a facet.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The facet's row.
    pub row: usize,
    /// The facet's column.
    pub col: usize,
    /// Its level in each section.
    pub levels: Vec<usize>,
    /// In the order in which a line joins them: of `x`, or of the load.
    pub points: Vec<Point>,
}

/// The runs of one `x`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Along the horizontal axis; a place in [`Chart::x_names`] if there are names.
    pub x: f64,
    /// Mean along the vertical axis.
    pub y: f64,
    /// Sample standard deviation of `y`; none for a single run.
    pub sd: Option<f64>,
    /// How many runs.
    pub runs: usize,
}

/// Keys of the load that a run was put under, the first that tells points apart counts.
const LOADS: [&str; 2] = ["request_rate", "max_concurrency"];
/// More keys than this share one section.
const MOST_SECTIONS: usize = 3;

/// The texts of a run's values.
///
/// # Errors
/// The run lacks a key.
pub fn group_of(run: &Run, keys: &[String], option: &'static str, path: &Path) -> Result<Group, PlotError> {
    keys.iter()
        .map(|key| match run.fields.get(key) {
            Some(value) => Ok((key.clone(), text_of(value))),
            None => Err(PlotError::MissingInRun { option, key: key.clone(), path: path.to_owned() }),
        })
        .collect()
}

/// Puts runs of equal groups together; groups are in the order of their first run.
///
/// # Errors
/// A run lacks a key.
pub fn group_by<'a>(
    results: &Results,
    runs: impl IntoIterator<Item = &'a Run>,
    keys: &[String],
    option: &'static str,
) -> Result<IndexMap<Group, Vec<&'a Run>>, PlotError> {
    let mut groups: IndexMap<Group, Vec<&Run>> = IndexMap::new();
    for run in runs {
        groups.entry(group_of(run, keys, option, results.file(run))?).or_default().push(run);
    }
    Ok(groups)
}

/// Makes sure that every run has all keys of the selection somewhere.
///
/// # Errors
/// A key that no run has, with all that there are.
pub fn check_keys<'a>(
    runs: &[&Run],
    keys: impl IntoIterator<Item = (&'static str, &'a str)>,
) -> Result<(), PlotError> {
    let there = columns(runs.iter().copied());
    for (option, key) in keys {
        if !there.contains(key) {
            let available = there.iter().copied().collect::<Vec<_>>().join(", ");
            return Err(PlotError::UnknownKey { option, key: key.to_owned(), available });
        }
    }
    Ok(())
}

impl Selection {
    /// All keys with the options that name them.
    pub fn keys(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let lists = [("--row-by", &self.row_by), ("--col-by", &self.col_by), ("--curve-by", &self.curve_by)];
        [("--var-x", self.var_x.as_str()), ("--var-y", self.var_y.as_str())].into_iter().chain(
            lists.into_iter().flat_map(|(option, keys)| keys.iter().map(move |key| (option, key.as_str()))),
        )
    }

    /// Sorts runs into facets and curves.
    ///
    /// # Errors
    /// A value along the vertical axis that is no number, or names on a logarithmic axis.
    pub fn chart(&self, results: &Results, runs: &[&Run]) -> Result<Chart, PlotError> {
        let rows = Levels::of(runs, &self.row_by);
        let cols = Levels::of(runs, &self.col_by);
        let section_keys: Vec<&[String]> = match self.curve_by.len() {
            0 => Vec::new(),
            n if n <= MOST_SECTIONS => self.curve_by.chunks(1).collect(),
            _ => vec![self.curve_by.as_slice()],
        };
        let section_levels: Vec<Levels> = section_keys.iter().map(|keys| Levels::of(runs, keys)).collect();
        let x_names = self.x_names(results, runs)?;
        let along_load = self.along_load && x_names.is_none() && !LOADS.contains(&self.var_x.as_str());

        let mut members: IndexMap<(usize, usize, Vec<usize>), Vec<Sample>> = IndexMap::new();
        let mut left_out = 0;
        for run in runs {
            let x = match (&x_names, run.fields.get(&self.var_x)) {
                (_, None | Some(Value::Null)) => f64::NAN,
                (Some(names), Some(value)) => {
                    let text = text_of(value);
                    names.iter().position(|name| *name == text).map_or(f64::NAN, |at| at as f64)
                }
                (None, Some(value)) => number(value).unwrap_or(f64::NAN),
            };
            let y = self.y_of(results, run)?;
            if !shows(self.scale_x, x) || !shows(self.scale_y, y) {
                left_out += 1;
                continue;
            }
            let place =
                section_keys.iter().zip(&section_levels).map(|(keys, levels)| levels.place(run, keys));
            let key = (rows.place(run, &self.row_by), cols.place(run, &self.col_by), place.collect());
            let loads = LOADS.map(|key| run.fields.get(key).and_then(number).filter(|load| !load.is_nan()));
            members.entry(key).or_default().push(Sample { source: run.source, x, y, loads });
        }
        let mut curves: Vec<Curve> = members
            .into_iter()
            .map(|((row, col, levels), mut samples)| {
                if self.merge_repetitions && results.file_is_point {
                    merge_repetitions(&mut samples);
                }
                let load = if along_load { load_behind(&samples) } else { None };
                Curve { row, col, levels, points: points(samples, load) }
            })
            .collect();
        curves.sort_by(|a, b| (a.row, a.col, &a.levels).cmp(&(b.row, b.col, &b.levels)));
        let sections =
            section_keys.iter().zip(section_levels).map(|(keys, levels)| levels.section(keys)).collect();
        Ok(Chart {
            rows: rows.groups(&self.row_by),
            cols: cols.groups(&self.col_by),
            sections,
            x_names,
            curves,
            left_out,
        })
    }

    fn y_of(&self, results: &Results, run: &Run) -> Result<f64, PlotError> {
        match run.fields.get(&self.var_y) {
            None | Some(Value::Null) => Ok(f64::NAN),
            Some(value) => number(value).ok_or_else(|| PlotError::NotANumber {
                option: "--var-y",
                key: self.var_y.clone(),
                value: value.to_string(),
                path: results.file(run).to_owned(),
            }),
        }
    }

    /// The names along the horizontal axis, if one of its values is no number.
    fn x_names(&self, results: &Results, runs: &[&Run]) -> Result<Option<Vec<String>>, PlotError> {
        let values = runs.iter().filter_map(|run| Some((*run, run.fields.get(&self.var_x)?)));
        let mut values = values.filter(|(_, value)| !value.is_null());
        let Some((run, value)) = values.find(|(_, value)| number(value).is_none()) else { return Ok(None) };
        if self.scale_x == Scale::Log {
            return Err(PlotError::NotANumber {
                option: "--scale-x log",
                key: self.var_x.clone(),
                value: value.to_string(),
                path: results.file(run).to_owned(),
            });
        }
        let names = Levels::of(runs, std::slice::from_ref(&self.var_x));
        let texts = names.values().iter().filter(|combination| !combination[0].is_null());
        Ok(Some(texts.map(|combination| text_of(&combination[0])).collect()))
    }
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    source: usize,
    x: f64,
    y: f64,
    /// The values of [`LOADS`], where they are numbers.
    loads: [Option<f64>; LOADS.len()],
}

/// Which of [`LOADS`] the curve runs along: one that has exactly one `x` for
/// each of its values, and another for every other. None where `x` was set
/// beside the load, and so several points have the same load or the same `x`.
fn load_behind(samples: &[Sample]) -> Option<usize> {
    (0..LOADS.len()).find(|&which| {
        let pairs: Option<Vec<(f64, f64)>> =
            samples.iter().map(|sample| Some((sample.loads[which]?, sample.x))).collect();
        let Some(mut pairs) = pairs else { return false };
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        pairs.dedup();
        let loads_differ = pairs.windows(2).all(|pair| pair[0].0 != pair[1].0);
        pairs.sort_by(|a, b| a.1.total_cmp(&b.1));
        loads_differ && pairs.windows(2).all(|pair| pair[0].1 != pair[1].1)
    })
}

/// Gives all runs of one file the mean of their `x`.
fn merge_repetitions(samples: &mut [Sample]) {
    let mut sums: IndexMap<usize, (f64, usize)> = IndexMap::new();
    for sample in samples.iter() {
        let sum = sums.entry(sample.source).or_default();
        *sum = (sum.0 + sample.x, sum.1 + 1);
    }
    for sample in samples.iter_mut() {
        if let Some((sum, count)) = sums.get(&sample.source).filter(|(_, count)| *count > 1) {
            sample.x = sum / *count as f64;
        }
    }
}

/// Mean and standard deviation of `y` for each `x`, in the order of `x` or of a load.
fn points(mut samples: Vec<Sample>, load: Option<usize>) -> Vec<Point> {
    let place = |sample: &Sample| load.and_then(|which| sample.loads[which]).unwrap_or(sample.x);
    samples.sort_by(|a, b| place(a).total_cmp(&place(b)));
    let same_x = samples.chunk_by(|a, b| a.x == b.x);
    let point = |samples: &[Sample]| {
        let count = samples.len() as f64;
        let mean = samples.iter().map(|sample| sample.y).sum::<f64>() / count;
        let squares: f64 = samples.iter().map(|sample| (sample.y - mean).powi(2)).sum();
        let sd = (samples.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
        Point { x: samples[0].x, y: mean, sd, runs: samples.len() }
    };
    same_x.map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn results(points: &[&[Value]]) -> Results {
        let runs = points.iter().enumerate().flat_map(|(source, runs)| {
            runs.iter().map(move |fields| Run { source, fields: fields.as_object().unwrap().clone() })
        });
        Results {
            files: vec!["summary.json".into(); points.len()],
            runs: runs.collect(),
            file_is_point: true,
        }
    }

    fn selection(curve_by: &[&str]) -> Selection {
        Selection {
            var_x: "x".into(),
            var_y: "y".into(),
            curve_by: curve_by.iter().map(|key| (*key).to_owned()).collect(),
            error_bars: true,
            merge_repetitions: true,
            along_load: true,
            ..Selection::default()
        }
    }

    fn chart(selection: &Selection, results: &Results) -> Result<Chart, PlotError> {
        selection.chart(results, &results.runs.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_point_is_the_mean_of_its_runs() {
        let results = results(&[
            &[json!({"x": 10, "y": 1.0}), json!({"x": 14, "y": 3.0})],
            &[json!({"x": 5, "y": 7.0})],
        ]);
        let merged = chart(&selection(&[]), &results).unwrap();
        assert_eq!(
            merged.curves[0].points,
            [
                Point { x: 5.0, y: 7.0, sd: None, runs: 1 },
                Point { x: 12.0, y: 2.0, sd: Some(2f64.sqrt()), runs: 2 },
            ]
        );
        let apart = Selection { merge_repetitions: false, ..selection(&[]) };
        assert_eq!(chart(&apart, &results).unwrap().curves[0].points.len(), 3);
    }

    #[test]
    fn a_measured_axis_is_drawn_in_the_order_of_the_load() {
        let along = |points: &[&[Value]], selection: &Selection| -> Vec<f64> {
            let chart = chart(selection, &results(points)).unwrap();
            assert_eq!(chart.curves.len(), 1);
            chart.curves[0].points.iter().map(|point| point.x).collect()
        };
        // At its limit the server gets slower as the load grows.
        let saturated = |key: &str, last: Value| -> Vec<Vec<Value>> {
            vec![
                vec![json!({"x": 70.0, "y": 9.0, key: last})],
                vec![json!({"x": 40.0, "y": 1.0, key: 8})],
                vec![json!({"x": 79.0, "y": 3.0, key: 16}), json!({"x": 81.0, "y": 3.0, key: 16})],
            ]
        };
        fn slices(points: &[Vec<Value>]) -> Vec<&[Value]> {
            points.iter().map(Vec::as_slice).collect()
        }
        for points in [saturated("max_concurrency", json!(32)), saturated("request_rate", json!("inf"))] {
            let points = slices(&points);
            assert_eq!(along(&points, &selection(&[])), [40.0, 80.0, 70.0]);
            let off = Selection { along_load: false, ..selection(&[]) };
            assert_eq!(along(&points, &off), [40.0, 70.0, 80.0]);
        }
        // Lengths of prompts that were set, each at two loads: the means over the loads.
        let product: Vec<Vec<Value>> = [(512, 1), (512, 9), (64, 1), (64, 9)]
            .map(|(x, load)| vec![json!({"x": x, "y": 1.0, "request_rate": load})])
            .to_vec();
        assert_eq!(along(&slices(&product), &selection(&[])), [64.0, 512.0]);
        // The load itself, while another load varies as well.
        let itself: Vec<Vec<Value>> = [(2, 1), (1, 9)]
            .map(|(x, rate)| vec![json!({"max_concurrency": x, "y": 1.0, "request_rate": rate})])
            .to_vec();
        let over = Selection { var_x: "max_concurrency".into(), ..selection(&[]) };
        assert_eq!(along(&slices(&itself), &over), [1.0, 2.0]);
    }

    #[test]
    fn levels_are_in_the_order_of_numbers() {
        let results = results(&[
            &[json!({"x": 1, "y": 1, "seqs": 128, "mode": "b"})],
            &[json!({"x": 1, "y": 2, "seqs": 32, "mode": "a"})],
            &[json!({"x": 1, "y": 3, "seqs": "inf", "mode": "a"})],
            &[json!({"x": 1, "y": 4, "mode": true})],
        ]);
        let chart = chart(&selection(&["seqs", "mode"]), &results).unwrap();
        assert_eq!(chart.sections[0].levels, ["None", "32", "128", "inf"]);
        assert_eq!(chart.sections[1].levels, ["True", "a", "b"]);
        assert_eq!(
            chart.curves.iter().map(|curve| curve.points[0].y).collect::<Vec<_>>(),
            [4.0, 2.0, 1.0, 3.0]
        );
        assert!(!chart.sections[0].ordered);
    }

    #[test]
    fn many_keys_share_a_section() {
        let results = results(&[&[json!({"x": 1, "y": 1, "a": 1, "b": 2, "c": 3, "d": null})]]);
        let chart = chart(&selection(&["a", "b", "c", "d"]), &results).unwrap();
        assert_eq!(chart.sections.len(), 1);
        assert_eq!(chart.sections[0].levels, ["a=1, b=2, c=3, d=None"]);
        let results = results_of_two();
        let chart = selection(&["a", "b", "c", "d"])
            .chart(&results, &results.runs.iter().collect::<Vec<_>>())
            .unwrap();
        assert_eq!(chart.sections[0].levels, ["b=2, d=None", "b=3, d=x"]);
    }

    fn results_of_two() -> Results {
        results(&[&[
            json!({"x": 1, "y": 1, "a": 1, "b": 2, "c": 3, "d": null}),
            json!({"x": 1, "y": 1, "a": 1, "b": 3, "c": 3, "d": "x"}),
        ]])
    }

    #[test]
    fn facets_are_a_grid() {
        let results = results(&[
            &[json!({"x": 1, "y": 1, "r": 64, "c": "p"})],
            &[json!({"x": 1, "y": 2, "r": 8, "c": "q"})],
        ]);
        let selection = Selection { row_by: vec!["r".into()], col_by: vec!["c".into()], ..selection(&[]) };
        let chart = chart(&selection, &results).unwrap();
        let text = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
        assert_eq!(chart.rows, [text("r", "8"), text("r", "64")]);
        assert_eq!(chart.cols, [text("c", "p"), text("c", "q")]);
        assert_eq!(chart.curves.iter().map(|c| (c.row, c.col)).collect::<Vec<_>>(), [(0, 1), (1, 0)]);
    }

    #[test]
    fn names_make_an_axis_and_odd_values_are_counted() {
        let results = results(&[
            &[json!({"x": "chat", "y": 1})],
            &[json!({"x": "base", "y": "nan"}), json!({"y": 1}), json!({"x": "base", "y": 2})],
        ]);
        let named = chart(&selection(&[]), &results).unwrap();
        assert_eq!(named.x_names, Some(vec!["base".to_owned(), "chat".to_owned()]));
        assert_eq!((named.left_out, named.curves[0].points.len()), (2, 2));
        let log = Selection { scale_x: Scale::Log, ..selection(&[]) };
        assert!(chart(&log, &results).unwrap_err().to_string().contains("--scale-x"));
    }

    #[test]
    fn values_without_a_place_are_left_out_of_a_logarithmic_axis() {
        let results =
            results(&[&[json!({"x": 0, "y": 1}), json!({"x": 1, "y": 1}), json!({"x": "inf", "y": 1})]]);
        assert_eq!(chart(&selection(&[]), &results).unwrap().left_out, 1);
        let log = Selection { scale_x: Scale::Log, merge_repetitions: false, ..selection(&[]) };
        assert_eq!(chart(&log, &results).unwrap().left_out, 2);
    }

    #[test]
    fn missing_keys_are_named() {
        let results = results(&[&[json!({"x": 1, "y": "high"})], &[json!({"z": 1})]]);
        let runs: Vec<&Run> = results.runs.iter().collect();
        let unknown = Selection { row_by: vec!["w".into()], ..selection(&[]) };
        let error = check_keys(&runs, unknown.keys()).unwrap_err().to_string();
        assert_eq!(error, "--row-by: cannot find `w` in the results; there are: x, y, z");
        let error = group_by(&results, &results.runs, &["z".to_owned()], "--fig-by").unwrap_err().to_string();
        assert!(
            error.contains("--fig-by") && error.contains("`z`") && error.contains("summary.json"),
            "{error}"
        );
        let error = chart(&selection(&[]), &results).unwrap_err().to_string();
        assert!(error.contains("--var-y") && error.contains("\"high\""), "{error}");
    }

    #[test]
    fn groups_keep_the_order_of_their_first_run() {
        let results = results(&[&[json!({"k": true})], &[json!({"k": 1.0})], &[json!({"k": true})]]);
        let groups = group_by(&results, &results.runs, &["k".to_owned()], "--fig-by").unwrap();
        let texts: Vec<_> = groups.iter().map(|(group, runs)| (group[0].1.as_str(), runs.len())).collect();
        assert_eq!(texts, [("True", 2), ("1.0", 1)]);
    }
}
