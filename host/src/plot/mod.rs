//! Pictures of results: curves and Pareto frontiers of sweeps, the timeline
//! and the dataset statistics of a run.
//!
//! | file | what |
//! |---|---|
//! | `results` | runs as a sweep left them |
//! | `filter`, `levels`, `curves`, `pareto` | which runs, in which facet, on which curve; pure |
//! | `axis`, `label`, `palette`, `font` | ticks, names with units, colours, widths of texts; pure |
//! | `drawing`, `frame`, `legend` | shapes, and the parts of charts made of them |
//! | `line_chart`, `pareto_chart`, `dataset_stats` | the charts |
//! | `figure`, `svg`, `raster`, `page` | a finished picture as vectors, pixels, or an interactive page |
//! | `timeline` | the page of a run's requests |
//! | `figures` | `sweep plot` and `sweep plot-pareto` from folder to files |
//!
//! Depends on `metrics` for the columns of a run, and on `report` for writing
//! files and values; knows nothing of flags.

mod axis;
mod curves;
mod dataset_stats;
mod drawing;
mod error;
mod figure;
mod figures;
mod filter;
mod font;
mod frame;
mod label;
mod legend;
mod levels;
mod line_chart;
mod page;
mod palette;
mod pareto;
mod pareto_chart;
mod raster;
mod results;
mod svg;
#[cfg(test)]
mod tests;
mod timeline;

pub use axis::Scale;
pub use curves::Selection;
pub use dataset_stats::png as dataset_stats_png;
pub use error::PlotError;
pub use figure::Format;
pub use figures::{Listener, Output, ParetoPlan, PlotPlan, plot, plot_pareto};
pub use filter::{Binner, Filter};
pub use pareto::ParetoKeys;
pub use timeline::{ItlThresholds, html as timeline_html};
