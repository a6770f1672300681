//! Which runs are plotted (`--filter-by`), and values rounded down to bins (`--bin-by`).

use std::fmt;
use std::path::Path;

use serde_json::Value;

use super::error::PlotError;
use super::results::{Run, number};

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    AtMost,
    AtLeast,
    Below,
    Above,
}

/// In the order in which they are looked for: the first one found in a filter counts.
static OPERATORS: [(&str, Operator); 6] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("<", Operator::Below),
    (">", Operator::Above),
];

/// A condition that a run has to meet: `max_concurrency<1000`.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    key: String,
    operator: Operator,
    target: Target,
    text: String,
}

#[derive(Debug, Clone, PartialEq)]
struct Target {
    text: String,
    number: Option<f64>,
    boolean: Option<bool>,
}

impl Filter {
    /// Reads a comma-separated list of conditions.
    ///
    /// # Errors
    /// No known operator, no key, or an order (`<`) against something that is no number.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, PlotError> {
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        text.split(',').map(Self::parse).collect()
    }

    fn parse(text: &str) -> Result<Self, PlotError> {
        let bad = |reason: String| PlotError::Option { option: "--filter-by", reason };
        let Some((sign, operator)) = OPERATORS.iter().find(|(sign, _)| text.contains(sign)) else {
            return Err(bad(format!(
                "invalid operator for plot filter `{text}`; valid operators are: ==, !=, <=, >=, <, >"
            )));
        };
        let (key, target) = text.split_once(sign).unwrap_or((text, ""));
        let key = key.trim();
        let target = target.trim().trim_matches('\'').trim_matches('"');
        if key.is_empty() || target.contains(sign) {
            return Err(bad(format!("plot filter `{text}` has to be KEY{sign}VALUE")));
        }
        let target = Target {
            text: target.to_owned(),
            number: target.parse().ok(),
            boolean: match target.to_ascii_lowercase().as_str() {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            },
        };
        if target.number.is_none() && !matches!(operator, Operator::Equal | Operator::NotEqual) {
            return Err(bad(format!(
                "plot filter `{text}` compares with `{}`, which is no number",
                target.text
            )));
        }
        Ok(Self { key: key.to_owned(), operator: *operator, target, text: text.trim().to_owned() })
    }

    /// The key whose value is compared.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether the run meets the condition. A run without the key is equal to
    /// nothing, and neither below nor above anything.
    ///
    /// # Errors
    /// A text compared with `<`, `<=`, `>` or `>=`.
    pub fn accepts(&self, run: &Run, path: &Path) -> Result<bool, PlotError> {
        let value = run.fields.get(&self.key).unwrap_or(&Value::Null);
        let compare: fn(f64, f64) -> bool = match self.operator {
            Operator::Equal => return Ok(self.target.equals(value)),
            Operator::NotEqual => return Ok(!self.target.equals(value)),
            Operator::AtMost => |value, limit| value <= limit,
            Operator::AtLeast => |value, limit| value >= limit,
            Operator::Below => |value, limit| value < limit,
            Operator::Above => |value, limit| value > limit,
        };
        let number = match value {
            Value::Null => return Ok(false),
            Value::Bool(value) => Some(f64::from(u8::from(*value))),
            value => number(value),
        };
        match (number, self.target.number) {
            (Some(value), Some(limit)) => Ok(compare(value, limit)),
            _ => Err(PlotError::NotANumber {
                option: "--filter-by",
                key: self.key.clone(),
                value: value.to_string(),
                path: path.to_owned(),
            }),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Target {
    fn equals(&self, value: &Value) -> bool {
        match value {
            Value::Null => false,
            Value::Bool(value) => match self.boolean {
                Some(wanted) => *value == wanted,
                None => self.number == Some(f64::from(u8::from(*value))),
            },
            Value::String(text) if *text == self.text => true,
            value => number(value).is_some_and(|value| self.number == Some(value)),
        }
    }
}

/// Rounds the values of a key down to multiples of a size: `request_throughput%10`.
#[derive(Debug, Clone, PartialEq)]
pub struct Binner {
    key: String,
    size: f64,
}

impl Binner {
    /// Reads a comma-separated list of `KEY%SIZE`.
    ///
    /// # Errors
    /// No `%`, no key, or a size that is no number above 0.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, PlotError> {
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        text.split(',').map(Self::parse).collect()
    }

    fn parse(text: &str) -> Result<Self, PlotError> {
        let bad = |reason: String| PlotError::Option { option: "--bin-by", reason };
        let Some((key, size)) = text.split_once('%') else {
            return Err(bad(format!("invalid operator for plot binner `{text}`; valid operators are: %")));
        };
        let key = key.trim();
        match size.trim().parse::<f64>() {
            Ok(size) if size > 0.0 && size.is_finite() && !key.is_empty() => {
                Ok(Self { key: key.to_owned(), size })
            }
            _ => Err(bad(format!("plot binner `{text}` has to be KEY%SIZE with a size above 0"))),
        }
    }

    /// The key whose values are rounded.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Rounds the run's value. A run without one stays as it is.
    ///
    /// # Errors
    /// A value that is no number.
    pub fn apply(&self, run: &mut Run, path: &Path) -> Result<(), PlotError> {
        let Some(value) = run.fields.get_mut(&self.key) else { return Ok(()) };
        if value.is_null() {
            return Ok(());
        }
        let Some(number) = number(value) else {
            return Err(PlotError::NotANumber {
                option: "--bin-by",
                key: self.key.clone(),
                value: value.to_string(),
                path: path.to_owned(),
            });
        };
        // An infinite value is in no bin.
        *value = serde_json::Number::from_f64(floor_divide(number, self.size) * self.size)
            .map_or(Value::Null, Value::Number);
        Ok(())
    }
}

/// Python's `//`: unlike the floor of a quotient it is right where the
/// quotient rounds up to a whole number (`0.3 // 0.1` is 2).
fn floor_divide(value: f64, size: f64) -> f64 {
    let remainder = value % size;
    let mut quotient = (value - remainder) / size;
    if remainder != 0.0 && (remainder < 0.0) != (size < 0.0) {
        quotient -= 1.0;
    }
    let floor = quotient.floor();
    if quotient - floor > 0.5 { floor + 1.0 } else { floor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(value: Value) -> Run {
        let Value::Object(fields) = json!({"k": value}) else { unreachable!() };
        Run { source: 0, fields }
    }

    fn accepts(filter: &str, value: Value) -> Result<bool, String> {
        let filters = Filter::parse_list(filter).map_err(|e| e.to_string())?;
        filters[0].accepts(&run(value), Path::new("summary.json")).map_err(|e| e.to_string())
    }

    #[test]
    fn values_are_compared_by_what_they_are() {
        for (filter, value, expected) in [
            ("k==4", json!(4), true),
            ("k==4.0", json!(4), true),
            ("k!=4", json!(4), false),
            ("k<=4", json!(4), true),
            ("k<4", json!(4), false),
            (" k >= 3.5 ", json!(4), true),
            ("k>4", json!(4), false),
            ("k==True", json!(true), true),
            ("k==false", json!(true), false),
            ("k==1", json!(true), true),
            ("k=='chat'", json!("chat"), true),
            ("k==\"chat\"", json!("chat"), true),
            ("k!=chat", json!("text"), true),
            ("k==inf", json!("inf"), true),
            ("k<inf", json!(3), true),
            ("k==10", json!("10"), true),
            ("k==x", Value::Null, false),
            ("k!=x", Value::Null, true),
            ("k<5", Value::Null, false),
        ] {
            assert_eq!(accepts(filter, value), Ok(expected), "{filter}");
        }
    }

    #[test]
    fn bad_filters_are_named() {
        for (filter, word) in [
            ("k~3", "valid operators are: ==, !=, <=, >=, <, >"),
            ("<3", "KEY<VALUE"),
            ("k<3<4", "KEY<VALUE"),
            ("k<many", "no number"),
            ("k==1,oops", "`oops`"),
        ] {
            let error = Filter::parse_list(filter).unwrap_err().to_string();
            assert!(error.starts_with("--filter-by: ") && error.contains(word), "{error}");
        }
        let error = accepts("k<3", json!("chat")).unwrap_err();
        assert!(
            error.contains("`k`") && error.contains("\"chat\"") && error.contains("summary.json"),
            "{error}"
        );
        assert!(Filter::parse_list("").unwrap().is_empty());
    }

    #[test]
    fn bins_begin_at_multiples() {
        let binned = |text: &str, value: Value| {
            let mut run = run(value);
            Binner::parse_list(text).unwrap()[0].apply(&mut run, Path::new("f")).unwrap();
            run.fields["k"].clone()
        };
        assert_eq!(binned("k%10", json!(37)), json!(30.0));
        assert_eq!(binned("k%10", json!(-1)), json!(-10.0));
        assert_eq!(binned("k%0.1", json!(0.3)), json!(0.2));
        assert_eq!(binned("k%10", json!("inf")), Value::Null);
        assert_eq!(binned("k%10", Value::Null), Value::Null);
        for text in ["k", "k%0", "k%-1", "k%x", "%3", "k%nan"] {
            assert!(Binner::parse_list(text).unwrap_err().to_string().starts_with("--bin-by: "), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_bin_holds_its_value(value in -1e6..1e6f64, size in 1e-3..1e4f64) {
            let bin = floor_divide(value, size);
            proptest::prop_assert!(bin.fract() == 0.0);
            let rounding = 1e-9 * value.abs().max(size);
            proptest::prop_assert!(bin * size <= value + rounding && value < (bin + 1.0) * size + rounding);
        }
    }
}
