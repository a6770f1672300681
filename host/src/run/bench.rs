//! The wire, the backend and the reader put together, ready for phases.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::anyhow;

use super::phase::{Phase, PhaseOutcome};
use super::prepare::{Ahead, Envelope, Labels};
use super::probes::{ProbeLine, Probes, probe_input};
use crate::cli::{Compat, ServePlan};
use crate::extract::plan::ReadyPlan;
use crate::extract::{Cutting, Dialect, Method, Origin, Progress, RequestMeta};
use crate::fault::Fault;
use crate::media::Store;
use crate::plugin::contract::{BackendArgs, RequestIn};
use crate::plugin::{BackendClient, Identity, Plugins};
use crate::wire::{Arrival, Framing, GeneralOptions, LaneReport, Target, TargetError, Wire, WireOptions};

/// Faults after which the backend plugin reads no more responses of a phase.
const MAX_FAULTS: u32 = 3;

/// Everything that phases of a run share.
pub struct Bench<'a> {
    plugins: &'a Plugins,
    backend: String,
    backend_args: BackendArgs,
    envelope: Envelope,
    cutting: Cutting,
    origin: Option<Origin>,
    identity: Identity,
    target: Arc<Target>,
    options: WireOptions,
    wire: Wire,
    arrivals: Receiver<Vec<Arrival>>,
    stop: Arc<AtomicBool>,
}

