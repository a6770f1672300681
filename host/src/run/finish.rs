//! From a finished run to what the user sees and keeps.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::screen::Screen;
use crate::cli::{Compat, ServePlan};
use crate::clock;
use crate::fault::{EXIT_OK, EXIT_PLUGIN, EXIT_TARGET, EXIT_THRESHOLD, Fault};
use crate::metrics::{
    ClientReport, ExtensionInput, Extensions, LatencyMetric, MetricOptions, PrefixCache, ProbeSummary,
    Series, ServerCounters, Summary, TokenHistograms,
};
use crate::plot;
use crate::plugin::contract::{Skip, Verdict};
use crate::plugin::services::RunView;
use crate::plugin::{Criterion, Identity, Plugins};
use crate::record::{Failure, FailureClass, RequestRecord, RunRecord, Task};
use crate::report::{self, ReportInput, ResultFile, ResultJson, RpsChange, RunSettings};
use crate::sla::MeasuredRun;
use crate::tokenizer::Tokenizer;

/// A request that took this long to be written waited for a connection attempt to
/// be repeated; the system does so after a second.
const SLOW_SEND_S: f64 = 0.5;

/// Opened criteria, and for each whether missing it fails the command.
pub type Criteria = Vec<(Box<dyn Criterion>, bool)>;

/// What is needed besides the records.
pub struct Finish<'a> {
    /// What was asked for.
    pub plan: &'a ServePlan,
    /// Where lines go.
    pub screen: &'a Screen,
    /// For costs.
    pub plugins: &'a Plugins,
    /// Counts answers whose length the server does not report.
    pub tokenizer: Option<&'a Tokenizer>,
    /// The model's id.
    pub model_id: &'a str,
    /// The tokenizer's, if there is one.
    pub tokenizer_id: Option<&'a str>,
    /// Dataset and backend.
    pub identities: Vec<Identity>,
    /// What judges the run.
    pub criteria: Criteria,
    /// The server's counters before and after, as they were for speculative and
    /// for diffusion decoding.
    pub counters: Option<([ServerCounters; 2], [ServerCounters; 2])>,
    /// Whole rates that a ramp-up reached.
    pub rps_changes: Option<Vec<RpsChange>>,
    /// What the client says of itself.
    pub client: ClientReport,
    /// `ignore_eos` as it was sent.
    pub ignore_eos: bool,
    /// No prompt of the dataset repeats or begins like another.
    pub fresh_prompts: bool,
    /// Requests that were never sent, because the run was stopped.
    pub unsent: usize,
    /// Rows that the dataset passed over.
    pub skipped: Vec<Skip>,
    /// What the probes saw, if there were any.
    pub probes: Option<ProbeSummary>,
}

/// A larger share of prompt tokens than this is not in the prefix cache by chance.
const FRESH_HIT_SHARE: f64 = 0.01;

