//! An opened backend of contract version 0.1.

use wasmtime::component::ResourceAny;

use super::Maker;
use super::bindings::exported::backend::{self as exported, Guest, GuestIndices, OpenArgs};
use super::convert;
use crate::plugin::check;
use crate::plugin::contract::{BackendArgs, Endpoint, Parsed, RequestIn, RequestOut, Response};
use crate::plugin::error::{ErrorKind, PluginError};
use crate::plugin::instance::Live;
use crate::plugin::limits::CallTimes;
use crate::plugin::opened::{BackendClient, Identity};
use crate::plugin::services::Services;
use crate::plugin::text;

/// Longest account of a failed request that is kept.
const MAX_FAILURE_BYTES: usize = 16 * 1024;

pub(super) struct Client {
    indices: GuestIndices,
    maker: Maker,
    args: OpenArgs,
    open: Open,
    faults: u32,
    identity: Identity,
}

/// One instance with its client.
struct Open {
    live: Live,
    guest: Guest,
    client: ResourceAny,
}

impl Open {
    fn new(indices: &GuestIndices, maker: &Maker, args: &OpenArgs) -> Result<Self, PluginError> {
        let budget = maker.around.limits.time.open;
        let (mut live, instance) = maker.make(&[], Services::default(), budget)?;
        let (guest, client) = live.call_fallible("backend.open", budget, |mut store| {
            let guest = indices.load(&mut store, &instance)?;
            let client = guest.client().call_open(store, args)?;
            Ok(client.map(|client| (guest, client)))
        })?;
        Ok(Self { live, guest, client })
    }
}

impl Client {
    pub(super) fn open(
        indices: GuestIndices,
        maker: Maker,
        identity: Identity,
        chosen_name: &str,
        args: BackendArgs,
    ) -> Result<Self, PluginError> {
        let args = OpenArgs {
            name: chosen_name.to_owned(),
            config: args.config,
            endpoint: args.endpoint,
            sampling: args.sampling,
            extra_body: args.extra_body,
            ignore_eos: args.ignore_eos,
            logprobs: args.logprobs,
            compat: args.compat,
        };
        let open = Open::new(&indices, &maker, &args)?;
        Ok(Self { indices, maker, args, open, faults: 0, identity })
    }

    /// The open instance; a fresh one if the last call killed it.
    fn revive(&mut self) -> Result<&mut Open, PluginError> {
        if self.open.live.is_dead() {
            self.open = Open::new(&self.indices, &self.maker, &self.args)?;
        }
        Ok(&mut self.open)
    }

    fn times(&self) -> CallTimes {
        self.maker.around.limits.time
    }

    /// Counts a fault; an error that the plugin returned is none.
    fn counted<T>(&mut self, result: Result<T, PluginError>) -> Result<T, PluginError> {
        if let Err(error) = &result
            && !matches!(error.kind, ErrorKind::Returned(_))
        {
            self.faults += 1;
        }
        result
    }
}

impl BackendClient for Client {
    fn endpoint(&mut self) -> Result<Endpoint, PluginError> {
        const CALL: &str = "backend.endpoint";
        let budget = self.times().open;
        let result = self.revive().and_then(|Open { live, guest, client }| {
            let endpoint =
                live.call_fallible(CALL, budget, |store| guest.client().call_endpoint(store, *client))?;
            convert::endpoint(endpoint)
                .and_then(|endpoint| check::endpoint(&endpoint).map(|()| endpoint))
                .map_err(|rule| live.reject(CALL, rule))
        });
        self.counted(result)
    }

    fn build(&mut self, requests: Vec<RequestIn>) -> Result<Vec<RequestOut>, PluginError> {
        const CALL: &str = "backend.build";
        let budget = self.times().build;
        let (asked, max_bytes) = (requests.len(), self.maker.around.limits.request_bytes);
        let requests: Vec<exported::RequestIn> = requests.into_iter().map(Into::into).collect();
        let result = self.revive().and_then(|Open { live, guest, client }| {
            let built = live
                .call_fallible(CALL, budget, |store| guest.client().call_build(store, *client, &requests))?;
            let built: Vec<RequestOut> = built.into_iter().map(Into::into).collect();
            check::requests(&built, asked, max_bytes).map_err(|rule| live.reject(CALL, rule))?;
            Ok(built)
        });
        self.counted(result)
    }

    fn parse(&mut self, response: Response) -> Result<Parsed, PluginError> {
        const CALL: &str = "backend.parse";
        debug_assert_eq!(check::response(&response), Ok(()), "the host cuts responses into events");
        let budget = self.times().parse;
        let (events, body_bytes) = (response.ends.len(), response.body.len());
        let response: exported::Response = response.into();
        let result = self.revive().and_then(|Open { live, guest, client }| {
            let mut parsed: Parsed = live
                .call_fallible(CALL, budget, |store| guest.client().call_parse(store, *client, &response))?
                .into();
            check::parsed(&parsed, events, body_bytes).map_err(|rule| live.reject(CALL, rule))?;
            parsed.error = parsed.error.map(|message| text::lines(&message, MAX_FAILURE_BYTES));
            Ok(parsed)
        });
        self.counted(result)
    }

    fn faults(&self) -> u32 {
        self.faults
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }
}