impl<'a> Bench<'a> {
    /// Opens the backend, resolves the target and starts the I/O threads.
    ///
    /// # Errors
    /// When the backend refuses its options, or the target makes no sense.
    pub fn start(
        plan: &ServePlan,
        plugins: &'a Plugins,
        backend_args: BackendArgs,
        authorization: Option<String>,
        media: Arc<Store>,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, Fault> {
        let mut client = plugins
            .open_backend(&plan.backend.name, backend_args.clone())
            .map_err(|error| error.naming_flag(|key| plan.backend.flags.get(key)))?;
        let endpoint = client.endpoint()?;
        let identity = client.identity().clone();
        let target =
            Target::resolve(&plan.target.base_url, plan.target.insecure).map_err(|error| match error {
                TargetError::Resolve { .. } => Fault::target(error),
                _ => Fault::user(error),
            })?;
        let general = (plan.target.http2 || proxied(&plan.target.base_url)).then(|| GeneralOptions {
            base_url: plan.target.base_url.clone(),
            http2: plan.target.http2,
            insecure: plan.target.insecure,
        });
        let options = WireOptions {
            threads: plan.target.io_threads.map_or_else(default_io_threads, usize::from),
            request_timeout: Duration::try_from_secs_f64(plan.target.request_timeout_s)
                .unwrap_or(Duration::MAX),
            general,
        };
        let (out, arrivals) = channel();
        let target = Arc::new(target);
        let wire = start_wire(&target, &options, out)?;
        let cutting = match endpoint.framing {
            Framing::Sse if plan.compat == Compat::V033 => {
                Cutting::Reference(Dialect::of_backend(&plan.backend.name))
            }
            framing => Cutting::Standard(framing),
        };
        let origin = (plan.compat != Compat::V033).then(|| Origin {
            backend: plan.backend.name.clone(),
            url: format!("{}{}", plan.target.base_url, endpoint.path),
            framing: endpoint.framing,
        });
        let user_headers = plan.target.headers.clone();
        let flags = plan.backend.flags.clone();
        let session_header = plan.target.session_header.clone();
        let envelope = Envelope { endpoint, authorization, user_headers, session_header, media, flags };
        Ok(Self {
            plugins,
            backend: plan.backend.name.clone(),
            backend_args,
            envelope,
            cutting,
            origin,
            identity,
            target,
            options,
            wire,
            arrivals,
            stop,
        })
    }

    /// What the backend says of its endpoint.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Which plugin writes and reads.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether the user has asked for an end.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The flag by which the user asks for an end.
    pub fn stop_flag(&self) -> &AtomicBool {
        &self.stop
    }

    /// Writes the requests of a phase as far ahead as they may be.
    ///
    /// # Errors
    /// When the backend fails on the first of them.
    pub fn prepare(&self, inputs: Vec<RequestIn>) -> Result<Ahead, Fault> {
        let ahead = Ahead::begin(self.open_client()?, self.envelope.clone(), inputs, Arc::clone(&self.stop))?;
        ahead.wait_ready();
        Ok(ahead)
    }

    /// Sends prepared requests by a schedule and reads what comes back.
    ///
    /// # Errors
    /// When the backend cannot be opened for reading. A failure while writing
    /// ends the phase early and comes beside its outcome.
    pub fn run(
        &mut self,
        ahead: Ahead,
        metas: Vec<RequestMeta>,
        offsets_s: &[f64],
        cap: Option<usize>,
        watch: impl FnMut(&Progress),
    ) -> Result<(PhaseOutcome, Option<Fault>), Fault> {
        let (method, mut reading) = match &self.envelope.endpoint.plan {
            Some(plan) => (Method::Plan(Box::new(ReadyPlan::new(plan))), None),
            None => (Method::Plugin, Some(self.open_client()?)),
        };
        let (requests, written, writer) = ahead.into_parts();
        let mut metas = metas;
        let meta = |index: u32| {
            let at = index as usize;
            let mut meta = metas.get_mut(at).map(std::mem::take).unwrap_or_default();
            if let Some(written) = written.get(at) {
                written.complete(&mut meta);
            }
            meta
        };
        let outcome = Phase {
            wire: &self.wire,
            arrivals: &mut self.arrivals,
            requests: requests.into_iter(),
            offsets_s,
            cap,
            cutting: self.cutting,
            method,
            origin: self.origin.clone(),
            parse: |response| match &mut reading {
                // Each fault may have taken all the time that a call has.
                Some(client) if client.faults() >= MAX_FAULTS => Err(format!(
                    "plugin `{}`, `backend.parse`: not called any more after {MAX_FAULTS} faults",
                    client.identity().plugin
                )),
                Some(client) => client.parse(response).map_err(|e| e.to_string()),
                None => Err("there is no plugin to read the response".to_owned()),
            },
            meta,
            stop: &self.stop,
        }
        .run(watch);
        Ok((outcome, Ahead::finish(writer).err()))
    }

    /// Begins to send probes made of the request `test` by the side of the load;
    /// see [`Probes`].
    ///
    /// # Errors
    /// When the backend cannot write a probe, or there is no thread for them.
    pub fn probe(&self, test: &RequestIn, rps: f64) -> Result<Probes, Fault> {
        let mut client = self.open_client()?;
        let written =
            client.build(vec![probe_input(test)]).map_err(|error| self.envelope.naming_flag(error))?.pop();
        let written = written.ok_or_else(|| Fault::plugin(anyhow!("the backend wrote no probe")))?;
        let request = self.envelope.outgoing(&Labels::default(), written)?;
        let (out, arrivals) = channel();
        let wire = start_wire(&self.target, &WireOptions { threads: 1, ..self.options.clone() }, out)?;
        let endpoint = self.envelope.endpoint.clone();
        let (cutting, origin) = (self.cutting, self.origin.clone());
        Probes::start(ProbeLine { wire, arrivals, request, cutting, origin, endpoint, client }, rps)
    }

    /// Ends the I/O threads and takes their reports.
    pub fn end(self) -> Vec<LaneReport> {
        self.wire.stop()
    }

    fn open_client(&self) -> Result<Box<dyn BackendClient>, Fault> {
        Ok(self.plugins.open_backend(&self.backend, self.backend_args.clone())?)
    }
}

fn start_wire(target: &Arc<Target>, options: &WireOptions, out: Sender<Vec<Arrival>>) -> Result<Wire, Fault> {
    Wire::start(Arc::clone(target), options, out)
        .map_err(|e| Fault::user(anyhow!("cannot start the I/O threads: {e}")))
}

/// One I/O thread carries some hundred thousand events a second; more of them
/// only where there are cores to spare beside the server's and the reader's.
fn default_io_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 4).clamp(1, 4)
}

/// Whether the environment names a proxy for this URL.
fn proxied(base_url: &str) -> bool {
    let scheme = base_url.split(':').next().unwrap_or_default();
    let variables = [
        format!("{scheme}_proxy"),
        format!("{}_PROXY", scheme.to_uppercase()),
        "all_proxy".into(),
        "ALL_PROXY".into(),
    ];
    let named = variables.iter().any(|name| std::env::var(name).is_ok_and(|value| !value.is_empty()));
    named && !exempt(base_url)
}

/// Whether `no_proxy` exempts the URL's host: names match themselves and their
/// subdomains, `*` matches all.
fn exempt(base_url: &str) -> bool {
    let Some(host) = reqwest::Url::parse(base_url).ok().and_then(|url| url.host_str().map(str::to_lowercase))
    else {
        return false;
    };
    let list = std::env::var("no_proxy").or_else(|_| std::env::var("NO_PROXY")).unwrap_or_default();
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.trim_start_matches('.').to_lowercase();
        entry == "*" || host == entry || host.ends_with(&format!(".{entry}"))
    })
}
