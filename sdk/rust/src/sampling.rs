//! Sampling parameters by the names that servers have for them.

use crate::backend::RawObject;
use crate::{Error, Result};

/// The flags that the host hands over ([`BackendContext::sampling`](crate::BackendContext)),
/// by their keys: `--top-p` is `top_p`.
pub const FLAGS: [&str; 7] =
    ["temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty"];

/// What a server calls the parameters that it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names {
    /// The flags that it knows.
    pub known: &'static [&'static str],
    /// Flags and the server's names for them, where these differ.
    pub renamed: &'static [(&'static str, &'static str)],
}

impl Names {
    /// All flags under their own names.
    pub const OWN: Self = Self { known: &FLAGS, renamed: &[] };
    /// Those of llama.cpp, and of Ollama, which is built upon it.
    pub const LLAMA_CPP: Self = Self { known: &FLAGS, renamed: &[("repetition_penalty", "repeat_penalty")] };

    /// The parameters by the names of `server`, in their order. Fails on one
    /// that it does not know, since a server would take no notice of it.
    pub fn apply(&self, sampling: &RawObject, server: &str) -> Result<RawObject> {
        let named = |(key, value): (&String, &_)| {
            if !self.known.contains(&key.as_str()) {
                let flag = key.replace('_', "-");
                return Err(Error::config(format!("{server} knows no --{flag}; leave it out")));
            }
            let name =
                self.renamed.iter().find(|(flag, _)| flag == key).map_or(key.as_str(), |(_, name)| name);
            Ok((name.to_owned(), Clone::clone(value)))
        };
        sampling.iter().map(named).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::raw_object;

    fn applied(names: Names, sampling: &str) -> Result<String> {
        let sampling = names.apply(&raw_object(sampling, "sampling")?, "Acme")?;
        Ok(serde_json::to_string(&sampling).unwrap())
    }

    #[test]
    fn parameters_keep_their_order_and_text() {
        let sampling = r#"{"top_k":1,"repetition_penalty":1.10,"temperature":0}"#;
        assert_eq!(applied(Names::OWN, sampling).unwrap(), sampling);
        assert_eq!(
            applied(Names::LLAMA_CPP, sampling).unwrap(),
            r#"{"top_k":1,"repeat_penalty":1.10,"temperature":0}"#
        );
    }

    #[test]
    fn what_a_server_does_not_know_is_refused_by_its_flag() {
        let names = Names { known: &["temperature"], renamed: &[] };
        let error = applied(names, r#"{"temperature":0,"top_p":1}"#).unwrap_err();
        assert_eq!(error.message, "Acme knows no --top-p; leave it out");
    }
}
