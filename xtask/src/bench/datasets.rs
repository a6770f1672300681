//! What it costs to make the prompts of a run: CPU time of `vbench serve
//! --dry-run` on one CPU, start-up deducted, with a tokenizer as large as those
//! of present-day models. Reading the file is part of it.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::dataset_cases::{CASES, DatasetCase};
use super::process::{Usage, measure};
use super::stats::median_of;
use super::table::table;
use super::{Setting, chosen, clients, process};
use crate::workspace::Workspace;

/// Prompts of the run that tells what starting costs: as many as prefix_repetition has prefixes.
const FEW: u64 = 10;

/// What a dry run says of the prompts.
#[derive(Debug, PartialEq)]
struct Said {
    requests: u64,
    mean_tokens: f64,
}

/// What a case costs.
pub(super) struct Figure {
    case: &'static DatasetCase,
    mean_tokens: f64,
    cpu_ms_each: f64,
    peak_mib: f64,
    /// All of it, for the file of figures.
    pub(super) json: Value,
}

impl Figure {
    /// Tokens of a prompt, CPU of one and of 100,000, and memory, as text.
    fn cells(&self) -> [String; 4] {
        [
            format!("{:.0}", self.mean_tokens),
            format!("{:.3}", self.cpu_ms_each),
            format!("{:.1}", self.cpu_ms_each * 100.0),
            format!("{:.0}", self.peak_mib),
        ]
    }
}

/// Measures `prompts` of each dataset and prints; gives all figures.
pub(super) fn measure_all(setting: &Setting, only: &str, prompts: u64) -> Result<Vec<Figure>> {
    if prompts <= FEW {
        bail!("{prompts} prompts are too few to see what one costs");
    }
    let dir = setting.dir.join("datasets");
    let mut figures = Vec::new();
    for case in chosen(&CASES, |case| case.name, only)? {
        eprintln!("datasets: {} ({} runs of {prompts} prompts)", case.name, setting.runs);
        let (start_up, _) = dry_runs(setting, case, &dir, FEW)?;
        let (full, said) = dry_runs(setting, case, &dir, prompts)?;
        let cpu_ms =
            (median_of(&full, |usage| usage.cpu_s) - median_of(&start_up, |usage| usage.cpu_s)) * 1e3;
        let ms_each = cpu_ms / (prompts - FEW) as f64;
        let peak_mib = full.iter().map(Usage::peak_rss_mib).fold(0.0, f64::max);
        let all = |usages: &[Usage], of: fn(&Usage) -> f64| usages.iter().map(of).collect::<Vec<_>>();
        let json = json!({
            "case": case.name,
            "prompts": prompts,
            "mean_prompt_tokens": said.mean_tokens,
            "cpu_ms_per_prompt": ms_each,
            "cpu_s": all(&full, |usage| usage.cpu_s),
            "start_up_cpu_s": all(&start_up, |usage| usage.cpu_s),
            "wall_s": all(&full, |usage| usage.wall_s),
            "peak_rss_mib": peak_mib,
        });
        figures.push(Figure { case, mean_tokens: said.mean_tokens, cpu_ms_each: ms_each, peak_mib, json });
    }
    let rows: Vec<Vec<String>> = figures
        .iter()
        .map(|figure| [vec![figure.case.name.to_owned()], figure.cells().to_vec()].concat())
        .collect();
    println!("\n{}\n", table(&["dataset", "tokens", "CPU ms/prompt", "s for 100,000", "peak MiB"], &rows));
    Ok(figures)
}

/// Writes the page on what prompts cost to make.
///
/// # Errors
/// The page cannot be written.
pub(super) fn document(workspace: &Workspace, prompts: u64, figures: &[Figure]) -> Result<()> {
    let rows: String = figures
        .iter()
        .map(|figure| format!("| `{}` | {} |\n", figure.case.typed(), figure.cells().join(" | ")))
        .collect();
    let page = format!(
        "# What prompts cost to make\n\n\
         Written by `cargo xtask bench datasets --document` on: {}.\n\n\
         CPU time of one core, start-up deducted and reading of the file included, with a byte-level BPE tokenizer of\n\
         140,000 tokens: {prompts} prompts were made of each dataset, of a file with as many rows. Tokens are the mean of\n\
         a prompt's, as the dataset counts them; answers whose length a dataset looks up are counted on top. Memory is\n\
         that of the whole process, the tokenizer included, at its peak.\n\n\
         Texts are encoded over all cores, which divides the time, but for prompts that have to be mended one after the\n\
         other (see [How prompts are made](../concepts/sampling.md)).\n\n\
         | flags | tokens | CPU ms a prompt | s for 100,000 prompts | peak MiB |\n\
         |---|---:|---:|---:|---:|\n{rows}",
        process::machine()
    );
    let path = workspace.root().join("docs/reference/sampling-costs.md");
    fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}

/// Draws `prompts` from a file with as many rows, again and again.
fn dry_runs(setting: &Setting, case: &DatasetCase, dir: &Path, prompts: u64) -> Result<(Vec<Usage>, Said)> {
    let flags = case.flags(&dir.join(case.name), prompts)?;
    let out = dir.join(format!("{}.txt", case.name));
    let mut usages = Vec::new();
    for _ in 0..setting.runs {
        let mut command = clients::dry_run(setting, &setting.large_tokenizer()?, prompts);
        let file = File::create(&out).with_context(|| format!("cannot write {}", out.display()))?;
        command.args(&flags).stderr(file.try_clone()?).stdout(file);
        let usage = measure(&mut command, setting.client_cpu);
        usages
            .push(usage.with_context(|| format!("{} cannot be measured; see {}", case.name, out.display()))?);
    }
    fs::remove_dir_all(dir.join(case.name))?;
    let text = fs::read_to_string(&out).with_context(|| format!("cannot read {}", out.display()))?;
    let said = said(&text).with_context(|| format!("{} is no report of a dry run", out.display()))?;
    if said.requests != prompts {
        bail!("{}: {} requests were made of {prompts} prompts", case.name, said.requests);
    }
    Ok((usages, said))
}

/// The number of requests and the mean length of their prompts.
fn said(report: &str) -> Option<Said> {
    let requests = report.lines().find_map(|line| line.strip_prefix("Dry run: nothing is sent. "))?;
    let requests = requests.split_whitespace().nth(2)?.parse().ok()?;
    // Requests come before, and may have anything in them.
    let lengths = report.rsplit_once("Lengths in tokens")?.1;
    let prompts = lengths.lines().find_map(|line| line.strip_prefix("prompt "))?;
    let mean_tokens = prompts.split_whitespace().nth(1)?.parse().ok()?;
    Some(Said { requests, mean_tokens })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_a_dry_run_is_read() {
        let report = "Dry run: nothing is sent. 3 of 200 requests:\n\nRequest 1, due after 0.0 s:\nprompt 1 2\n\n\
                      Lengths in tokens                min      mean\n\
                      prompt                            31      65.7      66.0\nanswer, at most  1  2  3\n";
        assert_eq!(said(report), Some(Said { requests: 200, mean_tokens: 65.7 }));
        assert_eq!(said(""), None);
    }
}
