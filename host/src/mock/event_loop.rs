//! Sockets and timers, on one thread.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::accept::Acceptor;
use super::alarm::Alarm;
use super::answer::{Answer, Framing, Reply};
use super::api::{About, Parts};
use super::batch::{Batch, Waiting};
use super::body::GenerationRequest;
use super::config::{FailureKind, MockConfig, MockError};
use super::connection::{Connection, Gone};
use super::delay::SplitMix64;
use super::generation::{Course, Ending, Generation, INJECTED, Phase};
use super::http::Head;
use super::lateness::{Durations, Spread};
use super::log::{LogSink, Outcome, RequestLog};
use super::service::{Action, Service};
use crate::clock::{MonotonicNs, now_ns, thread_cpu_ns};

const LISTENER: Token = Token(0);
const ALARM: Token = Token(1);
pub(super) const WAKER: Token = Token(2);
const FIRST_CONNECTION: usize = 3;

/// Buffers written, or reads made, for one connection before others get a turn.
const TURN_BUDGET: u32 = 8;
/// Due steps fired between two sockets. A limit, because a server that is
/// behind would otherwise catch up before every socket and never read the last.
const TIMERS_BETWEEN: usize = 4;
/// Due steps fired before the sockets are looked at. A limit as well: a request's
/// clock starts when it is read, so reading must not wait for a thousand writes.
const TIMERS_A_TURN: usize = 32;
/// Sockets with news that one turn looks at.
const EVENTS_A_TURN: usize = 1024;
/// Idle time after which the log is written.
const LOG_IDLE: Duration = Duration::from_millis(100);

/// Figures of a server that has ended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) requests: u64,
    pub(super) generations: u64,
    pub(super) events: u64,
    pub(super) held_events: u64,
    pub(super) disconnected: u64,
    pub(super) failed: u64,
    pub(super) lateness: Spread,
    pub(super) turn: Spread,
    pub(super) cpu_ns: u64,
}

/// The server itself.
pub(super) struct EventLoop {
    poll: Poll,
    acceptor: Acceptor,
    alarm: Alarm,
    stop: Arc<AtomicBool>,
    config: MockConfig,
    service: Service,
    batch: Batch,
    connections: Vec<Option<Box<Connection>>>,
    free: Vec<usize>,
    /// When the next step of a running generation is due, its ordinal and its
    /// connection. Entries of generations that have ended are passed over.
    timers: BinaryHeap<Reverse<(MonotonicNs, u64, usize)>>,
    /// Connections that gave way to others with work left to do.
    ready: Vec<usize>,
    scratch: Box<[u8]>,
    /// The latest reading of the clock.
    now: MonotonicNs,
    log: LogSink,
    lateness: Durations,
    turns: Durations,
    totals: Totals,
    /// The first failure to write the log.
    log_error: Option<MockError>,
}

impl EventLoop {
    pub(super) fn new(
        poll: Poll,
        mut listener: mio::net::TcpListener,
        config: MockConfig,
        created: i64,
        log: LogSink,
        stop: Arc<AtomicBool>,
    ) -> std::io::Result<Self> {
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let alarm = Alarm::new(poll.registry(), ALARM)?;
        Ok(Self {
            poll,
            acceptor: Acceptor::new(listener),
            alarm,
            stop,
            service: Service::new(config.model.clone(), created),
            batch: Batch::new(config.max_batch),
            config,
            connections: Vec::new(),
            free: Vec::new(),
            timers: BinaryHeap::new(),
            ready: Vec::new(),
            scratch: vec![0; 64 * 1024].into_boxed_slice(),
            now: now_ns(),
            log,
            lateness: Durations::new(),
            turns: Durations::new(),
            totals: Totals::default(),
            log_error: None,
        })
    }

