//! The dataset `custom_image`: rows with `prompt` and `image_files`, or with
//! `content`, a list of texts and images.

use serde_json::{Map, Value, json};
use vbench_plugin::media::{self, Form, Source};
use vbench_plugin::options::{MediaChat, RowChoice};
use vbench_plugin::prelude::*;
use vbench_plugin::rules::{self, RowPages};
use vbench_plugin::table::{Format, Rows};
use vbench_plugin::tokenizer;

/// Options of the dataset, of which those that `custom` has too go by its flags.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ImageConfig {
    /// The rows, a JSON Lines file.
    #[schemars(extend("format" = "path", "x-flag" = "dataset-path"))]
    path: String,
    /// Longest answer in tokens.
    #[serde(default = "output_len")]
    #[schemars(range(min = -1), extend("x-flag" = "custom-output-len", "x-general-flag" = "output-len"))]
    output_len: i64,
    #[serde(flatten)]
    rows: RowChoice,
    #[serde(flatten)]
    media: MediaChat,
    /// Send the images themselves, as PNG, not the addresses of files.
    #[serde(default)]
    #[schemars(extend("x-flag" = "custom-ensure-client-side-data"))]
    ensure_client_side_data: bool,
}

fn output_len() -> i64 {
    256
}

/// The option that names the file.
const PATH: &str = "path";
/// Rows read at once.
const CHUNK: usize = 256;

/// Samples from a file of prompts with images.
pub struct CustomImage {
    cx: DatasetContext,
    config: ImageConfig,
    rows: Rows,
    pages: RowPages,
}

/// What a row asks.
struct Ask {
    /// All of its text, by which its length is counted.
    text: String,
    prompt: Prompt,
    attachments: Attachments,
}

/// What is wrong with a row.
struct Wrong {
    column: String,
    error: Error,
}

fn wrong(column: impl Into<String>, message: impl Into<String>) -> Wrong {
    Wrong { column: column.into(), error: Error::input(message) }
}

impl Dataset for CustomImage {
    type Config = ImageConfig;
    const NAME: &'static str = "custom_image";
    const ALIASES: &'static [&'static str] = &["custom_mm"];
    const SUMMARY: &'static str = "Prompts with images of a file of your own, one a row.";

    fn open(cx: &DatasetContext, config: ImageConfig) -> Result<Self> {
        if cx.compat.is_reference() && !config.path.ends_with(".jsonl") {
            return Err(Error::config("Only JSONL format is supported for CustomImageDataset.").key(PATH));
        }
        let format = if config.path.ends_with(".jsonl") { Format::Jsonl } else { Format::Auto };
        let rows = Rows::open(PATH, format)?;
        let pages = RowPages::new(cx, cx.seed, config.rows, (0..rows.count()).collect());
        Ok(Self { cx: cx.clone(), config, rows, pages })
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        Ok(self.next_batch(1)?.pop())
    }

    fn next_batch(&mut self, max: usize) -> Result<Vec<Sample>> {
        let Some(page) = self.pages.next(max.min(CHUNK))? else { return Ok(Vec::new()) };
        let read: Vec<Map<String, Value>> =
            self.rows.read(&page.rows, &["prompt", "image_files", "content"])?;
        let mut asks = Vec::with_capacity(read.len());
        for (row, &index) in read.iter().zip(&page.rows) {
            let ask = self.ask(row);
            asks.push(
                ask.map_err(|Wrong { column, error }| error.at(self.rows.locate(index).column(column)))?,
            );
        }
        let texts: Vec<String> = asks.iter().map(|ask| ask.text.clone()).collect();
        let lengths = match tokenizer::describe() {
            Some(_) => tokenizer::count(&texts, true)?,
            None => vec![1; texts.len()],
        };
        let sample = |(number, (ask, length)): (usize, (Ask, u32))| {
            let turn = Turn::new(ask.prompt, u64::from(length), self.config.output_len);
            Sample::new(turn.with_attachments(ask.attachments)).with_id(self.cx.request_id(number))
        };
        Ok((page.first..).zip(asks.into_iter().zip(lengths)).map(sample).collect())
    }

    fn finish(&mut self) -> Result<Summary> {
        Ok(Summary { python_random: Some(rules::python_state(self.pages.random())), ..Summary::default() })
    }
}

