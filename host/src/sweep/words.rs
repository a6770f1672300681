//! Command lines in one text, cut into words as Python's `shlex.split` cuts them.
//!
//! The crates for this follow the shell, which knows comments and escapes that
//! Python's function does not; a `#` in a model's name is no comment here.

/// Why a text is no command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// A quotation mark without its partner.
    #[error("a quotation is not closed")]
    Quotation,
    /// A backslash at the very end.
    #[error("there is nothing after the last backslash")]
    Escape,
}

/// Cuts a command line into words.
///
/// # Errors
/// A quotation or an escape is not complete.
pub fn split(text: &str) -> Result<Vec<String>, WordsError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or(WordsError::Quotation)? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or(WordsError::Quotation)? {
                        '"' => break,
                        '\\' => match characters.next().ok_or(WordsError::Quotation)? {
                            c @ ('"' | '\\') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => {
                let c = characters.next().ok_or(WordsError::Escape)?;
                word.get_or_insert_default().push(c);
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_pythons() {
        for (text, words) in [
            ("", &[][..]),
            ("  a  b\tc\n", &["a", "b", "c"]),
            (r#"a 'b c' "d e""#, &["a", "b c", "d e"]),
            (r#"--x '{"a": 1}'"#, &["--x", r#"{"a": 1}"#]),
            (r#"a\ b "c\"d\n" 'e\f'"#, &["a b", r#"c"d\n"#, r"e\f"]),
            ("a'b'\"c\" '' d", &["abc", "", "d"]),
            ("model#1 #2", &["model#1", "#2"]),
        ] {
            assert_eq!(split(text).unwrap(), words, "{text}");
        }
        assert_eq!(split("'a"), Err(WordsError::Quotation));
        assert_eq!(split("\"a\\"), Err(WordsError::Quotation));
        assert_eq!(split("a\\"), Err(WordsError::Escape));
    }

    proptest! {
        #[test]
        fn quoted_words_come_back(words in prop::collection::vec("[^']*", 0..5)) {
            let text = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(split(&text).unwrap(), words);
        }
    }
}
