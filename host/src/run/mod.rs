//! Carrying out a resolved plan: sample, write, check readiness, warm up, measure, report.
pub mod pacer;
pub mod phase;
