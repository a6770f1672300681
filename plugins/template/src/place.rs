//! Where in the file an error lies.

use vbench_plugin::{Error, Location, Result};

/// The option whose value the file is.
const FILE: &str = "file";

/// An error that lies inside of a value of the file.
pub(crate) trait Within {
    /// Says that it lies in the member or item `token` of a value: the steps of
    /// a JSON pointer (RFC 6901), the innermost first.
    fn within(self, token: impl ToString) -> Self;

    /// Says that the steps so far lead from the file's outermost value.
    fn in_file(self) -> Self;
}

impl Within for Error {
    fn within(self, token: impl ToString) -> Self {
        let token = token.to_string().replace('~', "~0").replace('/', "~1");
        let inner = self.location.as_ref().and_then(|location| location.column.as_deref());
        let pointer = format!("/{token}{}", inner.unwrap_or_default());
        self.at(Location::place(pointer))
    }

    fn in_file(self) -> Self {
        self.key(FILE)
    }
}

impl<T> Within for Result<T> {
    fn within(self, token: impl ToString) -> Self {
        self.map_err(|error| error.within(token))
    }

    fn in_file(self) -> Self {
        self.map_err(Within::in_file)
    }
}
