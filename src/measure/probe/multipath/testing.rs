//! A network of balancers in memory, for the tests of the searches: no packets, only who would answer.

#![allow(clippy::cast_possible_truncation)]

use std::collections::BTreeSet;
use std::net::IpAddr;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::measure::probe::tests::way;
use crate::model::{MatchQuality, Port, Protocol, Reply, ReplyKind};
use crate::multipath::{Hop, Links};

/// A router: its branches with their weights, and how it spreads packets over them.
#[derive(Clone, Debug, Default)]
pub(in crate::measure::probe) struct Node {
    pub(in crate::measure::probe) next: Vec<(usize, u32)>,
    pub(in crate::measure::probe) per_packet: bool,
    pub(in crate::measure::probe) silent: bool,
}

/// Routers from the first hop on; the last one stands for every target.
#[derive(Clone, Debug)]
pub(in crate::measure::probe) struct Network {
    pub(in crate::measure::probe) nodes: Vec<Node>,
    pub(in crate::measure::probe) seed: u64,
    pub(in crate::measure::probe) loss: f64,
    /// Whether the targets are answered one after the other, instead of in any order.
    pub(in crate::measure::probe) in_turn: bool,
}

impl Network {
    /// Hops of these widths, each router linked to its share of the next hop, as evenly as may be.
    pub(in crate::measure::probe) fn hops(widths: &[usize], seed: u64) -> Self {
        let starts: Vec<usize> =
            widths.iter().scan(0, |sum, width| Some(std::mem::replace(sum, *sum + width))).collect();
        let mut nodes = vec![Node::default(); widths.iter().sum()];
        for (hop, pair) in widths.windows(2).enumerate() {
            for far in 0..pair[1].max(pair[0]) {
                let near = starts[hop] + far * pair[0] / pair[1].max(pair[0]);
                let far = starts[hop + 1] + far * pair[1] / pair[1].max(pair[0]);
                nodes[near].next.push((far, 1));
            }
        }
        Self { nodes, seed, loss: 0.0, in_turn: false }
    }

    /// One balancer with these weights, between plain routers.
    pub(in crate::measure::probe) fn balancer(weights: &[u32], seed: u64) -> Self {
        let mut network = Self::hops(&[1, weights.len(), 1, 1], seed);
        for (branch, weight) in network.nodes[0].next.iter_mut().zip(weights) {
            branch.1 = *weight;
        }
        network
    }

    fn address(&self, node: usize, target: IpAddr) -> IpAddr {
        if node == self.nodes.len() - 1 {
            target
        } else {
            IpAddr::from([10, 9, (node >> 8) as u8, node as u8])
        }
    }

    /// Who answers a probe; every packet has its own number.
    pub(in crate::measure::probe) fn answer(&self, probe: &Probe, packet: u64) -> Option<Reply> {
        let mut node = 0;
        for hop in 1..u64::from(probe.ttl.get()) {
            if node == self.nodes.len() - 1 {
                break;
            }
            node = self.onward(node, probe, (packet, hop));
        }
        let mut dice =
            Xoshiro256PlusPlus::seed_from_u64(self.seed ^ packet.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        if self.nodes[node].silent || dice.random::<f64>() < self.loss {
            return None;
        }
        let at_target = node == self.nodes.len() - 1;
        Some(Reply {
            from: self.address(node, probe.target),
            kind: if at_target { ReplyKind::EchoReply } else { ReplyKind::TimeExceeded },
            icmp: None,
            reply_ttl: Some(60),
            quoted_ttl: Some(1),
            mpls: Vec::new(),
            size: 56,
            ip_id: None,
            matched: MatchQuality::Exact,
        })
    }

    fn onward(&self, node: usize, probe: &Probe, (packet, hop): (u64, u64)) -> usize {
        let Node { next, per_packet, .. } = &self.nodes[node];
        let IpAddr::V4(target) = probe.target else { panic!("only IPv4 here") };
        let draw = Draw::new(self.seed, node as u64 + 1);
        let question = if *per_packet {
            (packet, hop)
        } else {
            (u64::from(target.to_bits()), u64::from(probe.flow.0))
        };
        let total: u32 = next.iter().map(|(_, weight)| weight).sum();
        let mut point = draw.up_to(u64::from(total) - 1, question.0, question.1);
        for (node, weight) in next {
            if point < u64::from(*weight) {
                return *node;
            }
            point -= u64::from(*weight);
        }
        unreachable!("the point lies within the total")
    }

    /// All links, towards one target.
    pub(in crate::measure::probe) fn links(&self, target: IpAddr) -> BTreeSet<(IpAddr, IpAddr)> {
        let links = self.nodes.iter().enumerate();
        links
            .flat_map(|(near, node)| node.next.iter().map(move |(far, _)| (near, *far)))
            .filter(|(near, far)| !self.nodes[*near].silent && !self.nodes[*far].silent)
            .map(|(near, far)| (self.address(near, target), self.address(far, target)))
            .collect()
    }
}

pub(in crate::measure::probe) fn order(targets: Vec<IpAddr>) -> MultipathOrder {
    MultipathOrder {
        round: RoundId(1),
        targets,
        way: way(Protocol::Udp, Some(Port::TRACEROUTE)),
        algorithm: Algorithm::Lite,
        stopping: StoppingRule::per_hop(0.95).unwrap(),
        narrowest: None,
        budget: 5_000,
        seed: 3,
    }
}

/// Runs a round to its end over a network that answers in any order; gives the probes asked.
pub(in crate::measure::probe) fn run(prober: &mut MultipathProber, network: &Network) -> Vec<Probe> {
    watch(prober, network, |_| {})
}

/// The same; `seen` looks at the prober after every question and every answer.
pub(super) fn watch(
    prober: &mut MultipathProber,
    network: &Network,
    mut seen: impl FnMut(&MultipathProber),
) -> Vec<Probe> {
    let mut order = Xoshiro256PlusPlus::seed_from_u64(network.seed);
    let (mut asked, mut flying) = (Vec::new(), Vec::<(Probe, u64)>::new());
    loop {
        let next = prober.next(MonoTime::default());
        seen(prober);
        match next {
            Next::Probe(probe) => {
                flying.push((probe, asked.len() as u64));
                asked.push(probe);
            }
            Next::Wait(_) => {
                assert!(!flying.is_empty(), "waits for nothing");
                let any = order.random_range(0..flying.len());
                let first = || (0..flying.len()).min_by_key(|index| flying[*index].0.target);
                let (probe, packet) =
                    flying.swap_remove(if network.in_turn { first().unwrap_or(any) } else { any });
                let answer = network.answer(&probe, packet);
                prober.settle(
                    &probe,
                    answer.as_ref().map_or(News::TimedOut, News::Reply),
                    MonoTime::default(),
                );
            }
            Next::Done => {
                assert!(flying.is_empty());
                return asked;
            }
        }
    }
}

impl MultipathProber {
    /// The links found towards a target.
    pub(in crate::measure::probe) fn links(&self, target: usize) -> BTreeSet<(IpAddr, IpAddr)> {
        Links::between(self.searches[target].map().hops()).iter().map(|(_, from, to)| (from, to)).collect()
    }

    /// Where the search for the ways to a target stands.
    pub(super) fn phase(&self, target: usize) -> Phase {
        self.searches[target].phase()
    }

    /// Whether packet-by-packet balancing was seen on the way to a target.
    pub(super) fn is_unstable(&self, target: usize) -> bool {
        self.searches[target].map().hops().iter().any(Hop::is_unstable)
    }
}
