//! Which addresses are on one router, as far as traces tell it for nothing.
//!
//! ```text
//!      router A          router B
//!   a ┌────────┐ m     b ┌────────┐        a trace shows a, then b; m is the other end of the link of b (a /30, /31, /126
//!  ──▶│        │────────▶│        │        or /127), and answered on another trace: a and m are on one router
//!     └────────┘         └────────┘
//! ```
//!
//! Routers mostly answer from the link by which a packet came, so the other end of the link of an address is on the
//! router before it, if they share a neighbour besides (Gunes and Sarac, "Resolving IP aliases in building
//! traceroute-based Internet maps", 2009): the same address is seen behind both, or the ways back show it. Of the ways
//! of several flows, two addresses at one place are on one router too if each always reports the same MPLS label, and both
//! the same: a label is given by the router that reads it (Vermeulen et al., IMC 2018).
//!
//! And addresses that were seen before the same address, as routers before one end of a link are, are on one router if they
//! number their answers with one counter (`counters` says when that is certain).
//!
//! Against it speaks a trace with both at different places, since no way crosses a router twice, that
//! their answers set out with different TTLs (Vanaubel et al., IMC 2013), and that they are numbered by different
//! counters. Of a router against which something speaks nothing is told. What is told is a part of the truth: of most
//! routers only one address ever answers.

mod counters;
mod samples;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use self::counters::{Counter, Verdict};
use super::origin::{OriginReason, OriginTable};
use super::path::{Hop, HopAnswer, Trace};
use crate::model::{Keyed, Name, Port, Protocol, ReplyKind};

pub use samples::Fingerprints;

/// Of the pairs that counters tell so many are expected to be wrong, if all counters are independent of each other.
const WRONG_PAIRS: f64 = 0.01;
/// Addresses that were seen before the same address, of which all pairs are tried: there are no more at one link, but
/// before addresses of exchange points or of tunnels.
const MOST_BEFORE: usize = 32;
/// Pairs that are tried at most.
const MOST_TRIED: usize = 1 << 18;

/// Addresses that are known to be on routers with others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases {
    /// The smallest address of the router.
    names: Keyed<IpAddr, IpAddr>,
}

impl Aliases {
    /// What these traces tell, and the answers to whatever probes. Addresses of exchange points, whose networks are no links between two, and those of
    /// special space, which many networks have, are left out.
    #[must_use]
    pub fn new<'a>(
        traces: impl IntoIterator<Item = &'a Trace>,
        heard: &Fingerprints,
        origins: &OriginTable,
    ) -> Self {
        let traces = distinct(traces);
        let traces = || traces.iter().copied();
        let mut seen = Seen { first_ttl: heard.first_ttl().clone(), ..Seen::default() };
        for trace in traces() {
            seen.add(trace, origins);
        }
        let mut pairs: BTreeSet<Pair> = seen.by_links().chain(seen.by_labels()).collect();
        let candidates = seen.candidates(heard);
        let counters = Counters::new(heard, candidates.iter().chain(&pairs));
        pairs.extend(counters.told(candidates));
        pairs.retain(|pair| seen.agree(pair.0, pair.1) && !counters.are_apart(*pair));
        let apart = apart(traces(), &pairs);
        pairs.retain(|pair| !apart.contains(pair));
        let mut routers = Routers::default();
        for (one, other) in &pairs {
            routers.join(*one, *other);
        }
        let mut aliases = Self { names: routers.names() };
        let broken = aliases.broken(traces(), &seen, &counters);
        aliases.names.retain(|_, name| !broken.contains(name));
        aliases
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The address by which the router of an address is named: its smallest that is known.
    #[must_use]
    pub fn router(&self, address: IpAddr) -> IpAddr {
        self.names.get(&address).copied().unwrap_or(address)
    }

    /// The routers of which several addresses are known, with these.
    #[must_use]
    pub fn routers(&self) -> BTreeMap<IpAddr, BTreeSet<IpAddr>> {
        let mut routers: BTreeMap<IpAddr, BTreeSet<IpAddr>> = BTreeMap::new();
        for (address, name) in &self.names {
            routers.entry(*name).or_default().insert(*address);
        }
        routers
    }

    /// Routers that a trace crosses twice, or of which two addresses cannot belong together.
    fn broken<'a>(
        &self,
        traces: impl IntoIterator<Item = &'a Trace>,
        seen: &Seen,
        counters: &Counters,
    ) -> HashSet<IpAddr> {
        let mut broken = HashSet::new();
        for trace in traces.into_iter().filter(|trace| !trace.looped) {
            let mut at: Keyed<IpAddr, u8> = Keyed::default();
            for (ttl, address) in places(trace) {
                let Some(name) = self.names.get(&address) else { continue };
                if at.insert(*name, ttl).is_some_and(|before| before != ttl) {
                    broken.insert(*name);
                }
            }
        }
        for (name, addresses) in self.routers() {
            let first: BTreeSet<u8> = addresses
                .iter()
                .filter_map(|address| seen.first_ttl.get(address).copied().flatten())
                .collect();
            if first.len() > 1 || counters.are_several(&addresses) {
                broken.insert(name);
            }
        }
        broken
    }
}

