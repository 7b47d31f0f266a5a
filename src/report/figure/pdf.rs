//! Figures as PDF for papers: shapes as shapes, text as text in a font that is inside, the page as large as the figure.
//! No date and no chance goes in, and nothing shines through, so that it is the same bytes each time and prints
//! everywhere.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::types::{ColorSpaceOperand, PaintType, TextRenderingMode, TilingType};
use pdf_writer::{Content, Filter, Finish as _, Name, Pdf, Ref, TextStr};

use super::font::Fonts;
use super::look::{Colour, Look, over};
use super::{Anchor, CORNER, DOT, FILLS, Figure, HATCHINGS, Hatching, Point, Px, Rect, Shape, TILE, pulls};

/// Points of a printer in a pixel.
const POINTS: f32 = 0.75;

/// How far from the corner the curve of a quarter of a circle is pulled, in radii.
const ROUND: f64 = 0.447_715;

impl Figure {
    /// The figure as a PDF file, in light colours.
    ///
    /// # Errors
    /// If what comes with the program is no font, which would be a mistake in it.
    pub(in crate::report) fn pdf(&self) -> io::Result<Vec<u8>> {
        let (width, height) = self.size;
        let mut page = Page { content: Content::new(), fonts: Fonts::new()? };
        // Pixels count down from the upper left corner, points up from the lower left one.
        let upright = [POINTS, 0.0, 0.0, -POINTS, 0.0, px(height) * POINTS];
        page.content.transform(upright);
        page.rect("paper", Rect { x: 0.0, y: 0.0, width, height }, false);
        page.shapes(&self.shapes);

        let mut last = Ref::new(1);
        let mut next = || last.bump();
        let (catalogue, pages, only, content, about) = (next(), next(), next(), next(), next());
        let fonts: Vec<_> = page.fonts.used().map(|font| (font, next())).collect();
        let hatchings: Vec<_> = (1..=FILLS).map(|fill| (fill, next())).collect();
        let mut pdf = Pdf::new();
        // As old as it may be: TeX warns of what is newer than its own.
        pdf.set_version(1, 4);
        pdf.catalog(catalogue).pages(pages);
        pdf.pages(pages).kids([only]).count(1);
        let (title, subject) = (TextStr(&self.title), TextStr(&self.description));
        pdf.document_info(about).title(title).subject(subject).producer(TextStr("tetherline"));
        let mut written = pdf.page(only);
        let paper = pdf_writer::Rect::new(0.0, 0.0, px(width) * POINTS, px(height) * POINTS);
        written.parent(pages).media_box(paper).contents(content);
        let mut resources = written.resources();
        resources.fonts().pairs(fonts.iter().map(|(font, id)| (font.name(), *id)));
        let mut patterns = resources.patterns();
        for (fill, id) in &hatchings {
            patterns.pair(Name(hatching_name(*fill).as_bytes()), *id);
        }
        patterns.finish();
        resources.finish();
        written.finish();
        for (font, id) in fonts {
            font.write(&mut pdf, id, &mut next)?;
        }
        for (fill, id) in hatchings {
            write_hatching(&mut pdf, id, fill, upright);
        }
        let drawn = compressed(&page.content.finish())?;
        pdf.stream(content, &drawn).filter(Filter::FlateDecode);
        Ok(pdf.finish())
    }
}

/// What is drawn so far.
struct Page {
    content: Content,
    fonts: Fonts,
}

impl Page {
    fn shapes(&mut self, shapes: &[Shape]) {
        for shape in shapes {
            match shape {
                Shape::Rect { class, rect, rounded } => self.rect(class, *rect, *rounded),
                Shape::Filled { fill, rect } => self.filled(*fill, *rect),
                Shape::Line { class, from, to } => self.line(class, *from, *to),
                Shape::Curve { class, points, width } => {
                    let look = Look { stroke_width: px(*width), ..Look::of(class) };
                    paint(&mut self.content, &look, |content| curve(content, points));
                }
                Shape::Text { class, at, anchor, text } => self.text(class, *at, *anchor, text),
                Shape::Titled { shapes, .. } => self.shapes(shapes),
            }
        }
    }

    fn rect(&mut self, class: &str, rect: Rect, rounded: bool) {
        let corner = if rounded { CORNER } else { 0.0 };
        paint(&mut self.content, &Look::of(class), |content| outline(content, rect, corner));
    }

    /// The colour first, whole, so that no seam shows between the squares of the hatching.
    fn filled(&mut self, fill: usize, rect: Rect) {
        let content = &mut self.content;
        paint(content, &Look::of(&format!("fill{fill}")), |content| outline(content, rect, 0.0));
        if fill > 0 {
            content.save_state().set_fill_color_space(ColorSpaceOperand::Pattern);
            content.set_fill_pattern([], Name(hatching_name(fill).as_bytes()));
            outline(content, rect, 0.0);
            content.fill_nonzero().restore_state();
        }
    }

    fn line(&mut self, class: &str, from: Point, to: Point) {
        let look = Look { fill: None, ..Look::of(class) };
        paint(&mut self.content, &look, |content| {
            content.move_to(px(from.0), px(from.1)).line_to(px(to.0), px(to.1));
        });
    }

