//! Tokenizers made from a seed, as large as those of real models if need be, so
//! that trying a plugin, a test or a benchmark needs no download.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

/// How merges are written in `tokenizer.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeForm {
    /// `"a b"`, as older files have it.
    Text,
    /// `["a", "b"]`.
    Pair,
}

/// What to make.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Tokens in the vocabulary without added ones; 256 at least, the bytes.
    pub tokens: usize,
    /// Merges to stop at, if there are as many ways to make the tokens; one a
    /// token at least.
    pub merges: usize,
    /// How merges are written.
    pub form: MergeForm,
    /// Equal shapes with equal seeds are equal byte for byte.
    pub seed: u64,
}

impl Shape {
    /// The size of a present-day model: 140 000 tokens and about 300 000 merges
    /// as pairs, 11 MB of JSON.
    pub const LARGE: Self = Self { tokens: 140_000, merges: 310_000, form: MergeForm::Pair, seed: 0 };
}

/// The file of a tokenizer's folder that [`write_folder`] writes last.
pub const CONFIG_FILE: &str = "tokenizer_config.json";

/// Writes a tokenizer with a chat template into a folder that is there.
///
/// # Errors
/// A file cannot be written.
pub fn write_folder(dir: &Path, shape: Shape) -> io::Result<()> {
    fs::write(dir.join("tokenizer.json"), tokenizer_json(shape))?;
    fs::write(dir.join(CONFIG_FILE), CONFIG)
}

/// A chat template of Llama 3's kind, with special tokens that there are.
const CONFIG: &str = r#"{
  "chat_template": "{%- if tools -%}{{ tools | tojson + '\n\n' }}{%- endif -%}{%- for message in messages -%}{{ '<|reserved_special_token_0|>' + message['role'] + '<|reserved_special_token_1|>\n\n' }}{%- if message['content'] is string -%}{{ message['content'] }}{%- else -%}{%- for part in message['content'] -%}{%- if part['type'] == 'text' -%}{{ part['text'] }}{%- endif -%}{%- endfor -%}{%- endif -%}{{ '<|reserved_special_token_2|>' }}{%- endfor -%}{%- if add_generation_prompt -%}{{ '<|reserved_special_token_0|>assistant<|reserved_special_token_1|>\n\n' }}{%- endif -%}"
}
"#;

/// The text of a `tokenizer.json` with a byte-level BPE of Llama 3's kind: its
/// way of splitting text, whole words taken from the vocabulary before merges,
/// `<|begin_of_text|>` put before a sequence, 256 special tokens after the
/// vocabulary.
pub fn tokenizer_json(shape: Shape) -> String {
    let vocabulary = Vocabulary::grow(shape);
    let mut out = String::with_capacity(90 * shape.tokens);
    out.push_str("{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n");
    out.push_str("  \"added_tokens\": [\n");
    let first = vocabulary.tokens.len();
    for i in 0..SPECIAL_TOKENS {
        let text = match i {
            0 => "<|begin_of_text|>".to_owned(),
            1 => "<|end_of_text|>".to_owned(),
            i => format!("<|reserved_special_token_{}|>", i - 2),
        };
        let comma = if i + 1 < SPECIAL_TOKENS { "," } else { "" };
        let _ = writeln!(
            out,
            "    {{ \"id\": {}, \"content\": \"{text}\", \"single_word\": false, \"lstrip\": false, \
             \"rstrip\": false, \"normalized\": false, \"special\": true }}{comma}",
            first + i
        );
    }
    out.push_str(PIPELINE_HEAD);
    let _ = write!(out, "{first}");
    out.push_str(PIPELINE_TAIL);
    for (id, token) in vocabulary.tokens.iter().enumerate() {
        let comma = if id + 1 < first { "," } else { "" };
        let _ = writeln!(out, "      {}: {id}{comma}", quoted(token));
    }
    out.push_str("    },\n    \"merges\": [\n");
    for (rank, (left, right)) in vocabulary.merges.iter().enumerate() {
        let (left, right) = (&vocabulary.tokens[*left], &vocabulary.tokens[*right]);
        let comma = if rank + 1 < vocabulary.merges.len() { "," } else { "" };
        let _ = match shape.form {
            MergeForm::Text => writeln!(out, "      {}{comma}", quoted(&format!("{left} {right}"))),
            MergeForm::Pair => writeln!(out, "      [{}, {}]{comma}", quoted(left), quoted(right)),
        };
    }
    out.push_str("    ]\n  }\n}\n");
    out
}

const SPECIAL_TOKENS: usize = 256;

