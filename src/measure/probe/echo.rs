//! The echo prober: reachability by ICMP echo, a fixed number of echoes a target.
//!
//! All targets are asked once in a seeded order, then all again, each pass at least `spacing` after the
//! one before. Every echo is asked for whatever became of the others: their share is the measurement.

use std::net::IpAddr;
use std::time::Duration;

use super::{News, Next, Prober};
use crate::measure::schedule::Permutation;
use crate::model::{FlowId, Keyed, MonoTime, Probe, Protocol, RoundId, SkipReason, Ttl};

/// One round of echoes.
#[derive(Debug)]
pub struct EchoProber {
    round: RoundId,
    targets: Vec<IpAddr>,
    order: Permutation,
    echoes: u8,
    spacing: Duration,
    asked: Vec<bool>,
    /// How many of them.
    asked_so_far: u64,
    position: usize,
    started: Option<MonoTime>,
    /// Where each target stands in the order, once that is asked.
    places: Keyed<IpAddr, usize>,
}

impl EchoProber {
    /// A round of `echoes` (1 to 255) echoes to each target, the passes at least `spacing` apart.
    #[must_use]
    pub fn new(round: RoundId, targets: Vec<IpAddr>, seed: u64, echoes: u8, spacing: Duration) -> Self {
        let order = Permutation::new(seed, targets.len() as u64);
        let asked = vec![false; targets.len().saturating_mul(usize::from(echoes))];
        Self {
            round,
            targets,
            order,
            echoes,
            spacing,
            asked,
            asked_so_far: 0,
            position: 0,
            started: None,
            places: Keyed::default(),
        }
    }

    /// Which pass a position in the round belongs to, counted from 0.
    fn pass(&self, position: usize) -> usize {
        position.checked_div(self.targets.len()).unwrap_or(0)
    }

    fn probe_at(&self, position: usize) -> Option<Probe> {
        let within = position.checked_rem(self.targets.len())?;
        let index = usize::try_from(self.order.at(within as u64)?).ok()?;
        let attempt = u8::try_from(self.pass(position)).ok().filter(|pass| *pass < self.echoes)?;
        Some(echo_probe(self.round, *self.targets.get(index)?, attempt))
    }

    fn note_asked(&mut self, position: usize) {
        if let Some(asked) = self.asked.get_mut(position)
            && !std::mem::replace(asked, true)
        {
            self.asked_so_far = self.asked_so_far.saturating_add(1);
        }
    }

    fn position_of(&mut self, probe: &Probe) -> Option<usize> {
        if self.places.is_empty() {
            let target_at = |index| self.targets.get(usize::try_from(index).ok()?).copied();
            self.places = self.order.starting_at(0).filter_map(target_at).zip(0..).collect();
        }
        let pass = usize::from(probe.attempt).checked_mul(self.targets.len())?;
        self.places.get(&probe.target)?.checked_add(pass)
    }
}

impl Prober for EchoProber {
    fn next(&mut self, now: MonoTime) -> Next {
        while self.asked.get(self.position) == Some(&true) {
            self.position = self.position.saturating_add(1);
        }
        let Some(probe) = self.probe_at(self.position) else { return Next::Done };
        let started = *self.started.get_or_insert(now);
        let due = started.after(self.spacing.saturating_mul(u32::from(probe.attempt)));
        if now < due {
            return Next::Wait(due);
        }
        self.note_asked(self.position);
        Next::Probe(probe)
    }

    fn settle(&mut self, _probe: &Probe, _news: News<'_>, _now: MonoTime) {}

    fn recall(&mut self, probe: &Probe, _news: News<'_>) {
        if let Some(position) = self.position_of(probe) {
            self.note_asked(position);
        }
    }

    fn take_skipped(&mut self) -> Vec<(SkipReason, u64)> {
        Vec::new()
    }

    fn progress(&self) -> (u64, u64) {
        (self.asked.len() as u64, self.asked_so_far)
    }
}

fn echo_probe(round: RoundId, target: IpAddr, attempt: u8) -> Probe {
    Probe {
        round,
        target,
        protocol: Protocol::Icmp,
        port: None,
        flow: FlowId(0),
        ttl: Ttl::TO_THE_END,
        attempt,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{drain, targets};
    use super::*;

    #[test]
    fn every_target_gets_its_echoes_and_no_pass_comes_too_early() {
        let mut prober = EchoProber::new(RoundId(1), targets(10), 7, 3, Duration::from_secs(1));
        let asked = drain(&mut prober, |_| News::TimedOut);
        assert_eq!(asked.len(), 30);
        for target in targets(10) {
            assert_eq!(asked.iter().filter(|(probe, _)| probe.target == target).count(), 3);
        }
        for (probe, at) in &asked {
            assert!(at.as_nanos() >= u64::from(probe.attempt) * 1_000_000_000);
        }
    }

    #[test]
    fn what_was_recorded_before_a_crash_is_not_asked_again() {
        let mut whole = EchoProber::new(RoundId(1), targets(5), 7, 2, Duration::ZERO);
        let all = drain(&mut whole, |_| News::TimedOut);
        let mut resumed = EchoProber::new(RoundId(1), targets(5), 7, 2, Duration::ZERO);
        for (probe, _) in &all[..4] {
            resumed.recall(probe, News::TimedOut);
        }
        let rest: Vec<_> =
            drain(&mut resumed, |_| News::TimedOut).into_iter().map(|(probe, _)| probe).collect();
        assert_eq!(rest, all[4..].iter().map(|(probe, _)| *probe).collect::<Vec<_>>());
    }
}
