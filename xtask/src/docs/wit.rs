//! The contract as a page: worlds, then each interface with its types and functions, by their own comments.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use wit_parser::{
    Docs, Function, FunctionKind, Handle, Interface, Resolve, SourceMap, Type, TypeDef, TypeDefKind, World,
    WorldItem, WorldKey,
};

/// The page about the package in `folder`.
///
/// # Errors
/// The files cannot be read, or are no WIT.
pub fn page(folder: &Path) -> Result<String> {
    let mut resolve = Resolve::default();
    let mut files = SourceMap::new();
    let cannot_read = || format!("cannot read the contract in {}", folder.display());
    for entry in fs::read_dir(folder).with_context(cannot_read)? {
        let path = entry.with_context(cannot_read)?.path();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        files.push_str(&path.display().to_string(), text);
    }
    let parsed = files.parse().map_err(|(_, error)| anyhow!("{}: {error}", cannot_read()))?;
    let package = resolve.push_group(parsed).map_err(|error| anyhow!("{}: {error}", cannot_read()))?;
    let page = Page { resolve: &resolve };
    let package = &resolve.packages[package];
    let mut text = format!("# `{}`\n\n", package.name);
    text.push_str("Made from [`wit/v0.1`](../../wit/v0.1) by `cargo xtask docs`. How it may change: ");
    text.push_str("[versioning](../concepts/versioning.md).\n\n");
    page.docs(&mut text, &package.docs);
    text.push_str("## Worlds\n\n");
    for &world in package.worlds.values() {
        page.world(&mut text, &resolve.worlds[world]);
    }
    let mut interfaces: Vec<&Interface> =
        package.interfaces.values().map(|&id| &resolve.interfaces[id]).collect();
    // What plugins export first, since that is what authors look for.
    let first = ["meta", "dataset", "backend", "sla"];
    let place = |interface: &&Interface| {
        let name = interface.name.as_deref().unwrap_or_default();
        (first.iter().position(|&known| known == name).unwrap_or(first.len()), name.to_owned())
    };
    interfaces.sort_by_key(place);
    for interface in interfaces {
        page.interface(&mut text, interface)?;
    }
    Ok(format!("{}\n", text.trim_end()))
}

struct Page<'a> {
    resolve: &'a Resolve,
}

