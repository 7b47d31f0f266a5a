//! The words of the field as types: what an AS number, a prefix, a TTL, a flow, a probe, a reply and an
//! outcome are, and which rules they carry. Everything else is built from these.
//!
//! This module knows nothing of packets, files or the network, and must not import any other part of
//! the crate.

mod asked;
mod asn;
mod keyed;
mod link;
mod name;
mod outcome;
mod prefix;
mod probe;
mod quantity;
mod relation;
mod reply;
mod source;
mod stretches;
mod time;
mod underlay;

pub use asked::Asked;
pub use asn::{Asn, BadAsn};
pub use keyed::Keyed;
pub use link::{AsLink, BadAsLink, Event, LinkChange};
pub use name::{BadName, Name, Untrusted};
pub use outcome::{BlockRule, Outcome, SendFault, SkipReason};
pub use prefix::{BadPrefix, Prefix, Unit};
pub use probe::{Method, Probe, Protocol, RoundId};
pub use quantity::{BadBytes, Bytes, FlowId, Port, Pps, Rtt, RttSource, Ttl};
pub use relation::AsRelation;
pub use reply::{MatchQuality, MplsLabel, Reply, ReplyKind, Unreachable};
pub use source::{FileError, FileErrors, SourceText, placed};
pub use stretches::Stretches;
pub use time::{BadTime, Clock, ClockPair, MonoTime, PairedClock, SystemClock, WallTime};
pub use underlay::Underlay;
