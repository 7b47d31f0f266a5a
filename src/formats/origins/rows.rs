//! Tables of text, one row a line: what all of their readers share.

use std::io::{BufRead, BufReader, Read};

use crate::formats::faults::Faults;
use crate::formats::lines::LineLimit;

/// The longest line that is read, in bytes; the longest in ten years of tables has some hundreds.
const LONGEST_LINE: usize = 16 * 1024;

/// The most lines that are read; a full table of both families has 1.3 million.
const MOST_LINES: usize = 20_000_000;

const BUFFER: usize = 64 * 1024;

/// Gives every line that says something to `take`, which tells the rule that a bad one breaks. Empty lines and
/// lines that begin with `#` or `;` say nothing. Returns how many lines were taken.
pub(super) fn each_row(
    input: impl Read,
    faults: &mut Faults,
    mut take: impl FnMut(&str) -> Result<(), &'static str>,
) -> u64 {
    each_line(input, faults, |line| match line.as_bytes().first() {
        Some(b'#' | b';') => Ok(false),
        _ => take(line).map(|()| true),
    })
}

/// Gives every line that is not empty to `take`, which says whether it is a row, or tells the rule that a bad one breaks.
/// Returns how many rows there are.
pub(super) fn each_line(
    input: impl Read,
    faults: &mut Faults,
    mut take: impl FnMut(&str) -> Result<bool, &'static str>,
) -> u64 {
    let mut input = BufReader::with_capacity(BUFFER, LineLimit::new(input, LONGEST_LINE));
    let (mut text, mut rows) = (Vec::new(), 0_u64);
    for number in 1..=MOST_LINES {
        text.clear();
        match input.read_until(b'\n', &mut text) {
            Ok(0) => return rows,
            Ok(_) => {}
            Err(error) => {
                // What stands before the tear is no whole line.
                faults.line(number, "", format_args!("cannot be read from here on: {error}"));
                return rows;
            }
        }
        let line = text.trim_ascii();
        // Whatever characters comments are in, they say nothing.
        if line.is_empty() || (matches!(line, [b'#' | b';', ..]) && std::str::from_utf8(line).is_err()) {
            continue;
        }
        let taken = std::str::from_utf8(line).map_err(|_| "must be text in UTF-8").and_then(&mut take);
        match taken {
            Ok(is_row) => rows = rows.saturating_add(u64::from(is_row)),
            Err(rule) => faults.line(number, &String::from_utf8_lossy(line), rule),
        }
    }
    faults.line(MOST_LINES, "", "more lines than any table of prefixes has: the rest is left out");
    rows
}

/// A whole number of 32 bits, digits only.
pub(super) fn number(text: &str) -> Option<u32> {
    let only_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| only_digits)
}
