//! From rows to samples: what a class of text says, with tokens counted.

use vbench_plugin::dataset::Skip;
use vbench_plugin::log;
use vbench_plugin::prelude::*;
use vbench_plugin::rules::Validity;
use vbench_plugin::tokenizer::{self, Chat};

use crate::Config;
use crate::classes::{AnswerRule, Draft, Fault, Keep, Numbering, Output, Row, Template, TextClass};
use crate::rows::{OrderedRows, Place};

/// Rows read at once, at least and at most, where some may be passed over.
const CHUNK: (usize, usize) = (32, 1024);

/// Rows that were passed over, by the reason.
#[derive(Debug, Clone, Copy, Default)]
struct Passed {
    by_class: u64,
    by_length: u64,
    empty: u64,
}

/// Draws samples of a class of text.
pub struct TextSampling<'a> {
    pub cx: &'a DatasetContext,
    pub config: &'a Config,
    pub class: &'static TextClass,
    pub rows: OrderedRows,
}

/// A prompt with its lengths.
struct Measured {
    prompt: String,
    prompt_tokens: u64,
    answer_tokens: Option<i64>,
}

impl TextSampling<'_> {
    /// As many samples as are wanted, fewer if there are fewer rows, and what
    /// was passed over.
    pub fn draw(mut self) -> Result<(Vec<Sample>, Vec<Skip>)> {
        self.check()?;
        let wanted = self.wanted();
        let mut samples: Vec<Sample> = Vec::new();
        let mut passed = Passed::default();
        let mut seen: u64 = 0;
        while samples.len() < wanted {
            let missing = (wanted - samples.len()).saturating_mul(2).clamp(CHUNK.0, CHUNK.1);
            let places = self.rows.take(missing)?;
            if places.is_empty() {
                break;
            }
            let drafts = self.drafts(&places)?;
            let measured = self.measure(&drafts)?;
            for ((draft, measured), place) in drafts.into_iter().zip(measured).zip(places) {
                if samples.len() >= wanted {
                    break;
                }
                seen += 1;
                // A fault of a row that is not needed is none.
                let draft = match draft {
                    Ok(draft) => draft,
                    Err(fault) => {
                        let location = self.rows.locate(place)?;
                        return Err(Error::input(fault.message).at(location.column(fault.column)));
                    }
                };
                let Some(measured) = draft.is_some().then_some(measured).flatten() else {
                    passed.by_class += 1;
                    continue;
                };
                let Some(output_tokens) = self.output_tokens(&measured, place, &mut passed)? else {
                    continue;
                };
                let number = match self.class.numbering {
                    Numbering::Rows if self.cx.compat.is_reference() => seen - 1,
                    _ => samples.len() as u64,
                };
                let turn = Turn::text(measured.prompt, measured.prompt_tokens, output_tokens);
                samples.push(Sample::new(turn).with_id(self.cx.request_id(number)));
            }
        }
        Ok((samples, passed.skips()))
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

    fn drafts(&mut self, places: &[Place]) -> Result<Vec<Result<Option<Draft>, Fault>>> {
        let named: Vec<&str> = [&self.config.prompt_column, &self.config.output_column]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let columns = if self.class.columns.is_empty() { named.as_slice() } else { self.class.columns };
        let rows = self.rows.read(places, columns)?;
        Ok(rows.iter().map(|row| (self.class.draft)(&Row(row), self.config, self.cx.compat)).collect())
    }

    /// Prompts as they are sent, and lengths; none where there is no draft.
    fn measure(&self, drafts: &[Result<Option<Draft>, Fault>]) -> Result<Vec<Option<Measured>>> {
        let found: Vec<&Draft> = drafts.iter().filter_map(|draft| draft.as_ref().ok()?.as_ref()).collect();
        let prompts: Vec<String> = if self.templated() {
            let chats: Vec<Chat> =
                found.iter().map(|draft| Chat { messages: draft.ask.messages(), tools: None }).collect();
            tokenizer::render_chat(&chats, true, None)?
        } else {
            found.iter().map(|draft| draft.ask.clone().text()).collect()
        };
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
    fn output_tokens(&mut self, row: &Measured, place: Place, passed: &mut Passed) -> Result<Option<i64>> {
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
            passed.empty += 1;
            return Ok(None);
        }
        let kept = |validity: Validity| validity.accepts(row.prompt_tokens, output_tokens);
        let keep = match rule.keep {
            Keep::WhenMeasured(validity) if is_measured => kept(validity),
            Keep::Always(validity) => kept(validity),
            Keep::All | Keep::WhenMeasured(_) => true,
        };
        passed.by_length += u64::from(!keep);
        Ok(keep.then_some(output_tokens))
    }
}

impl Passed {
    fn skips(self) -> Vec<Skip> {
        [
            ("not of the kind that is asked for", self.by_class),
            ("too short or too long to be asked", self.by_length),
            ("with an empty answer", self.empty),
        ]
        .into_iter()
        .filter(|&(_, count)| count > 0)
        .map(|(reason, count)| Skip { reason: reason.into(), count })
        .collect()
    }
}
