//! What plugins and host say to each other, free of any contract version.
//!
//! Every contract version converts its own types into these, so nothing
//! outside `plugin` knows that there are versions. The meaning of each field
//! is defined in `wit/`, and repeated here in short.

use serde::{Deserialize, Serialize};

pub use crate::fault::Cause;
pub use crate::record::{Task, TokenKind, Usage};
pub use crate::wire::Framing;

/// One JSON value as text. What comes from a plugin has been checked to be
/// well-formed JSON of the kind that its field names.
pub type Json = String;

/// A kind of thing that a plugin can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// What to ask.
    Dataset,
    /// How it is written and read on the wire.
    Backend,
    /// Whether it was good enough.
    Sla,
}

impl Role {
    /// The word for messages and for the name of the exported interface.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dataset => "dataset",
            Self::Backend => "backend",
            Self::Sla => "sla",
        }
    }
}

/// One dataset, backend or criterion that a plugin offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// What it is.
    pub role: Role,
    /// What the user writes to choose it.
    pub name: String,
    /// Other names for the same thing.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// One sentence for lists and help.
    pub summary: String,
    /// JSON Schema of an object whose properties are the options.
    pub config_schema: serde_json::Map<String, serde_json::Value>,
}

/// A plugin's own account of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Name of the plugin.
    pub name: String,
    /// `MAJOR.MINOR.PATCH`.
    pub version: String,
    /// One sentence.
    pub summary: String,
    /// What it offers, at least one thing.
    pub offers: Vec<Offer>,
}

/// Where in the user's data an error lies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// The path as the user wrote it.
    pub file: Option<String>,
    /// Line or row; the first is 1.
    pub row: Option<u64>,
    /// Column, field or JSON pointer.
    pub column: Option<String>,
}

/// An error by the contract's rules, in either direction: what a plugin
/// returned, or what a host service answers a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractError {
    /// Whose fault it is.
    pub cause: Cause,
    /// What is wrong, one sentence in lower case.
    pub message: String,
    /// The option to blame.
    pub config_key: Option<String>,
    /// The place in the user's data.
    pub location: Option<Location>,
}

impl ContractError {
    /// An error with a cause and a message and nothing else.
    pub fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into(), config_key: None, location: None }
    }
}

/// A header of a request or a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Name, as it is sent.
    pub name: String,
    /// Value.
    pub value: String,
}

/// What a piece of media is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A sound.
    Audio,
}

/// An image, video or sound that goes with a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// An address for the server, or a `vbench-media:` reference.
    pub url: String,
    /// Encoding where the wire format names one.
    pub format: Option<String>,
    /// JSON object of keys that belong beside the address.
    pub extra: Option<Json>,
}

/// The media of a prompt; one piece and a list of one piece differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attachments {
    /// No media.
    None,
    /// One piece.
    One(Media),
    /// A list.
    Many(Vec<Media>),
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

/// What is asked of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// One text.
    Text(String),
    /// Several inputs of one request.
    Texts(Vec<String>),
    /// One sequence of token ids.
    TokenIds(Vec<u32>),
    /// Several sequences.
    TokenIdLists(Vec<Vec<u32>>),
    /// JSON array of chat messages.
    Messages(Json),
    /// JSON array of content parts of one user message.
    Parts(Json),
    /// JSON object merged into the body.
    Object(Json),
}

/// One step of a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// What is asked.
    pub prompt: Prompt,
    /// Media that go with it.
    pub attachments: Attachments,
    /// Cost of the prompt in tokens, as the dataset believes.
    pub prompt_tokens: u64,
    /// Longest answer wanted, in tokens.
    pub output_tokens: i64,
    /// Pause after the previous answer, in milliseconds; finite, not negative.
    pub delay_ms: f64,
}

/// One unit of load: a request, or a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Sent as `x-request-id`; a valid header value.
    pub id: Option<String>,
    /// At least one.
    pub turns: Vec<Turn>,
    /// When it is due, in seconds from the start; finite, not negative.
    pub arrival_s: Option<f64>,
    /// JSON object laid over the user's extra body.
    pub overrides: Option<Json>,
    /// Session it belongs to; a valid header value.
    pub session: Option<String>,
    /// Free labels.
    pub tags: Vec<(String, String)>,
}

