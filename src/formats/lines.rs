//! A limit for the length of lines, below any reader of text.

use std::io::{self, Read};

/// Passes bytes on, and fails when a line grows longer than the limit. Readers above it that hold one
/// line at a time then hold at most the limit and a buffer.
pub(super) struct LineLimit<R> {
    inner: R,
    limit: usize,
    length: usize,
}

impl<R> LineLimit<R> {
    pub(super) const fn new(inner: R, limit: usize) -> Self {
        Self { inner, limit, length: 0 }
    }
}

impl<R: Read> Read for LineLimit<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        for piece in buffer.get(..read).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
            self.length = self.length.saturating_add(piece.len());
            if self.length > self.limit {
                let reason = format!("a line is longer than {} bytes", self.limit);
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
            if piece.ends_with(b"\n") {
                self.length = 0;
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_short_lines_pass_and_one_long_line_does_not() {
        let short = b"0123456\n".repeat(10_000);
        let mut read = Vec::new();
        LineLimit::new(short.as_slice(), 8).read_to_end(&mut read).unwrap();
        assert_eq!(read, short);
        let long = io::repeat(b'x');
        let error = LineLimit::new(long, 8).read_to_end(&mut read).unwrap_err();
        assert_eq!(error.to_string(), "a line is longer than 8 bytes");
    }
}
