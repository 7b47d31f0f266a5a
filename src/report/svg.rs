//! A small writer of SVG: shapes with a class, text that is always escaped, and the two ways in which a
//! figure is used: inside the page, whose style sheet it shares, and alone, with the light style inside it.
//!
//! Colours are those of Okabe and Ito, which the colour-blind can tell apart; each comes with a pattern
//! of its own, so that nothing is said by colour alone.

use std::fmt::{self, Display, Write as _};

use super::number;

/// The look of all figures in light; the page adds what differs in the dark.
pub(super) const LIGHT_STYLE: &str = include_str!("templates/figure.css");

/// How many upstreams have a colour and pattern of their own; the rest share the last.
pub(super) const FILLS: usize = 7;

/// Where the text stands relative to its point.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
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
    body: String,
}

impl Figure {
    /// A figure with what a screen reader says instead of it.
    pub(super) fn new(id: &'static str, title: impl Into<String>, description: impl Into<String>) -> Self {
        Self { id, title: title.into(), description: description.into(), body: String::new() }
    }

    pub(super) fn rect(&mut self, class: &str, rect: Rect) {
        self.shape(format_args!("<rect class=\"{class}\" {}/>", Box(rect)));
    }

    /// A rectangle with rounded corners.
    pub(super) fn rounded(&mut self, class: &str, rect: Rect) {
        self.shape(format_args!("<rect class=\"{class}\" {} rx=\"5\"/>", Box(rect)));
    }

    /// A rectangle in one of the [`FILLS`] fills; a higher number gets the last of them.
    pub(super) fn filled(&mut self, fill: usize, rect: Rect) {
        let id = self.id;
        let fill = fill.min(FILLS);
        self.shape(format_args!("<rect class=\"cell\" fill=\"url(#{id}-fill{fill})\" {}/>", Box(rect)));
    }

    pub(super) fn line(&mut self, class: &str, from: Point, to: Point) {
        let (x1, y1, x2, y2) = (Px(from.0), Px(from.1), Px(to.0), Px(to.1));
        self.shape(format_args!(
            "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"
        ));
    }

    /// A smooth curve from left to right through the points, as wide as `width` pixels.
    pub(super) fn curve(&mut self, class: &str, points: &[Point], width: f64) {
        let mut path = String::new();
        for (index, point) in points.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|before| points.get(before));
            let _ = match before {
                None => write!(path, "M{} {}", Px(point.0), Px(point.1)),
                Some(before) => write!(path, "{}", Bend(*before, *point)),
            };
        }
        let width = Px(width);
        self.shape(format_args!("<path class=\"{class}\" d=\"{path}\" stroke-width=\"{width}\"/>"));
    }

    pub(super) fn text(&mut self, class: &str, at: Point, anchor: Anchor, text: &str) {
        let (x, y, anchor, text) = (Px(at.0), Px(at.1), anchor.as_str(), Escaped(text));
        let start = format_args!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">");
        self.shape(format_args!("{start}{text}</text>"));
    }

    /// A short text on a patch of paper, readable on whatever lies below it; its middle is at the point.
    pub(super) fn tag(&mut self, class: &str, at: Point, text: &str) {
        self.rounded("tag", tag_box(at, text));
        self.text(class, (at.0, at.1 + 4.0), Anchor::Middle, text);
    }

    /// What a pointer that rests on the shapes drawn by `draw` is told.
    pub(super) fn titled(&mut self, title: &str, draw: impl FnOnce(&mut Self)) {
        let title = Escaped(title);
        self.shape(format_args!("<g><title>{title}</title>"));
        draw(self);
        self.shape(format_args!("</g>"));
    }

    fn shape(&mut self, shape: fmt::Arguments<'_>) {
        let _ = writeln!(self.body, "{shape}");
    }

    /// The figure as part of a page.
    pub(super) fn inline(&self, size: (f64, f64)) -> String {
        self.element(size, "")
    }

    /// The figure as a file of its own, in light colours.
    pub(super) fn standalone(&self, size: (f64, f64)) -> String {
        let style = format!("<style>\n{LIGHT_STYLE}</style>\n");
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", self.element(size, &style))
    }

    fn element(&self, (width, height): (f64, f64), style: &str) -> String {
        let (id, w, h) = (self.id, Px(width), Px(height));
        let (title, description) = (Escaped(&self.title), Escaped(&self.description));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"figure\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" \
             height=\"{h}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">\n\
             <title id=\"{id}-title\">{title}</title>\n<desc id=\"{id}-desc\">{description}</desc>\n\
             {style}<defs>\n{}</defs>\n<rect class=\"paper\" width=\"{w}\" height=\"{h}\"/>\n{}</svg>\n",
            self.patterns(),
            self.body
        )
    }

    /// The fills: one colour and one hatching each.
    fn patterns(&self) -> String {
        let mut defs = String::new();
        for (index, hatching) in HATCHINGS.into_iter().enumerate() {
            let _ = writeln!(
                defs,
                "<pattern id=\"{}-fill{index}\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">\
                 <rect class=\"fill{index}\" width=\"8\" height=\"8\"/>{hatching}</pattern>",
                self.id
            );
        }
        defs
    }
}

