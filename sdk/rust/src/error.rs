//! Errors by whose fault they are.

use std::fmt;

pub use crate::bindings::host::vbench::plugin::types::{Cause, Error, Location};

/// What the functions of a plugin return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into(), config_key: None, location: None }
    }

    /// An option has a wrong value: the user mends the command line. Name the
    /// option with [`Error::key`].
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Cause::Config, message)
    }

    /// A file, row or field is not as it should be: the user mends the data.
    /// Name the place with [`Error::at`].
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(Cause::Input, message)
    }

    /// A combination that this plugin does not do.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Cause::Unsupported, message)
    }

    /// A defect of the plugin itself.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Cause::Internal, message)
    }

    /// Names the property of the options that is to blame; the host prints the
    /// flag that belongs to it.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.config_key = Some(key.into());
        self
    }

    /// Says where in the user's data the error lies.
    pub fn at(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }

    /// Puts what was being done before the message.
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }
}

impl Location {
    /// A file, by the path as the user wrote it.
    pub fn file(path: impl Into<String>) -> Self {
        Self { file: Some(path.into()), row: None, column: None }
    }

    /// A place in a file that the host knows: a JSON pointer, or a field.
    pub fn place(pointer: impl Into<String>) -> Self {
        Self { file: None, row: None, column: Some(pointer.into()) }
    }

    /// A column, field or JSON pointer of the same place.
    pub fn column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constructors_fill_in_what_they_name() {
        let error =
            Error::input("no such field").at(Location::file("a.jsonl").column("turns")).context("row");
        assert_eq!(error.cause, Cause::Input);
        assert_eq!(error.message, "row: no such field");
        assert_eq!(error.location.unwrap().column.as_deref(), Some("turns"));
        assert_eq!(Error::config("x").key("input_len").config_key.as_deref(), Some("input_len"));
    }
}
