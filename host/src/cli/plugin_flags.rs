//! Flags that plugins add, and the configs that they make.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};
use indexmap::IndexMap;
use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value};

use super::argv::{Arity, FlagTable, Normalised, Piece};
use super::error::CliError;
use super::json_file;
use super::known::{self, Owner};
use super::offers::{OfferSpec, Role};
use super::plan::PathGrant;
use super::schema::{self, OfferOptions, PluginOption, Shape};
use super::violation;

/// Largest compiled form of a `pattern` of a schema, in bytes.
const PATTERN_BYTES: usize = 1 << 20;

/// All flags of all offers.
pub(super) struct PluginFlags<'a> {
    offers: Vec<(&'a OfferSpec, OfferOptions)>,
    flags: IndexMap<String, PluginFlag>,
}

/// A flag with the options that it sets.
struct PluginFlag {
    shape: Shape,
    owners: Vec<Ownership>,
}

#[derive(Clone, Copy)]
struct Ownership {
    offer: usize,
    option: usize,
    /// The flag is the option's general flag.
    general: bool,
}

/// What the user chose, to decide which options help is about.
#[derive(Debug, Default)]
pub(super) struct Chosen<'a> {
    /// `--dataset-name`, if given.
    pub(super) dataset: Option<&'a str>,
    /// `--backend`, if given.
    pub(super) backend: Option<&'a str>,
}

impl Chosen<'_> {
    fn shows(&self, offer: &OfferSpec) -> bool {
        match offer.role {
            Role::Dataset => self.dataset.is_none_or(|name| offer.answers_to(name)),
            Role::Backend => self.backend.is_none_or(|name| offer.answers_to(name)),
            // An option of a criterion chooses the criterion, so all are of interest.
            Role::Sla => true,
        }
    }
}

/// An offer's config, checked against its schema.
pub(super) struct Configured {
    pub(super) config: Value,
    pub(super) grants: Vec<PathGrant>,
    /// The flag of each option, without dashes: the one that was given, or its
    /// own; with the file behind it, where the option is a file's content.
    pub(super) flags: BTreeMap<String, String>,
}

impl<'a> PluginFlags<'a> {
    /// Reads all schemas. `host` are the flags that no plugin may take.
    ///
    /// # Errors
    /// [`CliError::Plugin`] naming the plugin (both, where two disagree).
    pub(super) fn new(offers: &'a [OfferSpec], host: &FlagTable) -> Result<Self, CliError> {
        let mut this = Self { offers: Vec::new(), flags: IndexMap::new() };
        for offer in offers {
            this.refuse_second_of_a_name(offer)?;
            let options = schema::read(offer)?;
            let index = this.offers.len();
            for (number, option) in options.options.iter().enumerate() {
                this.claim(
                    offer,
                    option,
                    &option.flag,
                    host,
                    Ownership { offer: index, option: number, general: false },
                )?;
                if let Some(general) = &option.general {
                    this.claim(
                        offer,
                        option,
                        general,
                        host,
                        Ownership { offer: index, option: number, general: true },
                    )?;
                }
            }
            this.offers.push((offer, options));
        }
        Ok(this)
    }

    fn refuse_second_of_a_name(&self, offer: &OfferSpec) -> Result<(), CliError> {
        for name in std::iter::once(&offer.name).chain(&offer.aliases) {
            let earlier =
                self.offers.iter().find(|(other, _)| other.role == offer.role && other.answers_to(name));
            if let Some((other, _)) = earlier {
                return Err(CliError::Plugin {
                    plugin: offer.plugin.clone(),
                    reason: format!(
                        "it offers {} `{name}`, which plugin `{}` offers already: load only one of them",
                        offer.role, other.plugin
                    ),
                });
            }
        }
        Ok(())
    }

