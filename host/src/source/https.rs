//! Files on web servers.

use std::time::Duration;

use reqwest::{Client, StatusCode, redirect};

use super::error::SourceError;

/// Longest time without a byte.
const IDLE: Duration = Duration::from_secs(30);
/// Longest time to a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Fetches a file of at most `limit_bytes` over HTTPS, redirects included.
pub(super) async fn get(url: &str, limit_bytes: u64) -> Result<Vec<u8>, SourceError> {
    let failed = |error: reqwest::Error| SourceError::Fetch { what: url.to_owned(), reason: reason(&error) };
    let client = Client::builder()
        .https_only(true)
        .redirect(redirect::Policy::limited(5))
        .connect_timeout(CONNECT)
        .read_timeout(IDLE)
        .user_agent(concat!("vbench/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| SourceError::Setup(reason(&error)))?;
    let mut response = client.get(url).send().await.map_err(failed)?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            return Err(SourceError::Missing { what: url.to_owned() });
        }
        status => {
            return Err(SourceError::Fetch {
                what: url.to_owned(),
                reason: format!("the server answers {status}"),
            });
        }
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() as u64 + chunk.len() as u64 > limit_bytes {
            return Err(SourceError::TooLarge { what: url.to_owned(), limit_bytes });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The innermost causes, which say more than the outermost.
pub(super) fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !texts.last().is_some_and(|last| last.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts.join(": ")
}
