//! Misdeeds of a criterion.

use crate::contract::exports::vbench::plugin::sla::{
    Criterion, Finding, Guest, GuestCriterion, OpenArgs, Run, Verdict,
};
use crate::contract::vbench::plugin::types::{Cause, Error};
use crate::deeds::{common, hidden};
use crate::{Evil, deed, error, order};

impl Guest for Evil {
    type Criterion = Judge;
}

pub struct Judge {
    order: String,
}

fn finding() -> Finding {
    Finding { criterion: "it is <= good".into(), actual: Some(0.0), limit: 1.0, pass: true, margin: -1.0 }
}

impl GuestCriterion for Judge {
    fn open(args: OpenArgs) -> Result<Criterion, Error> {
        let order = order(&args.config);
        common(deed(&order, "open").unwrap_or_default())?;
        Ok(Criterion::new(Judge { order }))
    }

    fn good(&self, run: &Run) -> Result<Option<Vec<bool>>, Error> {
        let deed = deed(&self.order, "good").unwrap_or_default();
        common(deed)?;
        let requests = run.requests() as usize;
        Ok(match deed {
            "fewer" => Some(vec![true; requests - 1]),
            "more" => Some(vec![true; requests + 1]),
            "none" => Some(Vec::new()),
            "failed-too" => Some(vec![true; requests]),
            _ => None,
        })
    }

    fn evaluate(&self, runs: Vec<Run>) -> Result<Verdict, Error> {
        let deed = deed(&self.order, "evaluate").unwrap_or_default();
        common(deed)?;
        let mut verdict = Verdict { pass: true, margin: -1.0, findings: vec![finding()] };
        match deed {
            "nan" => verdict.margin = f64::NAN,
            "infinite" => verdict.margin = f64::INFINITY,
            "limit-nan" => verdict.findings[0].limit = f64::NAN,
            "actual-infinite" => verdict.findings[0].actual = Some(f64::NEG_INFINITY),
            "finding-escapes" => verdict.findings[0].criterion = hidden("it is <= good"),
            "finding-long" => verdict.findings[0].criterion = "f".repeat(1 << 20),
            "findings" => verdict.findings = vec![finding(); 1_001],
            "columns" => {
                // What does not exist is none, however it is called.
                for name in ["", "no_such_column", "../../etc/passwd", "ttft_s\0", &"c".repeat(1 << 20)] {
                    if runs[0].column(name).is_some() || runs[0].metric(name).is_some() {
                        return Err(error(Cause::Internal, format!("there is a column {name}")));
                    }
                }
            }
            _ => {}
        }
        Ok(verdict)
    }

    fn objective(&self, _run: &Run) -> Result<f64, Error> {
        let deed = deed(&self.order, "objective").unwrap_or_default();
        common(deed)?;
        Ok(match deed {
            "nan" => f64::NAN,
            "infinite" => f64::INFINITY,
            _ => 1.0,
        })
    }
}
