//! How the peers of route collectors reach some origins: their tables, route by route. Changes are passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use super::as_path::{AsPath, Attributes};
use super::dump::DumpedRoute;
use super::frames::{Frame, Frames, TABLE_DUMP, TABLE_DUMP_V2};
use super::rib::{Peers, RibRecord, RibRoutes};
use crate::analyse::collectors::{Announcements, PeerView, WeighedRoute};
use crate::formats::faults::Faults;
use crate::model::{Asn, Prefix};

/// Of the largest table of all peers, so much must a peer have to count: one that shows a part says nothing of the rest.
const FULL_FEED: f64 = 0.9;

/// How peers reach origins.
#[derive(Clone, Debug, Default)]
pub struct Views {
    /// Of each origin that any peer has a route to: every full feed, with its routes.
    pub by_origin: BTreeMap<Asn, Vec<PeerView>>,
    /// Peers that count: with at least nine tenths as many prefixes as the one that has most.
    pub full_feeds: usize,
    /// Peers with any prefix.
    pub peers: usize,
}

/// Reads one table.
pub(in crate::formats::origins) struct TableReader<'a> {
    origins: &'a BTreeSet<Asn>,
    is_v6: bool,
    peers: Peers,
    announced: Vec<(Prefix, Vec<u16>)>,
    routes: Vec<SeenRoute>,
    path: AsPath,
}

/// A route to a prefix of an origin that is asked for.
struct SeenRoute {
    origin: Asn,
    peer: u16,
    prefix: Prefix,
    /// 1, or the origin's part where a set of them ends the path.
    share: f64,
    ases: BTreeSet<Asn>,
}

/// One table, read.
pub(in crate::formats::origins) struct ReadTable {
    is_v6: bool,
    peers: Peers,
    announced: Announcements,
    routes: Vec<SeenRoute>,
}

impl<'a> TableReader<'a> {
    /// Of one family: a peer may show all of one, and nothing of the other.
    pub(in crate::formats::origins) fn new(origins: &'a BTreeSet<Asn>, is_v6: bool) -> Self {
        let (announced, routes) = (Vec::new(), Vec::new());
        Self { origins, is_v6, peers: Peers::default(), announced, routes, path: AsPath::default() }
    }

    /// Reads a file. Returns how many routes of the family it has.
    pub(in crate::formats::origins) fn read(&mut self, input: impl Read, faults: &mut Faults) -> u64 {
        let (mut frames, mut routes) = (Frames::new(input), 0_u64);
        while let Some(frame) = frames.next(faults) {
            match self.record(frame, frames.body()) {
                Ok(more) => routes = routes.saturating_add(more),
                Err(what) => faults.byte(frame.at, what),
            }
        }
        routes
    }

