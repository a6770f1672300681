//! Chat templates, rendered as the transformers library renders them.

use std::borrow::Cow;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, ErrorKind, Value};
use minijinja_contrib::pycompat::unknown_method_callback;
use serde_json::{Map, Value as Json};

use super::Error;
use super::python_json::tojson;
use crate::clock;

/// A conversation to render.
#[derive(Debug, Clone)]
pub struct Chat {
    messages: Vec<Map<String, Json>>,
    tools: Option<Json>,
}

impl Chat {
    /// A conversation from JSON: an array of messages (objects), and an array
    /// of tools that the template may mention.
    ///
    /// # Errors
    ///
    /// [`Error::Chat`] if it is not that, or has no message.
    pub fn parse(messages: &str, tools: Option<&str>) -> Result<Self, Error> {
        let mut messages: Vec<Map<String, Json>> = serde_json::from_str(messages)
            .map_err(|error| Error::Chat(format!("messages should be a JSON array of objects: {error}")))?;
        if messages.is_empty() {
            return Err(Error::Chat("a conversation needs at least one message".to_owned()));
        }
        for message in &mut messages {
            // Templates handle a missing key better than one that is null.
            message.retain(|_, value| !value.is_null());
        }
        let tools = tools
            .map(serde_json::from_str::<Vec<Json>>)
            .transpose()
            .map_err(|error| Error::Chat(format!("tools should be a JSON array: {error}")))?;
        Ok(Self { messages, tools: tools.map(Json::Array) })
    }

    /// A rough measure of how long it takes to render.
    pub(super) fn size(&self) -> usize {
        1024 * self.messages.len()
    }
}

/// One chat template and where it came from.
#[derive(Debug, Clone)]
pub(super) struct NamedTemplate {
    name: String,
    origin: String,
    text: String,
}

impl NamedTemplate {
    pub(super) fn new(name: &str, path: &Path, text: String) -> Self {
        Self { name: name.to_owned(), origin: path.display().to_string(), text }
    }
}

/// The chat templates of a tokenizer.
#[derive(Debug, Default)]
pub(super) struct Templates {
    list: Vec<NamedTemplate>,
}

impl Templates {
    pub(super) fn new(list: Vec<NamedTemplate>) -> Self {
        Self { list }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn named(&self, name: &str) -> Option<&NamedTemplate> {
        // A later template of the same name replaces an earlier one.
        self.list.iter().rev().find(|template| template.name == name)
    }

    /// `get_chat_template`: `tool_use` where tools are given, else `default`.
    fn choose(&self, tools: bool, tokenizer: &str) -> Result<&NamedTemplate, Error> {
        let none = |detail| Error::NoChatTemplate { name: tokenizer.to_owned(), detail };
        if self.list.is_empty() {
            return Err(none(String::new()));
        }
        let chosen = if tools { self.named("tool_use") } else { None };
        chosen.or_else(|| self.named("default")).ok_or_else(|| {
            let names: Vec<&str> = self.list.iter().map(|template| template.name.as_str()).collect();
            none(format!(" named default (there are: {})", names.join(", ")))
        })
    }
}

/// Options that are set by other means, or that only make sense elsewhere.
const REFUSED_OPTIONS: [&str; 6] = [
    "add_generation_prompt",
    "continue_final_message",
    "conversation",
    "messages",
    "return_assistant_tokens_mask",
    "tokenize",
];

/// Renders conversations with the templates of one tokenizer.
pub(super) struct Renderer<'a> {
    environment: Environment<'a>,
    templates: &'a Templates,
    tokenizer: &'a str,
    /// Variables that are the same for all conversations.
    shared: Vec<(String, Value)>,
    /// Tools for conversations that bring none.
    tools: Option<Value>,
}

