//! Cases of one kind, what the user sees of each, and the table of them in `docs/concepts/sandbox.md`.
//!
//! The tables are written by the tests: with `VBENCH_BLESS=1` they are written anew, else they have to be as the run
//! would write them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::super::command::{Outcome, Vbench};

/// Rows that go together.
pub struct Section {
    name: &'static str,
    rows: String,
    count: usize,
    failures: String,
}

impl Section {
    /// The section between `<!-- cases: NAME -->` and `<!-- end -->`.
    pub fn new(name: &'static str) -> Self {
        Self { name, rows: String::new(), count: 0, failures: String::new() }
    }

    /// A case: what the plugin does, what came of it, the exit code and a part of what has to be said.
    pub fn case(&mut self, what: &str, outcome: &Outcome, code: i32, says: &str) {
        self.count += 1;
        let all = outcome.output();
        let mut fail = |reason: &str| {
            let _ = writeln!(self.failures, "--- {what}: {reason}\n{}", cut(&all, 3_000));
        };
        if outcome.code != Some(code) {
            fail(&format!("the exit code is {:?}, not {code}", outcome.code));
        }
        if !all.contains(says) {
            fail(&format!("nothing says `{says}`"));
        }
        if let Some(c) = all.chars().find(|&c| acts_on_a_terminal(c)) {
            fail(&format!("U+{:04X} reaches the terminal", c as u32));
        }
        if all.len() > 64 * 1024 {
            fail(&format!("{} bytes of output", all.len()));
        }
        let said = message(&all, says);
        let _ = writeln!(self.rows, "| {what} | {} | {code} |", code_span(&said));
    }

    /// Fails if any case did, or if the table is another than the documented one.
    pub fn finish(self) {
        assert!(self.failures.is_empty(), "{}", self.failures);
        let (opening, end) = (format!("<!-- cases: {} -->\n", self.name), "<!-- end -->");
        let heading = "\n| the plugin | what the user sees | exit code |\n|---|---|---|\n";
        let table = format!("{opening}{heading}{}\n", self.rows);
        // Sections are written by several tests at a time.
        static FILE: Mutex<()> = Mutex::new(());
        let _guard = FILE.lock().unwrap_or_else(PoisonError::into_inner);
        let path = document();
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let start = text.find(&opening).unwrap_or_else(|| panic!("{} has no {opening}", path.display()));
        let length = text[start..].find(end).unwrap_or_else(|| panic!("{opening} has no {end}"));
        let documented = &text[start..start + length];
        if std::env::var_os("VBENCH_BLESS").is_some() {
            let text = format!("{}{table}{}", &text[..start], &text[start + length..]);
            fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            return;
        }
        assert_eq!(documented, table, "write the tables anew: VBENCH_BLESS=1 cargo xtask test -- hostile");
    }
}

/// The page with the tables.
pub fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/concepts/sandbox.md")
}

/// Runs `vbench` with a plugin file `acme.wasm` of this content.
pub fn run(wasm: &[u8], args: &[&str]) -> Outcome {
    run_in(&std::sync::Arc::new(tempfile::tempdir().expect("a temporary folder")), wasm, args)
}

/// The same in a folder that the test knows.
pub fn run_in(dir: &std::sync::Arc<tempfile::TempDir>, wasm: &[u8], args: &[&str]) -> Outcome {
    fs::write(dir.path().join("acme.wasm"), wasm).expect("it can be written");
    Vbench::within(dir.clone(), [&["--plugin", "@OUT@/acme.wasm"], args].concat()).run()
}

/// What the user sees of a case: the error, else the first line that says `says`.
fn message(all: &str, says: &str) -> String {
    // A message goes on in lines that are set in.
    let mut messages: Vec<String> = Vec::new();
    for line in all.lines().filter(|line| !line.contains("RUST_BACKTRACE")) {
        match messages.last_mut() {
            Some(message) if line.starts_with("  ") => {
                message.push(' ');
                message.push_str(line.trim());
            }
            _ => messages.push(line.to_owned()),
        }
    }
    let error = messages.iter().find(|message| message.starts_with("error: "));
    let said = error.or_else(|| messages.iter().find(|message| message.contains(says)));
    cut(&steady(&said.map_or(String::new(), |said| said.trim().replace("@OUT@/", ""))), 220)
}

/// Leaves out what depends on the toolchain that built the plugin, or on the machine: places in source files, sizes, names
/// on the stack, patch versions of WASI, names of compiled files.
fn steady(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some((before, after)) = text.split_once(" (in ") {
        let after = match after.split_once(") it wrote: ") {
            Some((_, output)) => format!(" it wrote: {output}"),
            None => after.rsplit_once(')').map_or(String::new(), |(_, rest)| rest.to_owned()),
        };
        text = format!("{before}{after}");
    }
    if let Some((before, after)) = text.split_once("wants ")
        && let Some((_, after)) = after.split_once(" MiB of memory")
    {
        text = format!("{before}wants … MiB of memory{after}");
    }
    if let Some((before, after)) = text.split_once(" it wrote: ") {
        // How much it wrote before it was stopped depends on the machine.
        let panic = after.split_once("panicked at ").and_then(|(_, panic)| panic.split_once(": "));
        let wrote = panic.map_or(String::new(), |(_, message)| {
            format!(" it wrote: … panicked at …: {}", message.trim_start_matches("| "))
        });
        text = format!("{before}{wrote}");
    }
    if let Some((before, after)) = text.split_once("@0.2.")
        && let Some((_, after)) = after.split_once('#')
    {
        text = format!("{before}@0.2.…#{after}");
    }
    if let Some((before, after)) = text.split_once("cache/")
        && let Some((_, after)) = after.split_once(".cwasm")
    {
        text = format!("{before}cache/….cwasm{after}");
    }
    text
}

fn cut(text: &str, bytes: usize) -> String {
    match text.char_indices().map(|(at, _)| at).find(|&at| at > bytes) {
        Some(at) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn code_span(text: &str) -> String {
    let ticks = if text.contains("``") { "```" } else { "``" };
    format!("{ticks} {} {ticks}", text.replace('|', "\\|"))
}

fn acts_on_a_terminal(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn the_page_says_how_many_cases_there_are() {
    if std::env::var_os("VBENCH_BLESS").is_some() {
        return;
    }
    let text = fs::read_to_string(document()).expect("the page is there");
    let tables = text
        .split("<!-- cases: ")
        .skip(1)
        .map(|section| section.split("<!-- end -->").next().unwrap_or_default());
    let rows = tables
        .flat_map(str::lines)
        .filter(|line| line.starts_with("| ") && !line.starts_with("| the plugin |"));
    let count = rows.count();
    assert!(text.contains(&format!("There are {count} cases.")), "there are {count} cases");
}
