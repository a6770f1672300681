//! Extraction plans.

use super::{Broken, MAX_ITEMS, at_most, optional, sentence, shown};
use crate::plugin::contract::{Condition, FailureText, Plan, Test};

pub(super) fn plan(plan: &Plan) -> Result<(), Broken> {
    let rules = plan.ignore.len() + plan.errors.len() + plan.tokens.len() + plan.usage.len();
    at_most("rules of a plan", rules + plan.terminal.as_ref().map_or(0, |t| t.any.len()), MAX_ITEMS)?;
    for rule in &plan.errors {
        conditions(&rule.when)?;
        match &rule.message {
            FailureText::Pointer(at) => pointer(at)?,
            FailureText::Text(message) => sentence("an error rule's text", message)?,
        }
    }
    for rule in &plan.tokens {
        conditions(&rule.when)?;
        optional(&rule.text, |at| pointer(at))?;
    }
    for rule in &plan.usage {
        conditions(&rule.when)?;
        for at in [&rule.output_tokens, &rule.prompt_tokens, &rule.cached_tokens, &rule.reasoning_tokens] {
            optional(at, |at| pointer(at))?;
        }
    }
    if let Some(terminal) = &plan.terminal {
        terminal.any.iter().try_for_each(|all| conditions(all))?;
        sentence("the text for a missing end", &terminal.missing)?;
    }
    optional(&plan.no_token, |message| sentence("the text for no token", message))?;
    for at in [&plan.finish_reason, &plan.server_queue_ms, &plan.server_ttft_ms] {
        optional(at, |at| pointer(at))?;
    }
    Ok(())
}

fn conditions(conditions: &[Condition]) -> Result<(), Broken> {
    at_most("conditions of a rule", conditions.len(), MAX_ITEMS)?;
    conditions.iter().try_for_each(|condition| {
        let (Test::Present | Test::Absent | Test::Truthy | Test::Equals(_)) = &condition.test;
        pointer(&condition.pointer)
    })
}

/// A JSON pointer by RFC 6901: empty, or `/` before each token; `~` only as `~0` or `~1`.
fn pointer(pointer: &str) -> Result<(), Broken> {
    let starts = pointer.is_empty() || pointer.starts_with('/');
    let tildes = pointer.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    if starts && tildes && pointer.len() <= 1024 {
        Ok(())
    } else {
        Err(format!("`{}` is no JSON pointer", shown(pointer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_follow_the_rfc() {
        for good in ["", "/a", "/a/0", "/a~1b", "/~0"] {
            assert_eq!(pointer(good), Ok(()), "{good}");
        }
        for bad in ["a", "/~", "/~2", "#/a"] {
            assert!(pointer(bad).is_err(), "{bad}");
        }
    }
}
