//! Plugins that say wrong things of themselves.

use std::fmt::Write as _;

use super::section::{Section, run};
use super::wat::{BACKEND, Describer, Offer};

const LIST: [&str; 2] = ["plugin", "list"];
const USE: [&str; 10] = [
    "serve",
    "--mock",
    "--model",
    "m",
    "--skip-tokenizer-init",
    "--disable-tqdm",
    "--dataset-name",
    "hello",
    "--hello-a",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
];

#[test]
fn descriptions_that_are_no_good() {
    let mut section = Section::new("describe");
    let mut case = |what: &str, plugin: Describer, code, says: &str| {
        section.case(
            what,
            &run(&plugin.wasm(), &[&["--plugin-timeout-s", "0.3"], &LIST[..]].concat()),
            code,
            says,
        );
    };
    case("loops in `describe`", Describer::doing("(loop $l br $l) i32.const 0"), 3, "stopped after 0.3 s");
    case("traps in `describe`", Describer::doing("unreachable"), 3, "(in describe_body)");
    case(
        "calls itself without end in `describe`",
        Describer::doing("call $describe_body"),
        3,
        "call stack exhausted",
    );
    case(
        "takes 1.2 GiB in `describe`",
        Describer::doing("(drop (memory.grow (i32.const 20000))) i32.const 0"),
        3,
        "and may have 512.0 MiB",
    );
    case("points outside of its memory", Describer::doing("i32.const 0x7ffffff0"), 3, "`meta.describe`");
    case(
        "has a name with escape sequences",
        Describer { name: "\u{1b}[2J\u{1b}]0;x\u{7}acme\u{202e}".into(), ..Describer::default() },
        3,
        "the plugin's name",
    );
    case(
        "has a name of a megabyte",
        Describer { name: "a".repeat(1 << 20), ..Describer::default() },
        3,
        "the plugin's name",
    );
    case("has no name", Describer { name: String::new(), ..Describer::default() }, 3, "the plugin's name");
    case(
        "has a version that is none",
        Describer { version: "latest", ..Describer::default() },
        3,
        "MAJOR.MINOR.PATCH",
    );
    case(
        "has a summary with escape sequences",
        Describer { summary: "\u{1b}[31mred\u{9b}2J".into(), ..Describer::default() },
        3,
        "control characters",
    );
    case(
        "offers nothing",
        Describer { offers: Vec::new(), ..Describer::default() },
        3,
        "has to offer something",
    );
    case(
        "offers the same name twice",
        Describer { offers: vec![Offer::default(), Offer::default()], ..Describer::default() },
        3,
        "two dataset offers are called `hello`",
    );
    case(
        "offers 1,001 things",
        Describer { offers: vec![Offer::default(); 1_001], ..Describer::default() },
        3,
        "more than 1000",
    );
    case(
        "offers a backend without being one",
        Describer::offering(Offer { role: BACKEND, ..Offer::default() }),
        3,
        "does not export that interface",
    );
    case(
        "offers a role that does not exist",
        Describer::offering(Offer { role: 7, ..Offer::default() }),
        3,
        "",
    );
    case(
        "has a name of an offer with a path in it",
        Describer::offering(Offer { name: "../hello".into(), ..Offer::default() }),
        3,
        "an offer's name",
    );
    case(
        "has an alias with spaces and a line end",
        Describer::offering(Offer { aliases: vec!["a b\n".into()], ..Offer::default() }),
        3,
        "an alias",
    );
    case("says that it is a built-in", lying_name(), 0, "hello");
    case(
        "takes the name of a built-in's dataset",
        Describer::offering(Offer { name: "sharegpt".into(), ..Offer::default() }),
        0,
        "is used instead of the built-in `sharegpt`",
    );
    section.finish();
}

