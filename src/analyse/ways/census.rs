//! All ways to all of a unit, from the records of a census: the routers of each hop, the links between them, which
//! addresses answered, and the chance that something was missed.
//!
//! The flows of a unit go to many addresses, so what ends them is not a router of the next hop: all addresses of
//! the unit are taken for one branch there, and told one by one only at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{WaysHop, WaysLink, WaysRouter, ttl};
use crate::dataset::ProbeRecord;
use crate::limits::Train;
use crate::model::{Asked, FlowId, Method, Name, Outcome, Port, Protocol, RoundId, Ttl, Unit, WallTime};
use crate::multipath::{FlowMap, Heard, Hop, Links, Splits, chance_missed};

/// What names the ways to a unit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CensusKey {
    /// Who measured.
    pub vantage: Name,
    /// In which round.
    pub round: RoundId,
    /// To which unit.
    pub unit: Unit,
}

/// All ways to a unit that a census found.
#[derive(Clone, Debug)]
pub struct UnitWays {
    /// What names them.
    pub key: CensusKey,
    /// In what it was carried, and to which port; `None` if nothing was heard.
    pub carrier: Option<(Protocol, Option<Port>)>,
    /// Whether it is a control unit.
    pub control: bool,
    /// When the first and the last of the packets were sent that have records; `None` if there are none.
    pub sent: Option<(WallTime, WallTime)>,
    /// Packets that were asked for and not refused.
    pub packets: u64,
    /// The hops, from the first TTL to the last that anybody answered. Their routers are routers only.
    pub hops: Vec<WaysHop>,
    /// The links that flows tell, by the TTL of the nearer end; those to addresses of the unit too.
    pub links: Vec<WaysLink>,
    /// The addresses of the unit that answered, and the lowest TTL at which they did.
    pub arrivals: BTreeMap<IpAddr, Ttl>,
    /// Where the budget ended before the stopping rule was content, and how many probes it still wanted.
    pub left_open: BTreeMap<Ttl, u64>,
    /// An upper bound on the chance that a router of any hop was missed.
    pub chance_missed: f64,
}

/// Takes records in and gives the ways that they tell of.
#[derive(Debug, Default)]
pub struct Censuses {
    open: BTreeMap<CensusKey, OpenCensus>,
}

#[derive(Debug, Default)]
struct OpenCensus {
    carrier: Option<(Protocol, Option<Port>)>,
    control: bool,
    sent: Option<(WallTime, WallTime)>,
    answers: Vec<Answer>,
    refused: u64,
    /// Flows asked at each TTL, and probes of all attempts.
    flows: BTreeMap<Ttl, u64>,
    packets: u64,
    left_open: BTreeMap<Ttl, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Answer {
    ttl: Ttl,
    attempt: u8,
    flow: (IpAddr, FlowId),
    from: IpAddr,
    ends: bool,
}

impl Censuses {
    /// Takes a record in; records of other methods than `census` are left aside.
    pub fn add(&mut self, record: &ProbeRecord) {
        if record.method != Method::Census || Train::of(record.probe.attempt).is_some() {
            return;
        }
        let (vantage, round, unit) = (record.vantage.clone(), record.probe.round, record.unit);
        self.open.entry(CensusKey { vantage, round, unit }).or_default().add(record);
    }

    /// Takes in which blocks of probes a round asked, or, without a wave, wanted and did not ask.
    pub fn add_asked(&mut self, vantage: &Name, round: RoundId, blocks: &[(Option<u32>, Asked)]) {
        for (wave, block) in blocks {
            let key = CensusKey { vantage: vantage.clone(), round, unit: block.unit };
            self.open.entry(key).or_default().add_asked(wave.is_some(), block);
        }
    }

