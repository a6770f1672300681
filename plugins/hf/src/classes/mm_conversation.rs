//! Conversations about an image, of which the first two turns are taken.

use super::{Draft, MediaUse, Numbering, TextClass, conversation};

/// `lmms-lab/LLaVA-OneVision-Data`.
pub const CLASS: TextClass = TextClass {
    name: "MultiModalConversation",
    ids: &["lmms-lab/LLaVA-OneVision-Data"],
    columns: &["conversations", "image"],
    draft: |row, config, compat| {
        let draft = (conversation::CLASS.draft)(row, config, compat)?;
        Ok(draft.map(|draft: Draft| draft.with_medium(row.image("image"))))
    },
    numbering: Numbering::Samples,
    media: MediaUse::Kept,
    ..conversation::CLASS
};