/// Of traces that show the same one: campaigns trace the same ways again and again, and share what they have in common.
fn distinct<'a>(traces: impl IntoIterator<Item = &'a Trace>) -> Vec<&'a Trace> {
    let mut seen = HashSet::new();
    let shown = |trace: &Trace| {
        let (key, hops) = (&trace.key, Arc::as_ptr(&trace.hops).addr());
        (key.vantage.clone(), key.target, key.protocol, key.port, hops, trace.looped)
    };
    traces.into_iter().filter(|trace| seen.insert(shown(trace))).collect()
}

/// The addresses that count what they send.
#[derive(Default)]
struct Counters(Keyed<IpAddr, Counter>);

impl Counters {
    /// Of addresses in these pairs.
    fn new<'p>(heard: &Fingerprints, pairs: impl IntoIterator<Item = &'p Pair>) -> Self {
        let addresses: BTreeSet<IpAddr> =
            pairs.into_iter().flat_map(|(one, other)| [*one, *other]).collect();
        let counter = |address| Some((address, Counter::new(heard.of(address))?));
        Self(addresses.into_iter().filter_map(counter).collect())
    }

    fn verdict(&self, (one, other): Pair) -> Option<Verdict> {
        Some(self.0.get(&one)?.with(self.0.get(&other)?))
    }

    fn are_apart(&self, pair: Pair) -> bool {
        self.verdict(pair) == Some(Verdict::Apart)
    }

    /// Whether two of a router's addresses are numbered by different counters.
    fn are_several(&self, addresses: &BTreeSet<IpAddr>) -> bool {
        let counting: Vec<IpAddr> = addresses
            .iter()
            .copied()
            .filter(|address| self.0.contains_key(address))
            .take(MOST_BEFORE)
            .collect();
        all_pairs(&counting).any(|pair| self.are_apart(pair))
    }

    /// Pairs of one counter, so many having been tried.
    fn told(&self, candidates: BTreeSet<Pair>) -> Vec<Pair> {
        let chance = |pair| match self.verdict(pair)? {
            Verdict::Together(chance) => Some((pair, chance)),
            Verdict::Apart => Some((pair, 1.0)),
        };
        let tried: Vec<(Pair, f64)> = candidates.into_iter().filter_map(chance).collect();
        let most = WRONG_PAIRS / f64::from(u32::try_from(tried.len()).unwrap_or(u32::MAX));
        tried.into_iter().filter(|(_, chance)| *chance <= most).map(|(pair, _)| pair).collect()
    }
}

