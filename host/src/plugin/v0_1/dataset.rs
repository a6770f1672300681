//! An opened dataset of contract version 0.1.

use std::time::Duration;

use wasmtime::component::ResourceAny;

use super::Maker;
use super::bindings::exported::dataset::{Grant, Guest, GuestIndices, OpenArgs};
use crate::plugin::check;
use crate::plugin::contract::{DatasetArgs, Sample, Summary};
use crate::plugin::error::PluginError;
use crate::plugin::instance::Live;
use crate::plugin::opened::{DatasetSource, Identity};
use crate::plugin::sandbox;
use crate::plugin::services::Services;

pub(super) struct Source {
    live: Live,
    guest: Guest,
    source: ResourceAny,
    time: Duration,
    identity: Identity,
}

impl Source {
    pub(super) fn open(
        indices: &GuestIndices,
        maker: &Maker,
        identity: Identity,
        chosen_name: &str,
        args: DatasetArgs,
        services: Services,
    ) -> Result<Self, PluginError> {
        let times = maker.around.limits.time;
        let mounts = sandbox::mounts(&args.grants);
        let grants = mounts
            .iter()
            .map(|mount| Grant { config_key: mount.config_key.clone(), guest_path: mount.guest_path.clone() })
            .collect();
        let args = OpenArgs {
            name: chosen_name.to_owned(),
            config: args.config,
            seed: args.seed,
            count: args.count,
            request_id_prefix: args.request_id_prefix,
            backend: args.backend,
            compat: args.compat,
            grants,
        };
        let (mut live, instance) = maker.make(&mounts, services, times.open)?;
        let (guest, source) = live.call_fallible("dataset.open", times.open, |mut store| {
            let guest = indices.load(&mut store, &instance)?;
            let source = guest.source().call_open(store, &args)?;
            Ok(source.map(|source| (guest, source)))
        })?;
        Ok(Self { live, guest, source, time: times.next, identity })
    }
}

impl DatasetSource for Source {
    fn next(&mut self, max: u32) -> Result<Vec<Sample>, PluginError> {
        const CALL: &str = "dataset.next";
        let samples = self
            .live
            .call_fallible(CALL, self.time, |store| self.guest.source().call_next(store, self.source, max))?;
        let samples: Vec<Sample> = samples.into_iter().map(Sample::from).collect();
        check::samples(&samples, max).map_err(|rule| self.live.reject(CALL, rule))?;
        Ok(samples)
    }

    fn finish(&mut self) -> Result<Summary, PluginError> {
        const CALL: &str = "dataset.finish";
        let summary: Summary = self
            .live
            .call_fallible(CALL, self.time, |store| self.guest.source().call_finish(store, self.source))?
            .into();
        check::summary(&summary).map_err(|rule| self.live.reject(CALL, rule))?;
        Ok(summary)
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }
}
