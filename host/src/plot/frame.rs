//! The rectangle between two axes, and the axes themselves.

use super::axis::Axis;
use super::drawing::{Anchor, Drawing, Place, Stroke, TextStyle};
use super::font;
use super::palette::{AXIS, GRID, INK};

/// A rectangle in which values are drawn.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Its upper left corner.
    pub corner: Place,
    /// Its width and height in CSS pixels.
    pub size: (f64, f64),
    /// Along the bottom.
    pub x: &'a Axis,
    /// Along the left.
    pub y: &'a Axis,
    /// Size of tick labels in CSS pixels.
    pub text_px: f64,
}

/// Which sides of a frame are labelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Labels {
    /// Below.
    pub x: bool,
    /// On the left.
    pub y: bool,
}

/// Length of a tick in CSS pixels, and the gap between it and its label.
const TICK: f64 = 4.0;

impl Frame<'_> {
    /// Where a pair of values is.
    pub fn at(&self, x: f64, y: f64) -> Place {
        let ((left, top), (width, height)) = (self.corner, self.size);
        (left + self.x.place(x) * width, top + (1.0 - self.y.place(y)) * height)
    }

    /// The lines behind the data.
    pub fn draw_grid(&self, drawing: &mut Drawing) {
        let ((left, top), (width, height)) = (self.corner, self.size);
        let stroke = Stroke { colour: GRID, width: 1.0, dash: "" };
        for tick in &self.y.ticks {
            let y = self.at(0.0, tick.at).1;
            drawing.line((left, y), (left + width, y), stroke);
        }
        for tick in &self.x.ticks {
            let x = left + self.x.place(tick.at) * width;
            drawing.line((x, top), (x, top + height), stroke);
        }
    }

    /// The axes with ticks and their labels.
    pub fn draw_axes(&self, drawing: &mut Drawing, labels: Labels) {
        let ((left, top), (width, height)) = (self.corner, self.size);
        let (bottom, stroke) = (top + height, Stroke { colour: AXIS, width: 1.2, dash: "" });
        drawing.path(vec![(left, top), (left, bottom), (left + width, bottom)], stroke);
        let upwards = self.labels_run_upwards();
        let room = self.x_label_room();
        let mut style = self.style(if upwards { Anchor::End } else { Anchor::Middle });
        style.upwards = upwards;
        for tick in &self.x.ticks {
            let x = left + self.x.place(tick.at) * width;
            drawing.line((x, bottom), (x, bottom + TICK), stroke);
            if labels.x {
                let label = font::fitted(&tick.label, self.text_px, false, room);
                let below = if upwards { 0.0 } else { self.text_px };
                let across = if upwards { self.text_px * 0.36 } else { 0.0 };
                drawing.text((x + across, bottom + TICK * 1.6 + below), style, &label);
            }
        }
        for tick in &self.y.ticks {
            let y = self.at(0.0, tick.at).1;
            drawing.line((left - TICK, y), (left, y), stroke);
            if labels.y {
                let style = self.style(Anchor::End);
                drawing.text((left - TICK * 2.0, y + self.text_px * 0.36), style, &tick.label);
            }
        }
    }

    /// The height that ticks and labels take below the frame.
    pub fn below(&self) -> f64 {
        if !self.labels_run_upwards() {
            return TICK * 1.6 + self.text_px * 1.3;
        }
        let room = self.x_label_room();
        let widest =
            self.x.ticks.iter().map(|tick| font::width(&tick.label, self.text_px, false)).fold(0.0, f64::max);
        TICK * 2.0 + widest.min(room)
    }

    fn style(&self, anchor: Anchor) -> TextStyle {
        TextStyle { size: self.text_px, bold: false, fill: INK, anchor, upwards: false }
    }

    /// The width that a label has beside its neighbours.
    fn slot(&self) -> f64 {
        let places: Vec<f64> = self.x.ticks.iter().map(|tick| self.x.place(tick.at) * self.size.0).collect();
        places.windows(2).map(|pair| pair[1] - pair[0]).fold(self.size.0, f64::min)
    }

    /// Whether labels are too wide to stand beside each other.
    fn labels_run_upwards(&self) -> bool {
        let widest =
            self.x.ticks.iter().map(|tick| font::width(&tick.label, self.text_px, false)).fold(0.0, f64::max);
        widest > self.slot() * 0.95 && self.slot() < self.text_px * 9.0
    }

    /// How long a label may be.
    fn x_label_room(&self) -> f64 {
        if self.labels_run_upwards() { self.text_px * 14.0 } else { self.slot() * 0.95 }
    }
}

/// The width that ticks and labels of a vertical axis take on its left.
pub fn beside(y: &Axis, text_px: f64) -> f64 {
    let widest = y.ticks.iter().map(|tick| font::width(&tick.label, text_px, false)).fold(0.0, f64::max);
    TICK * 2.0 + widest
}

/// How many ticks fit along a width, for labels of usual length.
pub fn ticks_across(width: f64, text_px: f64) -> usize {
    (width / (text_px * 6.0)).clamp(2.0, 10.0) as usize
}

/// How many ticks fit along a height.
pub fn ticks_up(height: f64, text_px: f64) -> usize {
    (height / (text_px * 3.5)).clamp(2.0, 9.0) as usize
}