    /// All ways, in the order of their keys. How balancers split flows is pooled over each round.
    #[must_use]
    pub fn finish(self) -> Vec<UnitWays> {
        let maps: Vec<(CensusKey, OpenCensus, Flows)> = self
            .open
            .into_iter()
            .map(|(key, open)| {
                let flows = Flows::new(&open.answers, home(key.unit));
                (key, open, flows)
            })
            .collect();
        let mut pools: BTreeMap<(Name, RoundId), Splits> = BTreeMap::new();
        for (key, _, flows) in &maps {
            flows.pool(pools.entry((key.vantage.clone(), key.round)).or_default());
        }
        let none = Splits::default();
        let close = |(key, open, flows): (CensusKey, OpenCensus, Flows)| {
            let splits = pools.get(&(key.vantage.clone(), key.round)).unwrap_or(&none);
            open.close(key, &flows, splits)
        };
        maps.into_iter().map(close).collect()
    }
}

impl OpenCensus {
    fn add(&mut self, record: &ProbeRecord) {
        let probe = record.probe;
        self.carrier = Some((probe.protocol, probe.port));
        self.control |= record.control;
        if let Some(at) = record.sent_at {
            self.sent = Some(self.sent.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        }
        match &record.outcome {
            // A late answer is as true as one in time.
            Outcome::Answered { reply, .. } | Outcome::Late { reply, .. } => self.answers.push(Answer {
                ttl: probe.ttl,
                attempt: probe.attempt,
                flow: (probe.target, probe.flow),
                from: reply.from,
                ends: reply.ends_way_to(probe.target),
            }),
            Outcome::SendFailed(_) | Outcome::Blocked(_) => self.refused = self.refused.saturating_add(1),
            Outcome::Silent | Outcome::Skipped(_) => {}
        }
    }

    fn add_asked(&mut self, was_asked: bool, block: &Asked) {
        let (probes, flows) = (block.probes(), u64::from(block.flows));
        let add = |to: &mut u64, more: u64| *to = to.saturating_add(more);
        if !was_asked {
            add(self.left_open.entry(block.ttl).or_default(), probes);
            return;
        }
        add(&mut self.packets, probes);
        if block.first_attempt == 0 {
            add(self.flows.entry(block.ttl).or_default(), flows);
        }
    }

    fn close(self, key: CensusKey, flows: &Flows, splits: &Splits) -> UnitWays {
        let hops = flows.map.hops().get(..flows.map.answered_hops()).unwrap_or_default();
        let links = Links::between(hops);
        let told: Vec<WaysHop> = (0..hops.len())
            .filter_map(|index| {
                let asked = self.flows.get(&ttl(index)?).copied().unwrap_or(0);
                flows.told_hop(index, usize::try_from(asked).ok()?, (&links, splits))
            })
            .collect();
        let all_seen: f64 =
            told.iter().filter(|hop| !hop.routers.is_empty()).map(|hop| 1.0 - hop.chance_missed).product();
        UnitWays {
            key,
            carrier: self.carrier,
            control: self.control,
            sent: self.sent,
            packets: self.packets.saturating_sub(self.refused),
            links: links.iter().flat_map(|link| flows.told_links(link)).collect(),
            hops: told,
            arrivals: flows.arrivals(),
            left_open: self.left_open,
            chance_missed: 1.0 - all_seen,
        }
    }
}

/// What the flows of a unit saw. Flows are numbered here by their address and pinned flow, so the numbers are not those
/// of the prober.
#[derive(Debug)]
struct Flows {
    map: FlowMap,
    names: Vec<(IpAddr, FlowId)>,
    home: IpAddr,
}

impl Flows {
    fn new(answers: &[Answer], home: IpAddr) -> Self {
        let names: BTreeSet<(IpAddr, FlowId)> = answers.iter().map(|answer| answer.flow).collect();
        let names: Vec<(IpAddr, FlowId)> = names.into_iter().take(usize::from(u16::MAX)).collect();
        let mut sorted = answers.to_vec();
        sorted.sort_unstable();
        let mut map = FlowMap::default();
        for answer in sorted {
            let Ok(flow) = names.binary_search(&answer.flow) else { continue };
            let place = (
                usize::from(answer.ttl.get().saturating_sub(1)),
                u16::try_from(flow).unwrap_or(u16::MAX),
                answer.attempt,
            );
            let at_home = answer.from == answer.flow.0;
            map.recall(place, Heard::Answer(if at_home { home } else { answer.from }), answer.ends);
        }
        Self { map, names, home }
    }

    fn hop(&self, index: usize) -> Option<&Hop> {
        self.map.hops().get(index)
    }

    /// Counts how flows went on from router to router.
    fn pool(&self, splits: &mut Splits) {
        for (near, far) in self.map.hops().iter().zip(self.map.hops().iter().skip(1)) {
            for (flow, cell) in far.cells() {
                let once = cell.answers() == 1 && near.cell(flow).is_some_and(|cell| cell.answers() == 1);
                let link = near.vertex(flow).zip(far.vertex(flow)).filter(|_| once);
                if let Some((from, to)) = link.filter(|(from, to)| *from != self.home && *to != self.home) {
                    splits.note(self.home, from, to);
                }
            }
        }
    }

