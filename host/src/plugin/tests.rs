//! Hostile and broken components, written by hand, against the whole way from
//! file to call. What it takes a real plugin to reach is tested in `tests/`.

use std::path::PathBuf;
use std::time::Duration;

use super::contract::{DatasetArgs, Role};
use super::services::Services;
use super::*;
use crate::fault::Blame;

const NAMES: [&str; 2] = ["vbench:plugin/meta@0.1.0", "vbench:plugin/dataset@0.1.0"];

/// A component that exports `meta` and `dataset`, up to their names.
struct Guest {
    /// Text of the component before its core module.
    imports: &'static str,
    /// Imports given to the core module.
    with: &'static str,
    /// Text inside the core module, before its functions.
    core: &'static str,
    /// Body of `describe`; the description itself is at address 0.
    describe: &'static str,
    /// Name of the plugin, put into the description.
    name: &'static str,
    /// Schema of its offer.
    schema: &'static str,
    /// Names under which the interfaces are exported.
    exports: &'static [&'static str],
}

const GUEST: Guest = Guest {
    imports: "",
    with: "",
    core: "",
    describe: "i32.const 0",
    name: "acme",
    schema: r#"{"type":"object"}"#,
    exports: &NAMES,
};

/// Little-endian words as the text of a data segment.
fn words(words: &[u32]) -> String {
    words.iter().flat_map(|word| word.to_le_bytes()).map(|byte| format!("\\{byte:02x}")).collect()
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("\\{byte:02x}")).collect()
}

impl Guest {
    fn wasm(&self) -> Vec<u8> {
        // The description at 0, its one offer at 64, the texts from 256 on.
        let texts = [self.name, "1.2.3", "Says hello", "hello", "Greets", self.schema];
        let mut at = 256_u32;
        let mut data = String::new();
        let spans: Vec<(u32, u32)> = texts
            .iter()
            .map(|text| {
                let span = (at, text.len() as u32);
                data += &format!("(data (i32.const {at}) \"{}\")", escaped(text));
                at += text.len() as u32;
                span
            })
            .collect();
        let [name, version, summary, offer, greets, schema] = spans[..] else { unreachable!() };
        let description = [name.0, name.1, version.0, version.1, summary.0, summary.1, 64, 1];
        let offer = [0, offer.0, offer.1, 0, 0, greets.0, greets.1, schema.0, schema.1];
        data += &format!("(data (i32.const 0) \"{}\")", words(&description));
        data += &format!("(data (i32.const 64) \"{}\")", words(&offer));
        let exports: String = self
            .exports
            .iter()
            .map(|name| {
                let instance = if name.contains("/meta@") { "$meta" } else { "$dataset" };
                format!("(export \"{name}\" (instance {instance}))")
            })
            .collect();
        let Self { imports, with, core, describe, .. } = self;
        let parts = [
            ("@IMPORTS@", *imports),
            ("@WITH@", *with),
            ("@CORE@", *core),
            ("@DESCRIBE@", *describe),
            ("@PAGES@", "1"),
            ("@DATA@", &*data),
            ("@EXPORTS@", &*exports),
        ];
        let template = include_str!("../../../tests/evil/wat/describer.wat");
        // Each stands once outside of the comment at the top, which ends with the first line of the component.
        let (_, template) = template.split_once("\n(component").expect("the template is a component");
        let text =
            parts.iter().fold(format!("(component{template}"), |text, (mark, part)| text.replace(mark, part));
        wat_bytes(&text)
    }
}

/// A plugin for fuzz targets: the body of its `describe`, and a schema.
pub(super) fn describable(describe: &'static str, schema: &'static str) -> Vec<u8> {
    Guest { describe, schema, ..GUEST }.wasm()
}

