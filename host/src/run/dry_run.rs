//! `--dry-run`: what a run would send, without sending it.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::anyhow;

use super::prepare::{Envelope, Labels, request_of};
use super::sampling::sample;
use super::screen::Screen;
use super::serve::{authorization, backend_args, dataset_says, forces_ignore_eos, load_tokenizer};
use super::workload::{Workload, to_token_ids};
use crate::cli::ServePlan;
use crate::fault::{EXIT_OK, Fault};
use crate::media::Store;
use crate::metrics::stats::{Sorted, mean};
use crate::plugin::Plugins;
use crate::plugin::contract::{RequestIn, Sample};
use crate::tokenizer::Tokenizers;
use crate::wire::{Outgoing, Site};

/// Requests that are shown.
const SHOWN: usize = 3;
/// Bytes of a body that are shown.
const SHOWN_BYTES: usize = 64 << 10;
/// Due times that are shown.
const SHOWN_TIMES: usize = 10;
/// A header whose name has one of these in it may hold a secret.
const SECRETS: [&str; 9] =
    ["auth", "key", "token", "secret", "cookie", "password", "credential", "session", "signature"];

/// Draws and writes the requests of `plan`, shows the first of them exactly as
/// they would go out, the lengths of all and when they would go, and sends nothing.
///
/// # Errors
/// As a run would fail before it sends anything; and without `--model`, as the
/// server is not asked for one.
pub fn dry_run(
    plan: &ServePlan,
    plugins: &Plugins,
    tokenizers: &Arc<Tokenizers>,
    screen: &Screen,
) -> Result<u8, Fault> {
    for warning in &plan.warnings {
        screen.warn(warning);
    }
    let Some(id) = &plan.model else {
        return Err(Fault::user(anyhow!("--dry-run asks no server for its model, so it needs --model")));
    };
    let site = Site::parse(&plan.target.base_url).map_err(Fault::user)?;
    let model = plan.served_model_name.as_ref().unwrap_or(id);
    let tokenizer = load_tokenizer(plan, id, tokenizers)()?;
    let ignore_eos = forces_ignore_eos(plan, plugins)?;
    let mut client = plugins
        .open_backend(&plan.backend.name, backend_args(plan, ignore_eos))
        .map_err(|error| error.naming_flag(|key| plan.backend.flags.get(key)))?;
    let envelope = Envelope {
        endpoint: client.endpoint()?,
        authorization: authorization(),
        user_headers: plan.target.headers.clone(),
        session_header: plan.target.session_header.clone(),
        media: Arc::new(Store::new()),
        flags: plan.backend.flags.clone(),
    };
    let mut sampled = sample(plan, plugins, tokenizer.as_ref(), &envelope.media, screen)?;
    let aligned = dataset_says(plugins, plan, "x-align-prompts")? && !plan.prompt_token_ids;
    if let Some(tokenizer) = tokenizer.as_ref().filter(|_| plan.prompt_token_ids) {
        to_token_ids(&mut sampled.samples, tokenizer)?;
    }
    for warning in plugins.take_warnings() {
        screen.warn(warning);
    }
    let workload = Workload::new(plan, sampled, model, screen)?;
    let inputs: Vec<RequestIn> = workload
        .samples
        .iter()
        .zip(&workload.models)
        .take(SHOWN)
        .filter_map(|(sample, model)| request_of(sample.clone(), model))
        .collect();
    let labels: Vec<Labels> = inputs.iter().map(Labels::of).collect();
    let written = client.build(inputs).map_err(|error| envelope.naming_flag(error))?;
    let count = workload.samples.len();
    screen.line(format!("Dry run: nothing is sent. {} of {count} requests:", written.len()));
    for (at, (labels, written)) in labels.iter().zip(written).enumerate() {
        let request = envelope.outgoing(labels, written)?;
        let due_s = workload.schedule.offsets_s.get(at).copied().unwrap_or_default();
        screen.line(format!("\nRequest {}, due after {due_s:.6} s:", at + 1));
        screen.line(shown(&request, &site));
    }
    if aligned {
        screen.line(
            "\nA run would ask the server's /tokenize whether its prompts have the same length there, and cut \
             those that are longer.",
        );
    }
    screen.line(format!("\n{}", lengths(&workload.samples)));
    screen.line(format!("\n{}", arrival_plan(plan, &workload)));
    Ok(EXIT_OK)
}

/// A request with its URL, its head with secrets hidden, and its body.
fn shown(request: &Outgoing, site: &Site) -> String {
    let masked: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|(name, value)| {
            let lower = name.to_ascii_lowercase();
            let secret = SECRETS.iter().any(|word| lower.contains(word));
            (name.clone(), if secret { "***".to_owned() } else { value.clone() })
        })
        .collect();
    let mut head = Vec::new();
    site.write_head(&Outgoing { headers: masked, ..request.clone() }, &mut head);
    let head = String::from_utf8_lossy(&head).replace("\r\n", "\n");
    let headers = head.split_once('\n').map_or("", |(_, headers)| headers);
    let scheme = if site.https { "https" } else { "http" };
    let mut text = format!(
        "{} {scheme}://{}{}{}\n{headers}",
        request.method, site.authority, site.base_path, request.path
    );
    let body = request.body.to_bytes();
    let body = String::from_utf8_lossy(&body);
    let cut = body.floor_char_boundary(SHOWN_BYTES);
    text += &body[..cut];
    if cut < body.len() {
        let _ = write!(text, "\n({} more bytes)", body.len() - cut);
    }
    text
}

