//! The contract that is packed with this crate is the project's.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn texts(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn the_copy_of_the_contract_has_not_drifted() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (ours, theirs) = (texts(&here.join("wit/v0.1")), texts(&here.join("../../wit/v0.1")));
    assert!(!ours.is_empty());
    assert_eq!(ours, theirs, "copy wit/v0.1 of the repository to sdk/rust/wit/v0.1");
}
