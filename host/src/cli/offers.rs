//! What plugins offer, as the command line needs to know it.

use std::fmt;

use serde_json::Value;

/// What an offer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// What to ask.
    Dataset,
    /// How it is written and read on the wire.
    Backend,
    /// Was it good enough.
    Sla,
}

impl Role {
    /// The word for it in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dataset => "dataset",
            Self::Backend => "backend",
            Self::Sla => "criterion",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One dataset, backend or criterion of a plugin, from its `describe`.
#[derive(Debug, Clone)]
pub struct OfferSpec {
    /// What it is for.
    pub role: Role,
    /// The plugin that offers it, by name.
    pub plugin: String,
    /// Whether the plugin came with vbench.
    pub builtin: bool,
    /// What the user writes.
    pub name: String,
    /// Other names for the same thing.
    pub aliases: Vec<String>,
    /// One sentence.
    pub summary: String,
    /// JSON Schema of an object whose properties are the options. Untrusted.
    pub config_schema: Value,
}

impl OfferSpec {
    /// Whether the user may write `name` for it.
    pub fn answers_to(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }
}

/// The names of all offers of a role, sorted and joined by commas.
pub(super) fn names<'a>(offers: impl Iterator<Item = &'a OfferSpec>, role: Role) -> String {
    let mut names: Vec<&str> =
        offers.filter(|offer| offer.role == role).map(|offer| offer.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
