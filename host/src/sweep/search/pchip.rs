//! Piecewise cubic Hermite interpolation that keeps the shape of its points
//! (PCHIP, Fritsch and Butland 1984), with SciPy's choice of slopes at the ends.

/// The first zero of the interpolant through points with ascending `x`; none if
/// it has none between the first and the last.
pub fn first_root(points: &[(f64, f64)]) -> Option<f64> {
    let slopes = slopes(points);
    for (at, pair) in points.windows(2).enumerate() {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        if y0 == 0.0 {
            return Some(x0);
        }
        // Between two points the interpolant is monotone, so it has a zero
        // there exactly if the values have different signs.
        if y0 * y1 < 0.0 {
            let cubic = |x: f64| hermite(x, (x0, y0, slopes[at]), (x1, y1, slopes[at + 1]));
            return Some(bisect(cubic, x0, x1));
        }
    }
    points.last().filter(|(_, y)| *y == 0.0).map(|(x, _)| *x)
}

/// Halves an interval with a change of sign down to neighbouring floats.
fn bisect(f: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    let rising = f(low) < 0.0;
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        let value = f(middle);
        if value == 0.0 {
            return middle;
        }
        if (value < 0.0) == rising { low = middle } else { high = middle }
    }
    high
}

fn hermite(x: f64, (x0, y0, d0): (f64, f64, f64), (x1, y1, d1): (f64, f64, f64)) -> f64 {
    let h = x1 - x0;
    let t = (x - x0) / h;
    let s = 1.0 - t;
    y0 * (1.0 + 2.0 * t) * s * s + d0 * h * t * s * s + y1 * t * t * (3.0 - 2.0 * t) - d1 * h * t * t * s
}

/// The slope at each point.
fn slopes(points: &[(f64, f64)]) -> Vec<f64> {
    let gaps: Vec<(f64, f64)> =
        points.windows(2).map(|p| (p[1].0 - p[0].0, (p[1].1 - p[0].1) / (p[1].0 - p[0].0))).collect();
    match gaps[..] {
        [] => return vec![0.0; points.len()],
        [(_, slope)] => return vec![slope; 2],
        _ => {}
    }
    let mut slopes = vec![end_slope(gaps[0], gaps[1])];
    for pair in gaps.windows(2) {
        let ((h0, m0), (h1, m1)) = (pair[0], pair[1]);
        let (w0, w1) = (2.0 * h1 + h0, h1 + 2.0 * h0);
        slopes.push(if m0 * m1 <= 0.0 { 0.0 } else { (w0 + w1) / (w0 / m0 + w1 / m1) });
    }
    slopes.push(end_slope(gaps[gaps.len() - 1], gaps[gaps.len() - 2]));
    slopes
}

/// One-sided three-point slope at an end, kept monotone.
fn end_slope((h0, m0): (f64, f64), (h1, m1): (f64, f64)) -> f64 {
    let slope = ((2.0 * h0 + h1) * m0 - h0 * m1) / (h0 + h1);
    if slope * m0 <= 0.0 {
        0.0
    } else if m0 * m1 < 0.0 && slope.abs() > 3.0 * m0.abs() {
        3.0 * m0
    } else {
        slope
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn two_points_are_a_line() {
        assert_eq!(first_root(&[(1.0, -1.0), (3.0, 1.0)]), Some(2.0));
        assert_eq!(first_root(&[(1.0, 1.0), (3.0, 2.0)]), None);
        assert_eq!(first_root(&[(1.0, 0.0), (3.0, 2.0)]), Some(1.0));
        assert_eq!(first_root(&[(1.0, -1.0), (3.0, 0.0)]), Some(3.0));
    }

    /// Computed with scipy.interpolate.PchipInterpolator.
    #[test]
    fn slopes_and_roots_are_scipys() {
        let points = [(1.0, -3.0), (2.0, -2.0), (4.0, 1.0), (8.0, 10.0)];
        let expected = [0.833_333_333_333_333_4, 1.173_913_043_478_261, 1.760_869_565_217_391_4, 2.75];
        for (slope, expected) in slopes(&points).iter().zip(expected) {
            assert!((slope - expected).abs() < 1e-12, "{slope} {expected}");
        }
        let flat = [(0.0, 1.0), (1.0, 1.0), (2.0, 0.5), (3.0, 0.6)];
        assert_eq!(slopes(&flat)[..3], [0.0, 0.0, 0.0]);
    }

    proptest! {
        #[test]
        fn the_root_lies_where_the_sign_changes(ys in prop::collection::vec(-10.0..10.0f64, 2..8)) {
            let points: Vec<(f64, f64)> = ys.iter().enumerate().map(|(x, &y)| (x as f64, y)).collect();
            let changes = ys.windows(2).position(|y| y[0] * y[1] <= 0.0);
            match (first_root(&points), changes) {
                (Some(root), Some(at)) => prop_assert!(root >= at as f64 && root <= at as f64 + 1.0),
                (None, None) => {}
                (root, changes) => prop_assert!(false, "{:?} {:?}", root, changes),
            }
        }
    }
}
