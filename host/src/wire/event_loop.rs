//! An I/O thread: one epoll loop over the connections it owns.
//!
//! The loop does what a bare epoll loop does and little more: wait, read,
//! stamp, take the framing off, queue. It never waits for whoever reads the
//! queue, and it starts new requests in small portions so that a burst of them
//! does not keep it from the sockets.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token, Waker};

use super::connection::{Connection, Exchange, HAND_ON_BYTES, Outcome};
use super::exchange::{Arrival, Dispatch, Ending};
use super::lanes::{Lane, LaneReport, busy_histogram};
use super::target::Target;
use crate::clock::{self, MonotonicNs};
use crate::record::{Failure, FailureClass};

const WAKE: Token = Token(usize::MAX);
/// What one read of a socket can bring.
const READ_BYTES: usize = 64 * 1024;
/// Requests started before the loop looks at its sockets again.
const STARTS_A_TURN: usize = 8;
/// Arrivals are queued up to this much before they are passed on.
const BATCH_BYTES: usize = 1 << 20;
/// A loop that is woken for every single event spends most of its time waking.
/// At high rates it rests between turns, as a network card does that coalesces
/// its interrupts; a stamp is late by no more than this for it.
const REST: Duration = Duration::from_micros(100);
/// From this many events a second on the loop rests.
const RESTING_EVENTS_A_S: u64 = 20_000;
/// How often the rate of events is looked at.
const RATE_WINDOW: Duration = Duration::from_millis(5);
/// How often timeouts are looked for.
const TICK: Duration = Duration::from_millis(500);

/// What other threads can ask of the loop.
pub(super) struct Inbox {
    state: Mutex<InboxState>,
    waker: Waker,
    /// The loop has been woken and has not looked yet.
    woken: AtomicBool,
}

#[derive(Default)]
struct InboxState {
    dispatches: Vec<Dispatch>,
    abort: bool,
    stop: bool,
}

