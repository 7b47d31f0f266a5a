//! All ways to a target, from the records of a multipath search: the routers of each hop, the links between
//! them, how balancers split the flows, and the chance that something was missed.
//!
//! It rebuilds from records what the prober knew, by the same [`FlowMap`]; so it can be asked of any dataset,
//! long after. A link is told only where flows can tell it: never across a silent hop, never behind a
//! balancer that goes packet by packet.

mod census;

use std::collections::BTreeMap;
use std::net::IpAddr;

pub use census::{CensusKey, Censuses, UnitWays};

use crate::dataset::ProbeRecord;
use crate::limits::Train;
use crate::model::{Method, Name, Outcome, Port, Protocol, ReplyKind, RoundId, Ttl, Unit, WallTime};
use crate::multipath::{Ends, FlowMap, Heard, Hop, Links, Splits, chance_missed};

/// What names a search.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SearchKey {
    /// Who measured.
    pub vantage: Name,
    /// In which round.
    pub round: RoundId,
    /// Towards which address.
    pub target: IpAddr,
    /// In what it was carried.
    pub protocol: Protocol,
    /// The destination port; `None` for ICMP.
    pub port: Option<Port>,
}

/// All ways to one target that one search found.
#[derive(Clone, Debug)]
pub struct Ways {
    /// What names the search.
    pub key: SearchKey,
    /// The unit of the target.
    pub unit: Unit,
    /// When the first and the last of its packets were sent; `None` if none was.
    pub sent: Option<(WallTime, WallTime)>,
    /// Packets that were sent.
    pub packets: u64,
    /// Whether the target itself answered.
    pub reached: bool,
    /// The hops, from the first TTL asked to the last that anybody answered.
    pub hops: Vec<WaysHop>,
    /// The links that flows tell, by the TTL of the nearer end.
    pub links: Vec<WaysLink>,
    /// An upper bound on the chance that a router of any hop was missed.
    pub chance_missed: f64,
}

/// One hop of the ways to a target.
#[derive(Clone, Debug, PartialEq)]
pub struct WaysHop {
    /// The TTL.
    pub ttl: Ttl,
    /// Who answered, in the order of addresses; empty for a silent hop.
    pub routers: Vec<WaysRouter>,
    /// Flows that were asked.
    pub flows_asked: usize,
    /// Flows that were answered.
    pub flows_answered: usize,
    /// Whether one flow was answered by several routers: packets are balanced one by one.
    pub per_packet: bool,
    /// The share of the narrowest branch that was reckoned with; `None` for equal ones.
    pub narrowest: Option<f64>,
    /// An upper bound on the chance that a router was missed here; 1 for a silent hop.
    pub chance_missed: f64,
}

/// A router at a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaysRouter {
    /// The address that answered.
    pub address: IpAddr,
    /// Flows that it answered first.
    pub flows: usize,
}

/// A link between routers of neighbouring hops.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WaysLink {
    /// The TTL of the nearer end.
    pub ttl: Ttl,
    /// The nearer end.
    pub from: IpAddr,
    /// The farther end.
    pub to: IpAddr,
    /// Flows that were seen to take it.
    pub flows: usize,
    /// The share of the flows through `from` that take it, of those that were seen at both ends.
    pub share: f64,
}

/// Takes records in and gives the ways that they tell of.
#[derive(Debug, Default)]
pub struct Searches {
    open: BTreeMap<SearchKey, OpenSearch>,
}

#[derive(Debug)]
struct OpenSearch {
    unit: Unit,
    sent: Option<(WallTime, WallTime)>,
    packets: u64,
    reached: bool,
    map: FlowMap,
    /// By hop and flow: whether whoever answered had got all of these packets with TTL 0.
    saw_ttl_0: BTreeMap<(usize, u16), bool>,
}

impl Searches {
    /// Takes a record in; records of other methods than `multipath` are left aside.
    pub fn add(&mut self, record: &ProbeRecord) {
        if record.method != Method::Multipath || Train::of(record.probe.attempt).is_some() {
            return;
        }
        let probe = record.probe;
        let key = SearchKey {
            vantage: record.vantage.clone(),
            round: probe.round,
            target: probe.target,
            protocol: probe.protocol,
            port: probe.port,
        };
        self.open.entry(key).or_insert_with(|| OpenSearch::new(record.unit)).add(record);
    }

