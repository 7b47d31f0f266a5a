//! Looks for routers that limit their ICMP answers, behind any prober that asks routers: whose answers thin out is
//! asked again, fast and slowly, when the prober itself has done.
//!
//! ```text
//!             the prober has done        somebody's answers thinned out
//!  Watching ───────────────────▶ Choosing ─────────────────────────────▶ Testing: fast ─▶ slow ─▶ slower
//!                                  │  ▲                                       │  as far as the trial wants them
//!                                  │  └───────────────────────────────────────┘
//!                                  └── nobody is left, or enough were tested: Done
//! ```
//!
//! The packets of a test are probes of the round like all others, told apart by their attempts
//! ([`Train`]); so what was found can be found again from the records. A test that was interrupted is not
//! taken up again in its round.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use statrs::distribution::{Binomial, DiscreteCDF};

use super::{News, Next, Prober, Sweep, Targets};
use crate::limits::{Train, Trial};
use crate::measure::schedule::Draw;
use crate::model::{Asked, MonoTime, Probe, ReplyKind, SkipReason, Ttl};

/// A prober, and behind it the tests of routers whose answers thinned out.
pub struct LimitTested {
    inner: Box<dyn Prober>,
    targets: Arc<Targets>,
    draw: Draw,
    /// How many routers may be tested.
    most: usize,
    /// The last train that may be sent.
    last: Train,
    places: BTreeMap<(usize, Ttl), Place>,
    tested: BTreeSet<IpAddr>,
    /// Probes that an interrupted run began to ask again.
    begun: BTreeSet<Probe>,
    stage: Stage,
    asked: u64,
}

#[derive(Debug)]
enum Stage {
    Watching,
    Choosing,
    Testing(Test),
    Done,
}

/// What was heard at a TTL on the way to a unit.
#[derive(Debug, Default)]
struct Place {
    asked: u64,
    silent: u64,
    /// Routers that answered, each with the probe that it answered first.
    voices: BTreeMap<IpAddr, Probe>,
}

/// The test of one router.
#[derive(Debug)]
struct Test {
    /// The probe that the router answered: it is asked again.
    probe: Probe,
    trial: Trial,
    train: Train,
    /// The last train that may be sent.
    last: Train,
    /// Packets of the train that were given out, and that are decided.
    given: u8,
    decided: u8,
    /// When the first and the last packet of the fast train were sent.
    fast: Option<(MonoTime, MonoTime)>,
    /// No packet before this time.
    not_before: MonoTime,
}

/// Tells these draws from those of other purposes.
const PURPOSE: u64 = 0x6c69_6d69_7473_2121;
/// Places that are watched at most.
const MOST_PLACES: usize = 1 << 17;
/// Routers that are noted at one place at most.
const MOST_VOICES: usize = 8;
/// So much of what is sent is lost without anybody limiting anything.
const USUAL_LOSS: f64 = 0.03;
/// What loss does by itself less often than this thins out.
const UNUSUAL: f64 = 0.01;
/// Fewer unanswered packets than this are never looked into.
const FEWEST_SILENT: u64 = 3;
/// The longest time between two packets of a slow train.
const SLOWEST: Duration = Duration::from_secs(10);

impl LimitTested {
    /// Behind this prober at most so many routers are tested; the targets are its own.
    #[must_use]
    pub fn new(inner: Box<dyn Prober>, targets: Arc<Targets>, most: u8, seed: u64) -> Self {
        Self {
            inner,
            targets,
            draw: Draw::new(seed, PURPOSE),
            most: usize::from(most),
            last: Train::Slower,
            places: BTreeMap::new(),
            tested: BTreeSet::new(),
            begun: BTreeSet::new(),
            stage: Stage::Watching,
            asked: 0,
        }
    }

    /// Without the slowest packets: a limit that is far below what is asked may go unnoticed.
    #[must_use]
    pub fn in_haste(self) -> Self {
        Self { last: Train::Slow, ..self }
    }

