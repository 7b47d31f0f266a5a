//! A figure: shapes with a class each, which the style sheet gives their look. It is written in two forms, as
//! SVG (inside the page, whose style sheet it shares, or alone with the light style inside it) and as PDF in light.
//!
//! Colours are those of Okabe and Ito, which the colour-blind can tell apart; each comes with a pattern
//! of its own, so that nothing is said by colour alone.

mod font;
mod look;
mod pdf;
mod svg;

use std::fmt::{self, Display};
use std::mem;

use super::number;

/// The look of all figures in light; the page adds what differs in the dark.
pub(super) const LIGHT_STYLE: &str = include_str!("figure.css");

/// How many upstreams have a colour and pattern of their own; the rest share the last.
pub(super) const FILLS: usize = 7;

/// Where the text stands relative to its point.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A point, in pixels from the upper left corner.
pub(super) type Point = (f64, f64);

/// A rectangle, in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Rect {
    /// Whether two rectangles share any area.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }
}

/// The patch of paper below a tag, wide enough for its text.
pub(super) fn tag_box(at: Point, text: &str) -> Rect {
    let width = 7.4 * number::length(text.chars().count()) + 8.0;
    Rect { x: at.0 - width / 2.0, y: at.1 - 8.0, width, height: 16.0 }
}

/// A figure in the making.
#[derive(Debug)]
pub(super) struct Figure {
    /// Distinguishes the ids of several figures in one page.
    id: &'static str,
    title: String,
    description: String,
    /// Width and height, in pixels.
    size: (f64, f64),
    shapes: Vec<Shape>,
}

/// What a figure is made of.
#[derive(Debug)]
enum Shape {
    Rect { class: &'static str, rect: Rect, rounded: bool },
    Filled { fill: usize, rect: Rect },
    Line { class: &'static str, from: Point, to: Point },
    Curve { class: &'static str, points: Vec<Point>, width: f64 },
    Text { class: &'static str, at: Point, anchor: Anchor, text: String },
    Titled { title: String, shapes: Vec<Shape> },
}

/// The radius of rounded corners, in pixels.
const CORNER: f64 = 5.0;

impl Figure {
    /// A figure with what a screen reader says instead of it.
    pub(super) fn new(id: &'static str, title: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            id,
            title: title.into(),
            description: description.into(),
            size: (0.0, 0.0),
            shapes: Vec::new(),
        }
    }

    /// The figure with the size that it got, in pixels.
    pub(super) fn sized(self, width: f64, height: f64) -> Self {
        Self { size: (width, height), ..self }
    }

    pub(super) fn rect(&mut self, class: &'static str, rect: Rect) {
        self.shapes.push(Shape::Rect { class, rect, rounded: false });
    }

    /// A rectangle with rounded corners.
    pub(super) fn rounded(&mut self, class: &'static str, rect: Rect) {
        self.shapes.push(Shape::Rect { class, rect, rounded: true });
    }

    /// A rectangle in one of the [`FILLS`] fills; a higher number gets the last of them.
    pub(super) fn filled(&mut self, fill: usize, rect: Rect) {
        self.shapes.push(Shape::Filled { fill: fill.min(FILLS), rect });
    }

    pub(super) fn line(&mut self, class: &'static str, from: Point, to: Point) {
        self.shapes.push(Shape::Line { class, from, to });
    }

    /// A smooth curve from left to right through the points, as wide as `width` pixels.
    pub(super) fn curve(&mut self, class: &'static str, points: &[Point], width: f64) {
        self.shapes.push(Shape::Curve { class, points: points.to_vec(), width });
    }

    pub(super) fn text(&mut self, class: &'static str, at: Point, anchor: Anchor, text: &str) {
        self.shapes.push(Shape::Text { class, at, anchor, text: text.to_owned() });
    }

    /// A short text on a patch of paper, readable on whatever lies below it; its middle is at the point.
    pub(super) fn tag(&mut self, class: &'static str, at: Point, text: &str) {
        self.rounded("tag", tag_box(at, text));
        self.text(class, (at.0, at.1 + 4.0), Anchor::Middle, text);
    }

    /// What a pointer that rests on the shapes drawn by `draw` is told.
    pub(super) fn titled(&mut self, title: &str, draw: impl FnOnce(&mut Self)) {
        let around = mem::take(&mut self.shapes);
        draw(self);
        let shapes = mem::replace(&mut self.shapes, around);
        self.shapes.push(Shape::Titled { title: title.to_owned(), shapes });
    }
}

/// The side of the square that a hatching repeats, in pixels.
const TILE: f64 = 8.0;

/// What is drawn over the colour of a fill in each square of it.
#[derive(Clone, Copy, Debug)]
enum Hatching {
    /// Lines, from a point to a point each.
    Lines(&'static [(Point, Point)]),
    /// Dots, by their middles.
    Dots(&'static [Point]),
}

/// The radius of the dots of a hatching, in pixels.
const DOT: f64 = 1.3;

/// The hatchings of the fills, in the order of their numbers; the last is for all that have none of their
/// own.
const HATCHINGS: [Hatching; FILLS + 1] = [
    Hatching::Lines(&[]),
    Hatching::Lines(&[((-2.0, 2.0), (2.0, -2.0)), ((0.0, 8.0), (8.0, 0.0)), ((6.0, 10.0), (10.0, 6.0))]),
    Hatching::Dots(&[(2.0, 2.0), (6.0, 6.0)]),
    Hatching::Lines(&[((0.0, 2.0), (8.0, 2.0)), ((0.0, 6.0), (8.0, 6.0))]),
    Hatching::Lines(&[((-2.0, 6.0), (2.0, 10.0)), ((0.0, 0.0), (8.0, 8.0)), ((6.0, -2.0), (10.0, 2.0))]),
    Hatching::Lines(&[((2.0, 0.0), (2.0, 8.0)), ((6.0, 0.0), (6.0, 8.0))]),
    Hatching::Lines(&[((0.0, 4.0), (8.0, 4.0)), ((4.0, 0.0), (4.0, 8.0))]),
    Hatching::Lines(&[((0.0, 0.0), (8.0, 8.0)), ((8.0, 0.0), (0.0, 8.0))]),
];

/// A length or coordinate, with one decimal.
#[derive(Clone, Copy, Debug)]
struct Px(f64);

impl Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.1}", if self.0.is_finite() { self.0 } else { 0.0 });
        f.write_str(text.strip_suffix(".0").unwrap_or(&text))
    }
}

/// The two points that draw the cubic curve between two points, which leaves and arrives horizontally.
fn pulls(from: Point, to: Point) -> (Point, Point) {
    let middle = f64::midpoint(from.0, to.0);
    ((middle, from.1), (middle, to.1))
}

/// A point of the curve between two points that [`Figure::curve`] draws, at a share of its parameter from 0 to 1.
pub(super) fn on_bend(from: Point, to: Point, share: f64) -> Point {
    let (past, rest) = (share, 1.0 - share);
    let (near, middle, far) = (rest * rest * rest, 3.0 * past * rest, past * past * past);
    let x = near * from.0 + middle * f64::midpoint(from.0, to.0) + far * to.0;
    let y = from.1 * (near + middle * rest) + to.1 * (middle * past + far);
    (x, y)
}
