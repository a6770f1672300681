//! The dataset `sonnet`: prompts of lines of a poem, of which the first lines
//! are always the same.
//!
//! The rules are those of the reference client before it dropped the dataset
//! (vLLM 0.12). Lines are drawn until as many prompts as wanted are no longer
//! than wanted. Without a file the lines are of Shakespeare's sonnets.

use vbench_plugin::generators::PythonRandom;
use vbench_plugin::prelude::*;
use vbench_plugin::rules;
use vbench_plugin::table::{Format, Rows};
use vbench_plugin::tokenizer::{self, Chat};

vbench_plugin::export! { datasets: [Sonnet] }

/// Sonnets 1, 2, 12, 18, 29, 30, 33, 55, 60, 65, 73, 106, 116 and 130.
const SONNETS: &str = include_str!("sonnets.txt");

/// What every prompt begins with.
const TASK: &str = "Pick as many lines as you can from these poem lines:\n";

/// The option that names the file.
const PATH: &str = "path";

/// Prompts that are measured at once, at most.
const BATCH: usize = 64;

/// Prompts that may be too long one after the other. Where one in a hundred is
/// short enough, so many are with a probability of 1 in 10^17.
const MOST_REJECTED: u32 = 4000;

/// Most lines of a prompt.
const MOST_LINES: f64 = 1_048_576.0;

/// Rows read at once.
const CHUNK: u64 = 4096;

/// Options of the dataset.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The poem, a text file; Shakespeare's sonnets if there is none.
    #[serde(default)]
    #[schemars(extend("format" = "path", "x-flag" = "dataset-path"))]
    path: Option<String>,
    /// Most tokens of a prompt, those of the chat template included.
    #[serde(default = "input_len")]
    #[schemars(range(min = 1), extend("x-general-flag" = "input-len"))]
    input_len: i64,
    /// Tokens of an answer.
    #[serde(default = "output_len")]
    #[schemars(range(min = 0), extend("x-general-flag" = "output-len"))]
    output_len: i64,
    /// Tokens that prompts have in common, those of the chat template included; the nearest number of lines is taken.
    #[serde(default = "prefix_len")]
    #[schemars(range(min = 0))]
    prefix_len: i64,
}

fn input_len() -> i64 {
    550
}

fn output_len() -> i64 {
    150
}

fn prefix_len() -> i64 {
    200
}

/// Prompts of lines of a poem.
pub struct Sonnet {
    cx: DatasetContext,
    config: Config,
    /// With their line ends.
    lines: Vec<String>,
    /// Lines that all prompts begin with, and those drawn for each.
    prefix_lines: usize,
    drawn_lines: usize,
    random: PythonRandom,
    wanted: u64,
    made: u64,
    rejected: u32,
}

/// A prompt as it is drawn, and as the chat template writes it.
struct Measured {
    raw: String,
    templated: String,
    tokens: u32,
}

impl Dataset for Sonnet {
    type Config = Config;
    const NAME: &'static str = "sonnet";
    const SUMMARY: &'static str = "Prompts of lines of a poem, of which many begin alike.";

    fn open(cx: &DatasetContext, config: Config) -> Result<Self> {
        if cx.compat == Compat::V0_33 {
            return Err(Error::unsupported(
                "vLLM 0.33 has no dataset sonnet; take it with --compat vbench or --compat v0.12",
            ));
        }
        let Some(info) = tokenizer::describe() else {
            return Err(Error::config("dataset sonnet counts tokens, which needs a tokenizer"));
        };
        if !info.has_chat_template {
            return Err(Error::config("Tokenizer/model must have chat template for sonnet dataset."));
        }
        let wanted = u64::try_from(cx.count)
            .map_err(|_| Error::config(format!("dataset sonnet cannot make {} prompts", cx.count)))?;
        let lines = match &config.path {
            Some(_) => read_lines(&Rows::open(PATH, Format::Lines)?)?,
            None => SONNETS.split_inclusive('\n').map(String::from).collect(),
        };
        if lines.is_empty() {
            return Err(Error::input("the poem has no lines").key(PATH));
        }
        let counts = tokenizer::count(&lines, true)?;
        let mean = counts.iter().map(|&count| u64::from(count)).sum::<u64>() as f64 / lines.len() as f64;
        let offset = measure(vec![TASK.into()])?.pop().map_or(0, |task| i64::from(task.tokens));
        if config.input_len <= offset {
            return Err(Error::config(format!(
                "has to be above {offset}, the tokens of the task and of the chat template"
            ))
            .key("input_len"));
        }
        // A mean of no tokens gives no number of lines.
        let lines_of = |tokens: i64| (tokens.saturating_sub(offset) as f64 / mean).round_ties_even();
        let input_lines = lines_of(config.input_len).max(1.0);
        let prefix_lines = lines_of(config.prefix_len).max(0.0);
        if input_lines.max(prefix_lines) > MOST_LINES {
            return Err(
                Error::config(format!("a prompt would have more than {MOST_LINES} lines")).key("input_len")
            );
        }
        if prefix_lines > input_lines {
            return Err(Error::config(format!(
                "the {prefix_lines} lines in common are more than the {input_lines} of a whole prompt; make it shorter than --sonnet-input-len"
            ))
            .key("prefix_len"));
        }
        Ok(Self {
            cx: cx.clone(),
            config,
            lines,
            prefix_lines: prefix_lines as usize,
            drawn_lines: (input_lines - prefix_lines) as usize,
            random: PythonRandom::new(cx.seed),
            wanted,
            made: 0,
            rejected: 0,
        })
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        Ok(self.next_batch(1)?.pop())
    }

