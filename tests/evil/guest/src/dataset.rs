//! Misdeeds of a dataset.

use std::cell::RefCell;

use crate::contract::exports::vbench::plugin::dataset::{
    Guest, GuestSource, OpenArgs, Skip, Source, Summary, Twister,
};
use crate::contract::vbench::plugin::table::{Format, Rows};
use crate::contract::vbench::plugin::tokenizer;
use crate::contract::vbench::plugin::types::{
    Attachments, Cause, Error, Media, MediaKind, Prompt, Sample, Turn,
};
use crate::deeds::{common, hidden, nested};
use crate::{Evil, deed, error, order, probes};

impl Guest for Evil {
    type Source = Dataset;
}

pub struct Dataset {
    order: String,
    left: RefCell<i64>,
}

impl GuestSource for Dataset {
    fn open(args: OpenArgs) -> Result<Source, Error> {
        let order = order(&args.config);
        if let Some(deed) = deed(&order, "open") {
            common(deed)?;
            let folder = || args.grants.first().map_or("/data/0", |grant| &grant.guest_path);
            match deed {
                "folder" => probes::folder(folder()),
                "descriptors" => probes::descriptors(folder()),
                "config-escapes" => {
                    let mut error = error(Cause::Config, "no");
                    error.config_key = Some(hidden("key").repeat(100));
                    return Err(error);
                }
                "members" => members()?,
                "tables" => tables()?,
                "rows" => rows()?,
                "decode" => decode()?,
                "tokenizer-text" => batch(&["x".repeat(40 << 20)])?,
                "tokenizer-empty-texts" => batch(&vec![String::new(); 5 << 20])?,
                "tokenizer-2-mib" => batch(&["x".repeat(2 << 20)])?,
                "tokenizer-ids" => {
                    let lists = tokenizer::TokenLists { ids: vec![1; 10 << 20], ends: vec![10 << 20] };
                    tokenizer::round_trip(&lists)?;
                }
                "tokenizer-chat" => {
                    let messages = format!(r#"[{{"role":"user","content":"{}"}}]"#, "x".repeat(40 << 20));
                    tokenizer::render_chat(&[tokenizer::Chat { messages, tools: None }], true, None)?;
                }
                _ => {}
            }
        }
        Ok(Source::new(Dataset { order, left: RefCell::new(args.count) }))
    }

    fn next(&self, max: u32) -> Result<Vec<Sample>, Error> {
        let deed = deed(&self.order, "next").unwrap_or_default();
        common(deed)?;
        if deed == "endless" {
            return Ok(vec![sample(); max as usize]);
        }
        if deed == "endless-large" {
            let text = Prompt::Text("x".repeat(1 << 20));
            return Ok(vec![Sample { turns: vec![Turn { prompt: text, ..turn() }], ..sample() }; 64]);
        }
        let mut left = self.left.borrow_mut();
        if *left <= 0 {
            return Ok(Vec::new());
        }
        let count = (*left).min(i64::from(max));
        *left -= count;
        let mut samples: Vec<Sample> = (0..count)
            .map(|number| Sample { id: Some(format!("evil-{}", *left + number)), ..sample() })
            .collect();
        let with_turn = |samples: &mut Vec<Sample>, turn: Turn| samples[0].turns = vec![turn];
        let with_prompt = |samples: &mut Vec<Sample>, prompt: Prompt| {
            samples[0].turns = vec![Turn { prompt, ..turn() }];
        };
        match deed {
            "too-many" => samples = vec![sample(); max as usize + 1],
            "no-turns" => samples[0].turns.clear(),
            "duplicate-ids" => samples.iter_mut().for_each(|sample| sample.id = Some("same".into())),
            "id-crlf" => samples[0].id = Some("a\r\nAuthorization: Bearer mine".into()),
            "id-long" => samples[0].id = Some("i".repeat(1 << 20)),
            "session-crlf" => samples[0].session = Some("a\r\nx: y".into()),
            "tag-escapes" => samples[0].tags = vec![(hidden("k"), hidden("v"))],
            "tags" => samples[0].tags = vec![(String::new(), String::new()); 1_001],
            "arrival-nan" => samples[0].arrival_s = Some(f64::NAN),
            "arrival-infinite" => samples[0].arrival_s = Some(f64::INFINITY),
            "arrival-negative" => samples[0].arrival_s = Some(-1.0),
            "arrival-far" => samples.iter_mut().for_each(|sample| sample.arrival_s = Some(1e300)),
            "delay-nan" => with_turn(&mut samples, Turn { delay_ms: f64::NAN, ..turn() }),
            "tokens-huge" => with_turn(&mut samples, Turn { prompt_tokens: u64::MAX, ..turn() }),
            "tokens-large" => {
                let huge = Turn { prompt_tokens: i64::MAX as u64, ..turn() };
                samples.iter_mut().for_each(|sample| sample.turns = vec![huge.clone()]);
            }
            "overrides-list" => samples[0].overrides = Some("[]".into()),
            "overrides-deep" => samples[0].overrides = Some(format!(r#"{{"a":{}}}"#, nested(100_000))),
            "overrides-100" => samples[0].overrides = Some(format!(r#"{{"a":{}}}"#, nested(100))),
            "messages-broken" => with_prompt(&mut samples, Prompt::Messages("[{".into())),
            "parts-object" => with_prompt(&mut samples, Prompt::Parts("{}".into())),
            "object-deep" => {
                with_prompt(&mut samples, Prompt::Object(format!(r#"{{"a":{}}}"#, nested(100_000))));
            }
            "prompt-escapes" => with_prompt(&mut samples, Prompt::Text(hidden("a prompt"))),
            "prompt-300-mib" => with_prompt(&mut samples, Prompt::Text("x".repeat(300 << 20))),
            "media-crlf" => {
                let media = Media {
                    kind: MediaKind::Image,
                    url: "https://x/\r\ny".into(),
                    format: None,
                    extra: None,
                };
                with_turn(&mut samples, Turn { attachments: Attachments::One(media), ..turn() });
            }
            _ => {}
        }
        Ok(samples)
    }

    fn finish(&self) -> Result<Summary, Error> {
        let deed = deed(&self.order, "finish").unwrap_or_default();
        common(deed)?;
        let mut summary = Summary { python_random: None, numpy_random: None, skipped: Vec::new() };
        match deed {
            "twister-short" => summary.python_random = Some(Twister { words: vec![1; 623], position: 0 }),
            "twister-position" => {
                summary.numpy_random = Some(Twister { words: vec![1; 624], position: u32::MAX });
            }
            "skip-escapes" => summary.skipped = vec![Skip { reason: hidden("why"), count: 1 }],
            "skips" => summary.skipped = vec![Skip { reason: "why".into(), count: 1 }; 1_001],
            _ => {}
        }
        Ok(summary)
    }
}

fn turn() -> Turn {
    Turn {
        prompt: Prompt::Text("hello".into()),
        attachments: Attachments::None,
        prompt_tokens: 1,
        output_tokens: 2,
        delay_ms: 0.0,
    }
}

fn sample() -> Sample {
    Sample {
        id: None,
        turns: vec![turn()],
        arrival_s: None,
        overrides: None,
        session: None,
        tags: Vec::new(),
    }
}

/// Asks the host for files that the user did not name. None may be opened.
fn members() -> Result<(), Error> {
    let outside = [
        "../secret.jsonl",
        "/etc/passwd",
        "sub/../../secret.jsonl",
        "link.jsonl",
        "folder-link/secret.jsonl",
        "absolute-link",
        "",
        ".",
        "nul\0.jsonl",
    ];
    for member in outside {
        if Rows::open("path", Some(member), Format::Lines).is_ok() {
            return Err(error(Cause::Internal, format!("opened {member}")));
        }
    }
    if Rows::open("another", None, Format::Lines).is_ok() {
        return Err(error(Cause::Internal, "opened what was not named"));
    }
    Rows::open("path", Some("inside.txt"), Format::Lines).map(|_| ())
}

/// Opens the same file without end.
fn tables() -> Result<(), Error> {
    let mut open = Vec::new();
    loop {
        open.push(Rows::open("path", Some("inside.txt"), Format::Lines)?);
    }
}

/// Asks for the same row so often that the answer would not fit into memory.
fn rows() -> Result<(), Error> {
    let rows = Rows::open("path", Some("long.txt"), Format::Lines)?;
    rows.read(&vec![0; 1 << 20], &[]).map(|_| ())
}

/// Has texts counted.
fn batch(texts: &[String]) -> Result<(), Error> {
    tokenizer::count(texts, false).map(|_| ())
}

/// Has a list of tokens decoded whose ends do not fit.
fn decode() -> Result<(), Error> {
    let lists = tokenizer::TokenLists { ids: vec![1, 2, 3], ends: vec![u32::MAX, 1] };
    tokenizer::decode(&lists, false).map(|_| ())
}
