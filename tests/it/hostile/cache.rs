//! Files planted among compiled code.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::command::{Outcome, Vbench};
use super::section::Section;
use super::wat::{Describer, GUEST};

/// `plugin list` with a cache of its own.
fn list(dir: &Arc<tempfile::TempDir>) -> Outcome {
    Vbench::within(
        dir.clone(),
        ["--plugin", "@OUT@/acme.wasm", "--plugin-cache", "@OUT@/cache", "plugin", "list"],
    )
    .run()
}

/// The file in the cache with this ending.
fn cached(dir: &Path, ending: &str) -> PathBuf {
    let entries = fs::read_dir(dir.join("cache")).expect("the cache is there");
    let mut paths = entries.map(|entry| entry.expect("an entry").path());
    paths.find(|path| path.extension().is_some_and(|e| e == ending)).expect("it was filled")
}

#[test]
fn planted_files_are_not_used() {
    let mut section = Section::new("cache");
    // Each with a filled cache; without the description, the code is looked at.
    let filled = || {
        let dir = Arc::new(tempfile::tempdir().expect("a folder"));
        fs::write(dir.path().join("acme.wasm"), GUEST.wasm()).expect("a file");
        list(&dir).expect_code(0);
        dir
    };
    let mut case = |what: &str, plant: &dyn Fn(&Path), says: &str| {
        let dir = filled();
        plant(dir.path());
        let outcome = list(&dir);
        assert!(outcome.stdout.contains("hello"), "{what}\n{}", outcome.stderr);
        section.case(what, &outcome, 0, says);
    };
    let code_alone = |dir: &Path| {
        fs::remove_file(cached(dir, "json")).expect("it can be removed");
        cached(dir, "cwasm")
    };
    case(
        "finds machine code of somebody's own in the cache",
        &|dir| {
            fs::write(code_alone(dir), b"\x7fELF\x02\x01\x01 and then what").expect("a file");
        },
        "cannot use",
    );
    case(
        "finds half a file in the cache",
        &|dir| {
            let path = code_alone(dir);
            let whole = fs::read(&path).expect("a file");
            fs::write(path, &whole[..whole.len() / 2]).expect("a file");
        },
        "cannot use",
    );
    case(
        "finds code that others can write",
        &|dir| {
            fs::set_permissions(code_alone(dir), Permissions::from_mode(0o666)).expect("it is ours");
        },
        "can be written by others",
    );
    case(
        "finds a link in place of code",
        &|dir| {
            let path = code_alone(dir);
            fs::rename(&path, dir.join("elsewhere")).expect("it is ours");
            symlink(dir.join("elsewhere"), path).expect("a link");
        },
        "cannot open",
    );
    case(
        "finds a description that somebody wrote",
        &|dir| {
            fs::write(cached(dir, "json"), r#"{"name":"\u001b[2J","version":"1","summary":"","offers":[]}"#)
                .expect("a file");
        },
        "hello",
    );
    case(
        "finds a cache that others can write",
        &|dir| {
            fs::set_permissions(dir.join("cache"), Permissions::from_mode(0o777)).expect("it is ours");
        },
        "can be written by others",
    );
    case(
        "finds a link in place of the cache",
        &|dir| {
            fs::rename(dir.join("cache"), dir.join("elsewhere")).expect("it is ours");
            symlink(dir.join("elsewhere"), dir.join("cache")).expect("a link");
        },
        "is not a directory",
    );
    section.finish();
}

#[test]
fn a_plugin_that_changed_is_compiled_anew() {
    let dir = Arc::new(tempfile::tempdir().expect("a folder"));
    fs::write(dir.path().join("acme.wasm"), GUEST.wasm()).expect("a file");
    assert!(list(&dir).expect_code(0).stdout.contains("hello"));
    let mut other = Describer::default();
    other.offers[0].name = "other".into();
    fs::write(dir.path().join("acme.wasm"), other.wasm()).expect("a file");
    let outcome = list(&dir).expect_code(0);
    assert!(outcome.stdout.contains("other") && !outcome.stdout.contains("hello "), "{}", outcome.stdout);
}
