//! From rows to samples: what a class of text says, with tokens counted.

use std::collections::VecDeque;

use vbench_plugin::dataset::Skip;
use vbench_plugin::log;
use vbench_plugin::prelude::*;
use vbench_plugin::rules::{self, Validity};
use vbench_plugin::tokenizer::{self, Chat};

use crate::classes::{
    AnswerRule, Draft, Fault, Keep, LongestSpeech, MediaUse, Numbering, Output, Row, Template, TextClass,
};
use crate::media::{RowMedia, Taken};
use crate::rows::{OrderedRows, Place};
use crate::{Config, Drawing};

/// Rows read at once, at least and at most, where some may be passed over.
const CHUNK: (usize, usize) = (32, 512);

/// Rows that were passed over, by the reason.
#[derive(Debug, Clone, Copy, Default)]
struct Passed {
    by_class: u64,
    by_length: u64,
    by_duration: u64,
    empty: u64,
}

/// Draws samples of a class of text.
pub struct TextSampling {
    cx: DatasetContext,
    config: Config,
    class: &'static TextClass,
    rows: OrderedRows,
    media: RowMedia,
    /// Rows that were looked at.
    seen: u64,
    passed: Passed,
    /// Rows that are asked, to be asked again if there are too few.
    kept: Vec<Kept>,
    /// Samples that have been made and not yet given out.
    ready: VecDeque<Sample>,
}

/// A row that is asked.
#[derive(Debug, Clone, Copy)]
struct Kept {
    place: Place,
    prompt_tokens: u64,
    output_tokens: i64,
    /// What its request id counts.
    number: u64,
}

/// A prompt with its lengths.
struct Measured {
    prompt: String,
    prompt_tokens: u64,
    answer_tokens: Option<i64>,
}

type DraftOfRow = Result<Option<Draft>, Fault>;

impl TextSampling {
    /// Refuses what cannot be done with this class; nothing is drawn yet.
    pub fn new(
        cx: &DatasetContext,
        config: &Config,
        class: &'static TextClass,
        rows: OrderedRows,
        media: RowMedia,
    ) -> Result<Self> {
        let this = Self {
            cx: cx.clone(),
            config: config.clone(),
            class,
            rows,
            media,
            seen: 0,
            passed: Passed::default(),
            kept: Vec::new(),
            ready: VecDeque::new(),
        };
        this.check()?;
        Ok(this)
    }
}

impl Drawing for TextSampling {
    fn next_page(&mut self, max: usize) -> Result<Vec<Sample>> {
        let wanted = self.wanted();
        while self.ready.is_empty() && self.kept.len() < wanted {
            // A few more than are missing, as some may be passed over.
            let missing = max.min(wanted - self.kept.len()).saturating_mul(2).clamp(CHUNK.0, CHUNK.1);
            let places = self.rows.take(missing)?;
            if places.is_empty() {
                break;
            }
            self.add(places, wanted)?;
        }
        let given = self.ready.len().min(max);
        Ok(self.ready.drain(..given).collect())
    }

    fn again(&mut self, places: &[usize]) -> Result<Vec<Sample>> {
        let kept: Vec<Kept> = places.iter().map(|&place| self.kept[place]).collect();
        let rows: Vec<Place> = kept.iter().map(|kept| kept.place).collect();
        let drafts = self.drafts(&rows)?;
        let prompts = self.prompts(&drafted(&drafts))?;
        let mut samples = Vec::with_capacity(kept.len());
        for ((draft, prompt), kept) in drafts.into_iter().zip(prompts).zip(kept) {
            // A row that was drafted once is again; rows do not change during a run.
            let (Ok(Some(draft)), place) = (draft, kept.place) else {
                return Err(Error::internal("a row that was asked cannot be asked again"));
            };
            let Some(attachments) = self.attachments(&draft, place)? else {
                return Err(Error::internal("a medium that was sent is too long or too short now"));
            };
            let turn = self.turn(prompt, kept.prompt_tokens, kept.output_tokens, attachments)?;
            samples.push(Sample::new(turn));
        }
        Ok(samples)
    }

    fn found(&self) -> usize {
        self.kept.len()
    }

    fn ids_collide(&self, wanted: usize) -> bool {
        let following = self.kept.len() as u64..wanted as u64;
        self.kept.iter().any(|kept| following.contains(&kept.number))
    }

    fn skips(&self) -> Vec<Skip> {
        self.passed.skips()
    }
}

