//! What a plugin's instance lives in: a WASI that is empty, virtual or limited
//! to what the user named, and the host's side of its imports.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chacha20::ChaCha12Rng;
use chacha20::rand_core::SeedableRng;
use sha2::{Digest, Sha256};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{HostWallClock, WasiClocks, WasiClocksView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::{self, sync};
use wasmtime_wasi::p2::{DynPollable, OutputStream, Pollable, StreamResult, subscribe};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView, async_trait};

use super::contract::PathGrant;
use super::limits::{Limiter, RoleLimits};
use super::services::{LogLevel, LogSink, Services};
use super::text;
use crate::clock;

/// Bytes of output that are kept, the last ones.
const OUTPUT_BYTES: usize = 8 * 1024;
/// Messages after which a plugin's log is cut off.
const MAX_LOG_MESSAGES: u32 = 1_000;
/// Most handles that a plugin may hold: open files, rows, runs, streams. Open
/// files are the host's, which needs its own for connections.
pub(crate) const MAX_HANDLES: usize = 512;
/// The wall clock of plugins stands at 2000-01-01 00:00:00 UTC.
const WALL_CLOCK_UNIX_S: u64 = 946_684_800;
/// How far the monotonic clock moves each time it is read.
const CLOCK_STEP_NS: u64 = 1_000;

/// A directory that is put into a plugin's file system, read-only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) config_key: String,
    pub(crate) host_path: PathBuf,
    pub(crate) guest_path: String,
}

/// Mounts for the directories among the paths that the user named.
///
/// WASI can only open directories to a plugin. A file that was named is read
/// through the `table` interface instead: opening the directory around it would
/// show the plugin its neighbours, which nobody named.
pub(crate) fn mounts(grants: &[PathGrant]) -> Vec<Mount> {
    grants
        .iter()
        .enumerate()
        .filter(|(_, grant)| grant.path.is_dir())
        .map(|(index, grant)| Mount {
            config_key: grant.config_key.clone(),
            host_path: grant.path.clone(),
            guest_path: format!("/data/{index}"),
        })
        .collect()
}

/// Data of a store: everything that one instance may touch.
pub(crate) struct Sandbox {
    wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    clock: VirtualClock,
    pub(crate) limiter: Limiter,
    output: Output,
    services: Services,
    log: Log,
    /// Time in services that the running call has not been given back yet.
    service_ns: u64,
}

/// What a sandbox is made from.
pub(crate) struct SandboxPlan<'a> {
    pub(crate) plugin: &'a str,
    pub(crate) limits: RoleLimits,
    pub(crate) seed: u64,
    pub(crate) mounts: &'a [Mount],
    pub(crate) services: Services,
    pub(crate) log: Arc<dyn LogSink>,
}

impl Sandbox {
    /// A fresh sandbox. An error has the mount that cannot be opened.
    pub(crate) fn new<'a>(plan: &SandboxPlan<'a>) -> Result<Self, (&'a Mount, String)> {
        let output = Output::default();
        let mut wasi = WasiCtx::builder();
        wasi.stdout(output.clone())
            .stderr(output.clone())
            .secure_random(random(plan.seed, plan.plugin, "secure"))
            .insecure_random(random(plan.seed, plan.plugin, "insecure"))
            .insecure_random_seed(u128::from(plan.seed))
            .wall_clock(FixedWallClock)
            // Reads are done on the plugin's own thread, which is there to block.
            .allow_blocking_current_thread(true);
        for mount in plan.mounts {
            wasi.preopened_dir(&mount.host_path, &mount.guest_path, FsPerms::ReadOnly)
                .map_err(|error| (mount, error.root_cause().to_string()))?;
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        Ok(Self {
            wasi: wasi.build(),
            table,
            clock: VirtualClock::default(),
            limiter: Limiter::new(plan.limits),
            output,
            services: plan.services.clone(),
            log: Log { plugin: plan.plugin.to_owned(), sink: plan.log.clone(), messages: 0 },
            service_ns: 0,
        })
    }

    /// The end of what the plugin wrote, cleaned; none if it wrote nothing.
    pub(crate) fn output(&self) -> Option<String> {
        let text = text::lines(&self.output.text(), text::MAX_MESSAGE_BYTES);
        (!text.is_empty()).then_some(text)
    }

    /// Runs a service for the plugin. Its time is the host's, not the plugin's.
    pub(crate) fn serve<R>(&mut self, service: impl FnOnce(&Services) -> R) -> R {
        let start_ns = clock::now_ns();
        let result = service(&self.services);
        self.service_ns += clock::now_ns().saturating_sub(start_ns);
        result
    }

    /// Time in services since this was last asked for.
    pub(crate) fn take_service_time(&mut self) -> Duration {
        Duration::from_nanos(std::mem::take(&mut self.service_ns))
    }

    /// Takes a message of the plugin.
    pub(crate) fn log(&mut self, level: LogLevel, message: &str) {
        self.log.take(level, message);
    }
}

