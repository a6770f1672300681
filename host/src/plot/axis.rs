//! Axes: which stretch of numbers they show, and where their ticks are. Pure.

/// How values are spread along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Equal differences are equally far apart.
    #[default]
    Linear,
    /// Equal ratios are equally far apart.
    Log,
}

/// A mark on an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Its value.
    pub at: f64,
    /// Its text.
    pub label: String,
}

/// An axis that has been fitted to values.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    scale: Scale,
    min: f64,
    max: f64,
    /// Marks, ascending.
    pub ticks: Vec<Tick>,
}

/// Free space beside the outermost values, as a share of the axis.
const MARGIN: f64 = 0.05;

impl Axis {
    /// An axis that shows all values, with at most about `most` ticks. Values
    /// that are not finite, or not above 0 on a logarithmic scale, do not count.
    pub fn fit(values: impl IntoIterator<Item = f64>, scale: Scale, most: usize) -> Self {
        let shown = values.into_iter().filter(|value| shows(scale, *value));
        let (min, max) = shown
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), value| (min.min(value), max.max(value)));
        let (min, max) = if min <= max { (min, max) } else { (1.0, 1.0) };
        match scale {
            Scale::Linear => Self::linear(min, max, most),
            Scale::Log => Self::log(min, max, most),
        }
    }

    /// An axis that begins at 0 and whose end is a tick, for counts.
    pub fn from_zero(max: f64, most: usize) -> Self {
        let max = if max.is_finite() && max > 0.0 { max } else { 1.0 };
        let step = nice_step(max, most);
        let max = (max / step).ceil() * step;
        Self { scale: Scale::Linear, min: 0.0, max, ticks: linear_ticks(0.0, max, step) }
    }

    /// One place for each name, from 0.
    pub fn of_names(names: &[String]) -> Self {
        let ticks = names.iter().enumerate().map(|(at, name)| Tick { at: at as f64, label: name.clone() });
        Self { scale: Scale::Linear, min: -0.5, max: names.len().max(1) as f64 - 0.5, ticks: ticks.collect() }
    }

    /// Exactly this stretch.
    pub fn exact(min: f64, max: f64, most: usize) -> Self {
        let (min, max) = widened(min, max);
        Self { scale: Scale::Linear, min, max, ticks: linear_ticks(min, max, nice_step(max - min, most)) }
    }

    fn linear(min: f64, max: f64, most: usize) -> Self {
        let (low, high) = widened(min, max);
        let margin = (high - low) * MARGIN;
        // Differences are judged against zero wherever zero is not far away.
        let low = if min >= 0.0 && min <= 0.5 * max { 0.0 } else { low - margin };
        let high = if max <= 0.0 && max >= 0.5 * min { 0.0 } else { high + margin };
        Self {
            scale: Scale::Linear,
            min: low,
            max: high,
            ticks: linear_ticks(low, high, nice_step(high - low, most)),
        }
    }

    fn log(min: f64, max: f64, most: usize) -> Self {
        /// Powers of ten beyond this are no numbers any more.
        const FURTHEST: f64 = 307.0;
        let (low, high) = (min.log10(), max.log10());
        let margin = if high - low > 1e-9 { (high - low) * MARGIN } else { 0.3 };
        let (low, high) = ((low - margin).max(-FURTHEST), (high + margin).min(FURTHEST));
        let (min, max) = (10f64.powf(low), 10f64.powf(high));
        let decades = high - low;
        let ticks = if decades > most as f64 {
            log_ticks(min, max, &[1.0], (decades / most as f64).ceil() as i32)
        } else if decades >= 2.5 {
            log_ticks(min, max, &[1.0], 1)
        } else if decades >= 0.9 {
            log_ticks(min, max, &[1.0, 2.0, 5.0], 1)
        } else {
            linear_ticks(min, max, nice_step(max - min, most))
        };
        Self { scale: Scale::Log, min, max, ticks }
    }

    /// Where a value lies: 0 at the beginning of the axis, 1 at its end.
    pub fn place(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.min) / (self.max - self.min),
            Scale::Log => (value.log10() - self.min.log10()) / (self.max.log10() - self.min.log10()),
        }
    }

    /// The smallest and the largest value shown.
    pub fn range(&self) -> (f64, f64) {
        (self.min, self.max)
    }
}

