//! The figures in PDF as a reader of PDF finds them, which is not the library that wrote them: its objects by their
//! offsets, its streams inflated, its texts by way of the glyphs.

use std::collections::BTreeMap;
use std::io::Read as _;

use super::{hostile, nothing, october};
use crate::analyse::compare::Findings;
use crate::report::figure::Figure;
use crate::report::{path_figure, timeline_figure};

/// A file of PDF: its objects by number.
struct Opened(BTreeMap<usize, Vec<u8>>);

impl Opened {
    fn new(bytes: &[u8]) -> Self {
        assert!(bytes.starts_with(b"%PDF-1.4\n"));
        let text = latin(bytes);
        let (_, end) = text.rsplit_once("startxref\n").unwrap();
        let table = latin(&bytes[number(end)..]);
        let mut lines = table.strip_prefix("xref\n").unwrap().lines();
        let objects = number(lines.next().unwrap().strip_prefix("0 ").unwrap());
        let offsets = lines.take(objects).enumerate().skip(1);
        let objects = offsets.map(|(id, line)| {
            let object = &bytes[number(line)..];
            let head = format!("{id} 0 obj\n");
            assert!(object.starts_with(head.as_bytes()), "object {id}");
            (id, object[head.len()..].to_vec())
        });
        Self(objects.collect())
    }

    fn text(&self, id: usize) -> String {
        latin(&self.0[&id])
    }

    /// The objects in which this is written, outside of streams.
    fn with(&self, what: &str) -> Vec<String> {
        let all = self.0.keys().map(|id| self.text(*id));
        let head =
            |text: &str| text.split("\nendobj").next()?.split("\nstream\n").next().map(str::to_owned);
        all.filter(|text| head(text).unwrap().contains(what)).collect()
    }

    fn stream(&self, id: usize) -> Vec<u8> {
        let text = self.text(id);
        let begin = text.find("stream\n").unwrap() + "stream\n".len();
        let stream = &self.0[&id][begin..begin + after(&text, "Length")];
        let mut inflated = Vec::new();
        flate2::read::ZlibDecoder::new(stream).read_to_end(&mut inflated).unwrap();
        inflated
    }

    /// Which character each glyph of a face stands for.
    fn characters(&self, face: usize) -> BTreeMap<u16, char> {
        let map = latin(&self.stream(after(&self.text(face), "ToUnicode")));
        let (_, pairs) = map.split_once("beginbfchar\n").unwrap();
        let (pairs, _) = pairs.split_once("endbfchar").unwrap();
        let pairs = pairs.lines().map(|line| {
            let (glyph, character) = line[1..line.len() - 1].split_once("> <").unwrap();
            let character = u32::from_str_radix(character, 16).unwrap();
            (u16::from_str_radix(glyph, 16).unwrap(), char::from_u32(character).unwrap())
        });
        pairs.collect()
    }

    /// What is filled as text, in order.
    fn texts(&self) -> Vec<String> {
        let page = self.with("/Type /Page\n").remove(0);
        let content = latin(&self.stream(after(&page, "Contents")));
        let mut characters = BTreeMap::new();
        let mut texts = Vec::new();
        for shown in content.split("BT\n").skip(1).map(|text| text.split_once("\nET").unwrap().0) {
            let (face, _) = shown[1..].split_once(' ').unwrap();
            let known =
                characters.entry(face.to_owned()).or_insert_with(|| self.characters(after(&page, face)));
            let glyphs = string(shown.lines().last().unwrap().strip_suffix(" Tj").unwrap());
            let text = glyphs.chunks(2).map(|glyph| known[&u16::from_be_bytes([glyph[0], glyph[1]])]);
            if shown.contains("\n0 Tr\n") {
                texts.push(text.collect());
            }
        }
        texts
    }
}

