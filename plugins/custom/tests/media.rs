//! The datasets with images and sounds.

use serde_json::{Value, json};
use vbench_plugin::media::{Form, Source};
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{DatasetArgs, DatasetRun, Host};
use vbench_plugin_custom::{CustomAudio, CustomImage};

fn run_on<D: Dataset>(host: &Host, config: Value, compat: Compat) -> Result<DatasetRun> {
    let mut options = json!({"path": "x.jsonl", "disable_shuffle": true, "output_len": 3});
    for (key, value) in config.as_object().unwrap() {
        options[key] = value.clone();
    }
    let args = DatasetArgs { count: 0, compat, backend: "openai-chat".into(), ..DatasetArgs::default() };
    host.run_dataset::<D>(&options.to_string(), args)
}

fn images(rows: Vec<Value>, config: Value) -> (Result<DatasetRun>, Host) {
    let host = Host::new().with_rows("path", rows).with_file("path", "a.png", b"\x89PNG");
    (run_on::<CustomImage>(&host, config, Compat::V0_33), host)
}

fn turns(run: &DatasetRun) -> Vec<&Turn> {
    run.samples.iter().map(|sample| &sample.turns[0]).collect()
}

fn urls(turn: &Turn) -> Vec<&str> {
    turn.attachments.as_slice().iter().map(|media| media.url.as_str()).collect()
}

#[test]
fn files_become_addresses_and_one_is_no_list() {
    let rows = vec![
        json!({"prompt": "one", "image_files": ["a.png"]}),
        json!({"prompt": "two", "image_files": ["https://a/b.png", "data:image/png;base64,A"]}),
    ];
    let (run, host) = images(rows.clone(), json!({}));
    let run = run.unwrap();
    assert_eq!(urls(turns(&run)[0]), ["file://a.png"]);
    assert!(matches!(turns(&run)[0].attachments, Attachments::One(_)));
    assert_eq!(urls(turns(&run)[1]), ["https://a/b.png", "data:image/png;base64,A"]);
    assert!(host.media().is_empty());
    let (run, _) = images(rows, json!({"enable_multimodal_chat": true}));
    let run = run.unwrap();
    let Prompt::Messages(messages) = &turns(&run)[0].prompt else { panic!("no messages") };
    assert_eq!(
        messages,
        r#"[{"role":"user","content":[{"text":"one","type":"text"},{"type":"image_url","image_url":{"url":"file://a.png"}}]}]"#
    );
    assert_eq!(urls(turns(&run)[0]).len(), 1);
    assert_eq!(turns(&run)[0].output_tokens, 3);
    // A byte a token, and one that begins the text.
    assert_eq!(turns(&run)[0].prompt_tokens, 4);
}

