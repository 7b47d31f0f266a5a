//! Cuts: what must be lost so that nothing comes through any more, over the ways that packets take now, or over
//! all that they could take.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::flows::Flows;
use super::maze::{GOAL, Maze, START};
use super::script::Script;
use super::true_ways::interface;
use super::ways::{Course, Search, Spot};
use super::{TrueInterface, Truth};
use crate::lab::scenario::{AsIndex, LinkIndex, RouterIndex};
use crate::lab::topology::{Role, Target};
use crate::lab::walk::Network;
use crate::model::{AsLink, Asn, MonoTime, WallTime};

/// What a cut consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutOf {
    /// Routers, but for the gateway of the vantage and the one behind which the destination is.
    Routers,
    /// Links between routers.
    Links,
    /// ASes, but for those of the vantage and of the destination.
    Ases,
    /// Links between ASes: all links between the routers of two ASes together.
    AsLinks,
}

/// Which ways a cut must close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Those that flows take at that time, as long as no route changes.
    Forwarding,
    /// Those that routes may take in the end: over links that are there, and no AS carries what nobody pays it for
    /// (Gao 2001). The destination's AS is entered only from neighbours to which it announces the prefix.
    ValleyFree,
    /// All over links that are there.
    Physical,
}

/// A set without which no packet comes through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Its members; empty if nothing comes through anyway. Other cuts may be as small.
    pub members: Vec<CutMember>,
    /// Whether it is proven that no smaller one exists.
    pub is_minimum: bool,
}

/// A member of a cut.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CutMember {
    /// A router, by its name.
    Router(String),
    /// A link, by both its ends, in the order of the scenario.
    Link([TrueInterface; 2]),
    /// An AS.
    As(Asn),
    /// A link between two ASes.
    AsLink(AsLink),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Router(RouterIndex),
    Link(LinkIndex),
    As(AsIndex),
    AsLink(AsIndex, AsIndex),
}

impl Truth {
    /// A smallest cut between the vantage and the destination of some flows at a wall time. `None` if no cut of that
    /// kind exists, since some way has no member that counts: between neighbouring ASes no other AS can be lost.
    #[must_use]
    pub fn cut(&self, flows: &Flows, of: CutOf, over: Over, at: WallTime) -> Option<Cut> {
        let at = self.network.topology.clock.mono(at);
        let mut cutting = Cutting { network: &self.network, of, at, ends: Vec::new(), maze: Maze::new() };
        match over {
            Over::Forwarding => {
                let course = Search::new(&self.network, *flows, (at, at)).run().course;
                cutting.forwarding(&course);
            }
            Over::ValleyFree => cutting.topology(flows.destination(), true),
            Over::Physical => cutting.topology(flows.destination(), false),
        }
        let blockade = cutting.maze.blockade()?;
        let is_ipv4 = flows.destination().is_ipv4();
        let named = |key| member(&self.network, key, is_ipv4);
        let members = blockade.members.into_iter().filter_map(named).collect();
        Some(Cut { members, is_minimum: blockade.is_smallest })
    }
}

/// The graph of ways as it is put together.
struct Cutting<'a> {
    network: &'a Network<Script>,
    of: CutOf,
    at: MonoTime,
    /// The routers at both ends, which cannot be members; nor can their ASes.
    ends: Vec<RouterIndex>,
    maze: Maze<Key>,
}

