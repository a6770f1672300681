//! A command behind a guard, as vbench sees it.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::error::ServerError;
use super::guard::GUARD_WORD;
use super::log::{Follow, LogFile};
use crate::clock;

/// How often a wait looks at the flag by which the user asks for an end.
const STOP_CHECK: Duration = Duration::from_millis(50);
/// How much longer than the grace a guard may take to end everything.
const GUARD_PATIENCE: Duration = Duration::from_secs(12);

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// The code as Python has it: the negative number of a signal.
    pub fn return_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => -signal,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "return code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// How commands are started.
#[derive(Debug, Clone)]
pub struct SupervisedOptions {
    /// The program that acts as guard: vbench itself.
    pub guard: PathBuf,
    /// Where the output goes.
    pub log: PathBuf,
    /// Show the output on standard output, too.
    pub show: bool,
    /// Variables on top of vbench's own.
    pub env: Vec<(String, String)>,
    /// Time between SIGTERM and SIGKILL.
    pub grace: Duration,
}

impl SupervisedOptions {
    /// With vbench as it runs now for a guard, hidden output and ten seconds of grace.
    pub fn new(log: PathBuf) -> Self {
        // The running program itself, even if its file has been replaced since.
        let guard = PathBuf::from("/proc/self/exe");
        Self { guard, log, show: false, env: Vec::new(), grace: Duration::from_secs(10) }
    }
}

enum News {
    Ended(Exit),
    Stopped,
    /// The guard is gone.
    Silence,
}

/// A command that was started. Dropping it ends it.
pub struct Supervised {
    guard: Child,
    orders: Option<ChildStdin>,
    news: Receiver<News>,
    pid: u32,
    started_ns: u64,
    exit: Option<Exit>,
    log: LogFile,
    grace: Duration,
    follow: Option<Follow>,
}

impl Supervised {
    /// Starts a command.
    ///
    /// # Errors
    /// There is no such program, or the log cannot be written.
    pub fn start(words: &[String], options: &SupervisedOptions) -> Result<Self, ServerError> {
        let program = words.first().ok_or(ServerError::NoCommand)?.clone();
        let failed = |reason: String| ServerError::Start { program: program.clone(), reason };
        let log = LogFile::create(&options.log)?;
        let follow = options.show.then(|| Follow::start(log.path()));
        let started_ns = clock::now_ns();
        let mut guard = Command::new(&options.guard)
            .args([GUARD_WORD, "--"])
            .args(words)
            .envs(options.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(log.handle()?))
            .spawn()
            .map_err(|e| failed(format!("its guard {}: {e}", options.guard.display())))?;
        let orders = guard.stdin.take();
        let mut told = BufReader::new(guard.stdout.take().ok_or_else(|| failed("no pipe".into()))?).lines();
        let first = told.next().and_then(Result::ok).unwrap_or_default();
        let Some(pid) = first.strip_prefix("started ").and_then(|pid| pid.parse().ok()) else {
            // It has nothing left to do, and ends by itself.
            let _ = guard.wait();
            let reason = first.strip_prefix("failed ").unwrap_or("its guard ended");
            return Err(failed(reason.to_owned()));
        };
        let (send, news) = channel();
        std::thread::spawn(move || {
            for line in told.map_while(Result::ok) {
                let item = match parse_exit(&line) {
                    Some(exit) => News::Ended(exit),
                    None if line.starts_with("stopped ") => News::Stopped,
                    None => continue,
                };
                if send.send(item).is_err() {
                    return;
                }
            }
            let _ = send.send(News::Silence);
        });
        Ok(Self { guard, orders, news, pid, started_ns, exit: None, log, grace: options.grace, follow })
    }

    /// The command's process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// When it was started, on the monotonic clock.
    pub fn started_ns(&self) -> u64 {
        self.started_ns
    }

    /// What it printed.
    pub fn log(&self) -> &LogFile {
        &self.log
    }

    /// How it ended, if it did.
    pub fn exited(&mut self) -> Option<Exit> {
        while let Ok(news) = self.news.try_recv() {
            self.note(&news);
        }
        self.exit
    }

    /// Waits for its end; none if `stop` was set meanwhile.
    pub fn wait(&mut self, stop: &AtomicBool) -> Option<Exit> {
        while self.exit.is_none() {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            match self.news.recv_timeout(STOP_CHECK) {
                Ok(news) => self.note(&news),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.note(&News::Silence),
            }
        }
        self.exit
    }

    /// Ends it and all its descendants: SIGTERM, the grace, SIGKILL.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(mut orders) = self.orders.take() else { return };
        let asked = writeln!(orders, "stop {}", self.grace.as_millis()).and_then(|()| orders.flush());
        let deadline_ns = clock::now_ns().saturating_add((self.grace + GUARD_PATIENCE).as_nanos() as u64);
        while asked.is_ok() {
            let left = Duration::from_nanos(deadline_ns.saturating_sub(clock::now_ns()));
            match self.news.recv_timeout(left) {
                Ok(News::Ended(exit)) => self.exit = Some(exit),
                _ => break,
            }
        }
        drop(orders);
        let _ = self.guard.wait();
        // The last of the log is shown before this returns.
        self.follow = None;
    }

    fn note(&mut self, news: &News) {
        match news {
            News::Ended(exit) => self.exit = Some(*exit),
            News::Stopped => {}
            // Nobody but the user ends a guard, and then by SIGKILL.
            News::Silence => self.exit = self.exit.or(Some(Exit::Signal(9))),
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads `ended code N` and `ended signal N`.
fn parse_exit(line: &str) -> Option<Exit> {
    let (kind, number) = line.strip_prefix("ended ")?.split_once(' ')?;
    let number = number.parse().ok()?;
    match kind {
        "code" => Some(Exit::Code(number)),
        "signal" => Some(Exit::Signal(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read() {
        assert_eq!(parse_exit("ended code 3"), Some(Exit::Code(3)));
        assert_eq!(parse_exit("ended signal 9").map(Exit::return_code), Some(-9));
        assert_eq!(parse_exit("stopped gently"), None);
        assert_eq!(parse_exit("ended code x"), None);
    }
}