    fn watch(&mut self, probe: &Probe, news: News<'_>) {
        let Some((unit, _)) = self.targets.place(probe.target) else { return };
        let key = (unit, probe.ttl);
        if self.most == 0 || (self.places.len() >= MOST_PLACES && !self.places.contains_key(&key)) {
            return;
        }
        let place = self.places.entry(key).or_default();
        match news {
            News::Reply(reply) => {
                place.asked = place.asked.saturating_add(1);
                let is_router = reply.kind == ReplyKind::TimeExceeded && place.voices.len() < MOST_VOICES;
                if is_router {
                    place.voices.entry(reply.from).or_insert(Probe { attempt: 0, ..*probe });
                }
            }
            News::TimedOut => {
                place.asked = place.asked.saturating_add(1);
                place.silent = place.silent.saturating_add(1);
            }
            News::NotSent => {}
        }
    }

    /// The next router to be tested, by a seeded draw: over the rounds all come to their turn.
    fn choose(&mut self) -> Option<Test> {
        if self.tested.len() >= self.most {
            return None;
        }
        let thinned = self.places.values().filter(|place| place.thinned_out());
        let voices = thinned.flat_map(|place| &place.voices);
        let untested =
            voices.filter(|(router, probe)| !self.tested.contains(router) && !self.begun.contains(probe));
        let (router, probe) = untested.min_by_key(|(router, probe)| (self.rank(**router), **probe))?;
        let (router, probe) = (*router, *probe);
        self.tested.insert(router);
        Some(Test {
            probe,
            trial: Trial::default(),
            train: Train::Fast,
            last: self.last,
            given: 0,
            decided: 0,
            fast: None,
            not_before: MonoTime::default(),
        })
    }

    fn rank(&self, router: IpAddr) -> u64 {
        let bits = match router {
            IpAddr::V4(router) => u128::from(router.to_bits()),
            IpAddr::V6(router) => router.to_bits(),
        };
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
        self.draw.bits(half(bits >> 64), half(bits))
    }
}

impl Place {
    /// Whether more was left unanswered than loss explains.
    fn thinned_out(&self) -> bool {
        if self.voices.is_empty() || self.silent < FEWEST_SILENT {
            return false;
        }
        let Ok(usual) = Binomial::new(USUAL_LOSS, self.asked) else { return false };
        usual.sf(self.silent.saturating_sub(1)) < UNUSUAL
    }
}

impl Test {
    /// The next packet, what to wait for, or `Done` for a test that is over.
    fn next(&mut self, now: MonoTime) -> Next {
        if self.given == self.train.packets() {
            if self.decided < self.given {
                return Next::Wait(MonoTime::NEVER);
            }
            let Some(train) = self.following() else { return Next::Done };
            self.train = train;
            (self.given, self.decided) = (0, 0);
            self.not_before = now.after(self.spacing());
        }
        if now < self.not_before {
            return Next::Wait(self.not_before);
        }
        let attempt = self.train.first_attempt().saturating_add(self.given);
        self.given = self.given.saturating_add(1);
        if self.train != Train::Fast {
            self.not_before = now.after(self.spacing());
        }
        Next::Probe(Probe { attempt, ..self.probe })
    }

    fn following(&self) -> Option<Train> {
        let mut later = Train::ALL.into_iter().filter(|train| *train > self.train && *train <= self.last);
        later.find(|train| self.trial.wants(*train))
    }

    /// The time from one packet of the train to the next.
    fn spacing(&self) -> Duration {
        let (first, last) = self.fast.unwrap_or_default();
        let between = u32::from(Train::Fast.packets()).saturating_sub(1);
        let fast = last.since(first).checked_div(between).unwrap_or_default();
        let slow = fast.saturating_mul(Train::SLOWER_BY);
        match self.train {
            Train::Fast => Duration::ZERO,
            Train::Slow => slow.min(SLOWEST),
            Train::Slower => slow.saturating_mul(Train::SLOWER_BY).min(SLOWEST),
        }
    }

