//! MRT files of route collectors: tables (`TABLE_DUMP_V2`, and the older `TABLE_DUMP`) and the changes to them (`BGP4MP`, `BGP4MP_ET`).
//!
//! Only what tells who originates what is read: peers, prefixes and AS paths. Everything is checked against the
//! length of the record in which it stands, so a damaged record costs only itself; where the next one begins is
//! told by headers alone. Communities, next hops and the like are passed over unread, which is what makes a full
//! table quick.

mod as_path;
mod bytes;
mod dump;
mod evidence;
mod frames;
mod rib;
mod updates;
mod views;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::Read;

use self::as_path::AsPath;
use self::dump::DumpedRoute;
use self::evidence::Links;
use self::frames::{BGP4MP, BGP4MP_ET, Frame, Frames, TABLE_DUMP, TABLE_DUMP_V2};
use self::rib::{Peers, RibRecord, RibRoutes};
use self::updates::{Change, Update};
use crate::analyse::origin::{OriginSource, OriginSourceBuilder, SeenOrigin, SourceClass};
use crate::formats::faults::Faults;
use crate::model::{Asn, Prefix, WallTime};

pub use evidence::{LinkEvidence, TransitEvidence};
pub(super) use views::TableReader;
pub use views::Views;

/// The most routes that are kept where changes are applied; a collector with 40 full peers has 40 million.
const MOST_ROUTES: usize = 60_000_000;

/// The shortest prefix that is taken: nobody was given more. A default route says nothing of anybody.
const SHORTEST_V4: u8 = 8;
const SHORTEST_V6: u8 = 8;

/// What was in the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MrtCounts {
    /// Records with routes to a prefix of IPv4.
    pub prefixes_v4: u64,
    /// Records with routes to a prefix of IPv6.
    pub prefixes_v6: u64,
    /// Routes in them.
    pub routes: u64,
    /// Records with changes that were applied.
    pub changes: u64,
    /// Records with changes that lie behind the wanted time or before the table.
    pub other_times: u64,
    /// Peers.
    pub peers: u64,
}

impl MrtCounts {
    pub(super) fn add(&mut self, other: Self) {
        let counts = [
            (&mut self.prefixes_v4, other.prefixes_v4),
            (&mut self.prefixes_v6, other.prefixes_v6),
            (&mut self.routes, other.routes),
            (&mut self.changes, other.changes),
            (&mut self.other_times, other.other_times),
            (&mut self.peers, other.peers),
        ];
        for (count, more) in counts {
            *count = count.saturating_add(more);
        }
    }
}

/// Reads MRT files, one after the other.
#[derive(Debug)]
pub(super) struct MrtReader {
    /// Changes behind this time are left out.
    until: Option<WallTime>,
    /// Whether every route is kept, because changes will come.
    keeps: bool,
    peers: Peers,
    origins: OriginSourceBuilder,
    links: Links,
    routes: HashMap<Prefix, Vec<Kept>>,
    kept: usize,
    /// How often the session of each peer ended: routes from before are gone.
    downs: HashMap<u16, u32>,
    table_at: Option<u32>,
    pub(super) counts: MrtCounts,
    path: AsPath,
    votes: Votes,
    /// The prefix of an old table whose routes still come, one a record.
    dumped: Option<Prefix>,
}

/// A route that is kept because changes will come: only its origins count.
#[derive(Clone, Debug)]
struct Kept {
    peer: u16,
    path_id: u32,
    downs: u32,
    origins: Box<[u32]>,
}

/// Who originates one prefix by how many peers. Filled anew for each prefix.
#[derive(Debug, Default)]
struct Votes(Vec<Vote>);

#[derive(Clone, Copy, Debug)]
struct Vote {
    asn: u32,
    peers: u16,
    last_peer: u16,
}

/// What a set of MRT files says.
pub(super) struct MrtTable {
    pub(super) source: OriginSource,
    pub(super) transit: TransitEvidence,
    pub(super) counts: MrtCounts,
}

impl MrtReader {
    pub(super) fn new(keeps: bool, until: Option<WallTime>) -> Self {
        Self {
            until,
            keeps,
            peers: Peers::default(),
            origins: OriginSourceBuilder::default(),
            links: Links::default(),
            routes: HashMap::new(),
            kept: 0,
            downs: HashMap::new(),
            table_at: None,
            counts: MrtCounts::default(),
            path: AsPath::default(),
            votes: Votes::default(),
            dumped: None,
        }
    }

    /// Reads a file. Returns how many of its records were read.
    pub(super) fn read(&mut self, input: impl Read, faults: &mut Faults) -> u64 {
        let (mut frames, mut records) = (Frames::new(input), 0_u64);
        while let Some(frame) = frames.next(faults) {
            let fault = match frame.kind {
                TABLE_DUMP_V2 => self.rib(frame, frames.body()),
                TABLE_DUMP => self.dumped(frame, frames.body()),
                BGP4MP | BGP4MP_ET => self.change(frame, frames.body()),
                _ => Ok(()),
            };
            match fault {
                Ok(()) => records = records.saturating_add(1),
                Err(what) => faults.byte(frame.at, what),
            }
        }
        self.end_dumped();
        records
    }

