//! Plugins of the past: what was built for a supported version of the contract goes on working.
//!
//! Two things are held against today's host: real plugins of the day on which API 0.1 came out, which are run, and the
//! contract of that day, of which every world was made into a component that the host has to link and type-check to its
//! last function.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use vbench::plugin::contract::{BackendArgs, CriterionArgs, DatasetArgs, Role};
use vbench::plugin::services::Services;
use vbench::plugin::{CacheMode, LoadOptions, Plugins};

use super::command::{Vbench, fixtures};

fn old() -> PathBuf {
    fixtures().join("api-0.1")
}

#[test]
fn plugins_of_api_0_1_run() {
    let file = |name: &str| old().join(name).display().to_string();
    let (dataset, backend, criterion) =
        (file("sharegpt.wasm"), file("openai-chat.wasm"), file("threshold.wasm"));
    let args = [
        "--plugin",
        &dataset,
        "--plugin",
        &backend,
        "--plugin",
        &criterion,
        "serve",
        "--mock",
        "--model",
        "m",
        "--tokenizer",
        "tokenizers/bpe",
        "--backend",
        "openai-chat",
        "--dataset-name",
        "sharegpt",
        "--dataset-path",
        "data/sharegpt.json",
        "--num-prompts",
        "4",
        "--sla",
        "threshold",
        "--threshold-limits",
        r#"{"p99_ttft_ms": "<=100000"}"#,
        "--save-result",
        "--result-dir",
        "@OUT@",
        "--result-filename",
        "result.json",
    ];
    let outcome = Vbench::new(args).run().expect_code(0);
    let result = outcome.result();
    assert_eq!(result["completed"], 4, "{}", outcome.stderr);
    let plugins = result["vbench"]["plugins"].as_array().expect("a list");
    assert_eq!(plugins.len(), 3);
    for plugin in plugins {
        assert_eq!(plugin["api_version"], "0.1.0");
        assert!(plugin["source"]["file"].as_str().is_some_and(|file| file.contains("api-0.1")), "{plugin}");
    }
}

/// That a dummy's first call traps in the plugin: by then all imports were given and all functions compared.
fn reaches_the_plugin(error: &str, call: &str) {
    assert!(error.contains(&format!("`{call}`: trapped: ")) && error.contains("unreachable"), "{error}");
}

#[test]
fn the_contract_of_api_0_1_is_still_served() {
    for (world, role) in
        [("dataset-plugin", Role::Dataset), ("backend-plugin", Role::Backend), ("sla-plugin", Role::Sla)]
    {
        let path = old().join(format!("{world}.wasm"));
        let mut plugins = Plugins::new(LoadOptions { cache: CacheMode::Off, ..LoadOptions::default() });
        let error = plugins.add_file(&path).map(|_| ()).expect_err("it traps when it is to describe itself");
        reaches_the_plugin(&error.to_string(), "meta.describe");

        // With a description of ours the role's own functions are reached.
        let wasm: &'static [u8] = fs::read(&path).expect("it is there").leak();
        let offer = json!({"role": role, "name": "dummy", "summary": "", "config_schema": {}});
        let description = json!({"name": "dummy", "version": "0.1.0", "summary": "", "offers": [offer]});
        let description_json: &'static str = description.to_string().leak();
        let mut plugins = Plugins::new(LoadOptions { cache: CacheMode::Off, ..LoadOptions::default() });
        plugins
            .add_builtin(vbench::plugin::BuiltIn { name: "dummy", wasm, sha256: "0", description_json })
            .expect("it is described");
        let error = match role {
            Role::Dataset => plugins.open_dataset("dummy", dataset_args(), Services::default()).err(),
            Role::Backend => plugins.open_backend("dummy", backend_args()).err(),
            Role::Sla => {
                let args = CriterionArgs { config: "{}".into(), compat: "vbench".into() };
                plugins.open_criterion("dummy", args).err()
            }
        };
        reaches_the_plugin(&error.expect("it traps").to_string(), &format!("{}.open", role.name()));
    }
}

fn dataset_args() -> DatasetArgs {
    DatasetArgs {
        config: "{}".into(),
        seed: 0,
        count: 1,
        request_id_prefix: String::new(),
        backend: "openai".into(),
        compat: "vbench".into(),
        grants: Vec::new(),
    }
}

fn backend_args() -> BackendArgs {
    BackendArgs {
        config: "{}".into(),
        endpoint: None,
        sampling: "{}".into(),
        extra_body: "{}".into(),
        ignore_eos: false,
        logprobs: None,
        compat: "vbench".into(),
    }
}

/// Words of the contract without comments.
fn words(folder: &Path) -> Vec<String> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let lines = files.into_iter().flat_map(|file| {
        let text = fs::read_to_string(file).expect("a file");
        text.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    });
    lines.flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn what_plugins_export_has_not_changed() {
    // Host bindings look up every function of an exported interface, so nothing may be added there either.
    let now = fixtures().join("../../wit/v0.1");
    for interface in ["meta", "dataset", "backend", "sla", "types"] {
        let of = |folder: &Path| {
            let dir = tempfile::tempdir().expect("a folder");
            fs::copy(folder.join(format!("{interface}.wit")), dir.path().join("one.wit"))
                .expect("it is there");
            words(dir.path())
        };
        assert_eq!(
            of(&now),
            of(&old().join("wit")),
            "interface `{interface}` of API 0.1 is released: a change of it belongs into wit/v0.2 (docs/concepts/versioning.md)"
        );
    }
}
