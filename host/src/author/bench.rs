//! `vbench plugin bench`: what loading a plugin and calling it costs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::anyhow;

use super::check::{load, mebibytes, own_offers};
use super::trial::Bench;
use crate::cli;
use crate::clock;
use crate::fault::Fault;
use crate::plugin::contract::Offer;
use crate::plugin::{CacheMode, CallCost, Costs, LoadOptions, Plugins};
use crate::plugins::{self, Loader};
use crate::run::Screen;
use crate::source::Spec;

/// Samples that are drawn unless `--count` says otherwise.
const SAMPLES: u32 = 500;
/// Times that a load is measured; the best is told, since others are disturbed.
const LOADS: usize = 5;

/// What to measure.
#[derive(Debug, Clone)]
pub struct BenchArgs {
    /// File, name or address of the plugin, or `built-in`.
    pub plugin: String,
    /// Own flags, and those of `vbench serve`.
    pub flags: Vec<String>,
}

/// What one plugin costs.
struct Measured {
    name: String,
    size_bytes: u64,
    cold_ms: f64,
    warm_ms: f64,
    offers: Vec<MeasuredOffer>,
}

/// What the calls of one offer cost, or why they could not be made.
struct MeasuredOffer {
    name: String,
    role: &'static str,
    calls: Result<MeasuredCalls, String>,
}

/// The calls of a trial.
struct MeasuredCalls {
    costs: Costs,
    /// Samples that were drawn, or written.
    samples: u64,
    /// Bytes that went across, by call.
    bytes: BTreeMap<&'static str, u64>,
}

/// Measures, and gives a table.
///
/// # Errors
/// When a plugin cannot be loaded. What a plugin cannot be called with these
/// flags is in the table.
pub fn bench(loader: &Loader, args: BenchArgs, screen: &Screen) -> Result<String, Fault> {
    let mut flags = args.flags;
    let markdown = cli::take_switch(&mut flags, "--markdown");
    let count = cli::take_count(&mut flags, SAMPLES)?;
    let flags = Sections::split(flags)?;
    let mut all = Vec::new();
    if args.plugin == "built-in" {
        let names: Vec<String> =
            loader.builtins()?.inspect()?.into_iter().map(|info| info.description.name).collect();
        for name in names {
            let make = |options: LoadOptions| Ok(plugins::with_builtin(options, &name)?);
            let loads = measure_loads(loader, &make)?;
            let plugins = loader.builtins()?;
            let offers = plugins.offers().filter(|offered| offered.plugin == name);
            let offers: Vec<Offer> = offers.map(|offered| offered.offer.clone()).collect();
            all.push(measure(
                name.clone(),
                loads,
                &offers,
                &flags,
                count,
                screen,
                || Ok(loader.builtins()?),
            )?);
        }
    } else {
        let resolved = loader.resolver().resolve(&Spec::parse(&args.plugin)?)?;
        let make = |options: LoadOptions| {
            let mut plugins = Plugins::new(options);
            plugins.add_bytes(resolved.source.clone(), resolved.wasm.clone())?;
            Ok(plugins)
        };
        let loads = measure_loads(loader, &make)?;
        let (name, offers) = own_offers(&load(loader, &resolved)?, &resolved.source);
        all.push(measure(name, loads, &offers, &flags, count, screen, || load(loader, &resolved))?);
    }
    Ok(if markdown { to_markdown(&all) } else { to_text(&all) })
}

/// Flags of `vbench serve` for all offers, and those after `--for OFFER` for one.
struct Sections {
    all: Vec<String>,
    own: Vec<(String, Vec<String>)>,
}

impl Sections {
    fn split(flags: Vec<String>) -> Result<Self, Fault> {
        let mut this = Self { all: Vec::new(), own: Vec::new() };
        let mut words = flags.into_iter();
        while let Some(word) = words.next() {
            if word == "--for" {
                let offer =
                    words.next().ok_or_else(|| Fault::user(anyhow!("--for wants the name of an offer")))?;
                this.own.push((offer, Vec::new()));
            } else {
                this.own.last_mut().map_or(&mut this.all, |(_, own)| own).push(word);
            }
        }
        Ok(this)
    }

    fn of(&self, offer: &str) -> Vec<String> {
        let own = self.own.iter().filter(|(name, _)| name == offer).flat_map(|(_, own)| own);
        self.all.iter().chain(own).cloned().collect()
    }
}

struct Loads {
    size_bytes: u64,
    cold_ms: f64,
    warm_ms: f64,
}

