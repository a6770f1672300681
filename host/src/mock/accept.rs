//! Taking new connections without ever stopping for one.

use std::io::ErrorKind;

use mio::net::{TcpListener, TcpStream};

use crate::clock::MonotonicNs;

/// Connections taken in one go before the others get a turn.
const MAX_ACCEPTS: usize = 64;
/// Pause after the system has refused a connection for lack of descriptors or memory.
const RETRY_NS: u64 = 20_000_000;

/// The listening socket. The poller is edge-triggered, so it is remembered
/// whether somebody may still be waiting.
pub(super) struct Acceptor {
    pub(super) listener: TcpListener,
    pending: bool,
    retry_at: Option<MonotonicNs>,
}

impl Acceptor {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, pending: false, retry_at: None }
    }

    /// The poller says that somebody waits.
    pub(super) fn notice(&mut self) {
        self.pending = true;
    }

    /// Whether to go on without waiting.
    pub(super) fn is_ready(&self) -> bool {
        self.pending && self.retry_at.is_none()
    }

    /// When to try again, if the system refused.
    pub(super) fn retry_at(&self) -> Option<MonotonicNs> {
        self.retry_at
    }

    /// Takes some of those who wait.
    pub(super) fn accept(&mut self, now: MonotonicNs, mut take: impl FnMut(TcpStream)) {
        if !self.pending || self.retry_at.is_some_and(|at| now < at) {
            return;
        }
        self.retry_at = None;
        for _ in 0..MAX_ACCEPTS {
            match self.listener.accept() {
                Ok((socket, _)) => take(socket),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => {
                        self.pending = false;
                        return;
                    }
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset => {}
                    _ => {
                        self.retry_at = Some(now + RETRY_NS);
                        return;
                    }
                },
            }
        }
    }
}
