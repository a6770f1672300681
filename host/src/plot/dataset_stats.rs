//! What a run asked for, in four pictures: prompt, output and total lengths as
//! histograms, and both lengths request by request.

use super::axis::{Axis, grouped, short};
use super::drawing::{Anchor, Drawing, Fill, Place, TextStyle};
use super::error::PlotError;
use super::figure::{Figure, Format};
use super::frame::{Frame, Labels, beside};
use super::palette::{COLOURS, INK};

/// 14 by 10 inches.
const SIZE: (f64, f64) = (14.0 * 96.0, 10.0 * 96.0);
const DPI: f64 = 150.0;
const BINS: usize = 30;
const TEXT_PX: f64 = 15.0;
/// More bars than this are narrower than what is seen; then each is a mean.
const MOST_BARS: usize = 500;

/// The picture as a PNG file. `prompts` and `outputs` are lengths in tokens,
/// one for each request.
///
/// # Errors
/// No request, or a drawing that cannot be made into pixels.
pub fn png(prompts: &[u64], outputs: &[u64]) -> Result<Vec<u8>, PlotError> {
    if prompts.is_empty() {
        return Err(PlotError::NothingLeft("there is no request in the run".to_owned()));
    }
    draw(prompts, outputs).render(Format::Png, DPI)
}

fn draw(prompts: &[u64], outputs: &[u64]) -> Figure {
    let totals: Vec<u64> = prompts.iter().zip(outputs).map(|(prompt, output)| prompt + output).collect();
    let mut drawing = Drawing::default();
    let (prompt, output, total) = (COLOURS[0], COLOURS[1], COLOURS[2]);
    histogram(&mut drawing, cell(0, 0), "Prompt tokens", prompts, prompt);
    histogram(&mut drawing, cell(0, 1), "Output tokens", outputs, output);
    histogram(&mut drawing, cell(1, 0), "Total tokens (prompt + output)", &totals, total);
    stacked(&mut drawing, cell(1, 1), prompts, outputs, [prompt, output]);
    let (width, height) = SIZE;
    Figure { title: "Dataset statistics".to_owned(), width, height, drawing, spots: Vec::new() }
}

/// Corner and size of a quarter of the picture.
fn cell(row: usize, col: usize) -> (Place, (f64, f64)) {
    let (width, height) = (SIZE.0 / 2.0, SIZE.1 / 2.0);
    ((col as f64 * width, row as f64 * height), (width, height))
}

/// Equal parts of the stretch between the smallest and the largest value, and
/// how many values are in each; the largest is in the last part. A single
/// value has half a token of room on each side.
fn bins(values: &[u64]) -> (f64, f64, Vec<usize>) {
    let min = values.iter().copied().min().unwrap_or(0) as f64;
    let max = values.iter().copied().max().unwrap_or(0) as f64;
    let (min, max) = if min < max { (min, max) } else { (min - 0.5, max + 0.5) };
    let mut counts = vec![0; BINS];
    for value in values {
        let place = (*value as f64 - min) / (max - min) * BINS as f64;
        counts[(place as usize).min(BINS - 1)] += 1;
    }
    (min, max, counts)
}

fn histogram(
    drawing: &mut Drawing,
    cell: (Place, (f64, f64)),
    name: &str,
    values: &[u64],
    colour: &'static str,
) {
    let (min, max, counts) = bins(values);
    let y = Axis::from_zero(counts.iter().copied().max().unwrap_or(0) as f64, 6);
    let x = Axis::exact(min, max, 7);
    let frame = frame(cell, &x, &y);
    frame.draw_grid(drawing);
    let step = (max - min) / BINS as f64;
    for (index, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let from = min + index as f64 * step;
        let (upper, lower) = (frame.at(from, *count as f64), frame.at(from + step, 0.0));
        let gap = (lower.0 - upper.0) * 0.06;
        let size = (lower.0 - upper.0 - 2.0 * gap, lower.1 - upper.1);
        drawing.rect((upper.0 + gap, upper.1), size, Fill { colour, opacity: 1.0 });
    }
    frame.draw_axes(drawing, Labels { x: true, y: true });
    titles(drawing, &frame, cell, [&heading(name, values), name, "Requests"]);
}

/// Median, mean and largest value beside the name.
fn heading(name: &str, values: &[u64]) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    let median = match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[middle] as f64,
        _ => (sorted[middle - 1] as f64 + sorted[middle] as f64) / 2.0,
    };
    let mean = sorted.iter().map(|value| *value as f64).sum::<f64>() / sorted.len().max(1) as f64;
    let max = sorted.last().copied().unwrap_or(0) as f64;
    let name = name.split(" (").next().unwrap_or(name);
    format!("{name}: median {}, mean {}, largest {}", short(median), short(mean), grouped(max, 0))
}