    fn claim(
        &mut self,
        offer: &OfferSpec,
        option: &PluginOption,
        flag: &str,
        host: &FlagTable,
        ownership: Ownership,
    ) -> Result<(), CliError> {
        let reserved = known::find(flag).is_some_and(|known| known.owner == Owner::Host);
        if reserved || host.contains(flag) {
            return Err(CliError::Plugin {
                plugin: offer.plugin.clone(),
                reason: format!(
                    "option `{}` of {} `{}` would be `--{flag}`, which is a flag of vbench itself",
                    option.property, offer.role, offer.name
                ),
            });
        }
        let Some(present) = self.flags.get_mut(flag) else {
            let flag_of = PluginFlag { shape: option.shape.clone(), owners: vec![ownership] };
            self.flags.insert(flag.to_owned(), flag_of);
            return Ok(());
        };
        let first = present.owners[0];
        let other = self.offers.get(first.offer).map_or(offer, |(other, _)| *other);
        if present.owners.iter().any(|owner| owner.offer == ownership.offer) {
            return Err(CliError::Plugin {
                plugin: offer.plugin.clone(),
                reason: format!("two options of {} `{}` want to be `--{flag}`", offer.role, offer.name),
            });
        }
        let shared = ownership.general || option.named_by_schema;
        if !shared && offer.builtin && !other.builtin {
            // Files come first, but it is the file that takes what is somebody else's.
            return Err(CliError::Plugin {
                plugin: other.plugin.clone(),
                reason: format!(
                    "it wants `--{flag}`, which is option `{}` of {} `{}` of the built-in plugin `{}`",
                    option.property, offer.role, offer.name, offer.plugin
                ),
            });
        }
        if !shared {
            return Err(CliError::Plugin {
                plugin: offer.plugin.clone(),
                reason: format!(
                    "option `{}` of {} `{}` would be `--{flag}`, which plugin `{}` uses already",
                    option.property, offer.role, offer.name, other.plugin
                ),
            });
        }
        if present.shape != option.shape {
            return Err(CliError::Plugin {
                plugin: offer.plugin.clone(),
                reason: format!(
                    "`--{flag}` has another type in {} `{}` than in {} `{}` of plugin `{}`: {} and {}",
                    offer.role,
                    offer.name,
                    other.role,
                    other.name,
                    other.plugin,
                    shape_name(&option.shape),
                    shape_name(&present.shape)
                ),
            });
        }
        present.owners.push(ownership);
        Ok(())
    }

    /// Adds the flags to what the pre-pass knows.
    pub(super) fn fill(&self, table: &mut FlagTable) {
        for (name, flag) in &self.flags {
            let (arity, json) = match &flag.shape {
                Shape::Switch => (Arity::Switch, false),
                Shape::Words(_) => (Arity::Many { or_none: false }, false),
                Shape::Json(types) => (Arity::One, types.iter().any(|kind| kind == "object")),
                Shape::Integer | Shape::Number | Shape::Text | Shape::JsonFile => (Arity::One, false),
            };
            table.insert(name, arity, json);
        }
    }

    /// Adds the flags to the command, with help; those of offers that were not
    /// chosen are hidden.
    pub(super) fn extend(&self, mut command: Command, chosen: &Chosen<'_>) -> Command {
        for (name, flag) in &self.flags {
            let shown: Vec<&Ownership> =
                flag.owners.iter().filter(|owner| chosen.shows(self.offers[owner.offer].0)).collect();
            let first = shown.first().copied().unwrap_or(&flag.owners[0]);
            let (offer, options) = &self.offers[first.offer];
            let option = &options.options[first.option];
            let mut help = match first.general {
                true => "Wins over the dataset's own option when given".to_owned(),
                false => option.help.clone(),
            };
            let shared = flag.owners.len() > 1 || first.general;
            if shared {
                let names: Vec<&str> =
                    flag.owners.iter().map(|o| self.offers[o.offer].0.name.as_str()).collect();
                help = format!("{help} ({})", names.join(", "));
            }
            let heading = if shared { "Options of several plugins".to_owned() } else { heading(offer) };
            let mut arg =
                Arg::new(id(name)).long(name.clone()).help(help).help_heading(heading).hide(shown.is_empty());
            arg = match &flag.shape {
                Shape::Switch => arg.action(ArgAction::SetTrue),
                Shape::Words(_) => arg.action(ArgAction::Append).num_args(1..),
                _ => arg.action(ArgAction::Set),
            };
            if flag.shape != Shape::Switch {
                arg = arg.value_name(if option.path { "PATH" } else { flag.shape.placeholder() });
            }
            command = command.arg(arg);
        }
        command
    }

    /// All offers by role, a line each, for the end of the help.
    pub(super) fn list(&self) -> String {
        let mut text = String::new();
        for (role, title) in
            [(Role::Dataset, "Datasets"), (Role::Backend, "Backends"), (Role::Sla, "Criteria")]
        {
            let offers: Vec<&OfferSpec> = self.offers().filter(|offer| offer.role == role).collect();
            if offers.is_empty() {
                continue;
            }
            text.push_str(&format!("{title}:\n"));
            for offer in offers {
                let names: Vec<&str> =
                    std::iter::once(&offer.name).chain(&offer.aliases).map(String::as_str).collect();
                text.push_str(&format!("  {:<20} {}\n", names.join(", "), schema::printable(&offer.summary)));
            }
            text.push('\n');
        }
        text
    }

