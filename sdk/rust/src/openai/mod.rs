//! What backends of OpenAI-compatible servers have in common: how options are
//! merged into a body, how content parts are written, how a stream is read.

mod alike;
mod completions;
mod content;
mod payload;
mod pooling;
mod stream;

pub use completions::TextChoice;
pub use content::{
    MediaPlace, append_prompt, append_user_turn, messages, prompt_bytes, write_media, write_prompt,
};
pub use payload::{Payload, write_json};
pub use pooling::Pooling;
pub use stream::{Choice, Present, Text, Truthy, read_stream, stream_plan};

use crate::backend::{Endpoint, Framing, Header, Plan, Task};
use crate::{Error, Result};

/// Checks that the path is one of this API, as the reference client does and in its words.
///
/// `api` is the name in the message, `suffixes` are the endings allowed.
pub fn check_suffix(path: &str, api: &str, suffixes: &[&str]) -> Result<()> {
    if !path.starts_with('/') {
        return Err(Error::config(format!("the endpoint `{path}` has to begin with `/`")));
    }
    if suffixes.iter().any(|suffix| path.ends_with(suffix)) {
        return Ok(());
    }
    let suffixes: Vec<String> = suffixes.iter().map(|suffix| format!("'{suffix}'")).collect();
    Err(Error::config(format!(
        "{api} URL must end with one of: {{{}}}. The endpoint is `{path}`; choose another with --endpoint",
        suffixes.join(", ")
    )))
}

/// The endpoint of a streaming API: JSON in, server-sent events out.
pub fn stream_endpoint(path: &str, plan: Option<Plan>) -> Endpoint {
    Endpoint {
        task: Task::Generation,
        method: "POST".into(),
        path: path.into(),
        headers: vec![Header::new("content-type", "application/json")],
        framing: Framing::Sse,
        plan,
    }
}

/// The endpoint of the same API without a stream: JSON in, JSON out.
pub fn whole_endpoint(path: &str, plan: Option<Plan>) -> Endpoint {
    Endpoint { framing: Framing::WholeBody, ..stream_endpoint(path, plan) }
}

/// One of the two, with the same plan.
pub fn generation_endpoint(path: &str, streams: bool, plan: Option<Plan>) -> Endpoint {
    match streams {
        true => stream_endpoint(path, plan),
        false => whole_endpoint(path, plan),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_another_api_is_refused_in_the_reference_clients_words() {
        assert!(check_suffix("/v1/chat/completions", "OpenAI Completions API", &["completions"]).is_ok());
        let error = check_suffix("/v1/generate", "OpenAI Completions API", &["completions"]).unwrap_err();
        assert!(
            error.message.starts_with("OpenAI Completions API URL must end with one of: {'completions'}.")
        );
        assert!(check_suffix("v1/completions", "x", &["completions"]).is_err());
    }
}
