//! What a picture consists of, before it is written in any form.
//!
//! Charts add shapes; [`svg`](super::svg) writes them as elements and
//! [`raster`](super::raster) as pixels. There are as few kinds of shapes as
//! charts need, so that both do the same with them.

use super::palette::Marker;

/// A point in CSS pixels from the upper left corner.
pub type Place = (f64, f64);

/// Where a text is anchored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its left end.
    Start,
    /// Its middle.
    Middle,
    /// Its right end.
    End,
}

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TextStyle {
    /// Size in CSS pixels.
    pub size: f64,
    /// Semibold instead of regular.
    pub bold: bool,
    /// Colour.
    pub fill: &'static str,
    /// Which point of it is where it is put.
    pub anchor: Anchor,
    /// Turned to run upwards.
    pub upwards: bool,
}

/// A line's look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stroke<'a> {
    /// Colour, as `#RRGGBB`.
    pub colour: &'a str,
    /// Width in CSS pixels.
    pub width: f64,
    /// Lengths of strokes and gaps in units of the width, separated by blanks;
    /// empty for a whole line.
    pub dash: &'a str,
}

/// An area's look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fill<'a> {
    /// Colour, as `#RRGGBB`.
    pub colour: &'a str,
    /// 0 is invisible, 1 covers what is below.
    pub opacity: f64,
}

/// A part of a picture.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Straight lines from point to point.
    Path {
        /// The points.
        points: Vec<Place>,
        /// Whether the last point is joined with the first.
        closed: bool,
        /// What is within, as colour and opacity.
        fill: Option<(String, f64)>,
        /// The line itself.
        stroke: Option<Line>,
    },
    /// A circle.
    Circle {
        /// Its middle.
        centre: Place,
        /// Its radius.
        radius: f64,
        /// What is within.
        fill: String,
        /// Its rim.
        stroke: Line,
    },
    /// A text on one line.
    Text {
        /// A point on its base line, by the style's anchor.
        at: Place,
        /// How it looks.
        style: TextStyle,
        /// What it says.
        text: String,
    },
    /// What follows, up to the matching [`Shape::Close`], belongs together. The
    /// pairs are attributes of an SVG group; they do not change how it looks.
    Open(Vec<(&'static str, String)>),
    /// The end of a group.
    Close,
}

/// A [`Stroke`] that owns its parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Colour, as `#RRGGBB`.
    pub colour: String,
    /// Width in CSS pixels.
    pub width: f64,
    /// Lengths of strokes and gaps in CSS pixels; empty for a whole line.
    pub dashes: Vec<f64>,
}

impl From<Stroke<'_>> for Line {
    fn from(stroke: Stroke<'_>) -> Self {
        let parts = stroke.dash.split_whitespace().filter_map(|part| part.parse::<f64>().ok());
        Self {
            colour: stroke.colour.to_owned(),
            width: stroke.width,
            dashes: parts.map(|part| part * stroke.width).collect(),
        }
    }
}

/// A picture in the making.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Drawing {
    /// From the lowest to the topmost.
    pub shapes: Vec<Shape>,
}

impl Drawing {
    /// Begins a group.
    pub fn open(&mut self, attributes: Vec<(&'static str, String)>) {
        self.shapes.push(Shape::Open(attributes));
    }

    /// Ends the innermost group.
    pub fn close(&mut self) {
        self.shapes.push(Shape::Close);
    }

    /// A filled rectangle from its upper left corner.
    pub fn rect(&mut self, (x, y): Place, (width, height): (f64, f64), fill: Fill<'_>) {
        self.area(vec![(x, y), (x + width, y), (x + width, y + height), (x, y + height)], fill);
    }

    /// A straight line.
    pub fn line(&mut self, from: Place, to: Place, stroke: Stroke<'_>) {
        self.path(vec![from, to], stroke);
    }

    /// Straight lines from point to point.
    pub fn path(&mut self, points: Vec<Place>, stroke: Stroke<'_>) {
        self.shapes.push(Shape::Path { points, closed: false, fill: None, stroke: Some(stroke.into()) });
    }

    /// A filled area.
    pub fn area(&mut self, points: Vec<Place>, fill: Fill<'_>) {
        let fill = Some((fill.colour.to_owned(), fill.opacity));
        self.shapes.push(Shape::Path { points, closed: true, fill, stroke: None });
    }

    /// A text on one line; `at` is on its base line.
    pub fn text(&mut self, at: Place, style: TextStyle, text: &str) {
        self.shapes.push(Shape::Text { at, style, text: text.to_owned() });
    }

    /// A point's shape, about `size` pixels across, with a thin light rim so
    /// that points on top of each other stay apart.
    pub fn marker(&mut self, (x, y): Place, marker: Marker, size: f64, colour: &str) {
        const WHITE: &str = "#FFFFFF";
        let radius = size / 2.0;
        let rim = Line { colour: WHITE.to_owned(), width: (size / 10.0).max(0.6), dashes: Vec::new() };
        let corners: &[Place] = match marker {
            Marker::Circle => {
                let fill = colour.to_owned();
                self.shapes.push(Shape::Circle { centre: (x, y), radius, fill, stroke: rim });
                return;
            }
            Marker::Ring => {
                let stroke = Line { colour: colour.to_owned(), width: size / 4.5, ..rim };
                let fill = WHITE.to_owned();
                self.shapes.push(Shape::Circle { centre: (x, y), radius: radius * 0.8, fill, stroke });
                return;
            }
            Marker::Square => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            Marker::Up => &[(0.0, -1.15), (1.1, 0.8), (-1.1, 0.8)],
            Marker::Down => &[(0.0, 1.15), (-1.1, -0.8), (1.1, -0.8)],
            Marker::Diamond => &[(0.0, -1.25), (1.1, 0.0), (0.0, 1.25), (-1.1, 0.0)],
        };
        self.shapes.push(Shape::Path {
            points: corners.iter().map(|(dx, dy)| (x + dx * radius, y + dy * radius)).collect(),
            closed: true,
            fill: Some((colour.to_owned(), 1.0)),
            stroke: Some(rim),
        });
    }
}
