//! The backend `template`: any API, by a JSON file that says how its requests
//! are written and how its answers are read.
//!
//! The host reads the file, checks it against the schema of [`Template`], and
//! hands it over as an option, so that the plugin needs no file of its own.

mod body;
mod file;
mod place;

use vbench_plugin::openai;
use vbench_plugin::plan::Reader;
use vbench_plugin::prelude::*;

use body::Body;
pub use file::Template;
use place::Within;

vbench_plugin::export! { backends: [FromTemplate] }

/// Options of the backend.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// File that describes the API: a body with places for the prompt and the rest, and how to read answers.
    #[schemars(extend("format" = "json-file", "x-flag" = "template"))]
    file: Template,
}

/// Writes and reads requests by a file.
pub struct FromTemplate {
    endpoint: Endpoint,
    body: Body,
    plan: Plan,
    cumulative: bool,
}

impl Backend for FromTemplate {
    type Config = Config;
    const NAME: &'static str = "template";
    const SUMMARY: &'static str = "Any API, described by a JSON file (--template).";

    fn open(cx: &BackendContext, config: Config) -> Result<Self> {
        let template = config.file;
        if cx.logprobs.is_some() {
            return Err(Error::config(
                "--logprobs has no place in a template; write the field into its body",
            ));
        }
        template.check_head().in_file()?;
        let body = Body::new(&template.body, cx).within("body").in_file()?;
        let plan = template.plan.to_plan().within("plan").in_file()?;
        let path = cx.endpoint.clone().unwrap_or(template.path);
        let mut endpoint = Endpoint {
            task: template.task.into(),
            method: template.method,
            framing: template.framing.into(),
            // Text that repeats itself is beyond a plan: the plugin reads it.
            plan: (!template.plan.cumulative_text).then(|| plan.clone()),
            ..openai::stream_endpoint(&path, None)
        };
        for (name, value) in template.headers {
            endpoint.headers.retain(|header| !header.name.eq_ignore_ascii_case(&name));
            endpoint.headers.push(Header::new(name, value));
        }
        Ok(Self { endpoint, body, plan, cumulative: template.plan.cumulative_text })
    }

    fn endpoint(&self) -> Result<Endpoint> {
        Ok(self.endpoint.clone())
    }

    fn build(&self, request: &RequestIn) -> Result<RequestOut> {
        let input_sequences = match &request.turn.prompt {
            Prompt::Texts(texts) => texts.len(),
            Prompt::TokenIdLists(lists) => lists.len(),
            _ => 1,
        };
        Ok(RequestOut {
            input_sequences: u32::try_from(input_sequences).unwrap_or(u32::MAX),
            ..RequestOut::json(self.body.write(request)?)
        })
    }

    /// As the plan says, but that a text replaces the one before it.
    fn parse(&self, response: &Response) -> Result<Parsed> {
        let mut reader = Reader::new(&self.plan);
        for event in response.events() {
            let before = reader.parsed_mut().text.len();
            reader.event(event);
            let text = &mut reader.parsed_mut().text;
            if self.cumulative && text.len() > before {
                text.drain(..before);
            }
        }
        Ok(reader.finish())
    }
}