    fn told_hop(
        &self,
        index: usize,
        flows_asked: usize,
        (links, splits): (&Links, &Splits),
    ) -> Option<WaysHop> {
        let hop = self.hop(index)?;
        let before = index.checked_sub(1).and_then(|before| self.hop(before));
        let of_before = before.into_iter().flat_map(|before| before.vertices().keys());
        let narrowest = of_before.filter_map(|router| splits.narrowest(*router)).min_by(f64::total_cmp);
        let routers: Vec<WaysRouter> = hop
            .vertices()
            .iter()
            .filter(|(address, _)| **address != self.home)
            .map(|(address, flows)| WaysRouter { address: *address, flows: flows.len() })
            .collect();
        let told = index.checked_sub(1).is_some_and(|before| links.are_told_by_flows(before));
        let missed = match before {
            Some(before) if told => self.missed_behind(before, hop, splits),
            _ => chance_missed(hop.vertices().len(), hop.answered(), narrowest),
        };
        // Where only addresses of the unit answer, those that do not are no router that was missed.
        let missed = if routers.is_empty() { chance_missed(1, flows_asked, narrowest) } else { missed };
        Some(WaysHop {
            ttl: ttl(index)?,
            routers,
            flows_asked,
            flows_answered: hop.answered(),
            per_packet: hop.is_unstable(),
            narrowest,
            chance_missed: if hop.answered() == 0 { 1.0 } else { missed },
        })
    }

    /// The chance of having missed a next hop of any router of a hop.
    fn missed_behind(&self, before: &Hop, hop: &Hop, splits: &Splits) -> f64 {
        let routers = before.vertices().iter().filter(|(router, _)| **router != self.home);
        let seen = routers.filter_map(|(router, flows)| {
            let mut next: Vec<IpAddr> = flows.iter().filter_map(|flow| hop.vertex(*flow)).collect();
            let answered = next.len();
            next.sort_unstable();
            next.dedup();
            // Behind a router of which nothing but addresses of the unit is seen there may be none.
            let leads_on = next.iter().any(|next| *next != self.home);
            leads_on.then(|| 1.0 - chance_missed(next.len(), answered, splits.narrowest(*router)))
        });
        1.0 - seen.product::<f64>()
    }

    /// A link as it is told; one to the unit is told for each of its addresses.
    fn told_links(&self, (index, from, to): (usize, IpAddr, IpAddr)) -> Vec<WaysLink> {
        let (Some(near), Some(far)) = (self.hop(index), self.hop(index.saturating_add(1))) else {
            return Vec::new();
        };
        if from == self.home {
            return Vec::new();
        }
        let mut taken: BTreeMap<IpAddr, u32> = BTreeMap::new();
        let mut all = 0_u32;
        for flow in near.flows_of(from) {
            let Some(next) = far.vertex(flow) else { continue };
            all = all.saturating_add(1);
            if next == to {
                let times = taken.entry(self.told_name(flow, next)).or_default();
                *times = times.saturating_add(1);
            }
        }
        let link = |(to, flows): (IpAddr, u32)| {
            let share = f64::from(flows) / f64::from(all.max(1));
            Some(WaysLink { ttl: ttl(index)?, from, to, flows: usize::try_from(flows).ok()?, share })
        };
        taken.into_iter().filter_map(link).collect()
    }

    /// Who answered, the unit's addresses by their own names.
    fn told_name(&self, flow: u16, vertex: IpAddr) -> IpAddr {
        let target = self.names.get(usize::from(flow)).map(|(target, _)| *target);
        target.filter(|_| vertex == self.home).unwrap_or(vertex)
    }

    fn arrivals(&self) -> BTreeMap<IpAddr, Ttl> {
        let mut arrivals: BTreeMap<IpAddr, Ttl> = BTreeMap::new();
        for (index, hop) in self.map.hops().iter().enumerate() {
            let Some(ttl) = ttl(index) else { continue };
            for flow in hop.flows_of(self.home) {
                arrivals.entry(self.told_name(flow, self.home)).or_insert(ttl);
            }
        }
        arrivals
    }
}

/// How the addresses of a unit are called together.
fn home(unit: Unit) -> IpAddr {
    unit.0.network()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Probe, Reply, ReplyKind, Rtt, RttSource};

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn unit() -> Unit {
        Unit("192.0.2.0/24".parse().unwrap())
    }

