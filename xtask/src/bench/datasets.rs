//! What it costs to make the prompts of a run: CPU time of `vbench serve
//! --dry-run` on one CPU, start-up deducted, with a tokenizer as large as those
//! of present-day models.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;
use serde_json::{Value, json};

use super::process::{Usage, measure};
use super::stats::median;
use super::table::table;
use super::{Setting, clients, data};

/// A dataset and its options; `@FILE@` is the file made for it.
struct Case {
    name: &'static str,
    options: &'static [&'static str],
    file: Option<fn(&Path, u64) -> Result<()>>,
}

const CASES: [Case; 10] = [
    Case { name: "random", options: &["--random-input-len", "1024"], file: None },
    Case {
        name: "random-parallel",
        options: &["--random-input-len", "1024", "--sampling", "parallel"],
        file: None,
    },
    Case { name: "prefix_repetition", options: &["--dataset-name", "prefix_repetition"], file: None },
    Case {
        name: "prefix_repetition-parallel",
        options: &["--dataset-name", "prefix_repetition", "--sampling", "parallel"],
        file: None,
    },
    Case {
        name: "sharegpt",
        options: &["--dataset-name", "sharegpt", "--dataset-path", "@FILE@"],
        // Rows are about 7 KB; some are passed over.
        file: Some(|path, count| data::sharegpt(path, count * 9_000)),
    },
    Case {
        name: "custom",
        options: &["--dataset-name", "custom", "--skip-chat-template", "--dataset-path", "@FILE@"],
        file: Some(data::prompts),
    },
    Case {
        name: "spec_bench",
        options: &["--dataset-name", "spec_bench", "--skip-chat-template", "--dataset-path", "@FILE@"],
        file: Some(data::prompts),
    },
    Case { name: "sonnet", options: &["--dataset-name", "sonnet", "--backend", "openai-chat"], file: None },
    Case {
        name: "burstgpt",
        options: &["--dataset-name", "burstgpt", "--dataset-path", "@FILE@"],
        file: Some(data::burstgpt),
    },
    Case {
        name: "timed_trace",
        options: &["--dataset-name", "timed_trace", "--dataset-path", "@FILE@"],
        file: Some(data::trace),
    },
];

/// Prompts that are made.
const PROMPTS: u64 = 10_000;

/// Measures and prints; gives all figures.
pub(super) fn measure_all(setting: &Setting, only: &str) -> Result<Vec<Value>> {
    let (tokenizer, prompts) = (setting.large_tokenizer()?, PROMPTS);
    let (mut rows, mut figures) = (Vec::new(), Vec::new());
    for case in CASES.iter().filter(|case| case.name.contains(only)) {
        eprintln!("datasets: {} ({} runs of {prompts} prompts)", case.name, setting.runs);
        let file = setting.dir.join(format!("{}.jsonl", case.name)).with_extension(match case.name {
            "sharegpt" => "json",
            "burstgpt" => "csv",
            _ => "jsonl",
        });
        if let Some(write) = case.file {
            write(&file, prompts)?;
        }
        let repeated = |count: u64| -> Result<Vec<Usage>> {
            (0..setting.runs)
                .map(|_| measure(&mut command(setting, &tokenizer, case, &file, count), setting.client_cpu))
                .collect()
        };
        // Ten: as many prefixes as prefix_repetition has.
        let (start_up, full) = (repeated(10)?, repeated(prompts)?);
        let cpu = |usages: &[Usage]| median(&usages.iter().map(|usage| usage.cpu_s).collect::<Vec<_>>());
        let ms_each = (cpu(&full) - cpu(&start_up)) * 1e3 / prompts as f64;
        let peak_mib = full.iter().map(|usage| usage.peak_rss_bytes).max().unwrap_or(0) >> 20;
        rows.push(vec![
            case.name.to_owned(),
            format!("{ms_each:.3}"),
            format!("{:.1}", ms_each * 100.0),
            peak_mib.to_string(),
        ]);
        figures.push(json!({
            "case": case.name,
            "prompts": prompts,
            "cpu_ms_per_prompt": ms_each,
            "cpu_s": full.iter().map(|usage| usage.cpu_s).collect::<Vec<_>>(),
            "start_up_cpu_s": start_up.iter().map(|usage| usage.cpu_s).collect::<Vec<_>>(),
            "wall_s": full.iter().map(|usage| usage.wall_s).collect::<Vec<_>>(),
            "peak_rss_mib": peak_mib,
        }));
        if case.file.is_some() {
            std::fs::remove_file(&file)?;
        }
    }
    println!("\n{}\n", table(&["dataset", "CPU ms/prompt", "s for 100,000", "peak MiB"], &rows));
    Ok(figures)
}

fn command(setting: &Setting, tokenizer: &Path, case: &Case, file: &PathBuf, count: u64) -> Command {
    let mut command = Command::new(&setting.vbench);
    command.args(["serve", "--dry-run", "--model", clients::MODEL, "--disable-tqdm", "--tokenizer"]);
    command.arg(tokenizer).args(["--num-prompts", &count.to_string()]);
    for option in case.options {
        match *option {
            "@FILE@" => command.arg(file),
            option => command.arg(option),
        };
    }
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}
