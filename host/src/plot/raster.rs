//! A drawing as pixels, and pixels as a PNG file.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use tiny_skia::{Color, FillRule, LineJoin, Paint, Path, PathBuilder, Pixmap, Stroke, StrokeDash, Transform};

use super::drawing::{Anchor, Drawing, Line, Place, Shape, TextStyle};
use super::error::PlotError;
use super::font;

/// CSS pixels in an inch.
pub const PIXELS_PER_INCH: f64 = 96.0;
/// More pixels than this are no picture that anybody can open.
const MOST_PIXELS: f64 = 120e6;

/// The drawing as a PNG file on white.
///
/// # Errors
/// More pixels than can be drawn.
pub fn png(drawing: &Drawing, (width, height): (f64, f64), dpi: f64) -> Result<Vec<u8>, PlotError> {
    let scale = dpi / PIXELS_PER_INCH;
    let (across, down) = ((width * scale).round().max(1.0), (height * scale).round().max(1.0));
    if across * down > MOST_PIXELS || !scale.is_finite() {
        return Err(PlotError::Drawing(format!(
            "{across} x {down} pixels are too many; lower --fig-dpi or --fig-height, or take --fig-format svg"
        )));
    }
    // Both are whole, and at most `MOST_PIXELS`.
    let mut pixels = Pixmap::new(across as u32, down as u32)
        .ok_or_else(|| PlotError::Drawing(format!("no memory for {across} x {down} pixels")))?;
    pixels.fill(Color::WHITE);
    let transform = Transform::from_scale((across / width) as f32, (down / height) as f32);
    for shape in &drawing.shapes {
        paint(&mut pixels, shape, transform);
    }
    encode(&pixels, dpi).map_err(|e| PlotError::Drawing(format!("cannot write PNG: {e}")))
}

fn paint(pixels: &mut Pixmap, shape: &Shape, transform: Transform) {
    match shape {
        Shape::Path { points, closed, fill, stroke } => {
            let Some(path) = path_of(points, *closed) else { return };
            if let Some((colour, opacity)) = fill {
                pixels.fill_path(&path, &paint_of(colour, *opacity), FillRule::Winding, transform, None);
            }
            if let Some(line) = stroke {
                stroke_path(pixels, &path, line, transform);
            }
        }
        Shape::Circle { centre: (x, y), radius, fill, stroke } => {
            let Some(path) = PathBuilder::from_circle(*x as f32, *y as f32, *radius as f32) else { return };
            pixels.fill_path(&path, &paint_of(fill, 1.0), FillRule::Winding, transform, None);
            stroke_path(pixels, &path, stroke, transform);
        }
        Shape::Text { at, style, text } => paint_text(pixels, *at, *style, text, transform),
        Shape::Open(_) | Shape::Close => {}
    }
}

fn stroke_path(pixels: &mut Pixmap, path: &Path, line: &Line, transform: Transform) {
    let dashes = line.dashes.iter().map(|length| *length as f32).collect::<Vec<_>>();
    let stroke = Stroke {
        width: line.width as f32,
        line_join: LineJoin::Round,
        dash: if dashes.is_empty() { None } else { StrokeDash::new(dashes, 0.0) },
        ..Stroke::default()
    };
    pixels.stroke_path(path, &paint_of(&line.colour, 1.0), &stroke, transform, None);
}

fn paint_text(pixels: &mut Pixmap, (x, y): Place, style: TextStyle, text: &str, transform: Transform) {
    let back = match style.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => font::width(text, style.size, style.bold) / 2.0,
        Anchor::End => font::width(text, style.size, style.bold),
    };
    let mut outlines = PathBuilder::new();
    font::outline(text, style.size, style.bold, &mut Pen(&mut outlines));
    let Some(path) = outlines.finish() else { return };
    let turned = if style.upwards { Transform::from_rotate(-90.0) } else { Transform::identity() };
    let place = Transform::from_translate(x as f32, y as f32)
        .pre_concat(turned)
        .pre_concat(Transform::from_translate(-back as f32, 0.0));
    pixels.fill_path(&path, &paint_of(style.fill, 1.0), FillRule::Winding, transform.pre_concat(place), None);
}

