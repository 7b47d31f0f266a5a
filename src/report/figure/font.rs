//! The font of figures in PDF, which comes with the program, so that a figure is the same on every machine and no
//! reader needs a font of its own.

use std::collections::BTreeMap;
use std::io;

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Filter, Finish as _, Name, Pdf, Ref, Str};
use ttf_parser::{Face, GlyphId};

use super::look::Look;
use super::pdf::compressed;

/// The faces that the style sheet asks for.
#[derive(Debug)]
pub(super) struct Fonts {
    regular: Font,
    bold: Font,
    italic: Font,
}

impl Fonts {
    /// # Errors
    /// If what comes with the program is no font, which would be a mistake in it.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            regular: Font::new("Regular", include_bytes!("fonts/Arimo-Regular.ttf"))?,
            bold: Font::new("Bold", include_bytes!("fonts/Arimo-Bold.ttf"))?,
            italic: Font::new("Italic", include_bytes!("fonts/Arimo-Italic.ttf"))?,
        })
    }

    pub(super) fn of(&mut self, look: &Look) -> &mut Font {
        match (look.bold, look.italic) {
            (true, _) => &mut self.bold,
            (false, true) => &mut self.italic,
            (false, false) => &mut self.regular,
        }
    }

    /// The faces in which something was set.
    pub(super) fn used(&self) -> impl Iterator<Item = &Font> {
        [&self.regular, &self.bold, &self.italic].into_iter().filter(|font| !font.used.is_empty())
    }
}

/// A face, and what was set in it.
#[derive(Debug)]
pub(super) struct Font {
    style: &'static str,
    bytes: &'static [u8],
    face: Face<'static>,
    /// The glyphs that were set, with the character that each stands for.
    used: BTreeMap<u16, char>,
}

/// What of a font PDF takes for the registry of its glyphs.
const GLYPHS: SystemInfo =
    SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

impl Font {
    fn new(style: &'static str, bytes: &'static [u8]) -> io::Result<Self> {
        let face = Face::parse(bytes, 0).map_err(io::Error::other)?;
        Ok(Self { style, bytes, face, used: BTreeMap::new() })
    }

    /// What the page calls this face.
    pub(super) fn name(&self) -> Name<'static> {
        Name(self.style.as_bytes())
    }

    /// A text as PDF shows it, and its width for a size of 1. A character that the font does not have becomes a
    /// replacement character.
    pub(super) fn set(&mut self, text: &str) -> (Vec<u8>, f32) {
        let (mut shown, mut width) = (Vec::new(), 0.0);
        for character in text.chars() {
            let Some((glyph, character)) = self.glyph(character).or_else(|| self.glyph('\u{fffd}')) else {
                continue;
            };
            self.used.insert(glyph, character);
            shown.extend(glyph.to_be_bytes());
            width += self.advance(glyph);
        }
        (shown, width)
    }

    fn glyph(&self, character: char) -> Option<(u16, char)> {
        Some((self.face.glyph_index(character)?.0, character))
    }

    /// How far a glyph moves on, for a size of 1.
    fn advance(&self, glyph: u16) -> f32 {
        self.ems(self.face.glyph_hor_advance(GlyphId(glyph)).unwrap_or(0))
    }

    fn ems(&self, units: impl Into<f32>) -> f32 {
        units.into() / f32::from(self.face.units_per_em())
    }

    /// Writes the face, whole, as the object `id` and those that `next` gives.
    ///
    /// # Errors
    /// None that memory does not make.
    pub(super) fn write(&self, pdf: &mut Pdf, id: Ref, mut next: impl FnMut() -> Ref) -> io::Result<()> {
        // The tag says that this is a part of a font. It is the same part in every figure.
        let name = format!("TETHER+Arimo-{}", self.style);
        let name = Name(name.as_bytes());
        let (glyphs, descriptor, unicode, file) = (next(), next(), next(), next());
        pdf.type0_font(id)
            .base_font(name)
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(glyphs)
            .to_unicode(unicode);
        let mut font = pdf.cid_font(glyphs);
        font.subtype(CidFontType::Type2).base_font(name).system_info(GLYPHS).font_descriptor(descriptor);
        font.cid_to_gid_map_predefined(Name(b"Identity"));
        let mut widths = font.widths();
        for glyph in self.used.keys() {
            widths.consecutive(*glyph, [self.advance(*glyph) * 1000.0]);
        }
        widths.finish();
        font.finish();
        self.describe(pdf, descriptor, name, file);
        let mut characters = UnicodeCmap::new(Name(b"Characters"), GLYPHS);
        self.used.iter().for_each(|(glyph, character)| characters.pair(*glyph, *character));
        let characters = compressed(&characters.finish())?;
        pdf.cmap(unicode, &characters).filter(Filter::FlateDecode);
        let bytes = compressed(self.bytes)?;
        let length = i32::try_from(self.bytes.len()).map_err(io::Error::other)?;
        pdf.stream(file, &bytes).filter(Filter::FlateDecode).pair(Name(b"Length1"), length);
        Ok(())
    }

    fn describe(&self, pdf: &mut Pdf, id: Ref, name: Name<'_>, file: Ref) {
        let face = &self.face;
        let thousandths = |units: i16| self.ems(units) * 1000.0;
        let all = face.global_bounding_box();
        let [left, bottom, right, top] = [all.x_min, all.y_min, all.x_max, all.y_max].map(thousandths);
        let slant = if face.is_italic() { FontFlags::ITALIC } else { FontFlags::empty() };
        let mut descriptor = pdf.font_descriptor(id);
        descriptor.name(name).flags(FontFlags::SYMBOLIC | slant).font_file2(file);
        descriptor.bbox(pdf_writer::Rect::new(left, bottom, right, top)).italic_angle(face.italic_angle());
        descriptor.ascent(thousandths(face.ascender())).descent(thousandths(face.descender()));
        descriptor.cap_height(thousandths(face.capital_height().unwrap_or(face.ascender())));
        // No table of the font tells it; readers use it only in place of a font that they do not have.
        descriptor.stem_v(if face.is_bold() { 140.0 } else { 80.0 });
    }
}
