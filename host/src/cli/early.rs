//! The options that have to be known before plugins are loaded, and thus before
//! the rest of the command line means anything.

use std::path::{Path, PathBuf};

use clap::{Args, Command, FromArgMatches};
use serde_json::Value;

use super::argv::{self, FlagTable};
use super::compat::Compat;
use super::config_file::{self, ConfigFile};
use super::error::CliError;
use super::serve::flag_table;

/// Where compiled plugins are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PluginCache {
    /// In the user's own cache folder.
    #[default]
    Auto,
    /// Nowhere.
    Off,
    /// In this folder.
    Dir(PathBuf),
}

impl PluginCache {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("wants auto, off or a folder".to_owned()),
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            dir => Ok(Self::Dir(PathBuf::from(dir))),
        }
    }
}

/// Options that all commands understand, before and after the command's name.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(next_help_heading = "Plugins")]
pub struct GlobalArgs {
    /// Load a plugin, by file, name, https://…#sha256=… or oci://…; may be repeated
    #[arg(long, value_name = "PLUGIN")]
    pub plugin: Vec<String>,
    /// Folders to look for plugins by name in, before the user's own
    #[arg(
        long,
        value_name = "DIR",
        value_delimiter = ':',
        env = "VBENCH_PLUGIN_PATH",
        hide_env_values = true
    )]
    pub plugin_path: Vec<PathBuf>,
    /// Lock that says what plugins are [default: vbench.lock here, else the user's own]
    #[arg(long, value_name = "FILE", env = "VBENCH_LOCK", hide_env_values = true)]
    pub lock: Option<PathBuf>,
    /// Let in only plugins that the lock names, as it names them
    #[arg(long)]
    pub locked: bool,
    /// Never fetch a plugin
    #[arg(long)]
    pub offline: bool,
    /// Let in only plugins that this policy (TOML) allows
    #[arg(long, value_name = "FILE", env = "VBENCH_POLICY", hide_env_values = true)]
    pub policy: Option<PathBuf>,
    /// Where compiled plugins are kept: auto, off or a folder [default: auto]
    #[arg(long, value_name = "WHERE", value_parser = PluginCache::parse)]
    pub plugin_cache: Option<PluginCache>,
    /// Most memory of a plugin, in MiB [default: 512 for datasets, 128 for backends, 64 for criteria]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub plugin_memory_mib: Option<u32>,
    /// Largest body of a request that a backend may write, in MiB [default: 32]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub plugin_request_mib: Option<u32>,
    /// Most texts and tokens that a plugin may hand to the tokenizer in one call, in MiB [default: 32]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub plugin_batch_mib: Option<u32>,
    /// Longest call of a plugin, in seconds [default: by kind of call]
    #[arg(long, value_name = "SECONDS", value_parser = positive_seconds)]
    pub plugin_timeout_s: Option<f64>,
    /// Say more; twice, still more
    #[arg(long, short, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl GlobalArgs {
    /// Where compiled plugins are kept.
    pub fn cache(&self) -> PluginCache {
        self.plugin_cache.clone().unwrap_or_default()
    }
}

fn positive_seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds.is_finite() => Ok(seconds),
        _ => Err("has to be a number above 0".to_owned()),
    }
}

/// What [`early`] found.
#[derive(Debug, Clone)]
pub struct Early {
    /// The global options.
    pub globals: GlobalArgs,
    /// All other words, `bench` taken away.
    pub(super) words: Vec<String>,
    /// The file of `--config`, without the global options in it.
    pub(super) config: Option<ConfigFile>,
}

/// Finds the global options, wherever they stand, and reads the file of
/// `--config`. `argv` goes without the program's name.
///
/// # Errors
/// Wrong global options, and a file that cannot be read.
pub fn early(argv: &[String]) -> Result<Early, CliError> {
    let table = table();
    let (mut globals, mut words) = split(argv, &table);
    if words.first().is_some_and(|word| word == "bench") {
        match words.get(1).map(String::as_str) {
            Some("serve" | "latency" | "throughput" | "sweep" | "startup") => {
                words.remove(0);
            }
            _ => {
                return Err(CliError::Usage(
                    "after `vbench bench` comes serve, latency, throughput, sweep or startup, as after `vllm bench`"
                        .to_owned(),
                ));
            }
        }
    }
    let mut config = None;
    if words.first().is_some_and(|word| word == "serve")
        && let Some(path) = take_config(&mut words)?
    {
        if argv::scan(&words, "compat").and_then(Compat::from_name) == Some(Compat::V033) {
            return Err(CliError::Usage(
                "--config does not work with `bench serve` in vLLM 0.33, where the file's words take the place \
                 of the subcommand, and so not under --compat v0.33"
                    .to_owned(),
            ));
        }
        let mut file = ConfigFile::read(Path::new(&path))?;
        // In front, so that the command line wins.
        globals.splice(0..0, from_file(&mut file, &table)?);
        config = Some(file);
    }
    let command =
        GlobalArgs::augment_args(Command::new("vbench").no_binary_name(true).args_override_self(true));
    let globals = command
        .try_get_matches_from(globals)
        .and_then(|matches| GlobalArgs::from_arg_matches(&matches))
        .map_err(|error| CliError::parser(&error))?;
    Ok(Early { globals, words, config })
}

