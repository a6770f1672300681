//! Token events of completions, as rules of a plan and in code.

use serde::Deserialize;

use super::stream::{Choice, Text};
use crate::Compat;
use crate::backend::{Condition, TokenKind, TokenRule};

/// A choice of a completion's event.
#[derive(Debug, Deserialize)]
pub struct TextChoice<'a> {
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Text<'a>>,
}

impl TextChoice<'_> {
    /// The same as rules: every event with choices is a token event, be its
    /// text empty or null.
    pub fn token_rules() -> Vec<TokenRule> {
        let choices = vec![Condition::truthy("/choices")];
        vec![TokenRule::new(TokenKind::Content, choices).with_text("/choices/0/text")]
    }
}

impl<'a> Choice<'a> for TextChoice<'a> {
    fn token(&self, _compat: Compat) -> Option<(TokenKind, Option<&str>)> {
        Some((TokenKind::Content, self.text.as_ref().map(|text| text.0.as_ref())))
    }

    fn finish_reason(&self) -> Option<&str> {
        self.finish_reason.as_ref().map(|reason| reason.0.as_ref())
    }
}
