//! A finished run made up by a test.

use std::collections::HashMap;

/// A finished run: numbers by key, and columns of one value a request.
#[derive(Debug, Clone, Default)]
pub struct RunData {
    metrics: HashMap<String, f64>,
    columns: HashMap<String, Vec<f64>>,
}

impl RunData {
    /// A run without numbers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a number of the result file.
    pub fn with_metric(mut self, key: &str, value: f64) -> Self {
        self.metrics.insert(key.into(), value);
        self
    }

    /// Adds a column of one value a request.
    pub fn with_column(mut self, name: &str, values: impl Into<Vec<f64>>) -> Self {
        self.columns.insert(name.into(), values.into());
        self
    }

    pub(crate) fn metric(&self, key: &str) -> Option<f64> {
        self.metrics.get(key).copied()
    }

    pub(crate) fn column(&self, name: &str) -> Option<Vec<f64>> {
        self.columns.get(name).cloned()
    }

    pub(crate) fn requests(&self) -> u32 {
        let longest = self.columns.values().map(Vec::len).max().unwrap_or(0);
        u32::try_from(longest).unwrap_or(u32::MAX)
    }
}
