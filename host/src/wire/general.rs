//! Exchanges over HTTP/2 or through a proxy, carried by reqwest.
//!
//! Same stamps, same arrivals as the event loop, at two to three times its CPU
//! cost an event. Each lane is a thread with a single-threaded tokio runtime.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::LocalSet;

use super::connection::{Exchange, HAND_ON_BYTES};
use super::exchange::{Arrival, Dispatch, Ending};
use super::http1::ResponseHead;
use super::lanes::{Lane, LaneReport, busy_histogram};
use super::target::Target;
use crate::clock;
use crate::record::{Failure, FailureClass};

/// How reqwest is to carry requests.
#[derive(Debug, Clone)]
pub struct GeneralOptions {
    /// The user's base URL.
    pub base_url: String,
    /// HTTP/2 only (prior knowledge on plain connections).
    pub http2: bool,
    /// Any certificate is accepted.
    pub insecure: bool,
}

enum Command {
    Start(Dispatch),
    Stop,
}

struct GeneralLane {
    commands: UnboundedSender<Command>,
    abort: watch::Sender<bool>,
}

impl Lane for GeneralLane {
    fn submit(&self, dispatch: Dispatch) {
        // It fails only if the thread is gone, which the run notices by itself.
        let _ = self.commands.send(Command::Start(dispatch));
    }

    fn abort(&self) {
        self.abort.send_replace(true);
    }

    fn stop(&self) {
        let _ = self.commands.send(Command::Stop);
    }
}

/// Starts a lane.
pub(super) fn start(
    thread: thread::Builder,
    target: Arc<Target>,
    options: &GeneralOptions,
    request_timeout: Duration,
    out: Sender<Vec<Arrival>>,
) -> io::Result<(Arc<dyn Lane>, JoinHandle<LaneReport>)> {
    super::tls::install_crypto_provider();
    let mut client = Client::builder()
        .tcp_nodelay(true)
        .timeout(request_timeout)
        .danger_accept_invalid_certs(options.insecure)
        .user_agent(concat!("vbench/", env!("CARGO_PKG_VERSION")));
    client = if options.http2 { client.http2_prior_knowledge() } else { client.http1_only() };
    let client = client.build().map_err(io::Error::other)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (commands, inbox) = unbounded_channel();
    let (abort, aborted) = watch::channel(false);
    let base_url = options.base_url.trim_end_matches('/').to_owned();
    let carrier = Carrier { client, base_url, authority: target.authority.clone(), aborted, out };
    let thread = thread.spawn(move || {
        LocalSet::new().block_on(&runtime, carry(Arc::new(carrier), inbox));
        LaneReport { busy: busy_histogram(), cpu_ns: clock::thread_cpu_ns() }
    })?;
    Ok((Arc::new(GeneralLane { commands, abort }), thread))
}

struct Carrier {
    client: Client,
    base_url: String,
    authority: String,
    aborted: watch::Receiver<bool>,
    out: Sender<Vec<Arrival>>,
}

async fn carry(carrier: Arc<Carrier>, mut inbox: UnboundedReceiver<Command>) {
    while let Some(Command::Start(dispatch)) = inbox.recv().await {
        let carrier = Arc::clone(&carrier);
        tokio::task::spawn_local(async move {
            // A request that ends hands its slot to the next that waits.
            let mut next = Some(dispatch);
            while let Some(dispatch) = next {
                next = carrier.exchange(dispatch).await;
            }
        });
    }
}

impl Carrier {
    async fn exchange(&self, dispatch: Dispatch) -> Option<Dispatch> {
        let mut aborted = self.aborted.clone();
        let mut exchange = Exchange::new(dispatch);
        let mut head = None;
        let result = tokio::select! {
            result = self.send(&mut exchange, &mut head) => result,
            _ = aborted.wait_for(|&aborted| aborted) => {
                Err(Failure { class: FailureClass::Interrupted, message: "the run was stopped".to_owned() })
            }
        };
        exchange.stamps.end_ns = clock::now_ns();
        let ending = Ending {
            index: exchange.dispatch.index,
            capture: exchange.capture,
            stamps: exchange.stamps,
            head,
            bytes_out: exchange.bytes_out,
            bytes_in: exchange.bytes_in,
            failure: result.err(),
        };
        let _ = self.out.send(vec![Arrival::End(Box::new(ending))]);
        exchange.dispatch.slots.leave()
    }

    async fn send(&self, exchange: &mut Exchange, head: &mut Option<ResponseHead>) -> Result<(), Failure> {
        let request = &exchange.dispatch.request;
        let invalid = |what: &str| Failure {
            class: FailureClass::Protocol,
            message: format!("the request cannot be written: invalid {what}"),
        };
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| invalid("method"))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid("header name"))?;
            headers.insert(name, HeaderValue::from_str(value).map_err(|_| invalid("header value"))?);
        }
        exchange.bytes_out = request.body.len() as u64;
        let url = format!("{}{}", self.base_url, request.path);
        let sent = self.client.request(method, url).headers(headers).body(request.body.clone()).send().await;
        let mut response = sent.map_err(|e| self.failure(&e))?;
        // reqwest does not say when the request was out, so `sent_ns` stays 0.
        exchange.stamps.headers_ns = clock::now_ns();
        *head = Some(ResponseHead {
            status: response.status().as_u16(),
            reason: response.status().canonical_reason().unwrap_or_default().to_owned(),
            headers: response
                .headers()
                .iter()
                .map(|(name, value)| {
                    (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
                })
                .collect(),
        });
        loop {
            let chunk = response.chunk().await;
            let at_ns = clock::now_ns();
            let Some(bytes) = chunk.map_err(|e| self.failure(&e))? else { return Ok(()) };
            exchange.bytes_in += bytes.len() as u64;
            exchange.capture.bytes.extend_from_slice(&bytes);
            exchange.capture.mark(at_ns);
            if exchange.capture.bytes.len() >= HAND_ON_BYTES {
                let capture = std::mem::take(&mut exchange.capture);
                let index = exchange.dispatch.index;
                let status = head.as_ref().map_or(0, |head| head.status);
                let _ = self.out.send(vec![Arrival::Body { index, status, capture }]);
            }
        }
    }

    fn failure(&self, e: &reqwest::Error) -> Failure {
        let class = if e.is_timeout() {
            FailureClass::Timeout
        } else if e.is_connect() {
            FailureClass::Connect
        } else {
            FailureClass::Protocol
        };
        let mut message = format!("{}: {e}", self.authority);
        let mut source = std::error::Error::source(e);
        while let Some(cause) = source {
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        Failure { class, message }
    }
}