    fn sent(&mut self, probe: &Probe, at: MonoTime) {
        if Train::of(probe.attempt) == Some(Train::Fast) {
            self.fast = Some(self.fast.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        }
    }

    fn settle(&mut self, probe: &Probe, news: News<'_>) {
        self.decided = self.decided.saturating_add(1);
        match news {
            News::Reply(_) => self.trial.note(probe.attempt, true),
            News::TimedOut => self.trial.note(probe.attempt, false),
            News::NotSent => {}
        }
    }
}

impl Prober for LimitTested {
    fn next(&mut self, now: MonoTime) -> Next {
        loop {
            match &mut self.stage {
                Stage::Watching => match self.inner.next(now) {
                    Next::Done => self.stage = Stage::Choosing,
                    next => return next,
                },
                Stage::Choosing => self.stage = self.choose().map_or(Stage::Done, Stage::Testing),
                Stage::Testing(test) => match test.next(now) {
                    Next::Done => self.stage = Stage::Choosing,
                    next => {
                        self.asked = self.asked.saturating_add(u64::from(matches!(next, Next::Probe(_))));
                        return next;
                    }
                },
                Stage::Done => return Next::Done,
            }
        }
    }

    fn settle(&mut self, probe: &Probe, news: News<'_>, now: MonoTime) {
        match &mut self.stage {
            Stage::Testing(test) if Train::of(probe.attempt).is_some() => test.settle(probe, news),
            _ => {
                self.watch(probe, news);
                self.inner.settle(probe, news, now);
            }
        }
    }

    fn recall(&mut self, probe: &Probe, news: News<'_>) {
        if Train::of(probe.attempt).is_none() {
            self.watch(probe, news);
            self.inner.recall(probe, news);
            return;
        }
        self.asked = self.asked.saturating_add(1);
        self.begun.insert(Probe { attempt: 0, ..*probe });
        if let News::Reply(reply) = news {
            self.tested.insert(reply.from);
        }
    }

    fn take_skipped(&mut self) -> Vec<(SkipReason, u64)> {
        self.inner.take_skipped()
    }

    fn progress(&self) -> (u64, u64) {
        let (all, asked) = self.inner.progress();
        (all.saturating_add(self.asked), asked.saturating_add(self.asked))
    }

    fn note_sent(&mut self, probe: &Probe, at: MonoTime) {
        if let Stage::Testing(test) = &mut self.stage {
            test.sent(probe, at);
        }
    }

    fn sweep(&self) -> Option<&dyn Sweep> {
        self.inner.sweep()
    }

    fn take_asked(&mut self) -> Vec<(Option<u32>, Asked)> {
        self.inner.take_asked()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::cast_precision_loss)]
    use super::*;
    use crate::limits::Verdict;
    use crate::measure::probe::tests::{reply, targets, way};
    use crate::measure::probe::{TraceOrder, TraceProber};
    use crate::model::{Prefix, Protocol, RoundId, Unit};

    const PACE: Duration = Duration::from_millis(10);
    const TIMEOUT: Duration = Duration::from_secs(2);

    fn all() -> Arc<Targets> {
        let unit = |address| Unit(Prefix::covering(address, 24).unwrap());
        Arc::new(targets(8).into_iter().map(|address| (address, (unit(address), false))).collect())
    }

    fn tested(most: u8) -> LimitTested {
        let order = TraceOrder {
            round: RoundId(1),
            targets: targets(8),
            way: way(Protocol::Icmp, None),
            flows: 4,
            seed: 1,
        };
        LimitTested::new(Box::new(TraceProber::new(order)), all(), most, 1)
    }

    /// A way of five routers and then the target; the third router is asked for leave to answer.
    fn run(prober: &mut LimitTested, mut third: impl FnMut(MonoTime) -> bool) -> Vec<(Probe, bool)> {
        let mut now = MonoTime::default();
        let mut asked = Vec::new();
        loop {
            match prober.next(now) {
                Next::Probe(probe) => {
                    prober.note_sent(&probe, now);
                    let ttl = probe.ttl.get();
                    let from = if ttl < 6 { format!("10.0.0.{ttl}") } else { probe.target.to_string() };
                    let kind = if ttl < 6 { ReplyKind::TimeExceeded } else { ReplyKind::EchoReply };
                    let answered = ttl != 3 || third(now);
                    let answer = reply(&from, kind);
                    let news = if answered { News::Reply(&answer) } else { News::TimedOut };
                    prober.settle(&probe, news, now.after(TIMEOUT));
                    asked.push((probe, answered));
                    now = now.after(PACE);
                }
                Next::Wait(until) => now = until,
                Next::Done => return asked,
            }
        }
    }

