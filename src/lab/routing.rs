//! Routes: which AS is next, and inside an AS which link, as they stand from one convergence to the next.
//!
//! Between ASes: a path-vector exchange by the rules of Gao and Rexford ([`between`]). Inside: shortest
//! paths with all ties ([`inside`]). After a change every AS adopts the new routes at a moment of its own
//! within the scenario's convergence time, and every router those inside its AS; meanwhile packets run into
//! the gap or in circles, as they do in reality. Routes are worked out when they are first asked for: of
//! thousands of ASes and prefixes, a campaign touches few.

mod between;
mod fib;
mod inside;
#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hasher;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use self::fib::Fib;

use super::scenario::{AsIndex, LinkIndex, RouterIndex};
use super::topology::Topology;
use crate::model::MonoTime;

pub(super) use between::Best;
use between::Exchange;
pub(super) use fib::{Found, Whither};

/// The routes of the whole lab over its whole time.
#[derive(Debug)]
pub(super) struct Routing {
    policies: Vec<Policy>,
    /// In the order of time; the first holds from the beginning.
    epochs: Vec<Epoch>,
    seed: u64,
    convergence: Duration,
    convergence_inside: Duration,
    fib: Fib,
}

/// How an AS announces some of its prefixes: prefixes with the same policy have the same routes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Policy {
    origin: AsIndex,
    only_to: Option<BTreeSet<AsIndex>>,
}

/// The routes from one change to the next.
#[derive(Debug)]
struct Epoch {
    from: MonoTime,
    /// Which policy each prefix follows, in the order of the scenario's prefixes.
    policy_of_prefix: Vec<usize>,
    sessions: OnceCell<between::Sessions>,
    /// For each policy, for each AS, its best route.
    between: Vec<OnceCell<between::Bests>>,
    /// For each AS.
    inside: Vec<OnceCell<inside::Inside>>,
}

/// Whose moment of adopting new routes it is.
#[derive(Clone, Copy)]
enum Adopter {
    As(AsIndex),
    Router(RouterIndex),
}

impl Routing {
    pub(super) fn new(topology: &Topology) -> Self {
        let scenario = &topology.scenario;
        let mut policies = Policies::default();
        let times = std::iter::once(MonoTime::default()).chain(topology.change_times());
        let prefixes: Vec<(MonoTime, Vec<usize>)> =
            times.map(|at| (at, policies.of_prefixes(topology, at))).collect();
        let Policies { list, .. } = policies;
        let epoch = |(from, policy_of_prefix)| Epoch {
            from,
            policy_of_prefix,
            sessions: OnceCell::new(),
            between: list.iter().map(|_| OnceCell::new()).collect(),
            inside: scenario.ases.iter().map(|_| OnceCell::new()).collect(),
        };
        Self {
            epochs: prefixes.into_iter().map(epoch).collect(),
            policies: list,
            seed: scenario.seed,
            convergence: scenario.convergence,
            convergence_inside: scenario.convergence_inside,
            fib: Fib::new(),
        }
    }

    /// The link by which a router sends a packet, as `find` finds it, or has found it before.
    pub(super) fn link(
        &self,
        (router, at): (RouterIndex, MonoTime),
        whither: Whither,
        find: impl FnOnce() -> Found,
    ) -> Option<LinkIndex> {
        self.fib.link(router, whither, self.settled(at), find)
    }

    /// The route that an AS follows to a prefix at a time; `None` if it has none.
    pub(super) fn best(
        &self,
        topology: &Topology,
        prefix: usize,
        asys: AsIndex,
        at: MonoTime,
    ) -> Option<&Best> {
        let epoch = self.adopted(Adopter::As(asys), at)?;
        let (_, bests) = self.exchanged(topology, epoch, prefix)?;
        bests.get(asys.0)?.as_ref()
    }

    /// All neighbours that tell an AS of a way to a prefix at a time, the best first.
    pub(super) fn ranked(
        &self,
        topology: &Topology,
        prefix: usize,
        asys: AsIndex,
        at: MonoTime,
    ) -> Vec<AsIndex> {
        let exchanged = || self.exchanged(topology, self.adopted(Adopter::As(asys), at)?, prefix);
        exchanged().map_or_else(Vec::new, |(exchange, bests)| exchange.ranked(asys, bests))
    }

