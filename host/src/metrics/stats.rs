//! Mean, deviation and percentiles that equal numpy's bit for bit.
//!
//! The reference client computes its statistics with numpy; the order in which
//! numbers are added changes the last bits, so the order is part of the rule.

/// Up to this many values are added with eight accumulators; above it the
/// range is halved (numpy's `PW_BLOCKSIZE`).
const BLOCK: usize = 128;

/// The sum as `numpy.sum` adds: pairwise, in blocks of 128 with eight accumulators.
pub fn sum(values: &[f64]) -> f64 {
    pairwise(values, &|x| x)
}

/// The arithmetic mean as `numpy.mean` computes it; 0 for no values, as the
/// reference client takes the statistic of the scalar 0 then.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { sum(values) / values.len() as f64 }
}

/// The population standard deviation as `numpy.std` computes it (no degrees of
/// freedom taken off); 0 for no values.
pub fn population_std(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let mean = mean(values);
    let squares = pairwise(values, &|x| {
        let d = x - mean;
        d * d
    });
    (squares / values.len() as f64).sqrt()
}

/// Values in ascending order, for everything that looks at ranks.
#[derive(Debug, Clone, PartialEq)]
pub struct Sorted(Vec<f64>);

impl Sorted {
    /// Sorts the values.
    pub fn new(mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        Self(values)
    }

    /// The values, ascending.
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// The middle value, or the mean of the middle two (`numpy.median`); 0 for
    /// no values.
    pub fn median(&self) -> f64 {
        let n = self.0.len();
        match n {
            0 => 0.0,
            _ if n % 2 == 1 => self.0[n / 2],
            _ => (self.0[n / 2 - 1] + self.0[n / 2]) / 2.0,
        }
    }

    /// The percentile by linear interpolation (`numpy.percentile`, method
    /// `linear`); 0 for no values. `percent` outside 0 to 100 is taken as the
    /// nearer end.
    pub fn percentile(&self, percent: f64) -> f64 {
        let Some(last) = self.0.len().checked_sub(1) else { return 0.0 };
        let index = last as f64 * (percent.clamp(0.0, 100.0) / 100.0);
        let low = (index.floor() as usize).min(last);
        let high = (low + 1).min(last);
        let t = index - low as f64;
        let (a, b) = (self.0[low], self.0[high]);
        let d = b - a;
        // numpy interpolates from the nearer end, which decides the last bit.
        if t < 0.5 { a + d * t } else { b - d * (1.0 - t) }
    }

    /// The smallest value; 0 for no values.
    pub fn min(&self) -> f64 {
        self.0.first().copied().unwrap_or(0.0)
    }

    /// The largest value; 0 for no values.
    pub fn max(&self) -> f64 {
        self.0.last().copied().unwrap_or(0.0)
    }
}

fn pairwise<F: Fn(f64) -> f64>(values: &[f64], map: &F) -> f64 {
    let n = values.len();
    if n < 8 {
        return values.iter().fold(0.0, |total, &x| total + map(x));
    }
    if n <= BLOCK {
        let (whole, rest) = values.split_at(n - n % 8);
        let mut r = [0.0; 8];
        for (slot, &x) in r.iter_mut().zip(&whole[..8]) {
            *slot = map(x);
        }
        for chunk in whole[8..].chunks_exact(8) {
            for (slot, &x) in r.iter_mut().zip(chunk) {
                *slot += map(x);
            }
        }
        let eight = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
        return rest.iter().fold(eight, |total, &x| total + map(x));
    }
    let half = n / 2 - n / 2 % 8;
    pairwise(&values[..half], map) + pairwise(&values[half..], map)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn equals_numpy_on_recorded_vectors() {
        let text = include_str!("../../../tests/fixtures/results/stats.json");
        let cases: Vec<Value> = serde_json::from_str(text).unwrap();
        assert!(cases.iter().any(|c| c["x"].as_array().unwrap().len() > 1000));
        for case in &cases {
            let x: Vec<f64> = serde_json::from_value(case["x"].clone()).unwrap();
            let number = |v: &Value| v.as_f64().unwrap();
            assert_eq!(mean(&x), number(&case["mean"]), "mean of {}", x.len());
            assert_eq!(population_std(&x), number(&case["std"]), "std of {}", x.len());
            let sorted = Sorted::new(x.clone());
            assert_eq!(sorted.median(), number(&case["median"]), "median of {}", x.len());
            for (p, expected) in case["percentiles"].as_object().unwrap() {
                let got = sorted.percentile(p.parse().unwrap());
                assert_eq!(got, number(expected), "p{p} of {}", x.len());
            }
        }
    }

    #[test]
    fn statistics_of_nothing_are_zero() {
        let none = Sorted::new(vec![]);
        assert_eq!([mean(&[]), population_std(&[]), none.median(), none.percentile(99.0)], [0.0; 4]);
        assert_eq!([none.min(), none.max()], [0.0; 2]);
    }

    proptest! {
        #[test]
        fn percentiles_stay_within_the_values_and_ascend(
            x in prop::collection::vec(-1e6..1e6f64, 1..300),
            p in 0.0..100.0f64,
            q in 0.0..100.0f64,
        ) {
            let sorted = Sorted::new(x);
            let (low, high) = (p.min(q), p.max(q));
            prop_assert!(sorted.percentile(low) <= sorted.percentile(high) + 1e-9);
            prop_assert!(sorted.percentile(p) >= sorted.min() - 1e-9);
            prop_assert!(sorted.percentile(p) <= sorted.max() + 1e-9);
            prop_assert_eq!(sorted.percentile(0.0), sorted.min());
            prop_assert_eq!(sorted.percentile(100.0), sorted.max());
        }

        #[test]
        fn the_sum_is_the_sum(x in prop::collection::vec(-1000i32..1000, 0..700)) {
            // Small integers add without rounding, so any order gives the same.
            let floats: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
            prop_assert_eq!(sum(&floats), x.iter().map(|&v| f64::from(v)).sum::<f64>());
        }

        #[test]
        fn the_deviation_ignores_a_shift(x in prop::collection::vec(0.0..1.0f64, 1..300)) {
            let shifted: Vec<f64> = x.iter().map(|v| v + 8.0).collect();
            prop_assert!((population_std(&x) - population_std(&shifted)).abs() < 1e-12);
        }
    }
}