    /// Serves until told to stop.
    pub(super) fn run(mut self) -> Result<Totals, MockError> {
        let system = |source| MockError::System { what: "polling", source };
        let mut events = Events::with_capacity(EVENTS_A_TURN);
        while !self.stop.load(Ordering::Acquire) {
            let timeout = self.prepare_wait().map_err(system)?;
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(system(error)),
            }
            let turn_start = now_ns();
            self.now = turn_start;
            self.fire_timers(TIMERS_A_TURN);
            for event in &events {
                match event.token() {
                    LISTENER => self.acceptor.notice(),
                    ALARM | WAKER => {}
                    Token(token) => self.on_socket(token - FIRST_CONNECTION, event),
                }
                // One request's parsing must not delay another's token.
                self.fire_timers(TIMERS_BETWEEN);
            }
            for index in std::mem::take(&mut self.ready) {
                self.drive(index);
                self.fire_timers(TIMERS_BETWEEN);
            }
            self.accept();
            self.turns.record(now_ns().saturating_sub(turn_start));
            if events.is_empty() && self.may_write_log() {
                self.write_log();
            }
        }
        self.finish()
    }

    /// Arms the alarm for the next step and says how long the poll may wait.
    fn prepare_wait(&mut self) -> std::io::Result<Option<Duration>> {
        let now = now_ns();
        let next = self.timers.peek().map(|Reverse((due, ..))| *due);
        if !self.ready.is_empty() || self.acceptor.is_ready() || next.is_some_and(|due| due <= now) {
            return Ok(Some(Duration::ZERO));
        }
        let precise = self.alarm.set(next, now)?;
        let retry = self.acceptor.retry_at().map(|at| Duration::from_nanos(at.saturating_sub(now)));
        let log = self.may_write_log().then_some(LOG_IDLE);
        Ok([precise, retry, log].into_iter().flatten().min())
    }

    fn may_write_log(&self) -> bool {
        self.log.has_backlog() && self.batch.running() == 0 && self.batch.waiting() == 0
    }

    fn write_log(&mut self) {
        if let Err(error) = self.log.write_backlog() {
            self.log_error.get_or_insert(error);
        }
    }

    fn accept(&mut self) {
        let Self { acceptor, connections, free, ready, poll, .. } = self;
        acceptor.accept(self.now, |mut socket: TcpStream| {
            let index = free.pop().unwrap_or_else(|| {
                connections.push(None);
                connections.len() - 1
            });
            let interest = Interest::READABLE | Interest::WRITABLE;
            let token = Token(index + FIRST_CONNECTION);
            // A connection that is gone already is dropped here.
            let usable = socket
                .set_nodelay(true)
                .and_then(|()| poll.registry().register(&mut socket, token, interest));
            if usable.is_ok() {
                connections[index] = Some(Box::new(Connection::new(socket)));
                ready.push(index);
            } else {
                free.push(index);
            }
        });
    }

    fn on_socket(&mut self, index: usize, event: &mio::event::Event) {
        let Some(connection) = self.connections.get_mut(index).and_then(Option::as_mut) else { return };
        match connection.notice(event) {
            Ok(()) => self.drive(index),
            Err(Gone) => self.remove(index),
        }
    }

    /// Fires what is due by now, at most `limit` steps of it.
    fn fire_timers(&mut self, limit: usize) {
        let until = self.now;
        for _ in 0..limit {
            match self.timers.peek() {
                Some(&Reverse((due, ordinal, index))) if due <= until => {
                    self.timers.pop();
                    self.fire(ordinal, index);
                }
                _ => return,
            }
        }
    }

    fn fire(&mut self, ordinal: u64, index: usize) {
        let Some(connection) = self.connections.get_mut(index).and_then(Option::as_mut) else { return };
        let Some(generation) = connection.generation.as_mut().filter(|g| g.place.ordinal == ordinal) else {
            return;
        };
        self.service.counters.generation_tokens += generation.advance(self.now, &self.config.itl);
        match generation.next_due() {
            Some(due) => self.timers.push(Reverse((due, ordinal, index))),
            None if generation.stalls() => {}
            None => {
                generation.phase = Phase::Released;
                let at = generation.schedule_end_ns();
                self.batch.leave();
                self.admit(at);
            }
        }
        self.drive(index);
    }

    /// Lets in who waits and finds room. A place is free since `at`.
    fn admit(&mut self, at: MonotonicNs) {
        while let Some(Waiting { ordinal, connection: index }) = self.batch.admit() {
            let generation = self.connections.get_mut(index).and_then(Option::as_mut);
            let Some(generation) = generation.and_then(|c| c.generation.as_mut()) else {
                // Whoever gives up a waiting request takes it out of the queue.
                self.batch.leave();
                continue;
            };
            let cached_tokens = self.service.prefill(&generation.request().prompt);
            let at = at.max(generation.log.t_received_ns);
            let due = generation.admit(at, cached_tokens, &self.config.ttft, &self.config.itl);
            self.timers.push(Reverse((due, ordinal, index)));
        }
    }

    /// Does for a connection what can be done now.
    fn drive(&mut self, index: usize) {
        // Taken out of its place so that the rest of the server can be used
        // meanwhile. Places in the batch are given away only after it is back.
        let Some(mut connection) = self.connections.get_mut(index).and_then(Option::take) else { return };
        let mut entered = None;
        let result = self.drive_connection(index, &mut connection, &mut entered);
        self.connections[index] = Some(connection);
        if let Some(at) = entered {
            self.admit(at);
        }
        if result.is_err() {
            self.remove(index);
        }
    }

    /// `entered` is set if a generation joined the queue.
    fn drive_connection(
        &mut self,
        index: usize,
        connection: &mut Connection,
        entered: &mut Option<MonotonicNs>,
    ) -> Result<(), Gone> {
        let (mut writes, mut reads) = (0, 0);
        loop {
            let mut progress = false;
            if let Some(generation) = &mut connection.generation {
                generation.render(&mut connection.out);
            }
            if let Some(written) = connection.write()? {
                writes += 1;
                progress = true;
                self.now = written.at;
                if let Some(generation) = &mut connection.generation {
                    generation.mark_sent(written.events, written.at, written.held, &mut self.lateness);
                }
            }
            if connection.out.is_empty() {
                progress |= self.complete(connection)?;
            }
            if connection.takes_requests() {
                progress |= self.take_request(index, connection, entered);
            } else if connection.can_write()
                && connection.generation.as_ref().is_some_and(Generation::has_unrendered)
            {
                progress = true;
            }
            if !progress && connection.can_read() {
                reads += 1;
                progress = connection.read(&mut self.scratch, &mut self.now)?;
            }
            connection.close_if_done()?;
            if !progress {
                return Ok(());
            }
            if writes >= TURN_BUDGET || reads >= TURN_BUDGET {
                self.ready.push(index);
                return Ok(());
            }
        }
    }

    /// Ends an answer of which everything is written. Returns whether one ended.
    fn complete(&mut self, connection: &mut Connection) -> Result<bool, Gone> {
        let finished = |g: &mut Generation| g.ending().is_some_and(|ending| ending != Ending::Stall);
        let Some(mut generation) = connection.generation.take_if(finished) else { return Ok(false) };
        connection.free_since_ns = self.now;
        let reset = generation.ending() == Some(Ending::Reset);
        connection.closing |= !generation.keeps_alive() || generation.ending() == Some(Ending::Truncate);
        generation.log.outcome =
            if generation.failure().is_some() { Outcome::Failed } else { Outcome::Completed };
        self.ended(generation.log);
        if reset {
            // If the system refuses, the client sees an end in order instead.
            let _ = connection.reset_on_close();
            return Err(Gone);
        }
        Ok(true)
    }

    /// Answers the next request, or lets it join the queue, if all of it is
    /// there. Returns whether it was.
    fn take_request(
        &mut self,
        index: usize,
        connection: &mut Connection,
        entered: &mut Option<MonotonicNs>,
    ) -> bool {
        let head = match connection.reader.poll() {
            Ok(Some(head)) => head.clone(),
            Ok(None) => {
                let expected = connection.reader.take_expectation();
                if expected {
                    connection.out.bytes.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                }
                return expected;
            }
            Err(refusal) => {
                // Where the next request would begin is anybody's guess.
                connection.closing = true;
                connection.reader.discard();
                let log = RequestLog { t_received_ns: self.now, ..RequestLog::default() };
                self.reply(connection, &Reply::error(refusal.status, &refusal.message), false, false, log);
                return true;
            }
        };
        let received = connection.reader.received_ns().unwrap_or(self.now);
        let action = self.service.respond(&head, connection.reader.body(), &self.batch);
        connection.reader.finish();
        let log = RequestLog {
            id: head.request_id.clone(),
            path: head.path.clone(),
            status: 200,
            t_received_ns: received,
            ..RequestLog::default()
        };
        match action {
            Action::Reply(reply) => {
                connection.closing |= !head.keep_alive;
                self.reply(connection, &reply, head.keep_alive, head.method == "HEAD", log);
            }
            Action::Generate(request) => self.generate(index, connection, &head, request, log, entered),
        }
        true
    }

    fn reply(
        &mut self,
        connection: &mut Connection,
        reply: &Reply,
        keep_alive: bool,
        head_only: bool,
        mut log: RequestLog,
    ) {
        let promised = reply.body.len();
        if head_only {
            let bare = Reply { body: Vec::new(), ..reply.clone() };
            bare.render(&mut connection.out.bytes, keep_alive, promised);
        } else {
            reply.render(&mut connection.out.bytes, keep_alive, promised);
        }
        log.status = reply.status;
        log.outcome = match (reply.status, log.failure) {
            (200, _) => Outcome::Completed,
            (_, Some(_)) => Outcome::Failed,
            (_, None) => Outcome::Refused,
        };
        self.ended(log);
    }

    fn generate(
        &mut self,
        index: usize,
        connection: &mut Connection,
        head: &Head,
        request: GenerationRequest,
        mut log: RequestLog,
        entered: &mut Option<MonotonicNs>,
    ) {
        self.totals.generations += 1;
        let ordinal = self.totals.generations;
        let failure = self.config.failures.filter(|f| ordinal.is_multiple_of(f.every.get())).map(|f| f.kind);
        log.failure = failure;
        log.stream = request.stream;
        log.prompt_tokens = request.prompt.tokens;
        log.output_tokens = request.tokens.min(self.config.max_output_tokens.get().into());
        if let Some(FailureKind::Status500 | FailureKind::Status429) = failure {
            let status = if failure == Some(FailureKind::Status500) { 500 } else { 429 };
            connection.closing |= !head.keep_alive;
            let reply = Reply::json(status, request.api.error_body(status, INJECTED));
            self.reply(connection, &reply, head.keep_alive, false, log);
            return;
        }
        let framing = Framing { chunked: head.chunked_response, keep_alive: head.keep_alive };
        let about = About {
            request_id: head.request_id.as_deref(),
            number: ordinal,
            created: self.service.created,
            model: &self.service.model,
            streamed: request.stream,
            prompt_tokens: request.prompt.tokens,
            inputs: request.inputs,
        };
        let answer = Answer::new(request.api, &about, framing);
        let place = Waiting { ordinal, connection: index };
        let random = SplitMix64::for_request(self.config.seed, ordinal);
        let chunk_tokens = u64::from(self.config.chunk_tokens.get());
        // A request that came while another was being answered begins after it.
        *entered = Some(log.t_received_ns.max(connection.free_since_ns));
        let parts = Parts {
            reasoning: self.config.reasoning_tokens.into(),
            tool_call: self.config.tool_call_tokens.into(),
        };
        let generation =
            Generation::new(place, request, answer, Course { chunk_tokens, parts, failure }, random, log);
        generation.early_head(&mut connection.out.bytes);
        connection.generation = Some(generation);
        self.batch.push(place);
    }

    /// Drops a connection and what it was being told.
    fn remove(&mut self, index: usize) {
        let Some(mut connection) = self.connections.get_mut(index).and_then(Option::take) else { return };
        // Closing the socket would do this too, but not for one that is shared with a child process.
        let _ = self.poll.registry().deregister(&mut connection.socket);
        self.free.push(index);
        self.abandon(*connection, Outcome::Disconnected);
    }

    fn abandon(&mut self, connection: Connection, outcome: Outcome) {
        let Some(mut generation) = connection.generation else { return };
        generation.log.outcome = match generation.ending() {
            Some(Ending::Stall) => Outcome::Failed,
            _ => outcome,
        };
        match generation.phase {
            Phase::Waiting => self.batch.forget(generation.place.ordinal),
            Phase::Running => {
                self.batch.leave();
                self.admit(self.now);
            }
            Phase::Released => {}
        }
        self.ended(generation.log);
    }

    fn ended(&mut self, mut log: RequestLog) {
        log.end_ns = self.now;
        self.totals.requests += 1;
        self.totals.events += log.sent_ns.len() as u64;
        self.totals.held_events += log.held_events;
        self.totals.disconnected += u64::from(log.outcome == Outcome::Disconnected);
        self.totals.failed += u64::from(log.outcome == Outcome::Failed);
        if self.log.is_on()
            && let Err(error) = self.log.push(log)
        {
            self.log_error.get_or_insert(error);
        }
    }

    fn finish(mut self) -> Result<Totals, MockError> {
        // Nobody is let in any more.
        self.batch = Batch::new(None);
        for connection in std::mem::take(&mut self.connections).into_iter().flatten() {
            self.abandon(*connection, Outcome::Stopped);
        }
        self.write_log();
        match self.log_error {
            Some(error) => Err(error),
            None => Ok(Totals {
                lateness: self.lateness.spread(),
                turn: self.turns.spread(),
                cpu_ns: thread_cpu_ns(),
                ..self.totals
            }),
        }
    }
}
