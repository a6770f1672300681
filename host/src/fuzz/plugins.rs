//! Targets: plugin files, what plugins return and say.

use std::time::Duration;

use crate::plugin::{CacheMode, LoadOptions, Plugins, Source, fuzzing};

/// A plugin file: it is taken or refused, with a message that can be shown.
///
/// # Panics
/// When it is neither.
pub fn loader(input: &[u8]) {
    let mut options = LoadOptions { cache: CacheMode::Off, ..LoadOptions::default() };
    options.limits.set_call_time(Duration::from_millis(20));
    options.limits.set_memory_bytes(1 << 20);
    let mut plugins = Plugins::new(options);
    if let Err(error) = plugins.add_bytes(Source::File("fuzz.wasm".into()), input.to_vec()) {
        let message = error.to_string();
        assert!(!message.chars().any(|c| c.is_control() && c != '\n'), "{message:?}");
    }
}

/// Path, header, JSON and message of a plugin, divided by NUL: what is taken reaches a server as one path and one
/// header, what is shown holds nothing that a terminal acts on.
///
/// # Panics
/// When something else is taken.
pub fn returned_data(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let parts: Vec<&str> = text.split('\0').collect();
    let part = |index: usize| parts.get(index).copied().unwrap_or_default();
    fuzzing::check_request_line(part(0), part(1), part(2));
    fuzzing::check_texts(part(0), part(2));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::drive::run;

    /// A plugin that can be described, by the template of the hostile tests.
    fn plugin(describe: &'static str, schema: &'static str) -> Vec<u8> {
        fuzzing::describable(describe, schema)
    }

    #[test]
    fn plugin_files() {
        let mut corpus: Vec<Vec<u8>> =
            ["(component)", "(module)", r#"(component (import "wasi:cli/stdin@0.2.6" (instance)))"#]
                .iter()
                .map(|text| wat::parse_str(text).expect("the example is a component"))
                .collect();
        corpus.push(plugin("i32.const 0", r#"{"type":"object"}"#));
        corpus.push(plugin("(loop $l br $l) i32.const 0", "{}"));
        corpus.push(plugin(
            "i32.const 0",
            r##"{"type":"object","properties":{"a":{"$ref":"#/properties/a"}}}"##,
        ));
        run("loader", &corpus, 400, loader);
    }

    #[test]
    fn what_plugins_return() {
        let corpus: Vec<Vec<u8>> = [
            "/v1/completions\u{0}content-type\u{0}application/json",
            "/v1/../admin?x=..\u{0}x-title\u{0}käse",
            "//evil/v1\u{0}Host\u{0}a\r\nb",
            "/a/%2e%2e/b#c\u{0}x y\u{0}\t z",
            "{\"a\":[1,{\"b\":\"\\\"[\"}]}\u{0}share-gpt_4\u{0}\u{1b}[31mred\u{1b}[0m\u{202e}",
            "/choices/0/a~1b~0\u{0}\u{0}",
        ]
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect();
        run("returned-data", &corpus, 8_000, returned_data);
    }
}
