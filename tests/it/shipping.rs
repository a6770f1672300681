//! Plugins from registries, locks and policies, through the whole command.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use vbench::digest::Sha256Hex;

use super::command::{fixtures, plugin_file};
use super::hostile::evil_file;
use super::registry::{Access, Pushed, Registry, Signer};

/// A run that needs nothing but the plugin `custom`.
const SERVE: [&str; 15] = [
    "serve",
    "--mock",
    "--model",
    "m",
    "--tokenizer",
    "tokenizers/bpe",
    "--dataset-name",
    "custom",
    "--dataset-path",
    "data/custom_small.jsonl",
    "--skip-chat-template",
    "--num-prompts",
    "2",
    "--ready-check-timeout-sec",
    "0",
];

/// A user with a home of their own.
struct Home {
    dir: TempDir,
    /// Run as nobody, who can write nothing.
    unprivileged: bool,
    binary: PathBuf,
}

struct Done {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for folder in ["data", "cache", "docker", "work"] {
            fs::create_dir(dir.path().join(folder)).expect("it can be made");
        }
        Self { dir, unprivileged: false, binary: PathBuf::from(env!("CARGO_BIN_EXE_vbench")) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), content).expect("it can be written");
        self.path(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.unprivileged_command(&self.binary);
        command
            .args(args)
            .env_clear()
            .env("TZ", "UTC")
            .env("HF_HUB_OFFLINE", "1")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("DOCKER_CONFIG", self.path("docker"))
            .env("SSL_CERT_FILE", fixtures().join("registry/ca.pem"))
            .env("VBENCH_LOCK", self.path("work/vbench.lock"))
            .current_dir(fixtures())
            .stdin(Stdio::null());
        command
    }

    /// A program, run as nobody if that is how commands are to be run.
    fn unprivileged_command(&self, program: impl AsRef<OsStr>) -> Command {
        if !self.unprivileged {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]).arg(program);
        command
    }

    fn run(&self, args: &[&str]) -> Done {
        let Output { status, stdout, stderr } = self.command(args).output().expect("the command runs");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Done { code: status.code(), out: text(stdout), err: text(stderr) }
    }

    fn lock(&self) -> String {
        fs::read_to_string(self.path("work/vbench.lock")).expect("there is a lock")
    }
}

impl Done {
    #[track_caller]
    fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code\n{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn says(self, text: &str) -> Self {
        assert!(
            self.out.contains(text) || self.err.contains(text),
            "{text:?} in\n{}\n{}",
            self.out,
            self.err
        );
        self
    }
}

fn words<'a>(parts: &[&[&'a str]]) -> Vec<&'a str> {
    parts.concat()
}

fn custom() -> (Vec<u8>, Sha256Hex) {
    let wasm = fs::read(plugin_file("custom")).expect("plugins are built");
    let sha256 = Sha256Hex::of(&wasm);
    (wasm, sha256)
}

