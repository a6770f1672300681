//! A server from its start to its end.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use super::address::Address;
use super::error::ServerError;
use super::gpu::GpuMemory;
use super::http::Http;
use super::supervised::{Exit, Supervised, SupervisedOptions};
use crate::clock;

/// How often a server is asked whether it is ready.
const POLL: Duration = Duration::from_millis(100);
/// Longest wait for one answer of a server that is starting.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a port may stay taken after its server ended.
const PORT_PATIENCE: Duration = Duration::from_secs(10);
/// How long memory of a GPU may stay taken after its server ended.
const GPU_PATIENCE: Duration = Duration::from_secs(60);
/// The environment in which vLLM offers endpoints to reset its caches.
const DEV_MODE: (&str, &str) = ("VLLM_SERVER_DEV_MODE", "1");
/// What servers print when their port is taken.
const PORT_TAKEN: [&str; 3] = ["address already in use", "errno 98", "eaddrinuse"];

/// How servers are started.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// How the process is started.
    pub process: SupervisedOptions,
    /// Longest time from start to ready.
    pub ready_timeout: Duration,
    /// Wait, after it ended, until the GPUs' memory is free again.
    pub watch_gpu: bool,
}

/// What the server answered when it was ready, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Readiness {
    /// Status 200 on `/health`, on the monotonic clock.
    pub healthy_ns: u64,
    /// An answer on `/v1/models`, on the monotonic clock.
    pub models_ns: u64,
    /// The first model, if the server lists any.
    pub model: Option<String>,
}

/// A server that was started. Dropping it ends it.
pub struct Server {
    process: Supervised,
    address: Address,
    ready_timeout: Duration,
    http: Http,
    gpu: Option<GpuMemory>,
}