/// Time to read and compile a plugin, and to find it compiled.
fn measure_loads(
    loader: &Loader,
    make: &dyn Fn(LoadOptions) -> Result<Plugins, Fault>,
) -> Result<Loads, Fault> {
    let dir = tempfile::tempdir().map_err(Fault::user)?;
    let quiet = LoadOptions { watch: None, ..loader.options().clone() };
    let cached = LoadOptions { cache: CacheMode::Dir(dir.path().join("cache")), ..quiet.clone() };
    let uncached = LoadOptions { cache: CacheMode::Off, ..quiet };
    let time_ms = |options: &LoadOptions| {
        let start_ns = clock::now_ns();
        let plugins = make(options.clone())?;
        plugins.compile_all()?;
        Ok::<_, Fault>((clock::now_ns() - start_ns) as f64 / 1e6)
    };
    let best = |options: &LoadOptions, times: usize| {
        (0..times).try_fold(f64::INFINITY, |best, _| Ok::<_, Fault>(time_ms(options)?.min(best)))
    };
    let cold_ms = best(&uncached, 2)?;
    // The first of these fills the cache.
    time_ms(&cached)?;
    let warm_ms = best(&cached, LOADS)?;
    let size_bytes = make(cached)?.inspect()?.first().map_or(0, |info| info.inspection.size_bytes);
    Ok(Loads { size_bytes, cold_ms, warm_ms })
}

fn measure(
    name: String,
    loads: Loads,
    offers: &[Offer],
    flags: &Sections,
    count: u32,
    screen: &Screen,
    fresh: impl Fn() -> Result<Plugins, Fault>,
) -> Result<Measured, Fault> {
    let mut measured = Vec::new();
    for offer in offers {
        // Costs are counted by plugin, so each offer gets plugins of its own.
        let plugins = fresh()?;
        let flags = flags.of(&offer.name);
        let trial = Bench::new(&plugins, &flags, count, screen).and_then(|bench| bench.run(offer));
        let calls = trial.map_err(|fault| fault.to_string()).map(|trial| {
            let costs = plugins.costs().into_iter().find(|(plugin, _)| *plugin == name);
            MeasuredCalls {
                costs: costs.map(|(_, costs)| costs).unwrap_or_default(),
                samples: trial.samples.len().max(1) as u64,
                bytes: trial.bytes,
            }
        });
        measured.push(MeasuredOffer { name: offer.name.clone(), role: offer.role.name(), calls });
    }
    let Loads { size_bytes, cold_ms, warm_ms } = loads;
    Ok(Measured { name, size_bytes, cold_ms, warm_ms, offers: measured })
}

const HEADS: [&str; 8] =
    ["offer", "call", "calls", "mean µs", "longest µs", "µs a sample", "bytes", "memory MiB"];

/// What calls are named after, in the order of a run.
const STAGES: [&str; 10] =
    ["instantiate", "open", "endpoint", "next", "build", "parse", "finish", "good", "evaluate", "objective"];

/// Calls that are given many samples at once, or give them.
const BATCHED: [&str; 2] = ["dataset.next", "backend.build"];

/// Rows of an offer in the table of calls, the first of which begins with `name`
/// and has the memory, which is the offer's as a whole.
fn rows(offer: &MeasuredOffer, mut name: String) -> Vec<[String; HEADS.len()]> {
    let MeasuredCalls { costs, samples, bytes } = match &offer.calls {
        Ok(calls) => calls,
        Err(reason) => {
            let mut row = HEADS.map(|_| String::new());
            row[0] = name;
            row[1] = format!("not measured: {}", reason.lines().next().unwrap_or_default());
            return vec![row];
        }
    };
    let mut memory_mib = format!("{:.1}", mebibytes(costs.peak_memory_bytes));
    let mut calls: Vec<_> = costs.calls.iter().collect();
    calls.sort_by_key(|(call, _)| STAGES.iter().position(|stage| call.ends_with(stage)));
    let us = |ns: u64, count: u64| format!("{:.1}", ns as f64 / count.max(1) as f64 / 1000.0);
    let row = |(call, cost): (&&'static str, &CallCost)| {
        [
            std::mem::take(&mut name),
            (*call).to_owned(),
            cost.calls.to_string(),
            us(cost.wall_ns, cost.calls),
            us(cost.max_wall_ns, 1),
            if BATCHED.contains(call) { us(cost.wall_ns, *samples) } else { String::new() },
            bytes.get(call).map(u64::to_string).unwrap_or_default(),
            std::mem::take(&mut memory_mib),
        ]
    };
    calls.into_iter().map(row).collect()
}

