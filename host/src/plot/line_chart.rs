//! Curves in a grid of frames that share their axes.

use super::axis::{Axis, grouped, short};
use super::curves::{Chart, Curve, Selection};
use super::drawing::{Anchor, Drawing, Fill, Place, Stroke, TextStyle};
use super::figure::{Figure, Spot};
use super::font;
use super::frame::{Frame, Labels, beside, ticks_across, ticks_up};
use super::label;
use super::legend::{Legend, Looks, level_name};
use super::levels::Group;
use super::palette::INK;

/// Width of a frame by its height.
const ASPECT: f64 = 1.35;
/// Size of titles in a figure of one facet, in CSS pixels.
const TEXT_PX: f64 = 13.0;
/// Curves with more points than this are drawn without markers.
const MOST_MARKERS: usize = 80;

/// Draws the curves; `facet_height_px` is the height of a facet with all that belongs to it.
pub fn draw(chart: &Chart, selection: &Selection, title: &Group, facet_height_px: f64) -> Figure {
    let layout = Layout::new(chart, selection, title, facet_height_px);
    let mut drawing = Drawing::default();
    let mut spots = Vec::new();
    layout.headings(&mut drawing);
    for row in 0..chart.rows.len() {
        for col in 0..chart.cols.len() {
            let frame = layout.frame(row, col);
            frame.draw_grid(&mut drawing);
            let curves: Vec<&Curve> =
                chart.curves.iter().filter(|curve| (curve.row, curve.col) == (row, col)).collect();
            for curve in &curves {
                layout.deviation(&mut drawing, &frame, curve);
            }
            for curve in &curves {
                layout.curve(&mut drawing, &mut spots, &frame, curve);
            }
            frame.draw_axes(&mut drawing, Labels { x: row + 1 == chart.rows.len(), y: col == 0 });
        }
    }
    if let Some(legend) = &layout.legend {
        legend.draw(&mut drawing, (layout.legend_left, layout.top), &layout.looks);
    }
    let title = if title.is_empty() {
        format!("{} by {}", label::title(&selection.var_y), label::title(&selection.var_x))
    } else {
        title.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
    };
    Figure { title, width: layout.width, height: layout.height, drawing, spots }
}

struct Layout<'a> {
    chart: &'a Chart,
    selection: &'a Selection,
    title: &'a Group,
    x: Axis,
    y: Axis,
    looks: Looks,
    legend: Option<Legend<'a>>,
    text_px: f64,
    left: f64,
    top: f64,
    frame_size: (f64, f64),
    gaps: (f64, f64),
    facet_title_px: f64,
    legend_left: f64,
    width: f64,
    height: f64,
}

impl<'a> Layout<'a> {
    fn new(chart: &'a Chart, selection: &'a Selection, title: &'a Group, facet_height_px: f64) -> Self {
        let (rows, cols) = (chart.rows.len(), chart.cols.len());
        // A grid of many facets is looked at from further away.
        let text_px = (TEXT_PX * (rows.max(cols) as f64).sqrt()).min((facet_height_px / 26.0).max(TEXT_PX));
        let height = (facet_height_px * rows as f64).max(text_px * 12.0 * rows as f64);
        let facet_title_px = facet_title(chart, 0, 0).len() as f64 * text_px * 1.35;
        let top = text_px * if title.is_empty() { 1.2 } else { 3.0 };
        let gaps = (text_px * 1.8, text_px * 1.2);

        let room_up =
            (height - top - text_px * 5.0 - gaps.1 * (rows - 1) as f64) / rows as f64 - facet_title_px;
        let frame_width = (room_up * ASPECT).max(text_px * 12.0);
        let across = if chart.x_names.is_some() { 0 } else { ticks_across(frame_width, text_px) };
        let (x, y) = axes(chart, selection, across, ticks_up(room_up, text_px));
        let probe =
            Frame { corner: (0.0, 0.0), size: (frame_width, room_up), x: &x, y: &y, text_px: text_px * 0.92 };
        let bottom = probe.below() + text_px * 2.4;
        let frame_height = ((height - top - bottom - gaps.1 * (rows - 1) as f64) / rows as f64
            - facet_title_px)
            .max(text_px * 4.0);

        let left = text_px * 2.6 + beside(&y, text_px * 0.92);
        let legend_left = left + frame_width * cols as f64 + gaps.0 * (cols - 1) as f64 + text_px * 1.6;
        let legend = Legend::new(&chart.sections, text_px, height - top - text_px);
        let width = legend_left + legend.as_ref().map_or(0.0, Legend::width) + text_px * 0.4;
        Self {
            chart,
            selection,
            title,
            x,
            y,
            looks: Looks::new(&chart.sections),
            legend,
            text_px,
            left,
            top,
            frame_size: (frame_width, frame_height),
            gaps,
            facet_title_px,
            legend_left,
            width,
            height,
        }
    }

