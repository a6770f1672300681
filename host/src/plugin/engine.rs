//! The one WebAssembly engine of the process and the clockwork behind time limits.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use wasmtime::{Config, Engine, EngineWeak, OptLevel};

use super::error::LoadError;

/// Length of a tick, the unit of time limits.
pub(crate) const TICK: Duration = Duration::from_millis(10);
/// Ticks without a call after which the ticker goes to sleep.
const IDLE_TICKS: u32 = 100;

/// The engine, made on first use, so that a command that needs no plugin does
/// not pay for one.
pub(crate) fn engine() -> Result<&'static Engine, LoadError> {
    static ENGINE: OnceLock<Result<Engine, LoadError>> = OnceLock::new();
    ENGINE
        .get_or_init(|| {
            let engine =
                Engine::new(&config()).map_err(|error| LoadError::Engine { reason: format!("{error:#}") })?;
            let weak = engine.weak();
            std::thread::Builder::new()
                .name("plugin-ticker".to_owned())
                .spawn(move || TICKER.run(&weak))
                .map_err(|error| LoadError::Engine { reason: error.to_string() })?;
            Ok(engine)
        })
        .as_ref()
        .map_err(Clone::clone)
}

fn config() -> Config {
    let mut config = Config::new();
    config
        // Time limits: code looks at a counter and traps past its deadline.
        .epoch_interruption(true)
        // No async components; without it a call has less to book.
        .concurrency_support(false)
        // The same bits of a not-a-number on every machine, so the same dataset.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .cranelift_opt_level(OptLevel::Speed)
        .parallel_compilation(true)
        .memory_init_cow(true);
    config
}

static TICKER: Ticker = Ticker {
    running: AtomicUsize::new(0),
    asleep: AtomicBool::new(false),
    lock: Mutex::new(()),
    wake: Condvar::new(),
};

/// Moves the engine's epoch every [`TICK`] while a call is running, and sleeps
/// when none is, so that a quiet process has no timer to disturb a measurement.
struct Ticker {
    running: AtomicUsize,
    asleep: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Ticker {
    /// Ends when the engine is gone.
    fn run(&self, engine: &EngineWeak) {
        let mut idle_ticks = 0;
        loop {
            std::thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
            if self.running.load(Ordering::SeqCst) > 0 {
                idle_ticks = 0;
                continue;
            }
            idle_ticks += 1;
            if idle_ticks > IDLE_TICKS {
                let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
                // Set before `running` is looked at again; a call counts itself
                // before it looks at `asleep`. So one of both sees the other.
                self.asleep.store(true, Ordering::SeqCst);
                while self.running.load(Ordering::SeqCst) == 0 {
                    guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
                }
                self.asleep.store(false, Ordering::SeqCst);
                idle_ticks = 0;
            }
        }
    }
}

/// Keeps the ticker going while a call runs.
pub(crate) struct Ticking(());

impl Ticking {
    /// A call begins.
    pub(crate) fn start() -> Self {
        TICKER.running.fetch_add(1, Ordering::SeqCst);
        if TICKER.asleep.load(Ordering::SeqCst) {
            let _guard = TICKER.lock.lock().unwrap_or_else(PoisonError::into_inner);
            TICKER.wake.notify_all();
        }
        Self(())
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        TICKER.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// `budget` in ticks, one more for the tick that has begun.
pub(crate) fn ticks(budget: Duration) -> u64 {
    let ticks = budget.as_nanos().div_ceil(TICK.as_nanos());
    u64::try_from(ticks).unwrap_or(u64::MAX / 4).min(u64::MAX / 4) + 1
}