fn all_pairs(addresses: &[IpAddr]) -> impl Iterator<Item = Pair> + '_ {
    let behind = |place: usize| addresses.iter().skip(place.saturating_add(1));
    addresses.iter().enumerate().flat_map(move |(place, one)| behind(place).map(|other| pair(*one, *other)))
}

/// Two addresses, the smaller first.
type Pair = (IpAddr, IpAddr);

fn pair(one: IpAddr, other: IpAddr) -> Pair {
    (one.min(other), one.max(other))
}

/// A place on the ways of several flows: from where, towards where, carried in what, and the TTL.
type Place = (Name, IpAddr, (Protocol, Option<Port>), u8);

/// What traces show of addresses.
#[derive(Debug, Default)]
struct Seen {
    /// What was seen right before each address.
    before: Keyed<IpAddr, BTreeSet<IpAddr>>,
    /// What was seen right behind it.
    behind: Keyed<IpAddr, BTreeSet<IpAddr>>,
    /// The TTL with which the answers of an address set out; `None` where they differ.
    first_ttl: Keyed<IpAddr, Option<u8>>,
    /// The label that an address reports; `None` where they differ.
    labels: Keyed<IpAddr, Option<u32>>,
    /// Addresses with labels at one place.
    places: Keyed<Place, BTreeSet<IpAddr>>,
}

impl Seen {
    fn add(&mut self, trace: &Trace, origins: &OriginTable) {
        let mut before: Option<(u8, IpAddr)> = None;
        for hop in trace.hops.iter() {
            let Some(address) = router_of(hop).filter(|address| is_taken(*address, origins)) else {
                before = None;
                continue;
            };
            self.note(trace, hop, address);
            let ttl = hop.ttl.get();
            let near = before.filter(|(at, from)| at.checked_add(1) == Some(ttl) && *from != address);
            if let Some((_, from)) = near.filter(|_| !trace.looped) {
                self.before.entry(address).or_default().insert(from);
                self.behind.entry(from).or_default().insert(address);
            }
            before = Some((ttl, address));
        }
    }

    fn note(&mut self, trace: &Trace, hop: &Hop, address: IpAddr) {
        self.before.entry(address).or_default();
        for answer in &hop.answers {
            if let Some(ttl) = answer.reply_ttl {
                keep_same(&mut self.first_ttl, address, set_out(ttl));
            }
            if let Some(label) = answer.mpls.first() {
                keep_same(&mut self.labels, address, label.label);
            }
        }
        if self.labels.contains_key(&address) {
            let key = &trace.key;
            let place = (key.vantage.clone(), key.target, (key.protocol, key.port), hop.ttl.get());
            self.places.entry(place).or_default().insert(address);
        }
    }

