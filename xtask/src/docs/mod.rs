//! Pages of `docs/reference` that are written from what the built-in plugins
//! say of themselves, so that they cannot differ from what the plugins do.

mod endpoints;
mod page;

use std::fs;
#[cfg(test)]
use std::path::Path;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::plugins::describe;
use crate::workspace::Workspace;

/// Where the pages lie in the checkout.
const FOLDER: &str = "docs/reference";

/// Writes the pages. Gives the paths.
///
/// # Errors
/// A plugin has no description, a backend no endpoint, or a file cannot be written.
pub fn write(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    pages(workspace.plugins())?
        .into_iter()
        .map(|(name, text)| {
            let path = workspace.root().join(FOLDER).join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(path)
        })
        .collect()
}

/// Names and texts of all pages.
fn pages(plugins: &[String]) -> Result<Vec<(&'static str, String)>> {
    let mut offers = Vec::new();
    for plugin in plugins {
        let Some(description) = describe(plugin) else { bail!("plugins/{plugin} has no description") };
        for offer in description["offers"].as_array().into_iter().flatten() {
            offers.push((plugin.clone(), offer.clone()));
        }
    }
    offers.sort_by_key(|(_, offer)| offer["name"].to_string());
    let of = |role: &str| offers.iter().filter(|(_, offer)| offer["role"] == role).collect::<Vec<_>>();
    let template = offers.iter().find(|(_, offer)| offer["name"] == "template");
    let template = template.map(|(_, offer)| &offer["config_schema"]["properties"]["file"]);
    Ok(vec![
        ("datasets.md", page::datasets(&of("dataset"))),
        ("backends.md", page::backends(&of("backend"))?),
        ("template.schema.json", template_schema(template.context("there is no backend `template`")?)?),
    ])
}

/// The schema of a template's file, to stand by itself.
fn template_schema(option: &Value) -> Result<String> {
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Template of an API for vbench serve --backend template",
    });
    let (Some(schema), Some(option)) = (schema.as_object_mut(), option.as_object()) else {
        bail!("the schema of a template is no object");
    };
    let own = ["format", "x-flag"];
    schema.extend(
        option.iter().filter(|(key, _)| !own.contains(&key.as_str())).map(|(k, v)| (k.clone(), v.clone())),
    );
    Ok(format!("{:#}\n", Value::Object(schema.clone())))
}

/// A page as it is in a checkout.
#[cfg(test)]
fn current(root: &Path, name: &str) -> String {
    fs::read_to_string(root.join(FOLDER).join(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_are_current() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut plugins: Vec<String> = fs::read_dir(root.join("plugins"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        plugins.sort_unstable();
        for (name, text) in pages(&plugins).unwrap() {
            assert!(current(root, name) == text, "{FOLDER}/{name} is out of date: run `cargo xtask docs`");
        }
    }
}
