//! Runs `vbench` as a process of its own: in a known environment, with a limit
//! on its time, and with nothing inherited from whoever runs the tests.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use vbench::clock;

/// After this long a process hangs.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// The folder of fixtures, in which commands run.
pub fn fixtures() -> PathBuf {
    fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures"))
        .expect("the fixtures are there")
}

/// A plugin as a file, built by `cargo xtask plugins`.
pub fn plugin_file(name: &str) -> String {
    format!("{}/../target/plugins/{name}.wasm", env!("CARGO_MANIFEST_DIR"))
}

/// Flags that leave the result in `@OUT@/result.json`.
pub const SAVE: [&str; 5] = ["--save-result", "--result-dir", "@OUT@", "--result-filename", "result.json"];

/// A command that has not run yet.
pub struct Vbench {
    command: Command,
    /// Where it may write: `@OUT@` in arguments.
    out: Arc<TempDir>,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// None if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    out: Arc<TempDir>,
}

/// A command that runs.
pub struct Running {
    child: Child,
    out: Arc<TempDir>,
}

impl Vbench {
    /// A command with these arguments, `@OUT@` standing for a new folder.
    pub fn new<S: AsRef<str>>(args: impl IntoIterator<Item = S>) -> Self {
        Self::within(Arc::new(tempfile::tempdir().expect("a temporary folder")), args)
    }

    /// A command whose folder is shared with others.
    pub fn within<S: AsRef<str>>(out: Arc<TempDir>, args: impl IntoIterator<Item = S>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vbench"));
        command
            .env_clear()
            .env("TZ", "UTC")
            .env("COLUMNS", "100")
            .env("HF_HUB_OFFLINE", "1")
            .env("HF_HOME", out.path().join("hf"))
            // Shared, so that a plugin is compiled once for all tests.
            .env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"))
            .current_dir(fixtures())
            .stdin(Stdio::null());
        let mut this = Self { command, out };
        for arg in args {
            this.command.arg(arg.as_ref().replace("@OUT@", &this.out.path().display().to_string()));
        }
        this
    }

    /// `serve` with a plugin file against the embedded server, without a tokenizer. `limits` are options for all
    /// plugins, `flags` those of `serve`.
    pub fn serve_mock(plugin: &str, limits: &[&str], flags: &[&str]) -> Self {
        let serve = ["serve", "--mock", "--model", "m", "--skip-tokenizer-init", "--disable-tqdm"];
        let at_once = ["--ready-check-timeout-sec", "0"];
        Self::new([&["--plugin", plugin], limits, &serve, &at_once, flags].concat())
    }

    /// `serve` against a server of the test's own, one request after the other, with plugin files.
    pub fn serve_in_turn(url: &str, plugins: &[&str], flags: &[&str]) -> Self {
        let plugins: Vec<&str> = plugins.iter().flat_map(|file| ["--plugin", *file]).collect();
        let serve = ["serve", "--model", "m", "--tokenizer", "tokenizers/bpe", "--base-url", url];
        let in_turn = ["--max-concurrency", "1", "--ready-check-timeout-sec", "0"];
        Self::new([plugins.as_slice(), &serve, &in_turn, flags].concat())
    }

    /// With a variable of the environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// In this folder instead of that of the fixtures.
    pub fn in_dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// With files that cannot grow beyond some kilobytes, as on a disk that is nearly full.
    pub fn on_a_small_disk(self) -> Self {
        // Ignored, the signal of a file that is too large becomes an error of the write.
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "trap '' XFSZ; ulimit -S -f 8; exec \"$0\" \"$@\""]);
        command.arg(self.command.get_program()).args(self.command.get_args()).env_clear();
        command.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(fixtures()).stdin(Stdio::null());
        Self { command, ..self }
    }

    /// Starts it.
    pub fn start(mut self) -> Running {
        let file = |name: &str| File::create(self.out.path().join(name)).expect("the folder can be written");
        self.command.stdout(file(".stdout")).stderr(file(".stderr"));
        let child = self.command.spawn().expect("the command starts");
        Running { child, out: self.out }
    }

    /// Runs it to its end.
    pub fn run(self) -> Outcome {
        self.start().wait()
    }
}

impl Running {
    /// Sends it a signal, by the name that `kill` knows.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().expect("there is `kill`");
        assert!(status.success(), "kill -s {name} {pid}");
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Outcome {
        let status = wait(&mut self.child);
        let read = |name: &str| {
            String::from_utf8_lossy(&fs::read(self.out.path().join(name)).expect("its output")).into_owned()
        };
        let (stdout, mut stderr) = (read(".stdout"), read(".stderr"));
        if status.is_none() {
            stderr += "\n(ended by the tests, since it did not end)\n";
        }
        Outcome { code: status.and_then(|status| status.code()), stdout, stderr, out: self.out }
    }
}

/// Waits, and ends what does not end.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let deadline_ns = clock::now_ns() + TIME_LIMIT.as_nanos() as u64;
    while clock::now_ns() < deadline_ns {
        if let Some(status) = child.try_wait().expect("the process can be waited for") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

impl Outcome {
    /// Fails the test unless this is the exit code.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code\n{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Names of the files it wrote, sorted.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.out.path()).expect("its folder");
        let names =
            entries.map(|entry| entry.expect("its folder").file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('.') && name != "hf").collect();
        names.sort();
        names
    }

    /// The lines of standard output with a beginning.
    pub fn lines<'o>(&'o self, beginning: &'o str) -> Vec<&'o str> {
        self.stdout.lines().filter(|line| line.starts_with(beginning)).collect()
    }

    /// A file it wrote, if it did.
    pub fn file(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.out.path().join(name)).ok()
    }

    /// The last line of `result.json`, which is all of it unless it was appended to.
    #[track_caller]
    pub fn result(&self) -> Value {
        let text = self.file("result.json").unwrap_or_else(|| panic!("no result.json\n{}", self.stderr));
        serde_json::from_str(text.lines().last().unwrap_or_default()).expect("a result is JSON")
    }

    /// Standard output and error with what changes from run to run replaced.
    pub fn output(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr).replace(&self.out.path().display().to_string(), "@OUT@")
    }

    /// Standard error with what changes from run to run replaced.
    pub fn errors(&self) -> String {
        self.stderr.replace(&self.out.path().display().to_string(), "@OUT@")
    }
}

/// Width and height of a PNG file in pixels.
#[track_caller]
pub fn png_size(file: &Path) -> (u32, u32) {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "{} is no PNG file", file.display());
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    (number(16), number(20))
}

/// `vbench mock` as a process of its own.
pub struct Mock {
    child: Child,
    pub url: String,
}

impl Mock {
    /// Starts one with these flags on a free port.
    pub fn start(flags: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vbench"))
            .args(["mock", "--port", "0", "--ttft-ms", "0", "--itl-ms", "0"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the mock server starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped"))
            .read_line(&mut line)
            .expect("its first line");
        let url = line.trim().rsplit(' ').next().unwrap_or_default().to_owned();
        assert!(url.starts_with("http://"), "{line}");
        Self { child, url }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
