//! Python's `float(text)`, `int(text)` and `int(number)`.

/// What Python strips from both ends.
fn strip(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c))
}

/// Takes out underscores where Python allows them: between two digits.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    for (at, &byte) in bytes.iter().enumerate() {
        if byte == b'_' && !(digit(at.checked_sub(1)) && digit(Some(at + 1))) {
            return None;
        }
    }
    Some(text.replace('_', ""))
}

/// `float(text)` for ASCII digits; none where it raises an error.
pub fn parse_float(text: &str) -> Option<f64> {
    let text = strip(text);
    if text.is_empty() || !text.is_ascii() {
        return None;
    }
    // Rust reads what Python reads, but for the underscores.
    without_underscores(text)?.parse().ok()
}

/// `int(text)` for ASCII digits and numbers of 64 bits; none where it raises an
/// error or needs more bits.
pub fn parse_int(text: &str) -> Option<i64> {
    let text = strip(text);
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    without_underscores(text)?.parse().ok()
}

/// `int(number)`: towards zero; none where it raises an error or needs more
/// than 64 bits.
pub fn truncate(number: f64) -> Option<i64> {
    // 2^63 is the first double that does not fit.
    let limit = 9_223_372_036_854_775_808.0;
    (-limit..limit).contains(&number).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_numbers_where_python_says_so() {
        for (text, number) in [
            ("12", Some(12.0)),
            (" 1_000.5\n", Some(1000.5)),
            ("1e3", Some(1000.0)),
            ("+.5", Some(0.5)),
            ("5.", Some(5.0)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("inf", Some(f64::INFINITY)),
            ("1__0", None),
            ("_1", None),
            ("1_", None),
            ("1_.5", None),
            ("1e_5", None),
            ("0x10", None),
            ("", None),
            ("  ", None),
            ("true", None),
            ("2024-03-01", None),
            ("1 2", None),
            ("１２", None),
        ] {
            assert_eq!(parse_float(text), number, "{text:?}");
        }
        assert!(parse_float("NaN").is_some_and(f64::is_nan));
        for (text, number) in [
            (" +7\t", Some(7)),
            ("-1_0", Some(-10)),
            ("007", Some(7)),
            ("7.0", None),
            ("+-7", None),
            ("", None),
            ("-", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(parse_int(text), number, "{text:?}");
        }
    }

    #[test]
    fn truncation_is_towards_zero_and_bounded() {
        assert_eq!(truncate(-2.9), Some(-2));
        assert_eq!(truncate(2.9), Some(2));
        for number in [f64::NAN, f64::INFINITY, 1e19, -1e19, 9_223_372_036_854_775_808.0] {
            assert_eq!(truncate(number), None);
        }
    }
}
