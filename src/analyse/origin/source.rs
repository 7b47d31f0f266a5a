//! One source of origins: what one file, or one group of files, says about prefixes.

use std::net::IpAddr;
use std::num::NonZeroU64;

use super::ranges::{Bits, Ranges};
use crate::model::{Asn, Keyed, Prefix};

/// What a source is, in the order in which sources are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceClass {
    /// What the user says of a prefix.
    Override,
    /// What networks announce by BGP.
    Bgp,
    /// Who was given the addresses, by a registry.
    Delegation,
}

impl SourceClass {
    /// The class in one word of a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::Bgp => "bgp",
            Self::Delegation => "delegation",
        }
    }
}

/// An AS that is said to originate a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeenOrigin {
    /// The AS.
    pub asn: Asn,
    /// How many BGP peers saw it there; 0 where the source does not say.
    pub peers: u16,
}

impl From<Asn> for SeenOrigin {
    fn from(asn: Asn) -> Self {
        Self { asn, peers: 0 }
    }
}

/// What one source says, ready to be asked.
#[derive(Clone, Debug)]
pub struct OriginSource {
    name: String,
    class: SourceClass,
    /// How many BGP peers gave it a table of about everything; 0 where it does not say.
    full_peers: u16,
    prefixes: usize,
    v4: Ranges<u32, Said>,
    v6: Ranges<u128, Said>,
    /// The origins of prefixes that have several; many prefixes share theirs.
    origins: Vec<SeenOrigin>,
}

/// What is said of a prefix, in one word, which a look-up hands on without a detour through memory: one octet that is 1 if
/// it has one origin, and else 2; its length in the next; the number of peers, or of origins, in two; and in four the AS, or
/// where among the origins of all those of the prefix begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said(NonZeroU64);

#[derive(Clone, Copy, Debug)]
struct Row<B> {
    start: B,
    said: Said,
}

/// What a source says about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    address: IpAddr,
    said: Said,
    origins: Origins<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origins<'a> {
    One(SeenOrigin),
    Several(&'a [SeenOrigin]),
}

impl Found<'_> {
    /// The longest prefix around the address.
    #[must_use]
    pub fn prefix(&self) -> Prefix {
        self.said.prefix(self.address)
    }

    /// Who originates that, never empty.
    #[must_use]
    #[inline]
    pub const fn origins(&self) -> &[SeenOrigin] {
        self.origins.as_slice()
    }
}

impl Origins<'_> {
    #[inline]
    pub(super) const fn as_slice(&self) -> &[SeenOrigin] {
        match self {
            Self::One(origin) => std::slice::from_ref(origin),
            Self::Several(origins) => origins,
        }
    }
}

/// Collects what a source says.
#[derive(Debug, Default)]
pub struct OriginSourceBuilder {
    v4: Vec<Row<u32>>,
    v6: Vec<Row<u128>>,
    origins: Vec<SeenOrigin>,
    /// Where several origins stand that came already.
    known: Keyed<Box<[SeenOrigin]>, u32>,
}

impl OriginSourceBuilder {
    /// Adds a prefix. One that comes twice keeps the origins of both, in their order, up to 65,535; one without origins
    /// says nothing.
    pub fn add(&mut self, prefix: Prefix, origins: &[SeenOrigin]) {
        let Some(said) = self.said(origins, prefix.length()) else { return };
        match prefix.network() {
            IpAddr::V4(start) => self.v4.push(Row { start: start.to_bits(), said }),
            IpAddr::V6(start) => self.v6.push(Row { start: start.to_bits(), said }),
        }
    }

    /// How many prefixes were added, those that came twice counted twice.
    #[must_use]
    pub fn len(&self) -> usize {
        self.v4.len().saturating_add(self.v6.len())
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn said(&mut self, origins: &[SeenOrigin], length: u8) -> Option<Said> {
        match origins {
            [] => None,
            [origin] => Said::new(true, length, origin.peers, origin.asn.get()),
            _ => {
                let origins = origins.get(..usize::from(u16::MAX)).unwrap_or(origins);
                let (first, count) = (self.first(origins)?, u16::try_from(origins.len()).ok()?);
                Said::new(false, length, count, first)
            }
        }
    }

    fn first(&mut self, origins: &[SeenOrigin]) -> Option<u32> {
        if let Some(first) = self.known.get(origins) {
            return Some(*first);
        }
        let first = u32::try_from(self.origins.len()).ok()?;
        self.origins.extend_from_slice(origins);
        self.known.insert(origins.into(), first);
        Some(first)
    }

    /// The source under this name.
    #[must_use]
    pub fn finish(mut self, name: impl Into<String>, class: SourceClass) -> OriginSource {
        let (v4, v6) = (std::mem::take(&mut self.v4), std::mem::take(&mut self.v6));
        let (v4, v6) = (self.in_order(v4), self.in_order(v6));
        let Self { mut origins, .. } = self;
        origins.shrink_to_fit();
        let prefixes = v4.len().saturating_add(v6.len());
        let (v4, v6) = (ranges(v4), ranges(v6));
        OriginSource { name: name.into(), class, full_peers: 0, prefixes, v4, v6, origins }
    }

    /// Every prefix once.
    fn in_order<B: Bits>(&mut self, mut rows: Vec<Row<B>>) -> Vec<Row<B>> {
        let place = |row: &Row<B>| (row.start, row.said.length());
        if !rows.is_sorted_by_key(place) {
            rows.sort_by_key(place);
        }
        rows.dedup_by(|next, first| {
            let same = place(next) == place(first);
            if same && next.said != first.said {
                first.said = self.joined(first.said, next.said);
            }
            same
        });
        rows
    }

    fn joined(&mut self, first: Said, next: Said) -> Said {
        let mut origins = first.origins(&self.origins).as_slice().to_vec();
        for more in next.origins(&self.origins).as_slice() {
            match origins.iter_mut().find(|origin| origin.asn == more.asn) {
                Some(origin) => origin.peers = origin.peers.max(more.peers),
                None => origins.push(*more),
            }
        }
        self.said(&origins, first.length()).unwrap_or(first)
    }
}

fn ranges<B: Bits>(rows: Vec<Row<B>>) -> Ranges<B, Said> {
    Ranges::new(rows.into_iter().map(|Row { start, said }| (start, said.length(), said)))
}

impl Said {
    fn new(is_one: bool, length: u8, count: u16, number: u32) -> Option<Self> {
        let ([count_high, count_low], [a, b, c, d]) = (count.to_be_bytes(), number.to_be_bytes());
        let kind = if is_one { 1 } else { 2 };
        let word = u64::from_be_bytes([kind, length, count_high, count_low, a, b, c, d]);
        NonZeroU64::new(word).map(Self)
    }

