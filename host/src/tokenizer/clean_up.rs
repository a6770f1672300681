//! `clean_up_tokenization_spaces`.

/// What the transformers library replaces, in this order.
const REPLACEMENTS: [(&str, &str); 10] = [
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
];

/// Takes out the spaces that word-piece decoding puts before punctuation.
pub(super) fn clean_up(mut text: String) -> String {
    for (from, to) in REPLACEMENTS {
        if text.contains(from) {
            text = text.replace(from, to);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order() {
        assert_eq!(clean_up("a . b ? c ! d , e".into()), "a. b? c! d, e");
        assert_eq!(clean_up("do n't we 've I 'm it 's we 're".into()), "don't we've I'm it's we're");
        assert_eq!(clean_up("a ' b".into()), "a'b");
        // The comma goes first and leaves no space for the quote's rule.
        assert_eq!(clean_up("x , ' y".into()), "x,'y");
        assert_eq!(clean_up("do not".into()), "do not");
    }
}