    fn exchanged<'a: 't, 't>(
        &'a self,
        topology: &'t Topology,
        epoch: &'a Epoch,
        prefix: usize,
    ) -> Option<(Exchange<'t>, &'a between::Bests)> {
        let policy = *epoch.policy_of_prefix.get(prefix)?;
        let sessions = epoch.sessions.get_or_init(|| between::sessions(topology, epoch.from));
        let exchange = Exchange { topology, sessions, policy: self.policies.get(policy)? };
        let bests = epoch.between.get(policy)?.get_or_init(|| exchange.run());
        Some((exchange, bests))
    }

    /// The links over which a router reaches another one of its AS, all equally short.
    pub(super) fn towards(
        &self,
        topology: &Topology,
        (from, to): (RouterIndex, RouterIndex),
        at: MonoTime,
    ) -> &[LinkIndex] {
        self.inside(topology, from, at).map_or(&[], |inside| inside.towards(from, to))
    }

    /// The links over which a router comes nearer to a neighbour AS, or right into it; empty if it is cut off
    /// from them, `None` if its AS has none.
    pub(super) fn out_to(
        &self,
        topology: &Topology,
        (from, neighbour): (RouterIndex, AsIndex),
        at: MonoTime,
    ) -> Option<&[LinkIndex]> {
        self.inside(topology, from, at)?.out_to(from, neighbour)
    }

    fn inside(&self, topology: &Topology, router: RouterIndex, at: MonoTime) -> Option<&inside::Inside> {
        let home = topology.home(router)?;
        let epoch = self.adopted(Adopter::Router(router), at)?;
        Some(epoch.inside.get(home.0)?.get_or_init(|| inside::Inside::new(topology, home, epoch.from)))
    }

    /// The number of the epoch whose routes everybody has adopted by a time, and no younger ones.
    fn settled(&self, at: MonoTime) -> Option<usize> {
        let youngest = self.epochs.partition_point(|epoch| epoch.from <= at).checked_sub(1)?;
        let epoch = self.epochs.get(youngest)?;
        let all = epoch.from.after(self.convergence.max(self.convergence_inside));
        (youngest == 0 || all <= at).then_some(youngest)
    }

    /// The youngest routes that somebody has adopted by a time.
    fn adopted(&self, who: Adopter, at: MonoTime) -> Option<&Epoch> {
        let convergence = match who {
            Adopter::As(_) => self.convergence,
            Adopter::Router(_) => self.convergence_inside,
        };
        let begun = self.epochs.partition_point(|epoch| epoch.from <= at);
        let begun = self.epochs.get(..begun).unwrap_or_default();
        let adopted = |(number, epoch): &(usize, &Epoch)| {
            *number == 0
                || epoch.from.after(convergence) <= at
                || epoch.from.after(self.lag(who, *number, convergence)) <= at
        };
        begun.iter().enumerate().rev().find(adopted).map(|(_, epoch)| epoch)
    }

    /// The moments, behind the first of two times and up to the second, at which a router or its AS adopts the
    /// routes of an epoch.
    pub(super) fn adoptions(
        &self,
        topology: &Topology,
        router: RouterIndex,
        (from, to): (MonoTime, MonoTime),
    ) -> Vec<MonoTime> {
        let home = topology.home(router).map(|home| (Adopter::As(home), self.convergence));
        let adopters = home.into_iter().chain([(Adopter::Router(router), self.convergence_inside)]);
        let moments = adopters.flat_map(|(who, convergence)| {
            let epochs = self.epochs.iter().enumerate().skip(1).skip_while(move |(_, epoch)| {
                // What everybody has adopted before is past.
                epoch.from.after(convergence) <= from
            });
            epochs.map(move |(number, epoch)| epoch.from.after(self.lag(who, number, convergence)))
        });
        moments.filter(|moment| *moment > from && *moment <= to).collect()
    }

    /// How long somebody takes to adopt the routes of an epoch.
    fn lag(&self, who: Adopter, epoch: usize, convergence: Duration) -> Duration {
        let key = match who {
            Adopter::As(asys) => asys.0.wrapping_mul(2),
            Adopter::Router(router) => router.0.wrapping_mul(2).wrapping_add(1),
        };
        let mut hasher = SipHasher13::new_with_keys(self.seed, epoch as u64);
        hasher.write_u64(key as u64);
        let [high, low, ..] = hasher.finish().to_be_bytes();
        convergence.mul_f64(f64::from(u16::from_be_bytes([high, low])) / f64::from(u16::MAX))
    }
}

/// All policies that any prefix ever follows.
#[derive(Default)]
struct Policies {
    list: Vec<Policy>,
    known: HashMap<Policy, usize>,
}

impl Policies {
    fn of_prefixes(&mut self, topology: &Topology, at: MonoTime) -> Vec<usize> {
        let prefixes = topology.scenario.prefixes.iter().enumerate();
        let policy = |(index, announced): (usize, &super::scenario::Announced)| Policy {
            origin: announced.origin,
            only_to: topology.announced_to(index, at).cloned(),
        };
        prefixes.map(policy).map(|policy| self.number(policy)).collect()
    }

    fn number(&mut self, policy: Policy) -> usize {
        let list = &mut self.list;
        *self.known.entry(policy).or_insert_with_key(|policy| {
            list.push(policy.clone());
            list.len().saturating_sub(1)
        })
    }
}
