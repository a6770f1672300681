//! Pages of `docs/reference` that are made from something else.
//!
//! - `wit`: the contract, from `wit/v0.1`.

mod wit;

use std::fs;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// Writes all pages; with `check` it changes nothing, and a page that is not current is an error.
///
/// # Errors
/// What a page is made from cannot be read, or a page cannot be written or is not current.
pub fn write(workspace: &Workspace, check: bool) -> Result<()> {
    let pages = [("wit.md", wit::page(&workspace.root().join("wit/v0.1"))?)];
    for (name, page) in pages {
        let path = workspace.root().join("docs/reference").join(name);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_are_current() {
        write(&Workspace::find().unwrap(), true).unwrap();
    }
}
