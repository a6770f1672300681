//! Command lines that were given to vLLM 0.33, with what it made of them.

use std::collections::BTreeMap;

use super::super::argv::scan;
use super::super::known;
use super::{all_backends, serve_with};

const COMMAND_LINES: &str = include_str!("../../../../tests/fixtures/cli/command_lines_v0.33.jsonl");
const FLAGS: &str = include_str!("../../../../tests/fixtures/cli/serve_flags_v0.33.tsv");

#[derive(serde::Deserialize)]
struct Usual {
    usual: BTreeMap<String, String>,
}

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    args: Vec<String>,
    exit_code: i32,
    error: Option<String>,
    /// What differs from `usual`.
    namespace: Option<BTreeMap<String, String>>,
}

/// Cases that the reference client refuses before it has sampled, of those that
/// vbench can refuse without running a plugin.
const REFUSED: &[&str] = &[
    "be-negative-decimal-word",
    "metrics-bad-concurrency",
    "out-h-config-yaml",
    "out-timeline-bad-thresholds",
    "random-dataset-path",
    "sched-ramp-exp-zero",
    "sched-ramp-with-rate",
];

fn is_later(args: &[String]) -> bool {
    let dataset = scan(args, "dataset-name").unwrap_or("random");
    !["random", "sharegpt", "custom"].contains(&dataset)
}

#[test]
fn recorded_command_lines_are_read_as_the_reference_client_reads_them() {
    let mut lines = COMMAND_LINES.lines();
    let usual: Usual = serde_json::from_str(lines.next().expect("a first line")).expect("usual values");
    let offers = all_backends();
    let (mut accepted, mut refused, mut later) = (0, 0, 0);
    for line in lines {
        let case: Case = serde_json::from_str(line).expect("a case");
        let name = &case.name;
        let words: Vec<&str> =
            ["--compat", "v0.33"].into_iter().chain(case.args.iter().map(String::as_str)).collect();
        let outcome = serve_with(&words, &offers);
        if is_later(&case.args) {
            let error = outcome.expect_err(name);
            // The plugins of these flags are not loaded here.
            assert!(
                error.contains("not available yet") || error.contains("an option of plugins"),
                "{name}: {error}"
            );
            later += 1;
        } else if REFUSED.contains(&name.as_str()) {
            assert_ne!(case.exit_code, 0, "{name}");
            let error = outcome.expect_err(name);
            let recorded = case.error.expect("a recorded error");
            let own_words = ["be-negative-decimal-word", "out-h-config-yaml"].contains(&name.as_str());
            assert!(own_words || error == recorded, "{name}: {error}\nrecorded: {recorded}");
            refused += 1;
        } else {
            let plan = outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
            let Some(differences) = case.namespace else { continue };
            for (dest, value) in plan.namespace.entries() {
                let recorded = differences.get(dest).or_else(|| usual.usual.get(dest));
                // Drawn anew for each process.
                let drawn = dest == "request_id_prefix" && scan(&case.args, "request-id-prefix").is_none();
                assert!(
                    drawn || Some(&value.to_python()) == recorded,
                    "{name}: {dest}={} is recorded as {recorded:?}",
                    value.to_python()
                );
            }
            assert_eq!(plan.namespace.entries().len(), usual.usual.len());
            assert_eq!(plan.results.late_metadata_error.is_some(), name == "out-metadata-bad", "{name}");
            accepted += 1;
        }
    }
    assert!(accepted >= 90 && refused == REFUSED.len() && later >= 60, "{accepted} {refused} {later}");
}

#[test]
fn the_list_is_complete() {
    let mut rows = 0;
    for row in FLAGS.lines().skip(1) {
        let fields: Vec<&str> = row.split('\t').collect();
        for flag in fields[1].split_whitespace().filter(|flag| *flag != "-h" && *flag != "--help") {
            let known = known::find(flag.trim_start_matches('-'))
                .unwrap_or_else(|| panic!("{flag} is not in the list"));
            let documented = fields[3].trim();
            if documented == "False" {
                assert_eq!(known.default, known::Literal::False, "{flag}");
            }
            if let Ok(number) = documented.parse::<i64>() {
                let same = match known.default {
                    known::Literal::Int(value) => value == number,
                    known::Literal::Text(text) => text == documented,
                    _ => false,
                };
                assert!(same, "{flag}: {:?}, documented as {documented}", known.default);
            }
            rows += 1;
        }
    }
    // `--no-self-timed` shares a place with `--self-timed`.
    assert_eq!(rows, known::SERVE.len() + 1);
}

#[test]
fn names_in_the_list_are_unique_and_found() {
    for (index, known) in known::SERVE.iter().enumerate() {
        assert!(known::SERVE[..index].iter().all(|other| other.dest != known.dest), "{}", known.dest);
        assert_eq!(known::find(&known.flag()).map(|found| found.dest), Some(known.dest));
    }
    assert!(known::find("num_prompts").is_none_or(|known| known.dest == "num_prompts"));
    assert!(known::find("num-prompt").is_none());
}
