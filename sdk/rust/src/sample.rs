//! What a dataset yields: samples, their turns and prompts.

pub use crate::bindings::host::vbench::plugin::types::{Attachments, Media, MediaKind, Prompt, Sample, Turn};

impl Sample {
    /// A sample of one turn, without an id.
    pub fn new(turn: Turn) -> Self {
        Self {
            id: None,
            turns: vec![turn],
            arrival_s: None,
            overrides: None,
            session: None,
            tags: Vec::new(),
        }
    }

    /// Gives it the id that is sent as `x-request-id`.
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Makes it due this many seconds from the start of the run.
    pub fn due_at(mut self, arrival_s: f64) -> Self {
        self.arrival_s = Some(arrival_s);
        self
    }

    /// Puts it in a session, which the host sends as the header that the user names.
    pub fn in_session(mut self, session: impl Into<String>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// Lays a JSON object over the user's extra body for this sample alone.
    pub fn with_overrides(mut self, json: impl Into<String>) -> Self {
        self.overrides = Some(json.into());
        self
    }

    /// Adds a label by which results can be grouped.
    pub fn with_tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }
}

impl Turn {
    /// A turn that asks `prompt`, which the author believes to cost
    /// `prompt_tokens`, and wants at most `output_tokens` back.
    pub fn new(prompt: Prompt, prompt_tokens: u64, output_tokens: i64) -> Self {
        Self { prompt, attachments: Attachments::None, prompt_tokens, output_tokens, delay_ms: 0.0 }
    }

    /// A turn that asks a text.
    pub fn text(prompt: impl Into<String>, prompt_tokens: u64, output_tokens: i64) -> Self {
        Self::new(Prompt::Text(prompt.into()), prompt_tokens, output_tokens)
    }

    /// Adds media to the prompt.
    pub fn with_attachments(mut self, attachments: Attachments) -> Self {
        self.attachments = attachments;
        self
    }

    /// Waits this long after the previous answer has ended.
    pub fn after_ms(mut self, delay_ms: f64) -> Self {
        self.delay_ms = delay_ms;
        self
    }
}

impl Attachments {
    /// The pieces, however many there are.
    pub fn as_slice(&self) -> &[Media] {
        match self {
            Self::None => &[],
            Self::One(media) => std::slice::from_ref(media),
            Self::Many(media) => media,
        }
    }
}

impl Media {
    /// A piece of media at an address or by a `vbench-media:` reference.
    pub fn new(kind: MediaKind, url: impl Into<String>) -> Self {
        Self { kind, url: url.into(), format: None, extra: None }
    }
}
