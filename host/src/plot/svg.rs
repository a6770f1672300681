//! A drawing as a document of vectors.

use std::fmt::Write;

use super::drawing::{Anchor, Drawing, Line, Place, Shape, TextStyle};
use super::font;

/// The drawing as an SVG document on white, in CSS pixels.
pub fn document(drawing: &Drawing, (width, height): (f64, f64), title: &str) -> String {
    let (width, height) = (num(width), num(height));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} \
         {height}\" font-family=\"{}\">\n<title>{}</title>\n<rect width=\"{width}\" height=\"{height}\" \
         fill=\"#FFFFFF\"/>\n",
        font::FAMILIES,
        escape(title)
    );
    for shape in &drawing.shapes {
        element(&mut out, shape);
    }
    out.push_str("</svg>\n");
    out
}

fn element(out: &mut String, shape: &Shape) {
    // Writing to a String does not fail.
    let _ = match shape {
        Shape::Path { points, closed, fill, stroke } => {
            let end = if *closed { "Z" } else { "" };
            let fill = match fill {
                None => r#" fill="none""#.to_owned(),
                Some((colour, opacity)) if *opacity >= 1.0 => format!(r#" fill="{colour}""#),
                Some((colour, opacity)) => format!(r#" fill="{colour}" fill-opacity="{}""#, num(*opacity)),
            };
            let stroke = stroke.as_ref().map(stroke_attributes).unwrap_or_default();
            writeln!(out, r#"<path d="{}{end}"{fill}{stroke}/>"#, path_data(points))
        }
        Shape::Circle { centre: (x, y), radius, fill, stroke } => writeln!(
            out,
            r#"<circle cx="{}" cy="{}" r="{}" fill="{fill}"{}/>"#,
            num(*x),
            num(*y),
            num(*radius),
            stroke_attributes(stroke)
        ),
        Shape::Text { at, style, text } => writeln!(out, "{}", text_element(*at, *style, text)),
        Shape::Open(attributes) => {
            let attributes: String =
                attributes.iter().map(|(name, value)| format!(r#" {name}="{}""#, escape(value))).collect();
            writeln!(out, "<g{attributes}>")
        }
        Shape::Close => writeln!(out, "</g>"),
    };
}

fn text_element((x, y): Place, style: TextStyle, text: &str) -> String {
    let anchor = match style.anchor {
        Anchor::Start => "",
        Anchor::Middle => r#" text-anchor="middle""#,
        Anchor::End => r#" text-anchor="end""#,
    };
    let weight = if style.bold { r#" font-weight="600""# } else { "" };
    let (x, y, size, fill) = (num(x), num(y), num(style.size), style.fill);
    let turn = if style.upwards { format!(r#" transform="rotate(-90 {x} {y})""#) } else { String::new() };
    format!(
        r#"<text x="{x}" y="{y}" font-size="{size}" fill="{fill}"{anchor}{weight}{turn}>{}</text>"#,
        escape(text)
    )
}

fn stroke_attributes(line: &Line) -> String {
    let mut out =
        format!(r#" stroke="{}" stroke-width="{}" stroke-linejoin="round""#, line.colour, num(line.width));
    if !line.dashes.is_empty() {
        let dashes: Vec<String> = line.dashes.iter().map(|length| num(*length)).collect();
        let _ = write!(out, r#" stroke-dasharray="{}""#, dashes.join(" "));
    }
    out
}

fn path_data(points: &[Place]) -> String {
    let mut data = String::with_capacity(points.len() * 12);
    for (index, (x, y)) in points.iter().enumerate() {
        let command = if index == 0 { 'M' } else { 'L' };
        let _ = write!(data, "{command}{} {}", num(*x), num(*y));
    }
    data
}

/// A coordinate with two decimals at most.
fn num(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Text as XML and HTML hold it, within elements and quoted attributes.
/// Characters that XML forbids are left out.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::drawing::Stroke;
    use super::*;

    #[test]
    fn text_is_escaped_and_numbers_are_short() {
        assert_eq!(escape("a<b & \"c\"\u{1}\n'd'>"), "a&lt;b &amp; &quot;c&quot; 'd'&gt;");
        assert_eq!((num(1.0), num(-0.001), num(2.456)), ("1".into(), "0".into(), "2.46".into()));
    }

    #[test]
    fn dashes_grow_with_the_line() {
        let mut drawing = Drawing::default();
        drawing.path(vec![(0.0, 0.0), (10.0, 5.5)], Stroke { colour: "#000000", width: 2.0, dash: "5 2.5" });
        let text = document(&drawing, (10.0, 10.0), "<t>");
        assert!(text.contains(r#"d="M0 0L10 5.5""#) && text.contains(r#"stroke-dasharray="10 5""#), "{text}");
        assert!(text.contains("<title>&lt;t&gt;</title>"), "{text}");
    }
}