    /// What stands before an address and the other end of its link.
    fn by_links(&self) -> impl Iterator<Item = Pair> + '_ {
        self.before.iter().flat_map(|(address, before)| {
            let end = self.other_end(*address);
            let pairs = end.into_iter().flat_map(|end| before.iter().map(move |from| (*from, end)));
            let told = pairs.filter(|(from, end)| from != end && self.is_shared(*from, *end));
            told.map(|(from, end)| pair(from, end))
        })
    }

    /// Whether something else that was seen bears two addresses out: the same address right behind both, or right
    /// behind the one the other end of the other's link, where ways go in both directions.
    fn is_shared(&self, from: IpAddr, end: IpAddr) -> bool {
        let Some(behind_end) = self.behind.get(&end) else { return false };
        let same = self.behind.get(&from).is_some_and(|behind| !behind.is_disjoint(behind_end));
        same || [1, 3].into_iter().any(|bits| behind_end.contains(&flipped(from, bits)))
    }

    /// The other end of the link of an address, if it answered too, and if that is not in doubt: where the ends of the
    /// larger network answered as well, there are two smaller ones.
    fn other_end(&self, address: IpAddr) -> Option<IpAddr> {
        let there = |other: u8| Some(flipped(address, other)).filter(|end| self.before.contains_key(end));
        let inner = matches!(last_bits(address), 1 | 2);
        let small = there(1);
        let large = there(3).filter(|_| inner);
        match (small, large) {
            (Some(end), None) | (None, Some(end)) => Some(end),
            _ => None,
        }
    }

    /// Addresses at one place with one and the same label.
    fn by_labels(&self) -> impl Iterator<Item = Pair> + '_ {
        self.places.values().flat_map(|addresses| {
            let mut of: BTreeMap<u32, Vec<IpAddr>> = BTreeMap::new();
            for address in addresses {
                if let Some(Some(label)) = self.labels.get(address) {
                    of.entry(*label).or_default().push(*address);
                }
            }
            // Labels below 16 have meanings of their own (RFC 3032 §2.1).
            let same = of.into_iter().filter(|(label, _)| *label >= 16).map(|(_, same)| same);
            same.flat_map(|same| {
                let first = same.first().copied();
                same.into_iter().skip(1).filter_map(move |other| Some(pair(first?, other)))
            })
        })
    }

    /// Pairs that may be on one router, but of which this is not enough to say so: seen before the same address, or one
    /// before an address and the other at the other end of its link. Only such of which enough was heard.
    fn candidates(&self, heard: &Fingerprints) -> BTreeSet<Pair> {
        let mut pairs = BTreeSet::new();
        let addresses: BTreeMap<IpAddr, &BTreeSet<IpAddr>> =
            self.before.iter().map(|(address, before)| (*address, before)).collect();
        for (address, before) in addresses {
            let end = self.other_end(address).filter(|end| !before.contains(end));
            let near = before.iter().copied().chain(end).filter(|address| heard.has_some(*address));
            let near: Vec<IpAddr> = near.collect();
            if near.len() <= MOST_BEFORE && pairs.len() < MOST_TRIED {
                pairs.extend(all_pairs(&near));
            }
        }
        pairs
    }

    /// Whether nothing that is known of two addresses differs.
    fn agree(&self, one: IpAddr, other: IpAddr) -> bool {
        let first = |address| self.first_ttl.get(&address).copied().flatten();
        first(one).zip(first(other)).is_none_or(|(one, other)| one == other)
    }
}

fn keep_same<T: PartialEq>(known: &mut Keyed<IpAddr, Option<T>>, address: IpAddr, value: T) {
    match known.get_mut(&address) {
        None => drop(known.insert(address, Some(value))),
        Some(before) if before.as_ref() != Some(&value) => *before = None,
        Some(_) => {}
    }
}

/// The one address that answered at a hop because the TTL had run out there, and not before.
fn router_of(hop: &Hop) -> Option<IpAddr> {
    let address = hop.address()?;
    let is_router = |answer: &HopAnswer| {
        answer.kind == ReplyKind::TimeExceeded && answer.from == address && answer.quoted_ttl != Some(0)
    };
    hop.answers.iter().all(is_router).then_some(address)
}

fn is_taken(address: IpAddr, origins: &OriginTable) -> bool {
    !matches!(
        origins.lookup(address).reason(),
        OriginReason::ExchangePoint { .. } | OriginReason::SpecialPurpose { .. }
    )
}

/// The addresses of a trace with their places, as often as each answered.
fn places(trace: &Trace) -> impl Iterator<Item = (u8, IpAddr)> + '_ {
    trace.hops.iter().flat_map(|hop| hop.answers.iter().map(|answer| (hop.ttl.get(), answer.from)))
}