    /// All ways, in the order of their keys. How balancers split flows, and what ways to neighbouring targets have in
    /// common at their ends, is pooled over each round.
    #[must_use]
    pub fn finish(mut self) -> Vec<Ways> {
        let mut pools: BTreeMap<(Name, RoundId), Pool> = BTreeMap::new();
        for (key, search) in &mut self.open {
            search.leave_out_let_through();
            search.map.assume_turns();
            search.pool(key.target, pools.entry((key.vantage.clone(), key.round)).or_default());
        }
        for (key, search) in &self.open {
            if let Some(pool) = pools.get_mut(&(key.vantage.clone(), key.round)) {
                search.pool_behind_gateway(key.target, pool);
            }
        }
        let none = Pool::default();
        let ways = |(key, search): (SearchKey, OpenSearch)| {
            let pool = pools.get(&(key.vantage.clone(), key.round)).unwrap_or(&none);
            search.close(key, pool)
        };
        self.open.into_iter().map(ways).collect()
    }
}

/// What all searches of a round have shown together.
#[derive(Debug, Default)]
struct Pool {
    splits: Splits,
    ends: Ends,
}

impl OpenSearch {
    fn new(unit: Unit) -> Self {
        let (map, saw_ttl_0) = (FlowMap::default(), BTreeMap::new());
        Self { unit, sent: None, packets: 0, reached: false, map, saw_ttl_0 }
    }

    fn add(&mut self, record: &ProbeRecord) {
        if let Some(at) = record.sent_at {
            self.sent = Some(self.sent.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
            self.packets = self.packets.saturating_add(1);
        }
        let probe = record.probe;
        let index = usize::from(probe.ttl.get().saturating_sub(1));
        let place = (index, probe.flow.0, probe.attempt);
        match &record.outcome {
            // A late answer is as true as one in time.
            Outcome::Answered { reply, .. } | Outcome::Late { reply, .. } => {
                self.reached |= reply.kind.arrived(reply.from == probe.target);
                let ran_out = reply.kind == ReplyKind::TimeExceeded && reply.quoted_ttl == Some(0);
                let always = self.saw_ttl_0.entry((index, probe.flow.0)).or_insert(true);
                *always &= ran_out;
                self.map.recall(place, Heard::Answer(reply.from), reply.ends_way_to(probe.target));
            }
            Outcome::Silent => self.map.recall(place, Heard::Silence, false),
            Outcome::SendFailed(_) | Outcome::Blocked(_) => self.map.recall(place, Heard::Refusal, false),
            Outcome::Skipped(_) => {}
        }
    }

    /// A router that saw packets with TTL 0 stands one hop behind the one that let them through (Augustin et al.
    /// 2006), and is seen there too; at the hop before stands one that nobody sees.
    fn leave_out_let_through(&mut self) {
        for (index, flow) in self.saw_ttl_0.iter().filter(|(_, always)| **always).map(|(place, _)| *place) {
            let router = self.map.hops().get(index).and_then(|hop| hop.vertex(flow));
            let behind = self.map.hops().get(index.saturating_add(1));
            let is_seen_behind =
                router.zip(behind).is_some_and(|(router, behind)| behind.vertices().contains_key(&router));
            if let Some(hop) = self.map.hop_mut(index).filter(|_| is_seen_behind) {
                hop.forget(flow);
            }
        }
    }

    fn pool(&self, target: IpAddr, pool: &mut Pool) {
        for (index, hop) in self.map.hops().iter().enumerate() {
            let before = index.checked_sub(1).and_then(|before| self.map.hops().get(before));
            for (flow, cell) in hop.cells() {
                let once = cell.vertex().filter(|_| cell.answers() == 1);
                match before {
                    None => once.into_iter().for_each(|router| {
                        pool.ends.note_first(target, router);
                    }),
                    Some(before) => pool.note_link(target, flow, (before, hop)),
                }
            }
        }
    }

    /// What flows show that were asked only behind a gateway that all of them pass.
    fn pool_behind_gateway(&self, target: IpAddr, pool: &mut Pool) {
        let Some(gateway) = pool.ends.gateway(target) else { return };
        let flows = self.map.hops().get(1).into_iter().flat_map(Hop::cells);
        for next in flows.filter_map(|(flow, _)| self.map.behind_gateway(flow)) {
            pool.splits.note(target, gateway, next);
        }
    }

    fn close(self, key: SearchKey, pool: &Pool) -> Ways {
        let hops = self.map.hops().get(..self.map.answered_hops()).unwrap_or_default();
        let links = Links::between(hops);
        let told: Vec<WaysHop> = hops
            .iter()
            .enumerate()
            .filter(|(_, hop)| hop.flows_asked() > 0)
            .filter_map(|(index, hop)| told_hop((index, hop), hops, (&links, pool), key.target))
            .collect();
        let all_seen: f64 =
            told.iter().filter(|hop| !hop.routers.is_empty()).map(|hop| 1.0 - hop.chance_missed).product();
        Ways {
            key,
            unit: self.unit,
            sent: self.sent,
            packets: self.packets,
            reached: self.reached,
            links: links.iter().filter_map(|link| told_link(link, hops)).collect(),
            hops: told,
            chance_missed: 1.0 - all_seen,
        }
    }
}

impl Pool {
    /// Notes where a flow went between two hops.
    fn note_link(&mut self, target: IpAddr, flow: u16, (before, hop): (&Hop, &Hop)) {
        let Some((from, to)) = before.vertex(flow).zip(hop.vertex(flow)) else { return };
        if flow < hop.fresh().min(before.fresh()) {
            self.splits.note(target, from, to);
        }
        self.ends.note_next(target, from, to);
    }

