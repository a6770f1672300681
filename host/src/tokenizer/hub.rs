//! Hub names: the local cache first, then a download.

use std::path::{Path, PathBuf};

use hf_hub::{Cache, Repo, RepoType, api::sync::ApiBuilder};

use super::Error;
use super::source::{ADDITIONAL_TEMPLATES, TEXT_FILES, TOKENIZER_JSON};

/// Where hub repositories are looked for. Not `Debug`, as it holds a secret.
#[derive(Clone)]
pub struct Hub {
    cache: PathBuf,
    endpoint: Option<String>,
    token: Option<String>,
    offline: Option<&'static str>,
    revision: String,
}

impl Hub {
    /// As the environment says, by the variables of the `huggingface_hub`
    /// library: `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `HF_HOME`,
    /// `XDG_CACHE_HOME`, `HF_ENDPOINT`, `HF_TOKEN`, `HF_TOKEN_PATH`,
    /// `HF_HUB_OFFLINE`, `TRANSFORMERS_OFFLINE`. Revision `main`.
    pub fn from_env() -> Self {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// As [`Hub::from_env`], with `lookup` for the environment.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let home = set("HF_HOME").map_or_else(
            || {
                let caches = set("XDG_CACHE_HOME").map_or_else(
                    || PathBuf::from(set("HOME").unwrap_or_default()).join(".cache"),
                    PathBuf::from,
                );
                caches.join("huggingface")
            },
            PathBuf::from,
        );
        let cache = set("HF_HUB_CACHE")
            .or_else(|| set("HUGGINGFACE_HUB_CACHE"))
            .map_or_else(|| home.join("hub"), PathBuf::from);
        let token = set("HF_TOKEN").or_else(|| set("HUGGING_FACE_HUB_TOKEN")).or_else(|| {
            let path = set("HF_TOKEN_PATH").map_or_else(|| home.join("token"), PathBuf::from);
            std::fs::read_to_string(path).ok()
        });
        let offline = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].into_iter().find(|name| {
            set(name).is_some_and(|value| {
                matches!(value.trim().to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE")
            })
        });
        Self {
            cache,
            endpoint: set("HF_ENDPOINT").map(|url| url.trim_end_matches('/').to_owned()),
            token: token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()),
            offline,
            revision: "main".to_owned(),
        }
    }

    /// Looks for another revision (branch, tag or commit) than `main`.
    #[must_use]
    pub fn with_revision(mut self, revision: impl Into<String>) -> Self {
        self.revision = revision.into();
        self
    }

    /// The folder with the files of repository `name`.
    ///
    /// # Errors
    ///
    /// [`Error::NotOnHub`] when the cache does not have them and they could not
    /// be downloaded.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, Error> {
        if let Some(folder) = self.cached(name) {
            return Ok(folder);
        }
        let reason = match self.offline {
            Some(variable) => format!("{variable} forbids a download"),
            None => match self.download(name) {
                Ok(folder) => return Ok(folder),
                Err(reason) => reason,
            },
        };
        Err(Error::NotOnHub {
            name: name.to_owned(),
            revision: self.revision.clone(),
            cache: self.cache.clone(),
            reason,
        })
    }

    /// Whether `id` can be the id of a dataset: an organisation and a name.
    pub fn is_dataset_id(id: &str) -> bool {
        id.contains('/') && is_repository_name(id)
    }

    /// The folder of the cache that holds the dataset `id`, if it has one.
    pub fn cached_dataset(&self, id: &str) -> Option<PathBuf> {
        let folder = self.cache.join(self.dataset(id).folder_name());
        folder.join("snapshots").is_dir().then_some(folder)
    }

    /// Whether the environment allows downloads.
    pub fn may_download(&self) -> bool {
        self.offline.is_none()
    }

    /// Downloads the rows of the dataset `id`, and its README, into the cache;
    /// gives the folder of the cache.
    ///
    /// # Errors
    ///
    /// Says what failed, as the end of a sentence.
    pub fn download_dataset(&self, id: &str) -> Result<PathBuf, String> {
        const ENDINGS: [&str; 6] = [".parquet", ".json", ".jsonl", ".ndjson", ".csv", "README.md"];
        let (endpoint, api) = self.api()?;
        let repo = api.repo(self.dataset(id));
        let failed = |what: &str, error| format!("{what} from {endpoint} failed ({})", innermost(&error));
        let info = repo.info().map_err(|error| failed("asking for its files", error))?;
        let files = info.siblings.iter().map(|file| file.rfilename.as_str());
        let wanted: Vec<&str> = files.filter(|file| ENDINGS.iter().any(|end| file.ends_with(end))).collect();
        if wanted.is_empty() {
            return Err(format!("the repository at {endpoint} has no rows of a known format"));
        }
        for file in wanted {
            repo.get(file).map_err(|error| failed(&format!("the download of {file}"), error))?;
        }
        self.cached_dataset(id).ok_or_else(|| "the download has no folder".to_owned())
    }

    fn dataset(&self, id: &str) -> Repo {
        Repo::with_revision(id.to_owned(), RepoType::Dataset, self.revision.clone())
    }

    /// A client, and where it goes.
    fn api(&self) -> Result<(&str, hf_hub::api::sync::Api), String> {
        let endpoint = self.endpoint.as_deref().unwrap_or("https://huggingface.co");
        let api = ApiBuilder::from_cache(Cache::new(self.cache.clone()))
            .with_endpoint(endpoint.to_owned())
            .with_token(self.token.clone())
            .with_progress(false)
            .build()
            .map_err(|error| format!("no client for {endpoint} could be made ({error})"))?;
        Ok((endpoint, api))
    }

    fn repo(&self, name: &str) -> Repo {
        Repo::with_revision(name.to_owned(), RepoType::Model, self.revision.clone())
    }

    /// The snapshot that the cache holds for the revision, if it has a
    /// `tokenizer.json`.
    fn cached(&self, name: &str) -> Option<PathBuf> {
        let repo = self.cache.join(self.repo(name).folder_name());
        let commit = std::fs::read_to_string(repo.join("refs").join(&self.revision))
            .map_or_else(|_| self.revision.clone(), |commit| commit.trim().to_owned());
        let snapshot = repo.join("snapshots").join(commit);
        snapshot.join(TOKENIZER_JSON).is_file().then_some(snapshot)
    }

    /// Downloads the tokenizer's files into the cache. `Err` says why not.
    fn download(&self, name: &str) -> Result<PathBuf, String> {
        let (endpoint, api) = self.api()?;
        let repo = api.repo(self.repo(name));
        let failed = |what: &str, error| format!("{what} from {endpoint} failed ({})", innermost(&error));
        let info = repo.info().map_err(|error| failed("asking for its files", error))?;
        let listed: Vec<&str> = info.siblings.iter().map(|file| file.rfilename.as_str()).collect();
        if !listed.contains(&TOKENIZER_JSON) {
            return Err(format!("the repository at {endpoint} has no {TOKENIZER_JSON}"));
        }
        let wanted = |file: &&&str| {
            TEXT_FILES.contains(file)
                || file
                    .strip_prefix(ADDITIONAL_TEMPLATES)
                    .and_then(|rest| rest.strip_prefix('/'))
                    .is_some_and(|file| file.ends_with(".jinja") && is_plain_file_name(file))
        };
        for file in listed.iter().filter(wanted) {
            repo.get(file).map_err(|error| failed(&format!("the download of {file}"), error))?;
        }
        let path = repo
            .get(TOKENIZER_JSON)
            .map_err(|error| failed(&format!("the download of {TOKENIZER_JSON}"), error))?;
        path.parent().map(Path::to_owned).ok_or_else(|| "the download has no folder".to_owned())
    }
}

