//! What the dataset does with rows and options that no recording has.

use serde_json::{Value, json};
use vbench_plugin::log::Level;
use vbench_plugin::media::{Form, Source};
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{ByteTokenizer, DatasetArgs, DatasetRun, Host, HostTokenizer};
use vbench_plugin::tokenizer::Info;
use vbench_plugin_hf::HuggingFace;

/// Runs on a single file, in the order of its rows unless `config` says else.
fn run(rows: Vec<Value>, config: Value, count: i64, compat: Compat) -> Result<DatasetRun> {
    let mut options = json!({"path": "x.jsonl", "blazedit_max_distance": 1.0, "disable_shuffle": true});
    for (key, value) in config.as_object().unwrap() {
        options[key] = value.clone();
    }
    let args = DatasetArgs { count, compat, ..DatasetArgs::default() };
    Host::new().with_rows("path", rows).run_dataset::<HuggingFace>(&options.to_string(), args)
}

fn lengths(run: &DatasetRun) -> Vec<i64> {
    run.samples.iter().map(|sample| sample.turns[0].output_tokens).collect()
}

fn talk(question: &str, answer: &str) -> Value {
    json!({"conversations": [{"value": question}, {"value": answer}]})
}

const TALKS: &str = "Aeala/ShareGPT_Vicuna_unfiltered";

#[test]
fn answers_that_count_are_filtered_and_lengths_of_the_user_are_not() {
    let rows = vec![
        talk("long enough", "yes, it is"),
        talk("a", "b"),
        json!({"conversations": [{"value": "alone"}]}),
    ];
    let by_answer =
        run(rows.clone(), json!({"name": TALKS, "no_oversample": true}), 9, Compat::V0_33).unwrap();
    // A byte a token, and one that begins the text.
    assert_eq!(lengths(&by_answer), [11]);
    assert_eq!(by_answer.summary.skipped.len(), 2);
    assert_eq!(by_answer.summary.python_random, None);
    let by_flag = run(rows, json!({"name": TALKS, "output_len": 2}), 3, Compat::V0_33).unwrap();
    assert_eq!(lengths(&by_flag), [2, 2, 2]);
    assert!(by_flag.summary.python_random.is_some(), "the copy was drawn");
    let zero = run(Vec::new(), json!({"name": TALKS, "output_len": 0}), 1, Compat::V0_33).unwrap_err();
    assert_eq!(zero.config_key.as_deref(), Some("output_len"));
}

#[test]
fn rows_that_are_not_needed_may_be_bad() {
    let rows = vec![talk("a question", "an answer"), json!({"conversations": "none"})];
    let config = json!({"name": TALKS});
    assert_eq!(run(rows.clone(), config.clone(), 1, Compat::V0_33).unwrap().samples.len(), 1);
    let error = run(rows, config, 2, Compat::V0_33).unwrap_err();
    let location = error.location.unwrap();
    assert_eq!((location.row, location.column.as_deref()), (Some(2), Some("conversations")));
}

#[test]
fn changes_are_numbered_by_row_in_the_reference_client_only() {
    let change = |distance: f64| json!({"code": "x", "change_request": "y", "norm_distance": distance});
    let rows = vec![change(0.1), change(0.5), change(0.9), change(0.6)];
    let config =
        json!({"path": "vdaita/edit_5k_char", "blazedit_min_distance": 0.5, "blazedit_max_distance": 0.6});
    let ids = |count, compat| {
        let run = run(rows.clone(), config.clone(), count, compat)?;
        Ok::<_, Error>(run.samples.into_iter().filter_map(|sample| sample.id).collect::<Vec<_>>())
    };
    assert_eq!(ids(2, Compat::V0_33).unwrap(), ["test-1", "test-3"]);
    assert_eq!(ids(3, Compat::Vbench).unwrap(), ["test-0", "test-1", "test-2"]);
    // The copy is number 3 again.
    assert!(ids(4, Compat::V0_33).is_err());
}

