//! Means over few runs, and how sure they are.

/// Mean and spread of a handful of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// How many.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Standard deviation of the population that they are a sample of (divisor
    /// n − 1); none for a single value.
    pub deviation: Option<f64>,
}

impl Spread {
    /// Of these values; none if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (count > 1).then(|| (squares / (count - 1) as f64).sqrt());
        Some(Self { count, mean, deviation })
    }

    /// Standard deviation as a share of the mean; none for a single value, and
    /// for a mean of 0.
    pub fn coefficient_of_variation(&self) -> Option<f64> {
        self.deviation.map(|deviation| deviation / self.mean.abs()).filter(|share| share.is_finite())
    }

    /// Half the width of the two-sided 95 % confidence interval of the mean, by
    /// Student's t distribution; none for a single value.
    pub fn half_width_95(&self) -> Option<f64> {
        self.deviation.map(|deviation| student_t_975(self.count - 1) * deviation / (self.count as f64).sqrt())
    }
}

/// The 97.5 % quantile of Student's t distribution. Tabulated up to 30 degrees
/// of freedom, then by the expansion around the normal quantile (Abramowitz and
/// Stegun, 26.7.5), which is right to five digits there.
fn student_t_975(degrees: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706_205, 4.302_653, 3.182_446, 2.776_445, 2.570_582, 2.446_912, 2.364_624, 2.306_004, 2.262_157,
        2.228_139, 2.200_985, 2.178_813, 2.160_369, 2.144_787, 2.131_450, 2.119_905, 2.109_816, 2.100_922,
        2.093_024, 2.085_963, 2.079_614, 2.073_873, 2.068_658, 2.063_899, 2.059_539, 2.055_529, 2.051_831,
        2.048_407, 2.045_230, 2.042_272,
    ];
    if let Some(value) = degrees.checked_sub(1).and_then(|at| TABLE.get(at)) {
        return *value;
    }
    let (z, n) = (1.959_963_984_540_054_f64, degrees as f64);
    let (z3, z5, z7) = (z.powi(3), z.powi(5), z.powi(7));
    z + (z3 + z) / (4.0 * n)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * n * n)
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * n.powi(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_are_those_of_textbooks() {
        let spread = Spread::of(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!(spread.mean, 2.5);
        assert!((spread.deviation.unwrap() - 1.290_994_448_7).abs() < 1e-9);
        assert!((spread.half_width_95().unwrap() - 2.054_260_2).abs() < 1e-5);
        assert!((spread.coefficient_of_variation().unwrap() - 0.516_397_78).abs() < 1e-7);
        let one = Spread::of(&[3.0]).unwrap();
        assert_eq!((one.deviation, one.half_width_95()), (None, None));
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[0.0, 0.0]).unwrap().coefficient_of_variation(), None);
    }

    #[test]
    fn quantiles_go_on_beyond_the_table() {
        for (degrees, value) in [(1, 12.7062), (30, 2.04227), (31, 2.03951), (60, 2.00030), (1000, 1.96234)] {
            assert!((student_t_975(degrees) - value).abs() < 2e-5, "{degrees}");
        }
        assert!((1..100).all(|degrees| student_t_975(degrees) > student_t_975(degrees + 1)));
    }
}