/// A directory or file that a dataset plugin may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathGrant {
    /// The option that named the path.
    pub config_key: String,
    /// The path on the host.
    pub path: std::path::PathBuf,
}

/// What a dataset is opened with.
#[derive(Debug, Clone)]
pub struct DatasetArgs {
    /// JSON object of the options, checked against the schema.
    pub config: Json,
    /// `--seed`.
    pub seed: u64,
    /// `--num-prompts`.
    pub count: i64,
    /// `--request-id-prefix`.
    pub request_id_prefix: String,
    /// Name of the backend that will write the samples.
    pub backend: String,
    /// `vbench`, `v0.33` or `v0.12`.
    pub compat: String,
    /// Paths the user named in `path` options.
    pub grants: Vec<PathGrant>,
}

/// State of a Mersenne Twister.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twister {
    /// The 624 words.
    pub words: Vec<u32>,
    /// Position of the next word, 0 to 624.
    pub position: u32,
}

/// Rows that a dataset passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// Why.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// What a dataset says when all samples are out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// State of CPython's `random` after sampling, if it was touched.
    pub python_random: Option<Twister>,
    /// State of legacy `numpy.random` after sampling, if it was touched.
    pub numpy_random: Option<Twister>,
    /// Rows passed over.
    pub skipped: Vec<Skip>,
}

/// What a backend is opened with.
#[derive(Debug, Clone)]
pub struct BackendArgs {
    /// JSON object of the options, checked against the schema.
    pub config: Json,
    /// `--endpoint`.
    pub endpoint: Option<String>,
    /// JSON object of the sampling flags given, in the order to send them.
    pub sampling: Json,
    /// JSON object of `--extra-body`.
    pub extra_body: Json,
    /// `--ignore-eos`.
    pub ignore_eos: bool,
    /// `--logprobs`.
    pub logprobs: Option<i64>,
    /// `vbench`, `v0.33` or `v0.12`.
    pub compat: String,
}

/// What a condition asks of the value at its pointer.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// There is a value.
    Present,
    /// There is none.
    Absent,
    /// Neither missing nor null, false, 0, or empty.
    Truthy,
    /// Equal as a JSON value.
    Equals(serde_json::Value),
}

/// A test of one place of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// JSON pointer (RFC 6901).
    pub pointer: String,
    /// What is asked of the value there.
    pub test: Test,
}

/// Makes an event a token event, if all conditions hold.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenRule {
    /// Conditions.
    pub when: Vec<Condition>,
    /// What the token is part of.
    pub kind: TokenKind,
    /// Pointer to the text.
    pub text: Option<String>,
}

/// Takes token counts from an event, if all conditions hold.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageRule {
    /// Conditions.
    pub when: Vec<Condition>,
    /// Also on events that are token events.
    pub on_token_events: bool,
    /// Pointer to the tokens of the answer.
    pub output_tokens: Option<String>,
    /// Pointer to the tokens of the prompt.
    pub prompt_tokens: Option<String>,
    /// Pointer to the prompt tokens found in the prefix cache.
    pub cached_tokens: Option<String>,
    /// Pointer to the tokens spent on reasoning.
    pub reasoning_tokens: Option<String>,
}

/// What a failed request says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureText {
    /// What is at this pointer; the whole event if there is nothing.
    Pointer(String),
    /// This text.
    Text(String),
}

/// Fails the request, if all conditions hold.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorRule {
    /// Conditions.
    pub when: Vec<Condition>,
    /// What the request says.
    pub message: FailureText,
}

/// An answer is only whole when one of these events came.
#[derive(Debug, Clone, PartialEq)]
pub struct TerminalRule {
    /// Any of these lists holds in full.
    pub any: Vec<Vec<Condition>>,
    /// What the failed request says if none came.
    pub missing: String,
}

/// How to read events by JSON pointers, natively.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Payloads that are no JSON and mean nothing.
    pub ignore: Vec<String>,
    /// What fails a request.
    pub errors: Vec<ErrorRule>,
    /// The first rule that fits makes the event a token event.
    pub tokens: Vec<TokenRule>,
    /// Where token counts are.
    pub usage: Vec<UsageRule>,
    /// What makes an answer whole.
    pub terminal: Option<TerminalRule>,
    /// What a request fails with if no token event came.
    pub no_token: Option<String>,
    /// Pointer to the finish reason.
    pub finish_reason: Option<String>,
    /// Pointer to the server's queue time in milliseconds.
    pub server_queue_ms: Option<String>,
    /// Pointer to the server's time to first token in milliseconds.
    pub server_ttft_ms: Option<String>,
}