    fn next_batch(&mut self, max: usize) -> Result<Vec<Sample>> {
        let mut samples = Vec::new();
        let wanted = max.min(usize::try_from(self.wanted - self.made).unwrap_or(usize::MAX));
        while samples.len() < wanted {
            // No more than are missing, so that nothing is drawn in vain: the
            // reference client goes on with the state that is left.
            let drawn = (wanted - samples.len()).min(BATCH);
            let prompts = (0..drawn).map(|_| self.draw()).collect::<Result<Vec<_>>>()?;
            for prompt in measure(prompts)? {
                if i64::from(prompt.tokens) > self.config.input_len {
                    self.rejected += 1;
                    continue;
                }
                self.rejected = 0;
                // The server of a chat writes the template itself.
                let raw = self.cx.server_applies_chat_template();
                let text = if raw { prompt.raw } else { prompt.templated };
                let turn = Turn::text(text, u64::from(prompt.tokens), self.config.output_len);
                samples.push(Sample::new(turn).with_id(self.cx.request_id(self.made)));
                self.made += 1;
            }
            if self.rejected > MOST_REJECTED {
                return Err(Error::config(format!(
                    "{} prompts in a row were longer than that; the lines of the poem are too long or too different for it",
                    self.rejected
                ))
                .key("input_len"));
            }
        }
        Ok(samples)
    }

    fn finish(&mut self) -> Result<Summary> {
        Ok(Summary { python_random: Some(rules::python_state(&self.random)), ..Summary::default() })
    }
}

impl Sonnet {
    fn draw(&mut self) -> Result<String> {
        let drawn = self
            .random
            .choices(self.lines.len(), self.drawn_lines)
            .map_err(|error| Error::internal(error.to_string()))?;
        let mut prompt = TASK.to_owned();
        // A short poem has fewer lines than prompts could have in common.
        prompt.extend(self.lines.iter().take(self.prefix_lines).map(String::as_str));
        prompt.extend(drawn.into_iter().map(|line| self.lines[line].as_str()));
        Ok(prompt)
    }
}

/// Writes prompts by the chat template and counts their tokens.
fn measure(prompts: Vec<String>) -> Result<Vec<Measured>> {
    let chat = |prompt: &String| Chat {
        messages: serde_json::json!([{"role": "user", "content": prompt}]).to_string(),
        tools: None,
    };
    let chats: Vec<Chat> = prompts.iter().map(chat).collect();
    let templated = tokenizer::render_chat(&chats, true, None)?;
    let counts = tokenizer::count(&templated, true)?;
    let measured = prompts.into_iter().zip(templated).zip(counts);
    Ok(measured.map(|((raw, templated), tokens)| Measured { raw, templated, tokens }).collect())
}

fn read_lines(rows: &Rows) -> Result<Vec<String>> {
    let count = rows.count();
    let mut lines = Vec::new();
    while (lines.len() as u64) < count {
        let start = lines.len() as u64;
        let chunk: Vec<u64> = (start..count.min(start + CHUNK)).collect();
        lines.extend(rows.read::<String>(&chunk, &[])?);
    }
    Ok(lines)
}