impl Page<'_> {
    fn docs(&self, text: &mut String, docs: &Docs) {
        if let Some(contents) = &docs.contents {
            let _ = write!(text, "{}\n\n", contents.trim());
        }
    }

    fn world(&self, text: &mut String, world: &World) {
        let _ = write!(text, "### `{}`\n\n", world.name);
        self.docs(text, &world.docs);
        for (what, items) in [("imports", &world.imports), ("exports", &world.exports)] {
            let names: Vec<String> = items
                .iter()
                .filter_map(|(key, item)| match (key, item) {
                    (WorldKey::Interface(id), WorldItem::Interface { .. }) => {
                        let name = self.resolve.interfaces[*id].name.as_deref()?;
                        Some(format!("[`{name}`](#{name})"))
                    }
                    _ => None,
                })
                .collect();
            let _ = writeln!(text, "- {what}: {}", names.join(", "));
        }
        text.push('\n');
    }

    fn interface(&self, text: &mut String, interface: &Interface) -> Result<()> {
        let _ = write!(text, "## {}\n\n", interface.name.as_deref().unwrap_or_default());
        self.docs(text, &interface.docs);
        for (name, &id) in &interface.types {
            let def = &self.resolve.types[id];
            // A `use` of another interface's type has no comment of its own.
            if matches!(def.kind, TypeDefKind::Type(Type::Id(_))) && def.docs.is_empty() {
                continue;
            }
            self.type_def(text, name, def)?;
            for function in interface.functions.values() {
                if function.kind.resource() == Some(id) {
                    self.function(text, function)?;
                }
            }
        }
        for function in interface.functions.values().filter(|f| f.kind.resource().is_none()) {
            self.function(text, function)?;
        }
        Ok(())
    }

    fn type_def(&self, text: &mut String, name: &str, def: &TypeDef) -> Result<()> {
        let _ = write!(text, "### {} `{name}`", def.kind.as_str());
        if let TypeDefKind::Type(ty) = &def.kind {
            let _ = write!(text, " = `{}`", self.ty(ty)?);
        }
        text.push_str("\n\n");
        self.docs(text, &def.docs);
        let mut items: Vec<(&str, Option<String>, &Docs)> = Vec::new();
        match &def.kind {
            TypeDefKind::Record(record) => {
                for field in &record.fields {
                    items.push((&field.name, Some(self.ty(&field.ty)?), &field.docs));
                }
            }
            TypeDefKind::Variant(variant) => {
                for case in &variant.cases {
                    items.push((&case.name, case.ty.as_ref().map(|ty| self.ty(ty)).transpose()?, &case.docs));
                }
            }
            TypeDefKind::Enum(cases) => {
                items.extend(cases.cases.iter().map(|case| (case.name.as_str(), None, &case.docs)));
            }
            TypeDefKind::Flags(flags) => {
                items.extend(flags.flags.iter().map(|flag| (flag.name.as_str(), None, &flag.docs)));
            }
            _ => {}
        }
        for (name, ty, docs) in &items {
            let _ = write!(text, "- `{name}`");
            if let Some(ty) = ty {
                let _ = write!(text, ": `{ty}`");
            }
            if let Some(contents) = &docs.contents {
                let _ = write!(text, ". {}", contents.split_whitespace().collect::<Vec<_>>().join(" "));
            }
            text.push('\n');
        }
        if !items.is_empty() {
            text.push('\n');
        }
        Ok(())
    }

    fn function(&self, text: &mut String, function: &Function) -> Result<()> {
        let params = function
            .params
            .iter()
            .filter(|param| !(matches!(function.kind, FunctionKind::Method(_)) && param.name == "self"))
            .map(|param| Ok(format!("{}: {}", param.name, self.ty(&param.ty)?)))
            .collect::<Result<Vec<_>>>()?;
        let result = function.result.as_ref().map(|ty| self.ty(ty)).transpose()?;
        let kind = if matches!(function.kind, FunctionKind::Static(_)) { "static func" } else { "func" };
        let _ = write!(text, "#### `{}`\n\n```wit\n{}: {kind}(", function.item_name(), function.item_name());
        let _ = write!(text, "{})", params.join(", "));
        if let Some(result) = result {
            let _ = write!(text, " -> {result}");
        }
        text.push_str("\n```\n\n");
        self.docs(text, &function.docs);
        Ok(())
    }

    /// A type as it is written in WIT.
    fn ty(&self, ty: &Type) -> Result<String> {
        let name = match ty {
            Type::Bool => "bool",
            Type::U8 => "u8",
            Type::U16 => "u16",
            Type::U32 => "u32",
            Type::U64 => "u64",
            Type::S8 => "s8",
            Type::S16 => "s16",
            Type::S32 => "s32",
            Type::S64 => "s64",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::Char => "char",
            Type::String => "string",
            Type::ErrorContext => "error-context",
            Type::Id(id) => {
                let def = &self.resolve.types[*id];
                if let Some(name) = &def.name {
                    return Ok(name.clone());
                }
                return match &def.kind {
                    TypeDefKind::List(item) => Ok(format!("list<{}>", self.ty(item)?)),
                    TypeDefKind::Option(item) => Ok(format!("option<{}>", self.ty(item)?)),
                    TypeDefKind::Handle(Handle::Own(id)) => self.ty(&Type::Id(*id)),
                    TypeDefKind::Handle(Handle::Borrow(id)) => {
                        Ok(format!("borrow<{}>", self.ty(&Type::Id(*id))?))
                    }
                    TypeDefKind::Tuple(tuple) => {
                        let items = tuple.types.iter().map(|ty| self.ty(ty)).collect::<Result<Vec<_>>>()?;
                        Ok(format!("tuple<{}>", items.join(", ")))
                    }
                    TypeDefKind::Result(result) => {
                        let side =
                            |ty: &Option<Type>| ty.as_ref().map_or(Ok("_".to_owned()), |ty| self.ty(ty));
                        Ok(format!("result<{}, {}>", side(&result.ok)?, side(&result.err)?))
                    }
                    other => bail!("a {} without a name is not known here", other.as_str()),
                };
            }
        };
        Ok(name.to_owned())
    }
}
