//! Hops → ASes → AS path, with the rule that decided at every hop and with gaps shown.
//!
//! The rules: what was told of the router, where the borders of the whole dataset were asked for; else longest
//! match of the address; of several origins of a prefix a customer of the others, or the one that a hop beside has;
//! on the LAN of an exchange point the member whose port it is, or else the next hop's AS if that is a member; where a hop has several addresses
//! in different ASes, that of the address that answered most often; hops that no table maps, or that were silent, belong
//! to the AS around them if the mapped hops on both sides agree, and are marked. Nothing is appended: an AS that did not
//! answer is not on the path. Without borders, an address of the provider may stand on the customer's side of their link.

use std::fmt;
use std::net::IpAddr;

use super::router::{Confidence, RouterAs, RouterAses, RouterRule};
use super::trace::{Hop, HopState, Trace, TraceEnd};
use crate::analyse::origin::{Choice, OriginReason, OriginTable};
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
    /// Whether a loop was cut out of the trace: then what stands before the cut was seen on another way than what
    /// stands behind it.
    pub looped: bool,
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
    /// How sure it is.
    pub confidence: Confidence,
    /// The AS at the other end of the link by whose address it answered, where the borders of the dataset tell it.
    pub connected: Option<Asn>,
}

/// What decided about the AS of a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HopRule {
    /// The address, by the origin table.
    Origin(OriginReason),
    /// Several addresses answered and their ASes differ: the one that answered most often.
    SeveralAddresses(OriginReason),
    /// What was seen behind its router, on any trace of the dataset.
    Router(RouterRule),
    /// Several ASes originate the longest covering prefix; this one has a hop beside, too.
    Beside(OriginReason),
    /// On the LAN of an exchange point: the member whose port it is.
    ExchangePort(Prefix),
    /// On the LAN of an exchange point: the AS of the next hop, which is a member.
    ExchangeMember(Prefix),
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
            Self::Router(rule) => rule.as_str(),
            Self::Beside(_) => "origin_beside",
            Self::ExchangePort(_) => "exchange_port",
            Self::ExchangeMember(_) => "exchange_member",
            Self::Surrounded => "surrounded",
            Self::Bridged => "bridged",
            Self::NoAddress(_) => "no_address",
        }
    }

    /// The prefix by which the address was looked up.
    #[must_use]
    pub const fn prefix(self) -> Option<Prefix> {
        match self {
            Self::Origin(reason) | Self::SeveralAddresses(reason) | Self::Beside(reason) => reason.prefix(),
            Self::ExchangePort(prefix) | Self::ExchangeMember(prefix) => Some(prefix),
            Self::Router(_) | Self::Surrounded | Self::Bridged | Self::NoAddress(_) => None,
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
        Self::with_routers(trace, origins, &RouterAses::default())
    }

    /// The AS path of a trace, where it is known of some addresses whose routers they are on.
    #[must_use]
    pub fn with_routers(trace: &Trace, origins: &OriginTable, routers: &RouterAses) -> Self {
        let origin = origins.lookup(trace.key.target).asn();
        let mut hops: Vec<HopAs> = Vec::with_capacity(trace.hops.len());
        for hop in trace.hops.iter() {
            let by_address = HopAs::new(hop, origins);
            let before = hops.iter().rev().find_map(|hop| hop.asn);
            let is_target = by_address.address == Some(trace.key.target)
                && trace.end == TraceEnd::Reached { ttl: hop.ttl };
            let router = by_address.address.and_then(|address| routers.get(address)).filter(|_| !is_target);
            hops.push(match router {
                Some(router) => by_address.of_router(router, origin, before),
                None => by_address,
            });
        }
        resolve_beside(&mut hops);
        resolve_exchange(&mut hops, origins);
        infer_between(&mut hops);
        let segments = segments(&hops);
        Self { hops, segments, end: trace.end, looped: trace.looped }
    }

    /// The ASes in their order, gaps left out.
    pub fn ases(&self) -> impl DoubleEndedIterator<Item = Asn> {
        self.segments.iter().filter_map(Segment::asn)
    }
}

impl HopAs {
    fn new(hop: &Hop, origins: &OriginTable) -> Self {
        let Some(address) = hop.address() else {
            let (ttl, rule) = (hop.ttl, HopRule::NoAddress(hop.state()));
            let confidence = Confidence::Low;
            return Self {
                ttl,
                address: None,
                asn: None,
                alternatives: Vec::new(),
                rule,
                confidence,
                connected: None,
            };
        };
        let found = origins.lookup(address);
        let (asn, reason) = (found.asn(), found.reason());
        let sure = match reason {
            OriginReason::SingleOrigin { .. } | OriginReason::Overridden { .. } => true,
            OriginReason::SeveralOrigins { choice, .. } => {
                matches!(choice, Choice::Organisation | Choice::Customer)
            }
            _ => false,
        };
        let confidence = if sure && !found.is_thin() { Confidence::Fair } else { Confidence::Low };
        let mut alternatives = found.alternatives();
        let mut rule = HopRule::Origin(reason);
        for other in hop.others(address) {
            let other = origins.lookup(other).asn();
            if other != asn {
                rule = HopRule::SeveralAddresses(reason);
                alternatives.extend(other.filter(|other| !alternatives.contains(other)));
            }
        }
        Self { ttl: hop.ttl, address: Some(address), asn, alternatives, rule, confidence, connected: None }
    }

