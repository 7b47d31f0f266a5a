//! One source of origins: what one file, or one group of files, says about prefixes.

use std::collections::HashMap;
use std::net::IpAddr;

use super::ranges::{Bits, Ranges};
use crate::model::{Asn, Prefix};

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
    v4: Family<u32>,
    v6: Family<u128>,
    /// The origins of rows; many rows share theirs.
    sets: Vec<Box<[SeenOrigin]>>,
}

#[derive(Clone, Debug, Default)]
struct Family<B> {
    rows: Vec<Row<B>>,
    ranges: Ranges<B>,
}

#[derive(Clone, Copy, Debug)]
struct Row<B> {
    start: B,
    length: u8,
    set: u32,
}

/// What a source says about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// The longest prefix around it.
    pub prefix: Prefix,
    /// Who originates that, never empty.
    pub origins: &'a [SeenOrigin],
}

/// Collects what a source says.
#[derive(Debug, Default)]
pub struct OriginSourceBuilder {
    v4: Vec<Row<u32>>,
    v6: Vec<Row<u128>>,
    sets: Vec<Box<[SeenOrigin]>>,
    known: HashMap<Box<[SeenOrigin]>, u32>,
}

impl OriginSourceBuilder {
    /// Adds a prefix. One that comes twice keeps the origins of both, in their order; one without origins says
    /// nothing.
    pub fn add(&mut self, prefix: Prefix, origins: &[SeenOrigin]) {
        if origins.is_empty() {
            return;
        }
        let (set, length) = (self.set(origins), prefix.length());
        match prefix.network() {
            IpAddr::V4(start) => self.v4.push(Row { start: start.to_bits(), length, set }),
            IpAddr::V6(start) => self.v6.push(Row { start: start.to_bits(), length, set }),
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

    fn set(&mut self, origins: &[SeenOrigin]) -> u32 {
        if let Some(set) = self.known.get(origins) {
            return *set;
        }
        let set = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        self.sets.push(origins.into());
        self.known.insert(origins.into(), set);
        set
    }

    /// The source under this name.
    #[must_use]
    pub fn finish(mut self, name: impl Into<String>, class: SourceClass) -> OriginSource {
        let v4 = std::mem::take(&mut self.v4);
        let v6 = std::mem::take(&mut self.v6);
        let (v4, v6) = (self.family(v4), self.family(v6));
        OriginSource { name: name.into(), class, full_peers: 0, v4, v6, sets: self.sets }
    }

    fn family<B: Bits>(&mut self, mut rows: Vec<Row<B>>) -> Family<B> {
        let place = |row: &Row<B>| (row.start, row.length);
        if !rows.is_sorted_by_key(place) {
            rows.sort_by_key(place);
        }
        rows.dedup_by(|next, first| {
            let same = place(next) == place(first);
            if same && next.set != first.set {
                first.set = self.joined(first.set, next.set);
            }
            same
        });
        rows.shrink_to_fit();
        let ranges = Ranges::new(rows.iter().map(place));
        Family { rows, ranges }
    }

    fn joined(&mut self, first: u32, next: u32) -> u32 {
        let of = |set: u32| self.sets.get(set as usize).map_or(&[][..], |origins| origins);
        let mut origins = of(first).to_vec();
        for more in of(next) {
            match origins.iter_mut().find(|origin| origin.asn == more.asn) {
                Some(origin) => origin.peers = origin.peers.max(more.peers),
                None => origins.push(*more),
            }
        }
        self.set(&origins)
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
    pub fn len(&self) -> usize {
        self.v4.rows.len().saturating_add(self.v6.rows.len())
    }

    /// Whether it knows none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it says about an address.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Option<Found<'_>> {
        let (prefix, set) = match address {
            IpAddr::V4(address) => {
                let row = self.v4.find(address.to_bits())?;
                (Prefix::covering(IpAddr::V4(row.start.into()), row.length)?, row.set)
            }
            IpAddr::V6(address) => {
                let row = self.v6.find(address.to_bits())?;
                (Prefix::covering(IpAddr::V6(row.start.into()), row.length)?, row.set)
            }
        };
        Some(Found { prefix, origins: self.sets.get(set as usize)? })
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

impl<B: Bits> Family<B> {
    fn find(&self, address: B) -> Option<&Row<B>> {
        self.rows.get(self.ranges.row(address)?)
    }
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