/// The number that stands after this key in an object, often that of another.
fn after(object: &str, key: &str) -> usize {
    let (_, rest) = object.split_once(&format!("/{key} ")).unwrap_or_else(|| panic!("{key}: {object}"));
    number(rest.trim_start_matches('['))
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The number with which a text begins.
fn number(text: &str) -> usize {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().unwrap()
}

/// The bytes of a string in either notation.
fn string(written: &str) -> Vec<u8> {
    if let Some(digits) = written.strip_prefix('<') {
        let digits = digits.strip_suffix('>').unwrap();
        return (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
            .collect();
    }
    let mut bytes = Vec::new();
    let mut rest = written.strip_prefix('(').unwrap().strip_suffix(')').unwrap();
    while let Some(first) = rest.chars().next() {
        let (byte, length) = match first {
            '\\' if rest.as_bytes()[1].is_ascii_digit() => (u8::from_str_radix(&rest[1..4], 8).unwrap(), 4),
            '\\' => {
                let named = [(b'n', b'\n'), (b'r', b'\r'), (b't', b'\t'), (b'b', 8), (b'f', 12)];
                let escaped = rest.as_bytes()[1];
                (named.iter().find(|(name, _)| *name == escaped).map_or(escaped, |(_, byte)| *byte), 2)
            }
            first => (u8::try_from(first).unwrap(), first.len_utf8()),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    bytes
}

/// What the SVG of the figure says, as the font can set it.
fn said(figure: &Figure) -> Vec<String> {
    let svg = figure.svg();
    let face = ttf_parser::Face::parse(include_bytes!("../figure/fonts/Arimo-Regular.ttf"), 0).unwrap();
    let texts = svg.lines().filter_map(|line| line.strip_prefix("<text ")?.strip_suffix("</text>"));
    let texts = texts.map(|text| {
        let text = text.split_once('>').unwrap().1;
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
        let text = text.replace("&#39;", "'").replace("&amp;", "&");
        text.chars().map(|c| if face.glyph_index(c).is_some() { c } else { '\u{fffd}' }).collect()
    });
    texts.collect()
}

fn figures(findings: &Findings) -> [Figure; 2] {
    [timeline_figure::draw(findings), path_figure::draw(findings)]
}

#[test]
fn a_figure_says_the_same_in_pdf_and_in_svg() {
    for findings in [october(), hostile(), nothing()] {
        for figure in figures(&findings) {
            let texts = Opened::new(&figure.pdf().unwrap()).texts();
            assert!(!texts.is_empty());
            assert_eq!(texts, said(&figure));
        }
    }
}

#[test]
fn every_font_of_a_figure_lies_in_it_and_has_what_is_shown() {
    for figure in figures(&october()) {
        let opened = Opened::new(&figure.pdf().unwrap());
        let faces = opened.with("/Subtype /Type0\n");
        assert_eq!(faces.len(), opened.with("/FontFile2 ").len());
        for face in faces {
            let glyphs = opened.text(after(&face, "DescendantFonts"));
            let described = opened.text(after(&glyphs, "FontDescriptor"));
            let file = opened.stream(after(&described, "FontFile2"));
            let font = ttf_parser::Face::parse(&file, 0).unwrap();
            let id = opened.0.keys().copied().find(|id| opened.text(*id) == face).unwrap();
            for (glyph, character) in opened.characters(id) {
                assert_eq!(font.glyph_index(character).unwrap().0, glyph, "{character}");
                let outline = font.glyph_bounding_box(ttf_parser::GlyphId(glyph));
                assert!(outline.is_some() || character == ' ', "{character}");
            }
        }
    }
}

#[test]
fn a_pdf_is_as_large_as_its_figure_and_knows_neither_time_nor_chance() {
    for figure in figures(&october()) {
        let bytes = figure.pdf().unwrap();
        assert_eq!(bytes, figure.pdf().unwrap());
        let opened = Opened::new(&bytes);
        assert!(
            ["/CreationDate", "/ModDate", "/SMask", "/Subtype /Image"]
                .iter()
                .all(|key| opened.with(key).is_empty())
        );
        let whole = latin(&bytes);
        assert!(!whole.rsplit_once("trailer\n").unwrap().1.contains("/ID"), "{whole}");
        let page = opened.with("/Type /Page\n").remove(0);
        let (_, size) = page.split_once("/MediaBox [0 0 ").unwrap();
        let size: Vec<f64> =
            size.split_once(']').unwrap().0.split(' ').map(|side| side.parse().unwrap()).collect();
        let svg = figure.svg();
        let (_, pixels) = svg.split_once("viewBox=\"0 0 ").unwrap();
        let pixels = pixels.split_once('"').unwrap().0.split(' ');
        let pixels: Vec<f64> = pixels.map(|side| side.parse::<f64>().unwrap() * 0.75).collect();
        assert!(
            size.iter().zip(&pixels).all(|(one, other)| (one - other).abs() < 0.01),
            "{size:?} {pixels:?}"
        );
    }
}
