//! Packets: building probes, reading replies, and the keyed tag that ties one to the other. No I/O.
//!
//! Nothing received is trusted. Every reader here is total: no panic, no unbounded allocation; what
//! cannot be read gives an offset and a reason, and each reason is a counter.

mod answer;
mod malformed;

pub use answer::{Answer, MatchKey, Quoted};
pub use malformed::{Malformed, Reason};
