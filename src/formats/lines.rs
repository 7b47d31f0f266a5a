//! A limit for the length of lines, below any reader of text.

use std::io::{self, Read};

/// Passes bytes on, and fails at a line that grows longer than the limit, when all before it were passed on. Readers
/// above it that hold one line at a time then hold at most the limit and a buffer.
pub(super) struct LineLimit<R> {
    inner: R,
    limit: usize,
    length: usize,
    is_too_long: bool,
}

impl<R> LineLimit<R> {
    pub(super) const fn new(inner: R, limit: usize) -> Self {
        Self { inner, limit, length: 0, is_too_long: false }
    }

    /// How many of these bytes may be passed on.
    fn whole(&mut self, bytes: &[u8]) -> usize {
        let mut whole = 0_usize;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.length = self.length.saturating_add(piece.len());
            if self.length > self.limit {
                self.is_too_long = true;
                return whole;
            }
            whole = whole.saturating_add(piece.len());
            if piece.ends_with(b"\n") {
                self.length = 0;
            }
        }
        whole
    }
}

impl<R: Read> Read for LineLimit<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut whole = 0;
        if !self.is_too_long {
            let read = self.inner.read(buffer)?;
            whole = self.whole(buffer.get(..read).unwrap_or_default());
        }
        if self.is_too_long && whole == 0 {
            let reason = format!("a line is longer than {} bytes", self.limit);
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        Ok(whole)
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
        let after = [short.as_slice(), b"0123456789\n0\n"].concat();
        let mut read = Vec::new();
        LineLimit::new(after.as_slice(), 8).read_to_end(&mut read).unwrap_err();
        assert!(read == short, "what stands before a line that is too long is not lost");
        let long = io::repeat(b'x');
        let error = LineLimit::new(long, 8).read_to_end(&mut read).unwrap_err();
        assert_eq!(error.to_string(), "a line is longer than 8 bytes");
    }
}