/// Whether `name` can be the name of a hub repository: one or two parts of
/// letters, digits, `-`, `_` and `.`, none of them made of dots only.
pub(super) fn is_repository_name(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    name.len() <= 96 && parts.len() <= 2 && parts.into_iter().all(is_plain_file_name)
}

fn is_plain_file_name(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// The error at the bottom, which says what happened on the network.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(variables: &[(&str, &str)]) -> Hub {
        Hub::from_lookup(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn cache_follows_the_variables_by_rank() {
        let cache = |variables: &[(&str, &str)]| hub(variables).cache;
        assert_eq!(cache(&[("HOME", "/h")]), Path::new("/h/.cache/huggingface/hub"));
        assert_eq!(cache(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), Path::new("/x/huggingface/hub"));
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/hf")]), Path::new("/hf/hub"));
        assert_eq!(cache(&[("HF_HOME", "/hf"), ("HUGGINGFACE_HUB_CACHE", "/old")]), Path::new("/old"));
        assert_eq!(cache(&[("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HUB_CACHE", "/new")]), Path::new("/new"));
    }

    #[test]
    fn finds_the_snapshot_of_the_revision() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap();
        let repo = folder.path().join("models--org--name");
        std::fs::create_dir_all(repo.join("refs")).unwrap();
        std::fs::create_dir_all(repo.join("snapshots/abc")).unwrap();
        std::fs::write(repo.join("refs/main"), "abc\n").unwrap();
        let hub = hub(&[("HF_HUB_CACHE", root), ("HF_HUB_OFFLINE", "1")]);
        // A snapshot without tokenizer.json (weights only) does not count.
        assert!(matches!(hub.folder("org/name"), Err(Error::NotOnHub { .. })));
        std::fs::write(repo.join("snapshots/abc/tokenizer.json"), "{}").unwrap();
        assert_eq!(hub.folder("org/name").unwrap(), repo.join("snapshots/abc"));
        assert!(hub.clone().with_revision("v2").folder("org/name").is_err());
        assert_eq!(hub.with_revision("abc").folder("org/name").unwrap(), repo.join("snapshots/abc"));
    }

    #[test]
    fn offline_error_names_everything_that_was_tried() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap();
        let hub = hub(&[("HF_HUB_CACHE", root), ("TRANSFORMERS_OFFLINE", "yes")]);
        let text = hub.folder("org/name").unwrap_err().to_string();
        for part in ["org/name", root, "TRANSFORMERS_OFFLINE", "pass a folder"] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }

    #[test]
    fn unreachable_endpoint_is_one_error() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap();
        // Nothing listens on the discard port of the loopback address.
        let hub = hub(&[("HF_HUB_CACHE", root), ("HF_ENDPOINT", "http://127.0.0.1:9")]);
        let text = hub.folder("org/name").unwrap_err().to_string();
        assert!(text.contains("http://127.0.0.1:9"), "{text}");
        assert!(text.contains("org/name") && text.contains(root), "{text}");
    }

    #[test]
    fn repository_names() {
        for good in ["gpt2", "org/name", "Qwen/Qwen2.5-7B_x"] {
            assert!(is_repository_name(good), "{good}");
        }
        for bad in ["", "a/b/c", "../x", "./x", "/x", "a/", "a b", "a/..", "http://x/y"] {
            assert!(!is_repository_name(bad), "{bad}");
        }
    }
}
