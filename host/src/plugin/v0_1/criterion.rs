//! An opened criterion of contract version 0.1.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::{Resource, ResourceAny};

use super::Maker;
use super::bindings::exported::sla::{Guest, GuestIndices, OpenArgs};
use super::services::FinishedRun;
use crate::plugin::check;
use crate::plugin::contract::{CriterionArgs, Verdict};
use crate::plugin::error::PluginError;
use crate::plugin::instance::Live;
use crate::plugin::opened::{Criterion, Identity};
use crate::plugin::sandbox::Sandbox;
use crate::plugin::services::{RunView, Services};

pub(super) struct Judge {
    live: Live,
    guest: Guest,
    criterion: ResourceAny,
    time: Duration,
    identity: Identity,
}

impl Judge {
    pub(super) fn open(
        indices: &GuestIndices,
        maker: &Maker,
        identity: Identity,
        chosen_name: &str,
        args: CriterionArgs,
    ) -> Result<Self, PluginError> {
        let times = maker.around.limits.time;
        let args = OpenArgs { name: chosen_name.to_owned(), config: args.config, compat: args.compat };
        let (mut live, instance) = maker.make(&[], Services::default(), times.open)?;
        let (guest, criterion) = live.call_fallible("sla.open", times.open, |mut store| {
            let guest = indices.load(&mut store, &instance)?;
            let criterion = guest.criterion().call_open(store, &args)?;
            Ok(criterion.map(|criterion| (guest, criterion)))
        })?;
        Ok(Self { live, guest, criterion, time: times.evaluate, identity })
    }
}

/// Lends one run.
fn lend_one<R>(
    store: &mut Store<Sandbox>,
    run: &Arc<dyn RunView>,
    call: impl FnOnce(&mut Store<Sandbox>, Resource<FinishedRun>) -> wasmtime::Result<R>,
) -> wasmtime::Result<R> {
    let owned = store.data_mut().table.push(FinishedRun(run.clone()))?;
    let result = call(store, Resource::new_borrow(owned.rep()))?;
    store.data_mut().table.delete(owned)?;
    Ok(result)
}

impl Criterion for Judge {
    fn good(&mut self, run: &Arc<dyn RunView>) -> Result<Option<Vec<bool>>, PluginError> {
        const CALL: &str = "sla.good";
        let good = self.live.call_fallible(CALL, self.time, |store| {
            lend_one(store, run, |store, run| self.guest.criterion().call_good(store, self.criterion, run))
        })?;
        if let Some(good) = &good {
            check::good(good, run.requests()).map_err(|rule| self.live.reject(CALL, rule))?;
        }
        Ok(good)
    }

    fn evaluate(&mut self, runs: &[Arc<dyn RunView>]) -> Result<Verdict, PluginError> {
        const CALL: &str = "sla.evaluate";
        let verdict: Verdict = self
            .live
            .call_fallible(CALL, self.time, |store| {
                // Handed over for good: the guest drops them, and what it keeps goes with its store.
                let runs = runs
                    .iter()
                    .map(|run| store.data_mut().table.push(FinishedRun(run.clone())))
                    .collect::<Result<Vec<_>, _>>()?;
                self.guest.criterion().call_evaluate(store, self.criterion, &runs)
            })?
            .into();
        check::verdict(&verdict).map_err(|rule| self.live.reject(CALL, rule))?;
        Ok(verdict)
    }

    fn objective(&mut self, run: &Arc<dyn RunView>) -> Result<f64, PluginError> {
        const CALL: &str = "sla.objective";
        let objective = self.live.call_fallible(CALL, self.time, |store| {
            lend_one(store, run, |store, run| {
                self.guest.criterion().call_objective(store, self.criterion, run)
            })
        })?;
        check::finite("the objective", objective).map_err(|rule| self.live.reject(CALL, rule))?;
        Ok(objective)
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }
}
