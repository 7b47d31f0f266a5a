//! Routes between ASes: every AS tells its neighbours its best route until nobody has news.
//!
//! The best is the one from the most wanted neighbour (customer, peer, provider), then the shortest, then
//! the one from the neighbour with the lowest number. Routes of peers and providers are told to customers
//! only. An AS with multipath uses all that tie in want and length, and tells the best of them.

use std::rc::Rc;

use super::Policy;
use crate::lab::scenario::AsIndex;
use crate::lab::topology::{Role, Topology};
use crate::model::MonoTime;

/// The best route of an AS to some prefixes. There are as many of them as ASes times prefixes that somebody asks
/// for, so it holds no more than is needed; the rest can be asked of the neighbours.
#[derive(Clone, Debug)]
pub(in crate::lab) struct Best {
    /// From whom it was learnt; `None` at the origin.
    role: Option<Role>,
    /// How many ASes lie behind this one, up to the origin; 0 at the origin.
    length: u32,
    next: Next,
}

#[derive(Clone, Debug)]
enum Next {
    Nobody,
    One(AsIndex),
    Several(Box<[AsIndex]>),
}

impl Best {
    /// The neighbours to send to, in order of their numbers; one unless the AS uses multipath. Empty at the origin.
    pub(in crate::lab) fn next(&self) -> &[AsIndex] {
        match &self.next {
            Next::Nobody => &[],
            Next::One(next) => std::slice::from_ref(next),
            Next::Several(list) => list,
        }
    }
}

/// The best routes of all ASes.
pub(super) type Bests = Vec<Option<Best>>;

/// For each AS the neighbours to which at least one link is there, and what they are to it.
pub(super) type Sessions = Vec<Vec<(AsIndex, Role)>>;

/// A route as an AS tells it.
#[derive(Clone, Debug)]
struct Told {
    role: Option<Role>,
    length: u32,
    path: Path,
}

/// The ASes behind one, up to the origin. Routes that share their ends share the memory, too.
type Path = Option<Rc<Step>>;

#[derive(Debug, PartialEq, Eq)]
struct Step {
    asys: AsIndex,
    rest: Path,
}

/// What an offer is preferred by: want, length, and the number of whoever makes it.
type Rank = (Role, u32, Option<crate::model::Asn>);

/// All that an exchange of routes needs to know.
pub(super) struct Exchange<'a> {
    pub(super) topology: &'a Topology,
    pub(super) sessions: &'a Sessions,
    pub(super) policy: &'a Policy,
}

/// Sessions with the links that are there at a time.
pub(super) fn sessions(topology: &Topology, at: MonoTime) -> Sessions {
    let of = |me: usize| {
        let me = AsIndex(me);
        let ports = topology.members(me).iter().flat_map(|member| {
            let links = topology.ports(*member).iter().filter(|link| topology.is_up(**link, at));
            links.filter_map(|link| topology.link(*link)?.other_end(*member))
        });
        let mut linked: Vec<AsIndex> = ports.filter_map(|far| topology.home(far)).collect();
        linked.sort_unstable();
        linked.dedup();
        topology.neighbours(me, at).filter(|(other, _)| linked.binary_search(other).is_ok()).collect()
    };
    (0..topology.scenario.ases.len()).map(of).collect()
}

