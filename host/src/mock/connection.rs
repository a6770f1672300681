//! One connection: its socket and its two buffers.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use mio::net::TcpStream;

use super::generation::Generation;
use super::http::RequestReader;
use crate::clock::{MonotonicNs, now_ns};

/// Rendered bytes beyond which no further event is rendered.
const MAX_OUTGOING_BYTES: usize = 64 * 1024;
/// Bytes of later requests that are read while one is being answered.
const MAX_PIPELINED_BYTES: usize = 64 * 1024;
/// Bytes that are read and thrown away after the last response, so that the
/// client gets to read it before a reset.
const MAX_DISCARDED_BYTES: usize = 128 * 1024 * 1024;

/// The connection cannot be used any more.
#[derive(Debug)]
pub(super) struct Gone;

/// Bytes that wait to be written, and where token events end in them.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) bytes: Vec<u8>,
    written: usize,
    /// Ends of token events in `bytes`.
    event_ends: Vec<usize>,
    events_written: usize,
}

impl Outgoing {
    fn pending(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.written == self.bytes.len()
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes.len() - self.written < MAX_OUTGOING_BYTES
    }

    /// The token event that was just rendered ends here.
    pub(super) fn end_of_event(&mut self) {
        self.event_ends.push(self.bytes.len());
    }

    /// `count` more bytes are written. Returns how many token events end in them.
    fn advance(&mut self, count: usize) -> usize {
        self.written += count;
        let before = self.events_written;
        while self.event_ends.get(self.events_written).is_some_and(|&end| end <= self.written) {
            self.events_written += 1;
        }
        let events = self.events_written - before;
        if self.is_empty() {
            self.bytes.clear();
            self.bytes.shrink_to(2 * MAX_OUTGOING_BYTES);
            self.event_ends.clear();
            (self.written, self.events_written) = (0, 0);
        } else if self.written >= MAX_OUTGOING_BYTES {
            // A client that always leaves something must not let the buffer grow.
            self.bytes.drain(..self.written);
            self.event_ends.drain(..self.events_written);
            self.event_ends.iter_mut().for_each(|end| *end -= self.written);
            (self.written, self.events_written) = (0, 0);
        }
        events
    }
}

/// A write that moved something.
pub(super) struct Written {
    /// Token events that it completed.
    pub(super) events: usize,
    /// When it returned.
    pub(super) at: MonotonicNs,
    /// Whether the bytes had to wait for the client before.
    pub(super) held: bool,
}

/// One connection.
pub(super) struct Connection {
    pub(super) socket: TcpStream,
    pub(super) reader: RequestReader,
    pub(super) out: Outgoing,
    /// The answer being given.
    pub(super) generation: Option<Generation>,
    /// When the last answer ended: a pipelined request begins then.
    pub(super) free_since_ns: MonotonicNs,
    /// Close once everything is written.
    pub(super) closing: bool,
    readable: bool,
    writable: bool,
    /// The client has sent all it will send; reads go on until they say so.
    half_closed: bool,
    ended: bool,
    /// The socket's buffer was full when a write was last tried.
    blocked: bool,
    /// Our side is shut down; bytes read since.
    discarded: Option<usize>,
}

impl Connection {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            reader: RequestReader::default(),
            out: Outgoing::default(),
            generation: None,
            free_since_ns: 0,
            closing: false,
            readable: true,
            writable: true,
            half_closed: false,
            ended: false,
            blocked: false,
            discarded: None,
        }
    }

    /// Takes what the poller says.
    pub(super) fn notice(&mut self, event: &mio::event::Event) -> Result<(), Gone> {
        if event.is_error() {
            return Err(Gone);
        }
        self.half_closed |= event.is_read_closed();
        self.readable |= event.is_readable() || event.is_read_closed();
        self.writable |= event.is_writable();
        Ok(())
    }

    /// Whether another request may be answered now.
    pub(super) fn takes_requests(&self) -> bool {
        self.generation.is_none() && !self.closing && self.out.has_room()
    }

    /// Whether a write would move something.
    pub(super) fn can_write(&self) -> bool {
        self.writable
    }

    /// Whether there may be bytes to read and room for them.
    pub(super) fn can_read(&self) -> bool {
        let room = match (&self.generation, self.discarded) {
            (_, Some(_)) => true,
            (Some(_), None) => self.reader.buffered() < MAX_PIPELINED_BYTES,
            (None, None) => self.takes_requests(),
        };
        self.readable && !self.ended && room
    }

    /// Reads once, stamped before anything is looked at. Returns whether
    /// something came.
    pub(super) fn read(&mut self, scratch: &mut [u8], now: &mut MonotonicNs) -> Result<bool, Gone> {
        match self.socket.read(scratch) {
            Ok(0) => {
                self.ended = true;
                // Nobody waits for the rest of an answer, as ASGI servers see it.
                if self.generation.is_some() || self.discarded.is_some() { Err(Gone) } else { Ok(false) }
            }
            Ok(count) => {
                *now = now_ns();
                // A short read empties the socket; the end of the stream, once
                // announced, has to be read for.
                if count < scratch.len() && !self.half_closed {
                    self.readable = false;
                }
                match &mut self.discarded {
                    Some(discarded) => {
                        *discarded += count;
                        if *discarded > MAX_DISCARDED_BYTES {
                            return Err(Gone);
                        }
                    }
                    None => self.reader.push(&scratch[..count], *now),
                }
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(false)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(_) => Err(Gone),
        }
    }

    /// Writes once if there is something to write and room for it.
    pub(super) fn write(&mut self) -> Result<Option<Written>, Gone> {
        if self.out.is_empty() || !self.writable {
            return Ok(None);
        }
        match self.socket.write(self.out.pending()) {
            Ok(0) => Err(Gone),
            Ok(count) => {
                let at = now_ns();
                let held = self.blocked;
                let events = self.out.advance(count);
                self.blocked = !self.out.is_empty();
                self.writable = !self.blocked;
                Ok(Some(Written { events, at, held }))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                (self.blocked, self.writable) = (true, false);
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
            Err(_) => Err(Gone),
        }
    }

    /// Closes in order what is to be closed and has nothing left to say.
    pub(super) fn close_if_done(&mut self) -> Result<(), Gone> {
        if self.generation.is_some() || !self.out.is_empty() {
            return Ok(());
        }
        if self.ended {
            return Err(Gone);
        }
        if self.closing && self.discarded.is_none() {
            // Closing now would reset the connection if the client is still
            // sending, and the client might lose the response.
            self.reader.discard();
            self.discarded = Some(0);
            self.socket.shutdown(Shutdown::Write).map_err(|_| Gone)?;
        }
        Ok(())
    }

    /// Lets the close that follows be a reset.
    pub(super) fn reset_on_close(&self) -> io::Result<()> {
        rustix::net::sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO))?;
        Ok(())
    }
}