const PIPELINE_HEAD: &str = r#"  ],
  "normalizer": null,
  "pre_tokenizer": {
    "type": "Sequence",
    "pretokenizers": [
      {
        "type": "Split",
        "pattern": {
          "Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
        },
        "behavior": "Isolated",
        "invert": false
      },
      { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false }
    ]
  },
  "post_processor": {
    "type": "Sequence",
    "processors": [
      { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true },
      {
        "type": "TemplateProcessing",
        "single": [
          { "SpecialToken": { "id": "<|begin_of_text|>", "type_id": 0 } },
          { "Sequence": { "id": "A", "type_id": 0 } }
        ],
        "pair": [
          { "Sequence": { "id": "A", "type_id": 0 } },
          { "Sequence": { "id": "B", "type_id": 1 } }
        ],
        "special_tokens": {
          "<|begin_of_text|>": { "id": "<|begin_of_text|>", "tokens": ["<|begin_of_text|>"], "ids": ["#;

const PIPELINE_TAIL: &str = r#"] }
        }
      }
    ]
  },
  "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
  "model": {
    "type": "BPE",
    "dropout": null,
    "unk_token": null,
    "continuing_subword_prefix": null,
    "end_of_word_suffix": null,
    "fuse_unk": false,
    "byte_fallback": false,
    "ignore_merges": true,
    "vocab": {
"#;

/// Tokens by id and merges by rank.
struct Vocabulary {
    tokens: Vec<String>,
    merges: Vec<(usize, usize)>,
}

/// The longest token without a space before it, in bytes.
const LONGEST: usize = 14;
/// Byte-level BPE's letter for a space.
const SPACE: char = 'Ġ';

impl Vocabulary {
    /// Joins two known tokens into a new one again and again, letters into
    /// syllables and words; half of them have a space before them, as in the
    /// vocabularies of real models.
    fn grow(shape: Shape) -> Self {
        let mut tokens: Vec<String> = (0..=255).map(|byte| letter(byte).to_string()).collect();
        let mut ids: HashMap<String, usize> =
            tokens.iter().cloned().enumerate().map(|(id, token)| (token, id)).collect();
        let mut merges = Vec::with_capacity(shape.merges);
        // Tokens that others grow from: letters, and what was made of them.
        let mut parts: Vec<usize> = ('a'..='p').map(|letter| ids[&letter.to_string()]).collect();
        let space = ids[&SPACE.to_string()];
        let mut random = SplitMix64(shape.seed);
        while tokens.len() < shape.tokens {
            // Early parts, which are short, are taken most, so that tokens are
            // about six bytes long and made of tokens in several ways.
            let left = parts[random.early(parts.len())];
            let right = parts[random.early(parts.len())];
            let token = format!("{}{}", tokens[left], tokens[right]);
            if token.len() > LONGEST || ids.contains_key(&token) {
                continue;
            }
            // Each is there as a part of words and as the start of one.
            for (left, right) in [(left, right), (space, tokens.len())] {
                if tokens.len() < shape.tokens {
                    let id = tokens.len();
                    let token = format!("{}{}", tokens[left], tokens[right]);
                    if left != space {
                        parts.push(id);
                    }
                    ids.insert(token.clone(), id);
                    merges.push((left, right));
                    tokens.push(token);
                }
            }
        }
        // The other ways to make the tokens there are, as files that were
        // converted from ranked tokens have them.
        let made = merges.len();
        'fill: for id in 0..made {
            let token = &tokens[tokens.len() - made + id];
            for (at, _) in token.char_indices().skip(1) {
                if merges.len() >= shape.merges {
                    break 'fill;
                }
                if let (Some(&left), Some(&right)) = (ids.get(&token[..at]), ids.get(&token[at..]))
                    && merges[id] != (left, right)
                {
                    merges.push((left, right));
                }
            }
        }
        Self { tokens, merges }
    }
}

/// The character that byte-level BPE writes a byte as: printable bytes as
/// themselves, the others as the characters from 256 on (GPT-2's
/// `bytes_to_unicode`).
fn letter(byte: u8) -> char {
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if printable(&byte) {
        return char::from(byte);
    }
    let others_before = (0..byte).filter(|byte| !printable(byte)).count() as u32;
    char::from_u32(256 + others_before).unwrap_or_default()
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct SplitMix64(u64);

impl SplitMix64 {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z % bound.max(1) as u64) as usize
    }

    /// Below `bound`, the lower the likelier.
    fn early(&mut self, bound: usize) -> usize {
        (0..4).fold(bound, |bound, _| self.below(bound) + 1) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_the_shape_says() {
        let shape = Shape { tokens: 2000, merges: 2300, form: MergeForm::Pair, seed: 7 };
        let text = tokenizer_json(shape);
        assert_eq!(text, tokenizer_json(shape));
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(file["model"]["vocab"].as_object().unwrap().len(), 2000);
        assert_eq!(file["model"]["merges"].as_array().unwrap().len(), 2300);
        assert_eq!(file["added_tokens"].as_array().unwrap().len(), SPECIAL_TOKENS);
        assert_ne!(text, tokenizer_json(Shape { seed: 8, ..shape }));
    }
}
