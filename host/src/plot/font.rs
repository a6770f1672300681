//! The font of all pictures, and how wide a text is in it.
//!
//! Inter, cut down to Latin, Greek, Cyrillic and some signs; its licence lies
//! beside the files. The same data measure texts for the layout and draw them
//! into pixels, so that labels are where the layout thinks they are.

use std::sync::LazyLock;

use skrifa::instance::{LocationRef, Size};
use skrifa::outline::DrawSettings;
use skrifa::{FontRef, MetadataProvider};

pub use skrifa::outline::OutlinePen;

/// Regular weight.
pub const REGULAR: &[u8] = include_bytes!("fonts/Inter-Regular.otf");
/// Weight 600, for titles.
pub const SEMIBOLD: &[u8] = include_bytes!("fonts/Inter-SemiBold.otf");
/// Families for viewers of SVG and HTML, which bring their own fonts.
pub const FAMILIES: &str = "Inter, 'Helvetica Neue', Arial, sans-serif";
/// What a character counts that is not in the font, in units of the size.
const UNKNOWN_WIDTH: f64 = 0.7;

static FACES: LazyLock<[Option<FontRef<'static>>; 2]> =
    LazyLock::new(|| [REGULAR, SEMIBOLD].map(|data| FontRef::new(data).ok()));

/// Width of a text on one line in CSS pixels.
pub fn width(text: &str, size: f64, bold: bool) -> f64 {
    let Some(face) = &FACES[usize::from(bold)] else {
        return text.chars().count() as f64 * UNKNOWN_WIDTH * size;
    };
    let glyphs = face.glyph_metrics(Size::unscaled(), LocationRef::default());
    let units = f64::from(face.metrics(Size::unscaled(), LocationRef::default()).units_per_em.max(1));
    let charmap = face.charmap();
    let advance = |c: char| {
        let glyph = charmap.map(c)?;
        glyphs.advance_width(glyph).map(|units_wide| f64::from(units_wide) / units)
    };
    text.chars().map(|c| advance(c).unwrap_or(UNKNOWN_WIDTH)).sum::<f64>() * size
}

/// Hands the outlines of a text to `pen`, from the origin to the right, with y
/// growing upwards. A character that is not in the font gives the font's sign
/// for that.
pub fn outline(text: &str, size: f64, bold: bool, pen: &mut impl OutlinePen) {
    let Some(face) = &FACES[usize::from(bold)] else { return };
    let (charmap, glyphs) = (face.charmap(), face.outline_glyphs());
    let mut x = 0.0;
    for c in text.chars() {
        if let Some(glyph) = glyphs.get(charmap.map(c).unwrap_or_default()) {
            let settings = DrawSettings::unhinted(Size::new(size as f32), LocationRef::default());
            // A glyph that cannot be drawn leaves its place empty.
            let _ = glyph.draw(settings, &mut Shifted { pen: &mut *pen, x: x as f32 });
        }
        x += width(c.encode_utf8(&mut [0; 4]), size, bold);
    }
}

/// A pen that is moved to the right.
struct Shifted<'a, P> {
    pen: &'a mut P,
    x: f32,
}

impl<P: OutlinePen> OutlinePen for Shifted<'_, P> {
    fn move_to(&mut self, x: f32, y: f32) {
        self.pen.move_to(x + self.x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.pen.line_to(x + self.x, y);
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        self.pen.quad_to(cx + self.x, cy, x + self.x, y);
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        self.pen.curve_to(cx0 + self.x, cy0, cx1 + self.x, cy1, x + self.x, y);
    }

    fn close(&mut self) {
        self.pen.close();
    }
}

/// The text, or as much of its beginning and end as fits, with an ellipsis
/// between: names of settings differ at their ends.
pub fn fitted(text: &str, size: f64, bold: bool, room: f64) -> String {
    if width(text, size, bold) <= room {
        return text.to_owned();
    }
    let chars: Vec<char> = text.chars().collect();
    let mut kept = chars.len();
    while kept > 2 {
        kept -= 1;
        let head = kept.div_ceil(2);
        let short: String =
            chars[..head].iter().chain(['…'].iter()).chain(&chars[chars.len() - (kept - head)..]).collect();
        if width(&short, size, bold) <= room {
            return short;
        }
    }
    "…".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_measures() {
        assert!(FACES.iter().all(Option::is_some));
        let (narrow, wide) = (width("iiii", 12.0, false), width("MMMM", 12.0, false));
        assert!(narrow > 8.0 && wide > 2.0 * narrow && wide < 60.0, "{narrow} {wide}");
        assert!(width("Total", 12.0, true) > width("Total", 12.0, false));
        assert_eq!(width("漢", 10.0, false), 7.0);
    }

    #[test]
    fn long_texts_keep_both_ends() {
        let text = "compilation-config.cudagraph_capture_sizes=512";
        let short = fitted(text, 12.0, false, 150.0);
        assert!(width(&short, 12.0, false) <= 150.0);
        assert!(short.starts_with("compil") && short.ends_with("=512") && short.contains('…'), "{short}");
        assert_eq!(fitted("abc", 12.0, false, 150.0), "abc");
        assert_eq!(fitted("abc", 12.0, false, 1.0), "…");
    }
}
