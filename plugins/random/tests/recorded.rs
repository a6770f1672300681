//! The dataset against what the reference client sampled with the same
//! tokenizers.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokenizers::Tokenizer;
use vbench_plugin::generators::NumpyRandomState;
use vbench_plugin::media::Source;
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{DatasetArgs, DatasetRun, Host, HostTokenizer};
use vbench_plugin::tokenizer::Info;
use vbench_plugin_random::{PrefixRepetition, Random, RandomMm, RandomRerank};

/// A tokenizer of `tests/fixtures/tokenizers`, which has no named specials
/// beyond those that are added tokens.
struct Recorded {
    tokenizer: Tokenizer,
    info: Info,
    clean_up: bool,
}

impl Recorded {
    fn load(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tokenizers").join(name);
        let tokenizer = Tokenizer::from_file(folder.join("tokenizer.json")).unwrap();
        let config = std::fs::read(folder.join("tokenizer_config.json")).unwrap();
        let config: Value = serde_json::from_slice(&config).unwrap();
        let named =
            ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
        let named = named.iter().filter_map(|key| tokenizer.token_to_id(config[key].as_str()?));
        let info = Info {
            name: name.into(),
            vocab_size: tokenizer.get_vocab_size(false) as u32,
            full_vocab_size: tokenizer.get_vocab_size(true) as u32,
            special_ids: named.collect(),
            added_special_ids: added_specials(&tokenizer),
            specials_per_sequence: tokenizer.encode("", true).unwrap().len() as u32,
            has_chat_template: false,
        };
        let model: Value =
            serde_json::from_slice(&std::fs::read(folder.join("tokenizer.json")).unwrap()).unwrap();
        let clean_up = config["clean_up_tokenization_spaces"] == true && model["model"]["type"] != "BPE";
        Self { tokenizer, info, clean_up }
    }
}

/// Ids of added tokens flagged as special, ascending.
fn added_specials(tokenizer: &Tokenizer) -> Vec<u32> {
    let added = tokenizer.get_added_tokens_decoder();
    let mut ids: Vec<u32> = added.iter().filter(|(_, token)| token.special).map(|(&id, _)| id).collect();
    ids.sort_unstable();
    ids
}

impl HostTokenizer for Recorded {
    fn describe(&self) -> Info {
        self.info.clone()
    }

    fn encode(&self, text: &str, add_special_tokens: bool) -> Vec<u32> {
        self.tokenizer.encode_fast(text, add_special_tokens).unwrap().get_ids().to_vec()
    }

    fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> String {
        let mut text = self.tokenizer.decode(ids, skip_special_tokens).unwrap();
        if self.clean_up {
            for (found, put) in [
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
            ] {
                text = text.replace(found, put);
            }
        }
        text
    }
}

#[derive(Deserialize)]
struct Case {
    case: String,
    tokenizer: String,
    count: i64,
    seed: u64,
    config: Value,
    /// Request id, lengths of prompt and answer, SHA-256 of the prompt.
    samples: Vec<(Option<String>, u64, i64, String)>,
}

/// The digest of a text, or of the JSON that Python writes for a list of texts.
fn digest(prompt: &Prompt) -> String {
    let text = match prompt {
        Prompt::Text(text) => text.clone(),
        Prompt::Texts(texts) => {
            let texts: Vec<String> = texts.iter().map(|text| json!(text).to_string()).collect();
            format!("[{}]", texts.join(", "))
        }
        other => panic!("no text: {other:?}"),
    };
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn run(tokenizer: &str, config: &Value, count: i64, seed: u64) -> Result<DatasetRun> {
    run_as::<Random>(tokenizer, config, count, seed, Compat::V0_33)
}

fn run_as<D: Dataset>(
    tokenizer: &str,
    config: &Value,
    count: i64,
    seed: u64,
    compat: Compat,
) -> Result<DatasetRun> {
    let args = DatasetArgs { backend: "openai-chat".into(), compat, ..DatasetArgs::recorded(seed, count) };
    Host::new().with_tokenizer(Recorded::load(tokenizer)).run_dataset::<D>(&config.to_string(), args)
}

#[test]
fn samples_are_those_of_the_reference_client() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/cases.json")).unwrap();
    assert!(cases.len() > 40);
    compare::<Random>(cases);
}

#[test]
fn queries_and_documents_are_those_of_the_reference_client() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/rerank.json")).unwrap();
    assert_eq!(cases.len(), 6);
    compare::<RandomRerank>(cases);
}

#[test]
fn prompts_with_common_beginnings_are_those_of_the_reference_client() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/prefix_repetition.json")).unwrap();
    assert_eq!(cases.len(), 3);
    compare::<PrefixRepetition>(cases);
}

