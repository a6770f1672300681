//! Images and sounds on their way from files to the server.

use std::fs;

use serde_json::{Value, json};

use super::command::{Mock, Outcome, Vbench};
use super::recording_server::RecordingServer;

/// Runs `serve` with a tokenizer of the fixtures, and writes `result.json`.
fn serve(url: &str, args: &[&str]) -> Outcome {
    let general = [
        "serve",
        "--model",
        "m",
        "--tokenizer",
        "tokenizers/bpe",
        "--ready-check-timeout-sec",
        "0",
        "--disable-tqdm",
        "--save-result",
        "--save-detailed",
        "--result-dir",
        "@OUT@",
        "--result-filename",
        "result.json",
        "--base-url",
        url,
    ];
    Vbench::new(general.iter().chain(args)).run()
}

fn result(outcome: &Outcome) -> Value {
    let text = outcome.file("result.json").unwrap_or_else(|| panic!("no result: {}", outcome.stderr));
    serde_json::from_str(&text).expect("the result is JSON")
}

#[test]
fn sounds_are_transcribed_and_their_length_counts() {
    let mock = Mock::start(&[]);
    for path in ["/v1/audio/transcriptions", "/v1/audio/translations"] {
        let outcome = serve(
            &mock.url,
            &[
                "--backend",
                "openai-audio",
                "--endpoint",
                path,
                "--dataset-name",
                "custom_audio",
                "--dataset-path",
                "data/custom_audio.jsonl",
                "--num-prompts",
                "6",
                "--custom-output-len",
                "5",
            ],
        );
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let result = result(&outcome);
        assert_eq!((&result["completed"], &result["total_output_tokens"]), (&json!(6), &json!(30)));
        // Four files of 0.1, 0.25, 0.05 and 0.4 s, of which two are sent again.
        let sent_s = result["rtfx"].as_f64().unwrap() * result["duration"].as_f64().unwrap();
        assert!((0.8..2.0).contains(&sent_s), "{sent_s}");
        assert!(outcome.stdout.contains("RTFx (Inverse Real-Time Factor):"));
    }
}

#[test]
fn images_of_other_folders_are_sent_only_if_their_folder_is_named() {
    let rows = tempfile::tempdir().expect("a temporary folder");
    let image = fs::canonicalize(super::command::fixtures().join("data/img/i0.png")).expect("it is there");
    let row = |image: &str| json!({"prompt": "What is it?", "image_files": [image]}).to_string();
    let file = rows.path().join("rows.jsonl");
    fs::write(&file, format!("{}\n", row(image.to_str().unwrap()))).unwrap();
    let server = RecordingServer::start(Value::Null);
    let url = format!("http://127.0.0.1:{}", server.port);
    let args = |extra: &[&str]| {
        let mut args = vec![
            "--backend",
            "openai-chat",
            "--dataset-name",
            "custom_image",
            "--num-prompts",
            "3",
            "--custom-ensure-client-side-data",
            "--dataset-path",
            file.to_str().unwrap(),
        ];
        args.extend(extra);
        serve(&url, &args)
    };
    let refused = args(&[]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    for words in ["i0.png", "--allowed-local-media-path", "rows.jsonl", "row 1", "/image_files/0"] {
        assert!(refused.stderr.contains(words), "{words} is not in: {}", refused.stderr);
    }
    let folder = image.parent().unwrap().to_str().unwrap();
    let allowed = args(&["--allowed-local-media-path", folder]);
    assert_eq!(allowed.code, Some(0), "{}", allowed.stderr);
    let log = server.take_log();
    let urls: Vec<&str> = log
        .iter()
        .filter_map(|request| request["json"]["messages"][0]["content"][1]["image_url"]["url"].as_str())
        .collect();
    assert_eq!(urls.len(), 3);
    assert!(urls.iter().all(|url| url.starts_with("data:image/png;base64,iVBORw0KGgo")));
    // A file that is no image is not sent, wherever it is.
    fs::write(rows.path().join("notes.txt"), "secret").unwrap();
    fs::write(&file, row("notes.txt")).unwrap();
    let text = args(&[]);
    assert_eq!(text.code, Some(2), "{}", text.stderr);
    assert!(text.stderr.contains("no image, video or sound of a known format"), "{}", text.stderr);
}

#[test]
fn images_and_videos_of_noise_go_out_whole() {
    let server = RecordingServer::start(Value::Null);
    let url = format!("http://127.0.0.1:{}", server.port);
    let outcome = serve(
        &url,
        &[
            "--backend",
            "openai-chat",
            "--dataset-name",
            "random-mm",
            "--num-prompts",
            "4",
            "--random-input-len",
            "8",
            "--random-output-len",
            "2",
            "--random-mm-base-items-per-request",
            "2",
            "--random-mm-limit-mm-per-prompt",
            r#"{"image": 1, "video": 1}"#,
            "--random-mm-bucket-config",
            "{(24, 16, 1): 0.5, (24, 16, 3): 0.5}",
        ],
    );
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(result(&outcome)["completed"], 4);
    for request in server.take_log().iter().filter(|request| request["method"] == "POST") {
        let content = request["json"]["messages"][0]["content"].as_array().expect("a list of parts");
        let mut kinds: Vec<&str> = content.iter().filter_map(|part| part["type"].as_str()).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, ["image_url", "text", "video_url"]);
        for part in content {
            if let Some(url) = part["video_url"]["url"].as_str() {
                assert!(url.starts_with("data:video/mp4;base64,"), "{url}");
            }
        }
    }
}