    fn verdict(asked: &[(Probe, bool)]) -> Verdict {
        let mut trial = Trial::default();
        for (probe, answered) in asked {
            trial.note(probe.attempt, *answered);
        }
        trial.verdict()
    }

    /// Leave by a token bucket.
    fn bucket(per_second: f64, burst: f64) -> impl FnMut(MonoTime) -> bool {
        let (mut tokens, mut filled) = (burst, MonoTime::default());
        move |now| {
            tokens = f64::min(tokens + per_second * now.since(filled).as_secs_f64(), burst);
            filled = now;
            let there = tokens >= 1.0;
            tokens -= if there { 1.0 } else { 0.0 };
            there
        }
    }

    #[test]
    fn a_router_that_limits_is_tested_and_told_and_the_others_are_left_alone() {
        let asked = run(&mut tested(4), bucket(1.0, 2.0));
        let tests: Vec<(Probe, bool)> =
            asked.into_iter().filter(|(probe, _)| Train::of(probe.attempt).is_some()).collect();
        assert!(tests.iter().all(|(probe, _)| probe.ttl.get() == 3));
        assert_eq!(verdict(&tests), Verdict::Limited);
        let distinct: BTreeSet<Probe> = tests.iter().map(|(probe, _)| *probe).collect();
        assert_eq!(distinct.len(), tests.len(), "a probe asked twice");
    }

    #[test]
    fn a_router_whose_answers_are_lost_is_tested_and_not_called_limited() {
        let mut packet = 0_u32;
        let asked = run(&mut tested(4), |_| {
            packet += 1;
            !packet.wrapping_mul(0x9e37_79b9).is_multiple_of(3)
        });
        assert_eq!(verdict(&asked), Verdict::Lossy);
    }

    #[test]
    fn in_haste_no_test_waits_for_the_slowest_packets() {
        let mut packet = 0_u32;
        let third = |_| {
            packet += 1;
            !packet.wrapping_mul(0x9e37_79b9).is_multiple_of(3)
        };
        let asked = run(&mut tested(4).in_haste(), third);
        let trains: BTreeSet<Train> =
            asked.iter().filter_map(|(probe, _)| Train::of(probe.attempt)).collect();
        assert_eq!(trains.into_iter().collect::<Vec<_>>(), [Train::Fast, Train::Slow]);
    }

    #[test]
    fn where_everybody_answers_or_nobody_nothing_is_tested() {
        for always in [true, false] {
            let asked = run(&mut tested(4), |_| always);
            assert!(asked.iter().all(|(probe, _)| Train::of(probe.attempt).is_none()));
        }
        let asked = run(&mut tested(0), bucket(1.0, 2.0));
        assert!(asked.iter().all(|(probe, _)| Train::of(probe.attempt).is_none()), "none may be tested");
    }

    #[test]
    fn a_test_that_was_interrupted_is_not_taken_up_again() {
        let whole = run(&mut tested(4), bucket(1.0, 2.0));
        let cut = whole.iter().position(|(probe, _)| Train::of(probe.attempt).is_some()).unwrap() + 10;
        let mut resumed = tested(4);
        for (probe, answered) in &whole[..cut] {
            let kind = if probe.ttl.get() < 6 { ReplyKind::TimeExceeded } else { ReplyKind::EchoReply };
            let from = if probe.ttl.get() < 6 {
                format!("10.0.0.{}", probe.ttl)
            } else {
                probe.target.to_string()
            };
            let answer = reply(&from, kind);
            resumed.recall(probe, if *answered { News::Reply(&answer) } else { News::TimedOut });
        }
        let rest = run(&mut resumed, bucket(1.0, 2.0));
        assert!(rest.iter().all(|(probe, _)| !whole[..cut].iter().any(|(known, _)| known == probe)));
    }
}