impl<'a> Renderer<'a> {
    /// Compiles the templates that `chats` need. `special_tokens` are variables
    /// (`bos_token`, …) that `options`, which are all variables too, replace.
    pub(super) fn new(
        templates: &'a Templates,
        tokenizer: &'a str,
        chats: &[Chat],
        special_tokens: impl Iterator<Item = (&'a str, &'a str)>,
        add_generation_prompt: bool,
        options: &Map<String, Json>,
    ) -> Result<Self, Error> {
        let mut shared: Vec<(String, Value)> = special_tokens
            .map(|(name, token)| (name.to_owned(), Value::from(token)))
            .chain([("documents".to_owned(), Value::from(()))])
            .collect();
        let mut tools = None;
        for (name, value) in options {
            match name.as_str() {
                "tools" => tools = (!value.is_null()).then(|| template_value(value)),
                name if REFUSED_OPTIONS.contains(&name) => {
                    return Err(Error::Chat(format!("\"{name}\" cannot be a template option")));
                }
                "chat_template" => {
                    return Err(Error::Chat(
                        "\"chat_template\" cannot be a template option; put the template into the \
                         tokenizer's folder as chat_template.jinja"
                            .to_owned(),
                    ));
                }
                _ => shared.push((name.clone(), template_value(value))),
            }
        }
        shared.push(("add_generation_prompt".to_owned(), Value::from(add_generation_prompt)));

        let mut renderer = Self { environment: environment(), templates, tokenizer, shared, tools };
        for with_tools in [false, true] {
            if chats.iter().any(|chat| renderer.has_tools(chat) == with_tools) {
                let template = templates.choose(with_tools, tokenizer)?;
                renderer
                    .environment
                    .add_template_owned(template.name.clone(), without_generation_tags(&template.text))
                    .map_err(|error| failure(template, &error))?;
            }
        }
        Ok(renderer)
    }

    fn has_tools(&self, chat: &Chat) -> bool {
        chat.tools.is_some() || self.tools.is_some()
    }

    /// The conversation as text.
    pub(super) fn render(&self, chat: &Chat) -> Result<String, Error> {
        let template = self.templates.choose(self.has_tools(chat), self.tokenizer)?;
        let messages: Value = chat.messages.iter().map(template_map).collect();
        let tools = match &chat.tools {
            Some(tools) => Some(template_value(tools)),
            None => self.tools.clone(),
        };
        let context = Value::from_pairs(
            self.shared
                .iter()
                .cloned()
                .chain([("messages".to_owned(), messages), ("tools".to_owned(), Value::from(tools))]),
        );
        self.environment
            .get_template(&template.name)
            .and_then(|compiled| compiled.render(context))
            .map_err(|error| failure(template, &error))
    }
}

/// The environment of `render_jinja_template`.
fn environment<'a>() -> Environment<'a> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    if let Ok(syntax) = syntax {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_unknown_method_callback(unknown_method_callback);
    environment.add_filter("tojson", tojson);
    environment.add_function("raise_exception", |message: String| {
        Err::<Value, _>(minijinja::Error::new(ErrorKind::InvalidOperation, message))
    });
    environment.add_function("strftime_now", |format: String| {
        jiff::fmt::strtime::format(&format, &clock::local_now())
            .map_err(|error| minijinja::Error::new(ErrorKind::InvalidOperation, error.to_string()))
    });
    environment
}

fn failure(template: &NamedTemplate, error: &minijinja::Error) -> Error {
    Error::Template {
        template: template.name.clone(),
        origin: template.origin.clone(),
        line: error.line(),
        message: error.detail().map_or_else(|| error.kind().to_string(), str::to_owned),
    }
}

/// Replaces `{% generation %}` and `{% endgeneration %}`, which only mark the
/// assistant's part, by a condition that always holds, so that the trimming of
/// spaces around them stays as it was.
fn without_generation_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let end = tag.find("%}").map_or(tag.len(), |end| end + 2);
        let (tag, after) = tag.split_at(end);
        out.push_str(&generation_tag(tag).map_or(Cow::Borrowed(tag), Cow::Owned));
        rest = after;
    }
    out.push_str(rest);
    out
}

fn generation_tag(tag: &str) -> Option<String> {
    let inner = tag.strip_prefix("{%")?.strip_suffix("%}")?;
    let (word, replacement) = match inner.trim_matches(['-', '+']).trim() {
        "generation" => ("generation", "if true"),
        "endgeneration" => ("endgeneration", "endif"),
        _ => return None,
    };
    Some(tag.replacen(word, replacement, 1))
}

fn template_map(map: &Map<String, Json>) -> Value {
    Value::from_pairs(map.iter().map(|(key, value)| (key.as_str(), template_value(value))))
}

