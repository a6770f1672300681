//! The stories of `sweep plot` and `sweep plot-pareto`: read, group, tell, draw, write.

use std::path::{Path, PathBuf};

use super::curves::{Selection, check_keys, group_by};
use super::error::PlotError;
use super::figure::{Figure, Format};
use super::filter::{Binner, Filter};
use super::levels::Group;
use super::pareto::{self, ParetoKeys};
use super::raster::PIXELS_PER_INCH;
use super::results::{Results, Run};
use super::{line_chart, pareto_chart};
use crate::report::python_repr::python_text;
use crate::report::{sanitise, write_atomically};

/// How figures are written.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The forms; at least one.
    pub formats: Vec<Format>,
    /// Pixels per inch.
    pub dpi: f64,
    /// Only say what would be drawn.
    pub dry_run: bool,
}

/// A resolved `vbench sweep plot`.
#[derive(Debug, Clone, PartialEq)]
pub struct PlotPlan {
    /// Where the results are.
    pub experiment_dir: PathBuf,
    /// Where figures go, relative to it.
    pub fig_dir: PathBuf,
    /// First part of the file names.
    pub fig_name: String,
    /// What stands between the name and the first key.
    pub fig_name_joint: &'static str,
    /// A figure for each combination of these.
    pub fig_by: Vec<String>,
    /// What is in a figure.
    pub selection: Selection,
    /// Which runs count.
    pub filters: Vec<Filter>,
    /// What is rounded.
    pub binners: Vec<Binner>,
    /// Height of a facet in inches.
    pub fig_height_in: f64,
    /// Look for keys in a dry run too.
    pub check_dry_run: bool,
    /// How figures are written.
    pub output: Output,
}

/// A resolved `vbench sweep plot-pareto`.
#[derive(Debug, Clone, PartialEq)]
pub struct ParetoPlan {
    /// Where the results are.
    pub experiment_dir: PathBuf,
    /// What the throughput is divided by.
    pub keys: ParetoKeys,
    /// Keys whose values stand at the points of the frontier.
    pub label_by: Vec<String>,
    /// A label that no run has is an error.
    pub check_labels: bool,
    /// How figures are written.
    pub output: Output,
}

/// Where lines for the user go.
pub trait Listener {
    /// Ordinary output.
    fn line(&mut self, text: String);
    /// Something that the user should know.
    fn warn(&mut self, text: String);
}

/// Draws the figures of a sweep.
///
/// # Errors
/// See [`PlotError`]. Figures that were written before stay.
pub fn plot(plan: &PlotPlan, listener: &mut impl Listener) -> Result<(), PlotError> {
    let results = Results::read(&plan.experiment_dir)?;
    let all: Vec<&Run> = results.runs.iter().collect();
    let used = plan.filters.iter().map(|filter| ("--filter-by", filter.key()));
    let used: Vec<_> = used.chain(plan.binners.iter().map(|binner| ("--bin-by", binner.key()))).collect();
    let groups = group_by(&results, all.iter().copied(), &plan.fig_by, "--fig-by")?;
    let total = groups.len();
    let mut empty = 0;
    for (group, runs) in groups {
        let (rows, cols) = grid(&results, &runs, &plan.selection)?;
        listener.line("[BEGIN FIGURE]".to_owned());
        listener.line(format!("Group: {}", python_dict(&group)));
        listener.line(format!("Grid: {rows} rows x {cols} cols"));
        let stem = file_name(&plan.fig_name, plan.fig_name_joint, &group);
        let files = files(&plan.experiment_dir.join(&plan.fig_dir), &stem, &plan.output);
        tell_files(&files, listener);
        if !plan.output.dry_run || plan.check_dry_run {
            check_keys(&runs, plan.selection.keys().chain(used.iter().copied()))?;
        }
        if !plan.output.dry_run {
            match figure(plan, &results, &runs, &group, listener)? {
                Some(figure) => write(&figure, &files, plan.output.dpi)?,
                None => {
                    empty += 1;
                    listener.line(format!("No data to plot. Filters: {}", list(&plan.filters)));
                }
            }
        }
        listener.line("[END FIGURE]".to_owned());
    }
    if empty == total {
        let read = all.len();
        return Err(PlotError::NothingLeft(if plan.filters.is_empty() {
            format!("not one of {read} runs has finite values of both variables")
        } else {
            format!(
                "filters {} leave none of {read} runs with finite values of both variables",
                list(&plan.filters)
            )
        }));
    }
    Ok(())
}

/// The rows and columns of facets, counted before any filter.
fn grid(results: &Results, runs: &[&Run], selection: &Selection) -> Result<(usize, usize), PlotError> {
    let rows = group_by(results, runs.iter().copied(), &selection.row_by, "--row-by")?;
    let mut widest = 0;
    for row in rows.values() {
        widest = widest.max(group_by(results, row.iter().copied(), &selection.col_by, "--col-by")?.len());
    }
    Ok((rows.len(), widest))
}

