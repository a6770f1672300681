//! Rows of a category, and the samples made of them.

use serde_json::Value;
use vbench_plugin::prelude::*;
use vbench_plugin::rules::{self, Column, ColumnKind, PromptPages, PromptRow, PromptRows};
use vbench_plugin::table::Rows;
use vbench_plugin::tokenizer;

/// What order and repeats are drawn with.
pub(crate) const SEED: u64 = 0;

const CATEGORY: &str = "category";

/// Rows read at once.
const CHUNK: u64 = 4096;

/// A file with a conversation in each row, of which the first message is asked.
pub(crate) struct FirstMessages {
    pub(crate) rows: Rows,
    /// The column with the conversation.
    pub(crate) column: &'static str,
    /// Only rows of this category.
    pub(crate) category: Option<String>,
    /// Longest answer, in tokens.
    pub(crate) output_tokens: i64,
    pub(crate) rule: PromptRows,
}

/// The dataset behind both names.
pub(crate) struct Samples {
    cx: DatasetContext,
    source: FirstMessages,
    /// The first message of a row's conversation.
    first: fn(&Value) -> Option<&str>,
    /// None before the first call.
    pages: Option<PromptPages>,
}

#[derive(Deserialize)]
struct CategoryOfRow {
    #[serde(default)]
    category: Option<Value>,
}

impl Samples {
    /// Fails when the run has no tokenizer, or its tokenizer no template where
    /// one is needed.
    pub(crate) fn new(
        cx: &DatasetContext,
        name: &str,
        source: FirstMessages,
        first: fn(&Value) -> Option<&str>,
    ) -> Result<Self> {
        let Some(info) = tokenizer::describe() else {
            return Err(Error::config(format!("dataset {name} counts tokens, which needs a tokenizer")));
        };
        source.rule.check_template(cx, Some(&info))?;
        Ok(Self { cx: cx.clone(), source, first, pages: None })
    }

    pub(crate) fn next_batch(&mut self, max: usize) -> Result<Vec<Sample>> {
        let mut pages = match self.pages.take() {
            Some(pages) => pages,
            None => self.source.rule.clone().begin(&self.cx, self.of_category()?),
        };
        let page = pages.next_page(max, |rows| self.read(rows));
        self.pages = Some(pages);
        page
    }

    pub(crate) fn summary(&self) -> Summary {
        let python_random = self.pages.as_ref().map(|pages| rules::python_state(pages.random()));
        Summary { python_random, ..Summary::default() }
    }

    /// Numbers of the rows of the category; an empty category means all.
    fn of_category(&self) -> Result<Vec<u64>> {
        let FirstMessages { rows, category, .. } = &self.source;
        let count = rows.count();
        let Some(category) = category.as_deref().filter(|category| !category.is_empty()) else {
            return Ok((0..count).collect());
        };
        // The reference client's data frame makes numbers of a column in which
        // everything looks like one, and no number is the same as a text.
        if self.cx.compat.is_reference() && Column::new(CATEGORY).kind(rows)? != ColumnKind::AsTheyAre {
            return Err(self.no_such_category(category));
        }
        let mut found = Vec::new();
        let mut start = 0;
        while start < count {
            let chunk: Vec<u64> = (start..count.min(start + CHUNK)).collect();
            let read = rows.read::<CategoryOfRow>(&chunk, &[CATEGORY])?;
            let is_it = |row: &CategoryOfRow| row.category.as_ref().and_then(Value::as_str) == Some(category);
            found.extend(chunk.iter().zip(&read).filter(|(_, row)| is_it(row)).map(|(&index, _)| index));
            start += CHUNK;
        }
        if found.is_empty() { Err(self.no_such_category(category)) } else { Ok(found) }
    }

    fn no_such_category(&self, category: &str) -> Error {
        let mut location = self.source.rows.locate(0);
        location.row = None;
        Error::input(format!("no row is of category `{category}`"))
            .key(CATEGORY)
            .at(location.column(CATEGORY))
    }

    /// What these rows ask.
    fn read(&self, rows: &[u64]) -> Result<Vec<PromptRow>> {
        let FirstMessages { rows: table, column, output_tokens, .. } = &self.source;
        let read = table.read::<serde_json::Map<String, Value>>(rows, &[column])?;
        let asked = |(row, &index): (&serde_json::Map<String, Value>, &u64)| {
            let bad = |message: String| Error::input(message).at(table.locate(index).column(*column));
            let Some(conversation) = row.get(*column) else {
                return Err(bad(format!("the row has no `{column}`")));
            };
            match (self.first)(conversation) {
                Some(prompt) => Ok(PromptRow { prompt: prompt.to_owned(), output_tokens: *output_tokens }),
                None => Err(bad(format!("the first of `{column}` has no text"))),
            }
        };
        read.iter().zip(rows).map(asked).collect()
    }
}
