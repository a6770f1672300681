//! The criterion `{{name}}`. Read what `evaluate` does, then make it yours.

use vbench_plugin::prelude::*;

vbench_plugin::export! { criteria: [{{type}}] }

/// Options. Each field is a flag, its comment the help.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Most milliseconds to the first token that a request may take.
    #[serde(default = "default_ttft_ms")]
    ttft_ms: f64,
    /// Least share of requests that have to keep to it.
    #[serde(default = "default_share")]
    #[schemars(range(min = 0.0, max = 1.0))]
    share: f64,
}

fn default_ttft_ms() -> f64 {
    500.0
}

fn default_share() -> f64 {
    0.95
}

struct {{type}} {
    config: Config,
}

impl {{type}} {
    /// For each request whether it was good. A failed request has no time, and
    /// a comparison with not-a-number is false.
    fn good_requests(&self, run: Run) -> Result<Vec<bool>> {
        let ttft_s = run.column("ttft_s").ok_or_else(|| Error::internal("the run has no column ttft_s"))?;
        Ok(ttft_s.into_iter().map(|ttft_s| ttft_s * 1000.0 <= self.config.ttft_ms).collect())
    }
}

impl Criterion for {{type}} {
    type Config = Config;
    const NAME: &'static str = "{{name}}";
    const SUMMARY: &'static str = "A share of requests with a time to first token below a limit.";

    fn open(_cx: &CriterionContext, config: Config) -> Result<Self> {
        if !(config.ttft_ms > 0.0) {
            return Err(Error::config("the limit has to be above 0").key("ttft_ms"));
        }
        Ok(Self { config })
    }

    fn good(&self, run: Run) -> Result<Option<Vec<bool>>> {
        self.good_requests(run).map(Some)
    }

    fn evaluate(&self, runs: &[Run]) -> Result<Verdict> {
        let mut good = 0;
        let mut all = 0;
        for run in runs {
            let requests = self.good_requests(*run)?;
            good += requests.iter().filter(|good| **good).count();
            all += requests.len();
        }
        let actual = (all > 0).then(|| good as f64 / all as f64);
        let limit = self.config.share;
        // Distance from the limit as a share of it, below 0 is good.
        let margin = if limit > 0.0 { (limit - actual.unwrap_or(0.0)) / limit } else { -1.0 };
        let pass = actual.is_some_and(|actual| actual >= limit);
        let criterion = format!("share of requests with TTFT <= {} ms", self.config.ttft_ms);
        Ok(Verdict { pass, margin, findings: vec![Finding { criterion, actual, limit, pass, margin }] })
    }

    fn objective(&self, run: Run) -> Result<f64> {
        run.metric("request_throughput").ok_or_else(|| Error::config("the run has no request_throughput"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_requests_within_the_limit() {
        let criterion =
            testing::TestCriterion::<{{type}}>::open(r#"{"ttft_ms": 100, "share": 0.5}"#, Compat::Vbench).unwrap();
        let run = |ttft_s: [f64; 4]| testing::RunData::new().with_column("ttft_s", ttft_s);
        assert!(criterion.evaluate(&[run([0.05, 0.1, 0.2, f64::NAN])]).unwrap().pass);
        assert!(!criterion.evaluate(&[run([0.05, 0.3, 0.2, f64::NAN])]).unwrap().pass);
    }
}