    fn record(last: u8, ttl: u8, from: IpAddr) -> ProbeRecord {
        let target = IpAddr::from([192, 0, 2, last]);
        let kind = if from == target { ReplyKind::EchoReply } else { ReplyKind::TimeExceeded };
        let rtt = Rtt { span: std::time::Duration::from_millis(9), source: RttSource::Monotonic };
        ProbeRecord {
            vantage: "v".parse().unwrap(),
            prober: "census".parse().unwrap(),
            method: Method::Census,
            probe: Probe {
                round: RoundId(1),
                target,
                protocol: Protocol::Icmp,
                port: None,
                flow: FlowId(0),
                ttl: Ttl::new(ttl).unwrap(),
                attempt: 0,
            },
            unit: unit(),
            control: false,
            sent_at: Some(WallTime::from_nanos(i64::from(last))),
            outcome: Outcome::Answered { reply: Reply::plain(from, kind), rtt },
        }
    }

    fn block(ttl: u8, flows: u16) -> Asked {
        let ttl = Ttl::new(ttl).unwrap();
        Asked { unit: unit(), ttl, first_flow: 0, flows, first_attempt: 0, attempts: 1 }
    }

    /// One router, two, one, and then the addresses, of which every third answers.
    fn census() -> UnitWays {
        let mut censuses = Censuses::default();
        for last in 0..30 {
            let branch = if last % 2 == 0 { "10.0.2.1" } else { "10.0.2.2" };
            for (ttl, from) in [(1, "10.0.1.1"), (2, branch), (3, "10.0.3.1")] {
                censuses.add(&record(last, ttl, ip(from)));
            }
            if last % 3 == 0 {
                censuses.add(&record(last, 4, IpAddr::from([192, 0, 2, last])));
                censuses.add(&record(last, 5, IpAddr::from([192, 0, 2, last])));
            }
        }
        let mut asked: Vec<(Option<u32>, Asked)> = (1..=4).map(|ttl| (Some(0), block(ttl, 30))).collect();
        asked.push((None, block(2, 7)));
        censuses.add_asked(&"v".parse().unwrap(), RoundId(1), &asked);
        censuses.finish().remove(0)
    }

    #[test]
    fn routers_and_links_are_told_of_the_unit_and_addresses_are_no_branches() {
        let ways = census();
        let widths: Vec<usize> = ways.hops.iter().map(|hop| hop.routers.len()).collect();
        assert_eq!(widths, [1, 2, 1, 0]);
        let between: Vec<(IpAddr, IpAddr, f64)> = ways
            .links
            .iter()
            .filter(|link| link.ttl.get() < 3)
            .map(|link| (link.from, link.to, link.share))
            .collect();
        let (a, b, c, d) = (ip("10.0.1.1"), ip("10.0.2.1"), ip("10.0.2.2"), ip("10.0.3.1"));
        assert_eq!(between, [(a, b, 0.5), (a, c, 0.5), (b, d, 1.0), (c, d, 1.0)]);
        let last: Vec<IpAddr> =
            ways.links.iter().filter(|link| link.ttl.get() == 3).map(|link| link.to).collect();
        assert_eq!(
            last,
            (0..30).step_by(3).map(|last| IpAddr::from([192, 0, 2, last])).collect::<Vec<_>>()
        );
        assert_eq!(ways.arrivals.len(), 10);
        assert!(ways.arrivals.values().all(|ttl| ttl.get() == 4), "the lowest TTL counts");
    }

    #[test]
    fn the_chance_of_having_missed_something_is_that_of_the_routers() {
        let ways = census();
        let two_behind_one = chance_missed(2, 30, None);
        let one_behind_each = 1.0 - (1.0 - chance_missed(1, 15, None)).powi(2);
        let expected =
            1.0 - (1.0 - chance_missed(1, 30, None)) * (1.0 - two_behind_one) * (1.0 - one_behind_each);
        assert!((ways.chance_missed - expected).abs() < 1e-12, "{} {expected}", ways.chance_missed);
        assert_eq!(ways.hops[3].flows_answered, 10);
        assert_eq!(ways.hops.iter().map(|hop| hop.flows_asked).collect::<Vec<_>>(), [30; 4]);
        assert_eq!(ways.packets, 120);
        assert_eq!(ways.left_open, BTreeMap::from([(Ttl::new(2).unwrap(), 7)]));
    }
}