    /// The chance that another router was missed at a hop of which neighbouring targets have shown what is there; 1 if
    /// they have not.
    fn chance_missed(&self, target: IpAddr, hop: &Hop, before: Option<&Hop>) -> f64 {
        let flows = match before {
            None => self.ends.flows_at_first(target),
            Some(_) if !hop.vertices().keys().eq([&target]) => 0,
            Some(before) => {
                let routers = before.vertices().keys();
                routers.map(|router| self.ends.flows_handed_over(target, *router)).min().unwrap_or(0)
            }
        };
        chance_missed(1, flows, None)
    }
}

fn told_hop(
    (index, hop): (usize, &Hop),
    hops: &[Hop],
    (links, pool): (&Links, &Pool),
    target: IpAddr,
) -> Option<WaysHop> {
    let before = index.checked_sub(1).and_then(|before| hops.get(before));
    let routers = before.into_iter().flat_map(|before| before.vertices().keys());
    let narrowest = routers.filter_map(|router| pool.splits.narrowest(*router)).min_by(f64::total_cmp);
    let by_hop = chance_missed(hop.vertices().len(), hop.answered(), narrowest);
    // Where the routers before have unequal numbers of next hops, each is a balancer of its own.
    let uneven = index.checked_sub(1).is_some_and(|before| links.is_uneven(before));
    let missed = match before {
        Some(before) if uneven => by_router(before, hop, &pool.splits),
        _ => by_hop.min(pool.chance_missed(target, hop, before)),
    };
    Some(WaysHop {
        ttl: ttl(index)?,
        routers: hop
            .vertices()
            .iter()
            .map(|(address, flows)| WaysRouter { address: *address, flows: flows.len() })
            .collect(),
        flows_asked: hop.flows_asked(),
        flows_answered: hop.answered(),
        per_packet: hop.is_unstable(),
        narrowest,
        chance_missed: if hop.answered() == 0 { 1.0 } else { missed },
    })
}

/// The chance of having missed a next hop of any router of a hop.
fn by_router(before: &Hop, hop: &Hop, splits: &Splits) -> f64 {
    let seen = before.vertices().iter().map(|(router, flows)| {
        let mut next: Vec<IpAddr> = flows.iter().filter_map(|flow| hop.vertex(*flow)).collect();
        let answered = next.len();
        next.sort_unstable();
        next.dedup();
        1.0 - chance_missed(next.len(), answered, splits.narrowest(*router))
    });
    1.0 - seen.product::<f64>()
}

fn told_link((index, from, to): (usize, IpAddr, IpAddr), hops: &[Hop]) -> Option<WaysLink> {
    let (near, far) = (hops.get(index)?, hops.get(index.saturating_add(1))?);
    let through = near.flows_of(from).filter_map(|flow| far.vertex(flow));
    let (taken, all) = through.fold((0_u32, 0_u32), |(taken, all), next| {
        (taken.saturating_add(u32::from(next == to)), all.saturating_add(1))
    });
    let share = f64::from(taken) / f64::from(all.max(1));
    Some(WaysLink { ttl: ttl(index)?, from, to, flows: usize::try_from(taken).ok()?, share })
}

fn ttl(index: usize) -> Option<Ttl> {
    Ttl::new(u8::try_from(index.saturating_add(1)).ok()?)
}

#[cfg(test)]
mod tests;