impl WasiView for Sandbox {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Links the parts of WASI that plugins get. Sockets and HTTP are not among
/// them, see `network`.
pub(crate) fn add_wasi(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    type T = Sandbox;
    bindings::clocks::wall_clock::add_to_linker::<T, WasiClocks>(linker, T::clocks)?;
    bindings::clocks::monotonic_clock::add_to_linker::<T, HasClock>(linker, |t| ClockView {
        clock: &mut t.clock,
        table: &mut t.table,
    })?;
    bindings::random::random::add_to_linker::<T, WasiRandom>(linker, |t| t.wasi.random())?;
    bindings::random::insecure::add_to_linker::<T, WasiRandom>(linker, |t| t.wasi.random())?;
    bindings::random::insecure_seed::add_to_linker::<T, WasiRandom>(linker, |t| t.wasi.random())?;
    bindings::cli::exit::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    bindings::cli::environment::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    bindings::cli::stdin::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    bindings::cli::stdout::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    bindings::cli::stderr::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    bindings::cli::terminal_input::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    bindings::cli::terminal_output::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    bindings::cli::terminal_stdin::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    bindings::cli::terminal_stdout::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    bindings::cli::terminal_stderr::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    bindings::filesystem::preopens::add_to_linker::<T, WasiFilesystem>(linker, T::filesystem)?;
    sync::filesystem::types::add_to_linker::<T, WasiFilesystem>(linker, T::filesystem)?;
    bindings::io::error::add_to_linker::<T, HasTable>(linker, |t| &mut t.table)?;
    sync::io::poll::add_to_linker::<T, HasTable>(linker, |t| &mut t.table)?;
    sync::io::streams::add_to_linker::<T, HasTable>(linker, |t| &mut t.table)?;
    Ok(())
}

struct HasTable;

impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

/// Random numbers that are the same for a seed and a plugin on every machine.
fn random(seed: u64, plugin: &str, purpose: &str) -> ChaCha12Rng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(plugin);
    hash.update([0]);
    hash.update(purpose);
    ChaCha12Rng::from_seed(hash.finalize().into())
}

struct FixedWallClock;

impl HostWallClock for FixedWallClock {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::from_secs(WALL_CLOCK_UNIX_S)
    }
}

/// A clock that moves when it is read or waited on. Waiting takes no time: a
/// real wait happens in the host, where a deadline could not end it.
#[derive(Debug, Default)]
struct VirtualClock {
    now_ns: AtomicU64,
}

impl VirtualClock {
    fn advance(&self, ns: u64) -> u64 {
        let before = self.now_ns.load(Ordering::Relaxed);
        self.now_ns.store(before.saturating_add(ns), Ordering::Relaxed);
        before
    }
}

struct HasClock;

impl HasData for HasClock {
    type Data<'a> = ClockView<'a>;
}

struct ClockView<'a> {
    clock: &'a mut VirtualClock,
    table: &'a mut ResourceTable,
}

impl ClockView<'_> {
    fn wait(&mut self, ns: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.clock.advance(ns);
        let ready = self.table.push(AlwaysReady)?;
        subscribe(self.table, ready)
    }
}

impl bindings::clocks::monotonic_clock::Host for ClockView<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.advance(CLOCK_STEP_NS))
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(CLOCK_STEP_NS)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let now = self.clock.advance(0);
        self.wait(when.saturating_sub(now))
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.wait(duration)
    }
}

struct AlwaysReady;

#[async_trait]
impl Pollable for AlwaysReady {
    async fn ready(&mut self) {}
}

/// Keeps the last bytes that a plugin wrote to stdout and stderr.
#[derive(Debug, Clone, Default)]
struct Output(Arc<Mutex<VecDeque<u8>>>);

impl Output {
    fn push(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = &bytes[bytes.len().saturating_sub(OUTPUT_BYTES)..];
        let over = (kept.len() + bytes.len()).saturating_sub(OUTPUT_BYTES);
        kept.drain(..over);
        kept.extend(bytes);
    }

    fn text(&self) -> String {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(kept.make_contiguous()).into_owned()
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for this one, and it is not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}

struct Log {
    plugin: String,
    sink: Arc<dyn LogSink>,
    messages: u32,
}

impl Log {
    fn take(&mut self, level: LogLevel, message: &str) {
        if self.messages > MAX_LOG_MESSAGES {
            return;
        }
        self.messages += 1;
        if self.messages > MAX_LOG_MESSAGES {
            let notice = format!("logged {MAX_LOG_MESSAGES} messages; the rest is left out");
            self.sink.log(&self.plugin, LogLevel::Warn, &notice);
            return;
        }
        self.sink.log(&self.plugin, level, &text::one_line(message, text::MAX_MESSAGE_BYTES));
    }
}
