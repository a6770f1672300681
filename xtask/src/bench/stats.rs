//! Figures of a list of values.

/// The middle one, or the mean of the two in the middle; not a number if there are none.
pub(super) fn median(values: &[f64]) -> f64 {
    percentile(values, 50.0)
}

/// The median of a figure.
pub(super) fn median_of<T>(items: &[T], figure: impl Fn(&T) -> f64) -> f64 {
    median(&items.iter().map(figure).collect::<Vec<_>>())
}

/// With linear interpolation, as numpy's default; not a number if there are no values.
pub(super) fn percentile(values: &[f64], p: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let rank = p / 100.0 * last as f64;
    let (low, high) = (rank.floor() as usize, rank.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * rank.fract()
}

/// Not a number if there are no values.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_interpolate() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(median(&values), 2.5);
        assert_eq!(percentile(&values, 0.0), 1.0);
        assert_eq!(percentile(&values, 100.0), 4.0);
        assert!((percentile(&values, 99.0) - 3.97).abs() < 1e-12);
        assert_eq!(mean(&values), 2.5);
        assert_eq!(median_of(&["a", "abc", "ab"], |text| text.len() as f64), 2.0);
        assert!(median(&[]).is_nan() && mean(&[]).is_nan());
    }
}
