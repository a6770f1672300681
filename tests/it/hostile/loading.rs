//! Files that are no plugins, or broken ones.

use super::section::{Section, run};
use super::wat::{Describer, GUEST, parse};

#[test]
fn files_that_are_no_good() {
    let mut section = Section::new("files");
    let list = ["plugin", "list"];
    let mut case =
        |what: &str, wasm: &[u8], code, says: &str| section.case(what, &run(wasm, &list), code, says);
    case("is an empty file", b"", 2, "is empty");
    case("is a web page", b"<!DOCTYPE html><html></html>", 2, "the download may have failed");
    case("is a file of zeros", &[0; 4096], 2, "magic number");
    case("is a core module", &parse("(module)"), 3, "not a component");
    case("is a component of something else", &parse("(component)"), 2, "not a vbench plugin");
    let good = GUEST.wasm();
    case("is cut off in the middle", &good[..good.len() / 2], 3, "damaged or cut short");
    case("has rubbish after its end", &[&good[..], b"rubbish"].concat(), 3, "damaged or cut short");
    let mut flipped = good.clone();
    let module =
        flipped.windows(4).skip(1).position(|bytes| bytes == b"\0asm").expect("there is a core module");
    flipped[module + 5] ^= 1;
    case("has a flipped bit in its code", &flipped, 3, "damaged or cut short");
    let imports: String =
        (0..5_000).map(|n| format!("(import \"acme:many/x{n}@1.0.0\" (instance))")).collect();
    let many = Describer { imports, ..Describer::default() };
    case("imports thousands of things that nobody has", &many.wasm(), 3, "which no plugin gets");
    let imports: String =
        (0..5_000).map(|n| format!("(import \"wasi:cli/stdin@0.2.{n}\" (instance))")).collect();
    let many = Describer { imports, ..Describer::default() };
    case(
        "imports thousands of versions of what it gets",
        &many.wasm(),
        3,
        "imports 5000 things, more than 1000",
    );
    let future = vec!["vbench:plugin/meta@0.9.0", "vbench:plugin/dataset@0.9.0"];
    let future = Describer { exports: future, ..Describer::default() };
    case("was built for a later contract", &future.wasm(), 3, "upgrade vbench");
    let imports = "(import \"wasi:http/outgoing-handler@0.2.6\" (instance))".to_owned();
    let http = Describer { imports, ..Describer::default() };
    case("imports the network without using it", &http.wasm(), 0, "hello");
    let imports = r#"(import "wasi:http/outgoing-handler@0.2.6" (instance $net (export "handle" (func))))
        (core func $handle (canon lower (func $net "handle")))"#;
    let http = Describer {
        imports: imports.to_owned(),
        with: r#"(with "net" (instance (export "handle" (func $handle))))"#,
        core: r#"(import "net" "handle" (func $handle))"#,
        describe: "call $handle i32.const 0",
        ..Describer::default()
    };
    case("uses `wasi:http`", &http.wasm(), 3, "plugins never get the network");
    let big = Describer { core: "(memory $big 40000)", ..Describer::default() };
    case("wants 2.5 GiB of memory to begin with", &big.wasm(), 3, "");
    let table = Describer { core: "(table 200000 funcref)", ..Describer::default() };
    case("wants a table of 200,000 entries", &table.wasm(), 3, "and may have 100000");
    let start =
        Describer { core: "(func $forever (loop $l (br $l))) (start $forever)", ..Describer::default() };
    let soon = [&super::SOON[..], &list].concat();
    section.case("loops before any call", &run(&start.wasm(), &soon), 3, "stopped after 0.3 s");
    section.finish();
}

#[test]
fn no_flipped_or_missing_byte_crashes_the_command() {
    let good = GUEST.wasm();
    // Every byte is flipped in the tests of the library; these go the whole way.
    for at in (8..good.len()).step_by(good.len() / 24) {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (at % 8);
        for file in [&flipped[..], &good[..at]] {
            let outcome = run(file, &["--plugin-timeout-s", "0.3", "plugin", "list"]);
            assert!(
                matches!(outcome.code, Some(0 | 2 | 3)),
                "byte {at}: {:?}\n{}",
                outcome.code,
                outcome.stderr
            );
        }
    }
}
