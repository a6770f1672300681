//! How questions and answers are put together.

use super::Choice;
use super::snippets::SNIPPETS;

/// Sentences of a language. `{}` stands for the topic.
#[derive(Debug)]
pub(super) struct Phrases {
    /// ISO 639-1 code.
    pub(super) code: &'static str,
    /// What stands between two sentences.
    pub(super) gap: &'static str,
    pub(super) topics: &'static [&'static str],
    pub(super) questions: &'static [&'static str],
    /// What a user tells of themselves before asking.
    pub(super) circumstances: &'static [&'static str],
    /// Questions after the first.
    pub(super) follow_ups: &'static [&'static str],
    pub(super) openings: &'static [&'static str],
    pub(super) statements: &'static [&'static str],
    /// The line before a list.
    pub(super) list_intro: &'static str,
    pub(super) items: &'static [&'static str],
    /// The line before program code.
    pub(super) code_intro: &'static str,
    pub(super) closings: &'static [&'static str],
}

impl Phrases {
    /// The first message of a user.
    pub(super) fn question(&self, topic: &str, choice: &mut Choice) -> String {
        let before = choice.skewed(self.circumstances.len());
        let mut sentences = choice.several(self.circumstances, before);
        sentences.push(choice.of(self.questions));
        let mut question = sentences.join(self.gap).replace("{}", topic);
        if choice.once_in(12) {
            question.push_str("\n\n");
            question.push_str(choice.of(SNIPPETS));
        }
        question
    }

    /// The message of an assistant: paragraphs, now and then a list or code.
    pub(super) fn answer(&self, topic: &str, choice: &mut Choice) -> String {
        let mut parts = Vec::new();
        let about = choice.skewed(self.statements.len());
        let statements = choice.several(self.statements, about);
        let (first, second) = statements.split_at(statements.len().min(4));
        let opening = [choice.of(self.openings)];
        parts.push([&opening, first].concat().join(self.gap));
        if choice.once_in(3) {
            let count = 2 + choice.below(self.items.len() - 1);
            let items = choice.several(self.items, count);
            let lines: Vec<String> =
                items.iter().enumerate().map(|(index, item)| format!("{}. {item}", index + 1)).collect();
            parts.push(format!("{}\n\n{}", self.list_intro, lines.join("\n")));
        }
        if !second.is_empty() {
            parts.push(second.join(self.gap));
        }
        if choice.once_in(6) {
            parts.push(format!("{}\n\n{}", self.code_intro, choice.of(SNIPPETS)));
        }
        if choice.once_in(2) {
            parts.push(choice.of(self.closings).to_owned());
        }
        parts.join("\n\n").replace("{}", topic)
    }
}
