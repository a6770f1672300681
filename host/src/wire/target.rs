//! Where requests go: the user's base URL, taken apart and resolved once.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use reqwest::Url;
use rustls::pki_types::ServerName;
use thiserror::Error;

use super::exchange::Outgoing;

/// Why a base URL cannot be used.
#[derive(Debug, Error)]
pub enum TargetError {
    /// Not a URL.
    #[error("`{url}` is not a URL ({reason}); give one such as `http://127.0.0.1:8000`")]
    Url {
        /// What the user gave.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Neither `http` nor `https`.
    #[error("`{url}` has the scheme `{scheme}`; only `http` and `https` are benchmarked")]
    Scheme {
        /// What the user gave.
        url: String,
        /// Its scheme.
        scheme: String,
    },
    /// The host name has no address.
    #[error("cannot resolve host `{host}`: {reason}")]
    Resolve {
        /// The host name.
        host: String,
        /// What the resolver says.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS for `{host}`: {reason}")]
    Tls {
        /// The host name.
        host: String,
        /// What is wrong.
        reason: String,
    },
}

/// A resolved target.
#[derive(Debug, Clone)]
pub struct Target {
    /// Value of the `host` header.
    pub authority: String,
    /// Path of the base URL, without a final slash; comes before every path.
    pub base_path: String,
    /// Addresses in the resolver's order.
    pub addresses: Vec<SocketAddr>,
    /// Present for `https`.
    pub tls: Option<Tls>,
}

/// What a TLS connection needs.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Roots, or none at all with `--insecure`; HTTP/1.1 by ALPN.
    pub config: Arc<rustls::ClientConfig>,
    /// The name the certificate has to bear.
    pub server_name: ServerName<'static>,
}

/// A base URL taken apart, before its host is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Value of the `host` header.
    pub authority: String,
    /// Path of the base URL, without a final slash; comes before every path.
    pub base_path: String,
    /// The scheme is `https`, not `http`.
    pub https: bool,
    /// Host without the brackets of an IPv6 address.
    host: String,
    port: u16,
}

impl Site {
    /// Takes `base_url` apart.
    ///
    /// # Errors
    /// When it is no usable URL.
    pub fn parse(base_url: &str) -> Result<Self, TargetError> {
        let url = Url::parse(base_url)
            .map_err(|e| TargetError::Url { url: base_url.to_owned(), reason: e.to_string() })?;
        let https = match url.scheme() {
            "http" => false,
            "https" => true,
            scheme => {
                return Err(TargetError::Scheme { url: base_url.to_owned(), scheme: scheme.to_owned() });
            }
        };
        let no_host = || TargetError::Url { url: base_url.to_owned(), reason: "it has no host".to_owned() };
        let host = url.host_str().ok_or_else(no_host)?.to_owned();
        let port = url.port_or_known_default().ok_or_else(no_host)?;
        let authority = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        let base_path = url.path().trim_end_matches('/').to_owned();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { authority, base_path, https, host, port })
    }

    /// Writes the head of `request` as it goes out over HTTP/1.1.
    pub fn write_head(&self, request: &Outgoing, out: &mut Vec<u8>) {
        write_head(request, &self.base_path, &self.authority, out);
    }
}

impl Target {
    /// Takes `base_url` apart and resolves its host.
    ///
    /// # Errors
    /// When it is no usable URL, or its host has no address.
    pub fn resolve(base_url: &str, insecure: bool) -> Result<Self, TargetError> {
        let Site { authority, base_path, https, host, port } = Site::parse(base_url)?;
        let resolve = |reason: String| TargetError::Resolve { host: host.clone(), reason };
        let addresses: Vec<SocketAddr> =
            (host.as_str(), port).to_socket_addrs().map_err(|e| resolve(e.to_string()))?.collect();
        if addresses.is_empty() {
            return Err(resolve("it has no address".to_owned()));
        }
        let tls = if https {
            let server_name = ServerName::try_from(host.clone())
                .map_err(|e| TargetError::Tls { host: host.clone(), reason: e.to_string() })?;
            let config = super::tls::client_config(insecure)
                .map_err(|e| TargetError::Tls { host: host.clone(), reason: e.to_string() })?;
            Some(Tls { config: Arc::new(config), server_name })
        } else {
            None
        };
        Ok(Self { authority, base_path, addresses, tls })
    }

    /// Writes the head of `request` as it goes out over HTTP/1.1.
    pub fn write_head(&self, request: &Outgoing, out: &mut Vec<u8>) {
        write_head(request, &self.base_path, &self.authority, out);
    }
}

fn write_head(request: &Outgoing, base_path: &str, authority: &str, out: &mut Vec<u8>) {
    for piece in [&request.method, " ", base_path, &request.path, " HTTP/1.1\r\nhost: ", authority] {
        out.extend_from_slice(piece.as_bytes());
    }
    out.extend_from_slice(
        concat!("\r\nuser-agent: vbench/", env!("CARGO_PKG_VERSION"), "\r\naccept: */*\r\n").as_bytes(),
    );
    for (name, value) in &request.headers {
        for piece in [name, ": ", value, "\r\n"] {
            out.extend_from_slice(piece.as_bytes());
        }
    }
    out.extend_from_slice(format!("content-length: {}\r\n\r\n", request.body.len()).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_base_url_apart() {
        let target = Target::resolve("http://127.0.0.1:8123/gateway/", false).unwrap();
        assert_eq!(target.authority, "127.0.0.1:8123");
        assert_eq!(target.base_path, "/gateway");
        assert_eq!(target.addresses, ["127.0.0.1:8123".parse().unwrap()]);
        assert!(target.tls.is_none());
        let target = Target::resolve("https://[::1]", true).unwrap();
        assert_eq!((target.authority.as_str(), target.base_path.as_str()), ("[::1]", ""));
        assert_eq!(target.addresses, ["[::1]:443".parse().unwrap()]);
        assert!(target.tls.is_some());
    }

    #[test]
    fn says_what_is_wrong_with_a_url() {
        let text = |url| Target::resolve(url, false).unwrap_err().to_string();
        assert!(text("localhost:8000").contains("scheme `localhost`"));
        assert!(text("127.0.0.1:8000").contains("not a URL"));
        assert!(text("ftp://host/").contains("scheme `ftp`"));
        assert!(text("http://no-such-host.invalid").contains("cannot resolve host `no-such-host.invalid`"));
    }
}
