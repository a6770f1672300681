//! A finished picture, and the three forms in which it is kept.
//!
//! There is one drawing. SVG and PNG are written from it, and the interactive
//! page holds the SVG with a script that shows values, so that all look alike.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::drawing::Drawing;
use super::error::PlotError;
use super::{page, raster, svg};

/// The form of a picture's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Pixels.
    #[default]
    Png,
    /// Vectors.
    Svg,
    /// A page of its own that shows values.
    Html,
}

impl Format {
    /// The ending of file names.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Svg => "svg",
            Self::Html => "html",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let formats = [Self::Png, Self::Svg, Self::Html];
        let found = formats.into_iter().find(|format| format.extension() == text.trim());
        found.ok_or_else(|| "has to be png, svg or html".to_owned())
    }
}

/// A point that has something to say when it is pointed at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spot {
    /// Where it is, in CSS pixels.
    pub x: f64,
    /// Where it is, in CSS pixels.
    pub y: f64,
    /// The levels of its curve, as in the attribute `data-levels` of what is
    /// hidden when one of them is switched off in the legend.
    pub levels: Vec<String>,
    /// What it says.
    pub lines: Vec<String>,
}

/// A finished picture.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What the page is called.
    pub title: String,
    /// Width in CSS pixels.
    pub width: f64,
    /// Height in CSS pixels.
    pub height: f64,
    /// The picture itself.
    pub drawing: Drawing,
    /// What can be pointed at.
    pub spots: Vec<Spot>,
}

impl Figure {
    /// The content of a file of this form; `dpi` counts for pixels only.
    ///
    /// # Errors
    /// More pixels than can be drawn.
    pub fn render(&self, format: Format, dpi: f64) -> Result<Vec<u8>, PlotError> {
        match format {
            Format::Png => raster::png(&self.drawing, (self.width, self.height), dpi),
            Format::Svg => Ok(self.to_svg().into_bytes()),
            Format::Html => Ok(page::of_figure(self).into_bytes()),
        }
    }

    /// The drawing as a document.
    pub fn to_svg(&self) -> String {
        svg::document(&self.drawing, (self.width, self.height), &self.title)
    }
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn formats_are_read() {
        assert_eq!("svg".parse(), Ok(Format::Svg));
        assert!("gif".parse::<Format>().is_err());
    }
}
