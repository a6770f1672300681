//! Pictures that a command makes, and what it says of them.

use crate::fault::Fault;
use crate::plot::{self, Listener, ParetoPlan, PlotPlan};

use super::screen::Screen;

/// Carries out `vbench sweep plot`.
///
/// # Errors
/// The user's to mend, all of them.
pub fn plot(plan: &PlotPlan, screen: &Screen) -> Result<(), Fault> {
    plot::plot(plan, &mut Told(screen)).map_err(Fault::user)
}

/// Carries out `vbench sweep plot-pareto`.
///
/// # Errors
/// The user's to mend, all of them.
pub fn plot_pareto(plan: &ParetoPlan, screen: &Screen) -> Result<(), Fault> {
    plot::plot_pareto(plan, &mut Told(screen)).map_err(Fault::user)
}

struct Told<'a>(&'a Screen);

impl Listener for Told<'_> {
    fn line(&mut self, text: String) {
        self.0.line(text);
    }

    fn warn(&mut self, text: String) {
        self.0.warn(text);
    }
}
