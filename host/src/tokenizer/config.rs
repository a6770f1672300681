//! What `tokenizer_config.json` and its companions add to `tokenizer.json`.
//!
//! The rules are those of the transformers library (5.x,
//! `PreTrainedTokenizerBase` and `PreTrainedTokenizerFast`), which is what the
//! reference client loads.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tokenizers::AddedToken;

use super::Error;
use super::source::{
    ADDED_TOKENS, ADDITIONAL_TEMPLATES, CHAT_TEMPLATE_JINJA, CHAT_TEMPLATE_JSON, Files, SPECIAL_TOKENS_MAP,
    TOKENIZER_CONFIG, read_json, read_text,
};
use super::template::{NamedTemplate, Templates};

/// The special tokens with a name, in the order of `all_special_ids`.
const NAMED: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
const PAD: &str = "pad_token";

/// The settings of a tokenizer outside of `tokenizer.json`.
#[derive(Debug, Default)]
pub(super) struct Config {
    /// Special tokens by name: the seven usual ones, then the model's own.
    pub(super) named: Vec<(String, AddedToken)>,
    /// `extra_special_tokens`, or `additional_special_tokens` as it was called.
    pub(super) extra: Vec<AddedToken>,
    /// Tokens to add, by the id they should get.
    pub(super) added: BTreeMap<u32, AddedToken>,
    /// `clean_up_tokenization_spaces`.
    pub(super) clean_up: bool,
    /// The clean-up is asked for although the model is a BPE.
    pub(super) clean_up_bpe: bool,
    /// Special tokens in a text are split like any other text.
    pub(super) split_special_tokens: bool,
    /// The chat templates.
    pub(super) templates: Templates,
}

impl Config {
    /// Reads what there is of the companions of `tokenizer.json`.
    pub(super) fn read(files: &Files) -> Result<Self, Error> {
        let config_path = files.companion(TOKENIZER_CONFIG);
        let mut keys = match &config_path {
            Some(path) => object(path, read_json(path)?)?,
            None => Map::new(),
        };
        // Errors about a merged key name the file that was read last for it.
        let mut path = config_path.clone().unwrap_or_else(|| files.tokenizer.clone());
        let templates = read_templates(files, keys.shift_remove("chat_template"), &path)?;

        let mut added = BTreeMap::new();
        if let Some(tokens) = keys.shift_remove("added_tokens_decoder") {
            for (id, token) in object(&path, tokens)? {
                let id = id.parse().map_err(|_| wrong(&path, "added_tokens_decoder", "have ids as keys"))?;
                added.insert(id, token_of(&path, "added_tokens_decoder", &token)?);
            }
        } else {
            // Folders from before `added_tokens_decoder`.
            if let Some(map) = files.companion(SPECIAL_TOKENS_MAP) {
                for (key, mut value) in object(&map, read_json(&map)?)? {
                    if let Value::Object(token) = &mut value
                        && token.contains_key("content")
                    {
                        token.insert("special".to_owned(), Value::Bool(true));
                    }
                    keys.insert(key, value);
                }
                path = map;
            }
            if let Some(file) = files.companion(ADDED_TOKENS) {
                let special: HashSet<&str> =
                    NAMED.into_iter().filter_map(|name| keys.get(name).and_then(content)).collect();
                for (token, id) in object(&file, read_json(&file)?)? {
                    let id = id
                        .as_u64()
                        .and_then(|id| u32::try_from(id).ok())
                        .ok_or_else(|| wrong(&file, &token, "be an id"))?;
                    let special = special.contains(token.as_str());
                    added.insert(id, AddedToken::from(token, special));
                }
            }
        }

        let by_content: BTreeMap<&str, &AddedToken> =
            added.values().map(|token| (token.content.as_str(), token)).collect();
        let mut named = Vec::new();
        for name in NAMED {
            if let Some(value) = keys.get(name).filter(|value| !value.is_null()) {
                let token = named_token(&path, name, value)?;
                let token = by_content.get(token.content.as_str()).map_or(token, |t| (*t).clone());
                named.push((name.to_owned(), token));
            }
        }
        // The model's own: first those given as objects, then those given as text.
        let own = |keys: &Map<String, Value>, objects: bool| {
            let mut tokens = Vec::new();
            for (key, value) in keys {
                let is_token =
                    key.ends_with("_token") && !NAMED.contains(&key.as_str()) && content(value).is_some();
                if is_token && value.is_object() == objects {
                    tokens.push((key.clone(), named_token(&path, key, value)?));
                }
            }
            Ok::<_, Error>(tokens)
        };
        named.extend(own(&keys, true)?);
        named.extend(own(&keys, false)?);

        let list = ["extra_special_tokens", "additional_special_tokens"]
            .into_iter()
            .find(|key| keys.get(*key).is_some_and(|value| !is_empty(value)));
        let mut extra = Vec::new();
        if let Some(key) = list {
            match &keys[key] {
                Value::Array(tokens) => {
                    for token in tokens {
                        extra.push(named_token(&path, key, token)?);
                    }
                }
                Value::Object(tokens) => {
                    for (name, token) in tokens {
                        named.push((name.clone(), named_token(&path, name, token)?));
                    }
                }
                _ => return Err(wrong(&path, key, "be a list of tokens")),
            }
        }

        let flag = |key: &str| match keys.get(key) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(wrong(&path, key, "be true or false")),
        };
        Ok(Self {
            clean_up: flag("clean_up_tokenization_spaces")?,
            clean_up_bpe: flag("clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output")?,
            split_special_tokens: flag("split_special_tokens")?,
            named,
            extra,
            added,
            templates,
        })
    }

    /// Takes the padding token of `tokenizer.json` where the configuration
    /// names none.
    pub(super) fn default_pad(&mut self, token: &str) {
        if !self.named.iter().any(|(name, _)| name == PAD) {
            let before =
                |name: &str| NAMED.iter().take_while(|known| **known != PAD).any(|known| *known == name);
            let at = self.named.iter().take_while(|(name, _)| before(name)).count();
            self.named.insert(at, (PAD.to_owned(), AddedToken::from(token, true)));
        }
    }
}