/// Whether a value has a place on a scale at all.
pub fn shows(scale: Scale, value: f64) -> bool {
    value.is_finite() && (scale == Scale::Linear || value > 0.0)
}

/// A stretch of some length, also around a single value.
fn widened(min: f64, max: f64) -> (f64, f64) {
    if max - min > (min.abs() + max.abs()) * 1e-12 {
        return (min, max);
    }
    let around = if min == 0.0 { 1.0 } else { min.abs() * 0.1 };
    (min - around, max + around)
}

/// The smallest of 1, 2, 2.5, 5 times a power of ten that cuts `length` into
/// at most `most` parts.
fn nice_step(length: f64, most: usize) -> f64 {
    let rough = length / most.max(1) as f64;
    let magnitude = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0].into_iter().find(|factor| factor * magnitude >= rough * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * magnitude
}

fn linear_ticks(min: f64, max: f64, step: f64) -> Vec<Tick> {
    let slack = 1e-9;
    let first = (min / step - slack).ceil();
    let count = ((max / step + slack).floor() - first).max(-1.0) + 1.0;
    // `nice_step` keeps the count small; the cap is for steps lost to rounding.
    let values: Vec<f64> = (0..count.min(200.0) as u32).map(|i| (first + f64::from(i)) * step).collect();
    with_labels(&values, step)
}

/// Multiples of powers of ten; of the powers only every so many.
fn log_ticks(min: f64, max: f64, multiples: &[f64], every: i32) -> Vec<Tick> {
    let (from, to) = (min.log10().floor() as i32, max.log10().ceil() as i32);
    let powers = (from..=to).filter(|power| power.rem_euclid(every.max(1)) == 0);
    let values = powers.flat_map(|power| multiples.iter().map(move |multiple| multiple * 10f64.powi(power)));
    let shown = values.filter(|value| *value >= min * (1.0 - 1e-9) && *value <= max * (1.0 + 1e-9));
    shown.map(|at| Tick { at, label: short(at) }).collect()
}

/// Labels that all have the same number of decimals and the same suffix.
fn with_labels(values: &[f64], step: f64) -> Vec<Tick> {
    let largest = values.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    let (unit, suffix) = unit_of(largest);
    let decimals = if unit == 0.0 { 0 } else { decimals_of(step / unit) };
    let label = |value: f64| match unit {
        _ if value.abs() < step * 1e-6 => "0".to_owned(),
        0.0 => format!("{value:.2e}"),
        _ => format!("{}{suffix}", grouped(value / unit, decimals)),
    };
    values.iter().map(|&at| Tick { at, label: label(at) }).collect()
}

/// By what numbers of this size are divided, and what is written behind them;
/// 0 for an exponent.
fn unit_of(largest: f64) -> (f64, &'static str) {
    match largest {
        0.0 => (1.0, ""),
        x if x >= 1e15 => (0.0, ""),
        x if x >= 2e9 => (1e9, "G"),
        x if x >= 2e6 => (1e6, "M"),
        x if x >= 1e-4 => (1.0, ""),
        _ => (0.0, ""),
    }
}

/// How many decimals a multiple of `step` needs.
fn decimals_of(step: f64) -> usize {
    (0..12)
        .find(|&decimals| {
            let scaled = step * 10f64.powi(decimals);
            (scaled - scaled.round()).abs() < 1e-6 * scaled
        })
        .unwrap_or(12) as usize
}