/// How long prompts and answers are.
fn lengths(samples: &[Sample]) -> String {
    let turns = || samples.iter().flat_map(|sample| &sample.turns);
    let mut text = format!(
        "{:<26} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>12}\n",
        "Lengths in tokens", "min", "mean", "median", "p90", "p99", "max", "sum"
    );
    let rows: [(&str, Vec<f64>); 2] = [
        ("prompt", turns().map(|turn| turn.prompt_tokens as f64).collect()),
        ("answer, at most", turns().map(|turn| turn.output_tokens as f64).collect()),
    ];
    for (what, values) in rows {
        let (mean, sum) = (mean(&values), values.iter().sum::<f64>());
        let sorted = Sorted::new(values);
        let _ = writeln!(
            text,
            "{what:<26} {:>9} {mean:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>9} {sum:>12}",
            sorted.min(),
            sorted.median(),
            sorted.percentile(90.0),
            sorted.percentile(99.0),
            sorted.max()
        );
    }
    text.truncate(text.trim_end().len());
    text
}

/// When requests would go, and how many at a time.
fn arrival_plan(plan: &ServePlan, workload: &Workload) -> String {
    let offsets_s = &workload.schedule.offsets_s;
    let count = offsets_s.len();
    let last_s = offsets_s.iter().copied().fold(0.0, f64::max);
    let mut text = String::from("Arrivals: ");
    if last_s <= 0.0 {
        let _ = write!(text, "all {count} requests at once");
    } else {
        let by = if workload.self_timed { "the dataset's own times" } else { "a drawn schedule" };
        let _ = write!(
            text,
            "{count} requests by {by}, the last after {last_s:.3} s, {:.3} requests a second on average",
            count as f64 / last_s
        );
    }
    match plan.load.max_concurrency {
        Some(cap) => {
            let _ = write!(text, "; at most {cap} at a time, the others wait in order");
        }
        None => text.push_str("; no limit on how many at a time"),
    }
    if last_s > 0.0 {
        let gaps_s: Vec<f64> = offsets_s.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean_s = mean(&gaps_s);
        let gaps = Sorted::new(gaps_s);
        let _ = write!(
            text,
            "\nGaps in seconds: min {:.6}, mean {mean_s:.6}, median {:.6}, p99 {:.6}, max {:.6}",
            gaps.min(),
            gaps.median(),
            gaps.percentile(99.0),
            gaps.max()
        );
        let first = offsets_s.iter().take(SHOWN_TIMES).map(|offset_s| format!("{offset_s:.6}"));
        let _ = write!(text, "\nFirst due times in seconds: {}", first.collect::<Vec<_>>().join(", "));
        if count > SHOWN_TIMES {
            text.push_str(", …");
        }
    }
    if plan.load.ramp_up.is_some() {
        let changes: Vec<String> = workload
            .schedule
            .rps_changes()
            .take(SHOWN_TIMES)
            .map(|change| format!("{} after {:.3} s", change.rps, change.offset_s))
            .collect();
        let _ = write!(text, "\nRequests a second: {}", changes.join(", "));
        if workload.schedule.rps_changes().nth(SHOWN_TIMES).is_some() {
            text.push_str(", …");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn request(headers: &[(&str, &str)], body: &str) -> Outgoing {
        Outgoing {
            method: "POST".into(),
            path: "/v1/completions".into(),
            headers: headers.iter().map(|&(name, value)| (name.into(), value.into())).collect(),
            body: Bytes::from(body.to_owned()).into(),
        }
    }

    #[test]
    fn a_request_is_shown_as_it_goes_out_but_for_its_secrets() {
        let site = Site::parse("https://gate.example:8443/base/").unwrap();
        let headers = [
            ("Authorization", "Bearer sk-1"),
            ("X-Api-Key", "k"),
            ("cookie", "a=b"),
            ("x-request-id", "r-0"),
        ];
        let text = shown(&request(&headers, "{\"prompt\": \"é\"}"), &site);
        assert_eq!(
            text,
            format!(
                "POST https://gate.example:8443/base/v1/completions\nhost: gate.example:8443\n\
                 user-agent: vbench/{}\naccept: */*\nAuthorization: ***\nX-Api-Key: ***\ncookie: ***\n\
                 x-request-id: r-0\ncontent-length: 16\n\n{{\"prompt\": \"é\"}}",
                env!("CARGO_PKG_VERSION")
            )
        );
    }

    #[test]
    fn a_long_body_is_cut_where_a_character_ends() {
        let body = format!("a{}", "é".repeat(SHOWN_BYTES));
        let text = shown(&request(&[], &body), &Site::parse("http://h").unwrap());
        assert!(
            text.ends_with(&format!("\n({} more bytes)", body.len() - (SHOWN_BYTES - 1))),
            "{}",
            &text[text.len() - 60..]
        );
    }
}
