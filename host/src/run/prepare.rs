//! Requests written ahead of the run by the backend plugin.
//!
//! Writing costs guest calls, so it happens before a request is due: all of a
//! run that fits, else as far ahead as the budget of bytes allows, on a thread
//! that gives way to those that keep the time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use anyhow::anyhow;

use super::multipart;
use crate::extract::RequestMeta;
use crate::fault::Fault;
use crate::media::{self, Store};
use crate::plugin::contract::{Body, Endpoint, RequestIn, RequestOut, Sample};
use crate::plugin::{BackendClient, PluginError};
use crate::wire::{Outgoing, Payload};

/// Requests written in one call of the plugin.
const BATCH: usize = 64;
/// Written requests may wait up to this much in all. Media do not count: they
/// are held from sampling on, and requests share them.
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
    /// The user's headers, which win over all but those of one request.
    pub user_headers: Vec<(String, String)>,
    /// The header that carries a sample's session, if the run uses one.
    pub session_header: Option<String>,
    /// The media that bodies refer to.
    pub media: Arc<Store>,
    /// The flags of the backend's options, for its errors.
    pub flags: BTreeMap<String, String>,
}

/// What the headers of one request say, and no other's.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    id: Option<String>,
    session: Option<String>,
}

impl Labels {
    /// Those of a request that is about to be written.
    pub fn of(input: &RequestIn) -> Self {
        Self { id: input.id.clone(), session: input.session.clone() }
    }
}

/// A request that is ready, and what the results need to know of it.
struct Sealed {
    request: Outgoing,
    input_sequences: u32,
    audio_s: f64,
}

/// What is known of a request once it is written, by its place. Until then it
/// holds one input and no sound.
#[derive(Debug)]
pub struct Written {
    input_sequences: AtomicU32,
    audio_s_bits: AtomicU64,
}

impl Default for Written {
    fn default() -> Self {
        Self { input_sequences: AtomicU32::new(1), audio_s_bits: AtomicU64::new(0) }
    }
}

impl Written {
    fn note(&self, sealed: &Sealed) {
        self.input_sequences.store(sealed.input_sequences, Ordering::Relaxed);
        self.audio_s_bits.store(sealed.audio_s.to_bits(), Ordering::Relaxed);
    }

    /// Adds it to what was known before.
    pub fn complete(&self, meta: &mut RequestMeta) {
        meta.input_sequences = self.input_sequences.load(Ordering::Relaxed);
        meta.audio_s = f64::from_bits(self.audio_s_bits.load(Ordering::Relaxed));
    }
}

impl Envelope {
    /// An error of the backend, with the flag of the option that it blames.
    pub fn naming_flag(&self, error: PluginError) -> PluginError {
        error.naming_flag(|key| self.flags.get(key))
    }

    /// The request as it goes out.
    ///
    /// # Errors
    /// When the body refers to a medium that is not held, or that is none.
    fn seal(&self, labels: &Labels, written: RequestOut) -> Result<Sealed, Fault> {
        let fault = |error| Fault::plugin(anyhow!("a request cannot be written: {error}"));
        let mut form_type = None;
        let mut audio_s = 0.0;
        let body = match written.body {
            Body::Bytes(bytes) if self.media.is_empty() => Payload::from(bytes),
            Body::Bytes(bytes) => {
                let (pieces, own_len) = media::resolve(bytes.into(), &self.media).map_err(fault)?;
                Payload::new(pieces, own_len)
            }
            Body::Multipart(parts) => {
                let form = multipart::write(&parts, &self.media).map_err(fault)?;
                form_type = Some(form.content_type);
                audio_s = form.audio_s;
                form.payload
            }
        };
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
        if let Some(content_type) = &form_type {
            put("Content-Type", content_type);
        }
        for (name, value) in &self.user_headers {
            put(name, value);
        }
        if let (Some(name), Some(session)) = (&self.session_header, &labels.session) {
            put(name, session);
        }
        if let Some(id) = &labels.id {
            put("x-request-id", id);
        }
        let request = Outgoing {
            method: self.endpoint.method.clone(),
            path: self.endpoint.path.clone(),
            headers,
            body,
        };
        Ok(Sealed { request, input_sequences: written.input_sequences, audio_s })
    }

    /// The request as it goes out, for showing it.
    ///
    /// # Errors
    /// When the body refers to a medium that is not held, or that is none.
    pub fn outgoing(&self, labels: &Labels, written: RequestOut) -> Result<Outgoing, Fault> {
        self.seal(labels, written).map(|sealed| sealed.request)
    }
}

/// The thread that writes, and why it failed.
pub type Writing = JoinHandle<Result<(), Fault>>;

/// Requests of one phase, being written.
pub struct Ahead {
    /// The requests in dispatch order.
    pub requests: Receiver<Outgoing>,
    /// What is known of each request, by its place.
    pub written: Arc<Vec<Written>>,
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
        let written: Arc<Vec<Written>> = Arc::new((0..count).map(|_| Written::default()).collect());
        let mut inputs = inputs.into_iter();
        let mut done = 0;
        let first = write_batch(&mut *client, &envelope, &mut inputs, &mut done, &written)?;
        let bytes_each =
            first.iter().map(|request| request.body.own_len()).sum::<usize>() / first.len().max(1);
        let capacity = (AHEAD_BYTES / bytes_each.max(1)).clamp(BATCH, count.max(BATCH));
        let (out, requests) = sync_channel(capacity);
        let (set_ready, ready) = sync_channel(1);
        let facts = Arc::clone(&written);
        let writer = std::thread::Builder::new().name("vbench-writer".to_owned()).spawn(move || {
            let mut batch = first;
            let mut begun = false;
            while !batch.is_empty() {
                for request in batch {
                    if !pass_on(request, &out, &mut begun, &set_ready) {
                        return Ok(()); // nobody wants more: the run was stopped
                    }
                }
                batch = match write_batch(&mut *client, &envelope, &mut inputs, &mut done, &facts) {
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
        Ok(Self { requests, written, ready, writer })
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
    pub fn into_parts(self) -> (Receiver<Outgoing>, Arc<Vec<Written>>, Writing) {
        (self.requests, self.written, self.writer)
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
    facts: &[Written],
) -> Result<Vec<Outgoing>, Fault> {
    let batch: Vec<RequestIn> = inputs.take(BATCH).collect();
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let labels: Vec<Labels> = batch.iter().map(Labels::of).collect();
    let written = client.build(batch).map_err(|error| envelope.naming_flag(error))?;
    let mut requests = Vec::with_capacity(written.len());
    for (labels, out) in labels.iter().zip(written) {
        let sealed = envelope.seal(labels, out)?;
        if let Some(slot) = facts.get(*done) {
            slot.note(&sealed);
        }
        *done += 1;
        requests.push(sealed.request);
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
    let Sample { id, turns, overrides, session, .. } = sample;
    let turn = turns.into_iter().next()?;
    Some(RequestIn { id, session, model: model.to_owned(), history: Vec::new(), turn, overrides })
}
