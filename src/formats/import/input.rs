//! A file as it is read: decompressed, with the offset of every byte, and with an end where it cannot be
//! read any further.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crate::formats::compressed::plain;

/// Bytes that are read at a time.
const CHUNK: usize = 256 * 1024;

/// A file of which the format may be looked at before it is read.
pub(super) struct Input {
    reader: Box<dyn Read>,
    buffer: Vec<u8>,
    /// Where in the buffer the next byte stands.
    at: usize,
    offset: u64,
    /// Why the file ended before its end.
    broken: Option<io::Error>,
    ended: bool,
}

impl Input {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
        }
        Self::new(BufReader::with_capacity(CHUNK, file))
    }

    pub(super) fn new(input: impl BufRead + 'static) -> io::Result<Self> {
        let (reader, buffer) = (plain(input)?, Vec::new());
        Ok(Self { reader, buffer, at: 0, offset: 0, broken: None, ended: false })
    }

    /// What can be looked at without reading it: a whole chunk, if the file has as much. Empty at the end, and where
    /// the file cannot be read any further.
    pub(super) fn peek(&mut self) -> &[u8] {
        if self.at == self.buffer.len() && !self.ended {
            self.fill();
        }
        self.buffer.get(self.at..).unwrap_or_default()
    }

    fn fill(&mut self) {
        self.buffer.clear();
        self.at = 0;
        let limit = u64::try_from(CHUNK).unwrap_or(u64::MAX);
        // What came before an error stays in the buffer.
        let filled = self.reader.by_ref().take(limit).read_to_end(&mut self.buffer);
        self.broken = filled.err();
        self.ended = self.buffer.len() < CHUNK;
    }

    /// Passes over bytes that were looked at.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes).min(self.buffer.len());
        self.offset = self.offset.saturating_add(bytes as u64);
    }

    /// The offset of the next byte.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Why the file ended before its end, told once.
    pub(super) fn take_error(&mut self) -> Option<io::Error> {
        self.broken.take()
    }

    /// Appends the next bytes up to and with the first `end`, or up to the end of the file. False, and the rest
    /// of the line passed over, if there are more than `most`; false too when nothing is left.
    pub(super) fn read_line(&mut self, line: &mut Vec<u8>, most: usize) -> Line {
        let mut length: usize = 0;
        loop {
            let ready = self.peek();
            if ready.is_empty() {
                return if length == 0 { Line::End } else { Line::checked(length, most) };
            }
            let found = ready.iter().position(|byte| *byte == b'\n');
            let taken = found.map_or(ready.len(), |at| at.saturating_add(1));
            length = length.saturating_add(taken);
            if length <= most {
                line.extend_from_slice(ready.get(..taken).unwrap_or_default());
            }
            self.consume(taken);
            if found.is_some() {
                return Line::checked(length, most);
            }
            if length > MOST_PASSED_OVER {
                return Line::Endless;
            }
        }
    }

    /// Exactly so many bytes, appended; false if the file ends before.
    pub(super) fn read_exactly(&mut self, bytes: &mut Vec<u8>, mut number: usize) -> bool {
        while number > 0 {
            let ready = self.peek();
            if ready.is_empty() {
                return false;
            }
            let taken = ready.len().min(number);
            bytes.extend_from_slice(ready.get(..taken).unwrap_or_default());
            self.consume(taken);
            number = number.saturating_sub(taken);
        }
        true
    }
}

/// After so many bytes of one line a file is given up: a bomb.
const MOST_PASSED_OVER: usize = 1 << 30;

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// It was read.
    Whole,
    /// It is longer than the limit, and was passed over.
    TooLong,
    /// It is so long that the file is given up.
    Endless,
    /// There is none.
    End,
}

impl Line {
    const fn checked(length: usize, most: usize) -> Self {
        if length <= most { Self::Whole } else { Self::TooLong }
    }
}
