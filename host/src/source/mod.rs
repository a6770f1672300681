//! Where plugins come from: files, names, web servers, OCI registries.
//!
//! The user writes a [`Spec`]; a [`Resolver`] turns it into bytes of a known
//! SHA-256, from a file, from what was fetched before ([`Store`]), or from the
//! network. All of this happens before a run begins; nothing that runs one
//! depends on this folder, so a measured run cannot reach the network through it.
//!
//! What is fetched is only ever trusted by its digest. An artifact of an OCI
//! registry is kept together with its manifest and signatures ([`Provenance`]),
//! so that who published it can be checked again later without the network.
//!
//! Depends on `plugin` for the type of a plugin's source, on `digest` and `lock`,
//! and on `wire::tls` for the provider of cryptography.

mod credentials;
mod error;
mod fetch;
mod https;
mod oci;
mod provenance;
mod resolve;
mod signature;
mod spec;
mod store;
mod unread;

pub use error::SourceError;
pub use fetch::{Fetched, Fetcher};
pub use provenance::{Provenance, SignedPayload};
pub use resolve::{Resolved, Resolver, ResolverOptions};
pub use signature::{KeyError, PublicKey, SignatureError, Signed};
pub use spec::Spec;
pub use store::{Store, user_plugin_dir};
pub use unread::UnreadSignature;
