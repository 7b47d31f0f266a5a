//! The tcp prober: reachability by TCP SYN to a list of ports. Nothing follows the SYN but the kernel's
//! own RST; at most one SYN a target and port is out at a time.
//!
//! ```text
//!             next()             SYN-ACK, RST or ICMP error
//!   waiting ─────────▶ asked ────────────────────────────────▶ settled
//!      ▲                 │  silence, attempts left                ▲
//!      └─────────────────┴── silence, none left, or not sent ─────┘
//! ```
//!
//! A later attempt may have been recorded while an earlier one was still out when the round was
//! interrupted; the earlier one is then asked again, and nothing else.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::net::IpAddr;

use super::{News, Next, Prober};
use crate::measure::schedule::Permutation;
use crate::model::{FlowId, MonoTime, Port, Probe, Protocol, RoundId, SkipReason, Ttl};

/// One round of SYNs.
#[derive(Debug)]
pub struct TcpProber {
    round: RoundId,
    attempts: u8,
    waiting: VecDeque<Probe>,
    doors: BTreeMap<(IpAddr, Port), Door>,
    /// Probes that were recorded before an interruption, and may still stand in `waiting`.
    recalled: HashSet<Probe>,
    /// Probes that wait or are out.
    pending: u64,
    asked: u64,
    settled_early: u64,
    skipped_told: u64,
}

/// A port of a target.
#[derive(Clone, Copy, Debug)]
struct Door {
    /// Attempts that were made or are wanted: those before this number.
    wanted: u8,
    /// Whether no further attempt will be wanted.
    settled: bool,
}

impl TcpProber {
    /// A round that asks each port of each target at most `attempts` (1 to 255) times.
    #[must_use]
    pub fn new(round: RoundId, targets: &[IpAddr], ports: &[Port], attempts: u8, seed: u64) -> Self {
        let doors: Vec<(IpAddr, Port)> =
            targets.iter().flat_map(|target| ports.iter().map(|port| (*target, *port))).collect();
        let order = Permutation::new(seed, doors.len() as u64);
        let door_at = |index| doors.get(usize::try_from(index).ok()?).copied();
        let waiting: VecDeque<Probe> =
            order.starting_at(0).filter_map(door_at).map(|door| syn(round, door, 0)).collect();
        Self {
            round,
            attempts,
            pending: waiting.len() as u64,
            waiting,
            doors: doors.iter().map(|door| (*door, Door { wanted: 1, settled: false })).collect(),
            recalled: HashSet::new(),
            asked: 0,
            settled_early: 0,
            skipped_told: 0,
        }
    }

    /// Wants all attempts before `attempt` that are not wanted yet.
    fn want(&mut self, key: (IpAddr, Port), attempt: u8) {
        let Some(door) = self.doors.get_mut(&key) else { return };
        let fresh = door.wanted..attempt;
        door.wanted = door.wanted.max(attempt);
        self.pending = self.pending.saturating_add(fresh.len() as u64);
        self.waiting.extend(fresh.map(|attempt| syn(self.round, key, attempt)));
    }

    fn decide(&mut self, probe: &Probe, news: News<'_>) {
        let Some(key) = probe.port.map(|port| (probe.target, port)) else { return };
        let Some(door) = self.doors.get_mut(&key).filter(|door| !door.settled) else { return };
        let next = probe.attempt.saturating_add(1);
        let again = news == News::TimedOut && next < self.attempts;
        if again && next == door.wanted {
            self.want(key, next.saturating_add(1));
        } else if !again {
            door.settled = true;
            let left = self.attempts.saturating_sub(door.wanted);
            self.settled_early = self.settled_early.saturating_add(u64::from(left));
        }
    }
}

impl Prober for TcpProber {
    fn next(&mut self, _now: MonoTime) -> Next {
        while let Some(probe) = self.waiting.pop_front() {
            if !self.recalled.remove(&probe) {
                self.asked = self.asked.saturating_add(1);
                return Next::Probe(probe);
            }
        }
        if self.pending == 0 { Next::Done } else { Next::Wait(MonoTime::NEVER) }
    }

    fn settle(&mut self, probe: &Probe, news: News<'_>, _now: MonoTime) {
        self.pending = self.pending.saturating_sub(1);
        self.decide(probe, news);
    }

    fn recall(&mut self, probe: &Probe, news: News<'_>) {
        let Some(key) = probe.port.map(|port| (probe.target, port)) else { return };
        self.want(key, probe.attempt.saturating_add(1));
        if self.recalled.insert(*probe) {
            self.pending = self.pending.saturating_sub(1);
            self.asked = self.asked.saturating_add(1);
            self.decide(probe, news);
        }
    }

    fn take_skipped(&mut self) -> Vec<(SkipReason, u64)> {
        let fresh = self.settled_early.saturating_sub(self.skipped_told);
        self.skipped_told = self.settled_early;
        if fresh == 0 { Vec::new() } else { vec![(SkipReason::Settled, fresh)] }
    }

    fn progress(&self) -> (u64, u64) {
        let total = (self.doors.len() as u64).saturating_mul(u64::from(self.attempts));
        (total, self.asked.saturating_add(self.settled_early))
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

    #[test]
    fn an_attempt_that_was_out_when_the_round_was_interrupted_is_asked_again_and_no_other() {
        let port = Port::new(443).unwrap();
        let door = (targets(1)[0], port);
        let rst = reply("10.0.0.0", ReplyKind::Rst);
        let table = [
            (vec![(1, News::Reply(&rst))], vec![0]),
            (vec![(1, News::Reply(&rst)), (0, News::TimedOut)], vec![]),
            (vec![(0, News::TimedOut), (1, News::Reply(&rst))], vec![]),
            (vec![(1, News::TimedOut)], vec![0, 2]),
            (vec![(2, News::TimedOut)], vec![0, 1]),
        ];
        for (recorded, expected) in table {
            let mut prober = TcpProber::new(RoundId(1), &targets(1), &[port], 3, 1);
            for (attempt, news) in &recorded {
                prober.recall(&syn(RoundId(1), door, *attempt), *news);
            }
            let asked = drain(&mut prober, |_| News::TimedOut);
            let mut attempts: Vec<u8> = asked.iter().map(|(probe, _)| probe.attempt).collect();
            attempts.sort_unstable();
            assert_eq!(attempts, expected, "{recorded:?}");
            let skipped: u64 = prober.take_skipped().iter().map(|(_, count)| count).sum();
            assert_eq!(recorded.len() as u64 + attempts.len() as u64 + skipped, 3, "{recorded:?}");
        }
    }
}
