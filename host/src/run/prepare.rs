//! Requests written ahead of the run by the backend plugin.
//!
//! Writing costs guest calls, so it happens before a request is due: all of a
//! run that fits, else as far ahead as the budget of bytes allows, on a thread
//! that gives way to those that keep the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use anyhow::anyhow;
use bytes::Bytes;

use crate::extract::RequestMeta;
use crate::fault::Fault;
use crate::plugin::BackendClient;
use crate::plugin::contract::{Body, Endpoint, RequestIn, RequestOut, Sample};
use crate::wire::Outgoing;

/// Requests written in one call of the plugin.
const BATCH: usize = 64;
/// Written requests may wait up to this much in all.
const AHEAD_BYTES: usize = 256 << 20;
/// How much nicer the writing thread is once the run may begin.
const WRITER_NICENESS: i32 = 10;

/// Turns what a backend wrote into what goes on the wire.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// Where the backend sends to.
    pub endpoint: Endpoint,
    /// The credentials' header, if there are any.
    pub authorization: Option<String>,
    /// The user's headers, which win over all but the request id.
    pub user_headers: Vec<(String, String)>,
}

impl Envelope {
    /// The request as it goes out.
    ///
    /// # Errors
    /// When the body is of a kind that cannot be sent.
    pub fn seal(&self, id: Option<&str>, written: RequestOut) -> Result<Outgoing, Fault> {
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut put =
            |name: &str, value: &str| match headers.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
                Some(header) => value.clone_into(&mut header.1),
                None => headers.push((name.to_owned(), value.to_owned())),
            };
        if let Some(authorization) = &self.authorization {
            put("Authorization", authorization);
        }
        for header in self.endpoint.headers.iter().chain(&written.headers) {
            put(&header.name, &header.value);
        }
        for (name, value) in &self.user_headers {
            put(name, value);
        }
        if let Some(id) = id {
            put("x-request-id", id);
        }
        let body = match written.body {
            Body::Bytes(bytes) => Bytes::from(bytes),
            Body::Multipart(_) => return Err(Fault::user(anyhow!("multipart bodies are not available yet"))),
        };
        Ok(Outgoing { method: self.endpoint.method.clone(), path: self.endpoint.path.clone(), headers, body })
    }
}

/// The thread that writes, and why it failed.
pub type Writing = JoinHandle<Result<(), Fault>>;

/// Requests of one phase, being written.
pub struct Ahead {
    /// The requests in dispatch order.
    pub requests: Receiver<Outgoing>,
    /// Inputs that each request holds, by its place; 1 until it is written.
    pub input_sequences: Arc<Vec<AtomicU32>>,
    ready: Receiver<()>,
    writer: Writing,
}

impl Ahead {
    /// Begins to write `inputs`. The first of them are written on the calling
    /// thread, so that what is wrong with all of them shows at once. A later
    /// failure sets `stop` and is told by [`Self::finish`].
    ///
    /// # Errors
    /// When the plugin fails, or writes what cannot be sent.
    pub fn begin(
        mut client: Box<dyn BackendClient>,
        envelope: Envelope,
        inputs: Vec<RequestIn>,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, Fault> {
        let count = inputs.len();
        let input_sequences: Arc<Vec<AtomicU32>> = Arc::new((0..count).map(|_| AtomicU32::new(1)).collect());
        let mut inputs = inputs.into_iter();
        let mut done = 0;
        let first = write_batch(&mut *client, &envelope, &mut inputs, &mut done, &input_sequences)?;
        let bytes_each = first.iter().map(|request| request.body.len()).sum::<usize>() / first.len().max(1);
        let capacity = (AHEAD_BYTES / bytes_each.max(1)).clamp(BATCH, count.max(BATCH));
        let (out, requests) = sync_channel(capacity);
        let (set_ready, ready) = sync_channel(1);
        let sequences = Arc::clone(&input_sequences);
        let writer = std::thread::Builder::new().name("vbench-writer".to_owned()).spawn(move || {
            let mut batch = first;
            let mut begun = false;
            while !batch.is_empty() {
                for request in batch {
                    if !pass_on(request, &out, &mut begun, &set_ready) {
                        return Ok(()); // nobody wants more: the run was stopped
                    }
                }
                batch = match write_batch(&mut *client, &envelope, &mut inputs, &mut done, &sequences) {
                    Ok(batch) => batch,
                    Err(error) => {
                        stop.store(true, Ordering::Relaxed);
                        return Err(error);
                    }
                };
            }
            Ok(())
        });
        let writer = writer.map_err(|e| Fault::user(anyhow!("cannot start the writing thread: {e}")))?;
        Ok(Self { requests, input_sequences, ready, writer })
    }

    /// Waits until all is written, or as much as may wait.
    pub fn wait_ready(&self) {
        // The sender goes away when all is written, which is as good.
        let _ = self.ready.recv();
    }

    /// Ends the writing, after the phase.
    ///
    /// # Errors
    /// When the plugin had failed.
    pub fn finish(writer: Writing) -> Result<(), Fault> {
        writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Takes it apart: the requests for the pacer, the rest for afterwards.
    pub fn into_parts(self) -> (Receiver<Outgoing>, Arc<Vec<AtomicU32>>, Writing) {
        (self.requests, self.input_sequences, self.writer)
    }
}

/// Hands a request over; says "ready" the first time there is no room. False if
/// nobody takes it any more.
fn pass_on(request: Outgoing, out: &SyncSender<Outgoing>, begun: &mut bool, ready: &SyncSender<()>) -> bool {
    match out.try_send(request) {
        Ok(()) => true,
        Err(TrySendError::Full(request)) => {
            if !std::mem::replace(begun, true) {
                let _ = ready.try_send(());
                // Where it is refused the writer competes with the I/O threads; the lag figures show it.
                let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), WRITER_NICENESS);
            }
            out.send(request).is_ok()
        }
        Err(TrySendError::Disconnected(_)) => false,
    }
}

fn write_batch(
    client: &mut dyn BackendClient,
    envelope: &Envelope,
    inputs: &mut impl Iterator<Item = RequestIn>,
    done: &mut usize,
    sequences: &[AtomicU32],
) -> Result<Vec<Outgoing>, Fault> {
    let batch: Vec<RequestIn> = inputs.take(BATCH).collect();
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Option<String>> = batch.iter().map(|input| input.id.clone()).collect();
    let written = client.build(batch)?;
    let mut requests = Vec::with_capacity(written.len());
    for (id, out) in ids.iter().zip(written) {
        if let Some(slot) = sequences.get(*done) {
            slot.store(out.input_sequences, Ordering::Relaxed);
        }
        *done += 1;
        requests.push(envelope.seal(id.as_deref(), out)?);
    }
    Ok(requests)
}

/// What is known of a sample's request before it is sent.
pub fn meta_of(sample: &Sample) -> RequestMeta {
    let turn = sample.turns.first();
    RequestMeta {
        id: sample.id.clone(),
        session: sample.session.clone(),
        tags: sample.tags.clone(),
        prompt_tokens: turn.map_or(0, |turn| turn.prompt_tokens),
        output_tokens: turn.map_or(0, |turn| turn.output_tokens),
        input_sequences: 1,
        audio_s: 0.0,
    }
}

/// A sample's first turn as a request for `model`.
pub fn request_of(sample: Sample, model: &str) -> Option<RequestIn> {
    let Sample { id, turns, overrides, .. } = sample;
    let turn = turns.into_iter().next()?;
    Some(RequestIn { id, model: model.to_owned(), history: Vec::new(), turn, overrides })
}