fn stacked(
    drawing: &mut Drawing,
    cell: (Place, (f64, f64)),
    prompts: &[u64],
    outputs: &[u64],
    colours: [&'static str; 2],
) {
    let together = prompts.len().div_ceil(MOST_BARS);
    let mean = |values: &[u64]| values.iter().map(|value| *value as f64).sum::<f64>() / values.len() as f64;
    let bars: Vec<(f64, f64)> = prompts
        .chunks(together)
        .zip(outputs.chunks(together))
        .map(|(prompts, outputs)| (mean(prompts), mean(outputs)))
        .collect();
    let y = Axis::from_zero(bars.iter().map(|(prompt, output)| prompt + output).fold(0.0, f64::max), 6);
    let x = Axis::exact(0.0, prompts.len() as f64, 7);
    let frame = frame(cell, &x, &y);
    frame.draw_grid(drawing);
    for (index, (prompt, output)) in bars.iter().enumerate() {
        let from = (index * together) as f64;
        let to = (from + together as f64).min(prompts.len() as f64);
        // A hair of white between bars that are wide enough for it.
        let gap = if bars.len() > 150 { 0.0 } else { 0.08 * (to - from) };
        for (low, high, colour) in [(0.0, *prompt, colours[0]), (*prompt, prompt + output, colours[1])] {
            let (upper, lower) = (frame.at(from + gap, high), frame.at(to - gap, low));
            drawing.rect(upper, (lower.0 - upper.0, lower.1 - upper.1), Fill { colour, opacity: 1.0 });
        }
    }
    frame.draw_axes(drawing, Labels { x: true, y: true });
    let along = match together {
        1 => "Request".to_owned(),
        n => format!("Request (each bar is the mean of {n})"),
    };
    titles(drawing, &frame, cell, ["", &along, "Tokens"]);
    let top = cell.0.1 + TEXT_PX * 1.7;
    let style = TextStyle { size: TEXT_PX, bold: true, fill: INK, anchor: Anchor::Start, upwards: false };
    let mut left = frame.corner.0;
    for (name, colour) in ["Prompt tokens", "Output tokens"].into_iter().zip(colours) {
        drawing.rect((left, top - TEXT_PX * 0.8), (TEXT_PX, TEXT_PX), Fill { colour, opacity: 1.0 });
        drawing.text((left + TEXT_PX * 1.5, top), style, name);
        left += TEXT_PX * 3.2 + super::font::width(name, TEXT_PX, true);
    }
    drawing.text((left, top), TextStyle { bold: false, ..style }, "request by request");
}

fn frame<'a>(((left, top), (width, height)): (Place, (f64, f64)), x: &'a Axis, y: &'a Axis) -> Frame<'a> {
    let margin = TEXT_PX * 2.8 + beside(y, TEXT_PX * 0.9);
    Frame {
        corner: (left + margin, top + TEXT_PX * 2.8),
        size: (width - margin - TEXT_PX * 2.0, height - TEXT_PX * 7.0),
        x,
        y,
        text_px: TEXT_PX * 0.9,
    }
}

fn titles(
    drawing: &mut Drawing,
    frame: &Frame<'_>,
    ((left, top), (_, height)): (Place, (f64, f64)),
    [heading, along, up]: [&str; 3],
) {
    let style = TextStyle { size: TEXT_PX, bold: true, fill: INK, anchor: Anchor::Start, upwards: false };
    drawing.text((frame.corner.0, top + TEXT_PX * 1.7), style, heading);
    let style = TextStyle { bold: false, anchor: Anchor::Middle, ..style };
    let middle = (frame.corner.0 + frame.size.0 / 2.0, frame.corner.1 + frame.size.1 / 2.0);
    drawing.text((middle.0, top + height - TEXT_PX * 1.3), style, along);
    drawing.text((left + TEXT_PX * 1.8, middle.1), TextStyle { upwards: true, ..style }, up);
}

#[cfg(test)]
mod tests {
    use super::super::raster::tests::decode;
    use super::*;

    #[test]
    fn bins_hold_every_value_once() {
        let (min, max, counts) = bins(&[0, 10, 29, 30, 30]);
        assert_eq!((min, max), (0.0, 30.0));
        assert_eq!((counts[0], counts[10], counts[29], counts.iter().sum::<usize>()), (1, 1, 3, 5));
        let (min, max, counts) = bins(&[7, 7]);
        assert_eq!((min, max, counts[15]), (6.5, 7.5, 2));
    }

    #[test]
    fn headings_have_the_usual_figures() {
        assert_eq!(
            heading("Total tokens (x)", &[4, 1, 2, 2048]),
            "Total tokens: median 3, mean 513.8, largest 2,048"
        );
    }

    #[test]
    fn the_picture_has_its_size_and_its_colours() {
        let prompts: Vec<u64> = (0..200).map(|i| 100 + i % 37).collect();
        let outputs = vec![50; 200];
        let (width, height, pixels) = decode(&png(&prompts, &outputs).unwrap());
        assert_eq!((width, height), (2100, 1500));
        for colour in [[0x00, 0x72, 0xB2], [0xD5, 0x5E, 0x00], [0x00, 0x9E, 0x73]] {
            assert!(pixels.iter().filter(|pixel| **pixel == colour).count() > 10_000, "{colour:?}");
        }
        assert!(png(&[], &[]).is_err());
    }

    #[test]
    fn many_requests_share_bars() {
        let figure = draw(&vec![3; 100_000], &vec![4; 100_000]);
        assert!(figure.drawing.shapes.len() < 3 * MOST_BARS);
        assert!(figure.to_svg().contains("each bar is the mean of 200"));
    }
}
