//! Any file, one step after the other: a record, an object or a line at a time.

use std::io::{self, BufRead};

use super::detect::Format;
use super::input::{Input, Line};
use super::pieces::{Piece, Pieces};
use super::{Batch, atlas, caracal, reports, scamper_json, warts, yarrp};
use crate::model::WallTime;

/// The longest line of a format of lines, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

/// Reads a file without making a dataset of it, and gives what is found to `take`, a step at a time. What the file is
/// tells `format`, or its content; `written_at` dates what tells no time.
///
/// # Errors
/// If it cannot be read at all, or its content does not tell what it is. What is damaged inside is no error.
pub fn read_measurements(
    input: impl BufRead + 'static,
    format: Option<Format>,
    written_at: WallTime,
    mut take: impl FnMut(Batch),
) -> io::Result<Format> {
    let mut input = Input::new(input)?;
    let format = format.or_else(|| Format::of(&mut input)).ok_or(io::ErrorKind::InvalidData)?;
    let mut reader = Reader::new(format, input, written_at);
    loop {
        let mut batch = Batch::default();
        let more = reader.step(&mut batch);
        take(batch);
        if !more {
            return Ok(format);
        }
    }
}

/// A file as it is read.
pub(super) struct Reader {
    of: Of,
    /// When the file was written: the time of what tells none.
    written_at: WallTime,
    /// An object or a line.
    text: Vec<u8>,
}

enum Of {
    Warts(Input, Box<warts::Reader>),
    ScamperJson(Pieces, scamper_json::Reader),
    Objects(Pieces, Format),
    Yarrp(Input, yarrp::Reader),
    Caracal(Input),
}

impl Reader {
    pub(super) fn new(format: Format, input: Input, written_at: WallTime) -> Self {
        let of = match format {
            Format::Warts => Of::Warts(input, Box::default()),
            Format::ScamperJson => Of::ScamperJson(Pieces::new(input), scamper_json::Reader::default()),
            Format::Atlas | Format::Mtr | Format::Trippy => Of::Objects(Pieces::new(input), format),
            Format::Yarrp => Of::Yarrp(input, yarrp::Reader::default()),
            Format::Caracal => Of::Caracal(input),
        };
        Self { of, written_at, text: Vec::new() }
    }

    /// Reads on. False when there is nothing more; why the file ended, if before its end, is then told.
    pub(super) fn step(&mut self, batch: &mut Batch) -> bool {
        let (written_at, text) = (self.written_at, &mut self.text);
        text.clear();
        let more = match &mut self.of {
            Of::Warts(input, reader) => reader.read(input, batch),
            Of::ScamperJson(pieces, reader) => {
                object(pieces, text, batch, |text, offset, batch| reader.read(text, offset, batch))
            }
            Of::Objects(pieces, format) => {
                object(pieces, text, batch, |text, offset, batch| match format {
                    Format::Mtr => reports::read_mtr(text, offset, written_at, batch),
                    Format::Trippy => reports::read_trippy(text, offset, written_at, batch),
                    _ => atlas::read(text, offset, batch),
                })
            }
            Of::Yarrp(input, reader) => {
                line(input, text, batch, |text, offset, batch| reader.read(text, offset, batch))
            }
            Of::Caracal(input) => line(input, text, batch, caracal::read),
        };
        if !more {
            tell_end(self.input(), batch);
        }
        more
    }

    /// The file.
    pub(super) const fn input(&mut self) -> &mut Input {
        match &mut self.of {
            Of::Warts(input, _) | Of::Yarrp(input, _) | Of::Caracal(input) => input,
            Of::ScamperJson(pieces, _) | Of::Objects(pieces, _) => pieces.input(),
        }
    }
}

fn object(
    pieces: &mut Pieces,
    text: &mut Vec<u8>,
    batch: &mut Batch,
    read: impl FnOnce(&[u8], u64, &mut Batch),
) -> bool {
    match pieces.next(text) {
        Piece::Object(offset) => read(text, offset, batch),
        Piece::Fault(offset, reason) => batch.fault(offset, reason),
        Piece::End => return false,
    }
    true
}

fn line(
    input: &mut Input,
    text: &mut Vec<u8>,
    batch: &mut Batch,
    read: impl FnOnce(&[u8], u64, &mut Batch),
) -> bool {
    let offset = input.offset();
    match input.read_line(text, LONGEST_LINE) {
        Line::Whole => read(text, offset, batch),
        Line::TooLong => batch.fault(offset, "a line is longer than 64 KiB"),
        Line::Endless => {
            batch.fault(offset, "a line has no end: the rest of the file is left out");
            return false;
        }
        Line::End => return false,
    }
    true
}

/// Tells if a file ended before its end.
pub(super) fn tell_end(input: &mut Input, batch: &mut Batch) {
    if let Some(error) = input.take_error() {
        batch.fault(input.offset(), format_args!("the file cannot be read further: {error}"));
    }
}