impl Exchange<'_> {
    /// The best route of every AS.
    pub(super) fn run(&self) -> Bests {
        let mut told: Vec<Option<Told>> = vec![None; self.sessions.len()];
        if let Some(origin) = told.get_mut(self.policy.origin.0) {
            *origin = Some(Told { role: None, length: 0, path: None });
        }
        let mut changed = vec![self.policy.origin];
        // Without circles of providers the exchange ends after at most one round an AS for the way up and one
        // for the way down; more would be an error here, and must not become an endless loop.
        for _ in 0..self.sessions.len().saturating_mul(2).saturating_add(2) {
            if changed.is_empty() {
                break;
            }
            changed = self.round(&changed, &mut told);
        }
        (0..self.sessions.len()).map(|me| self.settled(AsIndex(me), &told)).collect()
    }

    /// Everybody who has heard news decides anew, all at the same time. Gives those who then have news.
    fn round(&self, changed: &[AsIndex], told: &mut [Option<Told>]) -> Vec<AsIndex> {
        let heard = changed.iter().flat_map(|asys| self.neighbours(*asys)).map(|(neighbour, _)| *neighbour);
        let mut heard: Vec<AsIndex> = heard.filter(|asys| *asys != self.policy.origin).collect();
        heard.sort_unstable();
        heard.dedup();
        let decided: Vec<(AsIndex, Option<Told>)> =
            heard.into_iter().map(|me| (me, self.decide(me, told))).collect();
        let mut news = Vec::new();
        for (me, best) in decided {
            let Some(known) = told.get_mut(me.0) else { continue };
            if !same(known.as_ref(), best.as_ref()) {
                *known = best;
                news.push(me);
            }
        }
        news
    }

    fn decide(&self, me: AsIndex, told: &[Option<Told>]) -> Option<Told> {
        let best = self.offers(me, told).min_by_key(|(rank, ..)| *rank)?;
        let ((role, length, _), neighbour, route) = best;
        let path = Some(Rc::new(Step { asys: neighbour, rest: route.path.clone() }));
        Some(Told { role: Some(role), length, path })
    }

    /// What the neighbours of an AS tell it, without what leads over itself.
    fn offers<'t>(
        &'t self,
        me: AsIndex,
        told: &'t [Option<Told>],
    ) -> impl Iterator<Item = (Rank, AsIndex, &'t Told)> {
        self.neighbours(me).iter().filter_map(move |(neighbour, role)| {
            let route = told.get(neighbour.0)?.as_ref()?;
            let heard = self.tells(*neighbour, route.role, (me, *role)) && !leads_over(&route.path, me);
            let rank = (*role, route.length.saturating_add(1), self.topology.asn(*neighbour));
            heard.then_some((rank, *neighbour, route))
        })
    }

    /// Whether a neighbour tells me its best route; `role` is what it is to me, and `learnt` from whom it has the
    /// route.
    fn tells(&self, neighbour: AsIndex, learnt: Option<Role>, (me, role): (AsIndex, Role)) -> bool {
        match learnt {
            None if neighbour == self.policy.origin => {
                self.policy.only_to.as_ref().is_none_or(|only| only.contains(&me))
            }
            None | Some(Role::Customer) => true,
            Some(Role::Peer | Role::Provider) => role == Role::Provider,
        }
    }

    fn settled(&self, me: AsIndex, told: &[Option<Told>]) -> Option<Best> {
        let Told { role, length, path } = told.get(me.0)?.as_ref()?;
        let first = path.as_ref().map(|step| step.asys);
        let multipath = self.topology.asys(me).is_some_and(|asys| asys.multipath);
        let next = match first {
            None => Next::Nobody,
            Some(next) if !multipath => Next::One(next),
            Some(_) => Next::Several(self.ties((*role, *length), me, told)),
        };
        Some(Best { role: *role, length: *length, next })
    }

    /// The neighbours whose offers are as good as the best.
    fn ties(
        &self,
        (role, length): (Option<Role>, u32),
        me: AsIndex,
        told: &[Option<Told>],
    ) -> Box<[AsIndex]> {
        let offers = self.offers(me, told).filter(|(rank, ..)| (Some(rank.0), rank.1) == (role, length));
        let mut ties: Vec<(Rank, AsIndex)> = offers.map(|(rank, neighbour, _)| (rank, neighbour)).collect();
        ties.sort_unstable();
        ties.into_iter().map(|(_, neighbour)| neighbour).collect()
    }

    /// All neighbours that tell an AS of a way, the best first, once nobody has news any more.
    pub(super) fn ranked(&self, me: AsIndex, bests: &Bests) -> Vec<AsIndex> {
        let offer = |(neighbour, role): &(AsIndex, Role)| {
            let best = bests.get(neighbour.0)?.as_ref()?;
            let heard = self.tells(*neighbour, best.role, (me, *role)) && !way_leads_over(bests, best, me);
            heard.then(|| ((*role, best.length, self.topology.asn(*neighbour)), *neighbour))
        };
        let mut offers: Vec<(Rank, AsIndex)> = self.neighbours(me).iter().filter_map(offer).collect();
        offers.sort_unstable();
        offers.into_iter().map(|(_, neighbour)| neighbour).collect()
    }

    fn neighbours(&self, me: AsIndex) -> &[(AsIndex, Role)] {
        self.sessions.get(me.0).map_or(&[], Vec::as_slice)
    }
}

fn same(one: Option<&Told>, other: Option<&Told>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            (one.role, one.length) == (other.role, other.length) && same_path(&one.path, &other.path)
        }
        _ => false,
    }
}

/// Most paths that are the same are so in memory.
fn same_path(one: &Path, other: &Path) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            Rc::ptr_eq(one, other) || (one.asys == other.asys && same_path(&one.rest, &other.rest))
        }
        _ => false,
    }
}

fn leads_over(path: &Path, asys: AsIndex) -> bool {
    steps(path).any(|step| step == asys)
}

fn steps(path: &Path) -> impl Iterator<Item = AsIndex> {
    std::iter::successors(path.as_deref(), |step| step.rest.as_deref()).map(|step| step.asys)
}

/// The same of a route that nobody changes any more: whoever is told of it adds itself to the way of the first that
/// it is told by.
fn way_leads_over(bests: &Bests, best: &Best, asys: AsIndex) -> bool {
    let behind = |next: &AsIndex| bests.get(next.0)?.as_ref()?.next().first().copied();
    let way = std::iter::successors(best.next().first().copied(), behind);
    way.take(bests.len()).any(|step| step == asys)
}
