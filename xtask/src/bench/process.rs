//! Child processes on one CPU, and what they used.

use std::fs;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use wait4::Wait4;

use crate::workspace::line;

/// How often a child's memory is looked at. A peak is a high-water mark, so
/// only what comes after the last look is missed.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a child used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    /// User and system time, all threads, from start to end.
    pub(super) cpu_s: f64,
    pub(super) wall_s: f64,
    pub(super) peak_rss_bytes: u64,
}

impl Usage {
    pub(super) fn peak_rss_mib(&self) -> f64 {
        self.peak_rss_bytes as f64 / f64::from(1 << 20)
    }
}

/// Does something on a thread that is bound to a CPU. Children inherit that,
/// and so do all of their threads.
pub(super) fn on_cpu<T: Send>(cpu: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let bound = || {
        let mut set = CpuSet::new();
        set.set(cpu);
        sched_setaffinity(None, &set).with_context(|| format!("cannot bind to CPU {cpu}"))?;
        work()
    };
    thread::scope(|scope| match scope.spawn(bound).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Refuses a CPU that this process may not use.
pub(super) fn require_cpu(cpu: usize) -> Result<()> {
    let allowed = sched_getaffinity(None).context("the CPUs of this process cannot be read")?;
    if cpu >= CpuSet::MAX_CPU || !allowed.is_set(cpu) {
        bail!("there is no CPU {cpu} to use here; server and client need one each");
    }
    Ok(())
}

/// Runs a program on a CPU to its end; it has to succeed.
pub(super) fn measure(command: &mut Command, cpu: usize) -> Result<Usage> {
    let what = line(command);
    let start_s = monotonic_s();
    let mut child = on_cpu(cpu, || command.spawn().with_context(|| format!("cannot start `{what}`")))?;
    let mut peak_rss_bytes = 0;
    let used = loop {
        peak_rss_bytes = peak_rss_bytes.max(high_water_bytes(&child));
        match child.try_wait4().with_context(|| format!("cannot wait for `{what}`"))? {
            Some(used) => break used,
            None => thread::sleep(LOOK_EVERY),
        }
    };
    if !used.status.success() {
        bail!("`{what}` failed: {}", used.status);
    }
    Ok(Usage {
        cpu_s: (used.rusage.utime + used.rusage.stime).as_secs_f64(),
        wall_s: monotonic_s() - start_s,
        peak_rss_bytes,
    })
}

/// Peak of resident memory so far; 0 when the child is gone. (`ru_maxrss` would
/// not do: it begins with the memory of the process that started the child.)
fn high_water_bytes(child: &Child) -> u64 {
    fs::read_to_string(format!("/proc/{}/status", child.id()))
        .ok()
        .and_then(|status| high_water_in(&status))
        .unwrap_or(0)
}

fn high_water_in(status: &str) -> Option<u64> {
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    kib.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The clock by which the mock server's log and `vbench` tell the time.
pub(super) fn monotonic_s() -> f64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// Processor, kernel and load, in one line, since figures mean little without.
pub(super) fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{cpus} × {}, Linux {}, load average {}",
        model.map_or("unknown processor", |(_, model)| model),
        read("/proc/sys/kernel/osrelease").trim(),
        read("/proc/loadavg").split(' ').next().unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_cpu() -> usize {
        let allowed = sched_getaffinity(None).unwrap();
        (0..CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu)).unwrap()
    }

    #[test]
    fn a_child_is_bound_and_its_use_is_known() {
        let cpu = some_cpu();
        let script = "grep -q \"^Cpus_allowed_list:[[:space:]]*$0$\" /proc/self/status && \
                      i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
        let used = measure(Command::new("sh").args(["-c", script, &cpu.to_string()]), cpu).unwrap();
        assert!(used.cpu_s > 0.0 && used.wall_s > 0.0, "{used:?}");
        let unbound = sched_getaffinity(None).unwrap();
        assert!(unbound.is_set(cpu));
    }

    #[test]
    fn failures_and_unknown_cpus_are_errors() {
        let error = measure(Command::new("sh").args(["-c", "exit 3"]), some_cpu()).unwrap_err();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
        assert!(require_cpu(usize::MAX).is_err());
        assert!(require_cpu(some_cpu()).is_ok());
    }

    #[test]
    fn the_high_water_mark_is_in_kib() {
        assert_eq!(high_water_in("VmPeak:\t 9 kB\nVmHWM:\t    2348 kB\n"), Some(2348 * 1024));
        assert_eq!(high_water_in("State:\tZ (zombie)\n"), None);
    }
}
