//! Prompts that are rows of a file: their order, lengths and chat template, as
//! the reference client's dataset `custom` has them and those made from it.

use serde_json::{Map, Value};

use super::oversample;
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

/// What came of a file.
#[derive(Debug)]
pub struct PromptSamples {
    /// In the order of dispatch.
    pub samples: Vec<Sample>,
    /// The generator behind the last draw.
    pub random: PythonRandom,
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

    /// Makes samples of `rows`, the numbers of those that may be asked, in the
    /// file's order. `read` gives what some of them ask, in the order it is
    /// given them.
    ///
    /// Without a tokenizer every prompt counts as one token.
    pub fn sample(
        &self,
        cx: &DatasetContext,
        mut rows: Vec<u64>,
        read: impl Fn(&[u64]) -> Result<Vec<PromptRow>>,
    ) -> Result<PromptSamples> {
        let mut random = PythonRandom::new(self.seed);
        if !self.disable_shuffle {
            random.shuffle(&mut rows);
        }
        // 0 and less mean all rows.
        let wanted = usize::try_from(cx.count).ok().filter(|&count| count > 0).unwrap_or(rows.len());
        let has_tokenizer = tokenizer::describe().is_some();
        let mut samples: Vec<Sample> = Vec::new();
        for chunk in rows[..rows.len().min(wanted)].chunks(CHUNK) {
            let (mut prompts, output_lens): (Vec<String>, Vec<i64>) =
                read(chunk)?.into_iter().map(|row| (row.prompt, row.output_tokens)).unzip();
            let mut lengths = vec![1; prompts.len()];
            if has_tokenizer {
                if self.templated {
                    prompts = self.render(&prompts)?;
                }
                // With special tokens, also where the template has written them.
                lengths = tokenizer::count(&prompts, true)?;
            }
            for ((prompt, prompt_tokens), output_tokens) in prompts.into_iter().zip(lengths).zip(output_lens)
            {
                let turn = Turn::text(prompt, u64::from(prompt_tokens), output_tokens);
                samples.push(Sample::new(turn).with_id(cx.request_id(samples.len())));
            }
        }
        if !self.no_oversample && samples.len() < wanted {
            random = PythonRandom::new(self.seed);
            oversample(&mut samples, cx.count, &cx.request_id_prefix, &mut random)?;
        }
        Ok(PromptSamples { samples, random })
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
