//! `vbench startup`: how long a server takes to start, seen from outside.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::startup_result::{Milestones, StartupResult};
use super::words;
use crate::clock;
use crate::fault::{EXIT_INTERRUPTED, EXIT_OK, Fault};
use crate::run::Screen;
use crate::server::{Server, ServerError, ServerOptions, SupervisedOptions};

/// How often a server that starts is looked at.
const POLL: Duration = Duration::from_millis(10);
/// Longest wait for the first token of a server that is ready.
const FIRST_TOKEN: Duration = Duration::from_secs(600);
/// Variables that name caches of compiled code; a cold start has empty ones.
const CACHES: [&str; 3] = ["VLLM_CACHE_ROOT", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"];

/// Flags of `vbench startup`. All others are the server's.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct StartupArgs {
    /// Command that runs the server; flags that are not listed here are added to it
    #[arg(long, value_name = "COMMAND", default_value = "vllm serve")]
    pub server_cmd: String,
    /// Starts with empty caches
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub num_iters_cold: u32,
    /// Starts that fill the caches before the warm ones, and do not count
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub num_iters_warmup: u32,
    /// Starts with the user's own caches
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub num_iters_warm: u32,
    /// Write the result to this file
    #[arg(long, value_name = "FILE")]
    pub output_json: Option<PathBuf>,
    /// What the server prints about compilation, {} standing for the seconds; several are added up
    #[arg(long, value_name = "TEXT", default_value = "torch.compile takes {} s")]
    pub compilation_text: String,
    /// Longest time until the server is ready, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub server_ready_timeout: u32,
    /// Show what the server prints
    #[arg(long)]
    pub show_stdout: bool,
    /// The server's own flags.
    #[arg(skip)]
    pub server_words: Vec<String>,
}

/// Carries out `vbench startup` and gives its exit code.
///
/// # Errors
/// The server does not start, or the result cannot be written.
pub fn measure(args: &StartupArgs, screen: &Screen, stop: &AtomicBool) -> Result<u8, Fault> {
    let mut command =
        words::split(&args.server_cmd).map_err(|e| Fault::user(anyhow!("--server-cmd: {e}")))?;
    command.extend(server_words(&args.server_words, &command));
    let phases =
        [("cold", args.num_iters_cold), ("warmup", args.num_iters_warmup), ("warm", args.num_iters_warm)];
    let mut result = StartupResult::new(args, &command);
    for (phase, count) in phases {
        for number in 1..=count {
            screen.line(format!("Start {number} of {count} ({phase}): {}", command.join(" ")));
            let one = match start_once(args, &command, phase == "cold", stop) {
                Ok((one, model)) => {
                    result.model = result.model.or(model);
                    one
                }
                Err(ServerError::Interrupted) => return Ok(EXIT_INTERRUPTED),
                Err(
                    error @ (ServerError::NoCommand
                    | ServerError::Port { .. }
                    | ServerError::PortInUse { .. }),
                ) => {
                    return Err(Fault::user(error));
                }
                Err(error) => return Err(Fault::target(error).context(format!("start {number} ({phase})"))),
            };
            screen.line(format!(
                "  port open {:.2} s, healthy {:.2} s, models {:.2} s, first token {}",
                one.port_open_s,
                one.healthy_s,
                one.models_s,
                one.first_token_s.map_or("not to be had".to_owned(), |seconds| format!("{seconds:.2} s"))
            ));
            result.add(phase, one);
        }
    }
    screen.line(result.table());
    if let Some(path) = &args.output_json {
        result.write(path)?;
    }
    Ok(EXIT_OK)
}

/// The server's own flags as its command wants them: `vllm serve` takes the
/// model without a flag.
fn server_words(words: &[String], command: &[String]) -> Vec<String> {
    let positional = command.last().is_some_and(|word| word == "serve");
    let model =
        words.iter().position(|word| word == "--model").filter(|at| positional && at + 1 < words.len());
    let mut words = words.to_vec();
    if let Some(at) = model {
        let value = words.remove(at + 1);
        words.remove(at);
        words.insert(0, value);
    }
    words
}

