//! Makes text of plugins fit for a terminal.

use std::iter::Peekable;

/// Longest message that is shown, in bytes.
pub(crate) const MAX_MESSAGE_BYTES: usize = 4096;

/// `text` on one line without terminal escape sequences, control characters
/// and characters that turn the writing direction, cut at `max_bytes`.
pub(crate) fn one_line(text: &str, max_bytes: usize) -> String {
    clean(text, max_bytes, false)
}

/// Like [`one_line`], but line feeds stay.
pub(crate) fn lines(text: &str, max_bytes: usize) -> String {
    clean(text, max_bytes, true)
}

fn clean(text: &str, max_bytes: usize, keep_lines: bool) -> String {
    let mut out = String::with_capacity(text.len().min(max_bytes));
    let mut chars = text.trim().chars().peekable();
    while let Some(c) = chars.next() {
        let c = match c {
            '\u{1b}' => {
                skip_escape(&mut chars);
                continue;
            }
            '\n' if keep_lines => '\n',
            '\n' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
            c if c.is_control() || turns_direction(c) => continue,
            c => c,
        };
        if out.len() + c.len_utf8() > max_bytes {
            while out.len() + '…'.len_utf8() > max_bytes && out.pop().is_some() {}
            out.push('…');
            break;
        }
        out.push(c);
    }
    out
}

/// Skips what follows an ESC: a CSI sequence up to its final byte, an OSC
/// string up to its terminator, or one character (ECMA-48, 5.3 to 5.6).
fn skip_escape(chars: &mut Peekable<impl Iterator<Item = char>>) {
    match chars.next() {
        Some('[') => {
            while let Some(&c) = chars.peek() {
                if !matches!(c, '\u{20}'..='\u{7e}') {
                    break;
                }
                chars.next();
                if matches!(c, '\u{40}'..='\u{7e}') {
                    break;
                }
            }
        }
        Some(']') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' {
                    break;
                }
                if c == '\u{1b}' {
                    chars.next_if_eq(&'\\');
                    break;
                }
            }
        }
        _ => {}
    }
}

/// Bidirectional controls (Unicode Standard Annex 9) and invisible fillers.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_direction_marks_go() {
        assert_eq!(one_line("\u{1b}[31mred\u{1b}[0m \u{202e}evil\u{7}\r", 100), "red evil");
        assert_eq!(one_line("\u{1b}]0;title\u{7}after \u{1b}]8;;x\u{1b}\\link", 100), "after link");
        assert_eq!(one_line("a\nb\tc", 100), "a b c");
        assert_eq!(lines("a\nb", 100), "a\nb");
        assert_eq!(one_line("lone \u{1b}", 100), "lone ");
    }

    proptest::proptest! {
        #[test]
        fn never_longer_than_asked_and_never_a_control(text in ".{0,200}", max in 3_usize..100) {
            let line = one_line(&text, max);
            proptest::prop_assert!(line.len() <= max);
            proptest::prop_assert!(!line.chars().any(char::is_control));
        }
    }
}