impl Finish<'_> {
    /// Computes, prints and writes everything; gives the exit code.
    ///
    /// # Errors
    /// When a file cannot be written, or, with everything printed and written,
    /// when a criterion failed. The table is printed before any file is touched.
    pub fn report(mut self, mut run: RunRecord) -> Result<u8, Fault> {
        count_output(&mut run, self.tokenizer)?;
        let series = Series::from_run(&run);
        let histograms = TokenHistograms::from_run(&run);
        let view: Arc<dyn RunView> = Arc::new(MeasuredRun::new(&run, &series));
        let mut goodput = None;
        // A criterion that fails must not cost a run that was measured: it is told at the end.
        let mut fault = None;
        for (criterion, _) in &mut self.criteria {
            match criterion.good(&view) {
                Ok(good) => goodput = good.or(goodput),
                Err(error) => {
                    fault.get_or_insert(Fault::from(error));
                }
            }
        }
        let load = &self.plan.load;
        let requested_rps =
            (load.ramp_up.is_none() && load.request_rate.is_finite()).then_some(load.request_rate);
        let options = MetricOptions {
            selected: self.selected(run.task),
            percentiles: self.plan.results.percentiles.clone(),
            capped: load.max_concurrency.is_some(),
            finite_rate: requested_rps.is_some(),
            has_tokenizer: self.tokenizer.is_some(),
            goodput,
        };
        let summary = Summary::compute(&series, &options);
        let (before, after) = self.counters.take().unwrap_or_default();
        let speculative = ServerCounters::speculative_decoding(&before[0], &after[0]);
        let diffusion = ServerCounters::diffusion_decoding(&before[1], &after[1], series.duration_s);
        let prefix_cache = ServerCounters::prefix_cache(&before[0], &after[0], summary.total_input_tokens);
        let client_limited = self.client.client_limited.clone();
        let extensions = Extensions::compute(
            &run,
            &series,
            &histograms,
            ExtensionInput { requested_rps, client: std::mem::take(&mut self.client), prefix_cache },
        );
        self.warn(&run, client_limited.as_deref());
        if let Some(cache) = &extensions.prefix_cache {
            self.warn_of_hits(&run, cache);
        }
        let settings = self.settings();
        let verdicts = self.judge(&run, &series, &summary, &mut fault);
        let mut sections = self.sections();
        if !verdicts.is_empty() {
            sections.insert("sla".to_owned(), Value::from_iter(verdicts.iter().map(verdict_json)));
        }
        let input = ReportInput {
            settings: &settings,
            run: &run,
            series: &series,
            summary: &summary,
            probes: self.probes.as_ref(),
            rps_changes: self.rps_changes.as_deref(),
            speculative: speculative.as_ref(),
            diffusion: diffusion.as_ref(),
            extensions: &extensions,
            sections: &sections,
        };
        let reference = self.plan.compat == Compat::V033;
        self.screen.line(report::console::render(&input, reference).trim_end_matches('\n'));
        if !reference {
            let beyond = report::console::render_beyond(&extensions);
            if !beyond.is_empty() {
                self.screen.line(beyond.trim_end_matches('\n'));
            }
        }
        self.tell(&verdicts);
        self.write(&input, &settings, &histograms)?;
        match fault {
            Some(fault) => Err(fault),
            None => Ok(self.exit_code(&run, &verdicts)),
        }
    }

    fn selected(&self, task: Task) -> Vec<LatencyMetric> {
        match &self.plan.results.percentile_metrics {
            None => LatencyMetric::default_for(task).to_vec(),
            Some(names) => names.iter().filter_map(|name| name.parse().ok()).collect(),
        }
    }

    fn settings(&self) -> RunSettings {
        let plan = self.plan;
        RunSettings {
            date: clock::local_now().datetime(),
            backend: plan.backend.name.clone(),
            endpoint_type: plan.backend.name.clone(),
            label: plan.results.label.clone(),
            model_id: self.model_id.to_owned(),
            tokenizer_id: self.tokenizer_id.map(str::to_owned),
            num_prompts: plan.num_prompts,
            metadata: plan.results.metadata.clone(),
            request_rate: plan.load.request_rate,
            burstiness: plan.load.burstiness,
            max_concurrency: plan.load.max_concurrency.map(u64::from),
            ramp_up: plan.load.ramp_up.map(|ramp| report::RampUp {
                strategy: ramp.strategy.to_string(),
                start_rps: ramp.start_rps,
                end_rps: ramp.end_rps,
            }),
        }
    }

    /// The part of the `vbench` object that says how the run came about.
    fn sections(&self) -> Map<String, Value> {
        let mut sections = Map::new();
        sections.insert("version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
        sections.insert("compat".to_owned(), json!(self.plan.compat.name()));
        let mut args = self.plan.namespace.export(self.ignore_eos);
        // Where the requests went, in whichever way that was said.
        args.shift_remove("host");
        args.shift_remove("port");
        args.insert("base_url".to_owned(), json!(self.plan.target.base_url));
        sections.insert("args".to_owned(), Value::Object(args));
        let identities = self.identities.iter().chain(self.criteria.iter().map(|(c, _)| c.identity()));
        sections.insert("plugins".to_owned(), identities.map(|identity| json!(identity)).collect());
        let costs = self.plugins.costs().into_iter().map(|(name, costs)| (name, json!(costs)));
        sections.insert("plugin_costs".to_owned(), Value::Object(costs.collect()));
        let mut skipped: BTreeMap<&str, u64> = BTreeMap::new();
        for skip in &self.skipped {
            *skipped.entry(&skip.reason).or_default() += skip.count;
        }
        sections.insert("skipped".to_owned(), json!(skipped));
        sections.insert("warnings".to_owned(), json!(self.screen.warnings()));
        sections
    }

    /// The verdicts of the criteria that were asked for by name. `fault` is set by
    /// the first that fails.
    fn judge(
        &mut self,
        run: &RunRecord,
        series: &Series,
        summary: &Summary,
        fault: &mut Option<Fault>,
    ) -> Vec<(String, Verdict)> {
        let view: Arc<dyn RunView> = Arc::new(MeasuredRun::new(run, series).with_summary(summary));
        let mut verdicts = Vec::new();
        for (criterion, named) in &mut self.criteria {
            if *named {
                match criterion.evaluate(std::slice::from_ref(&view)) {
                    Ok(verdict) => verdicts.push((criterion.identity().offer.clone(), verdict)),
                    Err(error) => {
                        fault.get_or_insert(error.into());
                    }
                }
            }
        }
        verdicts
    }

    /// What the criteria say.
    fn tell(&self, verdicts: &[(String, Verdict)]) {
        for (name, verdict) in verdicts {
            let word = if verdict.pass { "PASSED" } else { "FAILED" };
            self.screen.line(format!("SLA {name}: {word} (margin {:+.1} %)", 100.0 * verdict.margin));
            for finding in &verdict.findings {
                let actual = finding.actual.map_or("not measured".to_owned(), |value| format!("{value:.2}"));
                let word = if finding.pass { "ok" } else { "missed" };
                self.screen.line(format!("  {}: {actual}, {word}", finding.criterion));
            }
        }
    }

    /// What the user should know of the run as a whole, on the screen and in the result.
    fn warn(&self, run: &RunRecord, client_limited: Option<&str>) {
        if self.unsent > 0 {
            self.screen.warn(format!("the run was stopped: {} requests were never sent", self.unsent));
        }
        if let Some(reason) = client_limited {
            self.screen.warn(format!(
                "the client was the limit, so latencies may be too high: {reason}; lower the load, or give vbench more cores"
            ));
        }
        let slow = |request: &&RequestRecord| request.send_delay_s().is_some_and(|delay| delay > SLOW_SEND_S);
        let slow = run.requests.iter().filter(slow).count();
        if slow > 0 {
            self.screen.warn(format!(
                "the server took over {SLOW_SEND_S} s to accept {slow} of {} requests, and that is in their TTFT: \
                 too small a listen backlog for so many connections at once does this",
                run.requests.len()
            ));
        }
        let by_plugin = |failure: &&Failure| failure.class == FailureClass::Plugin;
        let mut failures =
            run.requests.iter().filter_map(|request| request.failure.as_ref()).filter(by_plugin);
        if let Some(first) = failures.next() {
            let count = 1 + failures.count();
            self.screen.warn(format!("{count} responses could not be read; the first: {}", first.message));
        } else if !run.requests.is_empty() && run.requests.iter().all(|request| !request.succeeded()) {
            let first = run.requests.iter().find_map(|request| request.failure.as_ref());
            self.screen.warn(format!(
                "all requests failed; the first: {}",
                first.map_or("no reason is known", |failure| failure.message.as_str())
            ));
        }
    }

    /// Hits of the prefix cache where there should be none: prompts that are
    /// drawn anew and have no prefix in common.
    fn warn_of_hits(&self, run: &RunRecord, cache: &PrefixCache) {
        if !self.fresh_prompts {
            return;
        }
        // The first prompt has been asked before, to see whether the server is up.
        let load = &self.plan.load;
        let tried = load.ready_check_timeout_s > 0 || load.num_warmups > 0;
        let first = run.requests.first().filter(|_| tried).map_or(0, |request| request.dataset_prompt_tokens);
        let hits = cache.hit_tokens.saturating_sub(i64::try_from(first).unwrap_or(i64::MAX));
        if hits as f64 > FRESH_HIT_SHARE * cache.query_tokens as f64 {
            self.screen.warn(format!(
                "the server had {} of {} prompt tokens in its prefix cache, although the dataset `{}` draws every \
                 prompt anew: times to the first token are too low; most likely the same seed was run before, so \
                 use another --seed or reset the cache",
                cache.hit_tokens, cache.query_tokens, self.plan.dataset.name
            ));
        }
    }

    fn write(
        &self,
        input: &ReportInput<'_>,
        settings: &RunSettings,
        histograms: &TokenHistograms,
    ) -> Result<(), Fault> {
        let results = &self.plan.results;
        if let Some(reason) = results.late_metadata_error {
            return Err(Fault::user(anyhow::anyhow!("{reason}")));
        }
        if results.save || results.append {
            self.write_result(input, settings)?;
        }
        self.draw(input.series, settings)?;
        if let Some(path) = &results.save_requests {
            report::requests::write(path, input.run).map_err(Fault::user)?;
        }
        if let Some(path) = &results.histogram_log {
            let duration = Duration::from_nanos(input.run.end_ns - input.run.start_ns);
            report::write_histogram_log(path, histograms, clock::wall_time_of(input.run.start_ns), duration)
                .map_err(Fault::user)?;
        }
        Ok(())
    }

    fn write_result(&self, input: &ReportInput<'_>, settings: &RunSettings) -> Result<(), Fault> {
        let results = &self.plan.results;
        let json = ResultJson::new(input, results.detailed);
        let file = ResultFile::new(settings, results.filename.as_deref(), results.dir.as_deref());
        let content = json.to_vec().map_err(|e| Fault::user(report::ReportError::from(e)))?;
        let written = if results.append {
            report::append_result(file.path(), &content)
        } else {
            report::write_atomically(file.path(), &content)
        };
        written.map_err(Fault::user)?;
        if report::pytorch::is_wanted() {
            let args = self.plan.namespace.export(self.ignore_eos);
            let content = report::pytorch::to_vec(&json, &args).map_err(Fault::user)?;
            let path: PathBuf = file.beside("pytorch.json");
            report::write_atomically(&path, &content).map_err(Fault::user)?;
        }
        Ok(())
    }

    /// Pictures beside the result. One that cannot be drawn or written is a
    /// warning: the numbers are what the run was for.
    fn draw(&self, series: &Series, settings: &RunSettings) -> Result<(), Fault> {
        let results = &self.plan.results;
        let file = ResultFile::new(settings, results.filename.as_deref(), results.dir.as_deref());
        let write = |what: &str, ending: &str, content: Result<Vec<u8>, plot::PlotError>| {
            let path = file.beside(ending);
            let written = content
                .map_err(|e| e.to_string())
                .and_then(|content| report::write_atomically(&path, &content).map_err(|e| e.to_string()));
            match written {
                Ok(()) => self.screen.line(format!("{what} plot saved to: {}", path.display())),
                Err(reason) => self.screen.warn(format!("no {} plot: {reason}", what.to_lowercase())),
            }
        };
        if let Some(thresholds) = results.timeline {
            match series.task {
                Task::Generation => {
                    let page = plot::timeline_html(series, thresholds);
                    write("Timeline", "timeline.html", Ok(page.into_bytes()));
                }
                Task::Pooling => {
                    self.screen.warn("no timeline plot: the answers of this backend are no tokens")
                }
            }
        }
        if results.dataset_stats {
            // The reference client gives its files a name only if it writes one of these.
            let named = results.save || results.append || results.timeline.is_some();
            if self.plan.compat == Compat::V033 && !named {
                return Err(Fault::user(anyhow::anyhow!(
                    "--plot-dataset-stats needs --save-result, --append-result or --plot-timeline under --compat v0.33"
                )));
            }
            let picture = plot::dataset_stats_png(&series.input_tokens, &series.output_tokens);
            write("Dataset statistics", "dataset_stats.png", picture);
        }
        Ok(())
    }

    fn exit_code(&self, run: &RunRecord, verdicts: &[(String, Verdict)]) -> u8 {
        // What a plugin did not read is neither a success nor the server's fault.
        let by_plugin = |failure: &Failure| failure.class == FailureClass::Plugin;
        if run.requests.iter().any(|request| request.failure.as_ref().is_some_and(by_plugin)) {
            return EXIT_PLUGIN;
        }
        if verdicts.iter().any(|(_, verdict)| !verdict.pass) {
            return EXIT_THRESHOLD;
        }
        let failed = run.requests.iter().filter(|request| !request.succeeded()).count();
        let share = failed as f64 / run.requests.len().max(1) as f64;
        if self.plan.load.max_error_rate.is_some_and(|limit| share > limit) {
            return EXIT_THRESHOLD;
        }
        // The reference client knows no exit code for failed requests.
        if failed == run.requests.len() && self.plan.compat != Compat::V033 { EXIT_TARGET } else { EXIT_OK }
    }
}

