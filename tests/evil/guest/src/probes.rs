//! Looks for a way out of the sandbox and tells what it found.

use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Instant, SystemTime};

use crate::contract::vbench::plugin::log::{Level, log};

fn tell(what: &str, found: impl std::fmt::Debug) {
    log(Level::Info, &format!("{what}: {found:?}"));
}

pub fn connect() {
    tell("connect", TcpStream::connect("127.0.0.1:9"));
}

pub fn resolve() {
    tell("resolve", "localhost:80".to_socket_addrs().map(Iterator::count));
}

pub fn bind() {
    tell("bind", TcpListener::bind("127.0.0.1:0"));
}

pub fn environment() {
    tell(
        "environment",
        (std::env::vars_os().count(), std::env::args_os().count(), std::env::current_dir().is_ok()),
    );
}

pub fn stdin() {
    let mut text = String::new();
    tell("stdin", std::io::stdin().read_to_string(&mut text));
}

pub fn time() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let (start, mut turns) = (Instant::now(), 0);
    // A clock that shows real time would take an unforeseeable number of turns.
    while start.elapsed().as_micros() < 1_000 {
        turns += 1;
    }
    tell("time", (now.map(|now| now.as_secs()), turns));
}

pub fn random() {
    use std::hash::{BuildHasher, RandomState};
    tell("random", RandomState::new().hash_one("the same on every machine"));
}

pub fn thread() {
    tell("thread", std::thread::Builder::new().spawn(|| ()).is_ok());
}

/// Without a folder of the user's.
pub fn files() {
    for path in ["/etc/passwd", "/proc/self/environ", "/dev/urandom", "..", ".", "/tmp", "/data/0"] {
        tell(path, fs::read_dir(path).map(|_| ()).or_else(|_| fs::read(path).map(|_| ())).is_ok());
    }
    tell("write", fs::write("/tmp/evil", "was here").is_ok());
}

/// With a folder of the user's at `root`: everything but reading what is in it.
pub fn folder(root: &str) {
    let at = |name: &str| format!("{root}/{name}");
    tell("inside.txt", fs::read_to_string(at("inside.txt")).ok());
    for name in [
        "../secret.txt",
        "../../../../../../../../etc/passwd",
        "link.txt",
        "folder-link/secret.txt",
        "absolute-link",
        "proc-link/self/environ",
        "sub/../../secret.txt",
    ] {
        tell(name, fs::read(at(name)).ok());
    }
    tell("/etc/passwd", fs::read("/etc/passwd").ok());
    tell("write", fs::write(at("new.txt"), "was here").is_ok());
    tell("overwrite", fs::write(at("inside.txt"), "was here").is_ok());
    tell("append", fs::OpenOptions::new().append(true).open(at("inside.txt")).is_ok());
    tell("remove", fs::remove_file(at("inside.txt")).is_ok());
    tell("rename", fs::rename(at("inside.txt"), at("moved.txt")).is_ok());
    tell("hard link", fs::hard_link(at("inside.txt"), at("hard.txt")).is_ok());
    tell("make a folder", fs::create_dir(at("made")).is_ok());
    tell("remove a folder", fs::remove_dir(at("sub")).is_ok());
    let time = fs::File::open(at("inside.txt")).and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH));
    tell("set the time", time.is_ok());
}

/// Opens the same file without end.
pub fn descriptors(root: &str) {
    let mut open = Vec::new();
    loop {
        match fs::File::open(format!("{root}/inside.txt")) {
            Ok(file) => open.push(file),
            Err(error) => return tell("files open at once", (open.len(), error.kind())),
        }
    }
}
