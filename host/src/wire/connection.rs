//! One HTTP/1.1 connection and the exchange on it, without the loop around it.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;

use super::capture::Capture;
use super::exchange::{Arrival, Dispatch, Ending};
use super::http1::{Progress, ResponseReader};
use super::inflate::Inflate;
use super::payload::Payload;
use super::target::Target;
use crate::clock::{self, MonotonicNs};
use crate::record::{Failure, FailureClass, Stamps};

/// A body that goes on is handed to the readers in stretches of about this
/// size: some twenty events, so that handing on costs little, and thousands of
/// streams hold little.
pub(super) const HAND_ON_BYTES: usize = 4 * 1024;

/// A request in flight.
pub(super) struct Exchange {
    pub(super) dispatch: Dispatch,
    pub(super) stamps: Stamps,
    pub(super) capture: Capture,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

impl Exchange {
    pub(super) fn new(dispatch: Dispatch) -> Self {
        let stamps = Stamps {
            scheduled_ns: dispatch.scheduled_ns,
            released_ns: dispatch.released_ns,
            started_ns: clock::now_ns(),
            ..Stamps::default()
        };
        Self { dispatch, stamps, capture: Capture::default(), bytes_in: 0, bytes_out: 0 }
    }

    /// A request that is given up before it starts.
    pub(super) fn unstarted(dispatch: Dispatch) -> Self {
        let mut exchange = Self::new(dispatch);
        exchange.stamps.started_ns = 0;
        exchange
    }

    /// The end of an exchange that never got a response.
    pub(super) fn fail(mut self, failure: Failure) -> (Ending, Dispatch) {
        self.stamps.end_ns = clock::now_ns();
        let ending = Ending {
            index: self.dispatch.index,
            capture: self.capture,
            stamps: self.stamps,
            head: None,
            bytes_out: self.bytes_out,
            bytes_in: self.bytes_in,
            failure: Some(failure),
        };
        (ending, self.dispatch)
    }
}

/// What came of letting a connection work.
pub(super) enum Outcome {
    /// It waits for the socket.
    Pending,
    /// The exchange has ended well; whether the connection can be kept.
    Done { keep: bool },
    /// The exchange has failed, or the connection broke while idle.
    Failed(Failure),
    /// A kept connection was closed before any byte of the response came: the
    /// request belongs on another connection.
    Stale,
    /// No connection to this address.
    Unreachable(io::Error),
}

pub(super) struct Connection {
    pub(super) socket: TcpStream,
    tls: Option<Box<rustls::ClientConnection>>,
    connected: bool,
    reader: ResponseReader,
    inflate: Option<Inflate>,
    head: Vec<u8>,
    body: Payload,
    /// Bytes of `head` and `body` written so far.
    written: usize,
    /// It has carried an exchange before this one.
    kept: bool,
    pub(super) exchange: Option<Exchange>,
    /// Which of the target's addresses it goes to.
    pub(super) address: usize,
}

impl Connection {
    /// Begins to connect.
    pub(super) fn open(target: &Target, address: usize) -> io::Result<Self> {
        let to: SocketAddr = target.addresses[address];
        let socket = TcpStream::connect(to)?;
        socket.set_nodelay(true)?;
        let tls = match &target.tls {
            Some(tls) => {
                let mut session = rustls::ClientConnection::new(tls.config.clone(), tls.server_name.clone())
                    .map_err(io::Error::other)?;
                session.set_buffer_limit(None);
                Some(Box::new(session))
            }
            None => None,
        };
        Ok(Self {
            socket,
            tls,
            connected: false,
            reader: ResponseReader::new(),
            inflate: None,
            head: Vec::new(),
            body: Payload::default(),
            written: 0,
            kept: false,
            exchange: None,
            address,
        })
    }

    /// Puts an exchange on the connection and sends as much as goes at once.
    pub(super) fn begin(&mut self, exchange: Exchange, target: &Target, scratch: &mut [u8]) -> Outcome {
        self.kept = self.connected;
        self.head.clear();
        target.write_head(&exchange.dispatch.request, &mut self.head);
        self.body = exchange.dispatch.request.body.clone();
        self.written = 0;
        self.exchange = Some(exchange);
        if let Some(session) = &mut self.tls {
            let mut writer = session.writer();
            // rustls buffers without a limit, so no call comes up short.
            let mut pieces = std::iter::once(&self.head[..]).chain(self.body.pieces().iter().map(|p| &p[..]));
            if let Err(e) = pieces.try_for_each(|piece| writer.write_all(piece)) {
                return self.broken(&e);
            }
        }
        if self.connected { self.work(false, scratch) } else { Outcome::Pending }
    }

