//! The SHA-256 of some bytes, as it is written.
//!
//! What names a plugin in locks, policies, stores and registries. Depends on
//! nothing.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A SHA-256 in 64 lower-case hexadecimal digits. It can stand in a file name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256Hex(String);

impl Sha256Hex {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_all([bytes])
    }

    /// Of these bytes, end to end.
    pub fn of_all<B: AsRef<[u8]>>(parts: impl IntoIterator<Item = B>) -> Self {
        use fmt::Write;
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        let mut text = String::with_capacity(64);
        for byte in hash.finalize() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// Reads 64 hexadecimal digits, with or without `sha256:` before them.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let fits = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        fits.then(|| Self(digits.to_ascii_lowercase()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As OCI writes it: `sha256:` and the digits.
    pub fn prefixed(&self) -> String {
        format!("sha256:{}", self.0)
    }
}

impl fmt::Display for Sha256Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Sha256Hex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
            .ok_or_else(|| format!("`{}` is no SHA-256 of 64 hexadecimal digits", shortened(&text)))
    }
}

impl From<Sha256Hex> for String {
    fn from(digest: Sha256Hex) -> Self {
        digest.0
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_value_and_spellings() {
        let empty = Sha256Hex::of(b"");
        assert_eq!(empty.as_str(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(Sha256Hex::of_all(["ab", "c"]), Sha256Hex::of(b"abc"));
        assert_eq!(Sha256Hex::parse(&empty.prefixed()), Some(empty.clone()));
        assert_eq!(Sha256Hex::parse(&empty.as_str().to_uppercase()), Some(empty.clone()));
        for wrong in ["", "sha256:", "sha512:ab", &empty.as_str()[1..], &format!("{empty}0"), "../../etc"] {
            assert_eq!(Sha256Hex::parse(wrong), None, "{wrong}");
        }
    }
}