    #[inline]
    pub(super) const fn is_one(self) -> bool {
        let [kind, ..] = self.0.get().to_be_bytes();
        kind == 1
    }

    #[inline]
    pub(super) const fn length(self) -> u8 {
        let [_, length, ..] = self.0.get().to_be_bytes();
        length
    }

    /// The prefix around an address of which it is said. No source has lengths that the family has not.
    pub(super) fn prefix(self, address: IpAddr) -> Prefix {
        Prefix::covering(address, self.length()).unwrap_or_else(|| Prefix::host(address))
    }

    #[inline]
    fn origins(self, all: &[SeenOrigin]) -> Origins<'_> {
        let [_, _, count_high, count_low, a, b, c, d] = self.0.get().to_be_bytes();
        let (count, number) =
            (u16::from_be_bytes([count_high, count_low]), u32::from_be_bytes([a, b, c, d]));
        if let (true, Ok(asn)) = (self.is_one(), Asn::try_from(number)) {
            return Origins::One(SeenOrigin { asn, peers: count });
        }
        let first = number as usize;
        Origins::Several(all.get(first..first.saturating_add(count.into())).unwrap_or_default())
    }
}

impl OriginSource {
    /// The same source, of which so many BGP peers gave a table of about everything.
    #[must_use]
    pub fn with_full_peers(mut self, full_peers: u16) -> Self {
        self.full_peers = full_peers;
        self
    }

    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is.
    #[must_use]
    pub const fn class(&self) -> SourceClass {
        self.class
    }

    /// How many BGP peers gave it a table of about everything; 0 where it does not say.
    #[must_use]
    pub const fn full_peers(&self) -> u16 {
        self.full_peers
    }

    /// How many prefixes it knows.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.prefixes
    }

    /// Whether it knows none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it says about an address.
    #[must_use]
    #[inline]
    pub fn find(&self, address: IpAddr) -> Option<Found<'_>> {
        let said = self.said(address)?;
        Some(Found { address, said, origins: self.origins(said) })
    }

    #[inline]
    pub(super) fn said(&self, address: IpAddr) -> Option<Said> {
        match address {
            IpAddr::V4(address) => self.v4.find(address.to_bits()),
            IpAddr::V6(address) => self.v6.find(address.to_bits()),
        }
    }

    #[inline]
    pub(super) fn origins(&self, said: Said) -> Origins<'_> {
        said.origins(&self.origins)
    }

    /// Whether so few of its peers saw an origin of a prefix that it proves nothing.
    pub(super) fn says_thinly(&self, said: Said, asn: Asn) -> bool {
        self.origins(said).as_slice().iter().any(|origin| origin.asn == asn && self.is_thin(*origin))
    }

    /// Whether so few of its peers saw an origin that it proves nothing: fewer than two, or fewer than a tenth of
    /// those that see about everything. Unknown in a source that does not say who saw what, or that has fewer than
    /// three such peers.
    #[must_use]
    pub fn is_thin(&self, origin: SeenOrigin) -> bool {
        is_thin(origin.peers, self.full_peers)
    }
}

/// Whether what this many peers saw is too little to believe, of so many that see about everything.
#[must_use]
pub const fn is_thin(peers: u16, full_peers: u16) -> bool {
    let tenth = full_peers.div_ceil(10);
    let needed = if tenth > 2 { tenth } else { 2 };
    full_peers >= 3 && peers > 0 && peers < needed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_thin_only_where_many_peers_could_have_seen_it() {
        assert!(!is_thin(0, 14), "not said is not little");
        assert!(is_thin(1, 14) && !is_thin(2, 14));
        assert!(is_thin(3, 40) && !is_thin(4, 40));
        assert!(!is_thin(1, 2), "of two peers one may be right");
    }
}
