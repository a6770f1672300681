//! The dataset `{{name}}`. Read what `open` and `next` do, then make them yours.

use vbench_plugin::prelude::*;

vbench_plugin::export! { datasets: [{{type}}] }

/// Options. Each field is a flag, its comment the help: `--{{name}}-prompt`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// What to ask; each request gets a number put after it.
    #[serde(default = "default_prompt")]
    prompt: String,
    /// Longest answer, in tokens.
    #[serde(default = "default_output_len")]
    #[schemars(range(min = 1))]
    output_len: i64,
}

fn default_prompt() -> String {
    "Tell me something about the number".into()
}

fn default_output_len() -> i64 {
    32
}

struct {{type}} {
    config: Config,
    next: i64,
    count: i64,
}

impl Dataset for {{type}} {
    type Config = Config;
    const NAME: &'static str = "{{name}}";
    const SUMMARY: &'static str = "Asks about one number after the other.";

    fn open(cx: &DatasetContext, config: Config) -> Result<Self> {
        Ok(Self { config, next: 0, count: cx.count })
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        if self.next >= self.count {
            return Ok(None);
        }
        let prompt = format!("{} {}", self.config.prompt, self.next);
        self.next += 1;
        // What the prompt costs, in tokens; the host's tokenizer can count it:
        // see `vbench_plugin::tokenizer`.
        let prompt_tokens = prompt.split_whitespace().count() as u64;
        Ok(Some(Sample::new(Turn::text(&prompt, prompt_tokens, self.config.output_len))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_as_often_as_wanted_and_never_the_same() {
        let args = testing::DatasetArgs { count: 3, ..Default::default() };
        let run = testing::run_dataset::<{{type}}>("{}", args).unwrap();
        assert_eq!(run.samples.len(), 3);
        assert_ne!(run.samples[0].turns[0].prompt, run.samples[1].turns[0].prompt);
    }
}
