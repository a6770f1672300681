//! Whose rules hold.

use clap::ValueEnum;

/// Whose rules hold where clients differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Compat {
    /// vLLM 0.33's rules with its defects mended, a readiness check, and greedy decoding.
    #[default]
    Vbench,
    /// vLLM 0.33 with its defaults and quirks.
    #[value(name = "v0.33")]
    V033,
    /// vLLM 0.12, late 2025.
    #[value(name = "v0.12")]
    V012,
}

impl Compat {
    /// The name as written on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vbench => "vbench",
            Self::V033 => "v0.33",
            Self::V012 => "v0.12",
        }
    }

    /// The mode of this name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Vbench, Self::V033, Self::V012].into_iter().find(|compat| compat.name() == name)
    }
}
