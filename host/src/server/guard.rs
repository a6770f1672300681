//! The guard: a process that starts one command, tells how it ended, and ends
//! it with all its descendants when it is told to or when vbench is gone.
//!
//! It is vbench itself, called as `vbench __guard -- COMMAND…`, which is no
//! part of the command line that users see. Standard input takes orders:
//! `stop MILLISECONDS` ends the command, and its end means that vbench is gone.
//! Standard output tells: `started PID`, `failed REASON`, `ended code N` or
//! `ended signal N`, `stopped gently` or `stopped by force`. Standard error is
//! the command's output.

use std::ffi::OsString;
use std::io::{self, BufRead, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, setsid, wait};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::clock;

/// First word of the guard's command line.
pub const GUARD_WORD: &str = "__guard";
/// Time for an orderly end when vbench is gone.
const ABANDONED_GRACE: Duration = Duration::from_secs(2);
/// How often what cannot be ended is tried again.
const KILL_EVERY: Duration = Duration::from_millis(20);
/// After this long something cannot be killed, such as a process that waits for a device.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

enum Event {
    /// The command itself ended, as told on standard output.
    Ended(String),
    /// No descendant is left.
    NoneLeft,
    /// An order to end everything.
    Stop(Duration),
}

/// Runs a guard; `words` are those after [`GUARD_WORD`]. Gives the exit code.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    let mut words = words.into_iter().skip_while(|word| word == "--");
    let Some(program) = words.next() else {
        tell("failed the command is empty");
        return 1;
    };
    // Its own session, out of reach of the terminal's signals: vbench decides.
    // Refused only if the guard leads one already.
    let _ = setsid();
    // Where the kernel refuses, descendants whose parents end are out of reach.
    let _ = set_child_subreaper(Some(getpid()));
    let output = || io::stderr().as_fd().try_clone_to_owned().map_or_else(|_| Stdio::null(), Stdio::from);
    let child = Command::new(&program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(output())
        .stderr(output())
        .process_group(0)
        .spawn();
    let child = match child {
        Ok(child) => child,
        Err(error) => {
            tell(&format!("failed {error}"));
            return 1;
        }
    };
    tell(&format!("started {}", child.id()));
    let (events, happened) = channel();
    let leader = child.id() as i32;
    // `child` is not waited for by itself: `reap` waits for every descendant.
    let reaping = events.clone();
    thread::spawn(move || reap(leader, &reaping));
    listen(events);
    supervise(&happened);
    0
}

fn supervise(happened: &Receiver<Event>) {
    let mut none_left = false;
    let grace = loop {
        match happened.recv() {
            Ok(Event::Ended(how)) => tell(&format!("ended {how}")),
            Ok(Event::NoneLeft) => none_left = true,
            Ok(Event::Stop(grace)) => break grace,
            Err(_) => break ABANDONED_GRACE,
        }
    };
    if none_left || wait_for_none_left(happened, Signal::TERM, grace, None) {
        tell("stopped gently");
    } else if wait_for_none_left(happened, Signal::KILL, KILL_PATIENCE, Some(KILL_EVERY)) {
        tell("stopped by force");
    } else {
        tell("stopped in vain");
    }
}

/// Sends a signal to all descendants, again and again if `every` says so, until
/// none is left. False if some are after `patience`.
fn wait_for_none_left(
    happened: &Receiver<Event>,
    signal: Signal,
    patience: Duration,
    every: Option<Duration>,
) -> bool {
    let deadline_ns = clock::now_ns().saturating_add(patience.as_nanos() as u64);
    signal_all(signal);
    loop {
        let left = Duration::from_nanos(deadline_ns.saturating_sub(clock::now_ns()));
        match happened.recv_timeout(every.map_or(left, |every| every.min(left))) {
            Ok(Event::NoneLeft) => return true,
            Ok(Event::Ended(how)) => tell(&format!("ended {how}")),
            Ok(Event::Stop(_)) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) if left.is_zero() => return false,
            Err(RecvTimeoutError::Timeout) => signal_all(signal),
        }
    }
}

/// Waits for descendants as they end; orphans are handed to a subreaper.
fn reap(leader: i32, events: &Sender<Event>) {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == leader => {
                let how = match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => format!("code {code}"),
                    (None, Some(signal)) => format!("signal {signal}"),
                    (None, None) => continue,
                };
                let _ = events.send(Event::Ended(how));
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => {
                let _ = events.send(Event::NoneLeft);
                return;
            }
        }
    }
}

/// Turns orders, the end of vbench and signals into events.
fn listen(events: Sender<Event>) {
    let ordering = events.clone();
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let grace_ms =
                line.as_deref().ok().and_then(|line| line.strip_prefix("stop ")?.trim().parse().ok());
            if let Some(grace_ms) = grace_ms {
                let _ = ordering.send(Event::Stop(Duration::from_millis(grace_ms)));
            }
        }
        let _ = ordering.send(Event::Stop(ABANDONED_GRACE));
    });
    if let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) {
        thread::spawn(move || {
            for _ in signals.forever() {
                let _ = events.send(Event::Stop(ABANDONED_GRACE));
            }
        });
    }
}

/// Sends a signal to every descendant.
fn signal_all(signal: Signal) {
    for pid in descendants(getpid().as_raw_nonzero().get()) {
        if let Some(pid) = Pid::from_raw(pid) {
            // One that has just ended needs none.
            let _ = kill_process(pid, signal);
        }
    }
}

/// All processes that descend from `ancestor`, by `/proc`.
fn descendants(ancestor: i32) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let parents: Vec<(i32, i32)> = entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            Some((pid, parent(&std::fs::read_to_string(entry.path().join("stat")).ok()?)?))
        })
        .collect();
    let mut found = vec![ancestor];
    let mut at = 0;
    while at < found.len() {
        let of = found[at];
        found.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(pid, _)| *pid));
        at += 1;
    }
    found.split_off(1)
}

/// The parent in a line of `/proc/PID/stat`. The name before it may hold anything.
fn parent(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // A zombie has ended; only its parent can do anything about it.
    (state != "Z").then_some(parent)
}

fn tell(text: &str) {
    let mut out = io::stdout().lock();
    // When nobody listens any more, the end of standard input says so.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_processes_may_hold_anything() {
        assert_eq!(parent("12 (a) b (c)) S 7 12 12 0 -1"), Some(7));
        assert_eq!(parent("12 (a) Z 7 12"), None);
        assert_eq!(parent("nonsense"), None);
    }

    #[test]
    fn children_are_descendants() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let me = getpid().as_raw_nonzero().get();
        assert!(descendants(me).contains(&(child.id() as i32)));
        assert!(!descendants(me).contains(&me));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
