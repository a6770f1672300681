//! Where things are kept: the experiment's folder, its lock, a folder for each
//! combination, names of files.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::error::SweepError;
use super::params::Combination;
use crate::clock;
use crate::report::sanitise;

/// Held by the sweep that works in the folder.
const LOCK: &str = ".vbench.lock";

/// What the user said about the experiment's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `--output-dir`.
    pub output_dir: PathBuf,
    /// `--experiment-name`.
    pub name: Option<String>,
    /// `--resume`; the text is a name given with it, or empty.
    pub resume: Option<String>,
}

impl Place {
    /// The experiment's folder; the name is the time unless one is given.
    ///
    /// # Errors
    /// It exists although nothing is to be resumed, or the other way round.
    pub fn resolve(&self) -> Result<PathBuf, SweepError> {
        let resumed = self.resume.as_deref().filter(|name| !name.is_empty());
        let name = match (resumed, self.name.as_deref().filter(|name| !name.is_empty())) {
            (Some(resumed), Some(name)) if resumed != name => {
                return Err(SweepError::Usage(format!(
                    "--resume {resumed} and --experiment-name {name} name different experiments"
                )));
            }
            (Some(name), _) | (None, Some(name)) => name.to_owned(),
            (None, None) => clock::local_now().strftime("%Y%m%d_%H%M%S").to_string(),
        };
        let dir = self.output_dir.join(name);
        match (self.resume.is_some(), dir.exists()) {
            (true, false) => Err(SweepError::NothingToResume { dir }),
            (false, true) => Err(SweepError::Exists { dir }),
            _ => Ok(dir),
        }
    }
}

/// The right to work in an experiment's folder. It ends with the process,
/// however that ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl Lock {
    /// Makes the folder if need be, and locks it.
    ///
    /// # Errors
    /// Another sweep holds it, or the system refuses.
    pub fn take(dir: &Path) -> Result<Self, SweepError> {
        let refused = |source| SweepError::Folder { dir: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(refused)?;
        let path = dir.join(LOCK);
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(refused)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.take(32).read_to_string(&mut pid);
                let holder = match pid.trim() {
                    "" => String::new(),
                    pid => format!(" (process {pid})"),
                };
                return Err(SweepError::Locked { dir: dir.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(refused(source)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(refused)?;
        Ok(Self(file))
    }
}

/// The folder of a pair of combinations: `SERVE--NAME-BENCH--NAME`, parts of
/// empty combinations left out, further parts appended. The experiment's own if
/// nothing remains.
pub fn pair_dir(experiment: &Path, parts: &[(&str, &Combination)], extra: &[String]) -> PathBuf {
    let mut words: Vec<String> = Vec::new();
    for (kind, combination) in parts.iter().filter(|(_, combination)| !combination.is_empty()) {
        words.extend([format!("{kind}-"), combination.name()]);
    }
    words.extend_from_slice(extra);
    let name = sanitise(&words.join("-"));
    if name.is_empty() { experiment.to_owned() } else { experiment.join(name) }
}

/// The file of a run.
pub fn run_file(dir: &Path, run: i64) -> PathBuf {
    dir.join(if run < 0 { "warmup.json".to_owned() } else { format!("run={run}.json") })
}

/// The file of all runs of a combination.
pub fn summary_file(dir: &Path) -> PathBuf {
    dir.join("summary.json")
}

/// What is beside a run's file while the run goes on. If it is there without a
/// sweep, that run was cut off, and what its file holds does not count.
pub fn running_marker(run_file: &Path) -> PathBuf {
    let stem = run_file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    run_file.with_file_name(format!(".{stem}.running"))
}

/// A log in the experiment's folder `logs`.
pub fn log_file(experiment: &Path, name: &str) -> PathBuf {
    // Longer names are refused by file systems.
    let mut name: String = sanitise(name).chars().take(180).collect();
    if name.is_empty() {
        name.push_str("default");
    }
    experiment.join("logs").join(format!("{name}.log"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn combination(value: serde_json::Value) -> Combination {
        Combination::new(value.as_object().cloned().unwrap_or_else(Map::new))
    }

    #[test]
    fn folders_are_named_after_combinations() {
        let (serve, none) = (combination(json!({"a": 1})), Combination::default());
        let bench = combination(json!({"_benchmark_name": "x/../y"}));
        let dir = |parts: &[(&str, &Combination)], extra: &[&str]| {
            let extra: Vec<String> = extra.iter().map(|&part| part.to_owned()).collect();
            pair_dir(Path::new("e"), parts, &extra).display().to_string()
        };
        assert_eq!(dir(&[("SERVE", &serve), ("BENCH", &bench)], &[]), "e/SERVE--a=1-BENCH--x____y");
        assert_eq!(dir(&[("SERVE", &none), ("BENCH", &serve)], &[]), "e/BENCH--a=1");
        assert_eq!(dir(&[("SERVE", &none), ("BENCH", &none)], &["WL-", "v=1"]), "e/WL--v=1");
        assert_eq!(dir(&[("SERVE", &none)], &[]), "e");
        assert_eq!(sanitise("'\"a'\""), "a'");
        assert_eq!(sanitise("'a'"), "a");
    }

    #[test]
    fn files_of_runs() {
        assert_eq!(run_file(Path::new("d"), 2), Path::new("d/run=2.json"));
        assert_eq!(run_file(Path::new("d"), -1), Path::new("d/warmup.json"));
        assert_eq!(running_marker(Path::new("d/run=2.json")), Path::new("d/.run=2.running"));
        assert_eq!(log_file(Path::new("d"), "a/b"), Path::new("d/logs/a_b.log"));
    }

    #[test]
    fn experiments_are_neither_overwritten_nor_made_up() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: Option<&str>, resume: Option<&str>| Place {
            output_dir: dir.path().to_owned(),
            name: name.map(str::to_owned),
            resume: resume.map(str::to_owned),
        };
        assert_eq!(place(Some("e"), None).resolve().unwrap(), dir.path().join("e"));
        let default = place(None, None).resolve().unwrap();
        assert_eq!(default.file_name().unwrap().len(), 15);
        for resume in ["", "e"] {
            let error = place(Some("e"), Some(resume)).resolve().unwrap_err().to_string();
            assert!(error.starts_with("Cannot resume from non-existent experiment_dir="), "{error}");
        }
        fs::create_dir(dir.path().join("e")).unwrap();
        assert!(place(Some("e"), Some("")).resolve().is_ok());
        assert!(place(None, Some("e")).resolve().is_ok());
        let error = place(Some("e"), None).resolve().unwrap_err().to_string();
        assert!(error.starts_with("Cannot overwrite existing experiment_dir="), "{error}");
        assert!(place(Some("f"), Some("e")).resolve().is_err());
    }

    #[test]
    fn a_folder_is_one_sweeps_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let experiment = dir.path().join("a/b");
        let lock = Lock::take(&experiment).unwrap();
        let error = Lock::take(&experiment).unwrap_err().to_string();
        let pid = std::process::id();
        assert!(error.contains(&format!("in use by another sweep (process {pid})")), "{error}");
        drop(lock);
        assert!(Lock::take(&experiment).is_ok());
    }
}