impl CustomImage {
    fn ask(&self, row: &Map<String, Value>) -> Result<Ask, Wrong> {
        match row.get("content").filter(|content| !content.is_null()) {
            Some(content) => self.content(content),
            None => self.prompt_with_files(row),
        }
    }

    /// A row of a prompt and files.
    fn prompt_with_files(&self, row: &Map<String, Value>) -> Result<Ask, Wrong> {
        let text = match row.get("prompt") {
            Some(Value::String(text)) => text.clone(),
            Some(_) => return Err(wrong("prompt", "`prompt` is no text")),
            None => return Err(wrong("prompt", "the row has neither `content` nor `prompt`")),
        };
        let files = row.get("image_files").and_then(Value::as_array).filter(|files| !files.is_empty());
        let files = files.ok_or_else(|| {
            wrong("image_files", "`image_files` is no list of at least one address or path")
        })?;
        let mut images = Vec::with_capacity(files.len());
        for (number, file) in files.iter().enumerate() {
            let place = format!("/image_files/{number}");
            let file = file.as_str().ok_or_else(|| wrong(&place, "is neither an address nor a path"))?;
            images.push(self.image(file).map_err(|error| Wrong { column: place, error })?);
        }
        let attachments = match images.len() {
            1 => Attachments::One(images.remove(0)),
            _ => Attachments::Many(images),
        };
        let prompt = if self.config.media.enable_multimodal_chat {
            let messages = rules::chat_messages(&text, &attachments);
            Prompt::Messages(messages.map_err(|error| Wrong { column: "prompt".into(), error })?)
        } else {
            Prompt::Text(text.clone())
        };
        Ok(Ask { text, prompt, attachments })
    }

    /// A row of parts, text and images in any order.
    fn content(&self, content: &Value) -> Result<Ask, Wrong> {
        let parts = content.as_array().filter(|parts| !parts.is_empty());
        let parts = parts.ok_or_else(|| wrong("content", "`content` is no list of at least one part"))?;
        let mut text = String::new();
        let mut written = Vec::with_capacity(parts.len());
        for (number, part) in parts.iter().enumerate() {
            let place = format!("/content/{number}");
            let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
            written.push(match kind {
                "text" => {
                    let found = part.get("text").and_then(Value::as_str);
                    let found = found.ok_or_else(|| wrong(format!("{place}/text"), "is no text"))?;
                    text.push_str(found);
                    json!({"type": "text", "text": found})
                }
                "image" | "image_url" => {
                    let place = format!("{place}/{kind}");
                    let mut address = match part.get(kind) {
                        Some(Value::String(url)) => Map::from_iter([("url".to_owned(), json!(url))]),
                        Some(Value::Object(object)) if kind == "image_url" => object.clone(),
                        _ => return Err(wrong(place, "is neither an address nor a path")),
                    };
                    let url = address.get("url").and_then(Value::as_str);
                    let url = url.ok_or_else(|| wrong(format!("{place}/url"), "is no address"))?;
                    let image = self.image(url).map_err(|error| Wrong { column: place, error })?;
                    address.insert("url".to_owned(), image.url.into());
                    json!({"type": "image_url", "image_url": address})
                }
                _ => {
                    return Err(wrong(
                        format!("{place}/type"),
                        "is none of text, image and image_url, which a part can be",
                    ));
                }
            });
        }
        let parts = Value::Array(written);
        let prompt = if self.config.media.enable_multimodal_chat {
            Prompt::Messages(json!([{"role": "user", "content": parts}]).to_string())
        } else {
            Prompt::Parts(parts.to_string())
        };
        Ok(Ask { text, prompt, attachments: Attachments::None })
    }

    /// An image by what the row says of it.
    fn image(&self, text: &str) -> Result<Media> {
        if !self.config.ensure_client_side_data || text.starts_with("data:") {
            return Ok(rules::media(MediaKind::Image, text));
        }
        let held = media::hold(Source::file(PATH, text), Form::Png);
        Ok(held
            .map_err(|error| Error { message: format!("Invalid image URL: {}", error.message), ..error })?
            .media())
    }
}