    fn frame(&self, row: usize, col: usize) -> Frame<'_> {
        let (width, height) = self.frame_size;
        let x = self.left + col as f64 * (width + self.gaps.0);
        let y = self.top + self.facet_title_px + row as f64 * (height + self.facet_title_px + self.gaps.1);
        Frame { corner: (x, y), size: self.frame_size, x: &self.x, y: &self.y, text_px: self.text_px * 0.92 }
    }

    /// Titles of the figure, the facets and the axes.
    fn headings(&self, drawing: &mut Drawing) {
        let px = self.text_px;
        let style =
            |size, bold, upwards| TextStyle { size, bold, fill: INK, anchor: Anchor::Middle, upwards };
        let (cols, rows) = (self.chart.cols.len(), self.chart.rows.len());
        let (first, last) = (self.frame(0, 0), self.frame(rows - 1, cols - 1));
        let right = last.corner.0 + last.size.0;
        let bottom = last.corner.1 + last.size.1;
        let middle = ((first.corner.0 + right) / 2.0, (first.corner.1 + bottom) / 2.0);
        if !self.title.is_empty() {
            let text =
                self.title.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ");
            let text = font::fitted(&text, px * 1.15, true, self.width - px);
            drawing.text((self.width / 2.0, px * 1.9), style(px * 1.15, true, false), &text);
        }
        for row in 0..rows {
            for col in 0..cols {
                let frame = self.frame(row, col);
                let lines = facet_title(self.chart, row, col);
                for (index, line) in lines.iter().enumerate() {
                    let above = (lines.len() - index) as f64 * px * 1.35 - px * 0.75;
                    let text = font::fitted(line, px, true, frame.size.0);
                    let at = (frame.corner.0 + frame.size.0 / 2.0, frame.corner.1 - above);
                    drawing.text(at, style(px, true, false), &text);
                }
            }
        }
        let below = bottom + first.below() + px * 1.5;
        drawing.text((middle.0, below), style(px, false, false), &label::title(&self.selection.var_x));
        drawing.text((px * 1.6, middle.1), style(px, false, true), &label::title(&self.selection.var_y));
    }

    /// The standard deviation as a band, or as bars where a band would cross
    /// itself: at a single point, and on a curve that turns back.
    fn deviation(&self, drawing: &mut Drawing, frame: &Frame<'_>, curve: &Curve) {
        if !self.selection.error_bars || curve.points.iter().all(|point| point.sd.is_none_or(|sd| sd == 0.0))
        {
            return;
        }
        let look = self.looks.of(&curve.levels);
        let lowest = self.y.range().0;
        let bound = |x: f64, y: f64| frame.at(x, y.max(lowest));
        let ends = curve.points.iter().map(|point| {
            let sd = point.sd.unwrap_or(0.0);
            (bound(point.x, point.y + sd), bound(point.x, point.y - sd))
        });
        let ends: Vec<(Place, Place)> = ends.collect();
        drawing.open(curve_attributes(curve));
        if ends.len() > 1 && ends.is_sorted_by(|a, b| a.0.0 <= b.0.0) {
            let opacity = if self.chart.curves.len() > 8 { 0.08 } else { 0.16 };
            let lower = ends.iter().rev().map(|(_, lower)| *lower);
            let outline = ends.iter().map(|(upper, _)| *upper).chain(lower).collect();
            drawing.area(outline, Fill { colour: &look.colour, opacity });
        } else {
            let stroke = Stroke { colour: &look.colour, width: 1.4, dash: "" };
            for (upper, lower) in ends {
                drawing.line(upper, lower, stroke);
                for (x, y) in [upper, lower] {
                    drawing.line((x - 4.0, y), (x + 4.0, y), stroke);
                }
            }
        }
        drawing.close();
    }

    fn curve(&self, drawing: &mut Drawing, spots: &mut Vec<Spot>, frame: &Frame<'_>, curve: &Curve) {
        let look = self.looks.of(&curve.levels);
        let places: Vec<Place> = curve.points.iter().map(|point| frame.at(point.x, point.y)).collect();
        let crowded = self.chart.curves.len() > 12 * self.chart.rows.len() * self.chart.cols.len();
        let width = look.weight * if crowded { 1.5 } else { 2.0 } * self.text_px / TEXT_PX;
        drawing.open(curve_attributes(curve));
        if places.len() > 1 {
            drawing.path(places.clone(), Stroke { colour: &look.colour, width, dash: look.dash });
        }
        if places.len() <= MOST_MARKERS {
            let size = self.text_px * if crowded { 0.48 } else { 0.6 };
            for place in &places {
                drawing.marker(*place, look.marker, size, &look.colour);
            }
        }
        drawing.close();
        for (point, (x, y)) in curve.points.iter().zip(places) {
            let mut lines: Vec<String> = facet_title(self.chart, curve.row, curve.col);
            for (section, level) in self.chart.sections.iter().zip(&curve.levels) {
                let text = &section.levels[*level];
                lines.push(if section.key.is_empty() {
                    text.clone()
                } else {
                    format!("{}={text}", section.key)
                });
            }
            let name = self.chart.x_names.as_ref().and_then(|names| names.get(point.x as usize).cloned());
            let value = name.unwrap_or_else(|| short(point.x));
            lines.push(format!("{}: {value}", label::title(&self.selection.var_x)));
            let deviation = point.sd.map(|sd| format!(" ± {}", short(sd))).unwrap_or_default();
            lines.push(format!("{}: {}{deviation}", label::title(&self.selection.var_y), short(point.y)));
            if point.runs > 1 {
                lines.push(format!("mean of {} runs", grouped(point.runs as f64, 0)));
            }
            spots.push(Spot { x, y, levels: level_names(curve), lines });
        }
    }
}

