//! Routes between ASes: every AS tells its neighbours its best route until nobody has news.
//!
//! The best is the one from the most wanted neighbour (customer, peer, provider), then the shortest, then
//! the one from the neighbour with the lowest number. Routes of peers and providers are told to customers
//! only. An AS with multipath uses all that tie in want and length, and tells the best of them.

use super::Policy;
use crate::lab::scenario::AsIndex;
use crate::lab::topology::{Role, Topology};
use crate::model::MonoTime;

/// The best route of an AS to some prefixes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::lab) struct Best {
    /// From whom it was learnt; `None` at the origin.
    role: Option<Role>,
    /// The ASes behind this one, up to the origin; empty at the origin.
    path: Vec<AsIndex>,
    /// The neighbours to send to, in order of their numbers; one unless the AS uses multipath. Empty
    /// at the origin.
    pub(in crate::lab) next: Vec<AsIndex>,
    /// The other neighbours that tell of a way, the best first: for routers that come to none of `next`,
    /// because their AS has fallen into pieces.
    pub(in crate::lab) others: Vec<AsIndex>,
}

/// A neighbour's best route as it is offered.
struct Offer<'a> {
    role: Role,
    neighbour: AsIndex,
    path: &'a [AsIndex],
}

/// The best route of every AS, with the links that are there at a time.
pub(super) fn exchange(topology: &Topology, policy: &Policy, at: MonoTime) -> Vec<Option<Best>> {
    let sessions = sessions(topology, at);
    let count = topology.scenario.ases.len();
    let mut bests: Vec<Option<Best>> = vec![None; count];
    if let Some(origin) = bests.get_mut(policy.origin.0) {
        *origin = Some(Best { role: None, path: Vec::new(), next: Vec::new(), others: Vec::new() });
    }
    // Without circles of providers the exchange ends after at most one round an AS for the way up and one
    // for the way down; more would be an error here, and must not become an endless loop.
    for _ in 0..count.saturating_mul(2).saturating_add(2) {
        let news = sessions.iter().enumerate().map(|(me, neighbours)| {
            let me = AsIndex(me);
            if me == policy.origin {
                return bests.get(me.0).cloned().flatten();
            }
            decide(topology, me, &offers(policy, me, neighbours, &bests))
        });
        let news: Vec<Option<Best>> = news.collect();
        if news == bests {
            break;
        }
        bests = news;
    }
    bests
}

/// For each AS the neighbours to which at least one link is there.
fn sessions(topology: &Topology, at: MonoTime) -> Vec<Vec<(AsIndex, Role)>> {
    let mut linked = std::collections::BTreeSet::new();
    for (index, link) in topology.scenario.links.iter().enumerate() {
        let [Some(one), Some(other)] = link.ends.map(|end| topology.home(end)) else { continue };
        if topology.is_up(crate::lab::scenario::LinkIndex(index), at) {
            linked.extend([(one, other), (other, one)]);
        }
    }
    let of = |me: usize| {
        let me = AsIndex(me);
        let neighbours = topology.neighbours(me, at);
        neighbours.filter(|(other, _)| linked.contains(&(me, *other))).collect()
    };
    (0..topology.scenario.ases.len()).map(of).collect()
}

fn offers<'a>(
    policy: &Policy,
    me: AsIndex,
    neighbours: &[(AsIndex, Role)],
    bests: &'a [Option<Best>],
) -> Vec<Offer<'a>> {
    let offer = |&(neighbour, role): &(AsIndex, Role)| {
        let best = bests.get(neighbour.0)?.as_ref()?;
        let told = tells(policy, (neighbour, best), me, role) && !best.path.contains(&me);
        told.then_some(Offer { role, neighbour, path: &best.path })
    };
    neighbours.iter().filter_map(offer).collect()
}

/// Whether a neighbour tells me its best route; `role` is what it is to me.
fn tells(policy: &Policy, (neighbour, best): (AsIndex, &Best), me: AsIndex, role: Role) -> bool {
    match best.role {
        None if neighbour == policy.origin => policy.only_to.as_ref().is_none_or(|only| only.contains(&me)),
        None | Some(Role::Customer) => true,
        Some(Role::Peer | Role::Provider) => role == Role::Provider,
    }
}

fn decide(topology: &Topology, me: AsIndex, offers: &[Offer<'_>]) -> Option<Best> {
    let want = |offer: &Offer<'_>| (offer.role, offer.path.len());
    let mut ranked: Vec<&Offer<'_>> = offers.iter().collect();
    ranked.sort_by_key(|offer| (want(offer), topology.asn(offer.neighbour)));
    let best = *ranked.first()?;
    let path = std::iter::once(best.neighbour).chain(best.path.iter().copied()).collect();
    let ties = ranked.iter().take_while(|offer| want(offer) == want(best)).count();
    let used = if topology.asys(me)?.multipath { ties } else { 1 };
    let mut next: Vec<AsIndex> = ranked.iter().map(|offer| offer.neighbour).collect();
    let others = next.split_off(used);
    Some(Best { role: Some(best.role), path, next, others })
}