/// A number with thousands set apart: `12,500`.
pub fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let mut out = String::new();
    if value < 0.0 && text.bytes().any(|digit| (b'1'..=b'9').contains(&digit)) {
        out.push('\u{2212}');
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A number as briefly as it can be read: four significant digits, no zeros behind.
pub fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if !value.is_finite() {
        return if value.is_nan() {
            "nan"
        } else if value > 0.0 {
            "inf"
        } else {
            "-inf"
        }
        .to_owned();
    }
    let (unit, suffix) = unit_of(value.abs());
    if unit == 0.0 {
        return format!("{value:.2e}");
    }
    let scaled = value / unit;
    let digits = scaled.abs().log10().floor() as i32 + 1;
    let decimals = usize::try_from(4 - digits).unwrap_or(0);
    let text = grouped(scaled, decimals);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn linear_axes_have_round_ticks() {
        assert_eq!(labels(&Axis::fit([0.0, 97.0], Scale::Linear, 6)), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(labels(&Axis::fit([1200.0, 14_000.0], Scale::Linear, 5)), ["0", "5,000", "10,000"]);
        assert_eq!(labels(&Axis::fit([9.81, 9.84], Scale::Linear, 4)), ["9.81", "9.82", "9.83", "9.84"]);
        assert_eq!(labels(&Axis::fit([-3.0, 4.0], Scale::Linear, 4)), ["\u{2212}2", "0", "2", "4"]);
        assert_eq!(labels(&Axis::fit([3e6, 9e6], Scale::Linear, 5)), ["0", "2M", "4M", "6M", "8M"]);
        assert_eq!(labels(&Axis::from_zero(7.0, 4)), ["0", "2", "4", "6", "8"]);
        assert_eq!(labels(&Axis::fit([1e-7, 3e-7], Scale::Linear, 3)).first(), Some(&"0"));
    }

    #[test]
    fn an_axis_begins_at_zero_where_zero_is_near() {
        assert_eq!(Axis::fit([40.0, 100.0], Scale::Linear, 5).range().0, 0.0);
        assert!(Axis::fit([80.0, 100.0], Scale::Linear, 5).range().0 > 70.0);
        assert!(Axis::fit([-100.0, -90.0], Scale::Linear, 5).range().1 < 0.0);
    }

    #[test]
    fn logarithmic_axes_have_decades() {
        assert_eq!(labels(&Axis::fit([1.0, 10_000.0], Scale::Log, 8)), ["1", "10", "100", "1,000", "10,000"]);
        assert_eq!(labels(&Axis::fit([3.0, 90.0], Scale::Log, 8)), ["5", "10", "20", "50", "100"]);
        assert_eq!(labels(&Axis::fit([1e-3, 1e12], Scale::Log, 5)).len(), 4);
        let axis = Axis::fit([0.0, -5.0, 10.0, 1000.0], Scale::Log, 8);
        assert!((axis.place(100.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn odd_values_still_make_an_axis() {
        for scale in [Scale::Linear, Scale::Log] {
            for values in
                [vec![], vec![5.0], vec![f64::NAN, f64::INFINITY], vec![7.0, 7.0], vec![1e-300, 1e300]]
            {
                let axis = Axis::fit(values.clone(), scale, 6);
                let (min, max) = axis.range();
                assert!(min < max && min.is_finite() && max.is_finite(), "{values:?} {axis:?}");
            }
        }
        assert_eq!(labels(&Axis::of_names(&["a".into(), "b".into()])), ["a", "b"]);
    }

    #[test]
    fn numbers_are_brief() {
        for (value, text) in [
            (0.0, "0"),
            (12.0, "12"),
            (12.3456, "12.35"),
            (1234.6, "1,235"),
            (0.00123, "0.00123"),
            (2_500_000.0, "2.5M"),
            (-4.5, "\u{2212}4.5"),
            (1e-9, "1.00e-9"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(short(value), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn values_lie_on_their_axis(
            a in proptest::num::f64::NORMAL, b in proptest::num::f64::NORMAL, most in 1usize..20,
        ) {
            let tame = |value: f64| if value.abs() < 1e-200 { 0.0 } else { value.clamp(-1e200, 1e200) };
            let (a, b) = (tame(a), tame(b));
            for scale in [Scale::Linear, Scale::Log] {
                let axis = Axis::fit([a, b], scale, most);
                for value in [a, b].into_iter().filter(|value| shows(scale, *value)) {
                    proptest::prop_assert!((-1e-6..=1.0 + 1e-6).contains(&axis.place(value)), "{:?}", axis);
                }
                proptest::prop_assert!(axis.ticks.len() <= 3 * most + 6, "{:?}", axis);
                proptest::prop_assert!(axis.ticks.is_sorted_by(|a, b| a.at < b.at), "{:?}", axis);
            }
        }
    }
}
