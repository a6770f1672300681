//! What responses say: from captured bytes to request records.
//!
//! Everything here happens after the bytes were stamped, on a thread of lower
//! priority than the I/O threads. Common formats are read natively by an
//! extraction plan ([`plan`]); others by the backend plugin, once a response
//! has ended ([`reading`]).
//!
//! On a core that it shares, the reader makes room by itself ([`manners`]).
//!
//! Depends on `wire` (captures, framing), `record`, and the contract of `plugin`.

mod fields;
mod likeness;
mod manners;
mod origin;
pub mod plan;
pub mod reader;
pub mod reading;
pub mod reference_sse;

pub use origin::Origin;
pub use reader::{Progress, Reader};
pub use reading::{Cutting, Method, RequestMeta};
pub use reference_sse::Dialect;
