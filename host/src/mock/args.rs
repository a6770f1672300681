//! `vbench mock`.

use std::io::Write;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::config::{DEFAULT_MAX_OUTPUT_TOKENS, FailureKind, Failures, MockConfig, MockError};
use super::delay::Delay;
use super::server::MockServer;

/// Serve a mock model whose timing is known exactly, by the APIs of all built-in backends.
#[derive(Debug, Clone, Args)]
pub struct MockArgs {
    /// Name or address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: String,

    /// Port to listen on; 0 takes any free one. The URL is printed.
    #[arg(long, default_value_t = 8000)]
    pub port: u16,

    /// Name of the model in /v1/models and in answers.
    #[arg(long, default_value = "mock")]
    pub model: String,

    /// Time from a request's entry into the batch to its first token: milliseconds, or one of
    /// constant:MS, uniform:LOW,HIGH, normal:MEAN,DEVIATION (clamped at 0), lognormal:MEDIAN,SIGMA
    /// (SIGMA of the natural logarithm), exponential:MEAN.
    #[arg(long, value_name = "DELAY", default_value = "50")]
    pub ttft_ms: Delay,

    /// Time from one token event of an answer to the next, written as for --ttft-ms.
    #[arg(long, value_name = "DELAY", default_value = "10")]
    pub itl_ms: Delay,

    /// Seed of the delays: the n-th generation request draws the same delays under the same seed.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,

    /// Let at most N requests generate at once; others wait in order of arrival, and their
    /// time to first token counts from their entry into the batch.
    #[arg(long, value_name = "N")]
    pub max_batch: Option<NonZeroUsize>,

    /// Most tokens of an answer, whatever the request asks for.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MAX_OUTPUT_TOKENS)]
    pub max_output_tokens: NonZeroU32,

    /// Tokens in one event, as speculative decoding gives.
    #[arg(long, value_name = "K", default_value = "1")]
    pub chunk_tokens: NonZeroU32,

    /// Let the first N tokens of each answer be reasoning, where the API knows such tokens.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub reasoning_tokens: u32,

    /// Let the last N tokens of each answer be a tool call, where the API knows such tokens.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub tool_call_tokens: u32,

    /// Let every N-th generation request fail.
    #[arg(long, value_name = "N", requires = "fail_kind")]
    pub fail_every: Option<NonZeroU64>,

    /// How requests chosen by --fail-every fail: at once with a status, or half-way through the
    /// answer.
    #[arg(long, value_enum, value_name = "KIND", requires = "fail_every")]
    pub fail_kind: Option<FailureKind>,

    /// Write one JSON line a request: when it arrived, when each token event was due and sent
    /// (monotonic clock, ns). Written while nothing is being generated, and at the end.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

impl From<MockArgs> for MockConfig {
    fn from(args: MockArgs) -> Self {
        let failures = args.fail_every.zip(args.fail_kind).map(|(every, kind)| Failures { every, kind });
        Self {
            host: args.host,
            port: args.port,
            model: args.model,
            ttft: args.ttft_ms,
            itl: args.itl_ms,
            seed: args.seed,
            max_batch: args.max_batch,
            max_output_tokens: args.max_output_tokens,
            chunk_tokens: args.chunk_tokens,
            reasoning_tokens: args.reasoning_tokens,
            tool_call_tokens: args.tool_call_tokens,
            failures,
            keep_log: false,
            log_file: args.log,
        }
    }
}

/// Serves until SIGINT or SIGTERM. Prints the URL at the start and the report at
/// the end to `out`.
///
/// # Errors
/// The address cannot be listened on, the log cannot be written, or the system
/// refuses what the server needs.
pub fn run(args: MockArgs, out: &mut dyn Write) -> Result<(), MockError> {
    let system = |source| MockError::System { what: "signal handlers", source };
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(system)?;
    let handle = signals.handle();
    // Closing the handle ends the wait below if the server stops by itself.
    let server = MockServer::start_notifying(args.into(), move || handle.close())?;
    writeln!(out, "mock server for model {:?} at {}", server.model(), server.url())
        .and_then(|()| out.flush())
        .map_err(MockError::Print)?;
    signals.forever().next();
    let report = server.shutdown()?;
    writeln!(out, "{report}").and_then(|()| out.flush()).map_err(MockError::Print)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        mock: MockArgs,
    }

    fn parse(line: &str) -> Result<MockConfig, clap::Error> {
        let words = std::iter::once("mock").chain(line.split_whitespace());
        Command::try_parse_from(words).map(|command| command.mock.into())
    }

    #[test]
    fn flags_become_the_configuration() {
        let config = parse(
            "--port 0 --ttft-ms uniform:40,60 --itl-ms 2.5 --max-batch 3 --chunk-tokens 4 --fail-every 5 \
             --fail-kind status-429",
        )
        .unwrap();
        assert_eq!(config.ttft, Delay::Uniform { low_ms: 40.0, high_ms: 60.0 });
        assert_eq!(config.itl, Delay::constant(2.5));
        assert_eq!(config.max_batch.map(NonZeroUsize::get), Some(3));
        assert_eq!(config.chunk_tokens.get(), 4);
        assert_eq!(
            config.failures,
            Some(Failures { every: NonZeroU64::new(5).unwrap(), kind: FailureKind::Status429 })
        );
    }

    #[test]
    fn flags_that_mean_nothing_are_refused() {
        for line in [
            "--fail-every 2",
            "--fail-kind reset",
            "--fail-every 0 --fail-kind reset",
            "--max-batch 0",
            "--itl-ms soon",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn every_failure_kind_is_named_alike_in_flags_and_logs() {
        use clap::ValueEnum;
        for kind in FailureKind::value_variants() {
            assert_eq!(
                kind.to_possible_value().map(|v| v.get_name().to_owned()).as_deref(),
                Some(kind.name())
            );
        }
    }
}