#[test]
fn schemas_that_are_no_good() {
    let mut section = Section::new("schema");
    let mut case = |what: &str, schema: String, code, says: &str| {
        section.case(what, &run(&Describer::with_schema(schema).wasm(), &USE), code, says);
    };
    let property = |schema: &str| format!(r#"{{"type":"object","properties":{{"a":{schema}}}}}"#);
    case("has a schema that is no JSON", "{".into(), 3, "is no JSON object");
    case("has a schema that is no object", "[]".into(), 3, "is no JSON object");
    case(
        "has a schema of 300 KiB",
        property(&format!(r#"{{"type":"string","description":"{}"}}"#, "x".repeat(300 << 10))),
        3,
        "is longer than",
    );
    case(
        "has a schema of 100 KiB",
        property(&format!(r#"{{"type":"string","description":"{}"}}"#, "x".repeat(100 << 10))),
        3,
        "larger than",
    );
    case(
        "has a schema of 100 levels",
        property(&format!(r#"{}"type":"string"{}"#, r#"{"not":"#.repeat(99) + "{", "}".repeat(100))),
        3,
        "nested deeper",
    );
    case(
        "has a schema of 100,000 levels",
        property(&format!("{}{}", r#"{"a":"#.repeat(40_000), "}".repeat(40_000))),
        3,
        "",
    );
    case(
        "refers to a schema on the network",
        property(r#"{"$ref":"https://evil.example/schema.json"}"#),
        3,
        "refers to another document",
    );
    case("refers to a file", property(r#"{"$ref":"file:///etc/passwd"}"#), 3, "refers to another document");
    case(
        "has a schema that refers to itself",
        r##"{"type":"object","properties":{"a":{"$ref":"#"}}}"##.into(),
        3,
        "refers to itself",
    );
    case("has a schema whose references multiply", doubling(), 3, "more than 20000 parts");
    case(
        "has an anchor to refer to from outside",
        property(r#"{"type":"string","$anchor":"x"}"#),
        3,
        "is not supported",
    );
    case(
        "has a pattern that grows when compiled",
        property(r#"{"type":"string","pattern":"((a{1,500}){1,500}){1,500}"}"#),
        3,
        "is no good",
    );
    case(
        "has a pattern that takes backtracking engines for ever",
        property(r#"{"type":"string","pattern":"^(a+)+$"}"#),
        2,
        "--hello-a",
    );
    case("has a pattern that is none", property(r#"{"type":"string","pattern":"("}"#), 3, "is no good");
    case(
        "wants a flag of vbench itself",
        property(r#"{"type":"string","x-flag":"base-url"}"#),
        3,
        "is a flag of vbench itself",
    );
    case(
        "wants a flag of vLLM that comes later",
        property(r#"{"type":"string","x-flag":"plot-timeline"}"#),
        3,
        "is a flag of vbench itself",
    );
    case(
        "wants a flag of another plugin",
        property(r#"{"type":"string","x-flag":"random-input-len"}"#),
        3,
        "plugin `acme`: ",
    );
    case(
        "wants a flag that is none",
        property(r#"{"type":"string","x-flag":"x --api-key"}"#),
        3,
        "is no name for a flag",
    );
    case("has 129 options", many_options(129), 3, "more than 128 options");
    case(
        "has an option whose name has escape sequences",
        r#"{"type":"object","properties":{"\u001b[2J":{"type":"string"}}}"#.into(),
        3,
        "the name has to be",
    );
    case(
        "has help with escape sequences",
        property(r#"{"type":"integer","description":"\u001b[2J\u202eevil"}"#),
        2,
        "is not a whole number",
    );
    section.finish();
}

/// A plugin that calls itself as a built-in does. Nothing is looked up by that name.
fn lying_name() -> Describer {
    Describer { name: "sharegpt".into(), ..Describer::default() }
}

/// Six definitions of which each refers eight times to the next.
fn doubling() -> String {
    let mut schema = r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/d0"}},"$defs":{"##.to_owned();
    for n in 0..6 {
        let next = format!(r##"{{"$ref":"#/$defs/d{}"}}"##, n + 1);
        let _ = write!(schema, r#""d{n}":{{"anyOf":[{}]}},"#, [next.as_str(); 8].join(","));
    }
    schema + r#""d6":{"type":"string"}}}"#
}

fn many_options(count: usize) -> String {
    let options: Vec<String> = (0..count).map(|n| format!(r#""o{n}":{{"type":"string"}}"#)).collect();
    format!(r#"{{"type":"object","properties":{{{}}}}}"#, options.join(","))
}

#[test]
fn help_shows_nothing_that_a_terminal_acts_on() {
    let schema = r#"{"type":"object","properties":{"a":{"type":"string","description":"\u001b[2J\u009b31m\u202eevil"}}}"#;
    let outcome =
        run(&Describer::with_schema(schema).wasm(), &["serve", "--dataset-name", "hello", "--help"]);
    let help = outcome.expect_code(0).stdout;
    assert!(help.contains("--hello-a"), "{help}");
    assert!(!help.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{help:?}");
}
