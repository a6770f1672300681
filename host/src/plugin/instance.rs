//! One instance of a plugin with its store, and the one way to call it.

use std::sync::Arc;
use std::time::Duration;

use rustc_demangle::demangle;
use wasmtime::component::{Instance, InstancePre, ResourceTableError};
use wasmtime::{Engine, Store, Trap, UpdateDeadline, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::contract::ContractError;
use super::cost::Ledger;
use super::engine::{TICK, Ticking, ticks};
use super::error::{ErrorKind, PluginError};
use super::limits::Hit;
use super::network::NetworkCall;
use super::sandbox::{MAX_HANDLES, Sandbox};
use super::text;
use crate::clock;

/// Most stack frames in a message.
const MAX_FRAMES: usize = 8;

/// A live instance. After a fault it is dead: a trapped store cannot be
/// entered again, and what came before a fault cannot be trusted.
pub(crate) struct Live {
    store: Store<Sandbox>,
    plugin: Arc<str>,
    ledger: Arc<Ledger>,
    dead: bool,
}

impl Live {
    /// Instantiates in a fresh store. `budget` bounds the plugin's start code.
    pub(crate) fn new(
        engine: &Engine,
        pre: &InstancePre<Sandbox>,
        sandbox: Sandbox,
        plugin: &Arc<str>,
        ledger: &Arc<Ledger>,
        budget: Duration,
    ) -> Result<(Self, Instance), PluginError> {
        let mut store = Store::new(engine, sandbox);
        store.limiter(|sandbox| &mut sandbox.limiter);
        store.epoch_deadline_callback(|mut store| {
            // A service may have taken the time, the tokenizer above all.
            let service_time = store.data_mut().take_service_time();
            if service_time < TICK {
                return Err(Trap::Interrupt.into());
            }
            Ok(UpdateDeadline::Continue(ticks(service_time)))
        });
        let mut live = Self { store, plugin: plugin.clone(), ledger: ledger.clone(), dead: false };
        let instance = live.call("instantiate", budget, |store| pre.instantiate(store))?;
        Ok((live, instance))
    }

    /// Makes one call: sets its limits, counts its cost, and turns whatever
    /// comes out wrong into an error that says what happened.
    pub(crate) fn call<R>(
        &mut self,
        call: &'static str,
        budget: Duration,
        function: impl FnOnce(&mut Store<Sandbox>) -> wasmtime::Result<R>,
    ) -> Result<R, PluginError> {
        if self.dead {
            return Err(self.error(call, ErrorKind::Dead));
        }
        let fuel = self.store.data().limiter.limits().call_bytes;
        self.store.set_hostcall_fuel(usize::try_from(fuel).unwrap_or(usize::MAX));
        self.store.data_mut().take_service_time();
        self.store.set_epoch_deadline(ticks(budget));
        let (wall_start, cpu_start) = (clock::now_ns(), clock::thread_cpu_ns());
        let result = {
            let _ticking = Ticking::start();
            function(&mut self.store)
        };
        let cpu_ns = clock::thread_cpu_ns().saturating_sub(cpu_start);
        let wall_ns = clock::now_ns().saturating_sub(wall_start);
        self.ledger.add_call(call, wall_ns, cpu_ns, self.store.data().limiter.peak_bytes());
        result.map_err(|error| {
            self.dead = true;
            self.ledger.add_fault();
            let kind = self.classify(&error, budget);
            self.error(call, kind)
        })
    }

    /// Like [`Live::call`] for calls that may return an error of the contract.
    pub(crate) fn call_fallible<R, E: Into<ContractError>>(
        &mut self,
        call: &'static str,
        budget: Duration,
        function: impl FnOnce(&mut Store<Sandbox>) -> wasmtime::Result<Result<R, E>>,
    ) -> Result<R, PluginError> {
        self.call(call, budget, function)?.map_err(|error| {
            let mut error = error.into();
            error.message = text::one_line(&error.message, text::MAX_MESSAGE_BYTES);
            if error.message.is_empty() {
                error.message = "failed without a message".to_owned();
            }
            error.config_key = error.config_key.map(|key| text::one_line(&key, 64));
            if let Some(location) = &mut error.location {
                location.file = location.file.take().map(|file| text::one_line(&file, 1024));
                location.column = location.column.take().map(|column| text::one_line(&column, 256));
            }
            self.error(call, ErrorKind::Returned(error))
        })
    }

    /// The error for output that breaks a rule; the instance is dead after it.
    pub(crate) fn reject(&mut self, call: &'static str, rule: String) -> PluginError {
        self.dead = true;
        self.ledger.add_fault();
        self.error(call, ErrorKind::OutputRejected { rule: text::one_line(&rule, 1024) })
    }

    /// Whether a fault has ended it.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead
    }

    fn error(&self, call: &'static str, kind: ErrorKind) -> PluginError {
        PluginError {
            plugin: self.plugin.to_string(),
            call: Some(call),
            kind,
            flag: None,
            output: self.store.data().output(),
        }
    }

    fn classify(&self, error: &wasmtime::Error, budget: Duration) -> ErrorKind {
        let limits = self.store.data().limiter.limits();
        // A limit first: the error it leads to says nothing of it.
        match self.store.data().limiter.hit() {
            Some(Hit::Memory { wanted_bytes }) => {
                return ErrorKind::OutOfMemory { limit_bytes: limits.memory_bytes, wanted_bytes };
            }
            Some(Hit::Batch { wanted_bytes }) => {
                return ErrorKind::BatchTooLarge { limit_bytes: limits.batch_bytes, wanted_bytes };
            }
            Some(Hit::Table { wanted_elements }) => {
                return ErrorKind::OutOfTable { limit_elements: limits.table_elements, wanted_elements };
            }
            None => {}
        }
        if let Some(NetworkCall { import }) = error.downcast_ref() {
            return ErrorKind::Denied { import: import.clone() };
        }
        if let Some(exit) = error.downcast_ref::<I32Exit>() {
            return ErrorKind::Exited { code: exit.0 };
        }
        if let Some(ResourceTableError::Full) = error.downcast_ref() {
            return ErrorKind::TooManyHandles { limit: MAX_HANDLES };
        }
        let code = match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => return ErrorKind::TimedOut { budget },
            Some(trap) => trap.to_string(),
            None => error.root_cause().to_string(),
        };
        // There is no type for this one.
        if code.contains("fuel allocated for hostcalls") {
            return ErrorKind::TooMuchData { limit_bytes: limits.call_bytes };
        }
        let frames = error.downcast_ref::<WasmBacktrace>().map(frames).unwrap_or_default();
        let code = code.strip_prefix("wasm trap: ").unwrap_or(&code);
        ErrorKind::Trapped { code: text::one_line(code, 500), frames }
    }
}

/// Names of the innermost functions that have one.
fn frames(backtrace: &WasmBacktrace) -> Vec<String> {
    backtrace
        .frames()
        .iter()
        .filter_map(|frame| frame.func_name())
        .take(MAX_FRAMES)
        .map(|name| text::one_line(&format!("{:#}", demangle(name)), 120))
        .collect()
}