#[test]
fn files_and_names_are_added_locked_verified_and_removed() {
    let home = Home::new();
    let (wasm, sha256) = custom();
    home.write("work/mine.wasm", &wasm);
    let file = home.path("work/mine.wasm").display().to_string();

    home.run(&["plugin", "verify"]).code(2).says("there is no lock");
    home.run(&["--locked", "plugin", "list"]).code(5).says("--locked needs a lock");
    home.run(&["plugin", "add", &file, "--name", "mine"]).code(0).says("was added").says(sha256.as_str());
    assert!(home.lock().contains("source = \"./mine.wasm\""), "{}", home.lock());
    home.run(&["plugin", "add", &file, "--name", "mine"]).code(0).says("the same as before");
    home.run(&["plugin", "verify"]).code(0).says("ok      mine");
    home.run(&["plugin", "inspect", "mine", "--json"]).code(0).says(sha256.as_str());
    home.run(&words(&[&["--locked", "--plugin", "mine"], &SERVE]))
        .code(0)
        .says("is used instead of the built-in");
    home.run(&["--locked", "--plugin", &plugin_file("random"), "plugin", "list"])
        .code(5)
        .says("not in")
        .says("--locked");
    home.run(&["--locked", "plugin", "add", &file]).code(2).says("--locked forbids");

    // The store answers for a file that is gone, and a changed one is not taken.
    fs::remove_file(home.path("work/mine.wasm")).expect("it is there");
    home.run(&["--locked", "--plugin", "mine", "plugin", "list"]).code(0);
    let kept = home.path(&format!("data/vbench/plugins/sha256/{sha256}.wasm"));
    let mut changed = wasm.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    fs::write(&kept, changed).expect("it can be written");
    home.run(&["--locked", "--plugin", "mine", "plugin", "list"]).code(5).says("was changed or damaged");
    home.run(&["plugin", "verify"]).code(5).says("refused mine");

    home.run(&["plugin", "remove", "other"]).code(2).says("`other` is not in the lock");
    home.run(&["plugin", "remove", "mine"]).code(0).says("mine was removed");
    home.run(&["--plugin", "mine", "plugin", "list"]).code(2).says("no plugin is called `mine`");

    // A name on the plugin path needs no lock.
    let dir = home.path("work").display().to_string();
    home.write("work/byname.wasm", &wasm);
    home.run(&["--plugin-path", &dir, "--plugin", "byname", "plugin", "list"]).code(0).says("byname.wasm");
}

#[test]
fn artifacts_are_pulled_by_tag_and_digest_over_tls_with_a_password() {
    let Some(registry) = Registry::start("artifacts_are_pulled", Access::Password) else { return };
    let home = Home::new();
    let (wasm, sha256) = custom();
    let pushed = registry.push("acme/custom", "1.0.0", &wasm);

    home.run(&["plugin", "add", &pushed.tagged]).code(6).says("log in with `docker login");
    registry.log_in(&home.path("docker"));
    home.run(&["--plugin", &pushed.tagged, "plugin", "list"]).code(0).says("is a tag that may move");
    home.run(&["plugin", "inspect", &pushed.pinned]).code(0).says(sha256.as_str());
    home.run(&["plugin", "add", &pushed.tagged]).code(0).says("custom 0.1.0");
    assert!(
        home.lock().contains(pushed.digest.as_str()) && home.lock().contains(sha256.as_str()),
        "{}",
        home.lock()
    );

    // What is there needs no network; what is not is a clear error.
    home.run(&words(&[&["--offline", "--locked", "--plugin", "custom"], &SERVE])).code(0);
    home.run(&["--offline", "--plugin", &pushed.pinned, "plugin", "list"]).code(0);
    let other = registry.push("acme/other", "1.0.0", &wasm);
    home.run(&["--offline", "--plugin", &other.tagged, "plugin", "list"]).code(2).says("--offline forbids");
    let missing = other.tagged.replace("1.0.0", "9.9.9");
    home.run(&["plugin", "add", &missing]).code(6).says("there is no oci://");
    let beside = registry.push_beside_others("acme/beside", "1", &wasm);
    home.run(&["plugin", "inspect", &beside.tagged]).code(0).says(sha256.as_str());
    let page = registry.push_as("acme/page", "1", b"<html>", "text/html");
    home.run(&["plugin", "add", &page.tagged]).code(2).says("it holds no layer of type application/wasm");
    let broken = registry.push("acme/broken", "1", b"<html>");
    home.run(&["plugin", "add", &broken.tagged]).code(2).says("looks like a web page");

    // A tag that moved is a newer version; the lock holds until it is updated.
    home.run(&["plugin", "update"]).code(0).says("up to date");
    let newer = fs::read(plugin_file("random")).expect("plugins are built");
    registry.push("acme/custom", "1.0.0", &newer);
    home.run(&words(&[&["--plugin", &pushed.tagged], &SERVE])).code(0);
    home.run(&["plugin", "update", "custom"]).code(0).says("becomes");
    assert!(home.lock().contains(Sha256Hex::of(&newer).as_str()), "{}", home.lock());

    // A damaged download.
    let third = fs::read(plugin_file("sonnet")).expect("plugins are built");
    let pushed = registry.push("acme/sonnet", "1", &third);
    registry.damage(&Sha256Hex::of(&third));
    let done = home.run(&["plugin", "add", &pushed.tagged]);
    assert!(matches!(done.code, Some(5 | 6)), "{}\n{}", done.out, done.err);
    assert!(!home.path(&format!("data/vbench/plugins/sha256/{}.wasm", Sha256Hex::of(&third))).exists());

    // A registry that has gone.
    let address = registry.address.clone();
    drop(registry);
    home.run(&["plugin", "add", &format!("oci://{address}/acme/gone:1")]).code(6).says("cannot fetch oci://");
}

