//! Hops → ASes → AS path, with the rule that decided at every hop and with gaps shown.
//!
//! The rules: longest match of the address; where a hop has several addresses in different ASes, that of
//! the address that answered most often; hops that no table maps, or that were silent, belong to the AS
//! around them if the mapped hops on both sides agree, and are marked. Nothing is appended: an AS that
//! did not answer is not on the path. Who truly runs the router that answers with an address is not
//! asked here: an address of the provider may stand on the customer's side of their link.

use std::fmt;
use std::net::IpAddr;

use super::trace::{Hop, HopState, Trace, TraceEnd};
use crate::analyse::origin::{OriginReason, OriginTable};
use crate::model::{Asn, Prefix, Ttl};

/// A trace as a sequence of ASes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsPath {
    /// One entry a hop of the trace.
    pub hops: Vec<HopAs>,
    /// Runs of hops of the same AS, and what lies between; no two neighbours are of one kind and AS.
    pub segments: Vec<Segment>,
    /// How the trace ended.
    pub end: TraceEnd,
}

/// The AS of a hop, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HopAs {
    /// The TTL.
    pub ttl: Ttl,
    /// The address that stands for the hop; `None` if none answered.
    pub address: Option<IpAddr>,
    /// The AS; `None` if none can be told.
    pub asn: Option<Asn>,
    /// Other ASes that it may be.
    pub alternatives: Vec<Asn>,
    /// What decided.
    pub rule: HopRule,
}

/// What decided about the AS of a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HopRule {
    /// The address, by the origin table.
    Origin(OriginReason),
    /// Several addresses answered and their ASes differ: the one that answered most often.
    SeveralAddresses(OriginReason),
    /// No table maps the address, and the mapped hops on both sides are of one AS.
    Surrounded,
    /// No address, and the mapped hops on both sides are of one AS.
    Bridged,
    /// No address, and nothing to conclude from.
    NoAddress(HopState),
}

impl HopRule {
    /// The rule in one word of a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Origin(reason) => reason.as_str(),
            Self::SeveralAddresses(_) => "several_addresses",
            Self::Surrounded => "surrounded",
            Self::Bridged => "bridged",
            Self::NoAddress(_) => "no_address",
        }
    }

    /// The prefix by which the address was looked up.
    #[must_use]
    pub const fn prefix(self) -> Option<Prefix> {
        match self {
            Self::Origin(reason) | Self::SeveralAddresses(reason) => reason.prefix(),
            Self::Surrounded | Self::Bridged | Self::NoAddress(_) => None,
        }
    }
}

/// A part of an AS path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// Hops of one AS.
    As {
        /// The AS.
        asn: Asn,
        /// How many hops.
        hops: u8,
        /// Of them, how many belong to it only because they lie between hops that do.
        inferred: u8,
        /// The address of the last hop.
        last: Option<IpAddr>,
    },
    /// Hops without an address.
    Gap {
        /// How many hops.
        hops: u8,
    },
    /// Hops whose addresses no table maps.
    Unmapped {
        /// How many hops.
        hops: u8,
    },
}

impl AsPath {
    /// The AS path of a trace.
    #[must_use]
    pub fn new(trace: &Trace, origins: &OriginTable) -> Self {
        let mut hops: Vec<HopAs> = trace.hops.iter().map(|hop| HopAs::new(hop, origins)).collect();
        infer_between(&mut hops);
        let segments = segments(&hops);
        Self { hops, segments, end: trace.end }
    }

    /// The ASes in their order, gaps left out.
    pub fn ases(&self) -> impl DoubleEndedIterator<Item = Asn> {
        self.segments.iter().filter_map(Segment::asn)
    }
}