    /// The same, by what is known of the router. That it is the target's AS's is not taken from where packets went: it
    /// would make every last router before the silence the target's, and its neighbour's neighbour the upstream.
    fn of_router(mut self, router: &RouterAs, origin: Option<Asn>, before: Option<Asn>) -> Self {
        self.connected = router.connected;
        let RouterAs { asn: Some(asn), rule, alternatives, confidence, .. } = router else { return self };
        let (asn, confidence) = (*asn, *confidence);
        if self.asn == Some(asn) {
            return Self { confidence, ..self };
        }
        let assumed = match rule {
            RouterRule::LastDestination => Some(asn) == origin,
            // Whose address it is stands before it, so that the upstream is the same whosever router it is.
            RouterRule::Serves => Some(asn) == origin && before != self.asn,
            _ => false,
        };
        if assumed {
            let alternatives = std::iter::once(asn).chain(self.alternatives).collect();
            return Self { alternatives, confidence: Confidence::Low, ..self };
        }
        let address_as = self.asn.filter(|own| !alternatives.contains(own));
        let alternatives = alternatives.iter().copied().chain(address_as).collect();
        Self { asn: Some(asn), alternatives, rule: HopRule::Router(*rule), confidence, ..self }
    }

    /// Gives it to one of the ASes that it may be.
    fn choose(&mut self, asn: Asn, rule: HopRule, confidence: Confidence) {
        let before = self.asn.replace(asn);
        self.alternatives.retain(|other| *other != asn);
        self.alternatives.extend(before.filter(|before| *before != asn));
        self.rule = rule;
        self.confidence = confidence;
    }
}

/// Of several origins of a prefix, takes the one that the mapped hop before or behind has, if it is not known to be a
/// customer's: then a hop of the provider beside says nothing.
fn resolve_beside(hops: &mut [HopAs]) {
    for position in 0..hops.len() {
        let Some(HopRule::Origin(reason @ OriginReason::SeveralOrigins { choice, .. })) =
            hops.get(position).map(|hop| hop.rule)
        else {
            continue;
        };
        if choice == Choice::Customer {
            continue;
        }
        let (before, behind) = beside(hops, position);
        let Some(hop) = hops.get_mut(position) else { continue };
        let fits = |asn: &Asn| hop.asn == Some(*asn) || hop.alternatives.contains(asn);
        if let Some(asn) = [before, behind].into_iter().flatten().find(fits) {
            hop.choose(asn, HopRule::Beside(reason), Confidence::Fair);
        }
    }
}

/// Gives addresses of exchange points to members.
fn resolve_exchange(hops: &mut [HopAs], origins: &OriginTable) {
    for position in (0..hops.len()).rev() {
        let Some(HopRule::Origin(OriginReason::ExchangePoint { prefix })) =
            hops.get(position).map(|hop| hop.rule)
        else {
            continue;
        };
        let (_, behind) = beside(hops, position);
        let Some(hop) = hops.get_mut(position) else { continue };
        let is_member = |asn: Asn| {
            let lan = hop.address.and_then(|address| origins.exchange_point(address));
            lan.and_then(|lan| lan.has_member(asn)).unwrap_or(false)
        };
        if let Some(port) = hop.alternatives.first().copied() {
            hop.choose(port, HopRule::ExchangePort(prefix), Confidence::High);
        } else if let Some(asn) = behind.filter(|asn| is_member(*asn)) {
            hop.choose(asn, HopRule::ExchangeMember(prefix), Confidence::Fair);
        }
    }
}

/// The ASes of the nearest mapped hops before and behind.
fn beside(hops: &[HopAs], position: usize) -> (Option<Asn>, Option<Asn>) {
    let before = hops.get(..position).and_then(|hops| hops.iter().rev().find_map(|hop| hop.asn));
    let behind =
        hops.get(position.saturating_add(1)..).and_then(|hops| hops.iter().find_map(|hop| hop.asn));
    (before, behind)
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
                hop.confidence = Confidence::Fair;
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
            Self::Router(rule) => f.write_str(match rule {
                RouterRule::Origin => "by its address alone",
                RouterRule::Votes => "by what is seen behind its router",
                RouterRule::Customer => "only this customer is seen behind its router",
                RouterRule::WaysIn => "one of several ways into one router",
                RouterRule::BeforePeers => "only peers of this AS are seen behind its router",
                RouterRule::Upward => "only its provider is seen behind its router",
                RouterRule::BeforeSilence => "by its address, with a silent router behind it",
                RouterRule::Tie => "by what is seen behind its router, one of equals",
                RouterRule::HiddenAs => "the only AS that can stand between those around it",
                RouterRule::LastOrigin => "its last router, by its address",
                RouterRule::LastDestination => "its last router, by where its packets went",
                RouterRule::Serves => "targets of this AS answer directly behind its router",
                RouterRule::ExchangePort => "a port of this AS at an exchange point",
            }),
            Self::Beside(reason) => write!(f, "{reason}; a hop beside is of this one"),
            Self::ExchangePort(prefix) => write!(f, "a port of this AS at an exchange point, {prefix}"),
            Self::ExchangeMember(prefix) => {
                write!(f, "at an exchange point, {prefix}, before a hop of this member")
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
