use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

fn names(files: &[&str], selection: Selection<'_>) -> Result<Vec<String>> {
    let files: Vec<_> = files.iter().map(|&file| (file, "{}")).collect();
    let dir = folder(&files);
    Ok(find(dir.path(), "a/b", selection)?.into_iter().map(|file| file.member).collect())
}

fn split(split: &str) -> Selection<'_> {
    Selection { split, ..Selection::default() }
}

#[test]
fn names_tell_the_split_as_they_do_for_the_library() {
    for (files, wanted, expected) in [
        (&["train.jsonl", "test.jsonl", "notes.md"][..], "test", &["test.jsonl"][..]),
        (
            &["data/train-00001-of-00002.parquet", "data/train-00000-of-00002.parquet", "train.jsonl"],
            "train",
            &["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"],
        ),
        (
            &["data/train_sft-00000-of-00001-0a1b.parquet"],
            "train_sft",
            &["data/train_sft-00000-of-00001-0a1b.parquet"],
        ),
        (
            &["train-00001-of-00002.jsonl", "train-00000-of-00002.jsonl"],
            "train",
            &["train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl"],
        ),
        (&["x/dev/a.csv", "train.csv"], "validation", &["x/dev/a.csv"]),
        (&["my_val.json", "train2.json"], "validation", &["my_val.json"]),
        (&["my_val.json", "train2.json"], "train", &["train2.json"]),
        (
            &["rows.jsonl", "more.jsonl", "trained.jsonl"],
            "train",
            &["more.jsonl", "rows.jsonl", "trained.jsonl"],
        ),
        (&["a.parquet", "b.parquet", "c.jsonl"], "train", &["a.parquet", "b.parquet"]),
        (&[".hidden.jsonl", "__pycache__/a.json", "dataset_info.json", "b.jsonl"], "train", &["b.jsonl"]),
    ] {
        assert_eq!(names(files, split(wanted)).unwrap(), expected, "{files:?}");
    }
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let error = names(&["train.jsonl", "test.jsonl"], split("val")).unwrap_err();
    assert_eq!(error.message, "the dataset has no split `val`; there is train, test");
    assert!(names(&[], split("train")).unwrap_err().message.ends_with("there is none"));
    let error = names(&["data-00000-of-00001.arrow", "state.json"], split("train")).unwrap_err();
    assert!(error.message.contains("not read yet"), "{}", error.message);
    let selection = Selection { subset: Some("x"), ..split("train") };
    assert_eq!(names(&["train.jsonl"], selection).unwrap_err().config_key.as_deref(), Some("subset"));
}

#[test]
fn subsets_are_declared_or_folders() {
    let readme = "---\nconfigs:\n- config_name: main\n  data_files:\n  - split: test\n    path: main/test-*\n- config_name: \
                  socratic\n  data_dir: socratic\n---\n";
    let dir = folder(&[
        ("README.md", readme),
        ("main/test-0.jsonl", "{}"),
        ("main/train-0.jsonl", "{}"),
        ("socratic/test.jsonl", "{}"),
    ]);
    let find =
        |subset, usual_subset| find(dir.path(), "a/b", Selection { subset, usual_subset, split: "test" });
    assert_eq!(find(None, Some("main")).unwrap()[0].member, "main/test-0.jsonl");
    assert_eq!(find(Some("socratic"), Some("main")).unwrap()[0].member, "socratic/test.jsonl");
    assert!(find(None, None).unwrap_err().message.contains("several subsets"));
    assert!(find(Some("y"), None).is_err());
    let inside = Selection { subset: Some("main"), ..split("test") };
    assert_eq!(names(&["main/test.jsonl", "other/test.jsonl"], inside).unwrap(), ["main/test.jsonl"]);
    let usual = Selection { usual_subset: Some("main"), ..split("test") };
    assert_eq!(names(&["test.jsonl"], usual).unwrap(), ["test.jsonl"]);
}

#[test]
fn a_cache_is_read_at_its_main_revision() {
    let dir = folder(&[
        ("hub/datasets--a--b/refs/main", "abc\n"),
        ("hub/datasets--a--b/snapshots/abc/train.json", " [{}]"),
        ("hub/datasets--a--b/snapshots/old/train.json", "[]"),
    ]);
    let file =
        DataFile { member: "hub/datasets--a--b/snapshots/abc/train.json".into(), format: Format::Json };
    assert_eq!(find(dir.path(), "a/b", split("train")).unwrap(), [file]);
    for (below, prefix) in [("hub", "datasets--a--b/"), ("hub/datasets--a--b", "")] {
        let files = find(&dir.path().join(below), "a/b", split("train")).unwrap();
        assert_eq!(files[0].member, format!("{prefix}snapshots/abc/train.json"));
    }
    let dir = folder(&[("refs/main", "../x"), ("snapshots/y", ""), ("x/a.json", "")]);
    assert_eq!(snapshot(dir.path(), "a/b"), "");
}

#[test]
fn json_is_an_array_or_a_row_a_line() {
    let dir = folder(&[("a.json", "\u{feff}\n {\"x\": 1}\n{}"), ("b.json", "\n[{}]"), ("c.json", "")]);
    let kind = |name| json_kind(dir.path(), name).unwrap();
    assert_eq!((kind("a.json"), kind("b.json"), kind("c.json")), (Format::Jsonl, Format::Json, Format::Json));
    assert!(json_kind(dir.path(), "d.json").is_err());
}