    fn record(&mut self, frame: Frame, body: &[u8]) -> Result<u64, &'static str> {
        match frame.kind {
            TABLE_DUMP_V2 => match RibRecord::read(frame.subtype, body) {
                Some(RibRecord::Peers(peers)) => self.peers.begin_table(peers),
                Some(RibRecord::Routes(routes)) => return self.routes(&routes),
                Some(RibRecord::Other) => {}
                None => return Err("the record of a table cannot be read"),
            },
            TABLE_DUMP => {
                let route =
                    DumpedRoute::read(frame.subtype, body).ok_or("the route of a table cannot be read")?;
                return self.dumped(&route);
            }
            _ => {}
        }
        Ok(0)
    }

    fn routes(&mut self, routes: &RibRoutes<'_>) -> Result<u64, &'static str> {
        if routes.prefix.is_ipv4() == self.is_v6 {
            return Ok(0);
        }
        let mut path = std::mem::take(&mut self.path);
        let mut numbers = Vec::new();
        let mut stray = false;
        let whole = routes.each(&mut path, |route, path| match self.peers.of_table(route.peer) {
            // Of several paths of a peer the first counts.
            Some(peer) if !numbers.contains(&peer) => {
                numbers.push(peer);
                self.see(routes.prefix, peer, path);
            }
            Some(_) => {}
            None => stray = true,
        });
        self.path = path;
        self.announced.push((routes.prefix, numbers));
        match (stray, whole < routes.count) {
            (true, _) => Err("a route names a peer that the table of peers has not"),
            (_, true) => Err("a route is torn; those before it count"),
            _ => Ok(whole.into()),
        }
    }

    /// Routes of an old table to one prefix come one after the other.
    fn dumped(&mut self, route: &DumpedRoute<'_>) -> Result<u64, &'static str> {
        let has_path = route.attributes.as_path.is_some();
        if route.prefix.is_ipv4() == self.is_v6 || !has_path {
            return Ok(0);
        }
        let mut path = std::mem::take(&mut self.path);
        let read = Attributes::path(&route.attributes, false, &mut path);
        let peer = self.peers.number(route.peer);
        if read.is_some() {
            match self.announced.last_mut().filter(|(last, _)| *last == route.prefix) {
                Some((_, peers)) => peers.push(peer),
                None => self.announced.push((route.prefix, vec![peer])),
            }
            self.see(route.prefix, peer, &path);
        }
        self.path = path;
        read.map(|()| 1).ok_or("the AS path of a route cannot be read")
    }

    fn see(&mut self, prefix: Prefix, peer: u16, path: &AsPath) {
        self.peers.has_prefix(peer, self.is_v6);
        let count = path.origins().count();
        let asked = path.origins().filter_map(|origin| Asn::try_from(origin).ok());
        for origin in asked.filter(|origin| self.origins.contains(origin)) {
            let steps = path.steps().flatten().filter_map(|asn| Asn::try_from(asn).ok());
            let ases = steps.chain([origin]).collect();
            let share = 1.0 / f64::from(u32::try_from(count).unwrap_or(u32::MAX));
            self.routes.push(SeenRoute { origin, peer, prefix, share, ases });
        }
    }

    pub(in crate::formats::origins) fn finish(self) -> ReadTable {
        let announced = Announcements::new(self.announced);
        ReadTable { is_v6: self.is_v6, peers: self.peers, announced, routes: self.routes }
    }
}

impl Views {
    /// What several tables show together. A peer counts by the largest table of all.
    pub(in crate::formats::origins) fn new(tables: &[ReadTable]) -> Self {
        let counts =
            || tables.iter().flat_map(|table| table.peers.each(table.is_v6)).map(|peer| peer.prefixes);
        let most = counts().max().unwrap_or(0);
        let is_full = |count: u32| count > 0 && f64::from(count) >= FULL_FEED * f64::from(most);
        let mut views = Self {
            by_origin: BTreeMap::new(),
            full_feeds: counts().filter(|count| is_full(*count)).count(),
            peers: counts().filter(|count| *count > 0).count(),
        };
        let origins: BTreeSet<Asn> =
            tables.iter().flat_map(|table| table.routes.iter().map(|route| route.origin)).collect();
        for table in tables {
            for peer in table.peers.each(table.is_v6).filter(|peer| is_full(peer.prefixes)) {
                for origin in &origins {
                    let view = table.view(*origin, peer.number, peer.asn);
                    views.by_origin.entry(*origin).or_default().extend(view);
                }
            }
        }
        views
    }
}

impl ReadTable {
    /// `None` if the peer's AS is no public network's.
    fn view(&self, origin: Asn, peer: u16, peer_as: u32) -> Option<PeerView> {
        let routes = self.routes.iter().filter(|route| (route.origin, route.peer) == (origin, peer));
        let weighed = |route: &SeenRoute| WeighedRoute {
            weight: self.announced.weight(route.prefix, peer) * route.share,
            ases: route.ases.clone(),
        };
        Some(PeerView { peer_as: Asn::try_from(peer_as).ok()?, routes: routes.map(weighed).collect() })
    }
}
