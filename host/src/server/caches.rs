//! What is reset between runs, so that one does not warm the next.

use super::address::Address;
use super::error::ServerError;
use super::http::Http;

/// Paths of vLLM's development mode that empty its caches.
const VLLM_RESETS: [&str; 3] = ["/reset_prefix_cache", "/reset_mm_cache", "/reset_encoder_cache"];

/// How a server's caches are emptied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheReset {
    /// By requests to vLLM's development endpoints.
    Endpoints(Vec<String>),
    /// There are none to empty.
    None,
}

impl CacheReset {
    /// By the first word of the server's command, as the reference client does:
    /// what ends in `vllm`, and `infinity_emb` without a cache on disk.
    ///
    /// # Errors
    /// Nothing is known of this server, or it keeps a cache that cannot be emptied.
    pub fn of_command(words: &[String]) -> Result<Self, ServerError> {
        let program = words.first().ok_or(ServerError::NoCommand)?;
        if program.ends_with("vllm") {
            let address = Address::of_command(words)?;
            let url = address.url();
            return Ok(Self::Endpoints(VLLM_RESETS.iter().map(|path| format!("{url}{path}")).collect()));
        }
        if program.ends_with("infinity_emb") {
            return match words.iter().any(|word| word == "--vector-disk-cache") {
                true => Err(ServerError::CacheStays),
                false => Ok(Self::None),
            };
        }
        // The embedded mock server has no cache that outlives a request.
        if program.ends_with("vbench") && words.get(1).is_some_and(|word| word == "mock") {
            return Ok(Self::None);
        }
        Err(ServerError::UnknownServer { program: program.clone() })
    }
}

/// Empties a server's caches.
///
/// # Errors
/// The server refuses, or does not answer.
pub fn reset_caches(reset: &CacheReset, http: &Http) -> Result<(), ServerError> {
    let CacheReset::Endpoints(urls) = reset else { return Ok(()) };
    for url in urls {
        let (status, _) =
            http.post(url).map_err(|reason| ServerError::ResetFailed { url: url.clone(), reason })?;
        if status.is_client_error() || status.is_server_error() {
            let reason = status.canonical_reason().unwrap_or_default().to_owned();
            return Err(ServerError::ResetRefused { status: status.as_u16(), reason, url: url.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<CacheReset, ServerError> {
        CacheReset::of_command(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_program_decides() {
        let Ok(CacheReset::Endpoints(urls)) = of("/usr/bin/vllm serve m --port 7") else { panic!() };
        assert_eq!(urls[0], "http://localhost:7/reset_prefix_cache");
        assert_eq!(urls.len(), 3);
        assert_eq!(of("infinity_emb v2").unwrap(), CacheReset::None);
        assert_eq!(of("vbench mock").unwrap(), CacheReset::None);
        assert!(matches!(of("infinity_emb --vector-disk-cache"), Err(ServerError::CacheStays)));
        assert!(of("sglang").unwrap_err().to_string().contains("--after-bench-cmd"));
    }
}