/// The global options by name.
pub(super) fn table() -> FlagTable {
    flag_table(GlobalArgs::augment_args(Command::new("vbench").disable_help_flag(true)), &[])
}

fn split(argv: &[String], table: &FlagTable) -> (Vec<String>, Vec<String>) {
    let mut globals = Vec::new();
    let mut words = Vec::new();
    let mut rest = argv.iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            words.push(word.clone());
            words.extend(rest.cloned());
            break;
        }
        let counted =
            word.len() > 1 && word.strip_prefix('-').is_some_and(|v| v.bytes().all(|byte| byte == b'v'));
        match argv::split_flag(word) {
            _ if counted => globals.push(word.clone()),
            Some((name, value)) if table.contains(&name) => {
                let takes_value = table.arity(&name) != Some(argv::Arity::Switch);
                let value =
                    value.map(str::to_owned).or_else(|| takes_value.then(|| rest.next().cloned()).flatten());
                globals.push(match value {
                    Some(value) => format!("--{name}={value}"),
                    None => format!("--{name}"),
                });
            }
            _ => words.push(word.clone()),
        }
    }
    (globals, words)
}

/// Takes `--config FILE` out of the words.
fn take_config(words: &mut Vec<String>) -> Result<Option<String>, CliError> {
    let mut path = None;
    let mut index = 0;
    while index < words.len() && words[index] != "--" {
        let value = match argv::split_flag(&words[index]) {
            Some((name, value)) if name == "config" => value.map(str::to_owned),
            _ => {
                index += 1;
                continue;
            }
        };
        words.remove(index);
        let value = match value {
            Some(value) => value,
            None if index < words.len() => words.remove(index),
            None => return Err(CliError::Usage("--config wants a file".to_owned())),
        };
        if path.replace(value).is_some() {
            return Err(CliError::Usage("--config is given twice, and one file is all it takes".to_owned()));
        }
    }
    Ok(path)
}

/// Takes the global options out of a file, as words.
fn from_file(file: &mut ConfigFile, table: &FlagTable) -> Result<Vec<String>, CliError> {
    let mut words = Vec::new();
    for flag in [
        "plugin",
        "plugin-cache",
        "plugin-memory-mib",
        "plugin-request-mib",
        "plugin-batch-mib",
        "plugin-timeout-s",
    ] {
        debug_assert!(table.contains(flag));
        let values = match file.take(flag) {
            None | Some(Value::Null) => continue,
            Some(Value::Array(values)) if flag == "plugin" => values,
            Some(value) => vec![value],
        };
        for value in &values {
            let word = config_file::word(value).ok_or_else(|| file.error(flag, "wants a value"))?;
            words.push(format!("--{flag}={word}"));
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Early, CliError> {
        early(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn global_options_stand_anywhere() {
        let early = read(&[
            "--plugin",
            "a.wasm",
            "-v",
            "bench",
            "serve",
            "--plugin=b.wasm",
            "--label",
            "x",
            "--plugin_cache",
            "off",
            "-vv",
            "--plugin-memory-mib",
            "64",
            "--plugin-request-mib=3",
            "--plugin-batch-mib",
            "4",
            "--plugin-timeout-s=0.5",
            "--",
            "--plugin",
        ])
        .unwrap();
        assert_eq!(early.globals.plugin, ["a.wasm", "b.wasm"]);
        assert_eq!(early.globals.cache(), PluginCache::Off);
        assert_eq!(early.globals.plugin_memory_mib, Some(64));
        assert_eq!(early.globals.plugin_request_mib, Some(3));
        assert_eq!(early.globals.plugin_batch_mib, Some(4));
        assert_eq!(early.globals.plugin_timeout_s, Some(0.5));
        assert_eq!(early.globals.verbose, 3);
        assert_eq!(early.words, ["serve", "--label", "x", "--", "--plugin"]);
    }

    #[test]
    fn wrong_ones_are_refused() {
        for (words, reason) in [
            (&["--plugin"][..], "a value is required"),
            (&["--plugin-memory-mib", "0"], "0 is not in"),
            (&["--plugin-timeout-s", "nan"], "above 0"),
            (&["bench", "nothing"], "serve, latency, throughput, sweep or startup"),
            (&["serve", "--config"], "wants a file"),
            (&["serve", "--config", "/nonexistent/c.yaml"], "/nonexistent/c.yaml"),
            (&["serve", "--compat", "v0.33", "--config", "c.yaml"], "does not work"),
        ] {
            let error = read(words).unwrap_err().to_string();
            assert!(error.contains(reason), "{words:?}: {error}");
        }
    }

    #[test]
    fn a_config_file_may_name_plugins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.yaml");
        std::fs::write(&path, "plugin: [a.wasm, b.wasm]\nplugin-cache: off\nlabel: x\n").unwrap();
        let early =
            read(&["serve", "--config", path.to_str().unwrap(), "--plugin-cache=auto", "--plugin", "c.wasm"])
                .unwrap();
        assert_eq!(early.globals.plugin.len(), 3);
        assert_eq!(early.globals.cache(), PluginCache::Auto);
        assert_eq!(early.words, ["serve"]);
        assert_eq!(early.config.unwrap().text("label"), Some("x"));
    }
}