impl TextSampling {
    /// Makes samples of these rows, up to `wanted` in all.
    fn add(&mut self, places: Vec<Place>, wanted: usize) -> Result<()> {
        let drafts = self.drafts(&places)?;
        let measured = self.measure(&drafts)?;
        for ((draft, measured), place) in drafts.into_iter().zip(measured).zip(places) {
            if self.kept.len() >= wanted {
                break;
            }
            self.seen += 1;
            // A fault of a row that is not needed is none.
            let draft = match draft {
                Ok(draft) => draft,
                Err(fault) => {
                    let location = self.rows.locate(place)?;
                    return Err(Error::input(fault.message).at(location.column(fault.column)));
                }
            };
            let (Some(draft), Some(measured)) = (draft, measured) else {
                self.passed.by_class += 1;
                continue;
            };
            let Some(output_tokens) = self.output_tokens(&measured, place)? else { continue };
            let Some(attachments) = self.attachments(&draft, place)? else { continue };
            let number = match self.class.numbering {
                Numbering::Rows if self.cx.compat.is_reference() => self.seen - 1,
                _ => self.kept.len() as u64,
            };
            let Measured { prompt, prompt_tokens, .. } = measured;
            let turn = self.turn(prompt, prompt_tokens, output_tokens, attachments)?;
            self.ready.push_back(Sample::new(turn).with_id(self.cx.request_id(number)));
            self.kept.push(Kept { place, prompt_tokens, output_tokens, number });
        }
        Ok(())
    }

    /// The medium of a row; none if the row is passed over for its length.
    fn attachments(&mut self, draft: &Draft, place: Place) -> Result<Option<Attachments>> {
        let Some(medium) = &draft.medium else { return Ok(Some(Attachments::None)) };
        let Taken { media, duration_s } = match self.media.take(medium) {
            Ok(taken) => taken,
            Err(error) => return Err(error.at(self.rows.locate(place)?.column(medium.column))),
        };
        let longest_s = self.config.asr_max_audio_len_sec.map_or(f64::INFINITY, LongestSpeech::seconds);
        let range = self.config.asr_min_audio_len_sec..=longest_s;
        if duration_s.is_some_and(|duration_s| !range.contains(&duration_s)) {
            self.passed.by_duration += 1;
            return Ok(None);
        }
        Ok(Some(Attachments::One(media)))
    }

    fn turn(
        &self,
        prompt: String,
        prompt_tokens: u64,
        output_tokens: i64,
        attachments: Attachments,
    ) -> Result<Turn> {
        let in_chat = self.config.media.enable_multimodal_chat
            && matches!(self.class.media, MediaUse::Kept | MediaUse::Embedded);
        if !in_chat {
            return Ok(Turn::text(prompt, prompt_tokens, output_tokens).with_attachments(attachments));
        }
        let messages = Prompt::Messages(rules::chat_messages(&prompt, &attachments)?);
        let turn = Turn::new(messages, prompt_tokens, output_tokens);
        Ok(if self.class.media == MediaUse::Kept { turn.with_attachments(attachments) } else { turn })
    }

    /// How many samples to draw. The reference client looks for the end of
    /// next edits after it has taken one.
    fn wanted(&self) -> usize {
        let count = usize::try_from(self.cx.count).unwrap_or(0);
        let ends_late = self.answer_rule().is_some_and(|rule| !rule.flag_wins);
        if ends_late && self.cx.compat.is_reference() { count.max(1) } else { count }
    }

    fn answer_rule(&self) -> Option<AnswerRule> {
        match self.class.output {
            Output::Fixed(_) => None,
            Output::Answer(rule) => Some(rule),
        }
    }

    fn templated(&self) -> bool {
        match self.class.template {
            Template::Never => false,
            Template::UnlessSkipped => !self.config.skip_chat_template,
            Template::Always => !self.config.skip_chat_template || self.cx.compat.is_reference(),
        }
    }

    /// Refuses what cannot be done, and warns of what is hardly meant.
    fn check(&self) -> Result<()> {
        let takes_media = ["openai-audio", "openai-chat"].contains(&self.cx.backend.as_str())
            || self.cx.backend.contains("embeddings-");
        if self.class.media != MediaUse::None && self.cx.compat.is_reference() && !takes_media {
            return Err(Error::unsupported(format!(
                "Multi-modal content is not supported on backend '{}'; use one of ['openai-audio', 'openai-chat'].",
                self.cx.backend
            )));
        }
        if let Some(length) = self.config.output_len
            && length <= 0
            && self.answer_rule().is_some_and(|rule| rule.positive)
        {
            return Err(Error::config(format!(
                "answers of {} have to be at least one token long, not {length}",
                self.class.name
            ))
            .key("output_len"));
        }
        if self.config.output_len.is_some() && !self.flag_counts() {
            log::warn(format!(
                "vLLM 0.33 ignores --hf-output-len for {}, and so does this run",
                self.class.name
            ));
        }
        if self.config.skip_chat_template
            && self.class.template == Template::Always
            && self.cx.compat.is_reference()
        {
            log::warn(format!(
                "vLLM 0.33 ignores --skip-chat-template for {}, and so does this run",
                self.class.name
            ));
        }
        if self.config.prompt_column.is_some()
            && self.config.output_column.is_none()
            && self.config.output_len.is_none()
        {
            return Err(Error::config(
                "say how long answers may be with --hf-output-len, or with --hf-output-column where to find it",
            )
            .key("output_column"));
        }
        if !self.templated() {
            return Ok(());
        }
        if tokenizer::describe().is_some_and(|tokenizer| !tokenizer.has_chat_template) {
            return Err(Error::config(
                "the tokenizer has no chat template; send prompts as they are with --skip-chat-template",
            ));
        }
        if self.cx.server_applies_chat_template() {
            log::warn("prompts are written with the chat template and the server will apply it again");
        }
        Ok(())
    }

