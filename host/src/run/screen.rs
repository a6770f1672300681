//! Lines for the person at the terminal, and progress bars.

use std::any::Any;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::plugin::CompileWatch;
use crate::plugin::services::{LogLevel, LogSink};

/// Plugins of this size take about a second to compile, which is worth a word.
const LONG_COMPILE_BYTES: u64 = 1 << 20;

/// Standard output and standard error of the command, or a log in their place.
#[derive(Debug, Default)]
pub struct Screen {
    /// Warnings shown so far, kept for the result.
    warnings: Mutex<Vec<String>>,
    /// Show what plugins say for debugging.
    verbose: bool,
    /// Messages of plugins are no part of the output.
    messages_apart: AtomicBool,
    /// Takes all lines, if there is one.
    log: Mutex<Option<File>>,
}

impl Screen {
    /// A screen; `verbose` shows what plugins say for debugging.
    pub fn new(verbose: bool) -> Self {
        Self { verbose, ..Self::default() }
    }

    /// Whether messages of plugins go to standard error: they are part of what a
    /// run shows, and no part of a table or a JSON text that a command prints.
    pub fn keep_messages_apart(&self, apart: bool) {
        self.messages_apart.store(apart, Ordering::Relaxed);
    }

    /// A line of ordinary output.
    pub fn line(&self, text: impl AsRef<str>) {
        if !self.logged(format_args!("{}", text.as_ref())) {
            // A reader that has gone away is no reason to lose the run.
            let _ = writeln!(io::stdout().lock(), "{}", text.as_ref());
        }
    }

    /// From now on writes to this log instead, shows no bars, and forgets the
    /// warnings so far: for one run of several in a process.
    pub fn redirect(&self, log: File) {
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = Some(log);
        if let Ok(mut warnings) = self.warnings.lock() {
            warnings.clear();
        }
    }

    /// Writes a line to the log; false if there is none.
    fn logged(&self, line: std::fmt::Arguments<'_>) -> bool {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        match log.as_mut() {
            // A full disk shows when the result is written.
            Some(log) => {
                let _ = writeln!(log, "{line}");
                true
            }
            None => false,
        }
    }

    /// Something the user should know, on standard error, and kept.
    pub fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        if !self.logged(format_args!("warning: {text}")) {
            let _ = writeln!(io::stderr().lock(), "warning: {text}");
        }
        if let Ok(mut warnings) = self.warnings.lock() {
            warnings.push(text);
        }
    }

    /// The warnings so far.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.lock().map(|warnings| warnings.clone()).unwrap_or_default()
    }

    /// A bar for `total` steps, or a spinner; invisible unless standard error
    /// is a terminal and `shown`.
    pub fn bar(&self, shown: bool, total: Option<u64>, what: &'static str) -> ProgressBar {
        let logs = self.log.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if !shown || logs || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::new_spinner(),
        };
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let template = match total {
            Some(_) => "{msg} {wide_bar} {pos}/{len} [{elapsed}<{eta}]",
            None => "{msg} {spinner} {pos} [{elapsed}]",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

/// A bar that goes when what it shows has ended.
struct Passing(ProgressBar);

impl Drop for Passing {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl CompileWatch for Screen {
    fn compiling(&self, shown: &str, size_bytes: u64) -> Box<dyn Any> {
        if size_bytes < LONG_COMPILE_BYTES {
            return Box::new(());
        }
        let what = format!(
            "compiling plugin {shown} ({:.1} MiB), which is done once and then kept",
            size_bytes as f64 / (1024.0 * 1024.0)
        );
        if self.logged(format_args!("{what}")) {
            return Box::new(());
        }
        if !io::stderr().is_terminal() {
            let _ = writeln!(io::stderr().lock(), "{what}");
            return Box::new(());
        }
        let bar = self.bar(true, None, "Compiling");
        bar.set_message(what);
        Box::new(Passing(bar))
    }
}

impl LogSink for Screen {
    fn log(&self, plugin: &str, level: LogLevel, message: &str) {
        match level {
            LogLevel::Debug if !self.verbose => {}
            LogLevel::Info if !self.messages_apart.load(Ordering::Relaxed) => self.line(message),
            LogLevel::Debug | LogLevel::Info => {
                if !self.logged(format_args!("{plugin}: {message}")) {
                    let _ = writeln!(io::stderr().lock(), "{plugin}: {message}");
                }
            }
            LogLevel::Warn => self.warn(format!("{plugin}: {message}")),
        }
    }
}
