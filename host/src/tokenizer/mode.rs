//! `--tokenizer-mode`.

use super::Error;

/// Modes of the reference client that need a tokenizer of another kind.
const UNAVAILABLE: [&str; 6] = ["custom", "deepseek_v32", "deepseek_v4", "grok2", "mistral", "qwen_vl"];

/// How the tokenizer is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// As the files say; the same as [`Mode::Hf`] for now.
    #[default]
    Auto,
    /// From `tokenizer.json`.
    Hf,
}

impl Mode {
    /// The mode that `text` names. `slow` is one only where `slow_allowed`
    /// (vLLM 0.12 had it), and means [`Mode::Hf`]: both tokenise alike.
    ///
    /// # Errors
    ///
    /// [`Error::UnavailableMode`] for the reference client's other modes,
    /// [`Error::UnknownMode`] for anything else.
    pub fn parse(text: &str, slow_allowed: bool) -> Result<Self, Error> {
        match text {
            "auto" => Ok(Self::Auto),
            "hf" => Ok(Self::Hf),
            "slow" if slow_allowed => Ok(Self::Hf),
            _ if UNAVAILABLE.contains(&text) => Err(Error::UnavailableMode(text.to_owned())),
            _ => Err(Error::UnknownMode(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        assert_eq!(Mode::parse("auto", false).unwrap(), Mode::Auto);
        assert_eq!(Mode::parse("hf", false).unwrap(), Mode::Hf);
        assert_eq!(Mode::parse("slow", true).unwrap(), Mode::Hf);
        assert!(matches!(Mode::parse("slow", false), Err(Error::UnknownMode(_))));
        assert!(matches!(Mode::parse("mistral", true), Err(Error::UnavailableMode(_))));
    }
}
