//! Attempts to get out of the sandbox.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::section::Section;
use super::{dataset, serve};

const SECRET: &str = "the secret of the neighbour";

/// A folder that the user names, with all that a plugin might leave it by, and a file beside it.
fn folder(dir: &Path) -> String {
    let root = dir.join("named");
    fs::create_dir_all(root.join("sub")).expect("a folder");
    fs::write(dir.join("secret.txt"), SECRET).expect("a file");
    fs::write(dir.join("secret.jsonl"), format!("{SECRET:?}\n")).expect("a file");
    fs::write(root.join("inside.txt"), "inside\n").expect("a file");
    fs::write(root.join("long.txt"), "x".repeat(64 << 10)).expect("a file");
    symlink("../secret.txt", root.join("link.txt")).expect("a link");
    symlink("../secret.jsonl", root.join("link.jsonl")).expect("a link");
    symlink("..", root.join("folder-link")).expect("a link");
    symlink("/etc/passwd", root.join("absolute-link")).expect("a link");
    symlink("/proc", root.join("proc-link")).expect("a link");
    root.display().to_string()
}

/// Names, kinds and contents of everything in a folder.
fn content(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).expect("a folder") {
        let path = entry.expect("an entry").path();
        let kind = fs::symlink_metadata(&path).expect("it is there");
        let (changed, size) = (kind.modified().expect("a time"), kind.len());
        found.push(format!("{} {:?} {changed:?} {size}", path.display(), kind.file_type()));
    }
    found.sort();
    found
}

#[test]
fn nothing_is_reached_that_was_not_named() {
    let mut section = Section::new("reach");
    let mut case =
        |what: &str, order: &str, code, says: &str| section.case(what, &dataset(order, &[]), code, says);
    case("connects to an address", "open:connect", 3, "plugins never get the network");
    case("looks up a name", "open:resolve", 3, "plugins never get the network");
    case("listens on a port", "open:bind", 3, "plugins never get the network");
    case(
        "looks at the environment, the arguments and the folder",
        "open:environment",
        0,
        "environment: (0, 0, ",
    );
    case("reads the standard input", "open:stdin", 0, "stdin: Ok(0)");
    case("looks at the clocks", "open:time", 0, "time: (Ok(946684800), ");
    case("draws random numbers", "open:random", 0, "random: ");
    case("sleeps for a day", "open:sleep", 0, "Successful requests:");
    case("starts a thread", "open:thread", 0, "thread: false");
    case("looks for files", "open:files", 0, "/etc/passwd: false");
    section.finish();
}

#[test]
fn a_sandbox_without_files_is_empty() {
    let outcome = dataset("open:files", &[]).expect_code(0);
    for path in ["/etc/passwd", "/proc/self/environ", "/dev/urandom", "..", "/tmp", "/data/0", "write"] {
        assert!(outcome.stdout.contains(&format!("{path}: false")), "{path}\n{}", outcome.stdout);
    }
}

#[test]
fn a_named_folder_can_be_read_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a folder");
    let root = folder(dir.path());
    let before = content(Path::new(&root));
    let mut section = Section::new("folder");
    let with = |order: &str| {
        serve(&["--dataset-name", "evil", "--evil-do", order, "--evil-path", &root, "--num-prompts", "1"])
    };
    let outcome = with("open:folder");
    section.case(
        "reads what is in the folder that was named",
        &outcome,
        0,
        r#"inside.txt: Some("inside\n")"#,
    );
    for (what, name) in [
        ("reads a file beside it through `..`", "../secret.txt"),
        ("reads `/etc/passwd` through a row of `..`", "../../../../../../../../etc/passwd"),
        ("reads through a link in it", "link.txt"),
        ("reads through a link to the folder above", "folder-link/secret.txt"),
        ("reads through an absolute link", "absolute-link"),
        ("reads `/proc` through a link", "proc-link/self/environ"),
        ("goes down and up again", "sub/../../secret.txt"),
        ("reads `/etc/passwd` by its name", "/etc/passwd"),
    ] {
        section.case(what, &outcome, 0, &format!("{name}: None"));
    }
    for (what, deed) in [
        ("writes a new file into it", "write"),
        ("writes over a file", "overwrite"),
        ("appends to a file", "append"),
        ("removes a file", "remove"),
        ("renames a file", "rename"),
        ("links a file", "hard link"),
        ("makes a folder", "make a folder"),
        ("removes a folder", "remove a folder"),
        ("sets a file's time", "set the time"),
    ] {
        section.case(what, &outcome, 0, &format!("{deed}: false"));
    }
    section.case("opens a file without end", &with("open:descriptors"), 3, "holds more than 512 handles");
    section.case("has the host open files outside of it", &with("open:members"), 0, "Successful requests:");
    section.case(
        "has the host open a file without end",
        &with("open:tables"),
        3,
        "holds more than 512 handles",
    );
    section.case("has the host read a row a million times in one call", &with("open:rows"), 3, "of memory");
    assert!(!outcome.stdout.contains(SECRET) && !outcome.stderr.contains(SECRET), "{}", outcome.stdout);
    assert_eq!(content(Path::new(&root)), before, "nothing was changed");
    section.finish();
}

#[test]
fn clocks_and_random_numbers_are_the_same_every_time() {
    let told = |what: &str| {
        let outcome = dataset(&format!("open:{what}"), &["--seed", "7"]).expect_code(0);
        let line = outcome.stdout.lines().find(|line| line.starts_with(what)).map(str::to_owned);
        line.unwrap_or_else(|| panic!("nothing about {what}\n{}", outcome.stdout))
    };
    for what in ["time", "random"] {
        assert_eq!(told(what), told(what));
    }
    let other = dataset("open:random", &["--seed", "8"]).expect_code(0);
    assert!(!other.stdout.contains(&told("random")), "another seed draws other numbers");
}

#[test]
fn lists_of_tokens_that_lie_are_refused() {
    let file = super::evil_file();
    let args = [
        "--plugin",
        &file,
        "serve",
        "--mock",
        "--model",
        "m",
        "--tokenizer",
        "tokenizers/bpe",
        "--dataset-name",
        "evil",
        "--evil-do",
        "open:decode",
        "--num-prompts",
        "1",
    ];
    let outcome = super::super::command::Vbench::new(args).run().expect_code(3);
    assert!(outcome.stderr.contains("the ends of token lists have to ascend"), "{}", outcome.stderr);
}
