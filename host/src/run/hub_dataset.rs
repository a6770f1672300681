//! Datasets of the Hugging Face hub, of which the user gave the id alone: the
//! folder of the cache, which the plugin may then read.

use anyhow::anyhow;
use serde_json::{Map, Value};

use super::screen::Screen;
use crate::cli::plan::{DatasetPlan, PathGrant};
use crate::fault::Fault;
use crate::tokenizer::Hub;

/// Fills in options that stand for a folder of the cache: those that a dataset's
/// schema marks with `x-hub-dataset` and the user did not give. The id is what
/// the option `name` says, else `path`. What the cache does not have is
/// downloaded, if the path is no file of the user's own and downloads are allowed.
///
/// # Errors
/// When a download was tried and failed.
pub fn find(
    dataset: &mut DatasetPlan,
    schema: &Map<String, Value>,
    hub: &Hub,
    screen: &Screen,
) -> Result<(), Fault> {
    let Some(Value::Object(properties)) = schema.get("properties") else { return Ok(()) };
    let marked = |property: &Value| property.get("x-hub-dataset") == Some(&Value::Bool(true));
    for (key, _) in properties.iter().filter(|(_, property)| marked(property)) {
        let option = |key: &str| dataset.config.get(key).and_then(Value::as_str).map(str::to_owned);
        if option(key).is_some() {
            continue;
        }
        let path = option("path");
        let has_own = path.as_deref().is_some_and(|path| std::path::Path::new(path).exists());
        let ids: Vec<String> =
            [option("name"), path].into_iter().flatten().filter(|id| Hub::is_dataset_id(id)).collect();
        let cached = ids.iter().find_map(|id| hub.cached_dataset(id));
        let folder = match (cached, ids.last()) {
            (Some(folder), _) => folder,
            (None, Some(id)) if !has_own && hub.may_download() => {
                screen.line(format!("Downloading dataset {id} ..."));
                hub.download_dataset(id).map_err(|reason| {
                    Fault::user(anyhow!(
                        "the dataset `{id}` is neither a folder nor in the cache, and {reason}"
                    ))
                })?
            }
            _ => continue,
        };
        if let Value::Object(config) = &mut dataset.config {
            config.insert(key.clone(), folder.to_string_lossy().into_owned().into());
        }
        dataset.grants.push(PathGrant { config_key: key.clone(), path: folder });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    fn found(config: Value, cache: &Path) -> DatasetPlan {
        let mut dataset = DatasetPlan {
            name: "d".into(),
            plugin: "d".into(),
            config,
            flags: Default::default(),
            grants: Vec::new(),
            media_folders: Vec::new(),
        };
        let schema = json!({"properties": {
            "path": {"format": "path"}, "name": {}, "folder": {"format": "path", "x-hub-dataset": true}
        }});
        let cache = cache.to_str().unwrap().to_owned();
        let hub = Hub::from_lookup(|name| match name {
            "HF_HUB_CACHE" => Some(cache.clone()),
            "HF_HUB_OFFLINE" => Some("1".into()),
            _ => None,
        });
        find(&mut dataset, schema.as_object().unwrap(), &hub, &Screen::new(false)).unwrap();
        dataset
    }

    #[test]
    fn an_id_is_found_in_the_cache() {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join("datasets--org--data");
        std::fs::create_dir_all(folder.join("snapshots/abc")).unwrap();
        let cached = |config| found(config, cache.path()).grants;
        let grant = PathGrant { config_key: "folder".into(), path: folder.clone() };
        assert_eq!(cached(json!({"path": "org/data"})), std::slice::from_ref(&grant));
        assert_eq!(cached(json!({"path": "here", "name": "org/data"})), [grant]);
        let filled = found(json!({"path": "org/data"}), cache.path());
        assert_eq!(filled.config["folder"], folder.to_str().unwrap());
        for other in [
            json!({"path": "org/other"}),
            json!({"path": "../data"}),
            json!({"path": "org/data", "folder": "x"}),
        ] {
            assert!(cached(other.clone()).is_empty(), "{other}");
        }
    }
}