/// Takes outlines in the direction of pictures, in which y grows downwards.
struct Pen<'a>(&'a mut PathBuilder);

impl font::OutlinePen for Pen<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        self.0.move_to(x, -y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.0.line_to(x, -y);
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        self.0.quad_to(cx, -cy, x, -y);
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        self.0.cubic_to(cx0, -cy0, cx1, -cy1, x, -y);
    }

    fn close(&mut self) {
        self.0.close();
    }
}

fn path_of(points: &[Place], closed: bool) -> Option<Path> {
    let mut builder = PathBuilder::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let (x, y) = (*x as f32, *y as f32);
        if index == 0 { builder.move_to(x, y) } else { builder.line_to(x, y) }
    }
    if closed {
        builder.close();
    }
    builder.finish()
}

fn paint_of(colour: &str, opacity: f64) -> Paint<'static> {
    let channel =
        |at: usize| colour.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or(0);
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    let alpha = (opacity.clamp(0.0, 1.0) * 255.0).round() as u8;
    paint.set_color_rgba8(channel(1), channel(3), channel(5), alpha);
    paint
}

/// Eight bits a channel without transparency, since the ground is white, and
/// the resolution, so that a page shows the picture in its size. The format is
/// written here since the crate for it would bring a second compressor.
fn encode(pixels: &Pixmap, dpi: f64) -> std::io::Result<Vec<u8>> {
    const METRES_PER_INCH: f64 = 0.0254;
    let (width, height) = (pixels.width(), pixels.height());
    let mut out = Vec::from(*b"\x89PNG\r\n\x1a\n");
    let mut header = Vec::with_capacity(13);
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    // Eight bits, red-green-blue, the only compression, the only set of filters, not interlaced.
    header.extend([8, 2, 0, 0, 0]);
    chunk(&mut out, *b"IHDR", &header);
    let per_metre = ((dpi / METRES_PER_INCH).round() as u32).to_be_bytes();
    let physical: Vec<u8> = per_metre.into_iter().chain(per_metre).chain([1]).collect();
    chunk(&mut out, *b"pHYs", &physical);

    let mut data = ZlibEncoder::new(Vec::new(), Compression::new(6));
    let row_bytes = width as usize * 3;
    let (mut above, mut row) = (vec![0u8; row_bytes], vec![0u8; row_bytes]);
    let mut filtered = vec![0u8; row_bytes + 1];
    // Rows as differences from the row above ("up"), which in charts are mostly zero.
    filtered[0] = 2;
    for line in pixels.data().chunks_exact(width as usize * 4) {
        for (rgb, rgba) in row.chunks_exact_mut(3).zip(line.chunks_exact(4)) {
            rgb.copy_from_slice(&rgba[..3]);
        }
        for ((difference, byte), up) in filtered[1..].iter_mut().zip(&row).zip(&above) {
            *difference = byte.wrapping_sub(*up);
        }
        data.write_all(&filtered)?;
        std::mem::swap(&mut above, &mut row);
    }
    chunk(&mut out, *b"IDAT", &data.finish()?);
    chunk(&mut out, *b"IEND", &[]);
    Ok(out)
}

