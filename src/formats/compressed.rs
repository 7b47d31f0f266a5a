//! Files that may be compressed: their first bytes tell, whatever they are called.

use std::io::{self, BufRead, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// And the block size, a digit.
const BZIP2_MAGIC: &[u8] = b"BZh";

/// The text of a file that is plain, gzip or bzip2, also in several members. It comes in a stream: who
/// reads it sets the limits.
pub(super) fn plain(mut input: impl BufRead + 'static) -> io::Result<Box<dyn Read>> {
    let mut magic = Vec::new();
    input.by_ref().take(4).read_to_end(&mut magic)?;
    let is_gzip = magic.starts_with(GZIP_MAGIC);
    let is_bzip2 = magic.starts_with(BZIP2_MAGIC) && magic.get(3).is_some_and(u8::is_ascii_digit);
    let whole = io::Cursor::new(magic).chain(input);
    Ok(if is_gzip {
        Box::new(MultiGzDecoder::new(whole))
    } else if is_bzip2 {
        Box::new(MultiBzDecoder::new(whole))
    } else {
        Box::new(whole)
    })
}

/// Passes bytes on, and fails when more come than any honest file has: a small file can unpack to terabytes.
pub(super) struct Capped<R> {
    inner: R,
    left: u64,
    most: u64,
}

impl<R> Capped<R> {
    pub(super) const fn new(inner: R, most: u64) -> Self {
        Self { inner, left: most, most }
    }
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let Some(left) = self.left.checked_sub(read as u64) else {
            let reason = format!("unpacks to more than {} bytes", self.most);
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        };
        self.left = left;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_ends_at_the_cap() {
        let mut read = Vec::new();
        let error = Capped::new(io::repeat(0), 10_000).read_to_end(&mut read).unwrap_err();
        assert_eq!(error.to_string(), "unpacks to more than 10000 bytes");
        assert!(read.len() <= 10_000);
    }
}