/// None if nothing is left to draw.
fn figure(
    plan: &PlotPlan,
    results: &Results,
    runs: &[&Run],
    group: &Group,
    listener: &mut impl Listener,
) -> Result<Option<Figure>, PlotError> {
    let mut kept: Vec<Run> = Vec::new();
    'runs: for run in runs {
        let path = results.file(run);
        for filter in &plan.filters {
            if !filter.accepts(run, path)? {
                continue 'runs;
            }
        }
        let mut run = (*run).clone();
        for binner in &plan.binners {
            binner.apply(&mut run, path)?;
        }
        kept.push(run);
    }
    let kept: Vec<&Run> = kept.iter().collect();
    let chart = plan.selection.chart(results, &kept)?;
    if chart.curves.is_empty() {
        return Ok(None);
    }
    if chart.left_out > 0 {
        listener.warn(format!(
            "{} of {} runs are not in the figure: `{}` or `{}` is missing, not finite, or not above 0 on a logarithmic \
             axis",
            chart.left_out,
            kept.len(),
            plan.selection.var_x,
            plan.selection.var_y
        ));
    }
    Ok(Some(line_chart::draw(&chart, &plan.selection, group, plan.fig_height_in * PIXELS_PER_INCH)))
}

/// Draws the Pareto frontier of a sweep.
///
/// # Errors
/// See [`PlotError`].
pub fn plot_pareto(plan: &ParetoPlan, listener: &mut impl Listener) -> Result<(), PlotError> {
    let results = Results::read(&plan.experiment_dir)?;
    let (mut points, skipped) = pareto::points(&results, &plan.keys)?;
    if skipped > 0 {
        listener.line(format!(
            "Skipped {skipped} runs without a user count (`{}` or `max_concurrent_requests`).",
            plan.keys.user_count
        ));
    }
    if points.is_empty() {
        return Err(PlotError::NothingLeft(
            "no data points with both throughput and user count available to plot the Pareto frontier"
                .to_owned(),
        ));
    }
    for key in plan.label_by.iter().filter(|_| plan.check_labels) {
        if !points.iter().any(|point| point.fields.contains_key(key)) {
            let available = points[0].fields.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(PlotError::UnknownKey { option: "--label-by", key: key.clone(), available });
        }
    }
    listener.line("[BEGIN FIGURE]".to_owned());
    listener.line("Group: {}".to_owned());
    let files = files(&plan.experiment_dir.join("pareto"), "PARETO", &plan.output);
    tell_files(&files, listener);
    if !plan.output.dry_run {
        points.retain(|point| point.tokens_per_user.is_finite() && point.tokens_per_gpu.is_finite());
        if points.is_empty() {
            return Err(PlotError::NothingLeft(
                "no run has finite tokens/s/user and tokens/s/GPU".to_owned(),
            ));
        }
        let frontier = pareto::frontier(&points);
        let figure = pareto_chart::draw(&points, &frontier, &plan.label_by);
        write(&figure, &files, plan.output.dpi)?;
        listener.line(format!("Plotted {} points; Pareto frontier size: {}.", points.len(), frontier.len()));
    }
    listener.line("[END FIGURE]".to_owned());
    Ok(())
}

fn list(filters: &[Filter]) -> String {
    filters.iter().map(Filter::to_string).collect::<Vec<_>>().join(", ")
}

fn python_dict(group: &Group) -> String {
    let pairs: Vec<String> =
        group.iter().map(|(key, value)| format!("{}: {}", python_text(key), python_text(value))).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// `NAME-k=v-k=v`.
fn file_name(name: &str, joint: &str, group: &Group) -> String {
    let mut stem = name.to_owned();
    for (index, (key, value)) in group.iter().enumerate() {
        stem.push_str(if index == 0 { joint } else { "-" });
        stem.push_str(&format!("{key}={value}"));
    }
    sanitise(&stem)
}

fn files(dir: &Path, stem: &str, output: &Output) -> Vec<(Format, PathBuf)> {
    output.formats.iter().map(|format| (*format, dir.join(format!("{stem}.{format}")))).collect()
}

fn tell_files(files: &[(Format, PathBuf)], listener: &mut impl Listener) {
    for (_, path) in files {
        listener.line(format!("Output file: {}", path.display()));
    }
}

fn write(figure: &Figure, files: &[(Format, PathBuf)], dpi: f64) -> Result<(), PlotError> {
    for (format, path) in files {
        let content = figure.render(*format, dpi)?;
        write_atomically(path, &content)
            .map_err(|e| PlotError::Content { path: path.clone(), reason: e.to_string() })?;
    }
    Ok(())
}
