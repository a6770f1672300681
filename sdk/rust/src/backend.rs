//! The role `backend`: how a turn is written, and how the answer is read.

use std::marker::PhantomData;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::bindings::backend as wit;
pub use crate::bindings::backend::{
    Body, Condition, Endpoint, ErrorRule, FailureText, Framing, OpenArgs, Parsed, Part, PartValue, PastTurn,
    Plan, RequestIn, RequestOut, Response, Task, TerminalRule, Test, TokenEvent, TokenRule, UsageRule,
};
pub use crate::bindings::host::vbench::plugin::types::{Header, TokenKind, Usage};
use crate::description::{Offer, Role, offer, read_config};
use crate::{Compat, Error, Result};

/// A JSON object whose values keep the text they came with.
pub type RawObject = IndexMap<String, Box<RawValue>>;

/// A wire format. It is called before a request is due and after its response
/// has ended, never in between.
pub trait Backend: Sized + 'static {
    /// The options. Each field becomes a flag, its doc comment the help.
    type Config: DeserializeOwned + JsonSchema;
    /// What the user writes after `--backend`.
    const NAME: &'static str;
    /// Other names for the same thing.
    const ALIASES: &'static [&'static str] = &[];
    /// One sentence for lists and help.
    const SUMMARY: &'static str;

    /// Checks the options and the endpoint.
    fn open(cx: &BackendContext, config: Self::Config) -> Result<Self>;

    /// Where and how requests go out, and the extraction plan if there is one.
    fn endpoint(&self) -> Result<Endpoint>;

    /// Writes one request.
    fn build(&self, request: &RequestIn) -> Result<RequestOut>;

    /// Reads one finished response. Needed only without an extraction plan.
    fn parse(&self, _response: &Response) -> Result<Parsed> {
        Err(Error::internal("this backend reads responses by its extraction plan only"))
    }
}

/// What a run wants of a backend.
#[derive(Debug, Clone)]
pub struct BackendContext {
    /// The name, or alias, by which the user chose the backend.
    pub name: String,
    /// `--endpoint`; none means the backend's usual path.
    pub endpoint: Option<String>,
    /// Sampling flags given, in the order in which they are to be sent.
    pub sampling: RawObject,
    /// `--extra-body`.
    pub extra_body: RawObject,
    /// `--ignore-eos`.
    pub ignore_eos: bool,
    /// `--logprobs`.
    pub logprobs: Option<i64>,
    /// Whose rules hold.
    pub compat: Compat,
}

impl BackendContext {
    fn new(args: &OpenArgs) -> Result<Self> {
        Ok(Self {
            name: args.name.clone(),
            endpoint: args.endpoint.clone(),
            sampling: raw_object(&args.sampling, "the sampling flags")?,
            extra_body: raw_object(&args.extra_body, "the extra body")?,
            ignore_eos: args.ignore_eos,
            logprobs: args.logprobs,
            compat: Compat::from_name(&args.compat)?,
        })
    }

    /// Whether answers are to be streamed: yes, unless the extra body says
    /// `"stream": false`. The reference client reads a stream in any case.
    pub fn streams(&self) -> bool {
        let said = self.extra_body.get("stream").map(|value| value.get().trim());
        self.compat.is_reference() || said != Some("false")
    }
}

/// Reads a JSON object; `what` names it in the error.
pub fn raw_object(json: &str, what: &str) -> Result<RawObject> {
    serde_json::from_str(json).map_err(|error| Error::config(format!("{what} is not a JSON object: {error}")))
}

impl RequestOut {
    /// A request with this body and one input.
    pub fn json(body: Vec<u8>) -> Self {
        Self { body: Body::Bytes(body), headers: Vec::new(), input_sequences: 1 }
    }
}

#[expect(clippy::derivable_impls, reason = "the type is generated")]
impl Default for Parsed {
    fn default() -> Self {
        Self {
            tokens: Vec::new(),
            text: String::new(),
            usage: None,
            finish_reason: None,
            server_queue_ms: None,
            server_ttft_ms: None,
            error: None,
            extra: None,
        }
    }
}

#[expect(clippy::derivable_impls, reason = "the type is generated")]
impl Default for Usage {
    fn default() -> Self {
        Self { output_tokens: None, prompt_tokens: None, cached_tokens: None, reasoning_tokens: None }
    }
}

impl Header {
    /// A header.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

impl Response {
    /// The payloads of the events in order. Ends that lie outside or run
    /// backwards give empty payloads.
    pub fn events(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let event = self.body.get(start..end as usize).unwrap_or_default();
            start = end as usize;
            event
        })
    }

    /// A response of these payloads, for tests.
    pub fn from_events<E: AsRef<[u8]>>(events: impl IntoIterator<Item = E>) -> Self {
        let mut response =
            Self { status: 200, headers: Vec::new(), body: Vec::new(), ends: Vec::new(), names: Vec::new() };
        for event in events {
            response.body.extend_from_slice(event.as_ref());
            response.ends.push(u32::try_from(response.body.len()).unwrap_or(u32::MAX));
        }
        response
    }
}

/// A backend behind which the type is forgotten.
#[doc(hidden)]
pub trait AnyBackend {
    /// See [`Backend::endpoint`].
    fn endpoint(&self) -> Result<Endpoint>;
    /// See [`Backend::build`].
    fn build_all(&self, requests: &[RequestIn]) -> Result<Vec<RequestOut>>;
    /// See [`Backend::parse`].
    fn parse(&self, response: &Response) -> Result<Parsed>;
}

impl<B: Backend> AnyBackend for B {
    fn endpoint(&self) -> Result<Endpoint> {
        Backend::endpoint(self)
    }

    fn build_all(&self, requests: &[RequestIn]) -> Result<Vec<RequestOut>> {
        requests.iter().map(|request| Backend::build(self, request)).collect()
    }

    fn parse(&self, response: &Response) -> Result<Parsed> {
        Backend::parse(self, response)
    }
}

/// The backends of a plugin, implemented by [`export!`](crate::export).
#[doc(hidden)]
pub trait Backends: 'static {
    /// Opens the one with the name asked for.
    fn open(args: &OpenArgs) -> Result<Box<dyn AnyBackend>>;
}

#[doc(hidden)]
pub fn backend_offer<B: Backend>() -> Offer {
    offer::<B::Config>(Role::Backend, B::NAME, B::ALIASES, B::SUMMARY)
}

#[doc(hidden)]
pub fn is_backend<B: Backend>(name: &str) -> bool {
    name == B::NAME || B::ALIASES.contains(&name)
}

/// Opens a backend from what the host passes.
#[doc(hidden)]
pub fn open_backend<B: Backend>(args: &OpenArgs) -> Result<B> {
    B::open(&BackendContext::new(args)?, read_config(&args.config)?)
}

/// What the component exports as `client`.
#[doc(hidden)]
pub struct Client<P>(Box<dyn AnyBackend>, PhantomData<P>);

impl<P: Backends> wit::GuestClient for Client<P> {
    fn open(args: OpenArgs) -> Result<wit::Client> {
        Ok(wit::Client::new(Self(P::open(&args)?, PhantomData)))
    }

    fn endpoint(&self) -> Result<Endpoint> {
        self.0.endpoint()
    }

    fn build(&self, requests: Vec<RequestIn>) -> Result<Vec<RequestOut>> {
        self.0.build_all(&requests)
    }

    fn parse(&self, response: Response) -> Result<Parsed> {
        self.0.parse(&response)
    }
}
