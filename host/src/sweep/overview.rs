//! How far a sweep is, and how long it will take.

use indicatif::ProgressBar;

use crate::clock;
use crate::run::Screen;

/// Counts of runs.
pub struct Overview {
    /// Runs that are planned; none where a search decides.
    total: Option<u64>,
    measured: u64,
    found: u64,
    failed: u64,
    measured_s: f64,
    began_ns: u64,
    shown: bool,
    bar: ProgressBar,
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// It was measured.
    Measured,
    /// Its results were there.
    Found,
    /// It failed.
    Failed,
}

impl Overview {
    /// Of `total` runs, if that is known; `shown` decides whether lines are printed.
    pub fn new(total: Option<u64>, shown: bool, screen: &Screen) -> Self {
        let bar = screen.bar(shown, total, "Runs");
        Self { total, measured: 0, found: 0, failed: 0, measured_s: 0.0, began_ns: 0, shown, bar }
    }

    /// A run begins.
    pub fn begin(&mut self) {
        self.began_ns = clock::now_ns();
    }

    /// A run ended.
    pub fn end(&mut self, end: RunEnd, screen: &Screen) {
        match end {
            RunEnd::Measured => {
                self.measured += 1;
                self.measured_s += clock::seconds_between(self.began_ns, clock::now_ns());
            }
            RunEnd::Found => self.found += 1,
            RunEnd::Failed => self.failed += 1,
        }
        self.bar.set_position(self.done());
        // What was found is not worth a line each.
        if self.shown && end != RunEnd::Found {
            self.bar.suspend(|| screen.line(self.line()));
        }
    }

    fn done(&self) -> u64 {
        self.measured + self.found + self.failed
    }

    fn line(&self) -> String {
        let mut line = match self.total {
            Some(total) => {
                let left = total.saturating_sub(self.done());
                format!("[PROGRESS] {} of {total} runs done, {left} left", self.done())
            }
            None => format!("[PROGRESS] {} runs done", self.done()),
        };
        let aside: Vec<String> = [(self.found, "found"), (self.failed, "failed")]
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        if !aside.is_empty() {
            line += &format!(" ({})", aside.join(", "));
        }
        if let Some(left_s) = self.left_s().filter(|left_s| *left_s > 0.0) {
            line += &format!(", about {} to go", duration(left_s));
        }
        line
    }

    /// Time left if the other runs take as long as those so far.
    fn left_s(&self) -> Option<f64> {
        let left = self.total?.saturating_sub(self.done());
        (self.measured > 0).then(|| self.measured_s / self.measured as f64 * left as f64)
    }
}

impl Drop for Overview {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// `40 s`, `12 min`, `3 h 5 min`.
fn duration(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    match minutes {
        _ if seconds < 99.5 => format!("{seconds:.0} s"),
        0..120 => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_estimated() {
        let screen = Screen::new(false);
        let mut overview = Overview::new(Some(10), false, &screen);
        assert_eq!(overview.line(), "[PROGRESS] 0 of 10 runs done, 10 left");
        (overview.measured, overview.measured_s) = (2, 60.0);
        (overview.found, overview.failed) = (1, 1);
        assert_eq!(
            overview.line(),
            "[PROGRESS] 4 of 10 runs done, 6 left (1 found, 1 failed), about 3 min to go"
        );
        let search = Overview::new(None, false, &screen);
        assert_eq!(search.line(), "[PROGRESS] 0 runs done");
        assert_eq!(duration(11_100.0), "3 h 5 min");
        assert_eq!(duration(7.4), "7 s");
    }
}