    /// Whether a length that the user says has an effect.
    fn flag_counts(&self) -> bool {
        !self.cx.compat.is_reference() || self.answer_rule().is_none_or(|rule| rule.flag_wins)
    }

    fn drafts(&mut self, places: &[Place]) -> Result<Vec<DraftOfRow>> {
        let named: Vec<&str> = [&self.config.prompt_column, &self.config.output_column]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let columns = if self.class.columns.is_empty() { named.as_slice() } else { self.class.columns };
        let rows = self.rows.read(places, columns)?;
        Ok(rows.iter().map(|row| (self.class.draft)(&Row(row), &self.config, self.cx.compat)).collect())
    }

    /// Prompts as they are sent.
    fn prompts(&self, drafts: &[&Draft]) -> Result<Vec<String>> {
        if !self.templated() {
            return Ok(drafts.iter().map(|draft| draft.ask.clone().text()).collect());
        }
        let chats: Vec<Chat> =
            drafts.iter().map(|draft| Chat { messages: draft.ask.messages(), tools: None }).collect();
        tokenizer::render_chat(&chats, true, None)
    }

    /// Prompts with their lengths; none where there is no draft.
    fn measure(&self, drafts: &[DraftOfRow]) -> Result<Vec<Option<Measured>>> {
        let found = drafted(drafts);
        let prompts = self.prompts(&found)?;
        // With special tokens, also where the template has written them.
        let lengths = tokenizer::count(&prompts, true)?;
        let measured_by_answer = self.config.output_len.is_none() || !self.flag_counts();
        let rule = self.answer_rule().filter(|_| measured_by_answer);
        let answers: Vec<String> = match rule {
            Some(_) => found.iter().filter_map(|draft| draft.answer.clone()).collect(),
            None => Vec::new(),
        };
        let mut counted = match rule {
            Some(rule) if !answers.is_empty() => tokenizer::count(&answers, rule.special_tokens)?,
            _ => Vec::new(),
        }
        .into_iter();
        let mut measured = Vec::with_capacity(found.len());
        for ((draft, prompt), prompt_tokens) in found.iter().zip(prompts).zip(lengths) {
            let answer_tokens = match (rule, &draft.answer) {
                (Some(_), Some(_)) => counted.next().map(i64::from),
                (Some(_), None) => draft.output_tokens,
                (None, _) => None,
            };
            measured.push(Measured { prompt, prompt_tokens: u64::from(prompt_tokens), answer_tokens });
        }
        let mut measured = measured.into_iter();
        Ok(drafts
            .iter()
            .map(|draft| matches!(draft, Ok(Some(_))).then(|| measured.next()).flatten())
            .collect())
    }

    /// How long the answer may be; none for a row that is passed over.
    fn output_tokens(&mut self, row: &Measured, place: Place) -> Result<Option<i64>> {
        let rule = match self.class.output {
            Output::Fixed(usual) => return Ok(Some(self.config.output_len.unwrap_or(usual))),
            Output::Answer(rule) => rule,
        };
        let is_measured = row.answer_tokens.is_some();
        let output_tokens = row.answer_tokens.or(self.config.output_len).unwrap_or(0);
        if rule.positive && output_tokens <= 0 {
            if self.cx.compat.is_reference() {
                return Err(Error::input(
                    "the answer of a row is empty, which ends vLLM 0.33; --compat vbench passes such rows over",
                )
                .at(self.rows.locate(place)?));
            }
            self.passed.empty += 1;
            return Ok(None);
        }
        let kept = |validity: Validity| validity.accepts(row.prompt_tokens, output_tokens);
        let keep = match rule.keep {
            Keep::WhenMeasured(validity) if is_measured => kept(validity),
            Keep::Always(validity) => kept(validity),
            Keep::All | Keep::WhenMeasured(_) => true,
        };
        self.passed.by_length += u64::from(!keep);
        Ok(keep.then_some(output_tokens))
    }
}

/// The drafts that there are.
fn drafted(drafts: &[DraftOfRow]) -> Vec<&Draft> {
    drafts.iter().filter_map(|draft| draft.as_ref().ok()?.as_ref()).collect()
}

impl Passed {
    fn skips(self) -> Vec<Skip> {
        [
            ("not of the kind that is asked for", self.by_class),
            ("too short or too long to be asked", self.by_length),
            ("too short or too long to be heard", self.by_duration),
            ("with an empty answer", self.empty),
        ]
        .into_iter()
        .filter(|&(_, count)| count > 0)
        .map(|(reason, count)| Skip { reason: reason.into(), count })
        .collect()
    }
}
