//! The legend: beside the frames, so that it never covers data.

use super::drawing::{Anchor, Drawing, Place, Stroke, TextStyle};
use super::font;
use super::levels::Section;
use super::palette::{self, AXIS, DASHES, INK, MARKERS, Marker};

/// How a curve looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Colour of line and markers.
    pub colour: String,
    /// Dashes of the line.
    pub dash: &'static str,
    /// Shape of its points.
    pub marker: Marker,
    /// Width of the line relative to the usual one.
    pub weight: f64,
}

/// The looks of all curves.
#[derive(Debug, Clone)]
pub struct Looks {
    sections: usize,
    colours: Vec<String>,
    thickest: usize,
}

impl Looks {
    /// Looks for curves with these sections.
    pub fn new(sections: &[Section]) -> Self {
        let first = sections.first();
        Self {
            sections: sections.len(),
            colours: palette::colours(
                first.map_or(1, |section| section.levels.len()),
                first.is_some_and(|section| section.ordered),
            ),
            thickest: sections.get(2).map_or(1, |section| section.levels.len()),
        }
    }

    /// The look of a curve: its first key is the colour, its second dashes and
    /// marker, its third the width. A single key changes markers as well.
    pub fn of(&self, levels: &[usize]) -> Look {
        let level = |section: usize| levels.get(section).copied().unwrap_or(0);
        let marked = if self.sections > 1 { level(1) } else { level(0) };
        let weight =
            if self.thickest > 1 { 0.7 + 1.5 * level(2) as f64 / (self.thickest - 1) as f64 } else { 1.0 };
        Look {
            colour: self.colours[level(0) % self.colours.len()].clone(),
            dash: DASHES[if self.sections > 1 { level(1) % DASHES.len() } else { 0 }],
            marker: MARKERS[marked % MARKERS.len()],
            weight,
        }
    }

    /// The sample of a level in the legend: what the section decides, in grey
    /// where it does not decide the colour.
    fn sample(&self, section: usize, level: usize) -> Look {
        let mut levels = [0; 3];
        levels[section.min(2)] = level;
        let look = self.of(&levels);
        match section {
            0 => look,
            _ => Look { colour: AXIS.to_owned(), ..look },
        }
    }
}

/// A legend that has been laid out.
#[derive(Debug)]
pub struct Legend<'a> {
    sections: &'a [Section],
    columns: Vec<Vec<Row>>,
    text_px: f64,
    column_width: f64,
}

#[derive(Debug, Clone, Copy)]
enum Row {
    Heading(usize),
    Entry(usize, usize),
    Gap,
}

/// Height of a row and width of a sample, relative to the text.
const ROW: f64 = 1.55;
const SAMPLE: f64 = 2.4;
/// Longest entry, relative to the text; longer ones lose their middle.
const LONGEST: f64 = 30.0;

impl<'a> Legend<'a> {
    /// Lays out a legend no higher than `height`. None if there is one curve only.
    pub fn new(sections: &'a [Section], text_px: f64, height: f64) -> Option<Self> {
        if sections.iter().all(|section| section.levels.len() < 2) {
            return None;
        }
        let mut rows = Vec::new();
        for (index, section) in sections.iter().enumerate() {
            if index > 0 {
                rows.push(Row::Gap);
            }
            if !section.key.is_empty() {
                rows.push(Row::Heading(index));
            }
            rows.extend((0..section.levels.len()).map(|level| Row::Entry(index, level)));
        }
        let fitting = ((height / (text_px * ROW)) as usize).max(4);
        let columns = rows.len().div_ceil(fitting);
        let columns: Vec<Vec<Row>> = rows.chunks(rows.len().div_ceil(columns)).map(<[Row]>::to_vec).collect();
        let widths = sections.iter().flat_map(|section| {
            let heading = font::width(&section.key, text_px, true);
            let entries = section
                .levels
                .iter()
                .map(move |text| (SAMPLE + 0.6) * text_px + font::width(text, text_px, false));
            entries.chain([heading])
        });
        let column_width = widths.fold(0.0, f64::max).min((LONGEST + SAMPLE) * text_px);
        Some(Self { sections, columns, text_px, column_width })
    }

    /// The width that it takes.
    pub fn width(&self) -> f64 {
        self.columns.len() as f64 * (self.column_width + self.text_px * 1.2)
    }

    /// Draws it from its upper left corner.
    pub fn draw(&self, drawing: &mut Drawing, (left, top): Place, looks: &Looks) {
        let px = self.text_px;
        let style = |bold| TextStyle { size: px, bold, fill: INK, anchor: Anchor::Start, upwards: false };
        for (column, rows) in self.columns.iter().enumerate() {
            let x = left + column as f64 * (self.column_width + px * 1.2);
            for (row, content) in rows.iter().enumerate() {
                let middle = top + (row as f64 + 0.5) * px * ROW;
                let base = middle + px * 0.36;
                match *content {
                    Row::Gap => {}
                    Row::Heading(section) => {
                        let text = font::fitted(&self.sections[section].key, px, true, self.column_width);
                        drawing.text((x, base), style(true), &text);
                    }
                    Row::Entry(section, level) => {
                        let look = looks.sample(section, level);
                        drawing.open(vec![
                            ("class", "entry".to_owned()),
                            ("data-level", level_name(section, level)),
                        ]);
                        let stroke =
                            Stroke { colour: &look.colour, width: 2.2 * look.weight, dash: look.dash };
                        drawing.line((x, middle), (x + px * SAMPLE, middle), stroke);
                        // A width is no marker's business.
                        if section < 2 && (section == 1 || looks.sections == 1) {
                            drawing.marker(
                                (x + px * SAMPLE / 2.0, middle),
                                look.marker,
                                px * 0.62,
                                &look.colour,
                            );
                        }
                        let room = self.column_width - px * (SAMPLE + 0.6);
                        let text = font::fitted(&self.sections[section].levels[level], px, false, room);
                        drawing.text((x + px * (SAMPLE + 0.6), base), style(false), &text);
                        drawing.close();
                    }
                }
            }
        }
    }
}

/// How a level is called in attributes of the page.
pub fn level_name(section: usize, level: usize) -> String {
    format!("{section}:{level}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(key: &str, count: usize) -> Section {
        Section {
            key: key.into(),
            levels: (0..count).map(|i| format!("level {i}")).collect(),
            ordered: false,
        }
    }

    #[test]
    fn curves_of_three_keys_all_look_different() {
        let sections = [section("a", 6), section("b", 5), section("c", 3)];
        let looks = Looks::new(&sections);
        let mut seen = Vec::new();
        for a in 0..6 {
            for b in 0..5 {
                for c in 0..3 {
                    let look = looks.of(&[a, b, c]);
                    assert!(!seen.contains(&look));
                    seen.push(look);
                }
            }
        }
    }

    #[test]
    fn a_long_legend_gets_columns() {
        let sections = [section("a", 30)];
        let legend = Legend::new(&sections, 12.0, 200.0).unwrap();
        assert_eq!(legend.columns.iter().map(Vec::len).sum::<usize>(), 31);
        assert!(legend.columns.iter().all(|rows| rows.len() as f64 * 12.0 * ROW <= 200.0));
        assert!(Legend::new(&[section("a", 1)], 12.0, 200.0).is_none());
    }
}
