//! Pictures of sweeps and of runs.

use std::fs;
use std::sync::Arc;

use tempfile::TempDir;

use super::command::{Outcome, Vbench, fixtures};

/// Runs a command of `sweep` on a copy of the fixtures' experiment, `@OUT@/exp`.
fn sweep(args: &[&str]) -> (Outcome, Arc<TempDir>) {
    let out = Arc::new(tempfile::tempdir().expect("a temporary folder"));
    for entry in fs::read_dir(fixtures().join("plots/experiment")).expect("the fixture") {
        let entry = entry.expect("an entry");
        let copy = out.path().join("exp").join(entry.file_name());
        fs::create_dir_all(&copy).expect("a folder");
        fs::copy(entry.path().join("summary.json"), copy.join("summary.json")).expect("a copy");
    }
    let words = ["sweep"].iter().chain(args);
    (Vbench::within(Arc::clone(&out), words).run(), out)
}

fn told(outcome: &Outcome, out: &TempDir) -> String {
    outcome.stdout.replace(&out.path().display().to_string(), "@OUT@")
}

#[test]
fn a_sweep_is_plotted_and_told_as_the_reference_client_does() {
    let args =
        ["plot", "--compat", "v0.33", "@OUT@/exp", "--var_x=max_concurrency", "--curve_b", "max_num_seqs"];
    let (outcome, out) = sweep(&args);
    let outcome = outcome.expect_code(0);
    assert_eq!(
        told(&outcome, &out),
        "[BEGIN FIGURE]\nGroup: {}\nGrid: 1 rows x 1 cols\nOutput file: @OUT@/exp/FIGURE.png\n[END FIGURE]\n"
    );
    assert!(fs::read(out.path().join("exp/FIGURE.png")).expect("a picture").starts_with(b"\x89PNG"));
}

#[test]
fn a_frontier_is_plotted_under_both_names() {
    for name in ["plot_pareto", "plot-pareto"] {
        let (outcome, out) = sweep(&[name, "@OUT@/exp", "--dry-run"]);
        let outcome = outcome.expect_code(0);
        assert_eq!(
            told(&outcome, &out),
            "[BEGIN FIGURE]\nGroup: {}\nOutput file: @OUT@/exp/pareto/PARETO.png\n[END FIGURE]\n"
        );
        assert!(!out.path().join("exp/pareto").exists());
    }
}

#[test]
fn what_cannot_be_plotted_is_named() {
    for (args, words) in [
        (&["plot", "@OUT@/exp", "--filter-by", "max_concurrency~3"][..], "`max_concurrency~3`"),
        (&["plot", "@OUT@/exp", "--fig-by", "zzz", "--dry-run"], "`zzz`"),
        (&["plot", "@OUT@/exp", "--var-x", "nope"], "--var-x: cannot find `nope`"),
        (&["plot", "@OUT@/exp", "--fig-format", "gif"], "png, svg or html"),
        (&["plot", "@OUT@/exp", "--fig-dpi", "0"], "--fig-dpi"),
        (&["plot", "@OUT@/nowhere"], "no such folder"),
        (&["plot-pareto", "@OUT@/exp", "--label-by", "zzz"], "--label-by: cannot find `zzz`"),
    ] {
        let (outcome, _) = sweep(args);
        let outcome = outcome.expect_code(2);
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    }
}

#[test]
fn a_run_is_drawn_without_a_saved_result() {
    let args = "serve --mock --model m --tokenizer tokenizers/bpe --num-prompts 5 --random-input-len 12 \
                --random-output-len 3 --disable-tqdm --plot-timeline --plot-dataset-stats --result-dir @OUT@ \
                --result-filename run.json";
    let outcome = Vbench::new(args.split_whitespace()).run().expect_code(0);
    assert_eq!(outcome.files(), ["run.dataset_stats.png", "run.timeline.html"]);
    for line in ["Timeline plot saved to: ", "Dataset statistics plot saved to: "] {
        assert!(outcome.stdout.contains(line), "{}", outcome.stdout);
    }
    let page = outcome.file("run.timeline.html").expect("a page");
    assert!(page.contains("5 requests.") && page.contains("ITL &lt; 25ms"), "{page}");
}