/// Sets the length of each answer: reported, else counted, else 1.
///
/// # Errors
/// When the tokenizer cannot read an answer.
pub fn count_output(run: &mut RunRecord, tokenizer: Option<&Tokenizer>) -> Result<(), Fault> {
    let mut uncounted = Vec::new();
    let mut texts = Vec::new();
    for (at, request) in run.requests.iter_mut().enumerate() {
        if !request.succeeded() || run.task == Task::Pooling {
            continue;
        }
        match request.usage.output_tokens {
            Some(tokens) if tokens > 0 => request.output_tokens = tokens,
            _ if tokenizer.is_none() => request.output_tokens = 1,
            _ => {
                uncounted.push(at);
                texts.push(request.text.as_str());
            }
        }
    }
    let Some(tokenizer) = tokenizer.filter(|_| !texts.is_empty()) else { return Ok(()) };
    let counts = tokenizer.count(&texts, false).map_err(Fault::user)?;
    for (at, tokens) in uncounted.into_iter().zip(counts) {
        run.requests[at].output_tokens = u64::from(tokens);
    }
    Ok(())
}

/// Makes sure, before anything is measured, that there will be a place for the files.
///
/// # Errors
/// When a folder cannot be made or written to.
pub fn check_places(plan: &ServePlan) -> Result<(), Fault> {
    let results = &plan.results;
    let mut folders: Vec<PathBuf> = Vec::new();
    if results.save || results.append || results.timeline.is_some() || results.dataset_stats {
        let file = PathBuf::from(results.filename.as_deref().unwrap_or_default());
        let path = results.dir.clone().unwrap_or_default().join(file);
        folders.push(if results.filename.is_some() { parent(&path) } else { path });
    }
    folders.extend(results.save_requests.iter().chain(&results.histogram_log).map(|path| parent(path)));
    for folder in folders {
        let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
        let tried = std::fs::create_dir_all(&folder).and_then(|()| tempfile::tempfile_in(&folder).map(drop));
        tried.map_err(|e| {
            Fault::user(anyhow::anyhow!("results cannot be written to `{}`: {e}", folder.display()))
        })?;
    }
    Ok(())
}

fn parent(path: &std::path::Path) -> PathBuf {
    path.parent().map(PathBuf::from).unwrap_or_default()
}

fn verdict_json((name, verdict): &(String, Verdict)) -> Value {
    let findings = verdict.findings.iter().map(|finding| {
        json!({
            "criterion": finding.criterion,
            "actual": finding.actual,
            "limit": finding.limit,
            "pass": finding.pass,
            "margin": finding.margin,
        })
    });
    json!({"name": name, "pass": verdict.pass, "margin": verdict.margin, "findings": findings.collect::<Value>()})
}