/// Those of the pairs that stand on one trace at different places.
fn apart<'a>(traces: impl IntoIterator<Item = &'a Trace>, pairs: &BTreeSet<Pair>) -> HashSet<Pair> {
    let mut others: Keyed<IpAddr, Vec<IpAddr>> = Keyed::default();
    for (one, other) in pairs {
        others.entry(*one).or_default().push(*other);
        others.entry(*other).or_default();
    }
    let mut apart = HashSet::new();
    for trace in traces.into_iter().filter(|trace| !trace.looped) {
        let in_pairs = places(trace).filter(|(_, address)| others.contains_key(address));
        let at: Keyed<IpAddr, u8> = in_pairs.map(|(ttl, address)| (address, ttl)).collect();
        for (one, ttl) in &at {
            let of_one = others.get(one).into_iter().flatten();
            let elsewhere = of_one.filter(|other| at.get(*other).is_some_and(|other| other != ttl));
            apart.extend(elsewhere.map(|other| (*one, *other)));
        }
    }
    apart
}

/// The TTL with which an answer set out: the next that systems begin with.
const fn set_out(ttl: u8) -> u8 {
    match ttl {
        0..=32 => 32,
        33..=64 => 64,
        65..=128 => 128,
        _ => 255,
    }
}

fn last_bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(address) => address.octets()[3] & 3,
        IpAddr::V6(address) => address.octets()[15] & 3,
    }
}

/// An address with some of its last bits turned.
fn flipped(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V4((address.to_bits() ^ u32::from(bits)).into()),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() ^ u128::from(bits)).into()),
    }
}

/// Addresses that were joined, each with one before it.
#[derive(Default)]
struct Routers(BTreeMap<IpAddr, IpAddr>);

impl Routers {
    fn name(&self, mut address: IpAddr) -> IpAddr {
        while let Some(smaller) = self.0.get(&address).filter(|smaller| **smaller != address) {
            address = *smaller;
        }
        address
    }

    fn join(&mut self, one: IpAddr, other: IpAddr) {
        let (one, other) = (self.name(one), self.name(other));
        let (small, large) = (one.min(other), one.max(other));
        self.0.entry(small).or_insert(small);
        self.0.insert(large, small);
    }

