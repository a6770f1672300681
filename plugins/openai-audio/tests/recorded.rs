//! The backend against what the reference client sent and read.

use vbench_plugin::backend::{Body, PartValue};
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{BackendArgs, TestBackend, request};
use vbench_plugin_openai_audio::Audio;

fn backend(args: BackendArgs) -> TestBackend<Audio> {
    TestBackend::open("{}", args).unwrap()
}

fn turn(media: Vec<Media>) -> Turn {
    Turn::text("the prompt is not sent", 1, 4).with_attachments(Attachments::Many(media))
}

fn sound() -> Media {
    let mut sound = Media::new(MediaKind::Audio, "vbench-media:1");
    sound.format = Some("wav".into());
    sound
}

/// Name, file name, content type and value of each part.
fn parts(backend: &TestBackend<Audio>, turn: Turn) -> Vec<[String; 4]> {
    let Body::Multipart(parts) = backend.build(&request(turn)).unwrap().body else { panic!("no form") };
    let part = |part: vbench_plugin::backend::Part| {
        let (PartValue::Text(value) | PartValue::Media(value)) = part.value;
        [part.name, part.filename.unwrap_or_default(), part.content_type.unwrap_or_default(), value]
    };
    parts.into_iter().map(part).collect()
}

/// Case `custom-audio-translations`.
#[test]
fn fields_come_after_the_file_in_the_reference_clients_order() {
    let extra =
        r#"{"temperature": 0.0, "prompt": "x y", "list": [1, "a"], "obj": {"k": true}, "none": null}"#;
    let args = BackendArgs {
        endpoint: Some("/v1/audio/translations".into()),
        extra_body: extra.into(),
        compat: Compat::V0_33,
        ..BackendArgs::default()
    };
    let parts = parts(&backend(args), turn(vec![sound()]));
    assert_eq!(parts[0], ["file", "audio.wav", "audio/wav", "vbench-media:1"]);
    let fields: Vec<(&str, &str)> = parts[1..].iter().map(|part| (&*part[0], &*part[3])).collect();
    assert_eq!(
        fields,
        [
            ("model", "mock-model"),
            ("max_completion_tokens", "4"),
            ("stream", "True"),
            ("language", "en"),
            ("stream_include_usage", "True"),
            ("stream_continuous_usage_stats", "True"),
            ("temperature", "0.0"),
            ("prompt", "x y"),
            ("list", "[1, 'a']"),
            ("obj", "{'k': True}"),
            ("none", "None"),
        ]
    );
    assert!(parts[1..].iter().all(|part| part[1].is_empty() && part[2] == "text/plain; charset=utf-8"));
}

#[test]
fn the_users_fields_keep_the_place_of_those_they_replace() {
    let args = BackendArgs { extra_body: r#"{"language": "de"}"#.into(), ..BackendArgs::default() };
    let mut mp3 = sound();
    mp3.format = Some("mp3".into());
    mp3.extra = Some(r#"{"filename": "a b.mp3"}"#.into());
    let parts = parts(&backend(args), turn(vec![mp3]));
    assert_eq!(parts[0][..3], ["file", "a b.mp3", "audio/mpeg"]);
    assert_eq!((&*parts[4][0], &*parts[4][3]), ("language", "de"));
}

#[test]
fn what_is_no_single_sound_is_refused() {
    let backend = backend(BackendArgs::default());
    let image = Media::new(MediaKind::Image, "vbench-media:2");
    for media in [vec![], vec![image], vec![sound(), sound()]] {
        assert!(backend.build(&request(turn(media))).is_err());
    }
    let args = BackendArgs { endpoint: Some("/v1/completions".into()), ..BackendArgs::default() };
    assert!(TestBackend::<Audio>::open("{}", args).is_err());
}

/// Every chunk with choices is a token event; prompt tokens are not taken.
#[test]
fn answers_are_read_as_the_reference_client_does() {
    let events = [
        r#"{"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null}]}"#,
        r#"{"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": null}]}"#,
        r#"{"choices": [{"index": 0, "delta": {"content": " b"}, "finish_reason": "stop"}]}"#,
        r#"{"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3}}"#,
        "[DONE]",
    ];
    for compat in [Compat::V0_33, Compat::Vbench] {
        let backend = backend(BackendArgs { compat, ..BackendArgs::default() });
        let parsed = backend.read(&Response::from_events(events)).unwrap();
        assert_eq!((parsed.text.as_str(), parsed.tokens.len(), parsed.error), ("a b", 3, None));
        let usage = parsed.usage.unwrap();
        assert_eq!((usage.output_tokens, usage.prompt_tokens), (Some(3), None));
        let none = backend.read(&Response::from_events(["[DONE]"])).unwrap();
        assert!(none.error.unwrap().starts_with("Never received a valid chunk"));
    }
    let reference = backend(BackendArgs { compat: Compat::V0_33, ..BackendArgs::default() });
    let broken = reference.read(&Response::from_events([r#"{"choices": [{"index": 0}]}"#])).unwrap();
    assert!(broken.error.is_some());
}