    /// The offer of a role that the user named.
    pub(super) fn find(&self, role: Role, name: &str) -> Option<usize> {
        self.offers.iter().position(|(offer, _)| offer.role == role && offer.answers_to(name))
    }

    /// All offers.
    pub(super) fn offers(&self) -> impl Iterator<Item = &'a OfferSpec> {
        self.offers.iter().map(|(offer, _)| *offer)
    }

    /// An offer by the number that [`Self::find`] gave.
    pub(super) fn offer(&self, index: usize) -> &'a OfferSpec {
        self.offers[index].0
    }

    /// Whether an offer has an option with this flag.
    pub(super) fn has_flag(&self, index: usize, flag: &str) -> bool {
        self.flags.get(flag).is_some_and(|flag| flag.owners.iter().any(|owner| owner.offer == index))
    }

    /// Criteria of which an option was given.
    pub(super) fn criteria_given(&self, given: &Normalised) -> Vec<usize> {
        let mut found = Vec::new();
        for name in given_flags(given) {
            for owner in self.flags.get(name).map(|flag| flag.owners.as_slice()).unwrap_or_default() {
                if self.offers[owner.offer].0.role == Role::Sla && !found.contains(&owner.offer) {
                    found.push(owner.offer);
                }
            }
        }
        found
    }

    /// Given flags that are of no use to any chosen offer, as warnings.
    pub(super) fn without_effect(&self, given: &Normalised, chosen: &[usize]) -> Vec<String> {
        let mut warnings = Vec::new();
        for name in given_flags(given) {
            let Some(flag) = self.flags.get(name) else { continue };
            if flag.owners.iter().any(|owner| chosen.contains(&owner.offer)) {
                continue;
            }
            let role = self.offers[flag.owners[0].offer].0.role;
            let instead = chosen.iter().map(|&index| self.offer(index)).find(|offer| offer.role == role);
            warnings.push(match instead {
                Some(offer) => format!("--{name} has no effect with {role} `{}`", offer.name),
                None => format!("--{name} has no effect here"),
            });
        }
        warnings
    }

    /// Flags of plugins, known to the reference client or not, with the options' names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.flags.keys().map(String::as_str)
    }

    /// Reads the given flags of all offers, so that a wrong one is refused even
    /// where it has no effect.
    pub(super) fn check_words(&self, given: &Normalised) -> Result<(), CliError> {
        for name in given_flags(given) {
            let Some(flag) = self.flags.get(name) else { continue };
            let offer = self.offers[flag.owners[0].offer].0;
            value(given, name, &flag.shape).map_err(|reason| refusal(offer, name, reason))?;
        }
        Ok(())
    }

    /// The config of an offer: given options and defaults, checked.
    ///
    /// # Errors
    /// [`CliError::Option`] naming the flag, the value and the limit.
    pub(super) fn configure(&self, index: usize, given: &Normalised) -> Result<Configured, CliError> {
        let (offer, options) = &self.offers[index];
        let mut config = Map::new();
        let mut grants = Vec::new();
        let mut used: Vec<Used<'_>> = Vec::new();
        for option in &options.options {
            let general = option.general.as_deref().filter(|flag| is_given(given, flag));
            let flag = general.unwrap_or(&option.flag);
            let words = given.values(flag);
            let given = value(given, flag, &option.shape).map_err(|reason| refusal(offer, flag, reason))?;
            let file = words.filter(|_| option.shape == Shape::JsonFile).and_then(<[String]>::last);
            used.push(Used { property: &option.property, flag, given: given.is_some(), file });
            // A default opens no file: only what the user named may be read.
            if let Some(value) = given.as_ref().filter(|_| option.path) {
                let paths = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                grants.extend(paths.iter().filter_map(Value::as_str).map(|path| PathGrant {
                    config_key: option.property.clone(),
                    path: PathBuf::from(path),
                }));
            }
            let switch = (option.shape == Shape::Switch).then_some(Value::Bool(false));
            if let Some(value) = given.or_else(|| option.default.clone()).or(switch) {
                config.insert(option.property.clone(), value);
            }
        }
        let config = Value::Object(config);
        let validator = compile(&options.schema).map_err(|reason| CliError::Plugin {
            plugin: offer.plugin.clone(),
            reason: format!("the schema of {} `{}` is no good: {reason}", offer.role, offer.name),
        })?;
        if let Some(error) = validator.iter_errors(&config).next() {
            return Err(explain(offer, &options.schema, &used, &error));
        }
        let words = |used: &Used<'_>| match used.file {
            Some(file) => format!("{} {file}", used.flag),
            None => used.flag.to_owned(),
        };
        let flags = used.iter().map(|used| (used.property.to_owned(), words(used))).collect();
        Ok(Configured { config, grants, flags })
    }
}

