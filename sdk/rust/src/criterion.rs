//! The role `sla`: was it good enough?

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

#[cfg(target_arch = "wasm32")]
use crate::bindings::host::vbench::plugin::results::Run as Handle;
pub use crate::bindings::sla::{Finding, OpenArgs, Verdict};
use crate::description::{Offer, Role, offer, read_config};
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::RunData as Handle;
use crate::{Compat, Result};

/// A criterion. Called after a run.
pub trait Criterion: Sized + 'static {
    /// The options. Each field becomes a flag, its doc comment the help.
    type Config: DeserializeOwned + JsonSchema;
    /// The criterion's name.
    const NAME: &'static str;
    /// Other names for the same thing.
    const ALIASES: &'static [&'static str] = &[];
    /// One sentence for lists and help.
    const SUMMARY: &'static str;

    /// Checks the options.
    fn open(cx: &CriterionContext, config: Self::Config) -> Result<Self>;

    /// For each request of a run whether it was good; none if the criterion
    /// judges runs only. Failed requests are never good.
    fn good(&self, _run: Run) -> Result<Option<Vec<bool>>> {
        Ok(None)
    }

    /// The verdict over repeated runs of one setting, at least one.
    fn evaluate(&self, runs: &[Run]) -> Result<Verdict>;

    /// What to make as large as possible while the criterion passes.
    fn objective(&self, run: Run) -> Result<f64>;
}

/// Under what a criterion is opened.
#[derive(Debug, Clone)]
pub struct CriterionContext {
    /// The name, or alias, by which the user chose the criterion.
    pub name: String,
    /// Whose rules hold.
    pub compat: Compat,
}

/// One finished run.
#[derive(Clone, Copy)]
pub struct Run<'a>(pub(crate) &'a Handle);

impl Run<'_> {
    /// A number of the result file by its key, such as `p99_e2el_ms`. Any
    /// percentile of ttft, tpot, itl and e2el can be asked for.
    pub fn metric(&self, key: &str) -> Option<f64> {
        self.0.metric(key)
    }

    /// One value a request, in dispatch order, not-a-number where there is
    /// none; none for a name that is no column.
    pub fn column(&self, name: &str) -> Option<Vec<f64>> {
        self.0.column(name)
    }

    /// Number of requests, which is the length of every column.
    pub fn requests(&self) -> usize {
        self.0.requests() as usize
    }
}

/// A criterion behind which the type is forgotten.
#[doc(hidden)]
pub trait AnyCriterion {
    /// See [`Criterion::good`].
    fn good(&self, run: Run) -> Result<Option<Vec<bool>>>;
    /// See [`Criterion::evaluate`].
    fn evaluate(&self, runs: &[Run]) -> Result<Verdict>;
    /// See [`Criterion::objective`].
    fn objective(&self, run: Run) -> Result<f64>;
}

impl<C: Criterion> AnyCriterion for C {
    fn good(&self, run: Run) -> Result<Option<Vec<bool>>> {
        Criterion::good(self, run)
    }

    fn evaluate(&self, runs: &[Run]) -> Result<Verdict> {
        Criterion::evaluate(self, runs)
    }

    fn objective(&self, run: Run) -> Result<f64> {
        Criterion::objective(self, run)
    }
}

/// The criteria of a plugin, implemented by [`export!`](crate::export).
#[doc(hidden)]
pub trait Criteria: 'static {
    /// Opens the one with the name asked for.
    fn open(args: &OpenArgs) -> Result<Box<dyn AnyCriterion>>;
}

#[doc(hidden)]
pub fn criterion_offer<C: Criterion>() -> Offer {
    offer::<C::Config>(Role::Sla, C::NAME, C::ALIASES, C::SUMMARY)
}

#[doc(hidden)]
pub fn is_criterion<C: Criterion>(name: &str) -> bool {
    name == C::NAME || C::ALIASES.contains(&name)
}

/// Opens a criterion from what the host passes.
#[doc(hidden)]
pub fn open_criterion<C: Criterion>(args: &OpenArgs) -> Result<C> {
    let cx = CriterionContext { name: args.name.clone(), compat: Compat::from_name(&args.compat)? };
    C::open(&cx, read_config(&args.config)?)
}

/// What the component exports as `criterion`.
#[doc(hidden)]
#[cfg(target_arch = "wasm32")]
pub struct Judge<P>(Box<dyn AnyCriterion>, std::marker::PhantomData<P>);

#[cfg(target_arch = "wasm32")]
impl<P: Criteria> crate::bindings::sla::GuestCriterion for Judge<P> {
    fn open(args: OpenArgs) -> Result<crate::bindings::sla::Criterion> {
        Ok(crate::bindings::sla::Criterion::new(Self(P::open(&args)?, std::marker::PhantomData)))
    }

    fn good(&self, run: &Handle) -> Result<Option<Vec<bool>>> {
        self.0.good(Run(run))
    }

    fn evaluate(&self, runs: Vec<Handle>) -> Result<Verdict> {
        let runs: Vec<Run> = runs.iter().map(Run).collect();
        self.0.evaluate(&runs)
    }

    fn objective(&self, run: &Handle) -> Result<f64> {
        self.0.objective(Run(run))
    }
}
