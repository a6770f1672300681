//! Memory in use on the GPUs, so that a server starts only when its
//! predecessor's memory is free again.

use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::process::pause;
use crate::clock;

/// How much more than before may be in use, per GPU: contexts come and go.
const TOLERANCE_MIB: u64 = 512;
/// How often the GPUs are asked.
const POLL: Duration = Duration::from_millis(500);

/// MiB in use on each GPU at some time, by `nvidia-smi`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuMemory(Vec<u64>);

impl GpuMemory {
    /// What is in use now; none where there is no `nvidia-smi`, or no GPU that
    /// tells.
    pub fn now() -> Option<Self> {
        let output = Command::new("nvidia-smi")
            .args(["--query-gpu=memory.used", "--format=csv,noheader,nounits"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        if !output.status.success() {
            return None;
        }
        Self::parse(&String::from_utf8_lossy(&output.stdout))
    }

    fn parse(text: &str) -> Option<Self> {
        let mib: Option<Vec<u64>> = text.lines().map(|line| line.trim().parse().ok()).collect();
        mib.filter(|mib| !mib.is_empty()).map(Self)
    }

    /// Waits until no more is in use than this, but for a tolerance.
    ///
    /// # Errors
    /// In words which GPU still has how much, after `timeout` or when `stop` is set.
    pub fn wait_released(&self, timeout: Duration, stop: &AtomicBool) -> Result<(), String> {
        let deadline_ns = clock::now_ns().saturating_add(timeout.as_nanos() as u64);
        loop {
            let Some(held) = Self::now().and_then(|now| self.held(&now)) else { return Ok(()) };
            if clock::now_ns() >= deadline_ns || !pause(POLL, stop) {
                return Err(held);
            }
        }
    }

    /// The first GPU on which more is in use than before.
    fn held(&self, now: &Self) -> Option<String> {
        self.0.iter().zip(&now.0).enumerate().find_map(|(gpu, (&before, &now))| {
            (now > before + TOLERANCE_MIB).then(|| {
                format!("GPU {gpu} has {now} MiB in use, {before} MiB before the server was started")
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_compared_gpu_by_gpu() {
        let before = GpuMemory::parse("100\n 200 \n").unwrap();
        assert_eq!(before, GpuMemory(vec![100, 200]));
        assert_eq!(before.held(&GpuMemory(vec![612, 200])), None);
        let held = before.held(&GpuMemory(vec![100, 40_000])).unwrap();
        assert!(held.contains("GPU 1 has 40000 MiB"), "{held}");
        assert_eq!(GpuMemory::parse(""), None);
        assert_eq!(GpuMemory::parse("[N/A]"), None);
    }
}
