//! Headers that a backend may send.

/// Headers of the connection, of the host and of credentials. The host sets
/// these itself and refuses an endpoint or a request that has one.
pub const HOSTS_OWN: [&str; 12] = [
    "authorization",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether the host sets this header itself. Case does not matter.
pub fn is_hosts_own(name: &str) -> bool {
    HOSTS_OWN.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// Whether a text is a token (RFC 9110, 5.6.2), as names of headers and methods are.
pub fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_headers_are_known_in_any_case() {
        assert!(is_hosts_own("Content-Length") && is_hosts_own("te"));
        assert!(!is_hosts_own("content-type") && !is_hosts_own("x-host"));
    }

    #[test]
    fn tokens_are_what_the_rfc_says() {
        assert!(is_token("X-Api_Key") && is_token("M-SEARCH") && is_token("!#$%&'*+-.^_`|~"));
        for text in ["", "a b", "a:", "ä", "a\r\nb"] {
            assert!(!is_token(text), "{text:?}");
        }
    }
}
