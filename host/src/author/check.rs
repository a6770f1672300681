//! `vbench plugin check`: does a plugin do what the contract wants of it?

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::trial::{Bench, Trial};
use crate::cli;
use crate::digest::Sha256Hex;
use crate::fault::Fault;
use crate::plugin::contract::{Body, Offer, Role};
use crate::plugin::{Plugins, Source};
use crate::plugins::{self, Loader};
use crate::run::Screen;
use crate::source::{Resolved, Spec};

/// Samples that are drawn unless `--count` says otherwise.
const SAMPLES: u32 = 20;

/// What to check.
#[derive(Debug, Clone)]
pub struct CheckArgs {
    /// File, name or address of the plugin.
    pub plugin: String,
    /// Own flags, and those of `vbench serve`.
    pub flags: Vec<String>,
}

/// Checks a plugin; `tell` hears of each step that went well.
///
/// # Errors
/// The first step that did not.
pub fn check(
    loader: &Loader,
    args: CheckArgs,
    screen: &Screen,
    mut tell: impl FnMut(String),
) -> Result<(), Fault> {
    let mut flags = args.flags;
    let deterministic = cli::take_switch(&mut flags, "--deterministic");
    let count = cli::take_count(&mut flags, SAMPLES)?;
    let resolved = loader.resolver().resolve(&Spec::parse(&args.plugin)?)?;

    let plugins = load(loader, &resolved)?;
    let (name, offers) = own_offers(&plugins, &resolved.source);
    tell(format!("load: `{name}` is read, compiled and described ({} bytes)", resolved.wasm.len()));

    // All flags are made of all schemas, so a schema that cannot make flags,
    // or wants one that is taken, comes out here.
    let words = ["completions".to_owned(), "bash".to_owned()];
    cli::parse(&cli::early(&words)?, &plugins::offer_specs(&plugins))?;
    tell(format!("options: flags can be made of the schemas of {} offers", offers.len()));

    for offer in &offers {
        let trial = Bench::new(&plugins, &flags, count, screen)?.run(offer)?;
        tell(format!("{} `{}`: {}", offer.role.name(), offer.name, summary(offer, &trial)));
        if deterministic {
            // Another instance in another sandbox: nothing is carried over.
            let again = load(loader, &resolved)?;
            let second = Bench::new(&again, &flags, count, screen)?.run(offer)?;
            if let Some(difference) = difference(&trial, &second) {
                return Err(Fault::plugin(anyhow::anyhow!(
                    "{} `{}` is not deterministic: {difference}",
                    offer.role.name(),
                    offer.name
                )));
            }
            tell(format!(
                "{} `{}`: the same twice, sha256 {} (compare it with other machines)",
                offer.role.name(),
                offer.name,
                digest(&trial)
            ));
        }
    }

    let limits = &loader.options().limits;
    for (plugin, costs) in plugins.costs().iter().filter(|(plugin, _)| *plugin == name) {
        let longest = costs.calls.iter().max_by_key(|(_, cost)| cost.max_wall_ns);
        let mut text =
            format!("limits: `{plugin}` used {:.1} MiB of memory", mebibytes(costs.peak_memory_bytes));
        for role in offers.iter().map(|offer| offer.role).collect::<BTreeSet<_>>() {
            let _ = write!(text, " (a {} may: {:.0})", role.name(), mebibytes(limits.of(role).memory_bytes));
        }
        if let Some((call, cost)) = longest {
            let _ =
                write!(text, "; its longest call was {call} with {:.3} ms", cost.max_wall_ns as f64 / 1e6);
        }
        tell(text);
    }
    for warning in plugins.take_warnings() {
        tell(format!("note: {warning}"));
    }
    Ok(())
}

/// The built-in plugins and the one to look at, loaded afresh.
pub(super) fn load(loader: &Loader, resolved: &Resolved) -> Result<Plugins, Fault> {
    let mut plugins = loader.builtins()?;
    plugins.add_bytes(resolved.source.clone(), resolved.wasm.clone())?;
    Ok(plugins)
}

/// Name and offers of the plugin from `source`.
pub(super) fn own_offers(plugins: &Plugins, source: &Source) -> (String, Vec<Offer>) {
    let mut name = String::new();
    let mut offers = Vec::new();
    for offered in plugins.offers().filter(|offered| offered.source == source) {
        offered.plugin.clone_into(&mut name);
        offers.push(offered.offer.clone());
    }
    (name, offers)
}

fn summary(offer: &Offer, trial: &Trial) -> String {
    match offer.role {
        Role::Dataset => format!("{} samples, which a backend can write", trial.samples.len()),
        Role::Backend => format!("{} requests written", trial.requests.len()),
        Role::Sla => "a verdict on a made-up run".to_owned(),
    }
}

/// The first thing that differs.
fn difference(first: &Trial, second: &Trial) -> Option<String> {
    if first == second {
        return None;
    }
    let place = first.samples.iter().zip(&second.samples).position(|(one, other)| one != other);
    if let Some(place) = place {
        return Some(format!("with the same seed, sample {} differs from run to run", place + 1));
    }
    if first.samples.len() != second.samples.len() {
        return Some(format!("it gave {} samples, then {}", first.samples.len(), second.samples.len()));
    }
    let place = first.requests.iter().zip(&second.requests).position(|(one, other)| one != other);
    Some(match place {
        Some(place) => format!("request {} is written differently from run to run", place + 1),
        None => "what it answers differs from run to run".to_owned(),
    })
}

/// SHA-256 over all that a trial gave.
fn digest(trial: &Trial) -> Sha256Hex {
    const END: &[u8] = &[0];
    let requests = trial.requests.iter().map(|request| match &request.body {
        Body::Bytes(bytes) => Cow::Borrowed(&**bytes),
        Body::Multipart(parts) => Cow::Owned(format!("{parts:?}").into_bytes()),
    });
    let answers = trial.answers.iter().map(|answer| Cow::Borrowed(answer.as_bytes()));
    Sha256Hex::of_all(requests.chain(answers).flat_map(|part| [part, Cow::Borrowed(END)]))
}

pub(super) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}
