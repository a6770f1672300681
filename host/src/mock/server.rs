//! The handle of a running mock server.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};

use mio::net::TcpListener;
use mio::{Poll, Waker};

use super::config::{MockConfig, MockError};
use super::event_loop::{EventLoop, Totals, WAKER};
use super::lateness::Spread;
use super::log::{LogSink, RequestLog, SharedLog};
use crate::clock;

/// Connections that may wait to be accepted; the system may allow fewer.
const BACKLOG: i32 = 4096;

/// A mock server on a thread of its own. Dropping it stops it.
#[derive(Debug)]
pub struct MockServer {
    address: SocketAddr,
    model: String,
    log: SharedLog,
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<Result<Totals, MockError>>>,
}

impl MockServer {
    /// Starts a server. On return it listens.
    ///
    /// # Errors
    /// The address cannot be listened on, the log file cannot be created, or the
    /// system refuses polling or a thread.
    pub fn start(config: MockConfig) -> Result<Self, MockError> {
        Self::start_notifying(config, || ())
    }

    /// The same; `on_end` is called when the server has ended, however that came.
    pub(super) fn start_notifying(
        config: MockConfig,
        on_end: impl FnOnce() + Send + 'static,
    ) -> Result<Self, MockError> {
        let system = |what| move |source| MockError::System { what, source };
        let listener = listen(&config.host, config.port).map_err(|source| MockError::Listen {
            host: config.host.clone(),
            port: config.port,
            source,
        })?;
        let address = listener.local_addr().map_err(system("the bound address"))?;
        let poll = Poll::new().map_err(system("polling"))?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(system("polling"))?;
        let shared = SharedLog::default();
        let sink = LogSink::open(config.keep_log.then(|| Arc::clone(&shared)), config.log_file.clone())?;
        let stop = Arc::new(AtomicBool::new(false));
        let created = clock::local_now().timestamp().as_second();
        let model = config.model.clone();
        let event_loop = EventLoop::new(poll, listener, config, created, sink, Arc::clone(&stop))
            .map_err(system("polling"))?;
        let thread = thread::Builder::new()
            .name("mock-server".to_owned())
            .spawn(move || {
                let result = event_loop.run();
                on_end();
                result
            })
            .map_err(system("a thread"))?;
        Ok(Self { address, model, log: shared, stop, waker, thread: Some(thread) })
    }

    /// Where to reach it, without a path: `http://127.0.0.1:8000`. A server that
    /// listens on all addresses is named by the loopback address.
    pub fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("http://{address}")
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Name of the model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The requests that have ended so far, in the order in which they ended.
    /// Empty unless [`MockConfig::keep_log`].
    pub fn log(&self) -> Vec<RequestLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops the server, cutting off what is being answered.
    ///
    /// # Errors
    /// The server had ended before for lack of something from the system, the
    /// log could not be written, or the server thread panicked.
    pub fn shutdown(mut self) -> Result<MockReport, MockError> {
        let totals = self.stop_and_join()?;
        let log = std::mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(MockReport {
            requests: totals.requests,
            generations: totals.generations,
            events: totals.events,
            held_events: totals.held_events,
            disconnected: totals.disconnected,
            failed: totals.failed,
            lateness: totals.lateness,
            turn: totals.turn,
            cpu_ns: totals.cpu_ns,
            log,
        })
    }

    fn stop_and_join(&mut self) -> Result<Totals, MockError> {
        self.stop.store(true, Ordering::Release);
        // A waker of a poller that is gone has nobody to wake.
        let _ = self.waker.wake();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(MockError::Panicked),
            None => Ok(Totals::default()),
        }
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        if self.thread.is_some() {
            // Whoever wants to know calls `shutdown`.
            let _ = self.stop_and_join();
        }
    }
}

fn listen(host: &str, port: u16) -> io::Result<TcpListener> {
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let mut refusal = None;
    for address in (host, port).to_socket_addrs()? {
        match TcpListener::bind(address) {
            Ok(listener) => {
                // The standard library's backlog is 128: of a thousand clients that
                // come at once the rest would be left to resend after a second.
                rustix::net::listen(&listener, BACKLOG)?;
                return Ok(listener);
            }
            Err(error) => refusal = Some(error),
        }
    }
    Err(refusal.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address")))
}

/// What a mock server did, and how well it kept its own schedule.
#[derive(Debug, Clone, Default)]
pub struct MockReport {
    /// Requests that ended, of all kinds.
    pub requests: u64,
    /// Requests for text that arrived.
    pub generations: u64,
    /// Token events sent; an answer that is not streamed counts as one.
    pub events: u64,
    /// Those among them that had to wait for the client to read. They are not
    /// in `lateness`.
    pub held_events: u64,
    /// Answers whose client went away.
    pub disconnected: u64,
    /// Requests failed on purpose.
    pub failed: u64,
    /// From the time at which a token event was due to the time right after
    /// the write that carried it.
    pub lateness: Spread,
    /// How long each turn of the event loop took. A request's clock starts when
    /// it is read, and that is at most two turns after it has arrived (more only
    /// if over a thousand connections have news at once).
    pub turn: Spread,
    /// CPU time of the server thread in nanoseconds.
    pub cpu_ns: u64,
    /// The requests that ended, in that order. Empty unless [`MockConfig::keep_log`].
    pub log: Vec<RequestLog>,
}

impl fmt::Display for MockReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "requests: {} ({} generations, {} failed on purpose, {} disconnected)",
            self.requests, self.generations, self.failed, self.disconnected
        )?;
        writeln!(f, "token events: {} ({} held up by clients)", self.events, self.held_events)?;
        writeln!(f, "lateness (sent - due): {}", self.lateness)?;
        writeln!(f, "event loop turn: {}", self.turn)?;
        write!(f, "cpu time: {:.3} s", clock::seconds(self.cpu_ns))
    }
}
