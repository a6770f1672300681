//! Plugins that misbehave, through the whole command: what they do ends in a
//! message with their name and an exit code, never in a hang or a crash.
//!
//! They are core modules written by hand; `tests/fixtures/hostile/dataset.wat` is
//! the component around them.

use std::fs;

use serde_json::json;

use super::command::{Outcome, Vbench, fixtures};
use super::recording_server::RecordingServer;

/// A plugin `acme` with the dataset `hello`, which gives no samples.
struct Guest {
    /// Before what `describe` returns.
    describe: &'static str,
    /// Before what `source.open` returns.
    open: &'static str,
    /// Before what `source.next` returns.
    next: &'static str,
    /// Before what `source.finish` returns.
    finish: &'static str,
    /// Address of the result of `next`. At 0 there is a description, from 2048
    /// on there are zeros, which make an empty list.
    samples: u32,
}

const GUEST: Guest = Guest { describe: "", open: "", next: "", finish: "", samples: 2048 };

/// Little-endian words as a data segment.
fn words(at: u32, words: &[u32]) -> String {
    let bytes: String =
        words.iter().flat_map(|word| word.to_le_bytes()).map(|byte| format!("\\{byte:02x}")).collect();
    format!("(data (i32.const {at}) \"{bytes}\")")
}

