//! Whose rules a run follows.

use crate::{Error, Result};

/// Whose rules a run follows (`--compat`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compat {
    /// vbench's own: the reference client's, without its defects.
    #[default]
    Vbench,
    /// The reference client, vLLM 0.33, to the letter.
    V0_33,
    /// The reference client of late 2025, vLLM 0.12.
    V0_12,
}

impl Compat {
    /// Reads the name that the host passes. Fails on a name that this version
    /// of the plugin does not know.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "vbench" => Ok(Self::Vbench),
            "v0.33" => Ok(Self::V0_33),
            "v0.12" => Ok(Self::V0_12),
            _ => Err(Error::unsupported(format!(
                "rules `{name}` are not known to this plugin, which knows vbench, v0.33 and v0.12"
            ))),
        }
    }

    /// The name as it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vbench => "vbench",
            Self::V0_33 => "v0.33",
            Self::V0_12 => "v0.12",
        }
    }

    /// Whether a version of the reference client is to be followed, defects included.
    pub fn is_reference(self) -> bool {
        self != Self::Vbench
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for compat in [Compat::Vbench, Compat::V0_33, Compat::V0_12] {
            assert_eq!(Compat::from_name(compat.name()).unwrap(), compat);
        }
        assert!(Compat::from_name("v0.34").is_err());
    }
}
