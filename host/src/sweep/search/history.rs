//! What was measured, load by load.

use std::collections::BTreeMap;

use super::super::statistics::Spread;

/// From this margin on a single run is taken for clear: a quarter of the limit.
const CLEAR: f64 = 0.25;

/// What came of one load.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The verdict over all runs.
    pub pass: bool,
    /// Its margin: 0 is the limit, below is good.
    pub margin: f64,
    /// The margin of each run by itself.
    pub margins: Vec<f64>,
    /// Load that the runs came to: requests per second, or at a time.
    pub achieved: f64,
    /// Requests per second.
    pub throughput_rps: f64,
    /// Mean time of a request, in seconds.
    pub mean_e2el_s: f64,
}

/// Where a load lies, as far as its runs tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// Surely within the limit.
    Below,
    /// The limit is within what the runs' spread allows.
    Unsure,
    /// Surely beyond.
    Beyond,
}

impl Outcome {
    /// Whether the 95 % confidence interval of the margin excludes the limit.
    /// For one run, whose spread is unknown, the margin has to be a quarter of
    /// the limit or more.
    pub fn interval(&self) -> Interval {
        let Some(spread) = Spread::of(&self.margins) else { return Interval::Unsure };
        let half = spread.half_width_95().unwrap_or(CLEAR);
        if spread.mean + half <= 0.0 && self.pass {
            Interval::Below
        } else if spread.mean - half > 0.0 && !self.pass {
            Interval::Beyond
        } else {
            Interval::Unsure
        }
    }
}

/// All loads measured so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History(BTreeMap<u32, Outcome>);

impl History {
    /// Notes what came of a load, in place of what was known of it.
    pub fn insert(&mut self, load: u32, outcome: Outcome) {
        self.0.insert(load, outcome);
    }

    /// What came of a load.
    pub fn get(&self, load: u32) -> Option<&Outcome> {
        self.0.get(&load)
    }

    /// Loads in ascending order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u32, &Outcome)> {
        self.0.iter().map(|(load, outcome)| (*load, outcome))
    }

    /// How many loads.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All runs.
    pub fn runs(&self) -> usize {
        self.0.values().map(|outcome| outcome.margins.len()).sum()
    }

    /// The highest load that passed.
    pub fn max_passing(&self) -> Option<u32> {
        self.iter().rev().find(|(_, outcome)| outcome.pass).map(|(load, _)| load)
    }

    /// The lowest load that failed.
    pub fn min_failing(&self) -> Option<u32> {
        self.iter().find(|(_, outcome)| !outcome.pass).map(|(load, _)| load)
    }

    /// The highest load that passed below the lowest that failed: where noise
    /// has a high load pass, the lower failure counts.
    pub fn safe_passing(&self) -> Option<u32> {
        let failing = self.min_failing();
        self.iter()
            .rev()
            .find(|(load, outcome)| outcome.pass && failing.is_none_or(|failing| *load < failing))
            .map(|(load, _)| load)
    }

    /// Between which loads the limit surely is: the highest that is surely
    /// within it, and the lowest that is surely beyond.
    pub fn confidence(&self) -> (Option<u32>, Option<u32>) {
        let with = |interval: Interval| {
            move |(load, outcome): (u32, &Outcome)| (outcome.interval() == interval).then_some(load)
        };
        let beyond = self.iter().find_map(with(Interval::Beyond));
        let below = self.iter().rev().filter(|(load, _)| beyond.is_none_or(|beyond| *load < beyond));
        (below.into_iter().find_map(with(Interval::Below)), beyond)
    }
}
