//! What a command printed: a file, its last lines, and showing it as it grows.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::error::ServerError;

/// How much of a log's end is looked at.
const TAIL_BYTES: u64 = 16 * 1024;
/// How many of its last lines are shown in an error.
const TAIL_LINES: usize = 20;
/// How often a growing log is looked at.
const FOLLOW_EVERY: Duration = Duration::from_millis(50);

/// A log file that was opened anew.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
}

impl LogFile {
    /// Creates the file and its folder, or empties it.
    ///
    /// # Errors
    /// The system refuses.
    pub fn create(path: &Path) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Log { path: path.to_owned(), source };
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(failed)?;
        }
        // Appending, so that several writers do not overwrite each other.
        File::create(path).map_err(failed)?;
        let file = OpenOptions::new().append(true).open(path).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another handle to the open file.
    ///
    /// # Errors
    /// The system refuses.
    pub fn handle(&self) -> Result<File, ServerError> {
        self.file.try_clone().map_err(|source| ServerError::Log { path: self.path.clone(), source })
    }

    /// Its last lines, at most twenty, without control characters.
    pub fn tail(&self) -> String {
        tail(&self.path)
    }
}

fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.chars().filter(|c| !c.is_control() || *c == '\t').collect::<String>())
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// Copies what is written to a log to standard output, as it is written.
#[derive(Debug)]
pub struct Follow {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Follow {
    /// Begins at the start of the log.
    pub fn start(path: &Path) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let ending = Arc::clone(&done);
        let path = path.to_owned();
        let thread = std::thread::spawn(move || {
            let Ok(mut file) = File::open(&path) else { return };
            let mut bytes = Vec::new();
            loop {
                // Read once more after the end was announced, so that nothing is left.
                let last = ending.load(Ordering::Acquire);
                bytes.clear();
                if file.read_to_end(&mut bytes).is_ok() && !bytes.is_empty() {
                    let mut out = std::io::stdout().lock();
                    // A reader that has gone away is no reason to stop the command.
                    let _ = out.write_all(&bytes).and_then(|()| out.flush());
                }
                if last {
                    return;
                }
                std::thread::sleep(FOLLOW_EVERY);
            }
        });
        Self { done, thread: Some(thread) }
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // It does nothing that panics.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_short_and_clean() {
        let dir = tempfile::tempdir().unwrap();
        let log = LogFile::create(&dir.path().join("logs/a.log")).unwrap();
        assert_eq!(log.tail(), "");
        let mut file = log.handle().unwrap();
        for line in 0..10_000 {
            writeln!(file, "line {line}\u{1b}[0m").unwrap();
        }
        writeln!(file, "\n").unwrap();
        let tail = log.tail();
        let lines: Vec<&str> = tail.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[19]), (20, "line 9980[0m", "line 9999[0m"));
    }
}