    /// A text, over a seam in the colour of the paper if its class has one.
    fn text(&mut self, class: &str, at: Point, anchor: Anchor, text: &str) {
        let look = Look::of_text(class);
        let font = self.fonts.of(&look);
        let (shown, width) = font.set(text);
        let before = match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => 0.5,
            Anchor::End => 1.0,
        };
        let place = [1.0, 0.0, 0.0, -1.0, px(at.0) - before * width * look.font_size, px(at.1)];
        let mut show = |mode| {
            self.content.save_state().begin_text().set_font(font.name(), look.font_size);
            self.content.set_text_matrix(place).set_text_rendering_mode(mode);
            set(&mut self.content, &look);
            self.content.show(pdf_writer::Str(&shown)).end_text().restore_state();
        };
        if look.stroke.is_some() {
            show(TextRenderingMode::Stroke);
        }
        show(TextRenderingMode::Fill);
    }
}

fn paint(content: &mut Content, look: &Look, path: impl FnOnce(&mut Content)) {
    content.save_state();
    set(content, look);
    path(content);
    match (look.fill, look.stroke) {
        (Some(_), Some(_)) => content.fill_nonzero_and_stroke(),
        (Some(_), None) => content.fill_nonzero(),
        (None, Some(_)) => content.stroke(),
        (None, None) => content.end_path(),
    };
    content.restore_state();
}

fn set(content: &mut Content, look: &Look) {
    if let Some([red, green, blue]) = look.fill {
        content.set_fill_rgb(red, green, blue);
    }
    if let Some([red, green, blue]) = look.stroke {
        content.set_stroke_rgb(red, green, blue).set_line_width(look.stroke_width);
        content.set_line_join(look.joins).set_line_cap(look.caps);
        content.set_dash_pattern(look.dashes.iter().copied(), 0.0);
    }
}

fn outline(content: &mut Content, rect: Rect, corner: f64) {
    let Rect { x, y, width, height } = rect;
    let (width, height) = (width.max(0.0), height.max(0.0));
    if corner <= 0.0 {
        content.rect(px(x), px(y), px(width), px(height));
        return;
    }
    let (right, bottom) = (x + width, y + height);
    let corners = [
        ((right, y), (-1.0, 0.0), (0.0, 1.0)),
        ((right, bottom), (0.0, -1.0), (-1.0, 0.0)),
        ((x, bottom), (1.0, 0.0), (0.0, -1.0)),
        ((x, y), (0.0, 1.0), (1.0, 0.0)),
    ];
    let from = |(x, y): Point, (right, down): Point, far: f64| (px(x + right * far), px(y + down * far));
    content.move_to(px(x + corner), px(y));
    for (at, back, on) in corners {
        let (begin, end) = (from(at, back, corner), from(at, on, corner));
        let (one, other) = (from(at, back, corner * ROUND), from(at, on, corner * ROUND));
        content.line_to(begin.0, begin.1).cubic_to(one.0, one.1, other.0, other.1, end.0, end.1);
    }
    content.close_path();
}

fn curve(content: &mut Content, points: &[Point]) {
    if let Some((x, y)) = points.first() {
        content.move_to(px(*x), px(*y));
    }
    for (from, to) in points.iter().zip(points.iter().skip(1)) {
        let ((x1, y1), (x2, y2)) = pulls(*from, *to);
        content.cubic_to(px(x1), px(y1), px(x2), px(y2), px(to.0), px(to.1));
    }
}

fn hatching_name(fill: usize) -> String {
    format!("Hatching{fill}")
}

/// The hatching of a fill. Where it would let the colour below shine through, it has the colour that this would give.
fn write_hatching(pdf: &mut Pdf, id: Ref, fill: usize, upright: [f32; 6]) {
    let below = Look::of(&format!("fill{fill}")).fill.unwrap_or_default();
    let mixed = |above: Option<Colour>, opacity| above.map(|above| over(below, above, opacity));
    let mut content = Content::new();
    match HATCHINGS.get(fill) {
        None => {}
        Some(Hatching::Lines(lines)) => {
            let look = Look::of("hatch");
            let look = Look { stroke: mixed(look.stroke, look.opacity), ..look };
            paint(&mut content, &look, |content| {
                for (from, to) in *lines {
                    content.move_to(px(from.0), px(from.1)).line_to(px(to.0), px(to.1));
                }
            });
        }
        Some(Hatching::Dots(dots)) => {
            let look = Look::of("dot");
            let look = Look { fill: mixed(look.fill, look.opacity), ..look };
            for (x, y) in *dots {
                let around = Rect { x: x - DOT, y: y - DOT, width: 2.0 * DOT, height: 2.0 * DOT };
                paint(&mut content, &look, |content| outline(content, around, DOT));
            }
        }
    }
    let (content, tile) = (content.finish(), px(TILE));
    let mut pattern = pdf.tiling_pattern(id, &content);
    pattern.paint_type(PaintType::Colored).tiling_type(TilingType::NoDistortion);
    pattern.bbox(pdf_writer::Rect::new(0.0, 0.0, tile, tile)).x_step(tile).y_step(tile).matrix(upright);
    pattern.resources();
}

/// A length or coordinate, with the decimals that it has in SVG.
fn px(value: f64) -> f32 {
    Px(value).to_string().parse().unwrap_or_default()
}

/// Bytes as PDF stores them.
///
/// # Errors
/// None that memory does not make.
pub(super) fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}
