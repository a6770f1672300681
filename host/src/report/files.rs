//! Where reports go, and how they get there whole.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::ReportError;
use super::python_float::python_float;
use super::settings::{RunSettings, date_text};

/// The result file's name if the user gives none:
/// `{label or backend}-{rate}qps[-concurrency{C}]-{model}-{date}.json`, or with
/// `ramp-up-{strategy}-{a}qps-{b}qps` for the rate.
pub fn default_name(settings: &RunSettings) -> String {
    let label = settings.label.as_deref().filter(|label| !label.is_empty()).unwrap_or(&settings.backend);
    let rate = match &settings.ramp_up {
        None => format!("{}qps", python_float(settings.request_rate)),
        Some(ramp) => format!("ramp-up-{}-{}qps-{}qps", ramp.strategy, ramp.start_rps, ramp.end_rps),
    };
    let cap = settings.max_concurrency.map(|cap| format!("-concurrency{cap}")).unwrap_or_default();
    let model = settings.model_id.rsplit('/').next().unwrap_or_default();
    format!("{label}-{rate}{cap}-{model}-{}.json", date_text(settings.date))
}

/// Where the result goes, and what lies beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultFile {
    path: PathBuf,
}

impl ResultFile {
    /// The default name, or `--result-filename`, in `--result-dir`. Nothing is
    /// created yet.
    pub fn new(settings: &RunSettings, filename: Option<&str>, dir: Option<&Path>) -> Self {
        let name = filename.map_or_else(|| default_name(settings), str::to_owned);
        Self { path: dir.map_or_else(|| PathBuf::from(&name), |dir| dir.join(&name)) }
    }

    /// The result itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The result's name with another ending, such as `pytorch.json`. Only the
    /// last ending is taken off.
    pub fn beside(&self, ending: &str) -> PathBuf {
        self.path.with_extension(ending)
    }
}

/// A text as the name of a file or folder, as the reference client's sweeps make
/// it one: it cannot leave the folder that it is put in.
pub fn sanitise(name: &str) -> String {
    name.replace('/', "_").replace("..", "__").trim_matches('\'').trim_matches('"').to_owned()
}

/// Writes a file in one step: whoever looks sees the old file or the new one,
/// never a part, even if the program dies. Missing folders are created. A path
/// that is there but is no plain file (a pipe, a terminal) is written to
/// directly.
///
/// # Errors
/// If folder or file cannot be created or written.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<(), ReportError> {
    // A link stays a link to the file that is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&target).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        let opened = OpenOptions::new().write(true).open(&target);
        return opened.and_then(|mut file| file.write_all(content)).map_err(io_error("write", path));
    }
    let dir = create_parent(&target)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".vbench-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any new file, subject to the umask; temporary files are private otherwise.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(dir).map_err(io_error("create a file beside", path))?;
    file.write_all(content).map_err(io_error("write", path))?;
    file.as_file().sync_data().map_err(io_error("write", path))?;
    file.persist(&target).map_err(|e| io_error("write", path)(e.error))?;
    Ok(())
}

/// Adds a result to a file of results, one a line. The line goes out in one
/// write, so that clients that share the file do not mix.
///
/// # Errors
/// If folder or file cannot be created or written.
pub fn append_result(path: &Path, content: &[u8]) -> Result<(), ReportError> {
    create_parent(path)?;
    let append = || {
        let mut file: File = OpenOptions::new().append(true).create(true).open(path)?;
        let mut line = Vec::with_capacity(content.len() + 1);
        if file.metadata()?.len() > 0 {
            line.push(b'\n');
        }
        line.extend_from_slice(content);
        file.write_all(&line)?;
        file.sync_data()
    };
    append().map_err(io_error("append to", path))
}

fn create_parent(path: &Path) -> Result<&Path, ReportError> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    fs::create_dir_all(dir).map_err(io_error("create the folder", dir))?;
    Ok(dir)
}

fn io_error<'a>(action: &'static str, path: &'a Path) -> impl Fn(std::io::Error) -> ReportError + 'a {
    move |source| ReportError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::super::settings::RampUp;
    use super::*;

    fn settings() -> RunSettings {
        RunSettings {
            date: jiff::civil::date(2026, 11, 22).at(10, 14, 30, 0),
            backend: "openai".into(),
            endpoint_type: "openai".into(),
            label: None,
            model_id: "org/mock-model".into(),
            tokenizer_id: None,
            num_prompts: 4,
            metadata: vec![],
            request_rate: f64::INFINITY,
            burstiness: 1.0,
            max_concurrency: None,
            ramp_up: None,
        }
    }

    #[test]
    fn default_names() {
        assert_eq!(default_name(&settings()), "openai-infqps-mock-model-20261122-101430.json");
        let paced = RunSettings {
            label: Some("lab".into()),
            request_rate: 200.0,
            max_concurrency: Some(2),
            ..settings()
        };
        assert_eq!(default_name(&paced), "lab-200.0qps-concurrency2-mock-model-20261122-101430.json");
        let ramp_up = Some(RampUp { strategy: "linear".into(), start_rps: 50, end_rps: 200 });
        let ramped = RunSettings { ramp_up, max_concurrency: Some(3), ..settings() };
        assert_eq!(
            default_name(&ramped),
            "openai-ramp-up-linear-50qps-200qps-concurrency3-mock-model-20261122-101430.json"
        );
    }

    #[test]
    fn names_beside_the_result() {
        let file = ResultFile::new(&settings(), Some("a.b.json"), Some(Path::new("out")));
        assert_eq!(file.path(), Path::new("out/a.b.json"));
        assert_eq!(file.beside("pytorch.json"), Path::new("out/a.b.pytorch.json"));
        let bare = ResultFile::new(&settings(), Some("result"), None);
        assert_eq!(bare.beside("pytorch.json"), Path::new("result.pytorch.json"));
    }

    #[test]
    fn writes_create_folders_and_leave_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/result.json");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn results_are_readable_by_others_and_links_stay() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (real, plain, link) =
            (dir.path().join("real.json"), dir.path().join("plain"), dir.path().join("link.json"));
        write_atomically(&real, b"old").unwrap();
        fs::write(&plain, b"").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&real), mode(&plain));
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write_atomically(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
    }

    #[test]
    fn a_refused_write_names_the_path() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), b"").unwrap();
        let error = write_atomically(&dir.path().join("file/result.json"), b"x").unwrap_err().to_string();
        assert!(error.contains("file"), "{error}");
    }

    #[test]
    fn appended_results_are_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/results.json");
        for line in ["{\"a\": 1}", "{\"a\": 2}"] {
            append_result(&path, line.as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\": 1}\n{\"a\": 2}");
    }
}
