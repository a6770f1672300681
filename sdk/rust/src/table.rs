//! Rows of a file that the user named, read natively by the host.

pub use crate::bindings::host::vbench::plugin::table::Format;
#[cfg(target_arch = "wasm32")]
use crate::bindings::host::vbench::plugin::table::Rows as Handle;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::host::Rows as Handle;
use crate::{Error, Location, Result};
use serde::de::DeserializeOwned;

/// A file of rows, read by index, so that a shuffle of a large file does not
/// bring the file into the plugin's memory.
pub struct Rows(Handle);

impl Rows {
    /// Opens the file at the path given for the option `config_key`. Fails when
    /// it is not there or not of the format.
    pub fn open(config_key: &str, format: Format) -> Result<Self> {
        Handle::open(config_key, None, format).map(Self)
    }

    /// Opens the file `member` of the directory given for the option `config_key`.
    pub fn open_member(config_key: &str, member: &str, format: Format) -> Result<Self> {
        Handle::open(config_key, Some(member), format).map(Self)
    }

    /// Number of rows.
    pub fn count(&self) -> u64 {
        self.0.count()
    }

    /// Names of the columns: a CSV's header, a Parquet file's fields, the keys
    /// of the first object of a JSON file.
    pub fn columns(&self) -> Result<Vec<String>> {
        self.0.columns()
    }

    /// The rows with these indices as JSON text, in the order asked for. With
    /// `columns` only these keys are kept; empty means all.
    pub fn read_json(&self, indices: &[u64], columns: &[&str]) -> Result<Vec<String>> {
        let columns: Vec<String> = columns.iter().map(|&column| column.into()).collect();
        self.0.read(indices, &columns)
    }

    /// The rows with these indices as values of `T`. A row that is not one is
    /// an error with the row's place in the user's file.
    pub fn read<T: DeserializeOwned>(&self, indices: &[u64], columns: &[&str]) -> Result<Vec<T>> {
        let rows = self.read_json(indices, columns)?;
        let parse = |(row, &index): (&String, &u64)| {
            serde_json::from_str(row).map_err(|error| {
                Error::input(format!("not the row expected: {error}")).at(self.locate(index))
            })
        };
        rows.iter().zip(indices).map(parse).collect()
    }

    /// For every row the number of items of the array, or of characters of the
    /// string, that a column holds; -1 where there is none.
    pub fn lengths(&self, column: &str) -> Result<Vec<i64>> {
        self.0.lengths(column)
    }

    /// Where a row stands in the user's file, for messages.
    pub fn locate(&self, index: u64) -> Location {
        self.0.locate(index)
    }
}
