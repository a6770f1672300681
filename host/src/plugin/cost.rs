//! What plugins cost: calls, time, memory and faults, per plugin and call.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// What one plugin has cost so far, all its instances together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Costs {
    /// By call, as `backend.build`.
    pub calls: BTreeMap<&'static str, CallCost>,
    /// Largest linear memory of one instance, in bytes.
    pub peak_memory_bytes: u64,
    /// Calls that ended in a fault; errors that the plugin returned are none.
    pub faults: u64,
}

/// What one kind of call has cost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CallCost {
    /// How many calls.
    pub calls: u64,
    /// Time of all calls, in nanoseconds.
    pub wall_ns: u64,
    /// Longest call, in nanoseconds.
    pub max_wall_ns: u64,
    /// CPU time of the calling thread, in nanoseconds; a service that works on
    /// other threads is not in it.
    pub cpu_ns: u64,
}

/// Costs that the instances of a plugin add to.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Costs>);

impl Ledger {
    pub(crate) fn add_call(&self, call: &'static str, wall_ns: u64, cpu_ns: u64, peak_bytes: u64) {
        let mut costs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cost = costs.calls.entry(call).or_default();
        cost.calls += 1;
        cost.wall_ns += wall_ns;
        cost.max_wall_ns = cost.max_wall_ns.max(wall_ns);
        cost.cpu_ns += cpu_ns;
        costs.peak_memory_bytes = costs.peak_memory_bytes.max(peak_bytes);
    }

    pub(crate) fn add_fault(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).faults += 1;
    }

    pub(crate) fn snapshot(&self) -> Costs {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