/// The chat templates: files before the configuration, and `chat_template.json`
/// (where processors keep theirs) only if there is nothing else.
fn read_templates(files: &Files, in_config: Option<Value>, config_path: &Path) -> Result<Templates, Error> {
    let mut templates = Vec::new();
    if let Some(path) = files.companion(CHAT_TEMPLATE_JINJA) {
        templates.push(NamedTemplate::new("default", &path, read_text(&path)?));
    }
    if let Some(folder) = files.companion(ADDITIONAL_TEMPLATES) {
        for path in jinja_files(&folder)? {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let text = read_text(&path)?;
            templates.push(NamedTemplate::new(&name, &path, text));
        }
    }
    if templates.is_empty()
        && let Some(value) = in_config
    {
        templates = templates_of(config_path, value)?;
    }
    if templates.is_empty()
        && let Some(path) = files.companion(CHAT_TEMPLATE_JSON)
    {
        let mut keys = object(&path, read_json(&path)?)?;
        if let Some(value) = keys.shift_remove("chat_template") {
            templates = templates_of(&path, value)?;
        }
    }
    Ok(Templates::new(templates))
}

fn jinja_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = |source| Error::Read { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.extension().is_some_and(|extension| extension == "jinja") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// One template, a list of `{name, template}`, or an object of templates.
fn templates_of(path: &Path, value: Value) -> Result<Vec<NamedTemplate>, Error> {
    let wrong = || wrong(path, "chat_template", "be a template or a list of named templates");
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => Ok(vec![NamedTemplate::new("default", path, text)]),
        Value::Array(list) => list
            .iter()
            .map(|item| match (item["name"].as_str(), item["template"].as_str()) {
                (Some(name), Some(text)) => Ok(NamedTemplate::new(name, path, text.to_owned())),
                _ => Err(wrong()),
            })
            .collect(),
        Value::Object(map) => map
            .iter()
            .map(|(name, text)| {
                let text = text.as_str().ok_or_else(wrong)?;
                Ok(NamedTemplate::new(name, path, text.to_owned()))
            })
            .collect(),
        Value::Bool(_) | Value::Number(_) => Err(wrong()),
    }
}

/// The text of a token given as text or as an object.
fn content(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value["content"].as_str())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// A token that is special by its place in the configuration.
fn named_token(path: &Path, key: &str, value: &Value) -> Result<AddedToken, Error> {
    match value {
        Value::String(text) => Ok(AddedToken::from(text.as_str(), true)),
        _ => token_of(path, key, value),
    }
}

/// A token given as an object; what is missing is as for `AddedToken(content)`.
fn token_of(path: &Path, key: &str, value: &Value) -> Result<AddedToken, Error> {
    let content = value["content"]
        .as_str()
        .ok_or_else(|| wrong(path, key, "be a token (text, or an object with content)"))?;
    let flag = |name: &str| value[name].as_bool();
    let special = flag("special").unwrap_or(false);
    Ok(AddedToken::from(content, special)
        .single_word(flag("single_word").unwrap_or(false))
        .lstrip(flag("lstrip").unwrap_or(false))
        .rstrip(flag("rstrip").unwrap_or(false))
        .normalized(flag("normalized").unwrap_or(!special)))
}

fn object(path: &Path, value: Value) -> Result<Map<String, Value>, Error> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(Error::Config { path: path.to_owned(), message: "an object was expected".to_owned() }),
    }
}

fn wrong(path: &Path, key: &str, should: &str) -> Error {
    Error::Config { path: path.to_owned(), message: format!("\"{key}\" should {should}") }
}