impl Guest {
    fn component(&self) -> Vec<u8> {
        // The description at 0, its one offer at 64, the texts from 256 on.
        let mut at = 256_u32;
        let mut data = String::new();
        let spans: Vec<u32> = ["acme", "1.2.3", "Says hello", "hello", "Greets", "{\"type\":\"object\"}"]
            .iter()
            .flat_map(|text| {
                let start = at;
                data += &format!("(data (i32.const {at}) \"{}\")", text.replace('"', "\\22"));
                at += text.len() as u32;
                [start, text.len() as u32]
            })
            .collect();
        data += &words(0, &[&spans[..6], &[64, 1]].concat());
        data += &words(64, &[&[0], &spans[6..8], &[0, 0], &spans[8..12]].concat());
        // A list of sixteen million samples, which lie beyond the memory.
        data += &words(1024, &[0, 0, 65_536, 16_000_000]);
        let Self { describe, open, next, finish, samples } = self;
        let core = format!(
            r#"(core module $main
              (import "[export]vbench:plugin/dataset@0.1.0" "[resource-new]source" (func $new (param i32) (result i32)))
              (import "vbench:plugin/log@0.1.0" "log" (func $log (param i32 i32 i32)))
              (memory (export "memory") 2)
              (global $free (mut i32) (i32.const 65536))
              (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.set $free (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                (global.get $free)
                (global.set $free (i32.add (global.get $free) (local.get 3))))
              (func $recurse (call $recurse))
              (func $describe (export "vbench:plugin/meta@0.1.0#describe") (result i32) {describe} (i32.const 0))
              (func $open (export "vbench:plugin/dataset@0.1.0#[static]source.open")
                (param i32 i32 i32 i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                {open} (i32.store (i32.const 3080) (call $new (i32.const 1))) (i32.const 3072))
              (func $next (export "vbench:plugin/dataset@0.1.0#[method]source.next") (param i32 i32) (result i32)
                {next} (i32.const {samples}))
              (func $finish (export "vbench:plugin/dataset@0.1.0#[method]source.finish") (param i32) (result i32)
                {finish} (i32.const 2048))
              {data})"#
        );
        let around =
            fs::read_to_string(fixtures().join("hostile/dataset.wat")).expect("the fixture is there");
        let text = around.replace("@CORE@", &core);
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs `vbench` with this plugin and these arguments.
    fn run(&self, args: &[&str]) -> Outcome {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("acme.wasm").display().to_string();
        fs::write(&file, self.component()).expect("it can be written");
        Vbench::new([&["--plugin", &file], args].concat()).run()
    }

    /// Has it make a dataset, and gives the error. No request may go out.
    #[track_caller]
    fn sampling_error(&self, flags: &[&str]) -> String {
        let server = RecordingServer::start(json!({}));
        let url = server.url();
        let serve = [
            "serve",
            "--model",
            "m",
            "--tokenizer",
            "tokenizers/bpe",
            "--base-url",
            &url,
            "--dataset-name",
            "hello",
            "--num-prompts",
            "3",
        ];
        let outcome = self.run(&[flags, &serve].concat()).expect_code(3);
        assert_eq!(server.seen("/v1/completions"), 0);
        outcome.stderr
    }
}

#[track_caller]
fn assert_error(text: &str, expected: &str) {
    let line = text
        .lines()
        .find(|line| line.starts_with("error: "))
        .unwrap_or_else(|| panic!("no error in\n{text}"));
    assert!(line.contains(expected), "`{expected}` in\n{text}");
}

#[test]
fn a_harmless_one_is_described_and_gives_nothing() {
    let outcome = GUEST.run(&["plugin", "list"]).expect_code(0);
    assert!(outcome.stdout.contains("hello"), "{}", outcome.stdout);
    let outcome =
        GUEST.run(&["serve", "--mock", "--model", "m", "--skip-tokenizer-init", "--dataset-name", "hello"]);
    assert_error(
        &outcome.expect_code(2).stderr,
        "dataset `hello` gave no sample, so there is nothing to send",
    );
}

#[test]
fn an_endless_loop_ends_wherever_it_is() {
    let endless = "(loop $l (br $l))";
    let in_describe = Guest { describe: endless, ..GUEST };
    let outcome = in_describe.run(&["--plugin-timeout-s", "0.1", "plugin", "list"]).expect_code(3);
    assert_error(&outcome.stderr, "`meta.describe`: stopped after 0.1 s, the time limit of this call");
    let limit = ["--plugin-timeout-s", "0.1"];
    for (guest, call) in [
        (Guest { open: endless, ..GUEST }, "dataset.open"),
        (Guest { next: endless, ..GUEST }, "dataset.next"),
        (Guest { finish: endless, ..GUEST }, "dataset.finish"),
    ] {
        let expected = format!("plugin `acme`, `{call}`: stopped after 0.1 s, the time limit of this call");
        assert_error(&guest.sampling_error(&limit), &expected);
    }
}

#[test]
fn a_trap_names_plugin_call_and_function() {
    let outcome = Guest { describe: "unreachable", ..GUEST }.run(&["plugin", "list"]).expect_code(3);
    assert_error(&outcome.stderr, "`meta.describe`: trapped: ");
    let text = Guest { next: "unreachable", ..GUEST }.sampling_error(&[]);
    assert_error(&text, "plugin `acme`, `dataset.next`: trapped: ");
    assert_error(&text, "unreachable");
    assert_error(&text, "(in next)");
}

#[test]
fn endless_recursion_is_a_trap() {
    let text = Guest { next: "(call $recurse)", ..GUEST }.sampling_error(&[]);
    assert_error(&text, "plugin `acme`, `dataset.next`: trapped: ");
    assert_error(&text, "stack");
}

#[test]
fn memory_is_refused_beyond_the_limit() {
    // A page at a time, without end.
    let grow = "(loop $l (drop (memory.grow (i32.const 64))) (br $l))";
    let text = Guest { next: grow, ..GUEST }.sampling_error(&["--plugin-memory-mib", "16"]);
    assert_error(&text, "plugin `acme`, `dataset.next`: wants ");
    assert_error(&text, " MiB of memory and may have 16.0 MiB");
}

#[test]
fn what_lies_outside_of_its_memory_is_refused() {
    let text = Guest { samples: 1024, ..GUEST }.sampling_error(&[]);
    assert_error(&text, "plugin `acme`, `dataset.next`: ");
    let text = Guest { samples: 0x7fff_fff0, ..GUEST }.sampling_error(&[]);
    assert_error(&text, "plugin `acme`, `dataset.next`: ");
}

#[test]
fn messages_without_end_are_cut_off() {
    let chatter = "(loop $l (call $log (i32.const 1) (i32.const 256) (i32.const 4)) (br $l))";
    let outcome = Guest { next: chatter, ..GUEST }.run(&[
        "--plugin-timeout-s",
        "0.2",
        "serve",
        "--mock",
        "--model",
        "m",
        "--skip-tokenizer-init",
        "--dataset-name",
        "hello",
    ]);
    let outcome = outcome.expect_code(3);
    let lines = outcome.stdout.lines().filter(|line| *line == "acme").count();
    assert!((1..=1000).contains(&lines), "{lines} messages");
}