/// Starts the server and ends it. Gives the model that it says it serves, too.
fn start_once(
    args: &StartupArgs,
    command: &[String],
    cold: bool,
    stop: &AtomicBool,
) -> Result<(Milestones, Option<String>), ServerError> {
    let scratch =
        tempfile::tempdir().map_err(|source| ServerError::Log { path: std::env::temp_dir(), source })?;
    let env = if cold {
        CACHES
            .iter()
            .map(|name| ((*name).to_owned(), scratch.path().join(name).display().to_string()))
            .collect()
    } else {
        Vec::new()
    };
    let log = scratch.path().join("server.log");
    let options = ServerOptions {
        process: SupervisedOptions { show: args.show_stdout, env, ..SupervisedOptions::new(log.clone()) },
        ready_timeout: Duration::from_secs(u64::from(args.server_ready_timeout)),
        watch_gpu: true,
    };
    let mut server = Server::start(command, &options)?;
    let port_open_ns = wait_port(&mut server, stop, options.ready_timeout)?;
    let ready = server.wait_ready_polling(stop, POLL)?;
    let first_token_ns = first_token(&server, ready.model.as_deref());
    let started_ns = server.started_ns();
    let since = |at_ns: u64| clock::seconds_between(started_ns, at_ns);
    server.stop(stop)?;
    let text =
        std::fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let milestones = Milestones {
        port_open_s: since(port_open_ns),
        healthy_s: since(ready.healthy_ns),
        models_s: since(ready.models_ns),
        first_token_s: first_token_ns.map(since),
        compilation_s: seconds_in(&text, &args.compilation_text),
    };
    Ok((milestones, ready.model))
}

/// Waits until something accepts connections.
fn wait_port(server: &mut Server, stop: &AtomicBool, patience: Duration) -> Result<u64, ServerError> {
    let deadline_ns = server.started_ns().saturating_add(patience.as_nanos() as u64);
    loop {
        if server.address().accepts() {
            return Ok(clock::now_ns());
        }
        if let Some(crash) = server.crash() {
            return Err(crash);
        }
        if stop.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(ServerError::Interrupted);
        }
        if clock::now_ns() >= deadline_ns {
            // It says, with the log, what is missing.
            server.wait_ready_polling(stop, POLL)?;
        }
        std::thread::sleep(POLL);
    }
}

/// When a completion of one token was there; none if there is none to be had.
fn first_token(server: &Server, model: Option<&str>) -> Option<u64> {
    let http = crate::server::Http::new(FIRST_TOKEN).ok()?;
    let url = format!("{}/v1/completions", server.address().url());
    let body = json!({"model": model?, "prompt": "Hello", "max_tokens": 1, "temperature": 0});
    let (status, _) = http.post_json(&url, &body).ok()?;
    status.is_success().then(clock::now_ns)
}

/// The sum of all numbers that stand for `{}` of the pattern in a text.
fn seconds_in(text: &str, pattern: &str) -> Option<f64> {
    let (before, after) = pattern.split_once("{}")?;
    let mut found = None;
    for (at, _) in text.match_indices(before) {
        let rest = &text[at + before.len()..];
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        if let Ok(seconds) = rest[..end].parse::<f64>()
            && rest[end..].starts_with(after)
        {
            found = Some(found.unwrap_or(0.0) + seconds);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_from_logs() {
        let log = "INFO torch.compile takes 12.50 s in total\nINFO torch.compile takes 1 s\n torch.compile takes x s";
        assert_eq!(seconds_in(log, "torch.compile takes {} s"), Some(13.5));
        assert_eq!(seconds_in("", "torch.compile takes {} s"), None);
        assert_eq!(seconds_in(log, "no place"), None);
    }

    #[test]
    fn the_model_is_no_flag_of_vllm_serve() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let of = |flags: &str, command: &str| server_words(&words(flags), &words(command)).join(" ");
        assert_eq!(of("--seed 1 --model m", "vllm serve"), "m --seed 1");
        assert_eq!(of("--seed 1 --model m", "vbench mock"), "--seed 1 --model m");
        assert_eq!(of("--model", "vllm serve"), "--model");
    }
}
