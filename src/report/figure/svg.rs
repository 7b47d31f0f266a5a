//! Figures as SVG: every text is escaped.

use std::fmt::{self, Display, Write as _};

use super::{
    Anchor, CORNER, DOT, Figure, HATCHINGS, Hatching, LIGHT_STYLE, Point, Px, Rect, Shape, TILE, pulls,
};

impl Figure {
    /// The figure as part of a page.
    pub(in crate::report) fn inline(&self) -> String {
        self.element("")
    }

    /// The figure as a file of its own, in light colours.
    pub(in crate::report) fn svg(&self) -> String {
        let style = format!("<style>\n{LIGHT_STYLE}</style>\n");
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", self.element(&style))
    }

    fn element(&self, style: &str) -> String {
        let (id, w, h) = (self.id, Px(self.size.0), Px(self.size.1));
        let (title, description) = (Escaped(&self.title), Escaped(&self.description));
        let body = Shapes(&self.shapes, id);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"figure\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" \
             height=\"{h}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">\n\
             <title id=\"{id}-title\">{title}</title>\n<desc id=\"{id}-desc\">{description}</desc>\n\
             {style}<defs>\n{}</defs>\n<rect class=\"paper\" width=\"{w}\" height=\"{h}\"/>\n{body}</svg>\n",
            self.patterns(),
        )
    }

    /// The fills: one colour and one hatching each.
    fn patterns(&self) -> String {
        let mut defs = String::new();
        for (index, hatching) in HATCHINGS.into_iter().enumerate() {
            let _ = writeln!(
                defs,
                "<pattern id=\"{}-fill{index}\" width=\"{TILE}\" height=\"{TILE}\" patternUnits=\"userSpaceOnUse\">\
                 <rect class=\"fill{index}\" width=\"{TILE}\" height=\"{TILE}\"/>{hatching}</pattern>",
                self.id
            );
        }
        defs
    }
}

impl Display for Hatching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lines([]) => Ok(()),
            Self::Lines(lines) => {
                f.write_str("<path class=\"hatch\" d=\"")?;
                lines
                    .iter()
                    .try_for_each(|(from, to)| write!(f, "M{} {}L{} {}", from.0, from.1, to.0, to.1))?;
                f.write_str("\"/>")
            }
            Self::Dots(dots) => dots.iter().try_for_each(|(x, y)| {
                write!(f, "<circle class=\"dot\" cx=\"{x}\" cy=\"{y}\" r=\"{DOT}\"/>")
            }),
        }
    }
}

/// Shapes, a line each, with the id of their figure.
struct Shapes<'a>(&'a [Shape], &'static str);

impl Display for Shapes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(shapes, id) = *self;
        shapes.iter().try_for_each(|shape| match shape {
            Shape::Rect { class, rect, rounded } => {
                let corner = if *rounded { format!(" rx=\"{CORNER}\"") } else { String::new() };
                writeln!(f, "<rect class=\"{class}\" {}{corner}/>", Box(*rect))
            }
            Shape::Filled { fill, rect } => {
                writeln!(f, "<rect class=\"cell\" fill=\"url(#{id}-fill{fill})\" {}/>", Box(*rect))
            }
            Shape::Line { class, from, to } => {
                let (x1, y1, x2, y2) = (Px(from.0), Px(from.1), Px(to.0), Px(to.1));
                writeln!(f, "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>")
            }
            Shape::Curve { class, points, width } => {
                let (path, width) = (Bends(points), Px(*width));
                writeln!(f, "<path class=\"{class}\" d=\"{path}\" stroke-width=\"{width}\"/>")
            }
            Shape::Text { class, at, anchor, text } => {
                let (x, y, text) = (Px(at.0), Px(at.1), Escaped(text));
                let anchor = match anchor {
                    Anchor::Start => "start",
                    Anchor::Middle => "middle",
                    Anchor::End => "end",
                };
                writeln!(
                    f,
                    "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>"
                )
            }
            Shape::Titled { title, shapes } => {
                writeln!(f, "<g><title>{}</title>\n{}</g>", Escaped(title), Shapes(shapes, id))
            }
        })
    }
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

/// A path of cubic curves through the points.
struct Bends<'a>(&'a [Point]);

impl Display for Bends<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((x, y)) = self.0.first() {
            write!(f, "M{} {}", Px(*x), Px(*y))?;
        }
        self.0.iter().zip(self.0.iter().skip(1)).try_for_each(|(from, to)| {
            let ((x1, y1), (x2, y2)) = pulls(*from, *to);
            write!(f, "C{} {} {} {} {} {}", Px(x1), Px(y1), Px(x2), Px(y2), Px(to.0), Px(to.1))
        })
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
        let svg = figure.svg();
        assert!(!svg.contains("<script"));
        assert!(svg.contains("&lt;/text&gt;&lt;script&gt;alert(&#39;1&#39;)"));
        assert!(!svg.contains('\u{1b}'));
    }

    #[test]
    fn a_coordinate_that_is_no_number_does_not_spoil_the_figure() {
        let mut figure = Figure::new("f", "", "");
        figure.rect("x", Rect { x: f64::NAN, y: 1.0, width: f64::INFINITY, height: -3.0 });
        let svg = figure.inline();
        assert!(svg.contains("x=\"0\" y=\"1\" width=\"0\" height=\"0\""), "{svg}");
    }
}
