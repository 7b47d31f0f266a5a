//! A stream of JSON cut into its objects, however they are arranged: one a line, in one long array, or
//! one behind the other over many lines. Nothing is parsed here beyond strings and braces.

use super::input::{Input, Line};

/// The longest object that is read, in bytes.
pub(super) const LONGEST_OBJECT: usize = 4 << 20;

/// Objects, or what stands where one should be.
pub(super) struct Pieces {
    input: Input,
    lines: Option<bool>,
    in_array: bool,
    ended: bool,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Something that begins and ends as an object does, at this offset.
    Object(u64),
    /// Something else, which was passed over.
    Fault(u64, &'static str),
    /// Nothing more.
    End,
}

impl Pieces {
    pub(super) const fn new(input: Input) -> Self {
        Self { input, lines: None, in_array: false, ended: false }
    }

    /// The file, to ask why it ended.
    pub(super) const fn input(&mut self) -> &mut Input {
        &mut self.input
    }

    /// Appends the next object.
    pub(super) fn next(&mut self, object: &mut Vec<u8>) -> Piece {
        if self.ended {
            return Piece::End;
        }
        self.pass_over_space();
        let by_line = match self.lines {
            Some(by_line) => by_line,
            None => self.begin(),
        };
        let piece = if by_line { self.line(object) } else { self.nested(object) };
        self.ended = piece == Piece::End;
        piece
    }

    /// Objects stand one a line if they are in no array and the first of them ends where its line does.
    fn begin(&mut self) -> bool {
        let ready = self.input.peek();
        let line = ready.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let is_whole = |line: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok();
        let cut_by_buffer = line.len() == ready.len() && line.first() == Some(&b'{');
        let by_line = !self.in_array && line.first() == Some(&b'{') && (cut_by_buffer || is_whole(line));
        self.lines = Some(by_line);
        by_line
    }

    fn line(&mut self, object: &mut Vec<u8>) -> Piece {
        let offset = self.input.offset();
        match self.input.read_line(object, LONGEST_OBJECT) {
            Line::Whole => Piece::Object(offset),
            Line::TooLong => Piece::Fault(offset, "a line is longer than 4 MiB"),
            Line::Endless => {
                self.ended = true;
                Piece::Fault(offset, "a line has no end: the rest of the file is left out")
            }
            Line::End => Piece::End,
        }
    }

    fn nested(&mut self, object: &mut Vec<u8>) -> Piece {
        let offset = self.input.offset();
        let Some(first) = self.input.peek().first().copied() else { return Piece::End };
        if first != b'{' {
            let mut line = Vec::new();
            self.input.read_line(&mut line, LONGEST_OBJECT);
            return Piece::Fault(offset, "what stands here is no object");
        }
        let start = object.len();
        let mut scan = Scan::default();
        loop {
            let ready = self.input.peek();
            if ready.is_empty() {
                object.truncate(start);
                self.ended = true;
                return Piece::Fault(offset, "the file ends inside this object");
            }
            let (taken, state) = scan.advance(ready);
            object.extend_from_slice(ready.get(..taken).unwrap_or_default());
            self.input.consume(taken);
            match state {
                State::Whole => return Piece::Object(offset),
                State::Cut => {
                    object.truncate(start);
                    return Piece::Fault(offset, "this object is cut: another begins inside it");
                }
                State::Inside if object.len().saturating_sub(start) > LONGEST_OBJECT => {
                    object.truncate(start);
                    self.ended = true;
                    return Piece::Fault(
                        offset,
                        "an object is longer than 4 MiB: the rest of the file is left out",
                    );
                }
                State::Inside => {}
            }
        }
    }

    /// Space between objects, and what holds them together.
    fn pass_over_space(&mut self) {
        loop {
            let ready = self.input.peek();
            let space = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b'[' | b']' | 0x1e);
            let length = ready.iter().take_while(|byte| space(byte)).count();
            let more = length > 0 && length == ready.len();
            let in_array = ready.iter().take(length).any(|byte| *byte == b'[');
            self.in_array |= in_array;
            self.input.consume(length);
            if !more {
                return;
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Inside,
    Whole,
    /// Another object begins where this one goes on: what was read is no object, and the other comes next.
    Cut,
}

/// Where in an object one is.
#[derive(Default)]
struct Scan {
    depth: u32,
    in_string: bool,
    escaped: bool,
    at_line_start: bool,
}

impl Scan {
    /// How many bytes belong to the object, and whether it is whole with them. No string holds a line end,
    /// and no object inside another begins its line: there another object was begun.
    fn advance(&mut self, bytes: &[u8]) -> (usize, State) {
        for (index, byte) in bytes.iter().enumerate() {
            if self.at_line_start && *byte == b'{' && self.depth > 0 {
                return (index, State::Cut);
            }
            self.at_line_start = *byte == b'\n';
            let behind = index.saturating_add(1);
            match byte {
                b'\n' if self.in_string => return (behind, State::Cut),
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => self.depth = self.depth.saturating_add(1),
                b'}' | b']' if !self.in_string => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return (behind, State::Whole);
                    }
                }
                _ => {}
            }
        }
        (bytes.len(), State::Inside)
    }
}
