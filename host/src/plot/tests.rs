//! Whole figures, from the results that the reference client wrote.

use std::fs;
use std::path::{Path, PathBuf};

use super::axis::Scale;
use super::curves::Selection;
use super::figure::Format;
use super::figures::{Listener, Output, ParetoPlan, PlotPlan, plot, plot_pareto};
use super::filter::{Binner, Filter};
use super::pareto::ParetoKeys;
use super::raster;

#[derive(Default)]
struct Said {
    lines: Vec<String>,
    warnings: Vec<String>,
}

impl Listener for Said {
    fn line(&mut self, text: String) {
        self.lines.push(text);
    }

    fn warn(&mut self, text: String) {
        self.warnings.push(text);
    }
}

fn fixture() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/plots/experiment"))
}

/// A copy of the fixture that may be written to.
fn experiment() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture()).unwrap().map(Result::unwrap) {
        let copy = dir.path().join(entry.file_name());
        fs::create_dir(&copy).unwrap();
        fs::copy(entry.path().join("summary.json"), copy.join("summary.json")).unwrap();
    }
    dir
}

fn names(text: &str) -> Vec<String> {
    text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn plan(dir: &Path) -> PlotPlan {
    PlotPlan {
        experiment_dir: dir.to_owned(),
        fig_dir: PathBuf::new(),
        fig_name: "FIGURE".to_owned(),
        fig_name_joint: "-",
        fig_by: Vec::new(),
        selection: Selection {
            var_x: "total_token_throughput".to_owned(),
            var_y: "median_ttft_ms".to_owned(),
            error_bars: true,
            merge_repetitions: true,
            ..Selection::default()
        },
        filters: Vec::new(),
        binners: Vec::new(),
        fig_height_in: 6.4,
        check_dry_run: true,
        output: Output { formats: vec![Format::Png], dpi: 96.0, dry_run: true },
    }
}

fn told(plan: &PlotPlan) -> Result<Said, String> {
    let mut said = Said::default();
    plot(plan, &mut said).map_err(|e| e.to_string())?;
    Ok(said)
}

#[test]
fn a_dry_run_tells_every_figure_and_writes_nothing() {
    let dir = experiment();
    let mut plan = plan(dir.path());
    plan.fig_by = names("max_num_seqs,enable_prefix_caching");
    plan.fig_dir = "figs".into();
    plan.selection.col_by = names("max_concurrency");
    let out = dir.path().join("figs").display().to_string();
    assert_eq!(
        told(&plan).unwrap().lines,
        [
            "[BEGIN FIGURE]".to_owned(),
            "Group: {'max_num_seqs': '32', 'enable_prefix_caching': 'True'}".to_owned(),
            "Grid: 1 rows x 2 cols".to_owned(),
            format!("Output file: {out}/FIGURE-max_num_seqs=32-enable_prefix_caching=True.png"),
            "[END FIGURE]".to_owned(),
            "[BEGIN FIGURE]".to_owned(),
            "Group: {'max_num_seqs': '64', 'enable_prefix_caching': 'False'}".to_owned(),
            "Grid: 1 rows x 2 cols".to_owned(),
            format!("Output file: {out}/FIGURE-max_num_seqs=64-enable_prefix_caching=False.png"),
            "[END FIGURE]".to_owned(),
        ]
    );
    assert!(!dir.path().join("figs").exists());
}

#[test]
fn figures_are_written_in_every_form() {
    let dir = experiment();
    let mut plan = plan(dir.path());
    plan.output = Output { formats: vec![Format::Png, Format::Svg, Format::Html], dpi: 48.0, dry_run: false };
    plan.selection.curve_by = names("max_num_seqs,max_concurrency");
    let said = told(&plan).unwrap();
    assert_eq!(said.lines.iter().filter(|line| line.starts_with("Output file: ")).count(), 3);
    assert!(said.warnings.is_empty(), "{:?}", said.warnings);
    let (width, height, _) = raster::tests::decode(&fs::read(dir.path().join("FIGURE.png")).unwrap());
    assert!(width > height && height == 307, "{width} x {height}");
    let svg = fs::read_to_string(dir.path().join("FIGURE.svg")).unwrap();
    assert!(svg.contains("Median TTFT (ms)") && svg.contains("Total token throughput (tok/s)"));
    let page = fs::read_to_string(dir.path().join("FIGURE.html")).unwrap();
    assert!(page.contains("mean of 2 runs") && page.contains("max_num_seqs=64"));
    assert!(!page.contains("https://"));
}

#[test]
fn the_drawing_of_a_small_sweep() {
    let dir = experiment();
    let mut plan = plan(dir.path());
    plan.output = Output { formats: vec![Format::Svg], dpi: 96.0, dry_run: false };
    plan.selection.curve_by = names("max_num_seqs");
    plan.selection.scale_y = Scale::Log;
    plan.fig_height_in = 3.0;
    told(&plan).unwrap();
    insta::assert_snapshot!(fs::read_to_string(dir.path().join("FIGURE.svg")).unwrap());
}

#[test]
fn filters_and_bins_decide_what_is_drawn() {
    let dir = experiment();
    let mut plan = plan(dir.path());
    plan.output = Output { formats: vec![Format::Html], dpi: 96.0, dry_run: false };
    plan.selection.var_x = "max_concurrency".to_owned();
    plan.filters = Filter::parse_list("max_concurrency<8,enable_prefix_caching==false").unwrap();
    plan.binners = Binner::parse_list("max_concurrency%3").unwrap();
    told(&plan).unwrap();
    let page = fs::read_to_string(dir.path().join("FIGURE.html")).unwrap();
    assert!(page.contains("Maximum concurrency (requests): 3\""), "{page}");
    assert_eq!(page.matches("mean of").count(), 1);

    plan.filters = Filter::parse_list("max_concurrency>100").unwrap();
    let error = told(&plan).map(|_| ()).unwrap_err();
    assert_eq!(
        error,
        "no data to plot: filters max_concurrency>100 leave none of 8 runs with finite values of both variables"
    );
}

#[test]
fn unknown_keys_are_named_with_their_option() {
    let dir = experiment();
    type Change = (&'static str, fn(&mut PlotPlan));
    let change: [Change; 6] = [
        ("--fig-by: cannot find metric `zzz`", |plan| plan.fig_by = names("zzz")),
        ("--row-by: cannot find metric `zzz`", |plan| plan.selection.row_by = names("zzz")),
        ("--curve-by: cannot find `zzz`", |plan| plan.selection.curve_by = names("zzz")),
        ("--var-x: cannot find `nope`", |plan| plan.selection.var_x = "nope".to_owned()),
        ("--filter-by: cannot find `zzz`", |plan| plan.filters = Filter::parse_list("zzz<1").unwrap()),
        ("--bin-by: cannot find `zzz`", |plan| plan.binners = Binner::parse_list("zzz%1").unwrap()),
    ];
    for (expected, change) in change {
        let mut plan = plan(dir.path());
        change(&mut plan);
        let error = told(&plan).map(|_| ()).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
    let mut lax = plan(dir.path());
    lax.selection.var_x = "nope".to_owned();
    lax.check_dry_run = false;
    assert_eq!(told(&lax).unwrap().lines.last().map(String::as_str), Some("[END FIGURE]"));
}

#[test]
fn values_without_a_place_are_told() {
    let dir = experiment();
    let mut plan = plan(dir.path());
    plan.output.dry_run = false;
    plan.selection.var_x = "request_rate".to_owned();
    let error = told(&plan).map(|_| ()).unwrap_err();
    assert!(error.contains("8 runs has finite values"), "{error}");
}

fn pareto(dir: &Path, label_by: &str, formats: &[Format]) -> ParetoPlan {
    ParetoPlan {
        experiment_dir: dir.to_owned(),
        keys: ParetoKeys { user_count: "max_num_seqs".to_owned(), gpu_count: None },
        label_by: names(label_by),
        check_labels: true,
        output: Output { formats: formats.to_vec(), dpi: 96.0, dry_run: formats.is_empty() },
    }
}

#[test]
fn a_frontier_is_drawn_and_told() {
    let dir = experiment();
    let mut said = Said::default();
    plot_pareto(&pareto(dir.path(), "max_concurrency,max_num_seqs", &[Format::Svg, Format::Png]), &mut said)
        .unwrap();
    let file = dir.path().join("pareto/PARETO").display().to_string();
    assert_eq!(
        said.lines,
        [
            "[BEGIN FIGURE]".to_owned(),
            "Group: {}".to_owned(),
            format!("Output file: {file}.svg"),
            format!("Output file: {file}.png"),
            "Plotted 8 points; Pareto frontier size: 2.".to_owned(),
            "[END FIGURE]".to_owned(),
        ]
    );
    insta::assert_snapshot!(fs::read_to_string(dir.path().join("pareto/PARETO.svg")).unwrap());

    let error = plot_pareto(&pareto(dir.path(), "zzz", &[Format::Svg]), &mut Said::default())
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("--label-by: cannot find `zzz`"), "{error}");
    let mut dry = Said::default();
    plot_pareto(&pareto(dir.path(), "gpu_count", &[]), &mut dry).unwrap();
    assert_eq!(dry.lines, ["[BEGIN FIGURE]", "Group: {}", "[END FIGURE]"]);
}