fn to_text(all: &[Measured]) -> String {
    let mut text = String::new();
    for measured in all {
        let _ = writeln!(
            text,
            "{}: {} bytes, cold load {:.1} ms, warm load {:.2} ms",
            measured.name, measured.size_bytes, measured.cold_ms, measured.warm_ms
        );
        let named = |offer: &MeasuredOffer| rows(offer, format!("{} {}", offer.role, offer.name));
        let rows: Vec<_> = measured.offers.iter().flat_map(named).collect();
        let widths: Vec<usize> = (0..HEADS.len())
            .map(|column| {
                rows.iter()
                    .map(|row| row[column].chars().count())
                    .chain([HEADS[column].chars().count()])
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        for row in std::iter::once(HEADS.map(str::to_owned)).chain(rows) {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            let _ = writeln!(text, "  {}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }
    text
}

fn to_markdown(all: &[Measured]) -> String {
    let mut text = String::from("| plugin | bytes | cold load, ms | warm load, ms |\n|---|---:|---:|---:|\n");
    for measured in all {
        let _ = writeln!(
            text,
            "| {} | {} | {:.0} | {:.2} |",
            measured.name, measured.size_bytes, measured.cold_ms, measured.warm_ms
        );
    }
    // Offers of all plugins by what they are, since those of one kind are worth comparing.
    for (role, title) in [("dataset", "Datasets"), ("backend", "Backends"), ("sla", "Criteria")] {
        let offers = all.iter().flat_map(|measured| &measured.offers).filter(|offer| offer.role == role);
        let rows: Vec<_> = offers.flat_map(|offer| rows(offer, offer.name.clone())).collect();
        if rows.is_empty() {
            continue;
        }
        let numbers = "---:|".repeat(HEADS.len() - 2);
        let _ = write!(text, "\n## {title}\n\n| {} |\n|---|---|{numbers}\n", HEADS.join(" | "));
        for row in rows {
            let _ = writeln!(text, "| {} |", row.map(|cell| cell.replace('|', "\\|")).join(" | "));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_may_be_for_one_offer() {
        let words = ["--a", "--for", "x", "--b", "1", "--for", "y", "--c"].map(str::to_owned).into();
        let sections = Sections::split(words).unwrap();
        assert_eq!(sections.of("x"), ["--a", "--b", "1"]);
        assert_eq!(sections.of("y"), ["--a", "--c"]);
        assert_eq!(sections.of("z"), ["--a"]);
        assert!(Sections::split(vec!["--for".to_owned()]).is_err());
    }

    #[test]
    fn a_table_says_what_was_measured_and_what_was_not() {
        let mut costs = Costs { peak_memory_bytes: 3 << 20, ..Costs::default() };
        for call in ["dataset.finish", "dataset.next", "dataset.open", "instantiate"] {
            let cost = CallCost { calls: 2, wall_ns: 5_000, max_wall_ns: 4_000, cpu_ns: 5_000 };
            costs.calls.insert(call, cost);
        }
        let bytes = BTreeMap::from([("dataset.next", 99), ("backend.build", 1)]);
        let calls = MeasuredCalls { costs, samples: 10, bytes };
        let all = [Measured {
            name: "acme".to_owned(),
            size_bytes: 10,
            cold_ms: 123.4,
            warm_ms: 1.234,
            offers: vec![
                MeasuredOffer { name: "a".to_owned(), role: "dataset", calls: Ok(calls) },
                MeasuredOffer { name: "b".to_owned(), role: "sla", calls: Err("no | way\nmore".to_owned()) },
            ],
        }];
        let markdown = to_markdown(&all);
        assert!(markdown.contains("| acme | 10 | 123 | 1.23 |"), "{markdown}");
        let calls = [
            "## Datasets",
            "",
            "| offer | call | calls | mean µs | longest µs | µs a sample | bytes | memory MiB |",
            "|---|---|---:|---:|---:|---:|---:|---:|",
            "| a | instantiate | 2 | 2.5 | 4.0 |  |  | 3.0 |",
            "|  | dataset.open | 2 | 2.5 | 4.0 |  |  |  |",
            "|  | dataset.next | 2 | 2.5 | 4.0 | 0.5 | 99 |  |",
            "|  | dataset.finish | 2 | 2.5 | 4.0 |  |  |  |",
            "",
            "## Criteria",
        ];
        assert!(markdown.contains(&calls.join("\n")), "{markdown}");
        assert!(markdown.contains("| b | not measured: no \\| way |"), "{markdown}");
        let text = to_text(&all);
        assert!(text.contains("\n  dataset a ") && text.contains("\n  sla b "), "{text}");
        assert!(to_text(&all).contains("cold load 123.4 ms"));
    }
}
