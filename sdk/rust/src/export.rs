//! The macro that turns implementations of the roles into a component.

/// Makes a component of the types named, and a function `describe` beside it.
///
/// Call it once, at the root of the plugin's crate, with the roles that the
/// plugin has, in this order: `datasets`, `backends`, `criteria`.
///
/// ```
/// # use vbench_plugin::prelude::*;
/// # #[derive(Deserialize, JsonSchema)]
/// # struct Config {}
/// struct Traces;
///
/// impl Dataset for Traces {
///     // ...
/// #     type Config = Config;
/// #     const NAME: &'static str = "traces";
/// #     const SUMMARY: &'static str = "Replays our traces.";
/// #     fn open(_cx: &DatasetContext, _config: Config) -> Result<Self> { Ok(Self) }
/// #     fn next(&mut self) -> Result<Option<Sample>> { Ok(None) }
/// }
///
/// vbench_plugin::export! { datasets: [Traces] }
/// # assert_eq!(describe().offers[0].name, "traces");
/// ```
///
/// Name, version and summary come from `Cargo.toml`; a package
/// `vbench-plugin-traces` is the plugin `traces`. `describe` also works in
/// native code, where the component's exports are left out.
#[macro_export]
macro_rules! export {
    (
        $(datasets: [$($dataset:ty),+ $(,)?] $(,)?)?
        $(backends: [$($backend:ty),+ $(,)?] $(,)?)?
        $(criteria: [$($criterion:ty),+ $(,)?] $(,)?)?
    ) => {
        /// What the plugin is and which options it takes.
        pub fn describe() -> $crate::description::Description {
            $crate::description::description(
                ::std::env!("CARGO_PKG_NAME"),
                ::std::env!("CARGO_PKG_VERSION"),
                ::std::env!("CARGO_PKG_DESCRIPTION"),
                ::std::vec![
                    $($($crate::dataset::dataset_offer::<$dataset>(),)+)?
                    $($($crate::backend::backend_offer::<$backend>(),)+)?
                    $($($crate::criterion::criterion_offer::<$criterion>(),)+)?
                ],
            )
        }

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the canonical ABI passes pointers")]
        #[allow(missing_docs, reason = "documented in the contract")]
        mod __vbench_exports {
            use super::*;

            struct Exports;

            impl $crate::bindings::meta::Guest for Exports {
                fn describe() -> $crate::description::Description {
                    super::describe()
                }
            }
            $crate::bindings::meta::export_meta!(Exports with_types_in $crate::bindings::meta);

            $(
                impl $crate::dataset::Datasets for Exports {
                    fn open(
                        args: &$crate::dataset::OpenArgs,
                    ) -> $crate::Result<::std::boxed::Box<dyn $crate::dataset::AnyDataset>> {
                        $(
                            if $crate::dataset::is_dataset::<$dataset>(&args.name) {
                                return Ok(::std::boxed::Box::new($crate::dataset::open_dataset::<$dataset>(args)?));
                            }
                        )+
                        Err($crate::dataset::no_such_offer("dataset", &args.name))
                    }
                }
                impl $crate::bindings::dataset::Guest for Exports {
                    type Source = $crate::dataset::Source<Exports>;
                }
                $crate::bindings::dataset::export_dataset!(Exports with_types_in $crate::bindings::dataset);
            )?

            $(
                impl $crate::backend::Backends for Exports {
                    fn open(
                        args: &$crate::backend::OpenArgs,
                    ) -> $crate::Result<::std::boxed::Box<dyn $crate::backend::AnyBackend>> {
                        $(
                            if $crate::backend::is_backend::<$backend>(&args.name) {
                                return Ok(::std::boxed::Box::new($crate::backend::open_backend::<$backend>(args)?));
                            }
                        )+
                        Err($crate::dataset::no_such_offer("backend", &args.name))
                    }
                }
                impl $crate::bindings::backend::Guest for Exports {
                    type Client = $crate::backend::Client<Exports>;
                }
                $crate::bindings::backend::export_backend!(Exports with_types_in $crate::bindings::backend);
            )?

            $(
                impl $crate::criterion::Criteria for Exports {
                    fn open(
                        args: &$crate::criterion::OpenArgs,
                    ) -> $crate::Result<::std::boxed::Box<dyn $crate::criterion::AnyCriterion>> {
                        $(
                            if $crate::criterion::is_criterion::<$criterion>(&args.name) {
                                return Ok(::std::boxed::Box::new($crate::criterion::open_criterion::<$criterion>(args)?));
                            }
                        )+
                        Err($crate::dataset::no_such_offer("criterion", &args.name))
                    }
                }
                impl $crate::bindings::sla::Guest for Exports {
                    type Criterion = $crate::criterion::Judge<Exports>;
                }
                $crate::bindings::sla::export_sla!(Exports with_types_in $crate::bindings::sla);
            )?
        }
    };
}
