//! The tcp prober: reachability by TCP SYN to a list of ports. Nothing follows the SYN but the kernel's
//! own RST; at most one SYN a target and port is out at a time.
//!
//! ```text
//!             next()             SYN-ACK, RST or ICMP error
//!   waiting ─────────▶ asked ────────────────────────────────▶ settled
//!      ▲                 │  silence, attempts left                ▲
//!      └─────────────────┴── silence, none left, or not sent ─────┘
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use super::{News, Next, Prober};
use crate::measure::schedule::Permutation;
use crate::model::{FlowId, MonoTime, Port, Probe, Protocol, RoundId, SkipReason, Ttl};

/// One round of SYNs.
#[derive(Debug)]
pub struct TcpProber {
    attempts: u8,
    waiting: VecDeque<Probe>,
    /// Attempts used up by each door that is not settled yet.
    open: BTreeMap<(IpAddr, Port), u8>,
    total: u64,
    asked: u64,
    settled_early: u64,
    skipped_told: u64,
}

impl TcpProber {
    /// A round that asks each port of each target at most `attempts` (1 to 255) times.
    #[must_use]
    pub fn new(round: RoundId, targets: &[IpAddr], ports: &[Port], attempts: u8, seed: u64) -> Self {
        let doors: Vec<(IpAddr, Port)> =
            targets.iter().flat_map(|target| ports.iter().map(|port| (*target, *port))).collect();
        let order = Permutation::new(seed, doors.len() as u64);
        let door_at = |index| doors.get(usize::try_from(index).ok()?).copied();
        let waiting = order.starting_at(0).filter_map(door_at).map(|door| syn(round, door, 0)).collect();
        Self {
            attempts,
            waiting,
            open: doors.iter().map(|door| (*door, 0)).collect(),
            total: (doors.len() as u64).saturating_mul(u64::from(attempts)),
            asked: 0,
            settled_early: 0,
            skipped_told: 0,
        }
    }

    fn decide(&mut self, probe: &Probe, news: News<'_>) {
        let Some(door) = probe.port.map(|port| (probe.target, port)) else { return };
        let used = probe.attempt.saturating_add(1);
        if news == News::TimedOut && used < self.attempts {
            self.open.insert(door, used);
            self.waiting.push_back(Probe { attempt: used, ..*probe });
        } else if self.open.remove(&door).is_some() {
            let left = self.attempts.saturating_sub(used);
            self.settled_early = self.settled_early.saturating_add(u64::from(left));
        }
    }
}

impl Prober for TcpProber {
    fn next(&mut self, _now: MonoTime) -> Next {
        match self.waiting.pop_front() {
            Some(probe) => {
                self.asked = self.asked.saturating_add(1);
                Next::Probe(probe)
            }
            None if self.open.is_empty() => Next::Done,
            None => Next::Wait(MonoTime::NEVER),
        }
    }

    fn settle(&mut self, probe: &Probe, news: News<'_>, _now: MonoTime) {
        self.decide(probe, news);
    }

    fn recall(&mut self, probe: &Probe, news: News<'_>) {
        self.waiting.retain(|waiting| waiting != probe);
        self.asked = self.asked.saturating_add(1);
        self.decide(probe, news);
    }

    fn take_skipped(&mut self) -> Vec<(SkipReason, u64)> {
        let fresh = self.settled_early.saturating_sub(self.skipped_told);
        self.skipped_told = self.settled_early;
        if fresh == 0 { Vec::new() } else { vec![(SkipReason::Settled, fresh)] }
    }

    fn progress(&self) -> (u64, u64) {
        (self.total, self.asked.saturating_add(self.settled_early))
    }
}

fn syn(round: RoundId, (target, port): (IpAddr, Port), attempt: u8) -> Probe {
    Probe {
        round,
        target,
        protocol: Protocol::Tcp,
        port: Some(port),
        flow: FlowId(0),
        ttl: Ttl::TO_THE_END,
        attempt,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{drain, reply, targets};
    use super::*;
    use crate::model::ReplyKind;

    #[test]
    fn silence_is_asked_again_and_an_answer_of_any_kind_settles_the_port() {
        let ports = [Port::new(80).unwrap(), Port::new(443).unwrap()];
        let mut prober = TcpProber::new(RoundId(1), &targets(4), &ports, 3, 1);
        let rst = reply("10.0.0.0", ReplyKind::Rst);
        let asked = drain(&mut prober, |probe| {
            if probe.port == Some(ports[0]) { News::Reply(&rst) } else { News::TimedOut }
        });
        let to = |port| asked.iter().filter(|(probe, _)| probe.port == Some(port)).count();
        assert_eq!((to(ports[0]), to(ports[1])), (4, 12));
        assert_eq!(prober.take_skipped(), vec![(SkipReason::Settled, 8)]);
        assert_eq!(prober.progress(), (24, 24));
    }

    #[test]
    fn a_resumed_round_continues_at_the_next_attempt() {
        let port = Port::new(443).unwrap();
        let mut prober = TcpProber::new(RoundId(1), &targets(1), &[port], 2, 1);
        prober.recall(&syn(RoundId(1), (targets(1)[0], port), 0), News::TimedOut);
        let asked = drain(&mut prober, |_| News::TimedOut);
        assert_eq!(asked.iter().map(|(probe, _)| probe.attempt).collect::<Vec<_>>(), vec![1]);
    }
}