fn compare<D: Dataset>(cases: Vec<Case>) {
    for case in cases {
        let run = run_as::<D>(&case.tokenizer, &case.config, case.count, case.seed, Compat::V0_33).unwrap();
        let samples: Vec<(Option<String>, u64, i64, String)> = run
            .samples
            .into_iter()
            .map(|sample| {
                let turn = &sample.turns[0];
                (sample.id, turn.prompt_tokens, turn.output_tokens, digest(&turn.prompt))
            })
            .collect();
        assert_eq!(samples, case.samples, "{}", case.case);
        let draws_from_globals = D::NAME == PrefixRepetition::NAME;
        assert_eq!(run.summary.python_random.is_some(), draws_from_globals);
        assert_eq!(run.summary.numpy_random.is_some(), draws_from_globals);
    }
}

/// A case of the dataset with media.
#[derive(Deserialize)]
struct MediaCase {
    #[serde(flatten)]
    case: Case,
    /// Items of each request.
    items: Vec<usize>,
    /// Width, height and SHA-256 of the pixels of each image, in their order.
    images: Vec<(u32, u32, String)>,
}

#[test]
fn prompts_with_media_are_those_of_the_reference_client() {
    let cases: Vec<MediaCase> = serde_json::from_str(include_str!("fixtures/mm.json")).unwrap();
    assert_eq!(cases.len(), 5);
    for MediaCase { case, items, images } in cases {
        let args =
            DatasetArgs { backend: "openai-chat".into(), ..DatasetArgs::recorded(case.seed, case.count) };
        let host = Host::new().with_tokenizer(Recorded::load(&case.tokenizer));
        let run = host.run_dataset::<RandomMm>(&case.config.to_string(), args).unwrap();
        let found: Vec<usize> =
            run.samples.iter().map(|sample| sample.turns[0].attachments.as_slice().len()).collect();
        assert_eq!(found, items, "{}", case.case);
        let drawn: Vec<(u32, u32, String)> = host
            .media()
            .into_iter()
            .filter_map(|held| match held.source {
                Source::Pixels(pixels) if pixels.frames == 1 => {
                    let sha = Sha256::digest(&pixels.rgb);
                    let sha = sha.iter().map(|byte| format!("{byte:02x}")).collect();
                    Some((pixels.width, pixels.height, sha))
                }
                _ => None,
            })
            .collect();
        assert_eq!(drawn, images, "{}", case.case);
        compare::<RandomMm>(vec![case]);
    }
}