/// The hatchings of the fills, in the order of their numbers; the last is for all that have none of their
/// own.
const HATCHINGS: [&str; 8] = [
    "",
    "<path class=\"hatch\" d=\"M-2 2l4-4M0 8l8-8M6 10l4-4\"/>",
    "<circle class=\"dot\" cx=\"2\" cy=\"2\" r=\"1.3\"/><circle class=\"dot\" cx=\"6\" cy=\"6\" r=\"1.3\"/>",
    "<path class=\"hatch\" d=\"M0 2h8M0 6h8\"/>",
    "<path class=\"hatch\" d=\"M-2 6l4 4M0 0l8 8M6-2l4 4\"/>",
    "<path class=\"hatch\" d=\"M2 0v8M6 0v8\"/>",
    "<path class=\"hatch\" d=\"M0 4h8M4 0v8\"/>",
    "<path class=\"hatch\" d=\"M0 0l8 8M8 0l-8 8\"/>",
];

/// A coordinate, with one decimal.
struct Px(f64);

impl Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.1}", if self.0.is_finite() { self.0 } else { 0.0 });
        f.write_str(text.strip_suffix(".0").unwrap_or(&text))
    }
}

/// A point of the curve between two points that [`Figure::curve`] draws, at a share of its parameter from 0 to 1.
pub(super) fn on_bend(from: Point, to: Point, share: f64) -> Point {
    let (past, rest) = (share, 1.0 - share);
    let (near, middle, far) = (rest * rest * rest, 3.0 * past * rest, past * past * past);
    let x = near * from.0 + middle * f64::midpoint(from.0, to.0) + far * to.0;
    let y = from.1 * (near + middle * rest) + to.1 * (middle * past + far);
    (x, y)
}

/// The attributes of a rectangle.
struct Box(Rect);

impl Display for Box {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rect { x, y, width, height } = self.0;
        let (width, height) = (width.max(0.0), height.max(0.0));
        write!(f, "x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"", Px(x), Px(y), Px(width), Px(height))
    }
}

/// A cubic curve that leaves and arrives horizontally.
struct Bend(Point, Point);

impl Display for Bend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self((x1, y1), (x2, y2)) = *self;
        let middle = f64::midpoint(x1, x2);
        write!(f, "C{} {} {} {} {} {}", Px(middle), Px(y1), Px(middle), Px(y2), Px(x2), Px(y2))
    }
}

/// A text in XML: the five special characters escaped, and what XML 1.0 cannot hold replaced.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\u{fffe}' | '\u{ffff}' => f.write_char('\u{fffd}')?,
                character if character.is_control() => f.write_char('\u{fffd}')?,
                character => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_leave_its_element() {
        let mut figure = Figure::new("f", "<t>", "\"d\"");
        figure.text("label", (1.0, 2.25), Anchor::Middle, "</text><script>alert('1')</script>\u{1b}");
        let svg = figure.standalone((10.0, 10.0));
        assert!(!svg.contains("<script"));
        assert!(svg.contains("&lt;/text&gt;&lt;script&gt;alert(&#39;1&#39;)"));
        assert!(!svg.contains('\u{1b}'));
    }

    #[test]
    fn a_coordinate_that_is_no_number_does_not_spoil_the_figure() {
        let mut figure = Figure::new("f", "", "");
        figure.rect("x", Rect { x: f64::NAN, y: 1.0, width: f64::INFINITY, height: -3.0 });
        let svg = figure.inline((10.0, 10.0));
        assert!(svg.contains("x=\"0\" y=\"1\" width=\"0\" height=\"0\""), "{svg}");
    }
}
