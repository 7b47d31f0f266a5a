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
