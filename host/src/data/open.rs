//! From a path that the user named to an open file, within what was named.

use std::io;
use std::path::{Component, Path};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt};
use rustix::fs::{FileType, OFlags};

use super::error::{At, DataError, Problem};
use super::source::{CHUNK_BYTES, Source};
use super::{Cells, Table, csv, json_array, json_lines, lines, parquet};

/// How a file holds its rows; the contract's `format`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// By the ending of the name: `.json`, `.jsonl`, `.ndjson`, `.csv`,
    /// `.parquet`, `.txt`, in any case.
    #[default]
    Auto,
    /// One array of rows.
    Json,
    /// A row on every line.
    Jsonl,
    /// A header, then rows of strings.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// Every line a row that holds one string, the line's end included.
    Lines,
}

/// Opens the file at `user_path`, or the file `member` inside that directory.
/// `cells` takes the bytes of binary cells; without it they are not available.
///
/// A member is relative, has no `..`, and cannot leave the directory through a
/// symbolic link.
///
/// # Errors
/// Whatever keeps the file from being opened and indexed; see [`Problem`].
pub fn open(
    user_path: &Path,
    member: Option<&str>,
    format: Format,
    cells: Option<Arc<dyn Cells>>,
) -> Result<Table, DataError> {
    let name = user_path.to_string_lossy();
    match member {
        None => {
            let file = File::open_ambient_with(user_path, &options(), ambient_authority())
                .map_err(|error| open_error(&name, error))?;
            open_file(file, &name, format, cells)
        }
        Some(member) => {
            let dir = Dir::open_ambient_dir(user_path, ambient_authority())
                .map_err(|error| open_error(&name, error))?;
            open_member(&dir, member, &name, format, cells)
        }
    }
}

/// Opens the file `member` inside `dir`, which the user called `dir_name`.
///
/// # Errors
/// As [`open`].
pub fn open_member(
    dir: &Dir,
    member: &str,
    dir_name: &str,
    format: Format,
    cells: Option<Arc<dyn Cells>>,
) -> Result<Table, DataError> {
    let name = Path::new(dir_name).join(member.trim_start_matches('/')).to_string_lossy().into_owned();
    let mut components = Path::new(member).components().peekable();
    let plain = components.peek().is_some()
        && components.all(|component| matches!(component, Component::Normal(_)))
        && !member.contains('\0');
    if !plain {
        return Err(DataError::new(&name, At::NOWHERE, Problem::Member));
    }
    let file = dir.open_with(member, &options()).map_err(|error| open_error(&name, error))?;
    open_file(file, &name, format, cells)
}

/// Reads from a file that is open already, which the user called `name`.
///
/// # Errors
/// As [`open`].
pub fn open_file(
    file: File,
    name: &str,
    format: Format,
    cells: Option<Arc<dyn Cells>>,
) -> Result<Table, DataError> {
    let fault = |problem| DataError::new(name, At::NOWHERE, problem);
    let file = file.into_std();
    let status = rustix::fs::fstat(&file).map_err(|error| fault(Problem::Read(error.into())))?;
    match FileType::from_raw_mode(status.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(fault(Problem::Directory)),
        FileType::Fifo => return Err(fault(Problem::Special("a FIFO"))),
        FileType::Socket => return Err(fault(Problem::Special("a socket"))),
        _ => return Err(fault(Problem::Special("a device"))),
    }
    let format = match format {
        Format::Auto => by_ending(name).ok_or_else(|| fault(Problem::UnknownEnding))?,
        chosen => chosen,
    };
    let size = u64::try_from(status.st_size).unwrap_or(0);
    let source = Source::new(file, name.to_owned(), size);
    Ok(Table::new(match format {
        Format::Json => Box::new(json_array::open(source, CHUNK_BYTES)?),
        Format::Csv => Box::new(csv::open(source, CHUNK_BYTES)?),
        Format::Parquet => Box::new(parquet::open(source, cells)?),
        Format::Lines => Box::new(lines::open(source, CHUNK_BYTES)?),
        Format::Jsonl | Format::Auto => Box::new(json_lines::open(source, CHUNK_BYTES)?),
    }))
}

/// Read-only, and without waiting for the writer of a FIFO.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32);
    options
}

fn by_ending(name: &str) -> Option<Format> {
    let ending = Path::new(name).extension()?.to_str()?.to_ascii_lowercase();
    match ending.as_str() {
        "json" => Some(Format::Json),
        "jsonl" | "ndjson" => Some(Format::Jsonl),
        "csv" => Some(Format::Csv),
        "parquet" => Some(Format::Parquet),
        "txt" => Some(Format::Lines),
        _ => None,
    }
}