fn chunk(out: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    // `MOST_PIXELS` keeps every chunk below the format's limit of 2 GiB.
    out.extend((data.len() as u32).to_be_bytes());
    out.extend(name);
    out.extend(data);
    let mut sum = Crc::new();
    sum.update(&name);
    sum.update(data);
    out.extend(sum.sum().to_be_bytes());
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Read;

    use super::super::drawing::Fill;
    use super::super::palette::INK;
    use super::*;

    /// Size and pixels of a file that [`encode`] wrote, every checksum checked.
    pub fn decode(png: &[u8]) -> (u32, u32, Vec<[u8; 3]>) {
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        let (mut rest, mut chunks) = (&png[8..], Vec::new());
        while !rest.is_empty() {
            let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
            let mut sum = Crc::new();
            sum.update(&rest[4..8 + length]);
            assert_eq!(rest[8 + length..12 + length], sum.sum().to_be_bytes());
            chunks.push((&rest[4..8], &rest[8..8 + length]));
            rest = &rest[12 + length..];
        }
        let names: Vec<_> = chunks.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, [&b"IHDR"[..], b"pHYs", b"IDAT", b"IEND"]);
        let side = |from: usize| u32::from_be_bytes(chunks[0].1[from..from + 4].try_into().unwrap());
        let (width, height) = (side(0), side(4));
        let mut rows = Vec::new();
        flate2::read::ZlibDecoder::new(chunks[2].1).read_to_end(&mut rows).unwrap();
        let mut above = vec![0u8; width as usize * 3];
        let mut pixels = Vec::new();
        for row in rows.chunks_exact(width as usize * 3 + 1) {
            assert_eq!(row[0], 2);
            above.iter_mut().zip(&row[1..]).for_each(|(up, byte)| *up = up.wrapping_add(*byte));
            pixels.extend(above.chunks_exact(3).map(|rgb| <[u8; 3]>::try_from(rgb).unwrap()));
        }
        (width, height, pixels)
    }

    fn dark(pixels: &[[u8; 3]]) -> usize {
        pixels.iter().filter(|pixel| pixel[0] < 100).count()
    }

    #[test]
    fn pixels_follow_the_resolution() {
        let mut drawing = Drawing::default();
        drawing.rect((10.0, 5.0), (30.0, 20.0), Fill { colour: "#0072B2", opacity: 1.0 });
        let (width, height, pixels) = decode(&png(&drawing, (50.0, 40.0), 192.0).unwrap());
        assert_eq!((width, height, pixels.len()), (100, 80, 8000));
        let at = |x: usize, y: usize| pixels[y * 100 + x];
        assert_eq!((at(30, 20), at(79, 49)), ([0x00, 0x72, 0xB2], [0x00, 0x72, 0xB2]));
        assert_eq!((at(10, 20), at(90, 20), at(30, 60)), ([255; 3], [255; 3], [255; 3]));
    }

    #[test]
    fn text_is_ink_where_it_is_anchored() {
        let draw = |anchor, upwards, text: &str| {
            let mut drawing = Drawing::default();
            let style = TextStyle { size: 20.0, bold: true, fill: INK, anchor, upwards };
            drawing.text((50.0, 50.0), style, text);
            decode(&png(&drawing, (100.0, 100.0), 96.0).unwrap()).2
        };
        let half = |pixels: &[[u8; 3]], keep: fn(usize, usize) -> bool| {
            let kept = pixels.iter().enumerate().filter(|(i, _)| keep(i % 100, i / 100)).map(|(_, p)| *p);
            dark(&kept.collect::<Vec<_>>())
        };
        let start = draw(Anchor::Start, false, "HHH");
        assert!(dark(&start) > 150 && half(&start, |x, y| x < 50 || y > 50) == 0);
        assert_eq!(half(&draw(Anchor::End, false, "HHH"), |x, _| x > 50), 0);
        let upwards = draw(Anchor::Start, true, "HHH");
        assert!(dark(&upwards) > 150 && half(&upwards, |x, y| x > 50 || y > 50) == 0);
        assert_eq!(dark(&draw(Anchor::Start, false, "")), 0);
    }

    #[test]
    fn too_many_pixels_are_refused() {
        let error = png(&Drawing::default(), (1000.0, 1000.0), 1e6).unwrap_err().to_string();
        assert!(error.contains("--fig-dpi"), "{error}");
    }
}
