//! Floats as Python's `repr` writes them.

/// The shortest text that reads back as the same float: `1.0`, `0.0001`,
/// `1e-05`, `1e+16`, `inf`, `-inf`, `nan`.
pub fn python_float(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "nan" } else if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        return exponent_form(value);
    }
    // Between these limits Rust's `Debug` is Python's `repr`.
    format!("{value:?}")
}

/// Whether Python writes the finite float without an exponent.
pub(super) fn is_plain(value: f64) -> bool {
    value == 0.0 || (1e-4..1e16).contains(&value.abs())
}

/// A percentile as a label: an integer where it is one, else the float.
pub fn percentile_label(percent: f64) -> String {
    if percent.fract() == 0.0 { format!("{percent:.0}") } else { python_float(percent) }
}

/// Python signs the exponent and gives it two digits at least.
fn exponent_form(value: f64) -> String {
    let text = format!("{value:e}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    match exponent.strip_prefix('-') {
        Some(negative) => format!("{digits}e-{negative:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_texts() {
        for (value, text) in [
            (1.0, "1.0"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e-4, "0.0001"),
            (9.9999e-5, "9.9999e-05"),
            (1e-5, "1e-05"),
            (5.459999556478579e-06, "5.459999556478579e-06"),
            (1.5e-300, "1.5e-300"),
            (9007199254740993.0, "9007199254740992.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (-1.25e17, "-1.25e+17"),
            (1e100, "1e+100"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(python_float(value), text);
        }
    }

    #[test]
    fn percentile_labels() {
        assert_eq!(percentile_label(99.0), "99");
        assert_eq!(percentile_label(99.9), "99.9");
        assert_eq!(percentile_label(0.00001), "1e-05");
    }

    proptest! {
        #[test]
        fn reads_back(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let text = python_float(value);
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), bits);
            prop_assert!(text.contains(['.', 'e']));
            prop_assert_eq!(is_plain(value), !text.contains('e'));
        }
    }
}
