//! How much a plugin may use, and the limiter that notes who asked for more.

use std::time::Duration;

use wasmtime::ResourceLimiter;

use super::contract::Role;

const MIB: u64 = 1024 * 1024;

/// Limits of all plugins. The defaults are generous for honest plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest plugin file.
    pub file_bytes: u64,
    /// Limits of dataset plugins.
    pub dataset: RoleLimits,
    /// Limits of backend plugins.
    pub backend: RoleLimits,
    /// Limits of criteria.
    pub sla: RoleLimits,
    /// Largest body of one request that a backend may write, media apart.
    pub request_bytes: u64,
    /// Time of each kind of call.
    pub time: CallTimes,
}

/// Space that an instance of one role may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleLimits {
    /// Linear memory, all memories of the instance together.
    pub memory_bytes: u64,
    /// Data that one call may make the host allocate.
    pub call_bytes: u64,
    /// Texts, tokens and conversations that one call may hand to the tokenizer. The
    /// tokenizer needs a multiple of it while it works.
    pub batch_bytes: u64,
    /// Table elements, all tables of the instance together.
    pub table_elements: u64,
}

/// How long each kind of call may take. Time is counted in ticks of 10 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallTimes {
    /// Instantiation and `describe`.
    pub describe: Duration,
    /// `open` of any role, and `endpoint`.
    pub open: Duration,
    /// `dataset.next` and `finish`.
    pub next: Duration,
    /// One batch of `backend.build`.
    pub build: Duration,
    /// One response of `backend.parse`.
    pub parse: Duration,
    /// Any call of a criterion but `open`.
    pub evaluate: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let role = |memory_mib: u64, call_mib: u64| RoleLimits {
            memory_bytes: memory_mib * MIB,
            call_bytes: call_mib * MIB,
            batch_bytes: 32 * MIB,
            table_elements: 100_000,
        };
        Self {
            file_bytes: 256 * MIB,
            dataset: role(512, 256),
            backend: role(128, 64),
            // A criterion gets whole columns of a run: 8 bytes a request each.
            sla: role(64, 64),
            // A prompt of two million tokens, sent as numbers, has some 14 MiB.
            request_bytes: 32 * MIB,
            time: CallTimes {
                describe: Duration::from_secs(1),
                open: Duration::from_secs(60),
                next: Duration::from_secs(10),
                build: Duration::from_secs(1),
                parse: Duration::from_secs(1),
                evaluate: Duration::from_secs(5),
            },
        }
    }
}

impl Limits {
    /// Gives plugins of every role this much memory.
    pub fn set_memory_bytes(&mut self, bytes: u64) {
        for role in [&mut self.dataset, &mut self.backend, &mut self.sla] {
            role.memory_bytes = bytes;
        }
    }

    /// Lets plugins of every role hand this much to the tokenizer in one call.
    pub fn set_batch_bytes(&mut self, bytes: u64) {
        for role in [&mut self.dataset, &mut self.backend, &mut self.sla] {
            role.batch_bytes = bytes;
        }
    }

    /// Gives every call this much time.
    pub fn set_call_time(&mut self, time: Duration) {
        self.time =
            CallTimes { describe: time, open: time, next: time, build: time, parse: time, evaluate: time };
    }

    /// The limits of a role.
    pub fn of(&self, role: Role) -> RoleLimits {
        match role {
            Role::Dataset => self.dataset,
            Role::Backend => self.backend,
            Role::Sla => self.sla,
        }
    }
}

/// A limit that was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hit {
    Memory { wanted_bytes: u64 },
    Batch { wanted_bytes: u64 },
    Table { wanted_elements: u64 },
}

/// Counts what a store uses and refuses more than its share. It remembers what
/// was refused, because the error that comes out of the call does not say.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: RoleLimits,
    memory_bytes: u64,
    peak_bytes: u64,
    table_elements: u64,
    hit: Option<Hit>,
}

impl Limiter {
    pub(crate) fn new(limits: RoleLimits) -> Self {
        Self { limits, memory_bytes: 0, peak_bytes: 0, table_elements: 0, hit: None }
    }

    pub(crate) fn limits(&self) -> RoleLimits {
        self.limits
    }

    /// Notes that this much would be given to the instance at once. False if it
    /// has no room for it, whatever it holds already.
    pub(crate) fn has_room(&mut self, bytes: u64) -> bool {
        let fits = bytes <= self.limits.memory_bytes;
        if !fits {
            self.hit = Some(Hit::Memory { wanted_bytes: bytes });
        }
        fits
    }

    /// Notes that the tokenizer was handed this much. False if it is more than it takes.
    pub(crate) fn takes_batch(&mut self, bytes: u64) -> bool {
        let fits = bytes <= self.limits.batch_bytes;
        if !fits {
            self.hit = Some(Hit::Batch { wanted_bytes: bytes });
        }
        fits
    }

    pub(crate) fn hit(&self) -> Option<Hit> {
        self.hit
    }

    pub(crate) fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }
}

/// What an instance would use in all once one of its parts has grown.
fn grown(total: u64, current: usize, desired: usize) -> u64 {
    total.saturating_add(desired.saturating_sub(current) as u64)
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            // The module's own maximum: `memory.grow` answers -1.
            return Ok(false);
        }
        let wanted = grown(self.memory_bytes, current, desired);
        if wanted > self.limits.memory_bytes {
            self.hit = Some(Hit::Memory { wanted_bytes: wanted });
            wasmtime::bail!("memory limit reached");
        }
        self.memory_bytes = wanted;
        self.peak_bytes = self.peak_bytes.max(wanted);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let wanted = grown(self.table_elements, current, desired);
        if wanted > self.limits.table_elements {
            self.hit = Some(Hit::Table { wanted_elements: wanted });
            wasmtime::bail!("table limit reached");
        }
        self.table_elements = wanted;
        Ok(true)
    }

    fn instances(&self) -> usize {
        1_000
    }

    fn tables(&self) -> usize {
        1_000
    }

    fn memories(&self) -> usize {
        100
    }
}
