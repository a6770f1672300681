//! An experiment of a sweep: a folder, a port, and what is put into and found in them.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use vbench::clock;

use super::command::{Outcome, Vbench};

/// A benchmark of a mock server, without its port.
pub const BENCH: &str = "vbench serve --host 127.0.0.1 --model mock --tokenizer tokenizers/bpe --dataset-name random \
                     --random-input-len 8 --random-output-len 8 --num-prompts 12";

/// An experiment with a port of its own.
pub struct Experiment {
    pub dir: Arc<TempDir>,
    pub port: u16,
}

impl Experiment {
    /// A folder and a free port.
    pub fn new() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { dir: Arc::new(tempfile::tempdir().unwrap()), port }
    }

    /// A path in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A JSON file in its folder.
    pub fn file(&self, name: &str, content: &Value) -> String {
        let path = self.path(name);
        fs::write(&path, content.to_string()).unwrap();
        path.display().to_string()
    }

    /// A sweep over mock servers with the flags `server`.
    pub fn command(&self, sub: &str, bench: &str, server: &str, more: &[&str]) -> Vbench {
        let serve_cmd =
            format!("{} mock --host 127.0.0.1 --port {} {server}", env!("CARGO_BIN_EXE_vbench"), self.port);
        self.command_with(sub, bench, &serve_cmd, more)
    }

    /// A sweep over servers of any kind.
    pub fn command_with(&self, sub: &str, bench: &str, serve_cmd: &str, more: &[&str]) -> Vbench {
        let bench_cmd = format!("{bench} --port {}", self.port);
        let mut args = vec![
            "sweep",
            sub,
            "--serve-cmd",
            serve_cmd,
            "--bench-cmd",
            &bench_cmd,
            "-o",
            "@OUT@",
            "-e",
            "exp",
        ];
        args.extend(more);
        Vbench::within(Arc::clone(&self.dir), args).env("PATH", "/usr/local/bin:/usr/bin:/bin")
    }

    /// A program in its folder that is a script of the shell; the command to run it.
    pub fn script(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    }

    /// Runs a sweep with the usual benchmark to its end.
    pub fn run(&self, sub: &str, server: &str, more: &[&str]) -> Outcome {
        self.command(sub, BENCH, server, more).run()
    }

    /// A JSON file that the sweep wrote.
    pub fn json(&self, name: &str) -> Value {
        let path = self.path("exp").join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap()
    }

    /// Tokens that the mock server has generated; 0 if there is no server.
    pub fn generated_tokens(&self) -> u64 {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return 0 };
        let mut text = String::new();
        let asked = stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n\r\n");
        if asked.and_then(|()| stream.read_to_string(&mut text)).is_err() {
            return 0;
        }
        let line = text.lines().find(|line| line.starts_with("vllm:generation_tokens_total{"));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).map_or(0, |tokens| tokens as u64)
    }

    /// Whether a server is there.
    pub fn listens(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }
}

/// Waits until something is so.
#[track_caller]
pub fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let deadline_ns = clock::now_ns() + 60_000_000_000;
    while !is_so() {
        assert!(clock::now_ns() < deadline_ns, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}
