//! Prompts that are rows of a file: their order, lengths and chat template, as
//! the reference client's dataset `custom` has them and those made from it.

use serde_json::{Map, Value};

use crate::dataset::DatasetContext;
use crate::generators::PythonRandom;
use crate::sample::Turn;
use crate::tokenizer::{self, Chat, Info};
use crate::{Error, Result, Sample, log};

/// Rows read at once.
const CHUNK: usize = 1024;

/// How rows become samples.
#[derive(Debug, Clone)]
pub struct PromptRows {
    /// What the order and the repeated rows are drawn with.
    pub seed: u64,
    /// Rows keep the order of the file.
    pub disable_shuffle: bool,
    /// Rows are not repeated when there are too few.
    pub no_oversample: bool,
    /// Prompts are written by the tokenizer's chat template, unless there is no
    /// tokenizer.
    pub templated: bool,
    /// Further variables for the template.
    pub template_options: Option<Map<String, Value>>,
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
        let Some(tokenizer) = tokenizer.filter(|_| self.templated) else { return Ok(()) };
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
    pub fn begin(self, cx: &DatasetContext, mut rows: Vec<u64>) -> PromptPages {
        let mut random = PythonRandom::new(self.seed);
        if !self.disable_shuffle {
            random.shuffle(&mut rows);
        }
        // 0 and less mean all rows.
        let wanted = usize::try_from(cx.count).ok().filter(|&count| count > 0).unwrap_or(rows.len());
        rows.truncate(wanted);
        let wanted = if self.no_oversample { rows.len() } else { wanted };
        PromptPages { cx: cx.clone(), rule: self, rows, wanted, given: 0, lengths: Vec::new(), random }
    }

    fn render(&self, prompts: &[String]) -> Result<Vec<String>> {
        let chat = |prompt: &String| Chat {
            messages: serde_json::json!([{"role": "user", "content": prompt}]).to_string(),
            tools: None,
        };
        let chats: Vec<Chat> = prompts.iter().map(chat).collect();
        let options =
            self.template_options.as_ref().map(|options| Value::Object(options.clone()).to_string());
        tokenizer::render_chat(&chats, true, options.as_deref())
    }
}

/// Samples made page by page, so that what is held does not grow with what the
/// rows say.
#[derive(Debug)]
pub struct PromptPages {
    cx: DatasetContext,
    rule: PromptRows,
    /// Numbers of the rows in the order in which they are asked.
    rows: Vec<u64>,
    /// Samples in all, repeated rows included.
    wanted: usize,
    given: usize,
    /// Tokens of each row's prompt, kept where rows will be repeated.
    lengths: Vec<u32>,
    random: PythonRandom,
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
        let max = max.min(CHUNK).min(self.wanted - self.given);
        if self.given < self.rows.len() {
            let end = self.rows.len().min(self.given + max);
            let asked = read(&self.rows[self.given..end])?;
            let (prompts, output_tokens) = self.prompts(asked)?;
            let lengths = match tokenizer::describe() {
                // With special tokens, also where the template has written them.
                Some(_) => tokenizer::count(&prompts, true)?,
                None => vec![1; prompts.len()],
            };
            if self.wanted > self.rows.len() {
                self.lengths.extend_from_slice(&lengths);
            }
            return Ok(self.samples(prompts, lengths, output_tokens));
        }
        if max == 0 {
            return Ok(Vec::new());
        }
        if self.rows.is_empty() {
            return Err(Error::input(format!(
                "no row can be used, so there is nothing to repeat to get {} samples",
                self.wanted
            )));
        }
        if self.given == self.rows.len() {
            self.random = PythonRandom::new(self.rule.seed);
        }
        let draw =
            |_| self.random.choice(self.rows.len()).map_err(|error| Error::internal(error.to_string()));
        let places = (0..max).map(draw).collect::<Result<Vec<_>>>()?;
        let rows: Vec<u64> = places.iter().map(|&place| self.rows[place]).collect();
        let (prompts, output_tokens) = self.prompts(read(&rows)?)?;
        let lengths = places.iter().map(|&place| self.lengths[place]).collect();
        Ok(self.samples(prompts, lengths, output_tokens))
    }

    /// The generator behind the last draw.
    pub fn random(&self) -> &PythonRandom {
        &self.random
    }

    /// Prompts as they are sent, and the lengths of their answers.
    fn prompts(&self, rows: Vec<PromptRow>) -> Result<(Vec<String>, Vec<i64>)> {
        let (prompts, output_tokens): (Vec<String>, Vec<i64>) =
            rows.into_iter().map(|row| (row.prompt, row.output_tokens)).unzip();
        if self.rule.templated && tokenizer::describe().is_some() {
            return Ok((self.rule.render(&prompts)?, output_tokens));
        }
        Ok((prompts, output_tokens))
    }

    fn samples(&mut self, prompts: Vec<String>, lengths: Vec<u32>, output_tokens: Vec<i64>) -> Vec<Sample> {
        let first = self.given;
        let samples: Vec<Sample> = prompts
            .into_iter()
            .zip(lengths)
            .zip(output_tokens)
            .enumerate()
            .map(|(at, ((prompt, prompt_tokens), output_tokens))| {
                let turn = Turn::text(prompt, u64::from(prompt_tokens), output_tokens);
                Sample::new(turn).with_id(self.cx.request_id(first + at))
            })
            .collect();
        self.given += samples.len();
        samples
    }
}
