//! Tables: the records of the kind `TABLE_DUMP_V2` (RFC 6396 §4.3, add-path by RFC 8050 §4).

use std::collections::HashMap;
use std::net::IpAddr;

use super::as_path::{AsPath, Attributes};
use super::bytes::Bytes;
use crate::model::Prefix;

const PEER_INDEX_TABLE: u16 = 1;

/// A peer of a collector: its address and its AS.
pub(super) type PeerName = (IpAddr, u32);

/// What a record of a table is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RibRecord<'a> {
    /// The peers, in the order in which routes name them.
    Peers(Vec<PeerName>),
    /// Routes to a prefix.
    Routes(RibRoutes<'a>),
    /// Something else that such a file may have: multicast, other families, places of peers.
    Other,
}

/// The routes to one prefix.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RibRoutes<'a> {
    pub(super) prefix: Prefix,
    /// How many routes the record says it has.
    pub(super) count: u16,
    routes: &'a [u8],
    has_path_ids: bool,
}

impl<'a> RibRecord<'a> {
    /// Reads a record. `None` if it is none.
    pub(super) fn read(subtype: u16, body: &'a [u8]) -> Option<Self> {
        let (is_v6, has_path_ids) = match subtype {
            PEER_INDEX_TABLE => return peers(body).map(Self::Peers),
            2 => (false, false),
            4 => (true, false),
            8 => (false, true),
            10 => (true, true),
            _ => return Some(Self::Other),
        };
        let mut bytes = Bytes(body);
        let _sequence = bytes.u32()?;
        let prefix = bytes.prefix(is_v6)?;
        let count = bytes.u16()?;
        Some(Self::Routes(RibRoutes { prefix, count, routes: bytes.0, has_path_ids }))
    }
}

fn peers(body: &[u8]) -> Option<Vec<PeerName>> {
    const IS_V6: u8 = 1;
    const HAS_4_BYTES: u8 = 2;
    let mut bytes = Bytes(body);
    let _collector = bytes.u32()?;
    let _view = bytes.counted()?;
    let count = bytes.u16()?;
    let peer = |_| {
        let kind = bytes.u8()?;
        let _bgp_id = bytes.u32()?;
        let address = bytes.address(kind & IS_V6 != 0)?;
        let asn = if kind & HAS_4_BYTES == 0 { u32::from(bytes.u16()?) } else { bytes.u32()? };
        Some((address, asn))
    };
    (0..count).map(peer).collect()
}

/// One route.
pub(super) struct RibRoute {
    /// The place of the peer in the table of peers.
    pub(super) peer: u16,
    /// Which of several routes of this peer; 0 where it has one.
    pub(super) path_id: u32,
}

impl RibRoutes<'_> {
    /// Gives every whole route to `take`, with its AS path. Returns how many there were.
    pub(super) fn each(&self, path: &mut AsPath, mut take: impl FnMut(RibRoute, &AsPath)) -> u16 {
        let mut bytes = Bytes(self.routes);
        for number in 0..self.count {
            if self.route(&mut bytes, path, &mut take).is_none() {
                return number;
            }
        }
        self.count
    }

    fn route(
        &self,
        bytes: &mut Bytes<'_>,
        path: &mut AsPath,
        take: &mut impl FnMut(RibRoute, &AsPath),
    ) -> Option<()> {
        let peer = bytes.u16()?;
        let _since = bytes.u32()?;
        let path_id = if self.has_path_ids { bytes.u32()? } else { 0 };
        let attributes = Attributes::read(bytes.counted()?)?;
        // Routes of a collector's own have an empty path or none.
        if attributes.as_path.is_some() {
            attributes.path(true, path)?;
            take(RibRoute { peer, path_id }, path);
        }
        Some(())
    }
}

/// Numbers peers across files: the same peer keeps its number.
#[derive(Debug, Default)]
pub(super) struct Peers {
    numbers: HashMap<PeerName, u16>,
    /// How many prefixes of each family each of them has in tables.
    prefixes: Vec<[u32; 2]>,
    /// The numbers of those that the last table of peers names.
    of_table: Vec<u16>,
}

/// A peer, and how many prefixes of a family it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct CountedPeer {
    pub(super) number: u16,
    pub(super) asn: u32,
    pub(super) prefixes: u32,
}

impl Peers {
    /// The number of a peer.
    pub(super) fn number(&mut self, peer: PeerName) -> u16 {
        let next = u16::try_from(self.numbers.len()).unwrap_or(u16::MAX);
        let number = *self.numbers.entry(peer).or_insert(next);
        if usize::from(number) >= self.prefixes.len() {
            self.prefixes.resize(usize::from(number).saturating_add(1), [0; 2]);
        }
        number
    }

    /// From here on routes name these peers.
    pub(super) fn begin_table(&mut self, peers: Vec<PeerName>) {
        self.of_table = peers.into_iter().map(|peer| self.number(peer)).collect();
    }

    /// The number of the peer at a place of the table of peers.
    pub(super) fn of_table(&self, place: u16) -> Option<u16> {
        self.of_table.get(usize::from(place)).copied()
    }

    pub(super) fn has_prefix(&mut self, peer: u16, is_v6: bool) {
        let counts = self.prefixes.get_mut(usize::from(peer));
        if let Some(count) = counts.and_then(|counts| counts.get_mut(usize::from(is_v6))) {
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Every peer, by number, with how much it has of a family.
    pub(super) fn each(&self, is_v6: bool) -> impl Iterator<Item = CountedPeer> {
        let of = |(name, number): (&PeerName, &u16)| {
            let counts = self.prefixes.get(usize::from(*number));
            let prefixes = counts.and_then(|counts| counts.get(usize::from(is_v6))).copied().unwrap_or(0);
            CountedPeer { number: *number, asn: name.1, prefixes }
        };
        let mut peers: Vec<CountedPeer> = self.numbers.iter().map(of).collect();
        peers.sort_unstable_by_key(|peer| peer.number);
        peers.into_iter()
    }

    /// How many peers have at least half as many prefixes as the one that has most, in the family where more do.
    pub(super) fn full(&self) -> u16 {
        let of_family = |family: usize| {
            let counts = || self.prefixes.iter().filter_map(|counts| counts.get(family).copied());
            let most = counts().max().unwrap_or(0);
            counts().filter(|count| *count > 0 && count.saturating_mul(2) >= most).count()
        };
        u16::try_from(of_family(0).max(of_family(1))).unwrap_or(u16::MAX)
    }
}
