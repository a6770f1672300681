//! VisionArena: what people asked about an image of theirs.

use serde_json::Value;
use vbench_plugin::Compat;
use vbench_plugin::sample::MediaKind;

use super::{Draft, Fault, MediaUse, Numbering, Output, Row, RowMedium, Template, TextClass};
use crate::Config;

/// `lmarena-ai/VisionArena-Chat` and its benchmark.
pub const CLASS: TextClass = TextClass {
    name: "VisionArena",
    ids: &["lmarena-ai/VisionArena-Chat", "lmarena-ai/vision-arena-bench-v0.1"],
    split: Some("train"),
    subset: None,
    columns: &["conversation", "turns", "images"],
    draft,
    template: Template::Never,
    output: Output::Fixed(128),
    numbering: Numbering::Rows,
    media: MediaUse::Kept,
};

fn draft(row: &Row<'_>, config: &Config, _: Compat) -> Result<Option<Draft>, Fault> {
    let is_bench = config.id() == CLASS.ids[1];
    let column = if is_bench || row.value("conversation").is_none() { "turns" } else { "conversation" };
    let first = row.list(column)?.first().and_then(|turn| turn.get(0)).and_then(|turn| turn.get("content"));
    let text = row.text_at(&format!("/{column}/0/0/content"), first)?;
    let image = row.list("images")?.first().filter(|image| !image.is_null()).cloned();
    let image = image.ok_or_else(|| Fault {
        column: "images".to_owned(),
        message: "the row has no image in `images`".to_owned(),
    });
    let medium = |value: Value| RowMedium { column: "images", kind: MediaKind::Image, value };
    Ok(Some(Draft::user(text).with_medium(Some(medium(image?)))))
}