impl Server {
    /// Starts a server whose port has to be free.
    ///
    /// # Errors
    /// The port is in use, or the command cannot be started.
    pub fn start(words: &[String], options: &ServerOptions) -> Result<Self, ServerError> {
        let address = Address::of_command(words)?;
        if address.in_use() {
            return Err(ServerError::PortInUse { url: address.url() });
        }
        let gpu = options.watch_gpu.then(GpuMemory::now).flatten();
        let mut process = options.process.clone();
        process.env.push((DEV_MODE.0.to_owned(), DEV_MODE.1.to_owned()));
        let process = Supervised::start(words, &process)?;
        Ok(Self { process, address, ready_timeout: options.ready_timeout, http: Http::new(ANSWER)?, gpu })
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// When it was started, on the monotonic clock.
    pub fn started_ns(&self) -> u64 {
        self.process.started_ns()
    }

    /// Asks it things.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// Waits until `/health` answers 200 and `/v1/models` lists a model. A
    /// server without such a list is ready when it is healthy.
    ///
    /// # Errors
    /// It ended, or was not ready in time, or `stop` was set.
    pub fn wait_ready(&mut self, stop: &AtomicBool) -> Result<Readiness, ServerError> {
        self.wait_ready_polling(stop, POLL)
    }

    /// The same, asking every `poll`.
    ///
    /// # Errors
    /// As [`Self::wait_ready`].
    pub fn wait_ready_polling(
        &mut self,
        stop: &AtomicBool,
        poll: Duration,
    ) -> Result<Readiness, ServerError> {
        let url = self.address.url();
        let deadline_ns = self.started_ns().saturating_add(self.ready_timeout.as_nanos() as u64);
        let mut healthy_ns = None;
        loop {
            let state = if healthy_ns.is_none() {
                match self.http.get(&format!("{url}/health")) {
                    Ok((StatusCode::OK, _)) => {
                        healthy_ns = Some(clock::now_ns());
                        continue;
                    }
                    Ok((status, _)) => format!("/health answers {status}"),
                    Err(reason) => format!("/health: {reason}"),
                }
            } else {
                match models(&self.http.get(&format!("{url}/v1/models"))) {
                    Ok(model) => {
                        let now_ns = clock::now_ns();
                        return Ok(Readiness {
                            healthy_ns: healthy_ns.unwrap_or(now_ns),
                            models_ns: now_ns,
                            model,
                        });
                    }
                    Err(state) => state,
                }
            };
            if let Some(exit) = self.process.exited() {
                return Err(self.crashed(exit));
            }
            if clock::now_ns() >= deadline_ns {
                return Err(ServerError::NotReady {
                    timeout_s: self.ready_timeout.as_secs(),
                    state,
                    log: self.log_path(),
                    tail: self.process.log().tail(),
                });
            }
            if !pause(poll, stop) {
                return Err(ServerError::Interrupted);
            }
        }
    }

    /// How it ended, as an error, if it did.
    pub fn crash(&mut self) -> Option<ServerError> {
        let exit = self.process.exited()?;
        Some(self.crashed(exit))
    }

    /// Ends it with all its descendants and waits until its port, and its
    /// memory on the GPUs, are free. Gives what is worth a warning.
    ///
    /// # Errors
    /// Its port stays taken.
    pub fn stop(self, stop: &AtomicBool) -> Result<Option<String>, ServerError> {
        let Self { process, address, gpu, .. } = self;
        process.stop();
        let deadline_ns = clock::now_ns().saturating_add(PORT_PATIENCE.as_nanos() as u64);
        while address.in_use() {
            if clock::now_ns() >= deadline_ns || !pause(POLL, stop) {
                return Err(ServerError::PortHeld { url: address.url(), seconds: PORT_PATIENCE.as_secs() });
            }
        }
        Ok(gpu.and_then(|before| before.wait_released(GPU_PATIENCE, stop).err()))
    }

    fn crashed(&self, exit: Exit) -> ServerError {
        let (log, tail) = (self.log_path(), self.process.log().tail());
        let lower = tail.to_lowercase();
        if PORT_TAKEN.iter().any(|words| lower.contains(words)) {
            return ServerError::PortTaken { url: self.address.url(), exit, log, tail };
        }
        ServerError::Crashed { exit, log, tail }
    }

    fn log_path(&self) -> PathBuf {
        self.process.log().path().to_owned()
    }
}

/// The first model of a list; in words why there is none yet.
fn models(answer: &super::http::Answer) -> Result<Option<String>, String> {
    let (status, body) = match answer {
        Ok(answer) => answer,
        Err(reason) => return Err(format!("/v1/models: {reason}")),
    };
    if status.is_server_error() {
        return Err(format!("/v1/models answers {status}"));
    }
    let list: Option<Value> = serde_json::from_slice(body).ok();
    match list.as_ref().and_then(|list| list.get("data")?.as_array()) {
        Some(models) if models.is_empty() => Err("/v1/models is empty".to_owned()),
        Some(models) => Ok(models[0].get("id").and_then(Value::as_str).map(str::to_owned)),
        None => Ok(None),
    }
}

/// Sleeps; false if `stop` is set.
pub(super) fn pause(time: Duration, stop: &AtomicBool) -> bool {
    let deadline_ns = clock::now_ns().saturating_add(time.as_nanos() as u64);
    loop {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        let left = Duration::from_nanos(deadline_ns.saturating_sub(clock::now_ns()));
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_models_that_is_there_has_to_name_one() {
        let answer = |status: StatusCode, body: &str| Ok((status, body.as_bytes().to_vec()));
        let list = answer(StatusCode::OK, r#"{"data": [{"id": "m"}, {"id": "n"}]}"#);
        assert_eq!(models(&list), Ok(Some("m".to_owned())));
        assert_eq!(models(&answer(StatusCode::NOT_FOUND, "")), Ok(None));
        assert_eq!(models(&answer(StatusCode::OK, "")), Ok(None));
        assert!(models(&answer(StatusCode::OK, r#"{"data": []}"#)).is_err());
        assert!(models(&answer(StatusCode::SERVICE_UNAVAILABLE, "")).is_err());
        assert!(models(&Err("refused".to_owned())).unwrap_err().contains("refused"));
    }
}
