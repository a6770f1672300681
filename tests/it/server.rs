//! Starting and ending commands: nothing is left behind, and failures are told apart.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use vbench::clock;
use vbench::server::{Exit, Server, ServerError, ServerOptions, Supervised, SupervisedOptions};

static NEVER: AtomicBool = AtomicBool::new(false);

fn options(dir: &TempDir) -> SupervisedOptions {
    SupervisedOptions {
        guard: PathBuf::from(env!("CARGO_BIN_EXE_vbench")),
        grace: Duration::from_millis(300),
        ..SupervisedOptions::new(dir.path().join("a.log"))
    }
}

fn shell(script: &str) -> Vec<String> {
    ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
}

/// Waits until something is so.
#[track_caller]
fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let deadline_ns = clock::now_ns() + 20_000_000_000;
    while !is_so() {
        assert!(clock::now_ns() < deadline_ns, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a process runs; zombies do not.
fn runs(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

fn pids(dir: &TempDir, count: usize) -> Vec<String> {
    let read = || fs::read_to_string(dir.path().join("pids")).unwrap_or_default();
    wait_for("the processes have not started", || read().lines().count() == count);
    read().lines().map(str::to_owned).collect()
}

/// A process, its child, an orphan and a daemon in a session of its own.
fn family(dir: &TempDir) -> Vec<String> {
    let pids = dir.path().join("pids").display().to_string();
    shell(&format!(
        "echo $$ >> {pids}; sleep 300 & echo $! >> {pids}; \
         sh -c 'sleep 301 & echo $! >> {pids}'; \
         setsid sh -c 'echo $$ >> {pids}; exec sleep 302' & wait"
    ))
}

#[test]
fn all_descendants_end_with_a_command() {
    let dir = tempfile::tempdir().unwrap();
    let command = Supervised::start(&family(&dir), &options(&dir)).unwrap();
    let pids = pids(&dir, 4);
    assert!(pids.iter().all(|pid| runs(pid)), "{pids:?}");
    command.stop();
    wait_for("descendants are left", || !pids.iter().any(|pid| runs(pid)));
}

#[test]
fn what_ignores_a_polite_request_ends_by_force() {
    let dir = tempfile::tempdir().unwrap();
    let pids_file = dir.path().join("pids").display().to_string();
    let stubborn = format!("trap '' TERM INT; echo $$ >> {pids_file}; while :; do sleep 0.1; done");
    let command = Supervised::start(&shell(&stubborn), &options(&dir)).unwrap();
    let pids = pids(&dir, 1);
    command.stop();
    assert!(!runs(&pids[0]));
}

#[test]
fn ends_are_told_with_the_end_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    for (script, exit) in [("echo boom >&2; exit 3", Exit::Code(3)), ("kill -KILL $$", Exit::Signal(9))] {
        let mut command = Supervised::start(&shell(script), &options(&dir)).unwrap();
        assert_eq!(command.wait(&NEVER), Some(exit));
    }
    let mut command = Supervised::start(&shell("echo one; echo two >&2"), &options(&dir)).unwrap();
    assert_eq!(command.wait(&NEVER), Some(Exit::Code(0)));
    assert_eq!(command.log().tail(), "one\ntwo");
    let Err(error) = Supervised::start(&["/no/such/program".to_owned()], &options(&dir)) else { panic!() };
    assert!(error.to_string().contains("cannot start `/no/such/program`: No such file"), "{error}");
}

#[test]
fn a_wait_ends_when_the_user_wants() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Supervised::start(&shell("sleep 300"), &options(&dir)).unwrap();
    assert_eq!(command.wait(&AtomicBool::new(true)), None);
}

fn start(script: &str, port: u16, dir: &TempDir, ready_s: u64) -> Result<Server, ServerError> {
    let mut words = shell(script);
    words.extend(["sh", "--host", "127.0.0.1", "--port"].map(str::to_owned));
    words.push(port.to_string());
    let ready_timeout = Duration::from_secs(ready_s);
    Server::start(&words, &ServerOptions { process: options(dir), ready_timeout, watch_gpu: false })
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_server_that_does_not_get_ready_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let error = |script: &str, ready_s: u64| {
        let mut server = start(script, free_port(), &dir, ready_s).unwrap();
        server.wait_ready(&NEVER).unwrap_err()
    };
    let crashed = error("echo out of memory; exit 3", 60);
    assert!(matches!(crashed, ServerError::Crashed { exit: Exit::Code(3), .. }), "{crashed}");
    assert!(crashed.to_string().contains("out of memory"), "{crashed}");
    let taken = error("echo '[Errno 98] Address already in use'; exit 1", 60);
    assert!(matches!(taken, ServerError::PortTaken { .. }), "{taken}");
    let late = error("echo loading weights; sleep 300", 1);
    assert!(matches!(late, ServerError::NotReady { timeout_s: 1, .. }), "{late}");
    assert!(late.to_string().contains("loading weights"), "{late}");
}

#[test]
fn a_port_in_use_is_noticed_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let marker = dir.path().join("started");
    let script = format!("touch {}; sleep 300", marker.display());
    let Err(error) = start(&script, listener.local_addr().unwrap().port(), &dir, 5) else { panic!() };
    assert!(matches!(error, ServerError::PortInUse { .. }), "{error}");
    assert!(!Path::new(&marker).exists());
}

#[test]
fn the_mock_server_gets_ready_and_leaves_its_port() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let words: Vec<String> =
        [env!("CARGO_BIN_EXE_vbench"), "mock", "--host", "127.0.0.1", "--port", &port.to_string()]
            .map(str::to_owned)
            .to_vec();
    let options =
        ServerOptions { process: options(&dir), ready_timeout: Duration::from_secs(30), watch_gpu: false };
    let mut server = Server::start(&words, &options).unwrap();
    let ready = server.wait_ready(&NEVER).unwrap();
    assert_eq!(ready.model.as_deref(), Some("mock"));
    assert!(ready.healthy_ns <= ready.models_ns);
    assert!(server.crash().is_none());
    assert_eq!(server.stop(&NEVER).unwrap(), None);
    assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
}
