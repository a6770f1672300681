//! `--help`, `--help=all`, `--help=GROUP`, `--help=WORD`.

use clap::Command;

use super::argv;
use super::error::CliError;

/// What help is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Query<'a> {
    /// On what the other words make relevant.
    Relevant,
    /// On a group of flags, on flags with a word in their name, or on `all`.
    About(&'a str),
}

/// The help that the words ask for.
pub(super) fn query(words: &[String]) -> Option<Query<'_>> {
    words.iter().take_while(|word| *word != "--").find_map(|word| match argv::split_flag(word) {
        Some((name, value)) if name == "help" => Some(value.map_or(Query::Relevant, Query::About)),
        _ => (word == "-h").then_some(Query::Relevant),
    })
}

/// Writes the help.
///
/// # Errors
/// Neither group nor flag fits.
pub(super) fn render(command: Command, query: Query<'_>) -> Result<String, CliError> {
    let mut command = match query {
        Query::Relevant => command,
        Query::About(text) if text.eq_ignore_ascii_case("all") => command.mut_args(|arg| arg.hide(false)),
        Query::About(text) => about(command, text)?.after_help(""),
    };
    Ok(command.render_help().to_string())
}

fn about(command: Command, text: &str) -> Result<Command, CliError> {
    let wanted = text.to_lowercase();
    let mut groups: Vec<String> = Vec::new();
    for arg in command.get_arguments() {
        let group = arg.get_help_heading().unwrap_or_default().to_owned();
        if !group.is_empty() && !groups.contains(&group) {
            groups.push(group);
        }
    }
    let group = groups.iter().find(|group| group.to_lowercase() == wanted).cloned();
    let word = argv::dashes(wanted.trim_start_matches("--"));
    let fits = |arg: &clap::Arg| match &group {
        Some(group) => arg.get_help_heading() == Some(group),
        None => arg.get_long().is_some_and(|long| long.contains(&word)),
    };
    if word.is_empty() || !command.get_arguments().any(fits) {
        return Err(CliError::Usage(format!(
            "no group and no flag fits --help={text}; groups are: {}",
            groups.join(", ")
        )));
    }
    Ok(command.mut_args(|arg| {
        let hidden = !fits(&arg);
        arg.hide(hidden)
    }))
}