fn open_error(name: &str, error: io::Error) -> DataError {
    let problem = match error.kind() {
        io::ErrorKind::NotADirectory => Problem::NotADirectory,
        io::ErrorKind::IsADirectory => Problem::Directory,
        // The operating system would have given a number.
        io::ErrorKind::PermissionDenied if error.raw_os_error().is_none() => Problem::Outside,
        _ if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            Problem::Special("a socket")
        }
        _ => Problem::Open(error),
    };
    DataError::new(name, At::NOWHERE, problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn message(path: &Path, member: Option<&str>) -> String {
        let text = open(path, member, Format::Auto, None).map(|_| ()).unwrap_err().to_string();
        match path.to_str() {
            Some(path) => text.replace(path, "PATH"),
            None => text,
        }
    }

    #[test]
    fn opens_files_and_members() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        fs::write(dir.path().join("sub/a.JSONL"), "1\n2\n").unwrap();
        symlink("sub/a.JSONL", dir.path().join("link.jsonl")).unwrap();
        let file = dir.path().join("sub/a.JSONL");
        assert_eq!(open(&file, None, Format::Auto, None).unwrap().count(), 2);
        let mut table = open(dir.path(), Some("./sub/a.JSONL"), Format::Auto, None)
            .or_else(|_| open(dir.path(), Some("sub/a.JSONL"), Format::Lines, None))
            .unwrap();
        assert_eq!(table.read(&[1], &[]).unwrap(), [r#""2\n""#]);
        let table = open(dir.path(), Some("link.jsonl"), Format::Auto, None).unwrap();
        let location = table.locate(1);
        assert_eq!(location.file, dir.path().join("link.jsonl").to_str().unwrap());
        assert_eq!(location.row, Some(2));
        assert_eq!(table.locate(2).row, None);
    }

    #[test]
    fn stays_within_what_was_named() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(dir.path().join("secret.txt"), "x").unwrap();
        symlink("../secret.txt", inner.join("link.txt")).unwrap();
        symlink(dir.path().join("secret.txt"), inner.join("absolute.txt")).unwrap();
        for member in ["../secret.txt", "/etc/passwd", "", ".", "a/../b.txt", "a\0.txt"] {
            let error = open(&inner, Some(member), Format::Lines, None).map(|_| ()).unwrap_err();
            assert!(matches!(error.problem, Problem::Member), "{member:?}: {error}");
        }
        for member in ["link.txt", "absolute.txt"] {
            let error = open(&inner, Some(member), Format::Auto, None).map(|_| ()).unwrap_err();
            assert!(matches!(error.problem, Problem::Outside), "{member}: {error}");
        }
    }

    #[test]
    fn refuses_what_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        fs::write(path.join("a.bin"), "x").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path.join("socket.json")).unwrap();
        let fifo = path.join("fifo.json");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(message(path, None), "`PATH`: is a directory, where a file is needed");
        assert_eq!(message(&fifo, None), "`PATH`: is a FIFO, not a file that can be read by row");
        assert_eq!(
            message(path, Some("fifo.json")),
            "`PATH/fifo.json`: is a FIFO, not a file that can be read by row"
        );
        assert_eq!(
            message(&path.join("socket.json"), None),
            "`PATH`: is a socket, not a file that can be read by row"
        );
        assert_eq!(
            message(Path::new("/dev/null"), None),
            "`PATH`: is a device, not a file that can be read by row"
        );
        assert_eq!(
            message(&path.join("none.json"), None),
            "`PATH`: cannot be opened: No such file or directory (os error 2)"
        );
        assert_eq!(
            message(&path.join("a.bin"), Some("b.json")),
            "`PATH`: is not a directory, so there is no file inside it"
        );
        assert_eq!(
            message(&path.join("a.bin"), None),
            "`PATH`: the ending does not tell the format: use .json, .jsonl, .ndjson, .csv, .parquet or .txt"
        );
    }

    #[test]
    fn a_file_that_was_cut_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("a.json", "[{\"a\":1},{\"a\":2}]"),
            ("a.jsonl", "{\"a\":1}\n{\"a\":2}\n"),
            ("a.csv", "a\n1\n2\n"),
            ("a.txt", "1\n2\n"),
        ] {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            let mut table = open(&path, None, Format::Auto, None).unwrap();
            fs::write(&path, &text[..3]).unwrap();
            let error = table.read(&[0, 1], &[]).unwrap_err();
            assert!(matches!(error.problem, Problem::Changed), "{name}: {error}");
            // The lines of a text file have no lengths to look at.
            assert_eq!(table.lengths("a").is_ok(), name == "a.txt");
        }
    }

    #[test]
    fn a_row_without_end_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("a.json", "[1,\n{\"a\":\""),
            ("a.jsonl", "{}\n{\"a\":\"x"),
            ("a.csv", "a,b\n1,\"x"),
            ("a.txt", "x\nx"),
        ] {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            // A hole, so nothing is written.
            fs::OpenOptions::new().append(true).open(&path).unwrap().set_len(80 << 20).unwrap();
            let error = open(&path, None, Format::Auto, None).map(|_| ()).unwrap_err();
            assert!(matches!(error.problem, Problem::RowTooLong { .. }), "{error}");
            assert_eq!(error.at.line, Some(2), "{error}");
        }
    }
}