#[test]
fn media_in_a_chat_are_in_the_messages_alone() {
    let config = json!({"input_len": 8, "enable_multimodal_chat": true, "bucket_config": {"(8, 8, 1)": 1}});
    let run = run_as::<RandomMm>("bpe", &config, 2, 0, Compat::Vbench).unwrap();
    let turn = &run.samples[0].turns[0];
    let Prompt::Messages(messages) = &turn.prompt else { panic!("no messages") };
    assert!(messages.contains(r#""image_url":{"url":"vbench-media:"#));
    assert!(turn.attachments.as_slice().is_empty());
}

#[test]
fn the_reference_client_sends_media_to_few_backends() {
    let args = DatasetArgs { compat: Compat::V0_33, ..DatasetArgs::default() };
    let error = Host::new().run_dataset::<RandomMm>("{}", args).unwrap_err();
    assert!(error.message.contains("is not supported on backend 'openai'"));
}

/// The reference client says of this run that there were 4 more tokens than
/// expected.
#[test]
fn tokens_that_do_not_come_out_even_are_said() {
    let run = run("bpe", &json!({"input_len": 32, "output_len": 8}), 8, 0).unwrap();
    assert_eq!(run.messages.len(), 1);
    assert!(run.messages[0].text.contains(" 4 more "), "{}", run.messages[0].text);
}

#[test]
fn wrong_options_are_named() {
    for (config, key) in [
        (json!({"input_len": 20, "range_ratio": 1.0}), "input_len"),
        (json!({"input_len": 20, "prefix_len": 5, "range_ratio": 1.0}), "range_ratio"),
        (json!({"input_len": 20, "range_ratio": {"input": 0.1}}), "range_ratio"),
        (json!({"prefix_len": 3, "common_prefix_len": 4}), "common_prefix_len"),
    ] {
        assert_eq!(run("bpe", &config, 4, 0).unwrap_err().config_key.as_deref(), Some(key), "{config}");
    }
    // Two special tokens leave nothing of two.
    assert!(run("wordpiece", &json!({"input_len": 2}), 4, 0).is_err());
    assert!(run("bpe", &json!({}), -1, 0).is_err());
    assert!(run("bpe", &json!({}), 0, 0).unwrap().samples.is_empty());
}

/// Half of two tokens leaves none for the query.
#[test]
fn an_empty_query_is_refused_but_by_the_reference_client() {
    let config = json!({"input_len": 2});
    let run = |compat| run_as::<RandomRerank>("bpe", &config, 3, 0, compat);
    assert_eq!(run(Compat::Vbench).unwrap_err().config_key.as_deref(), Some("input_len"));
    let samples = run(Compat::V0_33).unwrap().samples;
    let Prompt::Texts(texts) = &samples[0].turns[0].prompt else { panic!("no texts") };
    assert_eq!((samples.len(), texts[0].as_str()), (3, ""));
}

#[test]
fn without_a_reranker_there_have_to_be_a_query_and_a_document() {
    for (count, batch_size) in [(1, 2), (2, 1), (0, 2)] {
        let config = json!({"no_reranker": true, "batch_size": batch_size});
        assert!(run_as::<RandomRerank>("bpe", &config, count, 0, Compat::V0_33).is_err());
    }
    let config = json!({"no_reranker": true, "batch_size": 2, "input_len": 8});
    assert_eq!(run_as::<RandomRerank>("bpe", &config, 2, 0, Compat::V0_33).unwrap().samples.len(), 1);
}

/// Arrival gaps are drawn from what the dataset leaves of the legacy generator.
#[test]
fn arrivals_follow_from_the_state_that_is_left() {
    let config = json!({"prefix_len": 16, "suffix_len": 8, "num_prefixes": 2, "output_len": 3});
    let run = run_as::<PrefixRepetition>("bpe", &config, 12, 3, Compat::V0_33).unwrap();
    let state = run.summary.numpy_random.unwrap();
    let mut numpy = NumpyRandomState::from_state(&state.words, state.position).unwrap();
    let mut now_s = 0.0;
    let offsets_s = [(); 12].map(|()| {
        now_s += numpy.gamma(1.0, 1.0 / 80.0).unwrap();
        now_s
    });
    // The last of 12 requests at 80 a second is moved to 0.15 s, the others with it.
    let moved = offsets_s.map(|offset_s| offset_s * 0.15 / now_s);
    let recorded = [0.005750030375626469, 0.014341382955566721, 0.015267586427467075];
    for (found, recorded) in moved.iter().zip(recorded) {
        assert!((found - recorded).abs() < 1e-12, "{found} is not {recorded}");
    }
}

#[test]
fn a_remainder_is_left_out_unless_it_is_asked_for() {
    let texts = |config: Value| {
        let run = run_as::<PrefixRepetition>("bpe", &config, 11, 2, Compat::V0_33).unwrap();
        (run.samples.len(), run.messages.iter().any(|message| message.text.starts_with("3 prompts")))
    };
    assert_eq!(texts(json!({"prefix_len": 4, "suffix_len": 4, "num_prefixes": 4})), (8, true));
    let all = json!({"prefix_len": 4, "suffix_len": 4, "num_prefixes": 4, "keep_remainder": true});
    assert_eq!(texts(all), (11, false));
    let error = run_as::<PrefixRepetition>("bpe", &json!({}), 4, 0, Compat::V0_33).unwrap_err();
    assert_eq!(error.config_key.as_deref(), Some("num_prefixes"));
}

/// A tokenizer that counts how many sequences it has decoded.
struct Counting(Recorded, Rc<Cell<usize>>);

impl HostTokenizer for Counting {
    fn describe(&self) -> Info {
        self.0.describe()
    }

    fn encode(&self, text: &str, add_special_tokens: bool) -> Vec<u32> {
        self.0.encode(text, add_special_tokens)
    }

    fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> String {
        self.1.set(self.1.get() + 1);
        self.0.decode(ids, skip_special_tokens)
    }
}

#[test]
fn prompts_that_are_not_shuffled_are_made_as_they_are_asked_for() {
    let config =
        json!({"prefix_len": 8, "suffix_len": 8, "num_prefixes": 5, "disable_shuffle": true}).to_string();
    let decoded = Rc::new(Cell::new(0));
    let host = Host::new().with_tokenizer(Counting(Recorded::load("bpe"), Rc::clone(&decoded)));
    let mut dataset = host.open_dataset::<PrefixRepetition>(&config, DatasetArgs::recorded(4, 200)).unwrap();
    assert_eq!(decoded.get(), 0);
    assert_eq!(dataset.next(3).unwrap().len(), 3);
    let first = decoded.get();
    while !dataset.next(50).unwrap().is_empty() {}
    assert!(first * 20 < decoded.get(), "{first} of {}", decoded.get());
}

#[test]
fn the_older_name_of_the_prefix_length_does_the_same() {
    let texts = |config: Value| run("bpe", &config, 3, 0).unwrap().samples;
    let older = texts(json!({"input_len": 9, "common_prefix_len": 7}));
    assert_eq!(older, texts(json!({"input_len": 9, "prefix_len": 7})));
    assert_eq!(older[0].turns[0].prompt_tokens, 16);
}

fn texts(run: &DatasetRun) -> Vec<&str> {
    let text = |sample| {
        let Sample { turns, .. }: &Sample = sample;
        match &turns[0].prompt {
            Prompt::Text(text) => text.as_str(),
            other => panic!("no text: {other:?}"),
        }
    };
    run.samples.iter().map(text).collect()
}

/// Lengths and first tokens are drawn before all prompts, so they stay.
#[test]
fn parallel_prompts_depend_on_the_seed_and_their_place_alone() {
    let config = json!({"input_len": 400, "range_ratio": 0.5, "output_len": 9, "sampling": "parallel"});
    let few = run("bpe", &config, 8, 3).unwrap();
    assert_eq!(texts(&few), texts(&run("bpe", &config, 8, 3).unwrap()));
    assert_ne!(texts(&few), texts(&run("bpe", &config, 8, 4).unwrap()));
    let serial = json!({"input_len": 400, "range_ratio": 0.5, "output_len": 9});
    let serial = run("bpe", &serial, 8, 3).unwrap();
    for (sample, as_ever) in few.samples.iter().zip(&serial.samples) {
        let (turn, as_ever) = (&sample.turns[0], &as_ever.turns[0]);
        assert_eq!(turn.output_tokens, as_ever.output_tokens);
        assert!(turn.prompt_tokens.abs_diff(as_ever.prompt_tokens) <= 4, "{turn:?} {as_ever:?}");
    }
}

#[test]
fn parallel_prompts_with_common_beginnings_do_not_depend_on_the_page() {
    let config = json!({"prefix_len": 12, "suffix_len": 8, "num_prefixes": 3, "sampling": "parallel"});
    let made = run_as::<PrefixRepetition>("bpe", &config, 30, 1, Compat::Vbench).unwrap();
    let again = run_as::<PrefixRepetition>("bpe", &config, 30, 1, Compat::Vbench).unwrap();
    let sorted = |run: &DatasetRun| {
        let mut texts: Vec<String> = texts(run).into_iter().map(str::to_owned).collect();
        texts.sort();
        texts
    };
    assert_eq!(texts(&made), texts(&again));
    assert_eq!(sorted(&made).windows(2).filter(|pair| pair[0] == pair[1]).count(), 0);
    assert!(made.summary.numpy_random.is_none());
    let unshuffled = json!({"prefix_len": 12, "suffix_len": 8, "num_prefixes": 3, "sampling": "parallel",
        "disable_shuffle": true});
    let unshuffled = run_as::<PrefixRepetition>("bpe", &unshuffled, 30, 1, Compat::Vbench).unwrap();
    let beginning = |text: &str| text.chars().take(8).collect::<String>();
    let beginnings: std::collections::BTreeSet<String> =
        texts(&unshuffled).into_iter().map(beginning).collect();
    assert_eq!(beginnings.len(), 3);
}

#[test]
fn a_run_without_tokenizer_is_refused() {
    let result = Host::new().without_tokenizer().run_dataset::<Random>("{}", DatasetArgs::default());
    assert!(result.unwrap_err().message.contains("needs a tokenizer"));
}

#[test]
fn the_schema_has_the_flags_of_the_reference_client() {
    let description = vbench_plugin_random::describe();
    let schema: Value = serde_json::from_str(&description.offers[0].config_schema).unwrap();
    let flags: Vec<String> = schema["properties"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, property)| match property["x-flag"].as_str() {
            Some(flag) => flag.into(),
            None => format!("random-{}", key.replace('_', "-")),
        })
        .collect();
    assert_eq!(
        flags,
        [
            "random-input-len",
            "random-output-len",
            "random-range-ratio",
            "random-prefix-len",
            "random-batch-size",
            "common-prefix-len",
            "sampling"
        ]
    );
    assert_eq!((&schema["x-ignore-eos"], &schema["x-fresh-prompts"]), (&json!(true), &json!(true)));
    assert_eq!(schema["properties"]["prefix_len"]["x-shared-prefix"], true);
    assert_eq!(schema["properties"]["input_len"]["x-general-flag"], "input-len");
    assert_eq!(schema["properties"]["output_len"]["x-general-flag"], "output-len");
    assert_eq!(schema["properties"]["range_ratio"]["default"], 0.0);
}
