//! Against what the reference client's tokenizers gave.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use vbench_synthetic::{MergeForm, Shape, tokenizer_json};

use super::{Chat, Error, Hub, Mode, TokenLists, Tokenizer};

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/tokenizers")
}

fn hub() -> Hub {
    Hub::from_lookup(|name| (name == "HF_HUB_OFFLINE").then(|| "1".to_owned()))
}

fn load(name: &str) -> Tokenizer {
    Tokenizer::load(fixtures().join(name).to_str().unwrap(), Mode::Auto, &hub()).unwrap()
}

fn vectors() -> Value {
    serde_json::from_slice(&std::fs::read(fixtures().join("vectors.json")).unwrap()).unwrap()
}

fn lines(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(fixtures().join("prompts").join(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

/// A folder with a small tokenizer.json and the given companions.
fn folder(companions: &[(&str, Value)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(fixtures().join("bpe/tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    for (name, value) in companions {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn load_with(companions: &[(&str, Value)]) -> Result<Tokenizer, Error> {
    Tokenizer::load(folder(companions).path().to_str().unwrap(), Mode::Auto, &hub())
}

#[test]
fn facts() {
    for (name, vector) in vectors().as_object().unwrap() {
        let tokenizer = load(name);
        let info = tokenizer.info();
        assert_eq!(json!(info.vocab_size), vector["vocab_size"], "{name}");
        assert_eq!(json!(info.full_vocab_size), vector["len"], "{name}");
        // The vector is sorted, the list is in the order of the names.
        let mut special_ids = info.special_ids.clone();
        special_ids.sort_unstable();
        assert_eq!(json!(special_ids), vector["all_special_ids"], "{name}");
        assert_eq!(json!(info.specials_per_sequence), vector["num_special_tokens_to_add"], "{name}");
        assert_eq!(json!(info.added_special_ids), vector["added_special"], "{name}");
        assert_eq!(info.has_chat_template, vector.get("chat").is_some(), "{name}");
        let all: Vec<u32> = (0..info.full_vocab_size).collect();
        assert_eq!(tokenizer.vocabulary_ids(), all, "{name}");
    }
    // Unknown, separator, padding, class, mask.
    assert_eq!(load("wordpiece").info().special_ids, [1, 3, 0, 2, 4]);
}

#[test]
fn encode_with_and_without_special_tokens() {
    for (name, vector) in vectors().as_object().unwrap() {
        let tokenizer = load(name);
        let cases = vector["encode"].as_array().unwrap();
        let texts: Vec<&str> = cases.iter().map(|case| case["text"].as_str().unwrap()).collect();
        for (special, key) in [(true, "ids"), (false, "ids_plain")] {
            let tokens = tokenizer.encode(&texts, special).unwrap();
            let counts = tokenizer.count(&texts, special).unwrap();
            for ((case, got), count) in cases.iter().zip(tokens.sequences()).zip(counts) {
                assert_eq!(got, ids(&case[key]), "{name}: {}", case["text"]);
                assert_eq!(count as usize, got.len());
            }
        }
    }
}

#[test]
fn decode_and_back() {
    for (name, vector) in vectors().as_object().unwrap() {
        let tokenizer = load(name);
        let cases = vector["decode"].as_array().unwrap();
        let sequences: Vec<Vec<u32>> = cases.iter().map(|case| ids(&case["ids"])).collect();
        let tokens = TokenLists::from_sequences(&sequences).unwrap();
        let round = tokenizer.round_trip(&tokens).unwrap();
        assert_eq!(round.texts, tokenizer.decode(&tokens, false).unwrap());
        for ((case, text), back) in cases.iter().zip(&round.texts).zip(round.tokens.sequences()) {
            assert_eq!(json!(text), case["text"], "{name}: {:?}", case["ids"]);
            assert_eq!(back, ids(&case["reencoded"]), "{name}: {text:?}");
        }
    }
}

#[test]
fn special_tokens_can_be_skipped() {
    let tokenizer = load("llama3");
    let tokens = tokenizer.encode(&["one two"], true).unwrap();
    assert_eq!(tokenizer.decode(&tokens, false).unwrap(), ["<|begin_of_text|>one two"]);
    assert_eq!(tokenizer.decode(&tokens, true).unwrap(), ["one two"]);
}

#[test]
fn chats() {
    for (name, vector) in vectors().as_object().unwrap() {
        let tokenizer = load(name);
        for case in vector["chat"].as_array().into_iter().flatten() {
            let chat = Chat::parse(&case["messages"].to_string(), None).unwrap();
            let options = case["kwargs"].as_object().unwrap();
            let texts = tokenizer.render_chat(&[chat], true, options).unwrap();
            assert_eq!(json!(texts[0]), case["text"], "{name}");
        }
    }
    let chat = Chat::parse(r#"[{"role": "user", "content": "x"}]"#, None).unwrap();
    let error = load("wordpiece").render_chat(&[chat], true, &Map::new()).unwrap_err();
    assert!(matches!(error, Error::NoChatTemplate { .. }));
}

/// The `custom` data set puts one user message through the template and counts
/// the tokens of the text, special ones included.
#[test]
fn prompts_of_recorded_runs() {
    for (case, tokenizer, options) in [
        ("custom-basic", "bpe", json!({})),
        ("custom-llama3-template", "llama3", json!({})),
        ("custom-template-kwargs", "bpe", json!({ "thinking": true })),
    ] {
        let tokenizer = load(tokenizer);
        let chats: Vec<Chat> = lines("custom.jsonl")
            .iter()
            .map(|row| {
                let messages = json!([{ "role": "user", "content": row["prompt"] }]);
                Chat::parse(&messages.to_string(), None).unwrap()
            })
            .collect();
        let rendered: HashSet<String> =
            tokenizer.render_chat(&chats, true, options.as_object().unwrap()).unwrap().into_iter().collect();
        let sent: Vec<String> = lines(&format!("{case}.requests.jsonl"))
            .iter()
            .filter_map(|request| request["json"]["prompt"].as_str().map(str::to_owned))
            .collect();
        assert!(!sent.is_empty());
        for prompt in &sent {
            assert!(rendered.contains(prompt), "{case}: {prompt}");
        }
        let samples = &lines(&format!("{case}.samples.json"))[0]["samples"];
        let lengths: Vec<Value> =
            samples.as_array().unwrap().iter().map(|sample| sample["prompt_len"].clone()).collect();
        assert_eq!(json!(tokenizer.count(&sent, true).unwrap()), json!(lengths), "{case}");
    }
}

#[test]
fn named_tokens_that_are_missing_are_added() {
    let tokenizer = load_with(&[(
        "tokenizer_config.json",
        json!({
            "bos_token": { "__type": "AddedToken", "content": "<s>", "special": true },
            "eos_token": "<|im_end|>",
            "pad_token": "<|im_end|>",
            "image_token": "<img>",
            "additional_special_tokens": ["<|im_start|>", "<x>"],
            "add_bos_token": true,
        }),
    )])
    .unwrap();
    let info = tokenizer.info();
    // bos, eos (pad is the same), the model's own, then the additional ones.
    assert_eq!(info.special_ids, [2002, 2001, 2003, 2000, 2004]);
    assert_eq!((info.vocab_size, info.full_vocab_size), (2000, 2005));
    assert_eq!(info.added_special_ids, [0, 1, 2000, 2001, 2002, 2003, 2004]);
    let tokens = tokenizer.encode(&["<s><img><x>"], true).unwrap();
    assert_eq!(tokens.ids(), [2002, 2003, 2004]);
}

#[test]
fn special_tokens_map_counts_only_without_added_tokens_decoder() {
    let map = json!({ "unk_token": { "content": "<|im_end|>", "lstrip": false } });
    let old = load_with(&[
        ("tokenizer_config.json", json!({ "eos_token": "<|im_start|>" })),
        ("special_tokens_map.json", map.clone()),
        ("added_tokens.json", json!({ "<new>": 2002, "<|im_end|>": 2001 })),
    ])
    .unwrap();
    assert_eq!(old.info().special_ids, [2000, 2001]);
    assert_eq!(old.info().full_vocab_size, 2003);
    assert_eq!(old.encode(&["<new>"], false).unwrap().ids(), [2002]);
    let new = load_with(&[
        ("tokenizer_config.json", json!({ "eos_token": "<|im_start|>", "added_tokens_decoder": {} })),
        ("special_tokens_map.json", map),
    ])
    .unwrap();
    assert_eq!(new.info().special_ids, [2000]);
}

#[test]
fn chat_templates_of_files_come_first() {
    let render = |companions: &[(&str, Value)], tools| {
        let chat = Chat::parse(r#"[{"role": "user"}]"#, tools).unwrap();
        let tokenizer = load_with(companions).unwrap();
        assert!(tokenizer.info().has_chat_template);
        tokenizer.render_chat(&[chat], false, &Map::new()).unwrap().remove(0)
    };
    let list = json!([{ "name": "default", "template": "c" }, { "name": "tool_use", "template": "t" }]);
    let config = ("tokenizer_config.json", json!({ "chat_template": list }));
    let processor = ("chat_template.json", json!({ "chat_template": "p" }));
    let file = ("chat_template.jinja", json!("f"));
    let more = ("additional_chat_templates/tool_use.jinja", json!("m"));
    assert_eq!(render(std::slice::from_ref(&config), None), "c");
    assert_eq!(render(&[config.clone(), processor.clone()], Some("[]")), "t");
    assert_eq!(render(&[processor], None), "p");
    assert_eq!(render(&[config.clone(), file.clone()], Some("[]")), "f");
    assert_eq!(render(&[config, file, more], Some("[]")), "m");
}

#[test]
fn clean_up_spares_bpe() {
    let decode = |name: &str, config: Value| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(fixtures().join(name).join("tokenizer.json"), folder.path().join("tokenizer.json"))
            .unwrap();
        std::fs::write(folder.path().join("tokenizer_config.json"), config.to_string()).unwrap();
        let tokenizer = Tokenizer::load(folder.path().to_str().unwrap(), Mode::Hf, &hub()).unwrap();
        let tokens = tokenizer.encode(&["go ."], false).unwrap();
        tokenizer.decode(&tokens, false).unwrap().remove(0)
    };
    let on = json!({ "clean_up_tokenization_spaces": true });
    assert_eq!(decode("bpe", on), "go .");
    let force = json!({
        "clean_up_tokenization_spaces": true,
        "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output": true,
    });
    assert_eq!(decode("bpe", force), "go.");
}

#[test]
fn broken_files_are_errors() {
    let config = |value: Value| load_with(&[("tokenizer_config.json", value)]).err().unwrap();
    assert!(matches!(config(json!("{")), Error::Json { .. }));
    for bad in [
        json!([]),
        json!({ "bos_token": 1 }),
        json!({ "extra_special_tokens": 1 }),
        json!({ "added_tokens_decoder": { "x": {} } }),
        json!({ "added_tokens_decoder": { "1": {} } }),
        json!({ "clean_up_tokenization_spaces": "yes" }),
        json!({ "chat_template": [1] }),
    ] {
        let text = config(bad.clone()).to_string();
        assert!(text.contains("tokenizer_config.json"), "{bad}: {text}");
    }
    for bad in ["", "{}", "[]", r#"{"version": "1.0", "model": {"type": "BPE"}}"#] {
        let error = load_with(&[("tokenizer.json", json!(bad))]).err().unwrap();
        assert!(matches!(error, Error::Invalid { .. }), "{bad}: {error}");
    }
    // A merge longer than any token makes the library's builder panic.
    let merge = json!({
        "version": "1.0",
        "model": { "type": "BPE", "vocab": { "a": 0, "b": 1 }, "merges": ["a b"] },
    });
    let text = load_with(&[("tokenizer.json", merge)]).err().unwrap().to_string();
    assert!(text.contains("the merge of \"a\" and \"b\""), "{text}");
}

/// Files of several kinds, as texts.
fn files() -> Vec<String> {
    let shape = Shape { tokens: 1500, merges: 2500, form: MergeForm::Text, seed: 3 };
    let mut files: Vec<String> =
        [MergeForm::Text, MergeForm::Pair].map(|form| tokenizer_json(Shape { form, ..shape })).to_vec();
    files.extend(
        ["bpe", "llama3", "wordpiece"]
            .map(|name| std::fs::read_to_string(fixtures().join(name).join("tokenizer.json")).unwrap()),
    );
    // Words by two patterns, a normalizer, and no word taken whole.
    let mut file: Value = serde_json::from_str(&files[1]).unwrap();
    file["model"]["ignore_merges"] = json!(false);
    file["normalizer"] = json!({ "type": "NFC" });
    let digits = json!({
        "type": "Split", "pattern": { "Regex": "\\p{N}" }, "behavior": "Isolated", "invert": false
    });
    file["pre_tokenizer"]["pretokenizers"].as_array_mut().unwrap().insert(0, digits);
    files.push(file.to_string());
    // Pipelines that do not take the direct way.
    file["pre_tokenizer"]["pretokenizers"][0]["behavior"] = json!("MergedWithPrevious");
    files.push(file.to_string());
    file["pre_tokenizer"] = json!({
        "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true
    });
    file["decoder"] = json!({ "type": "Fuse" });
    files.push(file.to_string());
    // Models that see other characters than the letters of bytes.
    file["pre_tokenizer"] = json!({ "type": "Whitespace" });
    files.push(file.to_string());
    file["model"]["unk_token"] = json!("a");
    files.push(file.to_string());
    files
}

/// The files as the library reads them, and as this module does.
static LOADED: LazyLock<Vec<(tokenizers::Tokenizer, Tokenizer)>> = LazyLock::new(|| {
    files()
        .iter()
        .map(|text| (text.parse().unwrap(), load_with(&[("tokenizer.json", json!(text))]).unwrap()))
        .collect()
});

#[test]
fn reader_gives_what_the_library_gives() {
    // Synthetic twice, bpe, llama3, wordpiece, and the variants.
    let direct = [true, true, true, true, false, true, false, false, false, false];
    assert_eq!(LOADED.len(), direct.len());
    for ((library, tokenizer), direct) in LOADED.iter().zip(&direct) {
        let info = tokenizer.info();
        assert_eq!(tokenizer.is_direct(), *direct);
        assert_eq!(info.vocab_size as usize, library.get_vocab_size(false));
        assert_eq!(info.full_vocab_size as usize, library.get_vocab_size(true));
        for id in tokenizer.vocabulary_ids() {
            let token = library.id_to_token(id).unwrap();
            assert_eq!(tokenizer.token(id).as_ref(), Some(&token));
        }
    }
}

#[test]
fn synthetic_tokenizer_loads_with_its_special_tokens() {
    let shape = Shape { tokens: 1000, merges: 1500, form: MergeForm::Text, seed: 1 };
    let text = tokenizer_json(shape);
    let tokenizer = load_with(&[("tokenizer.json", json!(text))]).unwrap();
    assert_eq!(tokenizer.info().vocab_size, 1000);
    assert_eq!(tokenizer.info().specials_per_sequence, 1);
    assert_eq!(tokenizer.encode(&["<|end_of_text|>"], true).unwrap().ids(), [1000, 1001]);
}

fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        "[a-z]{1,12}",
        "[a-e]{60,90}",
        "[ \t\r\n]{1,4}",
        "[0-9]{1,5}",
        "'(s|t|re|ve|m|ll|d|S|RE)",
        "[.,!?;:]{1,3}",
        Just("<|im_start|>".to_owned()),
        Just("<|eot_id|>".to_owned()),
        Just("[SEP]".to_owned()),
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// Whatever way encode and decode take, the library's plain functions say
    /// what is right.
    #[test]
    fn as_the_library_encodes_and_decodes(text in texts(), special: bool, seed: u32) {
        for (library, tokenizer) in LOADED.iter() {
            let expected = library.encode(text.as_str(), special).unwrap();
            let got = tokenizer.encode(&[text.as_str()], special).unwrap();
            prop_assert_eq!(got.ids(), expected.get_ids());

            let size = tokenizer.info().full_vocab_size + 3;
            let ids: Vec<u32> = (0..40).map(|i| seed.wrapping_mul(i * 2 + 1) % size).collect();
            let tokens = TokenLists::from_sequences(&[&ids]).unwrap();
            let expected = library.decode(&ids, special).unwrap();
            prop_assert_eq!(&tokenizer.decode(&tokens, special).unwrap()[0], &expected);
        }
    }
}