    fn names(&self) -> Keyed<IpAddr, IpAddr> {
        self.0.keys().map(|address| (*address, self.name(*address))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyse::sheet::{ip, origins, traces};

    const KP: &str = "175.45.178.10";

    /// 4.69.1.2 is seen behind 4.69.154.9, and behind 4.69.1.1, which is the other end of its link.
    const TWO: [(&str, &str); 2] = [
        (KP, "188.1.144.1 4.69.154.9 4.69.1.2 219.158.117.1 *"),
        ("4.69.9.9", "188.1.144.1 4.69.1.1 4.69.1.2 *"),
    ];

    fn told(lines: &[(&str, &str)]) -> Vec<Vec<String>> {
        let routers = Aliases::new(&traces(lines), &Fingerprints::default(), &origins()).routers();
        routers.into_values().map(|router| router.iter().map(ToString::to_string).collect()).collect()
    }

    #[test]
    fn the_other_end_of_a_link_is_on_the_router_before_it_if_both_share_a_neighbour() {
        assert_eq!(told(&TWO), [["4.69.1.1", "4.69.154.9"]]);
        let aliases = Aliases::new(&traces(&TWO), &Fingerprints::default(), &origins());
        assert_eq!(aliases.router(ip("4.69.154.9")), ip("4.69.1.1"));
        assert_eq!(aliases.router(ip("188.1.144.1")), ip("188.1.144.1"));
        assert!(told(&[TWO[0], ("4.69.9.9", "188.1.144.1 4.69.1.1 4.69.7.1 *")]).is_empty());
        // The way back: 4.69.154.8 and 4.69.154.9 are a link, too.
        assert_eq!(told(&[TWO[0], ("4.69.9.9", "188.1.144.1 4.69.1.1 4.69.154.8 *")]).len(), 1);
    }

    #[test]
    fn a_trace_that_crosses_both_and_a_network_in_doubt_speak_against_it() {
        let both = ("4.69.9.8", "188.1.144.1 4.69.1.1 4.69.154.9 *");
        assert!(told(&[TWO[0], TWO[1], both]).is_empty());
        // 4.69.1.3 answers too: it may be the other end of a link of two, and 4.69.1.1 that of one of four.
        let doubt = ("4.69.9.8", "188.1.144.1 4.69.1.3 4.69.7.1 *");
        assert!(told(&[TWO[0], TWO[1], doubt]).is_empty());
    }

    /// Identifications of two addresses that were asked in turn, and that count from these starts on.
    fn counted(addresses: [&str; 2], starts: [u16; 2]) -> Fingerprints {
        let mut samples = Fingerprints::default();
        for step in 0..400_u16 {
            let which = usize::from(step % 2);
            let sent = i64::from(step) * 10_000_000_000;
            let took = std::time::Duration::from_millis(5);
            let id = starts[which].wrapping_add(step * 60);
            samples.add_sample(ip(addresses[which]), &"vp".parse().unwrap(), (sent, took), id);
        }
        samples
    }

    #[test]
    fn two_counters_speak_against_one_router() {
        let router = ["4.69.1.1", "4.69.154.9"];
        let with =
            |starts| Aliases::new(&traces(&TWO), &counted(router, starts), &origins()).routers().len();
        assert_eq!((with([9, 9]), with([9, 30_000])), (1, 0));
    }

    #[test]
    fn one_counter_tells_that_addresses_before_the_same_one_are_on_one_router() {
        let lines =
            [(KP, "188.1.144.1 4.69.154.9 4.69.1.2 *"), ("4.69.9.9", "188.1.144.1 4.69.160.1 4.69.1.2 *")];
        let before = ["4.69.154.9", "4.69.160.1"];
        let with = |addresses, starts| {
            Aliases::new(&traces(&lines), &counted(addresses, starts), &origins()).routers().len()
        };
        assert_eq!((with(before, [9, 9]), with(before, [9, 30_000])), (1, 0));
        // These two are before different addresses.
        assert_eq!(with(["188.1.144.1", "4.69.160.1"], [9, 9]), 0);
    }

    #[test]
    fn across_silence_nothing_is_told() {
        assert!(told(&[(KP, "188.1.144.1 4.69.154.9 * 4.69.1.2 *"), TWO[1]]).is_empty());
    }

    #[test]
    fn answers_that_set_out_with_other_ttls_are_of_other_routers() {
        let with = |ttls: [u8; 2]| {
            let mut traces = traces(&TWO);
            for (trace, ttl) in traces.iter_mut().zip(ttls) {
                let hops = Arc::make_mut(&mut trace.hops).iter_mut().filter(|hop| hop.ttl.get() == 2);
                hops.flat_map(|hop| &mut hop.answers).for_each(|answer| answer.reply_ttl = Some(ttl));
            }
            Aliases::new(&traces, &Fingerprints::default(), &origins()).routers().len()
        };
        assert_eq!((with([250, 60]), with([61, 61])), (0, 1));
    }

    #[test]
    fn addresses_at_one_place_with_one_label_are_on_one_router() {
        let lines = [(KP, "188.1.144.1 4.69.154.9 *"), (KP, "188.1.144.1 4.69.160.1 *")];
        let mut traces = traces(&lines);
        let label = |label| crate::model::MplsLabel { label, class: 0, bottom: true, ttl: 1 };
        for (trace, number) in traces.iter_mut().zip([24_001, 24_001]) {
            Arc::make_mut(&mut trace.hops)[1].answers[0].mpls = vec![label(number)];
        }
        assert_eq!(Aliases::new(&traces, &Fingerprints::default(), &origins()).routers().len(), 1);
        Arc::make_mut(&mut traces[1].hops)[1].answers[0].mpls = vec![label(24_002)];
        assert!(Aliases::new(&traces, &Fingerprints::default(), &origins()).is_empty());
    }
}
