//! What `latency` and `throughput` share: their result files.

use std::path::Path;

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Map, Value, json};

use crate::cli::ServePlan;
use crate::fault::Fault;
use crate::plugin::Identity;
use crate::report::{self, ReportError};

/// Writes `result` to the file, and beside it the form of PyTorch's database if
/// the environment asks for that: `metrics` with their values, and the keys
/// `extra` of the result.
///
/// # Errors
/// When a file cannot be written.
pub fn write(
    path: &Path,
    result: &Map<String, Value>,
    metrics: &[(&str, Vec<Value>)],
    extra: &[&str],
    args: &Map<String, Value>,
) -> Result<(), Fault> {
    let mut content = Vec::new();
    // As `json.dump(…, indent=4)`.
    let mut serializer = Serializer::with_formatter(&mut content, PrettyFormatter::with_indent(b"    "));
    result.serialize(&mut serializer).map_err(|e| Fault::user(ReportError::from(e)))?;
    report::write_atomically(path, &content).map_err(Fault::user)?;
    if report::pytorch::is_wanted() {
        let kept = extra.iter().filter_map(|key| Some(((*key).to_owned(), result.get(*key)?.clone())));
        let content = report::pytorch::command_to_vec(metrics, &kept.collect(), args).map_err(Fault::user)?;
        report::write_atomically(&path.with_extension("pytorch.json"), &content).map_err(Fault::user)?;
    }
    Ok(())
}

/// The arguments by the reference client's names: the command's own, then
/// those of the server that both know.
pub fn args(own: Value, plan: &ServePlan, model_id: &str) -> Map<String, Value> {
    let mut args = Map::new();
    args.insert("model".to_owned(), json!(model_id));
    args.insert("tokenizer".to_owned(), json!(plan.tokenizer.name));
    args.insert("seed".to_owned(), json!(plan.seed));
    if let Value::Object(own) = own {
        args.extend(own);
    }
    args
}

/// The `vbench` object of a result: how it came about, and what it does not say.
pub fn about(identities: &[&Identity], further: Value) -> Value {
    let mut about = Map::new();
    about.insert("version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    about.insert("measured".to_owned(), json!("over HTTP, the server's front end included"));
    about.insert("plugins".to_owned(), json!(identities));
    if let Value::Object(further) = further {
        about.extend(further);
    }
    Value::Object(about)
}