#[test]
fn registries_of_this_machine_may_speak_plain_http_and_strange_certificates_are_refused() {
    let Some(plain) = Registry::start("registries_of_this_machine", Access::Plain) else { return };
    let home = Home::new();
    let (wasm, _) = custom();
    let pushed = plain.push("acme/custom", "1", &wasm);
    home.run(&["plugin", "add", &pushed.tagged]).code(0).says("was added");
    let Some(tls) = Registry::start("registries_of_this_machine", Access::Tls) else { return };
    let pushed = tls.push("acme/custom", "1", &wasm);
    home.run(&["plugin", "inspect", &pushed.tagged]).code(0);
    let distrusting = home
        .command(&["plugin", "add", &pushed.tagged])
        .env("SSL_CERT_FILE", fixtures().join("tls/cert.pem"))
        .output()
        .expect("the command runs");
    assert_eq!(distrusting.status.code(), Some(6));
    let said = String::from_utf8_lossy(&distrusting.stderr).to_lowercase();
    assert!(said.contains("certificate") || said.contains("unknownissuer"), "{said}");
}

#[test]
fn a_signature_by_a_named_key_lets_a_plugin_in() {
    let Some(registry) = Registry::start("a_signature_by_a_named_key", Access::Tls) else { return };
    let home = Home::new();
    let (wasm, _) = custom();
    let pushed = registry.push("acme/custom", "1", &wasm);
    let (acme, stranger) = (Signer::new(), Signer::new());
    let key = home.write("work/acme.pub", acme.public_pem()).display().to_string();
    let strange = home.write("work/stranger.pub", stranger.public_pem()).display().to_string();
    let repository = format!("{}/acme/*", registry.address);
    let policy = |key: &str, repository: &str| {
        format!(
            "version = 1\n[grants]\nread = [\"data\"]\n[[publisher]]\nname = \"acme\"\nkey-file = \"{key}\"\nrepositories = [\"{repository}\"]\n"
        )
    };
    let trusting = home.write("work/policy.toml", policy("acme.pub", &repository)).display().to_string();
    let strict = home.write("work/strict.toml", policy("stranger.pub", &repository)).display().to_string();
    let elsewhere =
        home.write("work/elsewhere.toml", policy("acme.pub", "ghcr.io/acme/*")).display().to_string();

    home.run(&["plugin", "add", &pushed.tagged]).code(0);
    home.run(&["plugin", "verify", "--key", &key]).code(5).says("it is not signed");
    home.run(&["--policy", &trusting, "--plugin", "custom", "plugin", "list"])
        .code(5)
        .says("it is not signed");
    registry.sign(&pushed, &acme);
    home.run(&["plugin", "verify", "--key", &key]).code(0).says("signed with this key for");
    home.run(&["plugin", "verify", &pushed.pinned, "--key", &strange]).code(5).says("another key");
    home.run(&["--policy", &strict, "--plugin", "custom", "plugin", "list"]).code(5).says("publisher `acme`");
    home.run(&["--policy", &elsewhere, "--plugin", "custom", "plugin", "list"])
        .code(5)
        .says("was signed for repository");
    // From here on the evidence is at hand, and nobody needs to be asked.
    drop(registry);
    home.run(&words(&[&["--policy", &trusting, "--offline", "--locked", "--plugin", "custom"], &SERVE]))
        .code(0);
}

