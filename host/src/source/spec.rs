//! What the user writes after `--plugin`.

use std::fmt;
use std::path::PathBuf;

use oci_client::Reference;

use super::error::SourceError;
use crate::digest::Sha256Hex;

/// Where a plugin is to come from, as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spec {
    /// A file: anything with a `/` in it or `.wasm` at its end.
    Path(PathBuf),
    /// A name, to be looked up in the lock, on the plugin path and in the
    /// user's plugin directory; never in the current directory.
    Name(String),
    /// A file on a web server, pinned by what it has to hold.
    Https {
        /// The address without its fragment.
        url: String,
        /// What the file has to hold.
        sha256: Sha256Hex,
    },
    /// An artifact in an OCI registry.
    Oci(Reference),
}

/// Longest text that is looked at.
const MAX_BYTES: usize = 4096;

impl Spec {
    /// Reads what the user wrote.
    ///
    /// # Errors
    /// When it is an address of an unknown kind or without what pins it, or no name.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let wrong = |reason: String| SourceError::Spec { text: text.chars().take(200).collect(), reason };
        if text.len() > MAX_BYTES {
            return Err(wrong(format!("it is longer than {MAX_BYTES} bytes")));
        }
        if let Some(reference) = text.strip_prefix("oci://") {
            let reference: Reference = reference.parse().map_err(|error| {
                wrong(format!("{error}; write oci://REGISTRY/REPOSITORY:TAG or …@sha256:DIGEST"))
            })?;
            if reference.digest().is_some_and(|digest| Sha256Hex::parse(digest).is_none()) {
                return Err(wrong("its digest is no SHA-256".to_owned()));
            }
            return Ok(Self::Oci(reference));
        }
        if text.starts_with("https://") {
            let (url, fragment) = text.split_once('#').ok_or_else(|| {
                wrong("it needs #sha256=DIGEST at its end, which says what it has to hold".to_owned())
            })?;
            let sha256 = fragment.strip_prefix("sha256=").and_then(Sha256Hex::parse).ok_or_else(|| {
                wrong("what follows # has to be sha256= and 64 hexadecimal digits".to_owned())
            })?;
            return Ok(Self::Https { url: url.to_owned(), sha256 });
        }
        if text.starts_with("http://") {
            return Err(wrong("plugins are fetched over https:// or oci:// only".to_owned()));
        }
        if let Some((scheme, _)) = text.split_once("://") {
            let scheme: String = scheme.chars().take(20).collect();
            return Err(wrong(format!("`{scheme}` is no source of plugins; there are https:// and oci://")));
        }
        if text.contains('/') || text.ends_with(".wasm") {
            return Ok(Self::Path(PathBuf::from(text)));
        }
        if is_name(text) {
            return Ok(Self::Name(text.to_owned()));
        }
        Err(wrong("it is neither a name nor a file; write ./FILE for a file of this folder".to_owned()))
    }
}

/// Whether a text can be a plugin's name, and thus stand in a file name.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// As the user could have written it.
impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Name(name) => f.write_str(name),
            Self::Https { url, sha256 } => write!(f, "{url}#sha256={sha256}"),
            Self::Oci(reference) => write!(f, "oci://{reference}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn kinds_are_told_apart() {
        let path = |text: &str| Spec::Path(PathBuf::from(text));
        for (text, spec) in [
            ("./acme", path("./acme")),
            ("acme.wasm", path("acme.wasm")),
            ("/opt/acme", path("/opt/acme")),
            ("acme-traces", Spec::Name("acme-traces".to_owned())),
            ("acme_2.1", Spec::Name("acme_2.1".to_owned())),
        ] {
            assert_eq!(Spec::parse(text).unwrap(), spec);
        }
        let Spec::Https { url, sha256 } =
            Spec::parse(&format!("https://x.org/a?b=c#sha256={DIGEST}")).unwrap()
        else {
            panic!("an address")
        };
        assert_eq!((url.as_str(), sha256.as_str()), ("https://x.org/a?b=c", DIGEST));
        let text = format!("oci://ghcr.io/acme/traces:1.2.0@sha256:{DIGEST}");
        let spec = Spec::parse(&text).unwrap();
        assert_eq!(spec.to_string(), text);
        let Spec::Oci(reference) = spec else { panic!("a reference") };
        assert_eq!(reference.resolve_registry(), "ghcr.io");
        assert_eq!(reference.repository(), "acme/traces");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, reason) in [
            ("", "neither a name nor a file"),
            ("..", "neither a name nor a file"),
            ("acme traces", "neither a name nor a file"),
            ("http://x.org/a.wasm", "over https:// or oci:// only"),
            ("https://x.org/a.wasm", "needs #sha256="),
            ("https://x.org/a.wasm#sha256=12", "64 hexadecimal digits"),
            ("https://x.org/a.wasm#md5=12", "64 hexadecimal digits"),
            ("ftp://x.org/a.wasm", "`ftp` is no source"),
            ("oci://", "oci://REGISTRY"),
            ("oci://x.org/UPPER", "oci://REGISTRY"),
        ] {
            let error = Spec::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(Spec::parse(&"a/".repeat(5000)).unwrap_err().to_string().contains("longer than"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            if let Ok(spec) = Spec::parse(&text) {
                proptest::prop_assert_eq!(Spec::parse(&spec.to_string()).unwrap(), spec);
            }
        }
    }
}