fn wat_bytes(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn options() -> LoadOptions {
    LoadOptions { cache: CacheMode::Off, ..LoadOptions::default() }
}

/// Adds a file with this content.
fn load_with(options: LoadOptions, content: &[u8]) -> (Plugins, Result<(), PluginError>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("acme.wasm");
    std::fs::write(&path, content).unwrap();
    let mut plugins = Plugins::new(options);
    let result = plugins.add_file(&path).map(|_| ());
    (plugins, result)
}

fn load_error(content: &[u8]) -> PluginError {
    load_with(options(), content).1.unwrap_err()
}

fn message(guest: &Guest) -> String {
    load_error(&guest.wasm()).to_string()
}

fn dataset_args() -> DatasetArgs {
    DatasetArgs {
        config: "{}".into(),
        seed: 0,
        count: 1,
        request_id_prefix: String::new(),
        backend: "openai".into(),
        compat: "vbench".into(),
        grants: vec![],
    }
}

#[test]
fn a_good_plugin_is_described_and_found() {
    let (plugins, result) = load_with(options(), &GUEST.wasm());
    result.unwrap();
    let offered = plugins.offer(Role::Dataset, "hello").unwrap();
    assert_eq!((offered.plugin, offered.offer.summary.as_str()), ("acme", "Greets"));
    let info = &plugins.inspect().unwrap()[0];
    assert_eq!(info.inspection.roles, [Role::Dataset]);
    assert_eq!(info.inspection.api_version.to_string(), "0.1.0");
    assert_eq!(info.inspection.sha256.len(), 64);
    let (name, costs) = &plugins.costs()[0];
    assert_eq!((name.as_str(), costs.calls["meta.describe"].calls, costs.faults), ("acme", 1, 0));

    let error = plugins.open_dataset("helo", dataset_args(), Services::default()).err().unwrap();
    assert_eq!(error.to_string(), "no dataset is called `helo`; there are: hello");
    assert_eq!(error.blame(), Blame::User);
}

#[test]
fn an_export_of_another_type_is_the_plugins_fault() {
    let (plugins, _) = load_with(options(), &GUEST.wasm());
    let error = plugins.open_dataset("hello", dataset_args(), Services::default()).err().unwrap();
    assert_eq!(error.blame(), Blame::Plugin);
    assert!(error.to_string().starts_with("plugin `acme`, `dataset.open`: "), "{error}");
}

#[test]
fn files_that_are_no_plugins_are_told_apart() {
    let text = |content: &[u8]| load_error(content).to_string();
    assert!(text(b"").ends_with("is empty"));
    assert!(text(b"<!DOCTYPE html>").contains("looks like a web page"));
    assert!(text(b"  (component)").contains("text format"));
    assert!(text(b"hello").contains("magic number"));
    assert!(text(&wat_bytes("(module)")).contains("core WebAssembly module, not a component"));
    assert!(text(&wat_bytes("(component)")).contains("not a vbench plugin: it exports nothing"));
    let missing = Plugins::new(options()).add_file(&PathBuf::from("/nowhere/x.wasm")).unwrap_err();
    assert!(missing.to_string().starts_with("cannot read plugin /nowhere/x.wasm: "));
    assert_eq!(missing.blame(), Blame::User);
    let mut small = options();
    small.limits.file_bytes = 10;
    assert!(load_with(small, &GUEST.wasm()).1.unwrap_err().to_string().contains("more than the 10 allowed"));
}

#[test]
fn damaged_files_are_errors_at_every_length() {
    let whole = GUEST.wasm();
    for length in (9..whole.len()).step_by(37) {
        let error = load_error(&whole[..length]);
        assert!(matches!(error.kind, ErrorKind::Load(_)), "{length}: {error}");
    }
    for position in (8..whole.len()).step_by(29) {
        let mut damaged = whole.clone();
        damaged[position] ^= 0x55;
        // Some flips only change a text; none may panic.
        let _ = load_with(options(), &damaged);
    }
}

#[test]
fn versions_and_missing_exports_are_named() {
    let newer =
        message(&Guest { exports: &["vbench:plugin/meta@0.3.0", "vbench:plugin/dataset@0.3.0"], ..GUEST });
    assert!(newer.contains("was built for plugin API 0.3.0 (it has `vbench:plugin/meta@0.3.0`)"), "{newer}");
    assert!(newer.contains("this vbench supports 0.1: upgrade vbench"), "{newer}");
    let older =
        message(&Guest { exports: &["vbench:plugin/meta@0.0.1", "vbench:plugin/dataset@0.0.1"], ..GUEST });
    assert!(older.contains("rebuild the plugin"), "{older}");
    let no_meta = message(&Guest { exports: &NAMES[1..], ..GUEST });
    assert!(no_meta.contains("does not export `vbench:plugin/meta`"), "{no_meta}");
    let no_role = message(&Guest { exports: &NAMES[..1], ..GUEST });
    assert!(no_role.contains("exports none of `dataset`, `backend` and `sla`"), "{no_role}");
    let other = message(&Guest { exports: &["acme:thing/dataset@0.1.0"], ..GUEST });
    assert!(
        other.contains("it exports `acme:thing/dataset@0.1.0`, and nothing of `vbench:plugin`"),
        "{other}"
    );
    let patch = Guest { exports: &["vbench:plugin/meta@0.1.7", "vbench:plugin/dataset@0.1.7"], ..GUEST };
    let (plugins, result) = load_with(options(), &patch.wasm());
    result.unwrap();
    assert!(plugins.take_warnings()[0].contains("built for plugin API 0.1.7, newer than 0.1.0"));
}

#[test]
fn imports_that_nobody_gets_are_load_errors() {
    for (import, says) in [
        ("acme:thing/x@1.0.0", "needs `acme:thing/x@1.0.0`, which no plugin gets"),
        ("wasi:cli/environment@0.3.0", "which is not of WASI 0.2"),
        ("wasi:nn/graph@0.2.0", "which no plugin gets"),
        ("vbench:plugin/results@0.1.0", "which is for sla plugins only"),
        ("vbench:plugin/secrets@0.1.0", "which this vbench does not have"),
    ] {
        let imports: &'static str = format!("(import \"{import}\" (instance))").leak();
        let text = message(&Guest { imports, ..GUEST });
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn the_network_can_be_imported_but_not_called() {
    let guest = Guest {
        imports: r#"(import "wasi:sockets/network@0.2.6" (instance $net
            (export "network" (type (sub resource))) (export "dial" (func))))
            (core func $dial (canon lower (func $net "dial")))"#,
        with: r#"(with "net" (instance (export "dial" (func $dial))))"#,
        core: r#"(import "net" "dial" (func $dial))"#,
        ..GUEST
    };
    let (plugins, result) = load_with(options(), &guest.wasm());
    result.unwrap();
    let import = &plugins.inspect().unwrap()[0].inspection.imports[0];
    assert_eq!((import.name.as_str(), import.access), ("wasi:sockets/network@0.2.6", Access::Denied));

    let calling = Guest { describe: "call $dial i32.const 0", ..guest };
    let error = load_error(&calling.wasm());
    assert_eq!(
        error.to_string(),
        "plugin `acme`, `meta.describe`: called `wasi:sockets/network@0.2.6#dial`, but plugins never get the network"
    );
    assert_eq!(error.blame(), Blame::Plugin);
}

#[test]
fn traps_name_the_function() {
    let error = load_error(&Guest { describe: "unreachable", ..GUEST }.wasm());
    let ErrorKind::Trapped { code, frames } = &error.kind else { panic!("{error}") };
    assert!(code.contains("unreachable"), "{code}");
    assert_eq!(frames, &["describe_body"]);
    assert_eq!(error.blame(), Blame::Plugin);
}

#[test]
fn endless_loops_and_endless_recursion_end() {
    let mut options = options();
    options.limits.time.describe = Duration::from_millis(30);
    let error =
        load_with(options, &Guest { describe: "(loop $l br $l) i32.const 0", ..GUEST }.wasm()).1.unwrap_err();
    assert_eq!(
        error.to_string(),
        "plugin `acme`, `meta.describe`: stopped after 0.03 s, the time limit of this call"
    );
    let error = load_error(&Guest { describe: "call $describe_body", ..GUEST }.wasm());
    assert!(matches!(&error.kind, ErrorKind::Trapped { code, .. } if code.contains("stack")), "{error}");
}

#[test]
fn memory_beyond_the_limit_is_named() {
    let grow = Guest { describe: "(memory.grow (i32.const 20000)) drop i32.const 0", ..GUEST };
    let text = message(&grow);
    assert!(text.contains("wants 1250.1 MiB of memory and may have 512.0 MiB"), "{text}");
    let at_start = Guest { core: "(memory $big 20000)", ..GUEST };
    let error = load_error(&at_start.wasm());
    assert!(matches!(error.kind, ErrorKind::OutOfMemory { .. } | ErrorKind::Load(_)), "{error}");
}

#[test]
fn what_is_returned_is_checked() {
    // A description outside of memory, and one that holds half a gibibyte.
    let outside = load_error(&Guest { describe: "i32.const 0x7ffffff0", ..GUEST }.wasm());
    assert_eq!(outside.blame(), Blame::Plugin);
    let mut options = options();
    options.limits.dataset.call_bytes = 16;
    let error = load_with(options, &GUEST.wasm()).1.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::TooMuchData { limit_bytes: 16 }), "{error}");

    let escape = message(&Guest { name: "\u{1b}[2Jacme", ..GUEST });
    assert!(escape.contains("output rejected: the plugin's name `acme` is not made of"), "{escape}");
    assert!(!escape.contains('\u{1b}'));
}