#[test]
fn signatures_without_a_key_are_recognised_and_refused() {
    let Some(registry) = Registry::start("signatures_without_a_key", Access::Tls) else { return };
    let (wasm, sha256) = custom();
    let policy =
        "version = 1\n[grants]\nread = [\"data\"]\n[[publisher]]\nname = \"acme\"\nkey-file = \"acme.pub\"\n";
    type Sign = fn(&Registry, &Pushed);
    let ways: [(&str, Sign); 2] =
        [("acme/tagged", Registry::sign_keyless), ("acme/bundled", Registry::sign_with_bundle)];
    for (repository, sign) in ways {
        // A home of its own, since what was fetched from one repository answers for the same in another.
        let home = Home::new();
        let key = home.write("work/acme.pub", Signer::new().public_pem()).display().to_string();
        let strict = home.write("work/policy.toml", policy).display().to_string();
        let by_content = format!("{policy}[[plugin]]\nsha256 = \"{sha256}\"\n");
        let by_content = home.write("work/content.toml", by_content).display().to_string();
        let pushed = registry.push(repository, "1", &wasm);
        sign(&registry, &pushed);
        home.run(&["plugin", "add", &pushed.pinned]).code(0);
        home.run(&["plugin", "verify", "--key", &key])
            .code(5)
            .says("1 keyless, by a certificate of an identity provider")
            .says("cosign sign --key cosign.key")
            .says(&format!("{repository}@{}", pushed.digest.prefixed()));
        home.run(&["plugin", "verify"]).code(0).says("signatures that vbench does not check: 1 keyless");
        home.run(&["plugin", "inspect", "custom"])
            .code(0)
            .says("others that vbench does not check: 1 keyless");
        let refused = home.run(&["--policy", &strict, "--plugin", "custom", "plugin", "list"]).code(5);
        refused.says("publisher `acme`: it is signed in a way that vbench does not check");
        home.run(&words(&[&["--policy", &by_content, "--plugin", "custom"], &SERVE])).code(0);
    }
}

#[test]
fn a_policy_decides_by_content_files_and_limits() {
    let home = Home::new();
    let (wasm, sha256) = custom();
    let file = home.write("work/x.wasm", &wasm).display().to_string();
    let policy = |text: &str| {
        home.write("work/p.toml", format!("version = 1\n{text}"));
        home.path("work/p.toml").display().to_string()
    };
    let allow = format!("[[plugin]]\nsha256 = \"{sha256}\"\n");
    let read = "[grants]\nread = [\"data\"]\n";
    let run = |text: &str, more: &[&str]| {
        let path = policy(text);
        home.run(&words(&[&["--policy", &path, "--plugin", &file], more, &SERVE]))
    };
    run("", &[]).code(5).says("allows no plugin with SHA-256");
    run(&allow, &[]).code(5).says("does not let it read data/custom_small.jsonl");
    run(&format!("{read}{allow}"), &[]).code(0);
    run(&format!("{read}{allow}[[deny]]\nsha256 = \"{sha256}\"\n"), &[]).code(5).says("`deny`");
    run(&format!("builtins = [\"custom\"]\n{read}{allow}"), &[])
        .code(5)
        .says("does not allow the built-in plugin `openai`");
    run(&format!("{read}{allow}limits = {{ memory-mib = 1 }}\n"), &[]).code(3).says("may have 1.0 MiB");
    run(&format!("{read}[limits]\nmemory-mib = 64\n{allow}"), &["--plugin-memory-mib", "65"])
        .code(5)
        .says("--plugin-memory-mib asks for more than policy");
    run(&format!("{read}[limits]\nrequest-mib = 4\n{allow}"), &["--plugin-request-mib", "5"])
        .code(5)
        .says("--plugin-request-mib asks for more than policy");
    run("nonsense = 1", &[]).code(2).says("unknown field");
}

