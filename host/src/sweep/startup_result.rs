//! What `vbench startup` tells and keeps of the starts it has measured.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::startup_time::StartupArgs;
use crate::fault::Fault;
use crate::metrics::stats::{Sorted, mean};
use crate::report::{self, ReportError, python_json, pytorch};

/// Percentiles of the reference client.
const PERCENTILES: [u32; 6] = [10, 25, 50, 75, 90, 99];

/// Seconds from the start of the process to each milestone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Milestones {
    /// The port accepts connections.
    pub port_open_s: f64,
    /// `/health` answers 200; the start-up time of the result.
    pub healthy_s: f64,
    /// `/v1/models` lists a model.
    pub models_s: f64,
    /// A completion of one token is there. None if the server gives none.
    pub first_token_s: Option<f64>,
    /// How long compilation took, as the server's log has it.
    pub compilation_s: Option<f64>,
}

/// All starts of a command, by phase.
#[derive(Debug)]
pub struct StartupResult {
    /// The model that the server says it serves.
    pub model: Option<String>,
    /// The settings by the reference client's names.
    args: Map<String, Value>,
    measured: BTreeMap<&'static str, Vec<Milestones>>,
}

/// The times of one metric in one phase.
struct Series {
    /// `cold` or `warm`.
    phase: &'static str,
    /// `startup` or `compilation`.
    metric: &'static str,
    times_s: Vec<f64>,
}

impl Series {
    /// How the result's keys name it.
    fn key(&self) -> String {
        format!("{}_{}", self.phase, self.metric)
    }

    fn average(&self) -> (String, Value) {
        (format!("avg_{}_time", self.key()), json!(mean(&self.times_s)))
    }

    fn percentiles(&self) -> impl Iterator<Item = (u32, f64)> {
        let sorted = Sorted::new(self.times_s.clone());
        PERCENTILES.into_iter().map(move |percent| (percent, sorted.percentile(f64::from(percent))))
    }

    /// The single times and their percentiles, as the result has them.
    fn details(&self) -> Map<String, Value> {
        let percentiles: Map<String, Value> =
            self.percentiles().map(|(percent, time_s)| (percent.to_string(), json!(time_s))).collect();
        Map::from_iter([
            (format!("{}_times", self.key()), json!(self.times_s)),
            (format!("{}_percentiles", self.key()), Value::Object(percentiles)),
        ])
    }
}

impl StartupResult {
    /// The result of a command of which nothing has been measured.
    pub fn new(args: &StartupArgs, command: &[String]) -> Self {
        let mut settings = server_settings(command);
        settings.extend([
            ("num_iters_cold".to_owned(), json!(args.num_iters_cold)),
            ("num_iters_warmup".to_owned(), json!(args.num_iters_warmup)),
            ("num_iters_warm".to_owned(), json!(args.num_iters_warm)),
            ("output_json".to_owned(), json!(args.output_json)),
        ]);
        Self { model: None, args: settings, measured: BTreeMap::new() }
    }

    /// Adds a start: `cold`, `warmup` or `warm`.
    pub fn add(&mut self, phase: &'static str, start: Milestones) {
        self.measured.entry(phase).or_default().push(start);
    }

    /// In the reference client's order. Compilation is there only if the
    /// server's log tells its time at every start of the phase.
    fn series(&self) -> Vec<Series> {
        let mut series = Vec::new();
        for phase in ["cold", "warm"] {
            let Some(all) = self.measured.get(phase) else { continue };
            let mut add = |metric, times_s| series.push(Series { phase, metric, times_s });
            add("startup", all.iter().map(|one| one.healthy_s).collect());
            if let Some(times_s) = all.iter().map(|one| one.compilation_s).collect() {
                add("compilation", times_s);
            }
        }
        series
    }

    /// The file of the reference client, and what vbench adds.
    fn to_json(&self) -> Map<String, Value> {
        let mut result = Map::new();
        for series in self.series() {
            result.extend([series.average()]);
            result.extend(series.details());
        }
        let milestones: Map<String, Value> = self
            .measured
            .iter()
            .map(|(phase, all)| {
                let all = all.iter().map(|one| {
                    json!({
                        "port_open_s": one.port_open_s,
                        "healthy_s": one.healthy_s,
                        "models_s": one.models_s,
                        "first_token_s": one.first_token_s,
                        "compilation_s": one.compilation_s,
                    })
                });
                ((*phase).to_owned(), all.collect())
            })
            .collect();
        let own =
            json!({"version": env!("CARGO_PKG_VERSION"), "model": self.model, "milestones": milestones});
        result.insert("vbench".to_owned(), own);
        result
    }

    /// Files for PyTorch's benchmark database, one a metric and phase: the part
    /// of the name before `.pytorch.json`, and the content.
    fn to_pytorch(&self) -> Result<Vec<(String, Vec<u8>)>, ReportError> {
        let mut args = self.args.clone();
        if !args.contains_key("model") {
            args.insert("model".to_owned(), json!(self.model));
        }
        let file = |series: Series| {
            let (name, average) = series.average();
            let content = pytorch::command_to_vec(&[(&name, vec![average])], &series.details(), &args)?;
            Ok((series.key(), content))
        };
        self.series().into_iter().map(file).collect()
    }