fn axes(chart: &Chart, selection: &Selection, across: usize, up: usize) -> (Axis, Axis) {
    let points = || chart.curves.iter().flat_map(|curve| &curve.points);
    let x = match &chart.x_names {
        Some(names) => Axis::of_names(names),
        None => Axis::fit(points().map(|point| point.x), selection.scale_x, across),
    };
    let ends = points().flat_map(|point| {
        let sd = point.sd.filter(|_| selection.error_bars).unwrap_or(0.0);
        // Times and rates do not fall below zero because they vary.
        let low = if point.y >= 0.0 { (point.y - sd).max(0.0) } else { point.y - sd };
        [low, point.y, point.y + sd]
    });
    (x, Axis::fit(ends, selection.scale_y, up))
}

/// The lines above a facet: `k=v` of its row, then of its column.
fn facet_title(chart: &Chart, row: usize, col: usize) -> Vec<String> {
    let pairs = chart.rows[row].iter().chain(&chart.cols[col]);
    pairs.map(|(key, value)| format!("{key}={value}")).collect()
}

fn level_names(curve: &Curve) -> Vec<String> {
    curve.levels.iter().enumerate().map(|(section, level)| level_name(section, *level)).collect()
}

fn curve_attributes(curve: &Curve) -> Vec<(&'static str, String)> {
    vec![("class", "curve".to_owned()), ("data-levels", level_names(curve).join(" "))]
}
