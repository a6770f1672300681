//! The Pareto frontier as a picture.

use super::axis::{Axis, Scale, short};
use super::drawing::{Anchor, Drawing, Fill, Place, Stroke, TextStyle};
use super::figure::{Figure, Spot};
use super::font;
use super::frame::{Frame, Labels, beside, ticks_across, ticks_up};
use super::levels::text_of;
use super::palette::{BACKGROUND, COLOURS, INK, Marker};
use super::pareto::ParetoPoint;

/// Width and height in CSS pixels: 8 by 6 inches.
const SIZE: (f64, f64) = (768.0, 576.0);
const TEXT_PX: f64 = 13.0;
/// Labels are of 8 points.
const LABEL_PX: f64 = 8.0 * 96.0 / 72.0;
const LABEL_ROW: f64 = LABEL_PX * 1.2;

/// Draws all points in grey, and over them the frontier (places in `points`)
/// with the values of `label_by` at its points.
pub fn draw(points: &[ParetoPoint], frontier: &[usize], label_by: &[String]) -> Figure {
    let (width, height) = SIZE;
    let up = ticks_up(height, TEXT_PX);
    // Beyond the points there is room for their labels.
    let with_room = |value: f64| [value, value * 1.08];
    let y = Axis::fit(points.iter().flat_map(|point| with_room(point.tokens_per_gpu)), Scale::Linear, up);
    let left = TEXT_PX * 2.6 + beside(&y, TEXT_PX * 0.92);
    let size = (width - left - TEXT_PX * 1.6, height - TEXT_PX * 7.0);
    let across = ticks_across(size.0, TEXT_PX);
    let x =
        Axis::fit(points.iter().flat_map(|point| with_room(point.tokens_per_user)), Scale::Linear, across);
    let frame = Frame { corner: (left, TEXT_PX * 2.8), size, x: &x, y: &y, text_px: TEXT_PX * 0.92 };

    let mut drawing = Drawing::default();
    frame.draw_grid(&mut drawing);
    let place = |point: &ParetoPoint| frame.at(point.tokens_per_user, point.tokens_per_gpu);
    drawing.open(vec![("class", "curve".to_owned()), ("data-levels", "0:0".to_owned())]);
    for point in points {
        drawing.marker(place(point), Marker::Circle, TEXT_PX * 0.55, BACKGROUND);
    }
    drawing.close();
    let line: Vec<Place> = frontier.iter().map(|&at| place(&points[at])).collect();
    drawing.open(vec![("class", "curve".to_owned()), ("data-levels", "0:1".to_owned())]);
    let texts: Vec<Vec<String>> = frontier.iter().map(|&at| labels_of(&points[at], label_by)).collect();
    let all: Vec<Place> = points.iter().map(place).collect();
    let labels = arrange(&frame, &line, &texts, &all);
    for (left, top, right, bottom) in &labels {
        let ground = Fill { colour: "#FFFFFF", opacity: 0.75 };
        drawing.rect((left - 2.0, top - 1.0), (right - left + 4.0, bottom - top + 2.0), ground);
    }
    if line.len() > 1 {
        drawing.path(line.clone(), Stroke { colour: COLOURS[0], width: 2.2, dash: "" });
    }
    for at in &line {
        drawing.marker(*at, Marker::Circle, TEXT_PX * 0.72, COLOURS[0]);
    }
    let style = TextStyle { size: LABEL_PX, bold: false, fill: INK, anchor: Anchor::Start, upwards: false };
    for ((left, top, ..), lines) in labels.iter().zip(&texts) {
        for (index, text) in lines.iter().enumerate() {
            drawing.text((*left, top + LABEL_ROW * (index as f64 + 0.82)), style, text);
        }
    }
    drawing.close();
    frame.draw_axes(&mut drawing, Labels { x: true, y: true });
    titles(&mut drawing, &frame, height);

    let spots = points.iter().enumerate().map(|(index, point)| {
        let (x, y) = place(point);
        let on_frontier = frontier.contains(&index);
        let mut lines = labels_of(point, label_by);
        lines.push(format!("Tokens/s/user: {}", short(point.tokens_per_user)));
        lines.push(format!("Tokens/s/GPU: {}", short(point.tokens_per_gpu)));
        Spot { x, y, levels: vec![if on_frontier { "0:1" } else { "0:0" }.to_owned()], lines }
    });
    let spots = spots.collect();
    Figure { title: "Pareto frontier".to_owned(), width, height, drawing, spots }
}

/// What stands at a point: `key=value` for each key that the run has.
pub fn labels_of(point: &ParetoPoint, label_by: &[String]) -> Vec<String> {
    let pairs = label_by.iter().filter_map(|key| Some((key, point.fields.get(key)?)));
    pairs.map(|(key, value)| format!("{key}={}", text_of(value))).collect()
}