#[test]
fn an_edit_without_a_mark_counts_whole_outside_of_the_reference_client() {
    let rows = || vec![json!({"events": "e", "input": "i", "output": "no mark ą"})];
    let config = json!({"name": "zed-industries/zeta", "output_len": 7, "no_oversample": true});
    let reference = run(rows(), config.clone(), 0, Compat::V0_33).unwrap();
    // The last character has two bytes; the flag has no effect; one comes although none is wanted.
    assert_eq!(lengths(&reference), [3]);
    assert_eq!(reference.messages[0].level, Level::Warn);
    assert_eq!(lengths(&run(rows(), config, 1, Compat::Vbench).unwrap()), [7]);
    let own = run(rows(), json!({"name": "zed-industries/zeta"}), 1, Compat::Vbench).unwrap();
    assert_eq!(lengths(&own), [11]);
}

#[test]
fn any_dataset_can_be_asked_by_its_columns() {
    let rows = vec![json!({"q": "first", "a": "xy"}), json!({"q": "second", "a": 40})];
    let config = json!({"prompt_column": "q", "output_column": "a", "skip_chat_template": true});
    let by_column = run(rows.clone(), config, 2, Compat::Vbench).unwrap();
    assert_eq!(lengths(&by_column), [2, 40]);
    assert_eq!(by_column.samples[1].turns[0].prompt, Prompt::Text("second".into()));
    let flag = run(rows.clone(), json!({"prompt_column": "q", "output_len": 5}), 2, Compat::Vbench).unwrap();
    assert_eq!(lengths(&flag), [5, 5]);
    for (config, key) in [
        (json!({"prompt_column": "q"}), "output_column"),
        (json!({"name": TALKS, "output_column": "a"}), "output_column"),
    ] {
        assert_eq!(
            run(rows.clone(), config, 1, Compat::Vbench).unwrap_err().config_key.as_deref(),
            Some(key)
        );
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    for (config, words) in [
        (json!({"name": "openai/gsm8k", "asr_max_audio_len_sec": 3}), "for datasets of class ASR, not GSM8K"),
        (json!({"name": "a/b"}), "unsupported dataset `a/b`"),
        (json!({"path": "openai/gsm8k"}), "`openai/gsm8k` is no folder"),
        (json!({"path": "gorilla-llm/Berkeley-Function-Calling-Leaderboard"}), "is no folder"),
        (
            json!({"name": "openai/gsm8k", "bfcl_categories": "simple"}),
            "for datasets of class BFCL, not GSM8K",
        ),
        (json!({"name": "openai/gsm8k", "split": "test"}), "a single file has no subsets or splits"),
    ] {
        let rows = if config.get("path").is_some() { None } else { Some(vec![json!({"question": "?"})]) };
        let error = match rows {
            Some(rows) => run(rows, config, 1, Compat::Vbench),
            None => {
                let config = json!({"path": config["path"], "blazedit_max_distance": 1.0}).to_string();
                Host::new().run_dataset::<HuggingFace>(&config, DatasetArgs::default())
            }
        };
        let message = error.unwrap_err().message;
        assert!(message.contains(words), "{message}");
    }
    let host = Host::new().without_tokenizer();
    let config = r#"{"path": "openai/gsm8k"}"#;
    let error = host.run_dataset::<HuggingFace>(config, DatasetArgs::default()).unwrap_err();
    assert!(error.message.contains("needs a tokenizer"));
}

/// A token a byte, and none that begins a text.
struct Bytes;

impl HostTokenizer for Bytes {
    fn describe(&self) -> Info {
        ByteTokenizer.describe()
    }

    fn encode(&self, text: &str, _add_special_tokens: bool) -> Vec<u32> {
        ByteTokenizer.encode(text, false)
    }

    fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> String {
        ByteTokenizer.decode(ids, skip_special_tokens)
    }
}

#[test]
fn empty_answers_end_the_reference_client_only() {
    let row = |solution: &str| json!({"problem": "a problem", "solution": solution});
    let run = |compat, count| {
        let config = r#"{"path": "x.jsonl", "name": "AI-MO/NuminaMath-CoT", "disable_shuffle": true}"#;
        let args = DatasetArgs { count, compat, ..DatasetArgs::default() };
        Host::new()
            .with_tokenizer(Bytes)
            .with_rows("path", vec![row("it is so"), row(""), row("it is not so")])
            .run_dataset::<HuggingFace>(config, args)
    };
    assert_eq!(lengths(&run(Compat::V0_33, 1).unwrap()), [8]);
    assert_eq!(run(Compat::V0_33, 2).unwrap_err().location.unwrap().row, Some(2));
    let own = run(Compat::Vbench, 2).unwrap();
    assert_eq!(lengths(&own), [8, 12]);
    assert_eq!(own.summary.skipped[0].count, 1);
}

/// Runs on a single file of rows with media, of which the host has `a.png`.
fn run_media(rows: Vec<Value>, config: Value, compat: Compat) -> (Result<DatasetRun>, Host) {
    let mut options = json!({"path": "x.jsonl", "disable_shuffle": true, "no_oversample": true});
    for (key, value) in config.as_object().unwrap() {
        options[key] = value.clone();
    }
    let args = DatasetArgs { count: 9, compat, backend: "openai-chat".into(), ..DatasetArgs::default() };
    let host = Host::new().with_rows("path", rows).with_file("path", "a.png", b"\x89PNG");
    (host.run_dataset::<HuggingFace>(&options.to_string(), args), host)
}

const CELL: &str = "vbench-media:00000000000000000000000000000000";

#[test]
fn images_are_held_as_jpeg_and_addresses_are_left() {
    let row = |image: Value| json!({"question": "What? Options: A", "image": image});
    let rows = vec![
        row(json!({"bytes": CELL, "path": "b.png"})),
        row(json!({"bytes": null, "path": "a.png"})),
        row(json!("https://a/c.png")),
    ];
    let (run, host) = run_media(rows, json!({"name": "Lin-Chen/MMStar"}), Compat::V0_33);
    let run = run.unwrap();
    let turns: Vec<&Turn> = run.samples.iter().map(|sample| &sample.turns[0]).collect();
    assert!(turns.iter().all(|turn| turn.prompt == Prompt::Text("What?".into())));
    let held: Vec<Source> = host.media().into_iter().map(|held| held.source).collect();
    assert_eq!(held, [Source::Held(CELL.into()), Source::file("path", "a.png")]);
    assert!(host.media().iter().all(|held| held.form == Form::Jpeg));
    let url = |turn: &Turn| turn.attachments.as_slice()[0].url.clone();
    assert_eq!(url(turns[1]), host.media()[1].medium.reference);
    assert_eq!(url(turns[2]), "https://a/c.png");
}

/// What a call does depends on how much it is asked for, not on the dataset.
#[test]
fn samples_are_made_as_they_are_asked_for() {
    let row = |number: usize| match number {
        899 => json!({"question": 1}),
        number => json!({"question": format!("q{number}"), "image": {"path": "a.png"}}),
    };
    let host =
        Host::new().with_rows("path", (0..900).map(row).collect()).with_file("path", "a.png", b"\x89PNG");
    let config = r#"{"path": "x.jsonl", "name": "Lin-Chen/MMStar", "disable_shuffle": true}"#;
    let args = DatasetArgs { count: 2000, ..DatasetArgs::default() };
    let mut dataset = host.open_dataset::<HuggingFace>(config, args).unwrap();
    assert_eq!(dataset.next(4).unwrap().len(), 4);
    assert!(host.media().len() <= 32, "{}", host.media().len());
    // The last row is bad, which shows when it is its turn.
    let pages: Result<Vec<usize>> = (0..5).map(|_| dataset.next(256).map(|page| page.len())).collect();
    assert_eq!(pages.unwrap_err().location.unwrap().row, Some(900));
}

#[test]
fn rows_are_asked_again_page_by_page() {
    let rows: Vec<Value> = (0..3).map(|number| json!({"question": number.to_string()})).collect();
    let config =
        r#"{"path": "x.jsonl", "name": "openai/gsm8k", "disable_shuffle": true, "skip_chat_template": true}"#;
    let asked = |sizes: &[usize]| {
        let host = Host::new().with_rows("path", rows.clone());
        let args = DatasetArgs { count: 40, ..DatasetArgs::default() };
        let mut dataset = host.open_dataset::<HuggingFace>(config, args).unwrap();
        let (mut samples, mut sizes) = (Vec::new(), sizes.iter().cycle());
        loop {
            let page = dataset.next(*sizes.next().unwrap()).unwrap();
            if page.is_empty() {
                return (samples, dataset.finish().unwrap());
            }
            samples.extend(page);
        }
    };
    let (samples, summary) = asked(&[1000]);
    assert_eq!((samples.len(), samples[39].id.as_deref()), (40, Some("test-39")));
    assert_eq!((samples, summary), asked(&[1, 5, 2]));
}

#[test]
fn media_in_a_chat_stay_beside_it_or_do_not() {
    let row = json!({"question": "q", "image": "https://a/b.png"});
    let config = json!({"name": "Lin-Chen/MMStar", "enable_multimodal_chat": true});
    let run = run_media(vec![row], config, Compat::V0_33).0.unwrap();
    let turn = &run.samples[0].turns[0];
    assert!(matches!(&turn.prompt, Prompt::Messages(messages) if messages.contains("https://a/b.png")));
    assert!(turn.attachments.as_slice().is_empty());
    let row = json!({"conversation": [[{"content": "q"}]], "images": ["https://a/b.png"]});
    let config = json!({"name": "lmarena-ai/VisionArena-Chat", "enable_multimodal_chat": true});
    let run = run_media(vec![row], config, Compat::V0_33).0.unwrap();
    let turn = &run.samples[0].turns[0];
    assert!(matches!(turn.prompt, Prompt::Messages(_)));
    assert_eq!(turn.attachments.as_slice().len(), 1);
}

#[test]
fn an_image_that_cannot_be_read_is_named_by_row_and_column() {
    let rows = vec![
        json!({"question": "q", "image": {"path": "a.png"}}),
        json!({"question": "q", "image": {"path": "none.png"}}),
    ];
    let error = run_media(rows, json!({"name": "Lin-Chen/MMStar"}), Compat::Vbench).0.unwrap_err();
    let location = error.location.unwrap();
    assert_eq!((location.row, location.column.as_deref()), (Some(2), Some("image")));
    assert!(error.message.contains("none.png"));
}

#[test]
fn sounds_that_are_too_short_or_too_long_are_passed_over() {
    let sound = |samples: usize| json!({"audio": {"array": vec![0.5; samples], "sampling_rate": 100}});
    let rows = vec![sound(10), sound(20), sound(30), sound(40)];
    let config = json!({
        "name": "openslr/librispeech_asr", "asr_min_audio_len_sec": 0.2, "asr_max_audio_len_sec": 0.3
    });
    let (run, host) = run_media(rows, config, Compat::V0_33);
    let run = run.unwrap();
    // Both ends count, and ids have no gaps.
    let ids: Vec<&str> = run.samples.iter().filter_map(|sample| sample.id.as_deref()).collect();
    assert_eq!(ids, ["test-0", "test-1"]);
    assert_eq!(run.summary.skipped[0].count, 2);
    assert!(host.media().iter().all(|held| held.form == Form::Wav));
    assert_eq!(lengths(&run), [1024, 1024]);
}

#[test]
fn speech_of_any_length_can_be_asked_in_several_ways() {
    let rows = || vec![json!({"audio": {"array": vec![0.5; 9000], "sampling_rate": 1}})];
    for longest in [json!("inf"), json!("infinity"), json!(0), json!(9000.0)] {
        let config = json!({"name": "openslr/librispeech_asr", "asr_max_audio_len_sec": longest});
        assert_eq!(run_media(rows(), config, Compat::V0_33).0.unwrap().samples.len(), 1, "{longest}");
    }
    let config = json!({"name": "openslr/librispeech_asr", "asr_max_audio_len_sec": "long"});
    assert!(run_media(rows(), config, Compat::V0_33).0.is_err());
}

/// A tokenizer of this name, perhaps with a token of its own for contexts.
struct Speech(&'static str, bool);

impl HostTokenizer for Speech {
    fn describe(&self) -> Info {
        Info { name: self.0.into(), added_special_ids: vec![1000], ..ByteTokenizer.describe() }
    }

    fn encode(&self, text: &str, add_special_tokens: bool) -> Vec<u32> {
        match (self.1, text) {
            (true, "<|startofcontext|>") => vec![1000],
            _ => ByteTokenizer.encode(text, add_special_tokens),
        }
    }

    fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> String {
        ByteTokenizer.decode(ids, skip_special_tokens)
    }
}

#[test]
fn speech_begins_with_the_control_tokens_of_the_model() {
    let whisper = "<|startoftranscript|><|en|><|transcribe|><|notimestamps|>";
    let cohere = "<|startofcontext|><|startoftranscript|><|emo:undefined|><|en|><|en|><|pnc|><|noitn|>\
        <|notimestamp|><|nodiarize|>";
    for (tokenizer, prompt) in [
        (Speech("openai/whisper-large-v3", false), whisper),
        (Speech("CohereLabs/some-model", false), cohere),
        (Speech("/models/transcribe", true), cohere),
        (Speech("some-other/asr-model", false), ""),
    ] {
        let row = json!({"audio": {"array": [0.5], "sampling_rate": 1}});
        let config = r#"{"path": "x.jsonl", "name": "openslr/librispeech_asr"}"#;
        let args = DatasetArgs { count: 1, backend: "openai-audio".into(), ..DatasetArgs::default() };
        let host = Host::new().with_tokenizer(tokenizer).with_rows("path", vec![row]);
        let run = host.run_dataset::<HuggingFace>(config, args).unwrap();
        assert_eq!(run.samples[0].turns[0].prompt, Prompt::Text(prompt.into()));
    }
}

#[test]
fn videos_are_where_the_copy_is() {
    let url = "https://huggingface.co/datasets/yale-nlp/MMVU/resolve/main/videos/v.mp4";
    let row = json!({"question": "q", "choices": {"A": "one", "B": "two"}, "video": url});
    let config = json!({"name": "yale-nlp/MMVU", "hub_folder": "hub/datasets--yale-nlp--MMVU/"});
    let run = run_media(vec![row], config, Compat::V0_33).0.unwrap();
    let turn = &run.samples[0].turns[0];
    assert_eq!(turn.prompt, Prompt::Text("q A.one B.two".into()));
    assert_eq!(turn.attachments.as_slice()[0].url, "file://hub/datasets--yale-nlp--MMVU/videos/v.mp4");
}

#[test]
fn the_reference_client_sends_media_to_few_backends() {
    let run = |name: &str, backend: &str| {
        let config = json!({"path": "x.jsonl", "name": name, "disable_shuffle": true}).to_string();
        let args =
            DatasetArgs { count: 0, compat: Compat::V0_33, backend: backend.into(), ..Default::default() };
        Host::new().with_rows("path", vec![json!({})]).run_dataset::<HuggingFace>(&config, args)
    };
    let error = run("Lin-Chen/MMStar", "openai").unwrap_err();
    assert!(error.message.starts_with("Multi-modal content is not supported on backend 'openai'"));
    assert!(run("Lin-Chen/MMStar", "openai-embeddings-chat").is_ok());
    assert!(run("openai/gsm8k", "openai").is_ok());
}
