//! Asking a server that runs on this machine: readiness, models, caches.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::error::ServerError;
use crate::wire::tls;

/// A client that keeps no connections and uses no proxy.
pub struct Http {
    runtime: Runtime,
    client: Client,
}

/// What came of a request.
pub type Answer = Result<(StatusCode, Vec<u8>), String>;

impl Http {
    /// A client whose requests take at most `timeout`.
    ///
    /// # Errors
    /// The system refuses what it needs.
    pub fn new(timeout: Duration) -> Result<Self, ServerError> {
        let setup = |reason: String| ServerError::Http(reason);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| setup(e.to_string()))?;
        tls::install_crypto_provider();
        let client = Client::builder()
            .timeout(timeout)
            .no_proxy()
            .pool_max_idle_per_host(0)
            .tls_certs_only([])
            .user_agent(concat!("vbench/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| setup(e.to_string()))?;
        Ok(Self { runtime, client })
    }

    /// GET.
    pub fn get(&self, url: &str) -> Answer {
        self.send(|| self.client.get(url))
    }

    /// POST without a body.
    pub fn post(&self, url: &str) -> Answer {
        self.send(|| self.client.post(url).header("content-length", "0"))
    }

    /// POST of a JSON body.
    pub fn post_json(&self, url: &str, body: &Value) -> Answer {
        self.send(|| self.client.post(url).json(body))
    }

    /// Requests are made and sent inside the runtime, which their timeout needs.
    fn send(&self, request: impl FnOnce() -> reqwest::RequestBuilder) -> Answer {
        self.runtime.block_on(async {
            let response = request().send().await.map_err(|e| innermost(&e))?;
            let status = response.status();
            let body = response.bytes().await.map_err(|e| innermost(&e))?;
            Ok((status, body.to_vec()))
        })
    }
}

/// The innermost reason: reqwest's own text says little more than "error sending request".
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