fn titles(drawing: &mut Drawing, frame: &Frame<'_>, height: f64) {
    let style =
        |upwards| TextStyle { size: TEXT_PX, bold: false, fill: INK, anchor: Anchor::Middle, upwards };
    let ((left, top), (width, frame_height)) = (frame.corner, frame.size);
    drawing.text((left + width / 2.0, height - TEXT_PX * 1.2), style(false), "Tokens/s/user");
    drawing.text((TEXT_PX * 1.6, top + frame_height / 2.0), style(true), "Tokens/s/GPU");
    let middle = TEXT_PX * 1.5;
    let entry = |drawing: &mut Drawing, x: f64, level: &str, name: &str| {
        drawing.open(vec![("class", "entry".to_owned()), ("data-level", level.to_owned())]);
        if level == "0:1" {
            let stroke = Stroke { colour: COLOURS[0], width: 2.2, dash: "" };
            drawing.line((x, middle), (x + TEXT_PX * 2.2, middle), stroke);
            drawing.marker((x + TEXT_PX * 1.1, middle), Marker::Circle, TEXT_PX * 0.72, COLOURS[0]);
        } else {
            drawing.marker((x + TEXT_PX * 1.1, middle), Marker::Circle, TEXT_PX * 0.55, BACKGROUND);
        }
        let at = (x + TEXT_PX * 2.8, middle + TEXT_PX * 0.36);
        drawing.text(at, TextStyle { anchor: Anchor::Start, ..style(false) }, name);
        drawing.close();
    };
    entry(drawing, left, "0:1", "Pareto frontier");
    entry(drawing, left + TEXT_PX * 3.4 + font::width("Pareto frontier", TEXT_PX, false), "0:0", "All runs");
}

/// A rectangle: left, top, right, bottom.
type Bounds = (f64, f64, f64, f64);

/// A place for each label beside its point, where it covers least: other
/// labels weigh most, then points, then the line.
fn arrange(frame: &Frame<'_>, line: &[Place], texts: &[Vec<String>], points: &[Place]) -> Vec<Bounds> {
    let on_line: Vec<Place> = line
        .windows(2)
        .flat_map(|pair| {
            let (from, to) = (pair[0], pair[1]);
            (0..=40).map(move |i| {
                let share = f64::from(i) / 40.0;
                (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share)
            })
        })
        .collect();
    let mut taken: Vec<Bounds> = Vec::new();
    for (&place, lines) in line.iter().zip(texts) {
        let width = lines.iter().map(|text| font::width(text, LABEL_PX, false)).fold(0.0, f64::max);
        let size = (width, LABEL_ROW * lines.len() as f64);
        let dear = |bounds: &Bounds| cost(bounds, frame, &taken, points, &on_line);
        // Of two that cover the same, the nearer one.
        let numbered = candidates(place, size).enumerate();
        let least = numbered
            .map(|(rank, bounds)| (dear(&bounds) + rank as f64 * 0.2, bounds))
            .min_by(|a, b| a.0.total_cmp(&b.0));
        taken
            .push(least.map_or((place.0, place.1, place.0 + size.0, place.1 + size.1), |(_, bounds)| bounds));
    }
    taken
}

/// Places around a point, the preferred ones first.
fn candidates((x, y): Place, (width, height): (f64, f64)) -> impl Iterator<Item = Bounds> {
    const DIRECTIONS: [(f64, f64); 8] = [
        (1.0, -1.0),
        (1.0, 1.0),
        (1.0, 0.0),
        (0.0, -1.0),
        (-1.0, -1.0),
        (0.0, 1.0),
        (-1.0, 1.0),
        (-1.0, 0.0),
    ];
    [7.0, 16.0, 28.0, 44.0, 64.0].into_iter().flat_map(move |gap| {
        DIRECTIONS.into_iter().map(move |(dx, dy)| {
            let middle = (x + dx * (width / 2.0 + gap), y + dy * (height / 2.0 + gap));
            let (left, top) = (middle.0 - width / 2.0, middle.1 - height / 2.0);
            (left, top, left + width, top + height)
        })
    })
}

fn cost(bounds: &Bounds, frame: &Frame<'_>, taken: &[Bounds], points: &[Place], line: &[Place]) -> f64 {
    let ((left, top), (width, height)) = (frame.corner, frame.size);
    let outside =
        bounds.0 < left + 2.0 || bounds.1 < top || bounds.2 > left + width || bounds.3 > top + height;
    let overlaps = taken
        .iter()
        .filter(|other| bounds.0 < other.2 && other.0 < bounds.2 && bounds.1 < other.3 && other.1 < bounds.3)
        .count();
    let within = |places: &[Place], margin: f64| {
        let inside = |&&(x, y): &&Place| {
            x > bounds.0 - margin && x < bounds.2 + margin && y > bounds.1 - margin && y < bounds.3 + margin
        };
        places.iter().filter(inside).count() as f64
    };
    (if outside { 1000.0 } else { 0.0 })
        + 100.0 * overlaps as f64
        + 12.0 * within(points, 4.0)
        + 4.0 * within(line, 3.0)
}
