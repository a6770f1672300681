//! The wire as its users see it: submit requests, get arrivals.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::event_loop::EventLoop;
use super::exchange::{Arrival, Dispatch};
use super::general;
use super::target::Target;

/// How requests are carried.
#[derive(Debug, Clone)]
pub struct WireOptions {
    /// Number of I/O threads, at least 1.
    pub threads: usize,
    /// How long a request may take in all.
    pub request_timeout: Duration,
    /// HTTP/2 or a proxy: carried by reqwest.
    pub general: Option<general::GeneralOptions>,
}

/// One I/O thread as seen from outside.
pub(super) trait Lane: Send + Sync {
    /// Starts a request as soon as the thread gets to it.
    fn submit(&self, dispatch: Dispatch);
    /// Ends everything in flight as interrupted.
    fn abort(&self);
    /// Ends the thread; what is in flight is dropped.
    fn stop(&self);
}

/// What an I/O thread says of itself at the end.
#[derive(Debug)]
pub struct LaneReport {
    /// How long it was away from its sockets each time, in nanoseconds: what a
    /// stamp can be late by.
    pub busy: Histogram<u64>,
    /// CPU time it used.
    pub cpu_ns: u64,
}

/// A histogram for [`LaneReport::busy`]: up to an hour, three digits.
pub(super) fn busy_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("the bounds are valid")
}

/// The I/O threads of a benchmark. They live through its phases, so that
/// connections made by warm-ups serve the measured requests.
pub struct Wire {
    lanes: Vec<Arc<dyn Lane>>,
    threads: Vec<JoinHandle<LaneReport>>,
    next: AtomicUsize,
}

impl Wire {
    /// Starts the threads; arrivals come in batches by `out`.
    ///
    /// # Errors
    /// When the system gives no thread or no poll.
    pub fn start(target: Arc<Target>, options: &WireOptions, out: Sender<Vec<Arrival>>) -> io::Result<Self> {
        let mut lanes: Vec<Arc<dyn Lane>> = Vec::new();
        let mut threads = Vec::new();
        for number in 0..options.threads.max(1) {
            let name = std::thread::Builder::new().name(format!("vbench-io-{number}"));
            if let Some(general) = &options.general {
                let (lane, thread) =
                    general::start(name, Arc::clone(&target), general, options.request_timeout, out.clone())?;
                lanes.push(lane);
                threads.push(thread);
            } else {
                let (event_loop, inbox) =
                    EventLoop::new(Arc::clone(&target), options.request_timeout, out.clone())?;
                lanes.push(inbox);
                threads.push(name.spawn(move || event_loop.run())?);
            }
        }
        Ok(Self { lanes, threads, next: AtomicUsize::new(0) })
    }

    /// Starts a request on the next thread in turn.
    pub fn submit(&self, dispatch: Dispatch) {
        let lane = self.next.fetch_add(1, Ordering::Relaxed) % self.lanes.len();
        self.lanes[lane].submit(dispatch);
    }

    /// Ends everything in flight as interrupted.
    pub fn abort(&self) {
        for lane in &self.lanes {
            lane.abort();
        }
    }

    /// Ends the threads and takes their reports.
    pub fn stop(self) -> Vec<LaneReport> {
        for lane in &self.lanes {
            lane.stop();
        }
        self.threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    }
}
