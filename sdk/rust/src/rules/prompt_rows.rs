//! Prompts that are rows of a file: their order, lengths and chat template, as
//! the reference client's dataset `custom` has them and those made from it.

use super::RowPages;
use crate::dataset::DatasetContext;
use crate::generators::PythonRandom;
use crate::options::{ChatTemplate, RowChoice};
use crate::sample::Turn;
use crate::tokenizer::{self, Info};
use crate::{Error, Result, Sample, log};

/// Rows read at once.
const CHUNK: usize = 1024;

/// How rows become samples.
#[derive(Debug, Clone)]
pub struct PromptRows {
    /// What the order and the repeated rows are drawn with.
    pub seed: u64,
    /// Which rows are asked.
    pub rows: RowChoice,
    /// How prompts are written, unless there is no tokenizer.
    pub template: ChatTemplate,
}

/// What a row asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptRow {
    /// The text, as it is in the file.
    pub prompt: String,
    /// Longest answer, in tokens.
    pub output_tokens: i64,
}

impl PromptRows {
    /// Fails when a template is asked for and the tokenizer has none. Warns
    /// where the server will apply the template a second time.
    pub fn check_template(&self, cx: &DatasetContext, tokenizer: Option<&Info>) -> Result<()> {
        let Some(tokenizer) = tokenizer.filter(|_| !self.template.skip_chat_template) else { return Ok(()) };
        if !tokenizer.has_chat_template {
            return Err(Error::config(
                "the tokenizer has no chat template; send prompts as they are with --skip-chat-template",
            ));
        }
        if cx.server_applies_chat_template() {
            log::warn(
                "prompts are written with the chat template and the server will apply it again; \
                 --skip-chat-template avoids that",
            );
        }
        Ok(())
    }

    /// Begins to make samples of `rows`, the numbers of those that may be
    /// asked, in the file's order.
    pub fn begin(self, cx: &DatasetContext, rows: Vec<u64>) -> PromptPages {
        let pages = RowPages::new(cx, self.seed, self.rows, rows);
        PromptPages { cx: cx.clone(), template: self.template, pages, lengths: Vec::new() }
    }
}

/// Samples made page by page, so that what is held does not grow with what the
/// rows say.
#[derive(Debug)]
pub struct PromptPages {
    cx: DatasetContext,
    template: ChatTemplate,
    pages: RowPages,
    /// Tokens of each row's prompt, kept where rows will be repeated.
    lengths: Vec<u32>,
}

impl PromptPages {
    /// The next samples, at most `max`; none when there are no more. `read`
    /// gives what rows ask, in the order in which it is given their numbers.
    ///
    /// Without a tokenizer every prompt counts as one token.
    pub fn next_page(
        &mut self,
        max: usize,
        read: impl Fn(&[u64]) -> Result<Vec<PromptRow>>,
    ) -> Result<Vec<Sample>> {
        let Some(page) = self.pages.next(max.min(CHUNK))? else { return Ok(Vec::new()) };
        let (prompts, output_tokens): (Vec<String>, Vec<i64>) =
            read(&page.rows)?.into_iter().map(|row| (row.prompt, row.output_tokens)).unzip();
        let has_tokenizer = tokenizer::describe().is_some();
        let templated = has_tokenizer && !self.template.skip_chat_template;
        let prompts = if templated { self.template.render(&prompts)? } else { prompts };
        let lengths = if !has_tokenizer {
            vec![1; prompts.len()]
        } else if page.repeats() {
            page.places.iter().map(|&place| self.lengths[place]).collect()
        } else {
            // With special tokens, also where the template has written them.
            let lengths = tokenizer::count(&prompts, true)?;
            if self.pages.repeats_rows() {
                self.lengths.extend_from_slice(&lengths);
            }
            lengths
        };
        let sample = |(number, ((prompt, length), output_tokens))| {
            let turn = Turn::text(prompt, u64::from(length), output_tokens);
            Sample::new(turn).with_id(self.cx.request_id(number))
        };
        Ok((page.first..).zip(prompts.into_iter().zip(lengths).zip(output_tokens)).map(sample).collect())
    }

    /// The generator behind the last draw.
    pub fn random(&self) -> &PythonRandom {
        self.pages.random()
    }
}
