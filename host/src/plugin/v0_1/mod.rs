//! Contract version 0.1: bindings, conversions, and the opened things of it.
//! A later version is a folder beside this one.

mod backend;
mod bindings;
mod convert;
mod criterion;
mod dataset;
mod services;

use std::time::Duration;

use wasmtime::component::{Component, Instance, InstancePre, Linker};

use self::bindings::exported;
use super::check;
use super::component::{Access, Inspection};
use super::contract::{BackendArgs, CriterionArgs, DatasetArgs, Description, Role};
use super::error::{LoadError, PluginError};
use super::instance::Live;
use super::limits::RoleLimits;
use super::network;
use super::opened::{BackendClient, Criterion, DatasetSource, Identity, Prepared, Surroundings};
use super::sandbox::{self, Mount, Sandbox, SandboxPlan};
use super::services::Services;

/// The version that this module is for.
pub(crate) const VERSION: &str = "0.1.0";

/// A plugin of this version, linked and ready to be instantiated.
struct Plugin {
    pre: InstancePre<Sandbox>,
    roles: Vec<Role>,
    meta: exported::meta::GuestIndices,
    dataset: Option<exported::dataset::GuestIndices>,
    backend: Option<exported::backend::GuestIndices>,
    sla: Option<exported::sla::GuestIndices>,
}

/// Links a compiled component and looks up what it exports.
///
/// # Errors
///
/// When an import or an export has another type than the contract says.
pub(crate) fn prepare(
    source_name: &str,
    component: &Component,
    inspection: &Inspection,
) -> Result<Box<dyn Prepared>, LoadError> {
    let misfit = |error: wasmtime::Error| LoadError::Link {
        source_name: source_name.to_owned(),
        api: VERSION,
        reason: super::text::one_line(&format!("{error:#}"), 1024),
    };
    let mut linker = Linker::new(component.engine());
    sandbox::add_wasi(&mut linker).map_err(misfit)?;
    services::add_contract(&mut linker).map_err(misfit)?;
    let is_denied = |name: &str| {
        inspection.imports.iter().any(|import| import.access == Access::Denied && import.name == name)
    };
    network::deny(&mut linker, component, is_denied).map_err(misfit)?;
    let pre = linker.instantiate_pre(component).map_err(misfit)?;
    let has = |role| inspection.roles.contains(&role);
    let plugin = Plugin {
        meta: exported::meta::GuestIndices::new(&pre).map_err(misfit)?,
        dataset: has(Role::Dataset)
            .then(|| exported::dataset::GuestIndices::new(&pre))
            .transpose()
            .map_err(misfit)?,
        backend: has(Role::Backend)
            .then(|| exported::backend::GuestIndices::new(&pre))
            .transpose()
            .map_err(misfit)?,
        sla: has(Role::Sla).then(|| exported::sla::GuestIndices::new(&pre)).transpose().map_err(misfit)?,
        roles: inspection.roles.clone(),
        pre,
    };
    Ok(Box::new(plugin))
}

/// How an instance is made, kept where it may have to be made again.
#[derive(Clone)]
struct Maker {
    pre: InstancePre<Sandbox>,
    around: Surroundings,
    limits: RoleLimits,
    seed: u64,
}

impl Maker {
    /// A fresh instance in a fresh sandbox.
    fn make(
        &self,
        mounts: &[Mount],
        services: Services,
        budget: Duration,
    ) -> Result<(Live, Instance), PluginError> {
        let plan = SandboxPlan {
            plugin: &self.around.label,
            limits: self.limits,
            seed: self.seed,
            mounts,
            services,
            log: self.around.log.clone(),
        };
        let sandbox = Sandbox::new(&plan).map_err(|(mount, reason)| {
            let error = LoadError::Grant {
                plugin: self.around.label.to_string(),
                config_key: mount.config_key.clone(),
                path: mount.host_path.clone(),
                reason,
            };
            PluginError::load(&*self.around.label, error)
        })?;
        Live::new(self.pre.engine(), &self.pre, sandbox, &self.around.label, &self.around.ledger, budget)
    }
}

impl Plugin {
    fn maker(&self, around: &Surroundings, limits: RoleLimits, seed: u64) -> Maker {
        Maker { pre: self.pre.clone(), around: around.clone(), limits, seed }
    }

    /// That an offer of a role was asked for whose interface is not exported;
    /// the check of the description leaves no way to it.
    fn no_role(around: &Surroundings) -> PluginError {
        PluginError::load(&*around.label, LoadError::NoRole { source_name: format!("`{}`", around.label) })
    }
}

impl Prepared for Plugin {
    fn describe(&self, around: &Surroundings) -> Result<Description, PluginError> {
        const CALL: &str = "meta.describe";
        // Whatever roles it has, to say what it is takes little.
        let role = *self.roles.first().ok_or_else(|| Self::no_role(around))?;
        let limits = around.limits.of(role);
        let budget = around.limits.time.describe;
        let (mut live, instance) = self.maker(around, limits, 0).make(&[], Services::default(), budget)?;
        let description =
            live.call(CALL, budget, |mut store| self.meta.load(&mut store, &instance)?.call_describe(store))?;
        convert::description(description)
            .and_then(|description| check::description(&description, &self.roles).map(|()| description))
            .map_err(|rule| live.reject(CALL, rule))
    }

    fn open_dataset(
        &self,
        around: &Surroundings,
        identity: Identity,
        chosen_name: &str,
        args: DatasetArgs,
        services: Services,
    ) -> Result<Box<dyn DatasetSource>, PluginError> {
        let indices = self.dataset.as_ref().ok_or_else(|| Self::no_role(around))?;
        let maker = self.maker(around, around.limits.dataset, args.seed);
        Ok(Box::new(dataset::Source::open(indices, &maker, identity, chosen_name, args, services)?))
    }

    fn open_backend(
        &self,
        around: &Surroundings,
        identity: Identity,
        chosen_name: &str,
        args: BackendArgs,
    ) -> Result<Box<dyn BackendClient>, PluginError> {
        let indices = self.backend.clone().ok_or_else(|| Self::no_role(around))?;
        let maker = self.maker(around, around.limits.backend, 0);
        Ok(Box::new(backend::Client::open(indices, maker, identity, chosen_name, args)?))
    }

    fn open_criterion(
        &self,
        around: &Surroundings,
        identity: Identity,
        chosen_name: &str,
        args: CriterionArgs,
    ) -> Result<Box<dyn Criterion>, PluginError> {
        let indices = self.sla.as_ref().ok_or_else(|| Self::no_role(around))?;
        let maker = self.maker(around, around.limits.sla, 0);
        Ok(Box::new(criterion::Judge::open(indices, &maker, identity, chosen_name, args)?))
    }
}
