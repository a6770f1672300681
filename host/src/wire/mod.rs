//! Connections, framing and time stamps: the measured path.
//!
//! A [`Wire`] owns one I/O thread, or a few. Such a thread writes requests and
//! reads responses; it stamps every read before looking at what it brought,
//! takes HTTP's own framing off, and queues the bytes. It parses no JSON, calls
//! no plugin, and waits for nobody. What the bytes mean is found out later, in
//! `extract`.
//!
//! Plain HTTP/1.1 and TLS have an event loop of their own ([`http1`],
//! `connection`, `event_loop`), because at a thousand streams a general client
//! fills a core, and a full core falsifies TTFT. HTTP/2 and proxies go through
//! reqwest (`general`), with the same stamps.
//!
//! Depends on `clock` and `record` only.

pub mod capture;
mod connection;
mod event_loop;
pub mod exchange;
pub mod framing;
mod general;
pub mod http1;
#[cfg(test)]
mod http2_tests;
pub mod inflate;
mod lanes;
pub mod target;
#[cfg(test)]
mod tests;
pub mod tls;

pub use capture::{Capture, ReadMark};
pub use exchange::{Arrival, Dispatch, Ending, Outgoing, Slots};
pub use framing::{Event, Framer, Framing};
pub use general::GeneralOptions;
pub use http1::ResponseHead;
pub use lanes::{LaneReport, Wire, WireOptions};
pub use target::{Target, TargetError};