#[test]
fn two_files_with_one_name_are_refused_and_a_builtin_gives_way() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("a.wasm"), dir.path().join("b.wasm"));
    std::fs::write(&first, GUEST.wasm()).unwrap();
    std::fs::write(&second, GUEST.wasm()).unwrap();
    let mut plugins = Plugins::new(options());
    let description_json = r#"{"name":"own","version":"0.1.0","summary":"","offers":[
        {"role":"dataset","name":"hello","summary":"","config_schema":{}}]}"#;
    plugins
        .add_builtin(BuiltIn { name: "own", wasm: b"never looked at", sha256: "", description_json })
        .unwrap();
    assert_eq!(plugins.offer(Role::Dataset, "hello").unwrap().plugin, "own");
    plugins.add_file(&first).unwrap();
    assert_eq!(plugins.offer(Role::Dataset, "hello").unwrap().plugin, "acme");
    assert_eq!(plugins.offers().count(), 1);
    assert!(plugins.take_warnings()[0].contains("instead of the built-in `hello`"));
    let error = plugins.add_file(&second).unwrap_err().to_string();
    assert!(error.contains("both offer dataset `hello`"), "{error}");
}

#[test]
fn a_second_start_runs_no_guest_code() {
    let dir = tempfile::tempdir().unwrap();
    let cache = CacheMode::Dir(dir.path().join("cache"));
    let wasm = GUEST.wasm();
    let start = || {
        let (plugins, result) = load_with(LoadOptions { cache: cache.clone(), ..options() }, &wasm);
        result.unwrap();
        assert_eq!(plugins.take_warnings(), [""; 0]);
        plugins.costs().len()
    };
    assert_eq!(start(), 1, "described by the plugin");
    assert_eq!(start(), 0, "described from the cache");
}
