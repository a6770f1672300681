//! `sweep plot` and `sweep plot-pareto`: flags, and the way to their plans.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args};

use super::compat::Compat;
use super::error::CliError;
use crate::plot::{Binner, Filter, Format, Output, ParetoKeys, ParetoPlan, PlotPlan, Scale, Selection};

/// Resolution of the reference client's figures.
const DPI: f64 = 300.0;
/// Height of its facets, in inches.
const HEIGHT_IN: f64 = 6.4;

/// Flags of `sweep plot`.
#[derive(Debug, Clone, Args)]
pub struct PlotArgs {
    /// Folder of the experiment
    #[arg(value_name = "EXPERIMENT_DIR")]
    experiment_dir: PathBuf,
    /// Folder for figures, relative to EXPERIMENT_DIR
    #[arg(long, value_name = "DIR", default_value = "", hide_default_value = true)]
    fig_dir: String,
    /// A figure for each combination of these keys
    #[arg(long, value_name = "KEY,…", default_value = "", hide_default_value = true)]
    fig_by: String,
    /// A row of facets for each combination of these keys
    #[arg(long, value_name = "KEY,…", default_value = "", hide_default_value = true)]
    row_by: String,
    /// A column of facets for each combination of these keys
    #[arg(long, value_name = "KEY,…", default_value = "", hide_default_value = true)]
    col_by: String,
    /// A curve for each combination of these keys
    #[arg(long, value_name = "KEY,…", default_value = "", hide_default_value = true)]
    curve_by: String,
    /// Key along the horizontal axis [default: total_token_throughput; request_throughput under --compat v0.12]
    #[arg(long, value_name = "KEY")]
    var_x: Option<String>,
    /// Key along the vertical axis [default: median_ttft_ms; p99_e2el_ms under --compat v0.12]
    #[arg(long, value_name = "KEY")]
    var_y: Option<String>,
    /// Plot only runs that meet all of these: KEY==V, !=, <=, >=, < or >
    #[arg(long, value_name = "FILTER,…", default_value = "", hide_default_value = true)]
    filter_by: String,
    /// Round values down to multiples: KEY%SIZE
    #[arg(long, value_name = "KEY%SIZE,…", default_value = "", hide_default_value = true)]
    bin_by: String,
    /// Scale of the horizontal axis: linear or log
    #[arg(long, value_name = "SCALE", value_parser = scale())]
    scale_x: Option<Scale>,
    /// Scale of the vertical axis: linear or log
    #[arg(long, value_name = "SCALE", value_parser = scale())]
    scale_y: Option<Scale>,
    /// First part of file names
    #[arg(long, value_name = "NAME", default_value = "FIGURE")]
    fig_name: String,
    /// Do not show the standard deviation
    #[arg(long)]
    no_error_bars: bool,
    /// Height of a facet, in inches
    #[arg(long, value_name = "INCHES", default_value_t = HEIGHT_IN)]
    fig_height: f64,
    #[command(flatten)]
    output: OutputArgs,
}

/// Flags of `sweep plot-pareto`.
#[derive(Debug, Clone, Args)]
pub struct PlotParetoArgs {
    /// Folder of the experiment
    #[arg(value_name = "EXPERIMENT_DIR")]
    experiment_dir: PathBuf,
    /// Key of the number of users; runs without it count their peak of concurrent requests
    #[arg(long, value_name = "KEY", default_value = "max_concurrency")]
    user_count_var: String,
    /// Key of the number of GPUs [default: the product of the parallel sizes]
    #[arg(long, value_name = "KEY")]
    gpu_count_var: Option<String>,
    /// Keys whose values stand at the points of the frontier
    #[arg(long, value_name = "KEY,…", default_value = "max_concurrency,gpu_count")]
    label_by: String,
    #[command(flatten)]
    output: OutputArgs,
}

/// How figures are written.
#[derive(Debug, Clone, Args)]
struct OutputArgs {
    /// Forms of figures: png, svg, html (interactive, one file); may be several
    #[arg(long, value_name = "FORM,…", value_delimiter = ',', default_value = "png", action = ArgAction::Set)]
    fig_format: Vec<Format>,
    /// Pixels per inch of png figures
    #[arg(long, value_name = "DPI", default_value_t = DPI)]
    fig_dpi: f64,
    /// Say what would be drawn, and draw nothing
    #[arg(long)]
    dry_run: bool,
    /// Whose defaults and rules hold
    #[arg(long, value_enum, value_name = "MODE", default_value_t)]
    compat: Compat,
}

impl PlotArgs {
    /// The plan.
    ///
    /// # Errors
    /// A filter, binner or size that makes no sense.
    pub(super) fn plan(self) -> Result<PlotPlan, CliError> {
        let compat = self.output.compat;
        let older = compat == Compat::V012;
        let bad = |error: crate::plot::PlotError| CliError::Usage(error.to_string());
        let filters = Filter::parse_list(&self.filter_by).map_err(bad)?;
        let binners = Binner::parse_list(&self.bin_by).map_err(bad)?;
        positive("--fig-height", self.fig_height, 200.0)?;
        let (var_x, var_y) = if older {
            ("request_throughput", "p99_e2el_ms")
        } else {
            ("total_token_throughput", "median_ttft_ms")
        };
        Ok(PlotPlan {
            experiment_dir: self.experiment_dir,
            fig_dir: PathBuf::from(self.fig_dir),
            fig_name: self.fig_name,
            fig_name_joint: if older { "--" } else { "-" },
            fig_by: keys(&self.fig_by),
            selection: Selection {
                row_by: keys(&self.row_by),
                col_by: keys(&self.col_by),
                curve_by: keys(&self.curve_by),
                var_x: self.var_x.unwrap_or_else(|| var_x.to_owned()),
                var_y: self.var_y.unwrap_or_else(|| var_y.to_owned()),
                scale_x: self.scale_x.unwrap_or_default(),
                scale_y: self.scale_y.unwrap_or_default(),
                error_bars: !self.no_error_bars,
                merge_repetitions: compat == Compat::Vbench,
                along_load: compat == Compat::Vbench,
            },
            filters,
            binners,
            fig_height_in: self.fig_height,
            check_dry_run: compat == Compat::Vbench,
            output: self.output.resolve()?,
        })
    }
}

impl PlotParetoArgs {
    /// The plan.
    ///
    /// # Errors
    /// A size that makes no sense.
    pub(super) fn plan(self) -> Result<ParetoPlan, CliError> {
        Ok(ParetoPlan {
            experiment_dir: self.experiment_dir,
            keys: ParetoKeys { user_count: self.user_count_var, gpu_count: self.gpu_count_var },
            label_by: keys(&self.label_by),
            check_labels: self.output.compat == Compat::Vbench,
            output: self.output.resolve()?,
        })
    }
}

impl OutputArgs {
    fn resolve(self) -> Result<Output, CliError> {
        positive("--fig-dpi", self.fig_dpi, 2400.0)?;
        Ok(Output { formats: self.fig_format, dpi: self.fig_dpi, dry_run: self.dry_run })
    }
}

fn keys(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

fn positive(flag: &str, value: f64, most: f64) -> Result<(), CliError> {
    if value > 0.0 && value <= most {
        return Ok(());
    }
    Err(CliError::Usage(format!("{flag} has to be above 0 and at most {most}, not {value}")))
}

fn scale() -> impl TypedValueParser<Value = Scale> {
    PossibleValuesParser::new(["linear", "log"]).map(|name| match name.as_str() {
        "log" => Scale::Log,
        _ => Scale::Linear,
    })
}