    /// A route of an old table: those to one prefix come one after the other.
    fn dumped(&mut self, frame: Frame, body: &[u8]) -> Result<(), &'static str> {
        let route = DumpedRoute::read(frame.subtype, body).ok_or("the route of a table cannot be read")?;
        self.table_at.get_or_insert(frame.seconds);
        if self.dumped != Some(route.prefix) {
            self.end_dumped();
            self.dumped = Some(route.prefix);
            self.votes.0.clear();
        }
        let counts = &mut self.counts;
        let record = counts.prefixes_v4.saturating_add(counts.prefixes_v6);
        counts.routes = counts.routes.saturating_add(1);
        // Routes of a collector's own have no path.
        if route.attributes.as_path.is_none() {
            return Ok(());
        }
        route.attributes.path(false, &mut self.path).ok_or("the AS path of a route cannot be read")?;
        let peer = self.peers.number(route.peer);
        if !self.votes.has(peer) {
            self.peers.has_prefix(peer, !route.prefix.is_ipv4());
        }
        self.links.learn(&self.path, peer, record);
        for asn in self.path.origins() {
            self.votes.add(asn, peer);
        }
        if self.keeps {
            let origins = self.path.origins().collect();
            self.keep(route.prefix, peer, 0, origins);
        }
        Ok(())
    }

    /// All routes to the prefix of an old table have come.
    fn end_dumped(&mut self) {
        let Some(prefix) = self.dumped.take() else { return };
        let counts = &mut self.counts;
        let prefixes = if prefix.is_ipv4() { &mut counts.prefixes_v4 } else { &mut counts.prefixes_v6 };
        *prefixes = prefixes.saturating_add(1);
        if !self.keeps && is_taken(prefix) {
            self.origins.add(prefix, &self.votes.origins());
        }
        self.votes.0.clear();
    }

    fn rib(&mut self, frame: Frame, body: &[u8]) -> Result<(), &'static str> {
        let record = RibRecord::read(frame.subtype, body).ok_or("the record of a table cannot be read")?;
        match record {
            RibRecord::Peers(peers) => self.peers.begin_table(peers),
            RibRecord::Routes(routes) => {
                self.table_at.get_or_insert(frame.seconds);
                return self.routes(&routes);
            }
            RibRecord::Other => {}
        }
        Ok(())
    }

    fn routes(&mut self, routes: &RibRoutes<'_>) -> Result<(), &'static str> {
        self.end_dumped();
        self.votes.0.clear();
        let Self { peers, links, votes, path, counts, .. } = self;
        let is_v6 = !routes.prefix.is_ipv4();
        let record = counts.prefixes_v4.saturating_add(counts.prefixes_v6);
        let (mut stray, mut kept) = (false, Vec::new());
        let keeps = self.keeps;
        let whole = routes.each(path, |route, path| {
            let Some(peer) = peers.of_table(route.peer) else {
                stray = true;
                return;
            };
            if route.path_id == 0 || !votes.has(peer) {
                peers.has_prefix(peer, is_v6);
            }
            links.learn(path, peer, record);
            for asn in path.origins() {
                votes.add(asn, peer);
            }
            if keeps {
                kept.push((peer, route.path_id, path.origins().collect()));
            }
        });
        let prefixes = if is_v6 { &mut counts.prefixes_v6 } else { &mut counts.prefixes_v4 };
        *prefixes = prefixes.saturating_add(1);
        counts.routes = counts.routes.saturating_add(u64::from(whole));
        if keeps {
            for (peer, path_id, origins) in kept {
                self.keep(routes.prefix, peer, path_id, origins);
            }
        } else if is_taken(routes.prefix) {
            self.origins.add(routes.prefix, &self.votes.origins());
        }
        if stray {
            return Err("a route names a peer that the table of peers has not");
        }
        if whole < routes.count { Err("a route is torn; those before it count") } else { Ok(()) }
    }

    fn keep(&mut self, prefix: Prefix, peer: u16, path_id: u32, origins: Box<[u32]>) {
        let downs = self.downs.get(&peer).copied().unwrap_or(0);
        let routes = self.routes.entry(prefix).or_default();
        let route = Kept { peer, path_id, downs, origins };
        match routes.iter_mut().find(|known| (known.peer, known.path_id) == (peer, path_id)) {
            Some(known) => *known = route,
            None if self.kept < MOST_ROUTES => {
                routes.push(route);
                self.kept = self.kept.saturating_add(1);
            }
            None => {}
        }
    }

    fn change(&mut self, frame: Frame, body: &[u8]) -> Result<(), &'static str> {
        const TORN: &str = "the record of a change cannot be read";
        let (micros, body) = match (frame.kind, body.split_first_chunk()) {
            (BGP4MP_ET, Some((micros, rest))) => (u32::from_be_bytes(*micros), rest),
            (BGP4MP_ET, None) => return Err(TORN),
            _ => (0, body),
        };
        let change = Change::read(frame.subtype, body).ok_or(TORN)?;
        let at = i64::from(frame.seconds).saturating_mul(1_000_000_000);
        let at = WallTime::from_nanos(at.saturating_add(i64::from(micros).saturating_mul(1000)));
        let early = self.table_at.is_some_and(|table| frame.seconds < table);
        if early || self.until.is_some_and(|until| at > until) {
            self.counts.other_times = self.counts.other_times.saturating_add(1);
            return Ok(());
        }
        self.counts.changes = self.counts.changes.saturating_add(1);
        match change {
            Change::Down(peer) => {
                let downs = self.downs.entry(self.peers.number(peer)).or_default();
                *downs = downs.saturating_add(1);
                Ok(())
            }
            Change::Update(update) => self.update(&update).ok_or(TORN),
            Change::Nothing => Ok(()),
        }
    }

    fn update(&mut self, update: &Update<'_>) -> Option<()> {
        let peer = self.peers.number(update.peer);
        let (withdrawn, announced) = (update.withdrawn()?, update.announced()?);
        for (prefix, path_id) in withdrawn {
            if let Some(routes) = self.routes.get_mut(&prefix) {
                let before = routes.len();
                routes.retain(|known| (known.peer, known.path_id) != (peer, path_id));
                self.kept = self.kept.saturating_sub(before.saturating_sub(routes.len()));
            }
        }
        if announced.is_empty() {
            return Some(());
        }
        update.attributes.path(update.has_4_bytes, &mut self.path)?;
        let origins: Box<[u32]> = self.path.origins().collect();
        for (prefix, path_id) in announced {
            self.keep(prefix, peer, path_id, origins.clone());
        }
        Some(())
    }

    /// What the files say together.
    pub(super) fn finish(mut self, name: &str) -> MrtTable {
        let routes = std::mem::take(&mut self.routes);
        let mut prefixes: Vec<_> = routes.into_iter().filter(|(prefix, _)| is_taken(*prefix)).collect();
        prefixes.sort_unstable_by_key(|(prefix, _)| *prefix);
        for (prefix, routes) in prefixes {
            self.votes.0.clear();
            let up = |route: &&Kept| self.downs.get(&route.peer).is_none_or(|downs| *downs == route.downs);
            for route in routes.iter().filter(up) {
                for asn in &route.origins {
                    self.votes.add(*asn, route.peer);
                }
            }
            self.origins.add(prefix, &self.votes.origins());
        }
        let full = self.peers.full();
        let counts = MrtCounts { peers: self.peers.len() as u64, ..self.counts };
        let source = self.origins.finish(name, SourceClass::Bgp).with_full_peers(full);
        MrtTable { source, transit: self.links.finish(full), counts }
    }
}

