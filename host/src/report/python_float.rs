//! Floats as Python's `repr` writes them.

use serde_json::ser::{CompactFormatter, Formatter};

/// The shortest text that reads back as the same float: `1.0`, `0.0001`,
/// `1e-05`, `1e+16`, `inf`, `-inf`, `nan`.
pub fn python_float(value: f64) -> String {
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
    let text = shortest(value);
    if is_plain(value) { text } else { exponent_form(&text) }
}

/// The shortest text by serde_json. Of two equally short and equally near ones
/// it takes the even one, as Python does; Rust's own `Display` does not.
fn shortest(value: f64) -> String {
    let mut out = Vec::with_capacity(24);
    // Writing to memory does not fail, and what is written is ASCII.
    let written = CompactFormatter.write_f64(&mut out, value);
    debug_assert!(written.is_ok());
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether Python writes the finite float without an exponent.
pub(super) fn is_plain(value: f64) -> bool {
    value == 0.0 || (1e-4..1e16).contains(&value.abs())
}

/// A percentile as a label: an integer where it is one, else the float.
pub fn percentile_label(percent: f64) -> String {
    if percent.fract() == 0.0 { format!("{percent:.0}") } else { python_float(percent) }
}

/// One digit, the others after a point, and an exponent with sign and at
/// least two digits. `text` is a decimal number with or without an exponent.
fn exponent_form(text: &str) -> String {
    let (sign, magnitude) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (mantissa, exponent) = magnitude.split_once('e').unwrap_or((magnitude, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    let leading_zeros = (all.len() - digits.len()) as i32;
    let exponent = exponent.parse::<i32>().unwrap_or(0) + whole.len() as i32 - 1 - leading_zeros;
    let digits = digits.trim_end_matches('0');
    let (first, rest) = digits.split_at(digits.len().min(1));
    let point = if rest.is_empty() { "" } else { "." };
    let direction = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{first}{point}{rest}e{direction}{:02}", exponent.unsigned_abs())
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
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            // Lies between two texts of the same length; the even one is Python's.
            (1818050185500148.0 + 0.25, "1818050185500148.2"),
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
