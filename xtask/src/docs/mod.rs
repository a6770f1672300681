//! Pages of `docs/reference` that are made from something else, so that they
//! cannot differ from it.
//!
//! - `page`, `endpoints`: datasets and backends, from what the built-in plugins
//!   say of themselves;
//! - `wit`: the contract, from `wit/v0.1`.

mod endpoints;
mod page;
mod wit;

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::plugins::describe;
use crate::workspace::Workspace;

/// Where the pages lie in the checkout.
const FOLDER: &str = "docs/reference";

/// Writes all pages; with `check` it changes nothing, and a page that is not current is an error.
///
/// # Errors
/// What a page is made from cannot be read, or a page cannot be written or is not current.
pub fn write(workspace: &Workspace, check: bool) -> Result<()> {
    let mut pages = of_plugins(workspace.plugins())?;
    pages.push(("wit.md", wit::page(&workspace.root().join("wit/v0.1"))?));
    for (name, page) in pages {
        let path = workspace.root().join(FOLDER).join(name);
        if fs::read_to_string(&path).is_ok_and(|old| old == page) {
            continue;
        }
        if check {
            bail!("{} is not current; run `cargo xtask docs`", path.display());
        }
        fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Names and texts of the pages about plugins.
fn of_plugins(plugins: &[String]) -> Result<Vec<(&'static str, String)>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_are_current() {
        write(&Workspace::find().unwrap(), true).unwrap();
    }
}
