//! The thread that reads responses as they come off the wire.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use super::manners::Manners;
use super::origin::Origin;
use super::reading::{Cutting, Method, Reading, RequestMeta};
use crate::plugin::contract::{Parsed, Response};
use crate::record::RequestRecord;
use crate::wire::Arrival;

/// How far a run is, for whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Requests that have ended.
    pub ended: AtomicUsize,
    /// Those of them that failed.
    pub failed: AtomicUsize,
}

/// Reads the responses of one run.
pub struct Reader<P> {
    cutting: Cutting,
    method: Method,
    /// Where responses come from; none where failures keep the reference client's words.
    origin: Option<Origin>,
    /// Calls the backend plugin.
    parse: P,
    progress: Arc<Progress>,
    open: HashMap<u32, Reading>,
    records: Vec<RequestRecord>,
}

impl<P> Reader<P>
where
    P: FnMut(Response) -> Result<Parsed, String>,
{
    /// A reader that has read nothing yet.
    pub fn new(
        cutting: Cutting,
        method: Method,
        origin: Option<Origin>,
        parse: P,
        progress: Arc<Progress>,
    ) -> Self {
        Self { cutting, method, origin, parse, progress, open: HashMap::new(), records: Vec::new() }
    }

    /// Reads until `expected` requests have ended and gives their records in
    /// dispatch order. `meta` tells what is known of a request.
    ///
    /// `expected` may still shrink while the reader waits: it is asked for
    /// again after every batch and at least every tenth of a second.
    pub fn read_all(
        mut self,
        arrivals: &Receiver<Vec<Arrival>>,
        expected: impl Fn() -> usize,
        mut meta: impl FnMut(u32) -> RequestMeta,
    ) -> Vec<RequestRecord> {
        let patience = std::time::Duration::from_millis(100);
        let mut manners = Manners::begin();
        while self.records.len() < expected() {
            let batch = arrivals.try_recv().or_else(|_| {
                let batch = arrivals.recv_timeout(patience);
                // Who waits has left the processor: a turn begins.
                manners = Manners::begin();
                batch
            });
            match batch {
                Ok(batch) => {
                    for arrival in batch {
                        let came_ns = arrival.came_ns();
                        self.take(arrival, &mut meta);
                        manners.after(came_ns);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                // The wire is gone; what has ended is all there will be.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.records.sort_unstable_by_key(|record| record.index);
        self.records
    }

    fn take(&mut self, arrival: Arrival, meta: &mut impl FnMut(u32) -> RequestMeta) {
        match arrival {
            Arrival::Body { index, status, capture } => {
                let reading = self
                    .open
                    .entry(index)
                    .or_insert_with(|| Reading::new(self.cutting, &self.method, meta(index)));
                reading.push(status, &capture, &self.method);
            }
            Arrival::End(ending) => {
                let index = ending.index;
                let reading = self
                    .open
                    .remove(&index)
                    .unwrap_or_else(|| Reading::new(self.cutting, &self.method, meta(index)));
                let record = reading.finish(*ending, &self.method, self.origin.as_ref(), &mut self.parse);
                if !record.succeeded() {
                    self.progress.failed.fetch_add(1, Ordering::Relaxed);
                }
                self.progress.ended.fetch_add(1, Ordering::Relaxed);
                self.records.push(record);
            }
        }
    }
}
