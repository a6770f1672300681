//! The dataset `custom_image`: rows with `prompt` and `image_files`, or with
//! `content`, a list of texts and images.

use serde_json::{Map, Value, json};
use vbench_plugin::generators::PythonRandom;
use vbench_plugin::media::{self, Form, Source};
use vbench_plugin::prelude::*;
use vbench_plugin::rules;
use vbench_plugin::table::{Format, Rows};
use vbench_plugin::tokenizer;

/// Options of the dataset, of which those that `custom` has too go by its flags.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageConfig {
    /// The rows, a JSON Lines file.
    #[schemars(extend("format" = "path", "x-flag" = "dataset-path"))]
    path: String,
    /// Longest answer in tokens.
    #[serde(default = "output_len")]
    #[schemars(range(min = -1), extend("x-flag" = "custom-output-len", "x-general-flag" = "output-len"))]
    output_len: i64,
    /// Take the rows in the order of the file.
    #[serde(default)]
    #[schemars(extend("x-flag" = "disable-shuffle"))]
    disable_shuffle: bool,
    /// Do not repeat rows when there are too few.
    #[serde(default)]
    #[schemars(extend("x-flag" = "no-oversample"))]
    no_oversample: bool,
    /// Write prompts with their images as chat messages.
    #[serde(default)]
    #[schemars(extend("x-flag" = "enable-multimodal-chat"))]
    enable_multimodal_chat: bool,
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
    random: PythonRandom,
    /// What is still to be given out; none before the first call.
    left: Option<std::vec::IntoIter<Sample>>,
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
        Ok(Self { cx: cx.clone(), config, rows, random: PythonRandom::new(cx.seed), left: None })
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        if self.left.is_none() {
            self.left = Some(self.sample()?.into_iter());
        }
        Ok(self.left.as_mut().and_then(Iterator::next))
    }

    fn finish(&mut self) -> Result<Summary> {
        Ok(Summary { python_random: Some(rules::python_state(&self.random)), ..Summary::default() })
    }
}

impl CustomImage {
    fn sample(&mut self) -> Result<Vec<Sample>> {
        let mut order: Vec<u64> = (0..self.rows.count()).collect();
        if !self.config.disable_shuffle {
            self.random.shuffle(&mut order);
        }
        // 0 and less mean all rows.
        let wanted = usize::try_from(self.cx.count).ok().filter(|&count| count > 0).unwrap_or(order.len());
        let has_tokenizer = tokenizer::describe().is_some();
        let mut samples: Vec<Sample> = Vec::new();
        for chunk in order[..order.len().min(wanted)].chunks(CHUNK) {
            let read: Vec<Map<String, Value>> =
                self.rows.read(chunk, &["prompt", "image_files", "content"])?;
            let mut asks = Vec::with_capacity(read.len());
            for (row, &index) in read.iter().zip(chunk) {
                asks.push(
                    self.ask(row).map_err(|Wrong { column, error }| {
                        error.at(self.rows.locate(index).column(column))
                    })?,
                );
            }
            let texts: Vec<String> = asks.iter().map(|ask| ask.text.clone()).collect();
            let lengths = if has_tokenizer { tokenizer::count(&texts, true)? } else { vec![1; texts.len()] };
            for (ask, length) in asks.into_iter().zip(lengths) {
                let turn = Turn::new(ask.prompt, u64::from(length), self.config.output_len)
                    .with_attachments(ask.attachments);
                samples.push(Sample::new(turn).with_id(self.cx.request_id(samples.len())));
            }
        }
        if !self.config.no_oversample && samples.len() < wanted {
            self.random = PythonRandom::new(self.cx.seed);
            rules::oversample(&mut samples, self.cx.count, &self.cx.request_id_prefix, &mut self.random)?;
        }
        Ok(samples)
    }

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
        let prompt = if self.config.enable_multimodal_chat {
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
        let prompt = if self.config.enable_multimodal_chat {
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