/// Where and how requests go out.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// Which numbers make sense.
    pub task: Task,
    /// `POST` or another method; a valid token.
    pub method: String,
    /// Path and query; begins with `/`, holds no `..` segment.
    pub path: String,
    /// Headers of every request.
    pub headers: Vec<Header>,
    /// How a body is cut into events.
    pub framing: Framing,
    /// None: `parse` reads the responses.
    pub plan: Option<Plan>,
}

/// A turn that has been answered.
#[derive(Debug, Clone, PartialEq)]
pub struct PastTurn {
    /// What was asked.
    pub turn: Turn,
    /// The answer's text.
    pub reply: String,
}

/// What is to be written as a request.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestIn {
    /// The request's id.
    pub id: Option<String>,
    /// The session of its sample, of which the backend is told nothing: the
    /// header that carries it is the host's.
    pub session: Option<String>,
    /// Model or adapter name.
    pub model: String,
    /// Earlier turns, oldest first.
    pub history: Vec<PastTurn>,
    /// The turn to write.
    pub turn: Turn,
    /// JSON object laid over the extra body.
    pub overrides: Option<Json>,
}

/// A part of a `multipart/form-data` body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Field name.
    pub name: String,
    /// File name, if the part is a file.
    pub filename: Option<String>,
    /// Content type, if it is stated.
    pub content_type: Option<String>,
    /// What it holds.
    pub value: PartValue,
}

/// What a part holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartValue {
    /// Text.
    Text(String),
    /// A `vbench-media:` reference.
    Media(String),
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Sent as it is, but for media references.
    Bytes(Vec<u8>),
    /// A form.
    Multipart(Vec<Part>),
}

/// A request as a backend wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestOut {
    /// The body.
    pub body: Body,
    /// Headers of this request, after the endpoint's.
    pub headers: Vec<Header>,
    /// How many inputs it holds.
    pub input_sequences: u32,
}

/// A finished response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<Header>,
    /// The payloads of all events, end to end.
    pub body: Vec<u8>,
    /// End offset in `body` of each event.
    pub ends: Vec<u32>,
    /// Names of those events that have one, by number.
    pub names: Vec<(u32, String)>,
}

/// That an event is a token event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenEvent {
    /// Number of the event.
    pub event: u32,
    /// What the token is part of.
    pub kind: TokenKind,
    /// Tokens in the event where the format says so, else 0.
    pub tokens: u32,
}

/// What a response says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parsed {
    /// Token events, ascending by event, each event at most once.
    pub tokens: Vec<TokenEvent>,
    /// The answer's text.
    pub text: String,
    /// Token counts, as reported.
    pub usage: Option<Usage>,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// Time in the server's queue, in milliseconds; finite, not negative.
    pub server_queue_ms: Option<f64>,
    /// The server's own time to first token, in milliseconds; likewise.
    pub server_ttft_ms: Option<f64>,
    /// Why the request failed, if it did.
    pub error: Option<String>,
    /// JSON object kept with the record.
    pub extra: Option<Json>,
}

/// What a criterion is opened with.
#[derive(Debug, Clone)]
pub struct CriterionArgs {
    /// JSON object of the options, checked against the schema.
    pub config: Json,
    /// `vbench`, `v0.33` or `v0.12`.
    pub compat: String,
}

/// One comparison behind a verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What was compared.
    pub criterion: String,
    /// The value found; none if the run has no such value.
    pub actual: Option<f64>,
    /// The limit.
    pub limit: f64,
    /// Whether it passed.
    pub pass: bool,
    /// Distance from the limit as a share of it, below 0 is good.
    pub margin: f64,
}

/// Whether it was good enough.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Whether it was.
    pub pass: bool,
    /// Distance from the limit as a share of it, below 0 is good.
    pub margin: f64,
    /// What it rests on, the binding one first.
    pub findings: Vec<Finding>,
}