impl Inbox {
    fn ask(&self, change: impl FnOnce(&mut InboxState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        if !self.woken.swap(true, Ordering::AcqRel) {
            // It fails only if the loop is gone, and then nobody is left to be woken.
            let _ = self.waker.wake();
        }
    }

    fn take(&self) -> InboxState {
        self.woken.store(false, Ordering::Release);
        std::mem::take(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Lane for Inbox {
    fn submit(&self, dispatch: Dispatch) {
        self.ask(|state| state.dispatches.push(dispatch));
    }

    fn abort(&self) {
        self.ask(|state| state.abort = true);
    }

    fn stop(&self) {
        self.ask(|state| state.stop = true);
    }
}

/// The loop of one I/O thread.
pub(super) struct EventLoop {
    poll: Poll,
    inbox: Arc<Inbox>,
    target: Arc<Target>,
    request_timeout_ns: u64,
    connections: Vec<Option<Connection>>,
    /// Places in `connections` that are free.
    vacant: Vec<usize>,
    /// Open connections without an exchange, the last used last.
    idle: Vec<usize>,
    /// Requests that are to start.
    backlog: VecDeque<Dispatch>,
    in_flight: usize,
    /// Which of the target's addresses answered last.
    address: usize,
    arrivals: Vec<Arrival>,
    arrival_bytes: usize,
    out: Sender<Vec<Arrival>>,
    /// How long the loop was away from its sockets, each time.
    busy: Histogram<u64>,
    next_tick_ns: u64,
    rate: EventRate,
}

/// How many events a second the loop is woken for.
#[derive(Debug, Default)]
struct EventRate {
    window_start_ns: MonotonicNs,
    events: u64,
    is_high: bool,
}

impl EventRate {
    /// Counts the events of a turn.
    fn count(&mut self, events: usize, now_ns: MonotonicNs) {
        self.events += events as u64;
        let over_ns = now_ns.saturating_sub(self.window_start_ns);
        if over_ns >= RATE_WINDOW.as_nanos() as u64 {
            self.is_high = self.events * 1_000_000_000 >= RESTING_EVENTS_A_S * over_ns;
            self.events = 0;
            self.window_start_ns = now_ns;
        }
    }
}

impl EventLoop {
    /// A loop and the inbox by which it is driven.
    pub(super) fn new(
        target: Arc<Target>,
        request_timeout: Duration,
        out: Sender<Vec<Arrival>>,
    ) -> io::Result<(Self, Arc<Inbox>)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let inbox = Arc::new(Inbox { state: Mutex::default(), waker, woken: AtomicBool::new(false) });
        let event_loop = Self {
            poll,
            inbox: Arc::clone(&inbox),
            target,
            request_timeout_ns: u64::try_from(request_timeout.as_nanos()).unwrap_or(u64::MAX),
            connections: Vec::new(),
            vacant: Vec::new(),
            idle: Vec::new(),
            backlog: VecDeque::new(),
            in_flight: 0,
            address: 0,
            arrivals: Vec::new(),
            arrival_bytes: 0,
            out,
            busy: busy_histogram(),
            next_tick_ns: 0,
            rate: EventRate::default(),
        };
        Ok((event_loop, inbox))
    }

    /// Runs until the inbox says stop.
    pub(super) fn run(mut self) -> LaneReport {
        let mut events = Events::with_capacity(1024);
        let mut scratch = vec![0; READ_BYTES];
        clock::sharpen_timer();
        loop {
            if self.in_flight == 0 && self.backlog.is_empty() {
                self.pass_on();
            }
            let timeout = match (self.backlog.is_empty(), self.in_flight) {
                (false, _) => Some(Duration::ZERO),
                (true, 0) => None,
                (true, _) => Some(TICK),
            };
            if let Err(e) = self.poll.poll(&mut events, timeout)
                && e.kind() != io::ErrorKind::Interrupted
            {
                self.abort(FailureClass::Protocol, &format!("waiting for sockets failed: {e}"));
            }
            let woke_ns = clock::now_ns();
            for event in &events {
                if event.token() == WAKE {
                    let asked = self.inbox.take();
                    self.backlog.extend(asked.dispatches);
                    if asked.abort {
                        self.abort(FailureClass::Interrupted, "the run was stopped");
                    }
                    if asked.stop {
                        self.pass_on();
                        return LaneReport { busy: self.busy, cpu_ns: clock::thread_cpu_ns() };
                    }
                } else {
                    self.ready(event.token().0, event.is_read_closed() || event.is_error(), &mut scratch);
                }
            }
            for _ in 0..STARTS_A_TURN {
                let Some(dispatch) = self.backlog.pop_front() else { break };
                self.start(Exchange::new(dispatch), &mut scratch);
            }
            let done_ns = clock::now_ns();
            if done_ns >= self.next_tick_ns {
                self.next_tick_ns = done_ns + TICK.as_nanos() as u64;
                self.end_overdue(done_ns);
            }
            self.rate.count(events.iter().count(), done_ns);
            let turn = Duration::from_nanos(done_ns - woke_ns);
            if self.rate.is_high && self.backlog.is_empty() && turn < REST {
                std::thread::sleep(REST - turn);
            }
            self.busy.saturating_record(clock::now_ns() - woke_ns);
        }
    }

    fn start(&mut self, exchange: Exchange, scratch: &mut [u8]) {
        self.in_flight += 1;
        let place = match self.idle.pop() {
            Some(place) => place,
            None => match self.connect(self.address) {
                Ok(place) => place,
                Err(e) => return self.fail(exchange, connect_failure(&self.target, &e)),
            },
        };
        let Some(connection) = &mut self.connections[place] else { return };
        let outcome = connection.begin(exchange, &self.target, scratch);
        self.settle(place, outcome, scratch);
    }

    fn connect(&mut self, address: usize) -> io::Result<usize> {
        let mut connection = Connection::open(&self.target, address)?;
        let place = self.vacant.pop().unwrap_or(self.connections.len());
        self.poll.registry().register(
            &mut connection.socket,
            Token(place),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        if place == self.connections.len() {
            self.connections.push(Some(connection));
        } else {
            self.connections[place] = Some(connection);
        }
        Ok(place)
    }

    fn ready(&mut self, place: usize, peer_closed: bool, scratch: &mut [u8]) {
        let Some(Some(connection)) = self.connections.get_mut(place) else { return };
        let outcome = connection.work(peer_closed, scratch);
        self.settle(place, outcome, scratch);
    }

    /// Draws the consequences of what a connection did.
    fn settle(&mut self, place: usize, outcome: Outcome, scratch: &mut [u8]) {
        let Some(Some(connection)) = self.connections.get_mut(place) else { return };
        match outcome {
            Outcome::Pending => {
                if let Some(part) = connection.hand_on() {
                    self.queue(HAND_ON_BYTES, part);
                }
            }
            Outcome::Done { keep } => {
                self.address = connection.address;
                let ended = connection.finish(None);
                if keep {
                    self.idle.push(place);
                } else {
                    self.drop_connection(place);
                }
                self.end(ended);
            }
            Outcome::Failed(failure) => {
                let ended = connection.finish(Some(failure));
                self.drop_connection(place);
                self.end(ended);
            }
            Outcome::Stale => {
                let exchange = connection.take_exchange();
                self.drop_connection(place);
                let Some(exchange) = exchange else { return };
                self.in_flight -= 1;
                // Other kept connections may be as dead as this one.
                while let Some(place) = self.idle.pop() {
                    self.drop_place(place);
                }
                self.start(exchange, scratch);
            }
            Outcome::Unreachable(e) => {
                let tried = connection.address;
                let exchange = connection.take_exchange();
                self.drop_connection(place);
                let Some(exchange) = exchange else { return };
                let next = tried + 1;
                if next < self.target.addresses.len()
                    && let Ok(place) = self.connect(next)
                    && let Some(connection) = &mut self.connections[place]
                {
                    let outcome = connection.begin(exchange, &self.target, scratch);
                    return self.settle(place, outcome, scratch);
                }
                self.fail(exchange, connect_failure(&self.target, &e));
            }
        }
    }

    fn fail(&mut self, exchange: Exchange, failure: Failure) {
        let ended = exchange.fail(failure);
        self.end(Some(ended));
    }

    /// Queues an ending and lets the next request have the slot.
    fn end(&mut self, ended: Option<(Ending, Dispatch)>) {
        let Some((ending, dispatch)) = ended else { return };
        self.in_flight -= 1;
        self.queue(ending.capture.bytes.len(), Arrival::End(Box::new(ending)));
        if let Some(next) = dispatch.slots.leave() {
            self.backlog.push_back(next);
        }
    }

    fn queue(&mut self, bytes: usize, arrival: Arrival) {
        self.arrival_bytes += bytes;
        self.arrivals.push(arrival);
        if self.arrival_bytes >= BATCH_BYTES {
            self.pass_on();
        }
    }

    fn pass_on(&mut self) {
        if !self.arrivals.is_empty() {
            self.arrival_bytes = 0;
            // Nobody listens any more only when the whole run is being given up.
            let _ = self.out.send(std::mem::take(&mut self.arrivals));
        }
    }

    fn drop_connection(&mut self, place: usize) {
        self.idle.retain(|&idle| idle != place);
        self.drop_place(place);
    }

    fn drop_place(&mut self, place: usize) {
        if let Some(mut connection) = self.connections[place].take() {
            // Closing the socket takes it off the poll as well; this is for order.
            let _ = self.poll.registry().deregister(&mut connection.socket);
            self.vacant.push(place);
        }
    }

    /// Ends every exchange, in flight or waiting here, as failed.
    fn abort(&mut self, class: FailureClass, message: &str) {
        let failure = || Failure { class, message: message.to_owned() };
        for place in 0..self.connections.len() {
            let Some(connection) = &mut self.connections[place] else { continue };
            if let Some(exchange) = &connection.exchange {
                self.backlog.extend(exchange.dispatch.slots.clear());
                let ended = connection.finish(Some(failure()));
                self.drop_connection(place);
                self.end(ended);
            }
        }
        while let Some(dispatch) = self.backlog.pop_front() {
            self.in_flight += 1;
            self.fail(Exchange::unstarted(dispatch), failure());
        }
        self.pass_on();
    }

    fn end_overdue(&mut self, now_ns: u64) {
        for place in 0..self.connections.len() {
            let Some(connection) = &mut self.connections[place] else { continue };
            let Some(exchange) = &connection.exchange else { continue };
            if now_ns.saturating_sub(exchange.stamps.started_ns) >= self.request_timeout_ns {
                let message = format!(
                    "no complete response within {} s (--request-timeout-sec)",
                    clock::seconds(self.request_timeout_ns)
                );
                let ended = connection.finish(Some(Failure { class: FailureClass::Timeout, message }));
                self.drop_connection(place);
                self.end(ended);
            }
        }
    }
}

fn connect_failure(target: &Target, e: &io::Error) -> Failure {
    let message = format!("cannot connect to {}: {e}", target.authority);
    Failure { class: FailureClass::Connect, message }
}
