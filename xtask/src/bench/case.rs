//! Loads.

/// Tokens of an answer, one an event.
pub(super) const TOKENS: u32 = 128;

/// A closed loop of so many streams.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) streams: u32,
    pub(super) requests: u32,
    pub(super) ttft_ms: u32,
    pub(super) itl_ms: u32,
    /// How far the reported mean TTFT may be from the server's record.
    pub(super) mean_ttft_limit_ms: f64,
}

impl Case {
    /// Token events of the whole run.
    pub(super) fn events(&self) -> f64 {
        f64::from(self.requests) * f64::from(TOKENS)
    }
}

const fn paced(name: &'static str, streams: u32, rounds: u32, mean_ttft_limit_ms: f64) -> Case {
    Case { name, streams, requests: streams * rounds, ttft_ms: 50, itl_ms: 10, mean_ttft_limit_ms }
}

// One stream needs many rounds for the CPU time to be more than the clock's grain.
const PACED: [Case; 4] = [
    paced("paced-1", 1, 8, 1.0),
    paced("paced-64", 64, 5, 1.0),
    paced("paced-256", 256, 4, 1.0),
    paced("paced-1024", 1024, 4, 3.0),
];

/// The server as fast as it can.
const ZERO_DELAY: Case = Case {
    name: "zero-delay-64",
    streams: 64,
    requests: 2000,
    ttft_ms: 0,
    itl_ms: 0,
    mean_ttft_limit_ms: 0.0,
};

/// What `capacity` measures: the server as fast as it can, then paced streams.
pub(super) const CAPACITY: [Case; 5] = [ZERO_DELAY, PACED[0], PACED[1], PACED[2], PACED[3]];

/// What `accuracy` measures.
pub(super) const ACCURACY: [Case; 4] = PACED;

/// What `parse` measures.
pub(super) const PARSE: [Case; 3] = [ZERO_DELAY, PACED[1], PACED[3]];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_tokens_of_all_requests() {
        assert_eq!(CAPACITY[0].events(), 256_000.0);
    }
}