impl HopAs {
    fn new(hop: &Hop, origins: &OriginTable) -> Self {
        let Some(address) = hop.address() else {
            let rule = HopRule::NoAddress(hop.state());
            return Self { ttl: hop.ttl, address: None, asn: None, alternatives: Vec::new(), rule };
        };
        let found = origins.lookup(address);
        let mut alternatives = found.alternatives;
        let mut rule = HopRule::Origin(found.reason);
        for other in hop.addresses() {
            let asn = origins.lookup(other).asn;
            if asn != found.asn {
                rule = HopRule::SeveralAddresses(found.reason);
                alternatives.extend(asn.filter(|asn| !alternatives.contains(asn)));
            }
        }
        Self { ttl: hop.ttl, address: Some(address), asn: found.asn, alternatives, rule }
    }
}

/// Gives the hops between two hops of one AS to that AS.
fn infer_between(hops: &mut [HopAs]) {
    let mut before: Option<Asn> = None;
    let mut start = 0_usize;
    for position in 0..hops.len() {
        let Some(asn) = hops.get(position).and_then(|hop| hop.asn) else { continue };
        if before == Some(asn) {
            for hop in hops.get_mut(start..position).unwrap_or_default() {
                hop.asn = Some(asn);
                hop.rule = if hop.address.is_some() { HopRule::Surrounded } else { HopRule::Bridged };
            }
        }
        before = Some(asn);
        start = position.saturating_add(1);
    }
}

fn segments(hops: &[HopAs]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for hop in hops {
        let next = Segment::of(hop);
        let joined = segments.last_mut().is_some_and(|last| last.join(&next));
        if !joined {
            segments.push(next);
        }
    }
    segments
}

impl Segment {
    fn of(hop: &HopAs) -> Self {
        match (hop.asn, hop.address) {
            (Some(asn), last) => {
                let inferred = u8::from(matches!(hop.rule, HopRule::Surrounded | HopRule::Bridged));
                Self::As { asn, hops: 1, inferred, last }
            }
            (None, Some(_)) => Self::Unmapped { hops: 1 },
            (None, None) => Self::Gap { hops: 1 },
        }
    }

    /// Takes the next segment in if it is of the same kind and AS.
    fn join(&mut self, next: &Self) -> bool {
        match (self, next) {
            (
                Self::As { asn, hops, inferred, last },
                Self::As { asn: next_asn, hops: more, inferred: more_inferred, last: next_last },
            ) if asn == next_asn => {
                *hops = hops.saturating_add(*more);
                *inferred = inferred.saturating_add(*more_inferred);
                *last = *next_last;
                true
            }
            (Self::Gap { hops }, Self::Gap { hops: more })
            | (Self::Unmapped { hops }, Self::Unmapped { hops: more }) => {
                *hops = hops.saturating_add(*more);
                true
            }
            _ => false,
        }
    }

    /// The AS, if it is one.
    #[must_use]
    pub const fn asn(&self) -> Option<Asn> {
        match self {
            Self::As { asn, .. } => Some(*asn),
            Self::Gap { .. } | Self::Unmapped { .. } => None,
        }
    }

    /// How many hops.
    #[must_use]
    pub const fn hops(&self) -> u8 {
        match self {
            Self::As { hops, .. } | Self::Gap { hops } | Self::Unmapped { hops } => *hops,
        }
    }
}

/// `AS680 AS3356 AS4837 *3 AS131279`: gaps as `*`, unmapped hops as `?`, each with its number of hops.
impl fmt::Display for AsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.segments.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            match segment {
                Segment::As { asn, .. } => write!(f, "{asn}")?,
                Segment::Gap { hops } => write!(f, "*{hops}")?,
                Segment::Unmapped { hops } => write!(f, "?{hops}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for HopRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(reason) => reason.fmt(f),
            Self::SeveralAddresses(reason) => {
                write!(f, "several addresses, of the one that answered most: {reason}")
            }
            Self::Surrounded => f.write_str("not mapped, but between hops of this AS"),
            Self::Bridged => f.write_str("no address, but between hops of this AS"),
            Self::NoAddress(state) => f.write_str(match state {
                HopState::Answered | HopState::Silent => "silent",
                HopState::Hidden => "hidden: forwarded with TTL 0",
                HopState::NotSent => "not sent",
                HopState::NotProbed => "not probed",
            }),
        }
    }
}