/// Compiles a schema that holds no references. Patterns run on an engine that
/// needs linear time, whatever the pattern.
fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES))
        .build(schema)
        .map_err(|error| error.to_string())
}

/// An option and the flag that sets it.
struct Used<'a> {
    property: &'a str,
    flag: &'a str,
    given: bool,
    /// The file whose content it is.
    file: Option<&'a String>,
}

fn explain(
    offer: &OfferSpec,
    schema: &Value,
    used: &[Used<'_>],
    error: &jsonschema::ValidationError<'_>,
) -> CliError {
    let path = error.instance_path().to_string();
    let find = |property: &str| used.iter().find(|used| used.property == property);
    if let jsonschema::error::ValidationErrorKind::Required { property } = error.kind()
        && path.is_empty()
        && let Some(used) = property.as_str().and_then(find)
    {
        return CliError::Usage(format!("{} `{}` needs `--{}`", offer.role, offer.name, used.flag));
    }
    let wrong = schema::printable(&violation::words(error, schema));
    match find(path.trim_start_matches('/').split('/').next().unwrap_or_default()) {
        Some(Used { flag, property, file: Some(file), .. }) => {
            let pointer = path.get(1 + property.len()..).unwrap_or_default();
            let place = json_file::place(file, pointer);
            let at = if pointer.is_empty() { String::new() } else { format!(": at `{pointer}`") };
            refusal(offer, flag, schema::printable(&format!("{place}{at}: {wrong}")))
        }
        Some(used) if used.given => refusal(offer, used.flag, wrong),
        Some(used) => CliError::Plugin {
            plugin: offer.plugin.clone(),
            reason: schema::printable(&format!(
                "the default of option `{}` of {} `{}` breaks the plugin's own rules: {wrong}",
                used.property, offer.role, offer.name
            )),
        },
        None => CliError::Usage(format!(
            "the options of {} `{}` do not fit together: {wrong}",
            offer.role, offer.name
        )),
    }
}

fn refusal(offer: &OfferSpec, flag: &str, reason: String) -> CliError {
    CliError::Option { flag: flag.to_owned(), role: offer.role, offer: offer.name.clone(), reason }
}

fn value(given: &Normalised, flag: &str, shape: &Shape) -> Result<Option<Value>, String> {
    if *shape == Shape::Switch {
        return Ok(is_given(given, flag).then_some(Value::Bool(true)));
    }
    given.values(flag).map(|words| shape.read(words)).transpose()
}

fn is_given(given: &Normalised, flag: &str) -> bool {
    given_flags(given).any(|name| name == flag)
}

fn given_flags(given: &Normalised) -> impl Iterator<Item = &str> {
    given.pieces.iter().filter_map(|piece| match piece {
        Piece::Flag { name, .. } => Some(name.as_str()),
        Piece::Word(_) => None,
    })
}

/// The parser's key for a plugin's flag; the host's own keys have no colon.
fn id(flag: &str) -> String {
    format!("plugin:{flag}")
}

fn heading(offer: &OfferSpec) -> String {
    let from = if offer.builtin { String::new() } else { format!(", plugin {}", offer.plugin) };
    let role = offer.role.word();
    let capital: String =
        role.chars().take(1).flat_map(char::to_uppercase).chain(role.chars().skip(1)).collect();
    format!("{capital} {}{from}", offer.name)
}

fn shape_name(shape: &Shape) -> String {
    match shape {
        Shape::Switch => "boolean".to_owned(),
        Shape::Integer => "integer".to_owned(),
        Shape::Number => "number".to_owned(),
        Shape::Text => "string".to_owned(),
        Shape::Json(types) => types.join(" or "),
        Shape::JsonFile => "JSON file".to_owned(),
        Shape::Words(item) => format!("array of {}", shape_name(item)),
    }
}
