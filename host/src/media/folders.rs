//! Which files of media may be read: those in folders that the user named.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;

use super::MAX_BYTES;
use super::error::{MediaError, Problem};

/// Folders whose files may be read. A symbolic link that leads out of one is
/// not followed.
#[derive(Debug, Clone, Default)]
pub struct Folders {
    folders: Vec<PathBuf>,
}

impl Folders {
    /// No folder at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a folder, or the folder that a file is in.
    pub fn add(&mut self, path: &Path) {
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
        self.folders.push(folder.to_owned());
    }

    /// The bytes of the file at `path`, as the user's data have it: a path or a
    /// `file://` address, from the working directory if it is relative, else
    /// from one of the folders.
    ///
    /// # Errors
    /// When it is in none of the folders, cannot be read, is no regular file or
    /// too large. The error names the file.
    pub fn read(&self, path: &str) -> Result<Bytes, MediaError> {
        let fault = |problem: Problem| problem.of(path);
        if path.starts_with("http://") || path.starts_with("https://") {
            return Err(Problem::Remote(path.to_owned()).unnamed());
        }
        let wanted = Path::new(path.strip_prefix("file://").unwrap_or(path));
        if wanted.as_os_str().is_empty() || path.contains('\0') {
            return Err(fault(Problem::NotAFile));
        }
        let here = std::env::current_dir().map_err(|error| fault(Problem::Read(error)))?;
        let absolute = plain(&here.join(wanted));
        let mut refused: Option<Problem> = None;
        for folder in &self.folders {
            let root = plain(&here.join(folder));
            let inside = absolute.strip_prefix(&root).ok().map(Path::to_owned);
            let beside = wanted.is_relative().then(|| plain(wanted));
            for member in inside.into_iter().chain(beside) {
                match read_within(&root, &member) {
                    Ok(bytes) => return Ok(bytes),
                    Err(problem) if refused.as_ref().is_none_or(is_not_found) => refused = Some(problem),
                    Err(_) => {}
                }
            }
        }
        let is_elsewhere = refused.as_ref().is_none_or(is_not_found) && absolute.exists();
        Err(fault(match refused {
            Some(problem) if !is_elsewhere => problem,
            _ => Problem::Outside,
        }))
    }
}

fn is_not_found(problem: &Problem) -> bool {
    matches!(problem, Problem::Read(error) if error.kind() == std::io::ErrorKind::NotFound)
}

/// A path without `.` and `..`, taken literally: symbolic links are looked at
/// only when the file is opened, within its folder.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if !plain.pop() {
                    plain.push("..");
                }
            }
            component => plain.push(component),
        }
    }
    plain
}

fn read_within(root: &Path, member: &Path) -> Result<Bytes, Problem> {
    let open_error = |error: std::io::Error| match error.kind() {
        // The operating system would have given a number.
        std::io::ErrorKind::PermissionDenied if error.raw_os_error().is_none() => Problem::Outside,
        _ => Problem::Read(error),
    };
    let dir = Dir::open_ambient_dir(root, ambient_authority()).map_err(open_error)?;
    let mut options = OpenOptions::new();
    // Without waiting for the writer of a FIFO.
    options.read(true).custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32);
    let file = dir.open_with(member, &options).map_err(open_error)?;
    let metadata = file.metadata().map_err(Problem::Read)?;
    if !metadata.is_file() {
        return Err(Problem::NotAFile);
    }
    let mut bytes = Vec::with_capacity(metadata.len().min(MAX_BYTES) as usize);
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(Problem::Read)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Problem::TooLarge {
            found_bytes: metadata.len().max(bytes.len() as u64),
            limit_bytes: MAX_BYTES,
        });
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn files_beside_what_was_named_are_read_and_no_others() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        fs::create_dir_all(data.join("sub")).unwrap();
        fs::write(data.join("rows.jsonl"), "{}").unwrap();
        fs::write(data.join("sub/a.bin"), "abc").unwrap();
        fs::write(root.path().join("secret.bin"), "no").unwrap();
        symlink("../secret.bin", data.join("link.bin")).unwrap();
        let mut folders = Folders::new();
        folders.add(&data.join("rows.jsonl"));
        let read = |path: &str| folders.read(path);
        let inside = data.join("sub/a.bin");
        assert_eq!(read(inside.to_str().unwrap()).unwrap(), "abc");
        assert_eq!(read(&format!("file://{}", inside.display())).unwrap(), "abc");
        assert_eq!(read("sub/a.bin").unwrap(), "abc", "relative to the folder");
        let outside = root.path().join("secret.bin");
        for path in [outside.to_str().unwrap(), "link.bin", "../secret.bin"] {
            let error = read(path).unwrap_err();
            assert!(matches!(error.problem, Problem::Outside), "{path}: {error}");
        }
        assert!(matches!(read("none.bin").unwrap_err().problem, Problem::Read(_)));
        assert!(matches!(read("sub").unwrap_err().problem, Problem::NotAFile));
        assert!(matches!(read("https://a/b.png").unwrap_err().problem, Problem::Remote(_)));
        assert!(Folders::new().read("sub/a.bin").is_err());
    }
}