/// From the registry to a shared runner: pushed, pulled by digest, locked, run
/// under a policy as a user who can write nothing, home included, and refused
/// after one byte was changed.
#[test]
fn from_a_registry_to_an_unprivileged_run_under_a_policy() {
    let Some(registry) = Registry::start("from_a_registry_to_an_unprivileged_run", Access::Password) else {
        return;
    };
    let mut home = Home::new();
    registry.log_in(&home.path("docker"));
    let (wasm, sha256) = custom();
    let pushed = registry.push("acme/custom", "1.0.0", &wasm);
    let signer = Signer::new();
    registry.sign(&pushed, &signer);

    // The owner of the machine.
    home.run(&["plugin", "add", &pushed.pinned]).code(0);
    home.write("work/acme.pub", signer.public_pem());
    let data = fixtures().join("data");
    let policy = format!(
        "version = 1\nbuiltins = [\"openai\"]\n[limits]\nmemory-mib = 128\n[grants]\nread = [{data:?}]\n\
         [[publisher]]\nname = \"acme\"\nkey-file = \"acme.pub\"\n"
    );
    let policy = home.write("work/policy.toml", policy).display().to_string();
    let compiled = home.path("compiled").display().to_string();
    home.run(&["--policy", &policy, "plugin", "compile", "custom", "--output", &compiled])
        // The policy lets in one built-in only.
        .code(5)
        .says("does not allow the built-in plugin");
    home.run(&["plugin", "compile", "custom", "--output", &compiled]).code(0).says("--plugin-cache");
    drop(registry);

    // Somebody who can write nothing.
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        home.binary = home.path("vbench");
        fs::copy(env!("CARGO_BIN_EXE_vbench"), &home.binary).expect("the binary can be copied");
        // The checkout may be where others cannot look.
        for folder in ["data", "tokenizers", "registry"] {
            copy(&fixtures().join(folder), &home.path("fixtures").join(folder));
        }
        let policy_text = fs::read_to_string(&policy).expect("it is there");
        let there = home.path("fixtures/data");
        home.write(
            "work/policy.toml",
            policy_text.replace(data.to_str().expect("UTF-8"), there.to_str().expect("UTF-8")),
        );
        home.unprivileged = true;
    }
    // Where the tests do not run as root, their own user stands in for the other one.
    set_writable(home.dir.path(), is_root);
    let mut touch = home.unprivileged_command("touch");
    touch.arg(home.path("mine")).stderr(Stdio::null());
    assert!(!touch.status().expect("it runs").success(), "the home is read-only");
    let run = |more: &[&str]| {
        let mut command = home.command(&words(&[
            &[
                "--policy",
                &policy,
                "--locked",
                "--offline",
                "--plugin-cache",
                &compiled,
                "--plugin",
                "custom",
            ],
            more,
        ]));
        if is_root {
            command
                .current_dir(home.path("fixtures"))
                .env("SSL_CERT_FILE", home.path("fixtures/registry/ca.pem"));
        }
        let Output { status, stdout, stderr } = command.output().expect("the command runs");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Done { code: status.code(), out: text(stdout), err: text(stderr) }
    };
    let done = run(&SERVE).code(0);
    assert!(!done.err.contains("plugin cache"), "compiled code is used:\n{}", done.err);
    // The same input, the same verdict.
    run(&SERVE).code(0);
    let before = names_below(home.dir.path());
    run(&words(&[&["--plugin-cache", "auto"], &SERVE])).code(0);
    assert_eq!(names_below(home.dir.path()), before, "nothing was left behind");

    // One byte, and it is refused.
    set_writable(home.dir.path(), true);
    let kept = home.path(&format!("data/vbench/plugins/sha256/{sha256}.wasm"));
    let mut changed = wasm.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    fs::write(&kept, &changed).expect("root or the owner can write it");
    run(&SERVE).code(5).says("was changed or damaged on the way");
    // Nor does it help to lock the change.
    let lock = home.lock().replace(sha256.as_str(), Sha256Hex::of(&changed).as_str());
    home.write("work/vbench.lock", lock);
    fs::rename(&kept, kept.with_file_name(format!("{}.wasm", Sha256Hex::of(&changed)))).expect("it is there");
    let done = run(&SERVE);
    assert!(matches!(done.code, Some(3 | 5)), "{:?}\n{}", done.code, done.err);
}

