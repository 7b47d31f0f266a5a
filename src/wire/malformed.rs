//! Why a received packet could not be read: an offset and a reason that is also a counter's name.

use std::fmt;

/// A packet that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Bytes from the start of the IP header.
    pub offset: usize,
    /// What was wrong there.
    pub reason: Reason,
}

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The packet ends before the field does.
    Truncated,
    /// Neither IPv4 nor IPv6.
    BadVersion,
    /// A header length that cannot be.
    BadHeaderLength,
    /// A quoted packet that is no IP packet, or of the other family.
    BadQuote,
    /// An ICMP extension structure that contradicts itself (RFC 4884).
    BadExtension,
}

impl Reason {
    /// The name of its counter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::BadVersion => "bad_version",
            Self::BadHeaderLength => "bad_header_length",
            Self::BadQuote => "bad_quote",
            Self::BadExtension => "bad_extension",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.reason.as_str(), self.offset)
    }
}

impl std::error::Error for Malformed {}
