//! `vbench plugin inspect`: what a plugin is, without a run.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::loader::Loader;
use crate::fault::Fault;
use crate::plugin::PluginInfo;
use crate::plugin::contract::Offer;
use crate::source::{Provenance, Spec, UnreadSignature};

/// What a plugin is, offers and imports, as text or as JSON.
///
/// # Errors
/// When it cannot be had or is no plugin for this host.
pub fn inspect(loader: &Loader, text: &str, as_json: bool) -> Result<String, Fault> {
    let resolved = loader.resolver().resolve(&Spec::parse(text)?)?;
    let provenance = resolved.provenance;
    let mut plugins = loader.none();
    plugins.add_bytes(resolved.source, resolved.wasm)?;
    let infos = plugins.inspect()?;
    let Some(info) = infos.first() else { return Ok(String::new()) };
    if as_json {
        Ok(format!("{:#}", to_json(info, provenance.as_ref())))
    } else {
        Ok(to_text(info, provenance.as_ref()))
    }
}

fn to_text(info: &PluginInfo, provenance: Option<&Provenance>) -> String {
    let PluginInfo { source, description, inspection } = info;
    let roles: Vec<&str> = inspection.roles.iter().map(|role| role.name()).collect();
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} {}: {}", description.name, description.version, description.summary);
    let _ = writeln!(text, "source      {source}");
    let _ = writeln!(text, "roles       {}", roles.join(", "));
    let _ = writeln!(text, "plugin API  {}", inspection.api_version);
    let _ = writeln!(text, "sha256      {}", inspection.sha256);
    let _ = writeln!(text, "size        {} bytes", inspection.size_bytes);
    if let Some(Provenance { signatures, unread, .. }) = provenance {
        let count = signatures.len();
        let _ = writeln!(text, "signatures  {count} (not checked; `vbench plugin verify --key FILE` does)");
        if let Some(found) = UnreadSignature::in_words(unread) {
            let _ = writeln!(text, "            others that vbench does not check: {found}");
        }
    }
    for offer in &description.offers {
        let names = std::iter::once(&offer.name).chain(&offer.aliases);
        let names = names.map(String::as_str).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "{:<11} {names}: {}", offer.role.name(), offer.summary);
        for (key, schema) in properties(offer) {
            let help = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            let help = help.lines().next().unwrap_or_default();
            let kind = match schema.get("type") {
                Some(Value::String(kind)) => format!(" ({kind})"),
                _ => String::new(),
            };
            let default =
                schema.get("default").map(|value| format!(" [default: {value}]")).unwrap_or_default();
            let required = if is_required(offer, key) { " [required]" } else { "" };
            let _ = writeln!(text, "  option {key}{kind}: {help}{default}{required}");
        }
    }
    for import in &inspection.imports {
        let _ = writeln!(text, "import      {} ({})", import.name, import.access.words());
    }
    text.truncate(text.trim_end().len());
    text
}

fn to_json(info: &PluginInfo, provenance: Option<&Provenance>) -> Value {
    let PluginInfo { source, description, inspection } = info;
    let imports: Vec<Value> = inspection
        .imports
        .iter()
        .map(|import| json!({"name": import.name, "access": import.access.words()}))
        .collect();
    json!({
        "name": description.name,
        "version": description.version,
        "summary": description.summary,
        "source": source.to_string(),
        "roles": inspection.roles,
        "api_version": inspection.api_version.to_string(),
        "sha256": inspection.sha256,
        "size_bytes": inspection.size_bytes,
        "signatures": provenance.map(|provenance| provenance.signatures.len()),
        "unread_signatures": provenance.map(|provenance| &provenance.unread),
        "offers": description.offers,
        "imports": imports,
    })
}

fn properties(offer: &Offer) -> impl Iterator<Item = (&String, &Value)> {
    offer.config_schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn is_required(offer: &Offer, key: &str) -> bool {
    let required = offer.config_schema.get("required").and_then(Value::as_array);
    required.is_some_and(|keys| keys.iter().any(|required| required == key))
}
