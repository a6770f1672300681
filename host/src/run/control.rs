//! Requests around the run, which nobody measures: models, metrics, profiler, tokenizer.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::Value;
use thiserror::Error;
use tokio::runtime::Runtime;

use crate::wire::tls;

/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why the server could not be asked something.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The client could not be made.
    #[error("cannot set up an HTTP client: {0}")]
    Setup(String),
    /// No connection.
    #[error("failed to fetch models from server at {url}: {reason}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// An answer that is no list of models.
    #[error("failed to fetch models from server at {url}: {reason}; name one with --model")]
    Models {
        /// What was asked.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The list is empty.
    #[error("no models found on the server at {base_url}; name one with --model")]
    NoModels {
        /// The server.
        base_url: String,
    },
}

/// The first model that a server lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedModel {
    /// Its name in requests.
    pub id: String,
    /// What it was loaded from, which names its tokenizer.
    pub root: String,
}

/// What came of asking the server to cut a text into tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tokenized {
    /// Its tokens.
    Tokens(Vec<u64>),
    /// No connection.
    Unreachable(String),
    /// Another status than 200.
    Unavailable(u16),
    /// An answer that makes no sense.
    Unusable(String),
}

/// A client for requests around the run.
pub struct Control {
    runtime: Runtime,
    client: Client,
    base_url: String,
    /// API key and the user's own headers.
    headers: Vec<(String, String)>,
}

impl Control {
    /// A client for the server at `base_url`; `headers` go with every request
    /// that the reference client sends them with.
    ///
    /// # Errors
    /// When TLS or the runtime cannot be set up.
    pub fn new(base_url: &str, headers: Vec<(String, String)>, insecure: bool) -> Result<Self, ControlError> {
        let setup = |reason: String| ControlError::Setup(reason);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| setup(e.to_string()))?;
        tls::install_crypto_provider();
        let mut builder = Client::builder()
            .timeout(TIMEOUT)
            .danger_accept_invalid_certs(insecure)
            .user_agent(concat!("vbench/", env!("CARGO_PKG_VERSION")));
        if !base_url.starts_with("https") {
            // Reading the system's certificates takes longer than all else here.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|e| setup(e.to_string()))?;
        Ok(Self { runtime, client, base_url: base_url.to_owned(), headers })
    }

    /// The first model of `/v1/models`.
    ///
    /// # Errors
    /// When the server does not answer, or lists none.
    pub fn first_model(&self) -> Result<ServedModel, ControlError> {
        let url = format!("{}/v1/models", self.base_url);
        let failed = |reason: String| ControlError::Models { url: url.clone(), reason };
        let unreachable = |reason: String| ControlError::Unreachable { url: url.clone(), reason };
        let (status, body) = self.get(&url, true).map_err(unreachable)?;
        if status != StatusCode::OK {
            return Err(failed(format!("status {status}")));
        }
        let json: Value =
            serde_json::from_slice(&body).map_err(|e| failed(format!("the answer is not JSON: {e}")))?;
        let data = json
            .get("data")
            .and_then(Value::as_array)
            .ok_or_else(|| failed("the answer has no `data`".into()))?;
        let first = data.first().ok_or_else(|| ControlError::NoModels { base_url: self.base_url.clone() })?;
        let text = |key: &str| first.get(key).and_then(Value::as_str).map(str::to_owned);
        let id = text("id").ok_or_else(|| failed("its first model has no `id`".into()))?;
        let root = text("root").unwrap_or_else(|| id.clone());
        Ok(ServedModel { id, root })
    }

    /// The text of `/metrics`, if the server has such a page.
    pub fn metrics(&self) -> Option<String> {
        let (status, body) = self.get(&format!("{}/metrics", self.base_url), false).ok()?;
        (status == StatusCode::OK).then(|| String::from_utf8_lossy(&body).into_owned())
    }

    /// Starts or stops the server's profiler; whether it says that it did.
    pub fn profile(&self, start: bool) -> bool {
        let path = if start { "start_profile" } else { "stop_profile" };
        let mut request = self
            .client
            .post(format!("{}/{path}", self.base_url))
            .header("content-type", "application/octet-stream");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        // Sent from inside the runtime, which the client's timeout needs.
        self.runtime
            .block_on(async { request.send().await })
            .is_ok_and(|response| response.status() == StatusCode::OK)
    }

    /// Has the server cut each text into tokens, at most 64 at a time.
    pub fn tokenize(&self, model: &str, texts: &[String]) -> Vec<Tokenized> {
        let url = format!("{}/tokenize", self.base_url);
        let ask = async |text: &String| {
            let body = serde_json::json!({"model": model, "prompt": text, "add_special_tokens": false});
            match self.post_json(&url, &body).await {
                Ok(answer) => {
                    let tokens = answer
                        .get("tokens")
                        .and_then(Value::as_array)
                        .map(|tokens| tokens.iter().map(Value::as_u64).collect::<Option<Vec<_>>>());
                    match tokens.flatten() {
                        Some(tokens) => Tokenized::Tokens(tokens),
                        None => Tokenized::Unusable("the answer has no `tokens`".to_owned()),
                    }
                }
                Err(failure) => failure,
            }
        };
        self.runtime.block_on(in_flight(64, texts, ask))
    }

    /// Has the server turn each list of tokens into text; none where it does not.
    pub fn detokenize(&self, model: &str, lists: &[Vec<u64>]) -> Vec<Option<String>> {
        let url = format!("{}/detokenize", self.base_url);
        let ask = async |tokens: &Vec<u64>| {
            let body = serde_json::json!({"model": model, "tokens": tokens});
            let answer = self.post_json(&url, &body).await.ok()?;
            answer.get("prompt").and_then(Value::as_str).map(str::to_owned)
        };
        self.runtime.block_on(in_flight(64, lists, ask))
    }

    fn get(&self, url: &str, with_headers: bool) -> Result<(StatusCode, Vec<u8>), String> {
        let mut request = self.client.get(url);
        for (name, value) in self.headers.iter().filter(|_| with_headers) {
            request = request.header(name, value);
        }
        self.runtime.block_on(async {
            let response = request.send().await.map_err(|e| root_cause(&e))?;
            let status = response.status();
            let body = response.bytes().await.map_err(|e| root_cause(&e))?;
            Ok((status, body.to_vec()))
        })
    }

    async fn post_json(&self, url: &str, body: &Value) -> Result<Value, Tokenized> {
        let sent = self.client.post(url).json(body).send().await;
        let response = sent.map_err(|e| {
            if e.is_connect() || e.is_timeout() {
                Tokenized::Unreachable(root_cause(&e))
            } else {
                Tokenized::Unusable(root_cause(&e))
            }
        })?;
        if response.status() != StatusCode::OK {
            return Err(Tokenized::Unavailable(response.status().as_u16()));
        }
        response.json().await.map_err(|e| Tokenized::Unusable(root_cause(&e)))
    }
}

/// Asks for every item, at most `limit` at a time, and keeps their order.
async fn in_flight<T, R>(limit: usize, items: &[T], ask: impl AsyncFn(&T) -> R) -> Vec<R> {
    use futures_util::stream::{self, StreamExt};
    stream::iter(items).map(|item| ask(item)).buffered(limit).collect().await
}

/// The innermost reason: reqwest's own text says little more than "error sending request".
fn root_cause(e: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = e;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