fn template_value(value: &Json) -> Value {
    match value {
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(*flag),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(template_value).collect(),
        Json::Object(map) => template_map(map),
        Json::Number(number) => {
            if let Some(number) = number.as_i64() {
                Value::from(number)
            } else if let Some(number) = number.as_u64() {
                Value::from(number)
            } else {
                Value::from(number.as_f64().unwrap_or(f64::NAN))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(templates: &[(&str, &str)], tools: Option<&str>, options: &str) -> Result<String, Error> {
        let templates = Templates::new(
            templates
                .iter()
                .map(|(name, text)| {
                    NamedTemplate::new(name, Path::new("folder/tokenizer_config.json"), (*text).to_owned())
                })
                .collect(),
        );
        let chat = Chat::parse(r#"[{"role": "user", "content": "hi", "name": null}]"#, tools)?;
        let options = serde_json::from_str(options).unwrap();
        let tokens = [("bos_token", "<s>"), ("eos_token", "</s>")];
        Renderer::new(&templates, "tok", std::slice::from_ref(&chat), tokens.into_iter(), true, &options)?
            .render(&chat)
    }

    #[test]
    fn white_space_as_in_transformers() {
        // trim_blocks, lstrip_blocks, and no newline at the end.
        let text = "{{ bos_token }}\n  {% for m in messages %}\n{{ m.role }}:\n  {% endfor %}\n x\n";
        assert_eq!(render(&[("default", text)], None, "{}").unwrap(), "<s>\nuser:\n x");
    }

    #[test]
    fn python_is_spoken() {
        let text = "{{ messages[0]['content'].upper() }} {{ messages[-1].get('x', 'd') }} \
                    {{ 'a,b'.split(',')[::-1] }} {{ true }} {{ none }} {{ messages|length }}\
                    {% if messages[0].name is defined %}bad{% endif %}";
        assert_eq!(render(&[("default", text)], None, "{}").unwrap(), "HI d ['b', 'a'] True None 1");
    }

    #[test]
    fn options_are_variables_and_replace_special_tokens() {
        let text = "{{ eos_token }}{{ x.y }}{{ tools is none }}{{ add_generation_prompt }}";
        assert_eq!(
            render(&[("default", text)], None, r#"{"eos_token": "E", "x": {"y": 3}}"#).unwrap(),
            "E3TrueTrue"
        );
        assert!(matches!(render(&[("default", text)], None, r#"{"tokenize": 1}"#), Err(Error::Chat(_))));
    }

    #[test]
    fn tools_choose_their_template() {
        let both = [("default", "d"), ("tool_use", "{{ tools|tojson }}")];
        assert_eq!(render(&both, None, "{}").unwrap(), "d");
        assert_eq!(render(&both, Some(r#"[{"a": 1}]"#), "{}").unwrap(), r#"[{"a": 1}]"#);
        assert_eq!(render(&both, Some("[]"), "{}").unwrap(), "[]");
        assert_eq!(render(&both, None, r#"{"tools": [2]}"#).unwrap(), "[2]");
        assert_eq!(render(&both[..1], Some("[]"), "{}").unwrap(), "d");
        let text = render(&[("rag", "r")], None, "{}").unwrap_err().to_string();
        assert!(text.contains("there are: rag"), "{text}");
        let text = render(&[], None, "{}").unwrap_err().to_string();
        assert!(text.contains("tok") && text.contains("--skip-chat-template"), "{text}");
    }

    #[test]
    fn generation_tags_are_transparent() {
        let text = "a \n{%- generation -%} \n b \n{%- endgeneration %}c{% generation %}d{% endgeneration %}";
        assert_eq!(render(&[("default", text)], None, "{}").unwrap(), "abcd");
    }

    #[test]
    fn errors_name_template_and_line() {
        let text = render(&[("default", "a\n{{ raise_exception('no system') }}")], None, "{}")
            .unwrap_err()
            .to_string();
        assert_eq!(text, "chat template \"default\" (folder/tokenizer_config.json), line 2: no system");
        let text = render(&[("default", "\n\n{% for %}")], None, "{}").unwrap_err().to_string();
        assert!(text.contains("line 3"), "{text}");
        let text = render(&[("default", "{{ messages.x.y }}")], None, "{}").unwrap_err().to_string();
        assert!(text.contains("line 1"), "{text}");
    }

    #[test]
    fn time_is_available() {
        let year = render(&[("default", "{{ strftime_now('%Y') }}")], None, "{}").unwrap();
        assert!(year.parse::<i32>().is_ok_and(|year| year > 2000), "{year}");
    }

    #[test]
    fn bad_conversations() {
        for bad in ["", "[]", "{}", "[1]"] {
            assert!(matches!(Chat::parse(bad, None), Err(Error::Chat(_))), "{bad}");
        }
        assert!(matches!(Chat::parse("[{}]", Some("{}")), Err(Error::Chat(_))));
    }
}
