//! The dataset against its rules, with a tokenizer of one token a word.

use serde_json::{Value, json};
use vbench_plugin::generators::PythonRandom;
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{DatasetArgs, DatasetRun, Host, HostTokenizer};
use vbench_plugin::tokenizer::Info;
use vbench_plugin_sonnet::Sonnet;

/// A token a word; the template adds two.
struct Words;

impl HostTokenizer for Words {
    fn describe(&self) -> Info {
        Info {
            name: "words".into(),
            vocab_size: 1,
            full_vocab_size: 1,
            special_ids: Vec::new(),
            added_special_ids: Vec::new(),
            specials_per_sequence: 0,
            has_chat_template: true,
        }
    }

    fn encode(&self, text: &str, add_special_tokens: bool) -> Vec<u32> {
        assert!(add_special_tokens);
        text.split_whitespace().map(|_| 0).collect()
    }

    fn decode(&self, _ids: &[u32], _skip_special_tokens: bool) -> String {
        unreachable!("the dataset decodes nothing")
    }
}

const TASK: &str = "Pick as many lines as you can from these poem lines:\n";

/// Lines of 1, 2, 3 and 4 words, 2.5 in the mean.
const POEM: [&str; 4] = ["one\n", "one two\n", "one two three\n", "one two three four\n"];

fn run(config: Value, backend: &str, count: i64, compat: Compat) -> Result<DatasetRun> {
    run_with(&POEM, config, backend, count, compat)
}

fn run_with(poem: &[&str], config: Value, backend: &str, count: i64, compat: Compat) -> Result<DatasetRun> {
    let args = DatasetArgs { backend: backend.into(), compat, ..DatasetArgs::recorded(3, count) };
    Host::new()
        .with_tokenizer(Words)
        .with_rows("path", poem.iter().map(|line| json!(line)).collect())
        .run_dataset::<Sonnet>(&config.to_string(), args)
}

fn text(sample: &Sample) -> &str {
    match &sample.turns[0].prompt {
        Prompt::Text(text) => text,
        other => panic!("no text: {other:?}"),
    }
}

/// The loop as it is written down: the task and the template have 13 tokens, so
/// 33 leave 20, which are 8 lines; 19 leave 6, which are 2.4.
#[test]
fn prompts_are_drawn_until_enough_are_short_enough() {
    let config = json!({"path": "poem.txt", "input_len": 33, "prefix_len": 19, "output_len": 5});
    let found = run(config, "openai-chat", 40, Compat::V0_12).unwrap();
    let mut random = PythonRandom::new(3);
    let mut accepted = Vec::new();
    let mut rejected = 0;
    while accepted.len() < 40 {
        let drawn = random.choices(4, 6).unwrap();
        let words = 13 + 1 + 2 + drawn.iter().map(|line| line + 1).sum::<usize>();
        if words <= 33 {
            let lines: String = drawn.into_iter().map(|line| POEM[line]).collect();
            accepted.push((format!("{TASK}one\none two\n{lines}"), words as u64));
        } else {
            rejected += 1;
        }
    }
    assert!(rejected > 0);
    let prompts: Vec<(String, u64)> =
        found.samples.iter().map(|sample| (text(sample).to_owned(), sample.turns[0].prompt_tokens)).collect();
    assert_eq!(prompts, accepted);
    assert_eq!(found.samples[39].id.as_deref(), Some("g-39"));
    assert_eq!(found.samples[0].turns[0].output_tokens, 5);
    let state = found.summary.python_random.unwrap();
    assert_eq!((state.words.as_slice(), state.position), (random.state().0.as_slice(), random.state().1));
}

#[test]
fn other_backends_get_the_templated_text() {
    let config = json!({"path": "poem.txt", "input_len": 33, "prefix_len": 0});
    let found = run(config, "openai", 1, Compat::Vbench).unwrap();
    assert!(text(&found.samples[0]).starts_with(&format!("user: {TASK}")));
    assert!(text(&found.samples[0]).ends_with("assistant: "));
}

#[test]
fn shakespeare_is_at_hand() {
    let found = run(json!({}), "openai-chat", 3, Compat::Vbench).unwrap();
    assert!(
        text(&found.samples[2]).starts_with(&format!("{TASK}From fairest creatures we desire increase,\n"))
    );
    assert!((400..=550).contains(&found.samples[2].turns[0].prompt_tokens));
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    for (config, key) in [
        (json!({"path": "poem.txt", "input_len": 13}), "input_len"),
        (json!({"path": "poem.txt", "input_len": 33, "prefix_len": 40}), "prefix_len"),
        (json!({"path": "poem.txt", "input_len": i64::MAX, "prefix_len": 0}), "input_len"),
    ] {
        let error = run(config.clone(), "openai", 2, Compat::Vbench).unwrap_err();
        assert_eq!(error.config_key.as_deref(), Some(key), "{config}: {}", error.message);
    }
    assert!(run(json!({}), "openai", 2, Compat::V0_33).unwrap_err().message.contains("0.33"));
}

/// The first two lines are longer than two lines are in the mean, and no line is
/// drawn beside them. The reference client tries for ever.
#[test]
fn a_poem_of_which_no_prompt_is_short_enough_comes_to_an_end() {
    let poem = ["a b c d\n", "a b c\n", "a b\n", "a\n"];
    let config = json!({"path": "poem.txt", "input_len": 19, "prefix_len": 18});
    let error = run_with(&poem, config, "openai", 2, Compat::V0_12).unwrap_err();
    assert!(error.message.contains("in a row"), "{}", error.message);
}
