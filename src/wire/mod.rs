//! Packets: building probes, reading replies, and the keyed tag that ties one to the other. No I/O.
//!
//! Nothing received is trusted. Every reader here is total: no panic, no unbounded allocation; what
//! cannot be read gives an offset and a reason, and each reason is a counter.
//!
//! # The two rules of a probe
//!
//! **What load balancers hash is a fixed function of (target, protocol, port, flow)**, the same in every
//! round, at every TTL, for every key and after every restart. With `word` = 40000 + flow:
//!
//! ```text
//!  field                  ICMP echo            UDP                 TCP SYN
//!  -------------------    -----------------    ----------------    ----------------
//!  IPv4 TOS, IPv6 class   0                    0                   0
//!  IPv6 flow label        word                 word                word
//!  transport bytes 0-3    type, code, word     word, port          word, port
//!                         (the checksum)       (source, dest.)     (source, dest.)
//!  payload length         constant             constant            none
//! ```
//!
//! **What must tell probes apart is the tag**: 32 bits of keyed SipHash-2-4 over all that names the probe,
//! placed where the 28 bytes that every IPv4 router quotes (RFC 792) bring it back. Neither of its halves
//! `hi` and `lo` is ever 0: a UDP checksum of 0 means "none", and Linux replaces an IP identification of 0.
//!
//! ```text
//!  IPv4    identification    transport                          payload
//!  ----    --------------    -------------------------------    -----------------------------------
//!  ICMP    lo                identifier hi, sequence lo         text 00 [00] hi lo balance
//!  UDP     lo                checksum hi                        text 00 [00] hi lo balance
//!  TCP     lo                sequence number hi lo              -
//!
//!  IPv6                      transport                          payload
//!  ----                      -------------------------------    -----------------------------------
//!  ICMP                      identifier hi, sequence lo         text 00 [00] hi lo balance
//!  UDP                       checksum hi                        text 00 [00] hi lo balance
//!  TCP                       sequence number hi lo              -
//! ```
//!
//! `text` is the attribution URI (RFC 9511), at the first octet and ended by a zero octet; a second zero
//! makes the length even. Without attribution all three are left out. `balance` is the 16-bit word that
//! makes the checksum come out as the table says.
//!
//! The tag can therefore be read twice: from the headers, and from the payload where the quote reaches that
//! far. The payload wins (address translators rewrite headers), and a header that differs makes the match
//! [`Tolerant`](crate::model::MatchQuality::Tolerant). UDP over IPv6 has only `hi` in its header and needs
//! the payload; RFC 4443 §2.4 has routers quote it. UDP over IPv4 has `lo` in the identification alone where no payload
//! is quoted, and some routers swap its bytes there: a [`MatchKey`] holds for both orders.
//!
//! The "don't fragment" bit stays off: with it set, middleboxes may treat the IPv4 identification as
//! meaningless (RFC 6864 §4.1).

mod answer;
mod attribution;
mod checksum;
mod codec;
mod decode;
mod encode;
mod extension;
mod flow;
mod ip;
mod malformed;
mod sent;
mod stretch;
mod tag;
#[cfg(test)]
mod tests;

pub use answer::{Answer, MatchKey, Quoted};
pub use attribution::BadAttribution;
pub use codec::{Codec, Received, Sources};
pub use decode::icmp_says;
pub use encode::EncodeError;
pub use malformed::{Malformed, Reason};
pub use tag::TagKey;
