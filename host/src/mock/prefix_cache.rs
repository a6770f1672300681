//! Which prompts have been seen since the last reset.

use std::collections::HashSet;

/// Most prompts remembered. At the limit all are forgotten, as if by a reset.
const MAX_PROMPTS: usize = 1 << 20;

/// A cache that hits on exact repeats of whole prompts.
#[derive(Debug, Default)]
pub(super) struct PrefixCache {
    digests: HashSet<u64>,
}

impl PrefixCache {
    /// Whether the prompt has been seen; from now on it has.
    pub(super) fn query(&mut self, digest: u64) -> bool {
        if self.digests.len() >= MAX_PROMPTS {
            self.digests.clear();
        }
        !self.digests.insert(digest)
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        self.digests.clear();
    }
}