#[test]
fn content_keeps_its_order_and_what_is_said_of_images() {
    let rows = vec![json!({"prompt": "not this", "content": [
        {"type": "text", "text": "a ", "ignored": 1},
        {"type": "image", "image": "a.png"},
        {"type": "text", "text": "b"},
        {"type": "image_url", "image_url": {"url": "c.png", "detail": "low"}},
        {"type": "image_url", "image_url": "https://d/e.png"},
    ]})];
    let parts = r#"[{"type":"text","text":"a "},{"type":"image_url","image_url":{"url":"file://a.png"}},{"type":"text","text":"b"},{"type":"image_url","image_url":{"url":"file://c.png","detail":"low"}},{"type":"image_url","image_url":{"url":"https://d/e.png"}}]"#;
    let run = images(rows.clone(), json!({})).0.unwrap();
    assert_eq!(turns(&run)[0].prompt, Prompt::Parts(parts.into()));
    assert_eq!(turns(&run)[0].prompt_tokens, 4);
    assert!(urls(turns(&run)[0]).is_empty());
    let run = images(rows, json!({"enable_multimodal_chat": true})).0.unwrap();
    let messages = format!(r#"[{{"role":"user","content":{parts}}}]"#);
    assert_eq!(turns(&run)[0].prompt, Prompt::Messages(messages));
}

#[test]
fn client_side_images_are_sent_themselves() {
    let rows = vec![json!({"prompt": "p", "image_files": ["a.png", "data:image/png;base64,A"]})];
    let (run, host) = images(rows, json!({"ensure_client_side_data": true}));
    let run = run.unwrap();
    let held = host.media();
    assert_eq!((held.len(), held[0].form), (1, Form::Png));
    assert_eq!(held[0].source, Source::file("path", "a.png"));
    assert_eq!(urls(turns(&run)[0]), [held[0].medium.reference.as_str(), "data:image/png;base64,A"]);
    let rows = vec![json!({"prompt": "p", "image_files": ["a.png", "none.png"]})];
    let error = images(rows, json!({"ensure_client_side_data": true})).0.unwrap_err();
    assert!(error.message.starts_with("Invalid image URL: "));
    let location = error.location.unwrap();
    assert_eq!((location.row, location.column.as_deref()), (Some(1), Some("/image_files/1")));
}

#[test]
fn bad_rows_are_named() {
    for (row, column) in [
        (json!({"image_files": ["a"]}), "prompt"),
        (json!({"prompt": 1, "image_files": ["a"]}), "prompt"),
        (json!({"prompt": "p"}), "image_files"),
        (json!({"prompt": "p", "image_files": []}), "image_files"),
        (json!({"prompt": "p", "image_files": [1]}), "/image_files/0"),
        (json!({"content": "x"}), "content"),
        (json!({"content": []}), "content"),
        (json!({"content": [{"type": "text"}]}), "/content/0/text"),
        (json!({"content": [{"type": "sound"}]}), "/content/0/type"),
        (json!({"content": [{"type": "image_url", "image_url": {}}]}), "/content/0/image_url/url"),
    ] {
        let error = images(vec![row], json!({})).0.unwrap_err();
        assert_eq!(error.location.unwrap().column.as_deref(), Some(column));
    }
    let host = Host::new().with_rows("path", Vec::new());
    assert!(run_on::<CustomImage>(&host, json!({"path": "x.json"}), Compat::V0_33).is_err());
}

fn sounds(rows: Vec<Value>, config: Value, compat: Compat) -> (Result<DatasetRun>, Host) {
    let host = Host::new().with_rows("path", rows).with_file("path", "a.wav", b"RIFF");
    (run_on::<CustomAudio>(&host, config, compat), host)
}

#[test]
fn sounds_are_held_as_wav() {
    let rows = vec![
        json!({"prompt": "p", "audio": "a.wav"}),
        json!({"prompt": "q", "audio": {"array": [0.5, -0.5], "sampling_rate": 8000}}),
        json!({"prompt": "r", "audio": [[0.25], 16000]}),
    ];
    let (run, host) = sounds(rows.clone(), json!({}), Compat::V0_33);
    let run = run.unwrap();
    assert_eq!(turns(&run)[0].prompt, Prompt::Text("user: p\nassistant: ".into()));
    assert!(host.media().iter().all(|held| held.form == Form::Wav));
    let Source::Samples(samples) = &host.media()[1].source else { panic!("no samples") };
    assert_eq!((samples.rate_hz, samples.values.as_slice()), (8000, &[0.5, -0.5][..]));
    let medium = &turns(&run)[2].attachments.as_slice()[0];
    assert_eq!((medium.kind, medium.format.as_deref()), (MediaKind::Audio, Some("wav")));
    let run = sounds(rows, json!({"enable_multimodal_chat": true}), Compat::V0_33).0.unwrap();
    assert_eq!(turns(&run)[0].prompt, Prompt::Text("p".into()));
}

#[test]
fn without_a_tokenizer_the_reference_client_sends_no_sound() {
    let attached = |compat| {
        let rows = vec![json!({"prompt": "p", "audio": "a.wav"})];
        let host =
            Host::new().without_tokenizer().with_rows("path", rows).with_file("path", "a.wav", b"RIFF");
        let run = run_on::<CustomAudio>(&host, json!({}), compat).unwrap();
        let turn = turns(&run)[0].clone();
        (turn.attachments.as_slice().len(), turn.prompt_tokens, turn.output_tokens)
    };
    assert_eq!(attached(Compat::V0_33), (0, 1, 3));
    assert_eq!(attached(Compat::Vbench), (1, 1, 3));
}

#[test]
fn rows_without_a_sound_are_named() {
    for (audio, compat) in [
        (json!(null), Compat::V0_33),
        (json!("none.wav"), Compat::V0_33),
        (json!({"array": [1]}), Compat::Vbench),
        (json!({"array": ["x"], "sampling_rate": 8000}), Compat::Vbench),
        (json!([[1.0], 0]), Compat::Vbench),
    ] {
        let row = json!({"prompt": "p", "audio": audio});
        let error = sounds(vec![row], json!({}), compat).0.unwrap_err();
        assert_eq!(error.location.unwrap().column.as_deref(), Some("audio"));
    }
    let error = sounds(vec![json!({"audio": "a.wav"})], json!({}), Compat::V0_33).0.unwrap_err();
    assert_eq!(error.location.unwrap().column.as_deref(), Some("prompt"));
    assert!(sounds(vec![json!({"audio": "a.wav"})], json!({}), Compat::Vbench).0.is_ok());
}
