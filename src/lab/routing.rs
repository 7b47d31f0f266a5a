//! Routes: which AS is next, and inside an AS which link, as they stand from one convergence to the next.
//!
//! Between ASes: a path-vector exchange by the rules of Gao and Rexford ([`between`]). Inside: shortest
//! paths with all ties ([`inside`]). After each change of a link the routes stay as they were for the
//! scenario's convergence time; meanwhile packets run into the gap, as they do in reality.

mod between;
mod inside;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use super::scenario::{AsIndex, LinkIndex, RouterIndex};
use super::topology::Topology;
use crate::model::MonoTime;

pub(super) use between::Best;

/// The routes of the whole lab over its whole time.
#[derive(Debug)]
pub(super) struct Routing {
    /// Which policy a prefix follows, in the order of the scenario's prefixes.
    policy_of_prefix: Vec<usize>,
    /// From when on each of them holds, in order of time; the first holds from the beginning.
    tables: Vec<(MonoTime, Tables)>,
}

/// How an AS announces some of its prefixes: prefixes with the same policy have the same routes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Policy {
    origin: AsIndex,
    only_to: Option<BTreeSet<AsIndex>>,
}

/// The routes at one time.
#[derive(Debug)]
pub(super) struct Tables {
    /// For each policy, for each AS, its best route.
    between: Vec<Vec<Option<Best>>>,
    inside: inside::Inside,
}

impl Routing {
    pub(super) fn new(topology: &Topology) -> Self {
        let (policies, policy_of_prefix) = policies(topology);
        let convergence = topology.scenario.convergence;
        let mut tables = vec![(MonoTime::default(), Tables::new(topology, &policies, MonoTime::default()))];
        for change in topology.change_times() {
            tables.push((change.after(convergence), Tables::new(topology, &policies, change)));
        }
        Self { policy_of_prefix, tables }
    }

    /// The routes that packets follow at a time.
    pub(super) fn at(&self, time: MonoTime) -> Option<&Tables> {
        let known = self.tables.partition_point(|(from, _)| *from <= time);
        self.tables.get(known.saturating_sub(1)).map(|(_, tables)| tables)
    }

    /// The policy that a prefix follows, by its position in the scenario.
    pub(super) fn policy(&self, prefix: usize) -> Option<usize> {
        self.policy_of_prefix.get(prefix).copied()
    }
}

impl Tables {
    fn new(topology: &Topology, policies: &[Policy], at: MonoTime) -> Self {
        Self {
            between: policies.iter().map(|policy| between::exchange(topology, policy, at)).collect(),
            inside: inside::Inside::new(topology, at),
        }
    }

    /// The route of an AS to the prefixes of a policy; `None` if it has none.
    pub(super) fn best(&self, policy: usize, asys: AsIndex) -> Option<&Best> {
        self.between.get(policy)?.get(asys.0)?.as_ref()
    }

    /// The links over which a router reaches another one of its AS, all equally short.
    pub(super) fn towards(&self, from: RouterIndex, to: RouterIndex) -> &[LinkIndex] {
        self.inside.towards(from, to)
    }

    /// The links over which a router comes nearer to a neighbour AS, or right into it.
    pub(super) fn out_to(&self, from: RouterIndex, neighbour: AsIndex) -> &[LinkIndex] {
        self.inside.out_to(from, neighbour)
    }
}

fn policies(topology: &Topology) -> (Vec<Policy>, Vec<usize>) {
    let mut policies: Vec<Policy> = Vec::new();
    let mut known: HashMap<Policy, usize> = HashMap::new();
    let mut of_prefix = Vec::new();
    for announced in &topology.scenario.prefixes {
        let policy = Policy { origin: announced.origin, only_to: announced.only_to.clone() };
        let index = *known.entry(policy.clone()).or_insert_with(|| {
            policies.push(policy);
            policies.len().saturating_sub(1)
        });
        of_prefix.push(index);
    }
    (policies, of_prefix)
}
