//! How shapes look by the style sheet of the figures, for what cannot read style sheets itself. It knows the part of
//! CSS that `figure.css` is written in: rules for classes and for `text`, of which the later wins.

use pdf_writer::types::{LineCapStyle, LineJoinStyle};

use super::LIGHT_STYLE;

/// Red, green and blue, from 0 to 1 each.
pub(super) type Colour = [f32; 3];

/// How a shape looks. Lengths are in pixels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Look {
    pub(super) fill: Option<Colour>,
    pub(super) stroke: Option<Colour>,
    pub(super) stroke_width: f32,
    pub(super) dashes: Vec<f32>,
    pub(super) caps: LineCapStyle,
    pub(super) joins: LineJoinStyle,
    /// How much of what lies below is covered, from 0 to 1.
    pub(super) opacity: f32,
    pub(super) font_size: f32,
    pub(super) bold: bool,
    pub(super) italic: bool,
}

impl Look {
    /// The look of a shape with these classes, parted by spaces.
    pub(super) fn of(classes: &str) -> Self {
        Self::by(|selector| selector.strip_prefix('.').is_some_and(|class| names(classes, class)))
    }

    /// The look of a text with these classes.
    pub(super) fn of_text(classes: &str) -> Self {
        let concerns = |class: &str| names(classes, class);
        Self::by(|selector| selector == "text" || selector.strip_prefix('.').is_some_and(concerns))
    }

    fn by(concerns: impl Fn(&str) -> bool) -> Self {
        let mut look = Self {
            fill: Some([0.0; 3]),
            stroke: None,
            stroke_width: 1.0,
            dashes: Vec::new(),
            caps: LineCapStyle::ButtCap,
            joins: LineJoinStyle::MiterJoin,
            opacity: 1.0,
            font_size: 12.0,
            bold: false,
            italic: false,
        };
        let rules = LIGHT_STYLE.split('}').filter_map(|rule| rule.split_once('{'));
        let inner = |selector: &str| concerns(selector.trim().trim_start_matches(".figure "));
        let rules = rules.filter(|(selectors, _)| selectors.split(',').any(inner));
        let declarations = rules.flat_map(|(_, declarations)| declarations.split(';'));
        for (property, value) in declarations.filter_map(|declaration| declaration.split_once(':')) {
            look.set(property.trim(), value.trim());
        }
        look
    }

    fn set(&mut self, property: &str, value: &str) {
        match property {
            "fill" => self.fill = colour(value),
            "stroke" => self.stroke = colour(value),
            "stroke-width" => self.stroke_width = length(value),
            "stroke-dasharray" => self.dashes = value.split(' ').map(length).collect(),
            "stroke-linecap" if value == "round" => self.caps = LineCapStyle::RoundCap,
            "stroke-linejoin" if value == "round" => self.joins = LineJoinStyle::RoundJoin,
            "stroke-opacity" | "fill-opacity" => self.opacity = length(value),
            "font-size" => self.font_size = length(value),
            "font-weight" => self.bold = value == "600",
            "font-style" => self.italic = value == "italic",
            _ => {}
        }
    }
}

fn names(classes: &str, class: &str) -> bool {
    classes.split(' ').any(|one| one == class)
}

/// The colour of one that covers part of another.
pub(super) fn over(below: Colour, above: Colour, opacity: f32) -> Colour {
    let mut mixed = below;
    for (mixed, above) in mixed.iter_mut().zip(above) {
        *mixed += (above - *mixed) * opacity;
    }
    mixed
}

/// `#rrggbb` or `#rgb`; nothing if it is `none`.
fn colour(value: &str) -> Option<Colour> {
    let digits = value.strip_prefix('#')?;
    let values = digits.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()));
    let values: Vec<f32> = values.collect::<Option<Vec<u8>>>()?.into_iter().map(f32::from).collect();
    match values.as_slice() {
        [r, g, b] => Some([r, g, b].map(|digit| digit / 15.0)),
        [r1, r2, g1, g2, b1, b2] => {
            Some([[r1, r2], [g1, g2], [b1, b2]].map(|[high, low]| (high * 16.0 + low) / 255.0))
        }
        _ => None,
    }
}

fn length(value: &str) -> f32 {
    value.trim_end_matches("px").parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]

    use super::*;

    #[test]
    fn a_later_rule_wins_and_what_is_not_said_stays_as_svg_has_it() {
        let label = Look::of_text("warn halo");
        assert_eq!(label.fill, Some([168.0 / 255.0, 67.0 / 255.0, 0.0]));
        assert_eq!((label.stroke, label.stroke_width), (Some([1.0; 3]), 3.5));
        assert_eq!((label.font_size, label.bold, label.italic), (11.0, true, false));
        let gap = Look::of("edge gap");
        assert_eq!((gap.fill, gap.caps, gap.dashes), (None, LineCapStyle::RoundCap, vec![0.1, 9.0]));
        assert_eq!(Look::of("unheard-of").fill, Some([0.0; 3]));
    }

    #[test]
    fn every_colour_and_length_of_the_style_sheet_is_understood() {
        let declarations = LIGHT_STYLE.split(['{', '}', ';']).filter_map(|part| part.split_once(':'));
        for (property, value) in declarations.map(|(property, value)| (property.trim(), value.trim())) {
            let understood = match property {
                "fill" | "stroke" => value == "none" || colour(value).is_some(),
                "stroke-width" | "font-size" | "stroke-opacity" | "fill-opacity" => length(value) > 0.0,
                "stroke-dasharray" => value.split(' ').all(|dash| length(dash) > 0.0),
                "stroke-linecap" => ["butt", "round"].contains(&value),
                "font-weight" => value == "600",
                "font-style" => value == "italic",
                "paint-order" => value == "stroke",
                "stroke-linejoin" => value == "round",
                "font-family" | "shape-rendering" => true,
                _ => false,
            };
            assert!(understood, "{property}: {value}");
        }
    }
}
