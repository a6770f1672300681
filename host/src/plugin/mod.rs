//! plugin
pub mod contract;
