//! `vbench plugin preview`: the first samples or requests of a command line,
//! as `vbench serve` would make them. Nothing is sent.

use std::fmt::Write as _;
use std::sync::Arc;

use super::trial::Bench;
use crate::cli;
use crate::fault::Fault;
use crate::plugin::Plugins;
use crate::run::{self, Envelope, Screen};

/// Requests that are shown unless `--count` says otherwise.
const SHOWN: u32 = 3;

/// What to show.
#[derive(Debug, Clone)]
pub struct PreviewArgs {
    /// Own flags, and those of `vbench serve`.
    pub flags: Vec<String>,
}

/// The first samples or requests as text. Credentials are not shown.
///
/// # Errors
/// When the flags are wrong, or a plugin fails.
pub fn preview(plugins: &Plugins, args: PreviewArgs, screen: &Screen) -> Result<String, Fault> {
    let mut flags = args.flags;
    let as_samples = cli::take_switch(&mut flags, "--samples");
    let count = cli::take_count(&mut flags, SHOWN)?;
    let bench = Bench::new(plugins, &flags, count, screen)?;
    let plan = bench.plan(&[])?;
    let mut samples = bench.sample(&plan)?;
    samples.truncate(count as usize);
    let mut text = String::new();
    if as_samples {
        for sample in samples {
            let _ = writeln!(text, "{sample:#?}");
        }
        return Ok(text);
    }
    let mut client = plugins
        .open_backend(&plan.backend.name, run::backend_args(&plan, false))
        .map_err(|error| error.naming_flag(|key| plan.backend.flags.get(key)))?;
    let envelope = Envelope {
        endpoint: client.endpoint()?,
        authorization: None,
        user_headers: plan.target.headers.clone(),
        session_header: plan.target.session_header.clone(),
        media: Arc::clone(&bench.media),
        flags: plan.backend.flags.clone(),
    };
    for sample in samples {
        let Some(request) = run::request_of(sample, plan.model.as_deref().unwrap_or("model")) else {
            continue;
        };
        let labels = run::Labels::of(&request);
        for written in client.build(vec![request]).map_err(|error| envelope.naming_flag(error))? {
            let out = envelope.outgoing(&labels, written)?;
            let _ = writeln!(text, "{} {}{}", out.method, plan.target.base_url, out.path);
            for (name, value) in &out.headers {
                let _ = writeln!(text, "{name}: {value}");
            }
            let _ = writeln!(text, "\n{}\n", String::from_utf8_lossy(&out.body.to_bytes()));
        }
    }
    Ok(text)
}