    /// Takes the exchange out, to end it or to move it.
    pub(super) fn take_exchange(&mut self) -> Option<Exchange> {
        self.exchange.take()
    }

    /// The body so far, if there is enough of it to be worth handing on.
    pub(super) fn hand_on(&mut self) -> Option<Arrival> {
        let exchange = self.exchange.as_mut()?;
        if exchange.capture.bytes.len() < HAND_ON_BYTES {
            return None;
        }
        let capture = std::mem::take(&mut exchange.capture);
        exchange.capture.bytes.reserve(HAND_ON_BYTES + HAND_ON_BYTES / 8);
        let status = self.reader.head().map_or(0, |head| head.status);
        Some(Arrival::Body { index: exchange.dispatch.index, status, capture })
    }

    /// Turns the finished exchange into its ending and makes the connection
    /// ready for the next.
    pub(super) fn finish(&mut self, failure: Option<Failure>) -> Option<(Ending, Dispatch)> {
        let mut exchange = self.exchange.take()?;
        exchange.stamps.end_ns = clock::now_ns();
        self.inflate = None;
        let has_head = self.reader.head().is_some();
        let head = self.reader.finish();
        let ending = Ending {
            index: exchange.dispatch.index,
            capture: exchange.capture,
            stamps: exchange.stamps,
            head: has_head.then_some(head),
            bytes_out: exchange.bytes_out,
            bytes_in: exchange.bytes_in,
            failure,
        };
        Some((ending, exchange.dispatch))
    }

    /// The socket is ready for something: connects, writes, reads.
    /// `peer_closed` says that the peer is known to have closed its side.
    pub(super) fn work(&mut self, peer_closed: bool, scratch: &mut [u8]) -> Outcome {
        if !self.connected {
            match self.check_connected() {
                Ok(true) => self.connected = true,
                Ok(false) => return Outcome::Pending,
                Err(e) => return Outcome::Unreachable(e),
            }
        }
        let written = self.write();
        if let Err(e) = written {
            // What the server said before it closed matters more than the failed write.
            return match self.read(true, scratch) {
                Outcome::Pending => self.broken(&e),
                outcome => outcome,
            };
        }
        let outcome = self.read(peer_closed, scratch);
        if matches!(outcome, Outcome::Pending) && self.tls.is_some() {
            // Reading may have given TLS something to answer.
            if let Err(e) = self.write() {
                return self.broken(&e);
            }
        }
        outcome
    }