    /// Writes the result and, if the environment asks for that, the files for
    /// PyTorch's database beside it.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Fault> {
        let json = |error| Fault::user(ReportError::from(error));
        let text = python_json::to_pretty(&Value::Object(self.to_json()), 4).map_err(json)?;
        report::write_atomically(path, text.as_bytes()).map_err(Fault::user)?;
        if pytorch::is_wanted() {
            for (name, content) in self.to_pytorch().map_err(Fault::user)? {
                let beside = path.with_extension(format!("{name}.pytorch.json"));
                report::write_atomically(&beside, &content).map_err(Fault::user)?;
            }
        }
        Ok(())
    }

    /// What is told at the end.
    pub fn table(&self) -> String {
        let rule = "=".repeat(60);
        let mut lines =
            vec![String::new(), rule.clone(), "STARTUP TIME BENCHMARK RESULTS".to_owned(), rule.clone()];
        let series = self.series();
        for of_phase in series.chunk_by(|a, b| a.phase == b.phase) {
            lines.extend([String::new(), format!("{} STARTUP:", of_phase[0].phase.to_uppercase())]);
            for one in of_phase {
                lines.push(format!("Avg {} time: {:.2} seconds", one.metric, mean(&one.times_s)));
            }
            for one in of_phase {
                let capital = one.metric[..1].to_uppercase() + &one.metric[1..];
                lines.push(format!("{capital} time percentiles:"));
                lines.extend(
                    one.percentiles().map(|(percent, time_s)| format!("  {percent}%: {time_s:.2} seconds")),
                );
            }
            if of_phase.len() == 1 {
                lines.push(
                    "Compilation time: the server's log does not tell it (--compilation-text)".to_owned(),
                );
            }
        }
        lines.push(rule);
        lines.join("\n")
    }
}

/// The flags of the server's command, named as the reference client names its
/// engine's arguments, and what stands after `serve` as the model. Only what
/// was given: defaults are the server's own.
fn server_settings(command: &[String]) -> Map<String, Value> {
    let mut settings = Map::new();
    let mut words = command.iter().skip(1).peekable();
    let mut after_serve = false;
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--") else {
            if after_serve {
                settings.insert("model".to_owned(), json!(word));
            }
            after_serve = word == "serve";
            continue;
        };
        after_serve = false;
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (flag, words.next_if(|next| !next.starts_with("--")).map(String::as_str)),
        };
        // Numbers as numbers; what is no JSON is a text.
        let value = value.map_or(Value::Bool(true), |text| {
            serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
        });
        settings.insert(name.replace('-', "_"), value);
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(command: &str) -> StartupResult {
        let command: Vec<String> = command.split(' ').map(str::to_owned).collect();
        let args = StartupArgs {
            server_cmd: String::new(),
            num_iters_cold: 2,
            num_iters_warmup: 0,
            num_iters_warm: 1,
            output_json: Some("out/start.json".into()),
            compilation_text: String::new(),
            server_ready_timeout: 1,
            show_stdout: false,
            server_words: Vec::new(),
        };
        let mut result = StartupResult::new(&args, &command);
        let one = |healthy_s: f64, compilation_s| Milestones {
            port_open_s: 0.1,
            healthy_s,
            models_s: healthy_s,
            first_token_s: None,
            compilation_s,
        };
        result.add("cold", one(2.0, Some(1.0)));
        result.add("cold", one(4.0, Some(1.5)));
        result.add("warm", one(1.0, None));
        result
    }

    #[test]
    fn the_result_has_the_reference_clients_keys() {
        let result = result("vllm serve m");
        let json = result.to_json();
        assert_eq!(json["avg_cold_startup_time"], 3.0);
        assert_eq!(json["cold_startup_percentiles"]["50"], 3.0);
        assert_eq!(json["avg_cold_compilation_time"], 1.25);
        assert_eq!(json["warm_startup_times"], json!([1.0]));
        assert!(!json.contains_key("avg_warm_compilation_time"));
        let table = result.table();
        assert!(table.contains("COLD STARTUP:\nAvg startup time: 3.00 seconds") && table.contains("  99%:"));
    }

    #[test]
    fn a_file_for_pytorch_holds_one_metric_of_a_phase() {
        let files = result("vllm serve Qwen/Qwen3-0.6B --tensor-parallel-size 2").to_pytorch().unwrap();
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["cold_startup", "cold_compilation", "warm_startup"]);
        let records: Value = serde_json::from_slice(&files[0].1).unwrap();
        assert_eq!(records.as_array().unwrap().len(), 1);
        assert_eq!(records[0]["model"]["name"], "Qwen/Qwen3-0.6B");
        assert_eq!(
            records[0]["metric"],
            json!({
                "name": "avg_cold_startup_time",
                "benchmark_values": [3.0],
                "extra_info": {
                    "cold_startup_times": [2.0, 4.0],
                    "cold_startup_percentiles":
                        {"10": 2.2, "25": 2.5, "50": 3.0, "75": 3.5, "90": 3.8, "99": 3.98},
                },
            })
        );
        let args = &records[0]["benchmark"]["extra_info"]["args"];
        assert_eq!(args["tensor_parallel_size"], 2);
        assert_eq!((&args["num_iters_cold"], &args["output_json"]), (&json!(2), &json!("out/start.json")));
    }

    #[test]
    fn a_model_that_no_flag_names_is_the_servers() {
        let mut result = result("vbench mock --port 8000");
        result.model = Some("mock-model".to_owned());
        let files = result.to_pytorch().unwrap();
        let records: Value = serde_json::from_slice(&files[0].1).unwrap();
        assert_eq!(records[0]["model"]["name"], "mock-model");
    }

    #[test]
    fn flags_of_the_server_are_settings() {
        let words: Vec<String> = ["vllm", "serve", "m", "--seed=7", "--enforce-eager", "--dtype", "half"]
            .map(str::to_owned)
            .into();
        assert_eq!(
            Value::Object(server_settings(&words)),
            json!({"model": "m", "seed": 7, "enforce_eager": true, "dtype": "half"})
        );
    }
}
