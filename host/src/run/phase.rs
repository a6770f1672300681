//! One phase of a benchmark: requests go out by a schedule and come back as records.
//!
//! Three threads besides the I/O threads: the pacer releases requests, the
//! reader makes records of what comes back, at a lower priority, and the
//! calling thread watches over them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::pacer;
use crate::clock::{self, MonotonicNs};
use crate::extract::{Cutting, Method, Progress, Reader, RequestMeta};
use crate::plugin::contract::{Parsed, Response};
use crate::record::RequestRecord;
use crate::wire::{Arrival, Dispatch, Outgoing, Slots, Wire};

/// How often the calling thread looks at progress and at the stop flag.
const TICK: Duration = Duration::from_millis(100);
/// How much nicer the reader is than the threads that keep the time.
const READER_NICENESS: i32 = 10;

/// What a phase sends and how it reads what comes back.
pub struct Phase<'a, Requests, Meta, Parse> {
    /// The I/O threads.
    pub wire: &'a Wire,
    /// What they hand on.
    pub arrivals: &'a mut Receiver<Vec<Arrival>>,
    /// The requests in dispatch order, written when they are asked for or before.
    pub requests: Requests,
    /// When each is due, in seconds from the start; those without an offset are due at once.
    pub offsets_s: &'a [f64],
    /// Most requests at a time.
    pub cap: Option<usize>,
    /// How responses are cut into events.
    pub cutting: Cutting,
    /// How events are read.
    pub method: Method,
    /// Calls the backend plugin, for [`Method::Plugin`].
    pub parse: Parse,
    /// What is known of a request before it is sent.
    pub meta: Meta,
    /// Set from outside to end the phase early.
    pub stop: &'a AtomicBool,
}

/// What came of a phase.
#[derive(Debug)]
pub struct PhaseOutcome {
    /// When its clock started.
    pub start_ns: MonotonicNs,
    /// When its last request had ended.
    pub end_ns: MonotonicNs,
    /// Records of the requests that were released, in dispatch order.
    pub records: Vec<RequestRecord>,
    /// It was stopped before all requests had been released and answered.
    pub stopped: bool,
}

impl<Requests, Meta, Parse> Phase<'_, Requests, Meta, Parse>
where
    Requests: Iterator<Item = Outgoing> + Send,
    Meta: FnMut(u32) -> RequestMeta + Send,
    Parse: FnMut(Response) -> Result<Parsed, String> + Send,
{
    /// Runs the phase to its end, or until it is stopped. `watch` is called
    /// about ten times a second.
    pub fn run(self, mut watch: impl FnMut(&Progress)) -> PhaseOutcome {
        let Self { wire, arrivals, requests, offsets_s, cap, cutting, method, parse, mut meta, stop } = self;
        let progress = Arc::new(Progress::default());
        let reader = Reader::new(cutting, method, parse, Arc::clone(&progress));
        // How many endings there will be: unknown until the pacer is through.
        let expected = AtomicUsize::new(usize::MAX);
        let slots = Arc::new(Slots::new(cap));
        let start_ns = clock::now_ns();
        let mut stopped = false;
        let records = std::thread::scope(|scope| {
            let expected = &expected;
            let watcher = std::thread::current();
            scope.spawn(move || {
                clock::sharpen_timer();
                let mut released = 0;
                for request in requests {
                    let offset_s = offsets_s.get(released).copied().unwrap_or(0.0);
                    let scheduled_ns = pacer::due_ns(start_ns, offset_s);
                    if !pacer::wait_until(scheduled_ns, stop) {
                        break;
                    }
                    let dispatch = Dispatch {
                        index: released as u32,
                        scheduled_ns,
                        released_ns: clock::now_ns(),
                        request,
                        slots: Arc::clone(&slots),
                    };
                    released += 1;
                    if let Some(dispatch) = slots.enter(dispatch) {
                        wire.submit(dispatch);
                    }
                }
                expected.store(released, Ordering::Release);
            });
            let reading = scope.spawn(move || {
                // Where it is refused the reader competes with the I/O threads; the lag figures show it.
                let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), READER_NICENESS);
                let records = reader.read_all(arrivals, || expected.load(Ordering::Acquire), &mut meta);
                watcher.unpark();
                records
            });
            while !reading.is_finished() {
                if stop.load(Ordering::Relaxed) {
                    // Again and again: the pacer may have submitted one more in between.
                    stopped = true;
                    wire.abort();
                }
                watch(&progress);
                std::thread::park_timeout(TICK);
            }
            reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        let end_ns = records.iter().map(|r| r.stamps.end_ns).max().unwrap_or(start_ns);
        PhaseOutcome { start_ns, end_ns, records, stopped }
    }
}