#[test]
fn a_new_project_is_made_and_results_name_where_plugins_came_from() {
    let home = Home::new();
    let made = home
        .command(&["plugin", "new", "acme-numbers", "--kind", "dataset"])
        .current_dir(home.path("work"))
        .output()
        .expect("the command runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(home.path("work/acme-numbers/src/lib.rs").is_file());
    home.run(&["plugin", "new", "Bad Name", "--kind", "sla"]).code(2).says("cannot be a plugin's name");

    let out = home.path("work").display().to_string();
    let save = ["--save-result", "--result-dir", &out, "--result-filename", "r.json"];
    home.run(&words(&[&["--plugin", &plugin_file("custom")], &SERVE, &save])).code(0);
    let text = fs::read_to_string(home.path("work/r.json")).expect("there is a result");
    let result: Value = serde_json::from_str(&text).expect("JSON");
    let source = &result["vbench"]["plugins"][0]["source"]["file"];
    assert!(source.as_str().is_some_and(|file| file.ends_with("custom.wasm")), "{source}");
}

#[test]
fn authors_can_check_measure_and_preview() {
    let home = Home::new();
    let file = plugin_file("sharegpt");
    let data = ["--dataset-path", "data/sharegpt_small.json"];
    home.run(&["plugin", "check", &file]).code(2).says("--dataset-path");
    let first = home.run(&words(&[&["plugin", "check", &file, "--deterministic"], &data])).code(0);
    let second = home.run(&words(&[&["plugin", "check", &file, "--deterministic"], &data])).code(0);
    let digest = |done: &Done| {
        done.out.lines().find(|line| line.contains("the same twice")).expect("it is told").to_owned()
    };
    assert_eq!(digest(&first), digest(&second), "from process to process");
    let limits = first.out.lines().find(|line| line.starts_with("limits")).unwrap_or_default();
    assert!(limits.contains("MiB of memory"), "{}", first.out);

    let table =
        home.run(&words(&[&["plugin", "bench", &file, "--markdown", "--count", "4"], &data])).code(0).out;
    assert!(table.contains("| sharegpt | instantiate |") && table.contains("|  | dataset.next |"), "{table}");

    // What a plugin says while it is measured is no part of the tables.
    let talks = evil_file();
    let done = home
        .run(&["plugin", "bench", &talks, "--markdown", "--count", "4", "--evil-do", "open:stdin"])
        .code(0);
    assert!(done.err.contains("evil: stdin: Ok(0)"), "{}", done.err);
    assert!(done.out.contains("| evil | instantiate |"), "{}", done.out);
    for line in done.out.lines() {
        assert!(line.is_empty() || line.starts_with(['|', '#']), "{line:?} in\n{}", done.out);
    }

    let shown = home
        .run(&words(&[&["plugin", "preview", "--dataset-name", "sharegpt", "--count", "1"], &data]))
        .code(0)
        .says("POST ")
        .out;
    assert!(shown.contains("/v1/completions") && shown.contains("\"prompt\""), "{shown}");
    home.run(&words(&[&["plugin", "preview", "--samples", "--dataset-name", "sharegpt"], &data]))
        .code(0)
        .says("Sample {");
    home.run(&["plugin", "preview", "--count", "0"]).code(2).says("--count wants a number");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it can be made");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("it can be copied");
        }
    }
}

/// Lets everybody read, and the owner write or nobody. What may be run stays so.
fn set_writable(dir: &Path, by_owner: bool) {
    let write = if by_owner { 0o200 } else { 0 };
    let mode =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    // While it is looked through, a folder has to be open to its owner.
    mode(dir, 0o755);
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => set_writable(&path, by_owner),
            false if path.ends_with("vbench") => mode(&path, 0o555 | write),
            false => mode(&path, 0o444 | write),
        }
    }
    mode(dir, 0o555 | write);
}

/// Everything in a folder, by its path.
fn names_below(dir: &Path) -> Vec<PathBuf> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            names.extend(names_below(&path));
        }
        names.push(path);
    }
    names.sort();
    names
}