impl Cutting<'_> {
    fn forwarding(&mut self, course: &Course) {
        let Some(start) = &course.start else { return };
        self.ends = course.arrivals.iter().map(|spot| spot.router).chain([start.router]).collect();
        let mut nodes: BTreeMap<&Spot, usize> = BTreeMap::new();
        let steps = course.steps.iter().flat_map(|(from, _, to)| [from, to]);
        for spot in steps.chain([start]).chain(&course.arrivals) {
            if !nodes.contains_key(spot) {
                let node = self.maze.node(self.stands(spot.router));
                nodes.insert(spot, node);
            }
        }
        let node = |spot: &Spot| nodes.get(spot).copied();
        for (from, link, to) in &course.steps {
            if let Some((near, far)) = node(from).zip(node(to)) {
                let over = self.over(*link);
                self.maze.step(near, far, over);
            }
        }
        if let Some(first) = node(start) {
            self.maze.step(START, first, None);
        }
        for last in course.arrivals.iter().filter_map(node) {
            self.maze.step(last, GOAL, None);
        }
    }

    /// Each router stands twice: on the way up, and on the way down. Where valleys are free, one may go down and up
    /// again.
    fn topology(&mut self, destination: IpAddr, valley_free: bool) {
        let topology = &self.network.topology;
        let Some((origin, last)) = self.place(destination) else { return };
        let origin = Origin { asys: origin, destination };
        let first = topology.scenario.vantage.gateway;
        self.ends = vec![first, last];
        let routers = topology.scenario.routers.len();
        let nodes: Vec<[usize; 2]> = (0..routers)
            .map(|router| {
                let stands = self.stands(RouterIndex(router));
                [self.maze.node(stands), self.maze.node(stands)]
            })
            .collect();
        let node = |router: RouterIndex| nodes.get(router.0).copied();
        for (index, link) in topology.scenario.links.iter().enumerate() {
            let index = LinkIndex(index);
            if !topology.is_up(index, self.at) {
                continue;
            }
            let [one, other] = link.ends;
            for (from, to) in [(one, other), (other, one)] {
                let Some(([from_up, from_down], [up, down])) = node(from).zip(node(to)) else { continue };
                let over = self.over(index);
                let ways = match self.direction(&origin, from, to) {
                    _ if !valley_free => [Some((from_up, up)), None],
                    Direction::Inside => [Some((from_up, up)), Some((from_down, down))],
                    Direction::Up => [Some((from_up, up)), None],
                    Direction::Across => [Some((from_up, down)), None],
                    Direction::Down => [Some((from_up, down)), Some((from_down, down))],
                    Direction::Closed => [None, None],
                };
                for (near, far) in ways.into_iter().flatten() {
                    self.maze.step(near, far, over);
                }
            }
        }
        if let Some([up, _]) = node(first) {
            self.maze.step(START, up, None);
        }
        for arrival in node(last).into_iter().flatten() {
            self.maze.step(arrival, GOAL, None);
        }
    }

    /// The origin of an address, and the router at which packets to it arrive.
    fn place(&self, destination: IpAddr) -> Option<(AsIndex, RouterIndex)> {
        let topology = &self.network.topology;
        let (_, announced) = topology.announced(destination).next()?;
        let router = match topology.target(destination, announced) {
            Target::Router(router)
            | Target::Across(router, _)
            | Target::Host(router, _)
            | Target::Vantage(router)
            | Target::Nobody(router) => router,
            Target::Unrouted => return None,
        };
        Some((announced.origin, router))
    }

    fn direction(&self, origin: &Origin, from: RouterIndex, to: RouterIndex) -> Direction {
        let topology = &self.network.topology;
        let (Some(left), Some(entered)) = (topology.home(from), topology.home(to)) else {
            return Direction::Closed;
        };
        if left == entered {
            return Direction::Inside;
        }
        let silent = entered == origin.asys && !self.hears(left, origin);
        let role = topology.neighbours(left, self.at).find(|(neighbour, _)| *neighbour == entered);
        match role {
            _ if silent => Direction::Closed,
            Some((_, Role::Provider)) => Direction::Up,
            Some((_, Role::Peer)) => Direction::Across,
            Some((_, Role::Customer)) => Direction::Down,
            None => Direction::Closed,
        }
    }

    /// Whether the origin announces any prefix that covers the destination to a neighbour.
    fn hears(&self, neighbour: AsIndex, origin: &Origin) -> bool {
        let topology = &self.network.topology;
        let own = topology.announced(origin.destination).filter(|(_, known)| known.origin == origin.asys);
        let only_to = own.map(|(prefix, _)| topology.announced_to(prefix, self.at));
        only_to.into_iter().any(|only| only.is_none_or(|only| only.contains(&neighbour)))
    }

    fn stands(&self, router: RouterIndex) -> Option<Key> {
        let home = self.network.topology.home(router)?;
        let own = |end: &RouterIndex| self.network.topology.home(*end) == Some(home);
        match self.of {
            CutOf::Routers => Some(Key::Router(router)).filter(|_| !self.ends.contains(&router)),
            CutOf::Ases => Some(Key::As(home)).filter(|_| !self.ends.iter().any(own)),
            CutOf::Links | CutOf::AsLinks => None,
        }
    }

    fn over(&self, index: LinkIndex) -> Option<Key> {
        let topology = &self.network.topology;
        let link = topology.link(index)?;
        let [one, other] = link.ends.map(|end| topology.home(end));
        let (one, other) = one.zip(other)?;
        match self.of {
            CutOf::Links => Some(Key::Link(index)),
            CutOf::AsLinks if one != other => Some(Key::AsLink(one.min(other), one.max(other))),
            _ => None,
        }
    }
}

/// Where ways end.
struct Origin {
    asys: AsIndex,
    destination: IpAddr,
}

/// Where a link leads, seen from one end.
#[derive(Clone, Copy)]
enum Direction {
    Inside,
    Up,
    Across,
    Down,
    Closed,
}

fn member(network: &Network<Script>, key: Key, is_ipv4: bool) -> Option<CutMember> {
    let topology = &network.topology;
    match key {
        Key::Router(router) => Some(CutMember::Router(topology.router(router)?.name.clone())),
        Key::As(asys) => topology.asn(asys).map(CutMember::As),
        Key::AsLink(one, other) => {
            AsLink::new(topology.asn(one)?, topology.asn(other)?).map(CutMember::AsLink)
        }
        Key::Link(index) => {
            let link = topology.link(index)?;
            let [one, other] = link.ends.map(|end| interface(network, link, end, is_ipv4));
            Some(CutMember::Link([one?, other?]))
        }
    }
}
