//! Small requests beside the measured load, to see what it does to others.
//!
//! As in the reference client: one after the other on a connection of their
//! own, outside the concurrency cap, with a pause of `1 / rate` after each
//! answer, so that the rate is reached only where answers take no time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;

use anyhow::anyhow;

use super::pacer;
use super::phase::Phase;
use crate::clock;
use crate::extract::plan::ReadyPlan;
use crate::extract::{Cutting, Method, Origin, RequestMeta};
use crate::fault::Fault;
use crate::metrics::{ProbeSummary, Series};
use crate::plugin::BackendClient;
use crate::plugin::contract::{Attachments, Endpoint, Prompt, RequestIn};
use crate::record::{RequestRecord, RunRecord, Task};
use crate::wire::{Arrival, Outgoing, Wire};

/// What a probe asks.
const PROMPT: &str = "Hi";

/// The request of a probe: `test` with another prompt and an answer of one token.
pub fn probe_input(test: &RequestIn) -> RequestIn {
    let mut probe = test.clone();
    probe.id = None;
    probe.turn.prompt = Prompt::Text(PROMPT.to_owned());
    probe.turn.attachments = Attachments::None;
    probe.turn.prompt_tokens = 1;
    probe.turn.output_tokens = 1;
    probe
}

/// How probes are sent and read.
pub struct ProbeLine {
    /// A connection of their own.
    pub wire: Wire,
    /// What comes back on it.
    pub arrivals: Receiver<Vec<Arrival>>,
    /// What is sent, again and again.
    pub request: Outgoing,
    /// How answers are cut into events.
    pub cutting: Cutting,
    /// Where answers come from.
    pub origin: Option<Origin>,
    /// What the backend says of its answers.
    pub endpoint: Endpoint,
    /// Reads answers where the backend has no plan for them.
    pub client: Box<dyn BackendClient>,
}

/// Probes on their way. They end when this goes away.
pub struct Probes {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<RequestRecord>>>,
    task: Task,
}

impl Drop for Probes {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Probes {
    /// Begins to send probes, with pauses of `1 / rps` seconds in between.
    ///
    /// # Errors
    /// When there is no thread for them.
    pub fn start(line: ProbeLine, rps: f64) -> Result<Self, Fault> {
        let stop = Arc::new(AtomicBool::new(false));
        let task = line.endpoint.task;
        let until = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("vbench-probes".to_owned())
            .spawn(move || send(line, rps, &until))
            .map_err(|e| Fault::user(anyhow!("cannot start the thread of the probes: {e}")))?;
        Ok(Self { stop, thread: Some(thread), task })
    }

    /// Ends them; the one that is on its way does not count. None if none succeeded.
    pub fn stop(mut self) -> Option<ProbeSummary> {
        self.stop.store(true, Ordering::Relaxed);
        let requests = self.thread.take()?.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let run = RunRecord { task: self.task, start_ns: 0, end_ns: 0, requests };
        let series = Series::from_run(&run);
        let latencies_s: Vec<f64> = series.successes().map(|at| series.latency_s[at]).collect();
        let failed = (series.len() - latencies_s.len()) as u64;
        ProbeSummary::new(latencies_s, failed)
    }
}

fn send(line: ProbeLine, rps: f64, stop: &AtomicBool) -> Vec<RequestRecord> {
    let ProbeLine { wire, mut arrivals, request, cutting, origin, endpoint, mut client } = line;
    // A rate so low that there is no such pause sends one probe.
    let pause_ns = (1e9 / rps) as u64;
    let mut records = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let method = match &endpoint.plan {
            Some(plan) => Method::Plan(Box::new(ReadyPlan::new(plan))),
            None => Method::Plugin,
        };
        let outcome = Phase {
            wire: &wire,
            arrivals: &mut arrivals,
            requests: std::iter::once(request.clone()),
            offsets_s: &[],
            cap: None,
            cutting,
            method,
            origin: origin.clone(),
            parse: |response| client.parse(response).map_err(|e| e.to_string()),
            meta: |_| RequestMeta { prompt_tokens: 1, output_tokens: 1, ..RequestMeta::default() },
            stop,
        }
        .run(|_| {});
        if outcome.stopped {
            break;
        }
        records.extend(outcome.records);
        pacer::wait_until(clock::now_ns().saturating_add(pause_ns), stop);
    }
    wire.stop();
    records
}
