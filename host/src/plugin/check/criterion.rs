//! What criteria return.

use super::{Broken, MAX_ITEMS, at_most, finite, sentence};
use crate::plugin::contract::Verdict;

pub(crate) fn good(good: &[bool], requests: u32) -> Result<(), Broken> {
    if good.len() == requests as usize {
        Ok(())
    } else {
        Err(format!("{} answers for {requests} requests", good.len()))
    }
}

pub(crate) fn verdict(verdict: &Verdict) -> Result<(), Broken> {
    finite("a verdict's margin", verdict.margin)?;
    at_most("findings", verdict.findings.len(), MAX_ITEMS)?;
    for finding in &verdict.findings {
        sentence("a finding's criterion", &finding.criterion)?;
        finite("a finding's limit", finding.limit)?;
        finite("a finding's margin", finding.margin)?;
        if let Some(actual) = finding.actual {
            finite("a finding's value", actual)?;
        }
    }
    Ok(())
}