    fn check_connected(&self) -> io::Result<bool> {
        if let Some(e) = self.socket.take_error()? {
            return Err(e);
        }
        match self.socket.peer_addr() {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let total = self.head.len() + self.body.len();
        if self.written == total && self.tls.as_ref().is_none_or(|tls| !tls.wants_write()) {
            return Ok(());
        }
        loop {
            let step = match &mut self.tls {
                Some(tls) if tls.wants_write() => tls.write_tls(&mut self.socket).map(|_| ()),
                Some(tls) => {
                    // Everything handed to rustls has left once the handshake is over.
                    if !tls.is_handshaking() {
                        self.written = total;
                        self.note_sent(total);
                    }
                    return Ok(());
                }
                None if self.written == total => {
                    self.note_sent(total);
                    return Ok(());
                }
                None => {
                    let slices = self.body.slices_after(&self.head, self.written);
                    match self.socket.write_vectored(&slices) {
                        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                        Ok(n) => {
                            self.written += n;
                            Ok(())
                        }
                        Err(e) => Err(e),
                    }
                }
            };
            match step {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn note_sent(&mut self, total: usize) {
        if let Some(exchange) = &mut self.exchange
            && exchange.stamps.sent_ns == 0
        {
            exchange.stamps.sent_ns = clock::now_ns();
            exchange.bytes_out = total as u64;
        }
    }

    fn read(&mut self, peer_closed: bool, scratch: &mut [u8]) -> Outcome {
        loop {
            let got = match &mut self.tls {
                None => self.socket.read(scratch),
                Some(tls) => tls.read_tls(&mut self.socket),
            };
            let at_ns = clock::now_ns();
            let n = match got {
                Ok(0) => return self.closed(),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Outcome::Pending,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return self.broken(&e),
            };
            let outcome = if self.tls.is_some() {
                self.decrypt(at_ns, scratch)
            } else {
                self.feed(&scratch[..n], at_ns)
            };
            match outcome {
                // A short read has emptied the socket (epoll(7)), which spares the
                // read that would say so; unless the end of the stream is behind it.
                Outcome::Pending if self.tls.is_none() && n < scratch.len() && !peer_closed => {
                    return Outcome::Pending;
                }
                Outcome::Pending => {}
                outcome => return outcome,
            }
        }
    }

    /// Passes on what rustls can decrypt of the bytes just read.
    fn decrypt(&mut self, at_ns: MonotonicNs, scratch: &mut [u8]) -> Outcome {
        let Some(tls) = &mut self.tls else { return Outcome::Pending };
        let handshaking = tls.is_handshaking();
        if let Err(e) = tls.process_new_packets() {
            // The alert that tells the server why is best effort.
            let _ = tls.write_tls(&mut self.socket);
            let class = if handshaking { FailureClass::Tls } else { FailureClass::Protocol };
            return Outcome::Failed(Failure { class, message: format!("TLS: {e}") });
        }
        loop {
            let Some(tls) = &mut self.tls else { return Outcome::Pending };
            match tls.reader().read(scratch) {
                Ok(0) => return self.closed(),
                Ok(n) => match self.feed(&scratch[..n], at_ns) {
                    Outcome::Pending => {}
                    outcome => return outcome,
                },
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Outcome::Pending,
                Err(e) => return self.broken(&e),
            }
        }
    }

    /// Takes bytes of the response that came at `at_ns`.
    fn feed(&mut self, bytes: &[u8], at_ns: MonotonicNs) -> Outcome {
        let Some(exchange) = &mut self.exchange else {
            let message = "the server sent bytes that no request asked for".to_owned();
            return Outcome::Failed(Failure { class: FailureClass::Protocol, message });
        };
        exchange.bytes_in += bytes.len() as u64;
        let before = exchange.capture.bytes.len();
        let progress = self.reader.feed(bytes, &mut exchange.capture.bytes);
        if let Some(coding) = self.reader.coding() {
            let compressed = exchange.capture.bytes.split_off(before);
            let inflate = self.inflate.get_or_insert_with(|| Inflate::new(coding));
            if let Err(e) = inflate.feed(&compressed, &mut exchange.capture.bytes) {
                let message = format!("the response's compression is broken: {e}");
                return Outcome::Failed(Failure { class: FailureClass::Protocol, message });
            }
        }
        exchange.capture.mark(at_ns);
        if exchange.stamps.headers_ns == 0 && self.reader.head().is_some() {
            exchange.stamps.headers_ns = at_ns;
        }
        match progress {
            Ok(Progress::More) => Outcome::Pending,
            Ok(Progress::Done(used)) => {
                // An answer that came before the request was out leaves the connection in between.
                let keep = self.reader.keep_alive() && used == bytes.len() && exchange.stamps.sent_ns != 0;
                Outcome::Done { keep }
            }
            Err(e) => Outcome::Failed(Failure { class: FailureClass::Protocol, message: e.to_string() }),
        }
    }

    /// The peer has closed its side.
    fn closed(&mut self) -> Outcome {
        if self.kept && !self.reader.has_begun() && self.exchange.as_ref().is_some_and(|e| e.bytes_in == 0) {
            return Outcome::Stale;
        }
        if self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            let message = "TLS: the server closed the connection during the handshake".to_owned();
            return Outcome::Failed(Failure { class: FailureClass::Tls, message });
        }
        match self.reader.closed() {
            Ok(()) => Outcome::Done { keep: false },
            Err(e) => Outcome::Failed(Failure { class: FailureClass::Protocol, message: e.to_string() }),
        }
    }

    fn broken(&self, e: &io::Error) -> Outcome {
        if self.kept && !self.reader.has_begun() && self.exchange.as_ref().is_some_and(|e| e.bytes_in == 0) {
            return Outcome::Stale;
        }
        let message = format!("the connection broke: {e}");
        Outcome::Failed(Failure { class: FailureClass::Protocol, message })
    }
}