impl Votes {
    fn has(&self, peer: u16) -> bool {
        self.0.iter().any(|vote| vote.last_peer == peer)
    }

    /// Several routes of one peer come one after the other, and count once.
    fn add(&mut self, asn: u32, peer: u16) {
        match self.0.iter_mut().find(|vote| vote.asn == asn) {
            Some(vote) if vote.last_peer == peer => {}
            Some(vote) => {
                vote.peers = vote.peers.saturating_add(1);
                vote.last_peer = peer;
            }
            None => self.0.push(Vote { asn, peers: 1, last_peer: peer }),
        }
    }

    /// The origins, those that most peers saw first.
    fn origins(&mut self) -> Vec<SeenOrigin> {
        self.0.sort_by_key(|vote| std::cmp::Reverse(vote.peers));
        let seen = |vote: &Vote| Some(SeenOrigin { asn: Asn::try_from(vote.asn).ok()?, peers: vote.peers });
        self.0.iter().filter_map(seen).collect()
    }
}

fn is_taken(prefix: Prefix) -> bool {
    prefix.length() >= if prefix.is_ipv4() { SHORTEST_V4 } else { SHORTEST_V6 }
}

/// Whether a file begins like an MRT file: a plausible time, and a record of a kind that is read here.
pub(super) fn begins_like_mrt(begin: &[u8]) -> bool {
    /// 1 January 1995, before which there was no collector.
    const FIRST: u32 = 788_918_400;
    const LONGEST: u32 = 16 << 20;
    let mut bytes = bytes::Bytes(begin);
    let mut header = || Some((bytes.u32()?, bytes.u16()?, bytes.u16()?, bytes.u32()?));
    header().is_some_and(|(seconds, kind, subtype, length)| {
        seconds >= FIRST && matches!(kind, 12 | 13 | 16 | 17) && subtype <= 16 && length <= LONGEST
    })
}

/// Whether the first record of a file is a change.
pub(super) fn begins_with_change(begin: &[u8]) -> bool {
    let mut bytes = bytes::Bytes(begin);
    let mut kind = || bytes.u32().and_then(|_| bytes.u16());
    matches!(kind(), Some(BGP4MP | BGP4MP_ET))
}
