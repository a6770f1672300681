//! What a data frame makes of a column of a JSON Lines file.
//!
//! The reference client reads such files by `pandas.read_json(lines=True)`,
//! which looks at a column as a whole: if every value reads as a number, texts
//! included, the column becomes numbers, and values that are missing become
//! NaN. Otherwise the values stay as they are.

use std::cell::OnceCell;

use serde_json::{Map, Value};

use super::python_number::{parse_float, parse_int, truncate};
use crate::Result;
use crate::table::Rows;

/// Rows read at once while looking for a value that is no number: few first,
/// since it is nearly always the first.
const FIRST_ROWS: u64 = 8;
const MOST_ROWS: u64 = 4096;

/// What a column becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Every value is the same number as a whole one.
    Integers,
    /// Every value is a number or missing.
    Floats,
    /// Values stay as they are.
    AsTheyAre,
}

/// A column of a file, whose kind is found out when it is first asked for.
#[derive(Debug, Clone)]
pub struct Column {
    name: String,
    kind: OnceCell<ColumnKind>,
}

impl Column {
    /// The column with this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: OnceCell::new() }
    }

    /// What the column becomes. Reads the file up to the first value that is no
    /// number, and only once.
    pub fn kind(&self, rows: &Rows) -> Result<ColumnKind> {
        if let Some(&kind) = self.kind.get() {
            return Ok(kind);
        }
        let kind = infer(&self.name, rows)?;
        Ok(*self.kind.get_or_init(|| kind))
    }

    /// `int(value)` as the reference client sees the value; none where it raises
    /// an error, as for a value that is missing, or needs more than 64 bits.
    pub fn whole_number(&self, value: Option<&Value>, rows: &Rows) -> Result<Option<i64>> {
        Ok(match value {
            Some(Value::Number(number)) => number.as_i64().or_else(|| truncate(number.as_f64()?)),
            Some(Value::Bool(flag)) => Some(i64::from(*flag)),
            Some(Value::String(text)) => match self.kind(rows)? {
                ColumnKind::AsTheyAre => parse_int(text),
                _ => parse_int(text).or_else(|| truncate(parse_float(text)?)),
            },
            _ => None,
        })
    }
}

fn infer(name: &str, rows: &Rows) -> Result<ColumnKind> {
    let mut kind = ColumnKind::Integers;
    let (mut start, mut step) = (0, FIRST_ROWS);
    let count = rows.count();
    // Booleans alone are a type of their own, and no numbers.
    let mut only_booleans = true;
    while start < count {
        let indices: Vec<u64> = (start..count.min(start + step)).collect();
        for row in rows.read::<Map<String, Value>>(&indices, &[name])? {
            let value = row.get(name);
            only_booleans &= matches!(value, Some(Value::Bool(_)));
            match number(value) {
                None => return Ok(ColumnKind::AsTheyAre),
                Some(number) if truncate(number).map(|whole| whole as f64) != Some(number) => {
                    kind = ColumnKind::Floats;
                }
                Some(_) => {}
            }
        }
        start += step;
        step = (step * 4).min(MOST_ROWS);
    }
    Ok(if only_booleans { ColumnKind::AsTheyAre } else { kind })
}

/// `float(value)`; NaN for what is missing, none where it raises an error.
fn number(value: Option<&Value>) -> Option<f64> {
    match value {
        None | Some(Value::Null) => Some(f64::NAN),
        Some(Value::Bool(flag)) => Some(f64::from(u8::from(*flag))),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => parse_float(text),
        Some(Value::Array(_) | Value::Object(_)) => None,
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::table::Format;
    use crate::testing::Host;
    use serde_json::json;

    fn with_rows<T>(values: &[Value], test: impl FnOnce(&Column, &Rows) -> T) -> T {
        let rows = values
            .iter()
            .map(|value| if value.is_null() { json!({}) } else { json!({"n": value}) })
            .collect();
        Host::new()
            .with_rows("path", rows)
            .enter(|| test(&Column::new("n"), &Rows::open("path", Format::Jsonl).unwrap()))
    }

    #[test]
    fn kinds_are_those_of_a_data_frame() {
        use ColumnKind::*;
        let many: Vec<Value> = (0..9000).map(|number| json!(number.to_string())).collect();
        let mut mixed = many.clone();
        mixed.push(json!("x"));
        for (values, kind) in [
            (vec![json!("1"), json!("22")], Integers),
            (vec![json!(1), json!(5.0)], Integers),
            (vec![json!("1"), json!(null)], Floats),
            (vec![json!("1.5"), json!(2)], Floats),
            (vec![json!("nan")], Floats),
            (vec![json!("12"), json!("true")], AsTheyAre),
            (vec![json!(true)], AsTheyAre),
            (vec![json!(true), json!(2)], Integers),
            (vec![json!(2), json!([1])], AsTheyAre),
            (many, Integers),
            (mixed, AsTheyAre),
        ] {
            assert_eq!(
                with_rows(&values, |column, rows| column.kind(rows).unwrap()),
                kind,
                "{:?}",
                values.first()
            );
        }
    }

    #[test]
    fn whole_numbers_are_read_as_the_column_is() {
        let read = |values: &[Value], at: usize| {
            let value = values.get(at).filter(|value| !value.is_null());
            with_rows(values, |column, rows| column.whole_number(value, rows).unwrap())
        };
        assert_eq!(read(&[json!(5.9), json!(true)], 0), Some(5));
        assert_eq!(read(&[json!(5.9), json!(true)], 1), Some(1));
        assert_eq!(read(&[json!("5.9"), json!(3)], 0), Some(5));
        assert_eq!(read(&[json!("59"), json!("x")], 0), Some(59));
        for (values, at) in [
            (vec![json!("5.9"), json!("x")], 0),
            (vec![json!(3), json!(null)], 1),
            (vec![json!("inf")], 0),
            (vec![json!(1e300)], 0),
            (vec![json!([1])], 0),
        ] {
            assert_eq!(read(&values, at), None, "{values:?}");
        }
    }
}
