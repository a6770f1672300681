//! Run objects as a CSV table, by the rules of pandas' `DataFrame.to_csv`.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::{Map, Number, Value};

use crate::report::python_float;
use crate::report::python_repr::{python_bool, python_str};

/// A run's object.
pub type Row = Map<String, Value>;

/// How a column's values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    /// As they are.
    Object,
    /// As floats: numbers of both kinds, or whole ones with gaps.
    Float,
}

/// The table: a column of row numbers without a name, then all keys in the
/// order in which they first appear. Missing values and null are empty.
///
/// # Errors
/// The system refuses memory, which is all that writing to memory can fail with.
pub fn to_csv(rows: &[Row]) -> Result<Vec<u8>, csv::Error> {
    let mut columns: IndexMap<&str, Vec<Option<&Value>>> = IndexMap::new();
    for (at, row) in rows.iter().enumerate() {
        for (key, value) in row {
            let column = columns.entry(key).or_insert_with(|| vec![None; rows.len()]);
            column[at] = Some(value).filter(|value| !value.is_null());
        }
    }
    let kinds: BTreeMap<&str, Column> = columns.iter().map(|(key, values)| (*key, kind(values))).collect();
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
    writer.write_record(std::iter::once("").chain(columns.keys().copied()))?;
    for at in 0..rows.len() {
        let cells = columns.iter().map(|(key, values)| cell(values[at], kinds[key]));
        writer.write_record(std::iter::once(at.to_string()).chain(cells))?;
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

fn kind(values: &[Option<&Value>]) -> Column {
    let present = || values.iter().flatten();
    let numbers = present().all(|value| value.is_number());
    let gaps = values.iter().any(Option::is_none);
    let floats = present().any(|value| value.as_number().is_some_and(Number::is_f64));
    if numbers && present().next().is_some() && (floats || gaps) { Column::Float } else { Column::Object }
}

fn cell(value: Option<&Value>, kind: Column) -> String {
    match (value, kind) {
        (None, _) => String::new(),
        (Some(value), Column::Float) => value.as_f64().map_or_else(String::new, python_float),
        (Some(Value::Bool(value)), _) => python_bool(*value).to_owned(),
        (Some(value), Column::Object) => python_str(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn csv(rows: Value) -> String {
        let rows: Vec<Row> =
            rows.as_array().unwrap().iter().map(|row| row.as_object().unwrap().clone()).collect();
        String::from_utf8(to_csv(&rows).unwrap()).unwrap()
    }

    #[test]
    fn columns_have_one_type() {
        let text = csv(json!([
            {"int": 1, "gap": 1, "mixed": 1, "rate": "inf", "flag": true, "none": null, "list": ["a", 1.0]},
            {"int": 2, "mixed": 2.5, "rate": 3, "flag": false, "late": {"k": null}, "some": true},
        ]));
        assert_eq!(
            text,
            ",int,gap,mixed,rate,flag,none,list,late,some\n\
             0,1,1.0,1.0,inf,True,,\"['a', 1.0]\",,\n\
             1,2,,2.5,3,False,,,{'k': None},True\n"
        );
    }

    #[test]
    fn texts_are_quoted_where_they_must_be() {
        assert_eq!(
            csv(json!([{"a": "x,y", "b": "say \"so\"", "c": "two\nlines", "d": " "}])),
            ",a,b,c,d\n0,\"x,y\",\"say \"\"so\"\"\",\"two\nlines\", \n"
        );
    }

    #[test]
    fn no_rows_make_an_empty_header() {
        assert_eq!(csv(json!([])), "\"\"\n");
    }
}
