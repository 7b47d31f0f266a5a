//! The engine in virtual time, against scripted replies, faults and forgeries.
#![allow(clippy::cast_possible_truncation, reason = "tests")]

mod census;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::Ipv4Addr;
use std::sync::Mutex;

use proptest::prelude::*;

use super::*;
use crate::dataset::AskedBlocks;
use crate::measure::campaign::{Campaign, Recorded, RoundMaker};
use crate::measure::guard::{AllowedTargets, Budget, GuardRules, OptOut, Territory};
use crate::measure::probe::{EchoProber, Sweep, TcpProber, TraceOrder, TraceProber, Way};
use crate::measure::schedule::PacerRates;
use crate::model::WallTime;
use crate::model::{FlowId, MatchQuality, Port, Pps, Prefix, Protocol, RttSource, SkipReason, Untrusted};
use crate::wire::{Quoted, Sources, TagKey};

const TIMEOUT: Duration = Duration::from_secs(2);
const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// What a script lets become of one probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Answered after this, and, if the second says so, again so long after that.
    Answer(Duration, Option<Duration>),
    Silence,
    Fault(SendFault),
    /// Somebody who does not know the tag, or is not the target, answers.
    Forgery(Duration),
}

/// Chance, the same for the same seed and probe.
fn dice(seed: u64, probe: &Probe) -> u64 {
    let IpAddr::V4(target) = probe.target else { return 0 };
    let parts = [
        u64::from(target.to_bits()),
        probe.round.0,
        u64::from(probe.flow.0),
        u64::from(probe.ttl.get()),
        u64::from(probe.attempt),
        u64::from(probe.port.map_or(0, Port::get)),
    ];
    parts.into_iter().fold(seed ^ 0x9e37_79b9_7f4a_7c15, |state, part| {
        let mixed = (state ^ part).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 29)
    })
}

fn wild(seed: u64, probe: &Probe) -> Fate {
    let roll = dice(seed, probe);
    let delay = MILLISECOND * u32::try_from((roll >> 8) % 5_000).unwrap();
    match roll % 10 {
        0 => Fate::Silence,
        1 => Fate::Fault(SendFault::NoBuffer),
        2 => Fate::Fault(SendFault::NoRoute),
        3 => Fate::Forgery(delay),
        4 | 5 => Fate::Answer(delay, Some(MILLISECOND * u32::try_from((roll >> 24) % 3_000).unwrap())),
        _ => Fate::Answer(delay, None),
    }
}

fn prompt(_: &Probe) -> Fate {
    Fate::Answer(30 * MILLISECOND, None)
}

fn address(unit: u8, host: u8) -> IpAddr {
    Ipv4Addr::new(175, 45, 176 + unit, host).into()
}

fn unit_of(address: IpAddr) -> Unit {
    Unit(Prefix::covering(address, 24).unwrap())
}

fn targets(addresses: &[IpAddr]) -> Arc<Targets> {
    Arc::new(addresses.iter().map(|address| (*address, (unit_of(*address), false))).collect())
}

fn rates(total: f64, burst: u32, per_unit: f64, per_responder: f64) -> PacerRates {
    let pps = |rate| Pps::new(rate).unwrap();
    PacerRates { total: pps(total), burst, per_unit: pps(per_unit), per_responder: pps(per_responder) }
}

fn rules() -> GuardRules {
    let prefix = "175.45.176.0/22".parse().unwrap();
    GuardRules {
        territory: Territory::Lab,
        targets: vec![AllowedTargets { prefix, unit_length: 24 }],
        budget: Budget { rate: Pps::new(1_000.0).unwrap(), depth: 100_000 },
        ..GuardRules::closed()
    }
}

fn codec() -> Codec {
    let sources = Sources { v4: Some(Ipv4Addr::new(188, 1, 144, 10)), v6: None };
    Codec::new(TagKey::from_bytes([7; 16]), sources, None).unwrap()
}

/// What one prober asked for and was told.
#[derive(Debug, Default)]
struct Watched {
    asked: Vec<Probe>,
    settled: Vec<Probe>,
}

struct Watcher {
    inner: Box<dyn Prober>,
    seen: Arc<Mutex<Watched>>,
}

impl Prober for Watcher {
    fn next(&mut self, now: MonoTime) -> Next {
        let next = self.inner.next(now);
        if let Next::Probe(probe) = next {
            self.seen.lock().unwrap().asked.push(probe);
        }
        next
    }

    fn settle(&mut self, probe: &Probe, news: News<'_>, now: MonoTime) {
        self.seen.lock().unwrap().settled.push(*probe);
        self.inner.settle(probe, news, now);
    }

    fn recall(&mut self, probe: &Probe, news: News<'_>) {
        self.inner.recall(probe, news);
    }

    fn take_skipped(&mut self) -> Vec<(SkipReason, u64)> {
        self.inner.take_skipped()
    }

    fn progress(&self) -> (u64, u64) {
        self.inner.progress()
    }

    fn note_sent(&mut self, probe: &Probe, at: MonoTime) {
        self.inner.note_sent(probe, at);
    }

    fn sweep(&self) -> Option<&dyn Sweep> {
        self.inner.sweep()
    }

    fn take_asked(&mut self) -> Vec<(Option<u32>, Asked)> {
        self.inner.take_asked()
    }
}

/// A packet that was sent, with who was expected to answer it.
struct Sent {
    at: MonoTime,
    probe: Probe,
    responder: Option<IpAddr>,
}

/// Drives an engine by hand.
struct Bench {
    engine: Engine,
    codec: Codec,
    now: MonoTime,
    seen: Arc<Mutex<Watched>>,
    arrivals: BTreeMap<(MonoTime, u64), Arrival>,
    arrivals_ever: u64,
    sent: Vec<Sent>,
    records: Vec<(MonoTime, ProbeRecord)>,
    over: Vec<(MonoTime, RoundId, Ledger)>,
    beside: Vec<(Option<RoundId>, Ledger)>,
    /// What a census told besides its records.
    asked: AskedBlocks,
    silent: u64,
    decided: u64,
}

impl Bench {
    fn new(rates: PacerRates, rules: GuardRules) -> Self {
        let codec = codec();
        let now = MonoTime::default().after(1_000 * SECOND);
        let parts = EngineParts {
            vantage: "here".parse().unwrap(),
            codec: Arc::new(codec.clone()),
            clock: ClockPair::new(now, WallTime::parse_rfc3339("2017-10-01T07:20:00Z").unwrap()),
            guard: Guard::new(rules),
            pacer: Pacer::new(rates),
        };
        Self {
            engine: Engine::new(parts),
            codec,
            now,
            seen: Arc::default(),
            arrivals: BTreeMap::new(),
            arrivals_ever: 0,
            sent: Vec::new(),
            records: Vec::new(),
            over: Vec::new(),
            beside: Vec::new(),
            asked: Vec::new(),
            silent: 0,
            decided: 0,
        }
    }

    fn start(&mut self, id: u64, method: Method, prober: impl Prober + 'static, asked: &[IpAddr]) {
        let prober = Watcher { inner: Box::new(prober), seen: Arc::clone(&self.seen) };
        self.engine.start(RoundOrder {
            id: RoundId(id),
            prober_name: format!("prober-{id}").parse().unwrap(),
            method,
            prober: Box::new(prober),
            timeout: TIMEOUT,
            targets: targets(asked),
            ledger: Ledger::default(),
            swept: SweptSoFar::default(),
        });
    }

    fn start_echo(&mut self, id: u64, asked: &[IpAddr], echoes: u8) {
        let prober = EchoProber::new(RoundId(id), asked.to_vec(), id, echoes, SECOND);
        self.start(id, Method::Echo, prober, asked);
    }

    fn start_tcp(&mut self, id: u64, asked: &[IpAddr], attempts: u8) {
        let ports = [Port::new(80).unwrap(), Port::new(443).unwrap()];
        self.start(id, Method::Tcp, TcpProber::new(RoundId(id), asked, &ports, attempts, id), asked);
    }

    fn start_trace(&mut self, id: u64, asked: &[IpAddr], flows: u16) {
        let prober = TraceProber::new(TraceOrder {
            round: RoundId(id),
            targets: asked.to_vec(),
            way: Way {
                protocol: Protocol::Icmp,
                port: None,
                first_ttl: Ttl::FIRST,
                max_ttl: Ttl::new(12).unwrap(),
                gap_limit: 3,
                attempts: 2,
            },
            flows,
            seed: id,
        });
        self.start(id, Method::Trace, prober, asked);
    }

    /// Turns the engine until `until` or until no round runs; false if that never comes.
    fn turn(&mut self, until: MonoTime, fate: &dyn Fn(&Probe) -> Fate) -> bool {
        for _ in 0..400_000 {
            let step = self.engine.poll(self.now);
            self.listen();
            match step {
                Step::Send(permit) => self.send(&permit, fate),
                Step::Idle => return true,
                Step::Wait(deadline) if self.now >= until => {
                    assert!(deadline > self.now, "the engine must not spin");
                    return true;
                }
                Step::Wait(deadline) => self.wait(deadline.min(until)),
            }
        }
        false
    }

    fn finish(&mut self, fate: &dyn Fn(&Probe) -> Fate) {
        assert!(self.turn(MonoTime::NEVER, fate), "a round must end");
        assert!(self.engine.is_idle());
    }

    fn send(&mut self, permit: &Permit, fate: &dyn Fn(&Probe) -> Fate) {
        let probe = *permit.probe();
        let result = match fate(&probe) {
            Fate::Fault(fault) => Err(fault),
            Fate::Silence => Ok(self.now),
            Fate::Answer(delay, again) => {
                self.answer_in(delay, honest(&self.codec, &probe));
                if let Some(more) = again {
                    self.answer_in(delay + more, honest(&self.codec, &probe));
                }
                Ok(self.now)
            }
            Fate::Forgery(delay) => {
                let honest = honest(&self.codec, &probe);
                let tag = honest.key.tag ^ 1;
                self.answer_in(delay, Answer { key: MatchKey { tag, ..honest.key }, ..honest.clone() });
                let kind = ReplyKind::EchoReply;
                let elsewhere = Ipv4Addr::new(203, 0, 113, 9).into();
                self.answer_in(delay, Answer { from: elsewhere, kind, quoted: None, ..honest });
                Ok(self.now)
            }
        };
        if result.is_ok() {
            let responder = self.engine.expected_responder(unit_of(probe.target), &probe);
            self.sent.push(Sent { at: self.now, probe, responder });
        }
        self.engine.sent(&probe, result, self.now);
    }

    fn answer_in(&mut self, delay: Duration, answer: Answer) {
        let at = self.now.after(delay);
        self.arrivals_ever += 1;
        self.arrivals.insert((at, self.arrivals_ever), Arrival::Answer { answer, at, kernel: None });
    }

    fn wait(&mut self, deadline: MonoTime) {
        let arrival = self.arrivals.keys().next().map_or(MonoTime::NEVER, |(at, _)| *at);
        let next = deadline.min(arrival);
        assert!(next < MonoTime::NEVER, "nothing will ever happen");
        self.now = self.now.max(next);
        while let Some(entry) = self.arrivals.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let arrival = entry.remove();
            self.engine.hear(arrival, self.now);
        }
    }

    fn listen(&mut self) {
        for round in &self.engine.rounds {
            assert!(round.ledger.balances(), "{}", round.ledger);
        }
        for report in self.engine.take_reports() {
            match report {
                Report::Record(record) => self.records.push((self.now, record)),
                Report::RoundOver { round, ledger } => self.over.push((self.now, round, ledger)),
                Report::Beside { round, counts } => self.beside.push((round, counts)),
                Report::Asked { blocks, .. } => self.asked.extend(blocks),
                Report::Swept { silent, decided, .. } => {
                    self.silent += silent;
                    self.decided = decided;
                }
                Report::Dropped { .. } => {}
            }
        }
    }

    /// Everything that the engine counted, also what belongs to no round.
    fn ledger(&self) -> Ledger {
        let beside = self.beside.iter().filter(|(round, _)| round.is_none()).map(|(_, counts)| *counts);
        self.over.iter().map(|(_, _, ledger)| *ledger).chain(beside).chain([self.engine.stray]).sum()
    }

    fn outcome(&self, probe: &Probe) -> &Outcome {
        let mut found = self.records.iter().filter(|(_, record)| record.probe == *probe);
        let (_, record) = found.next().expect("a record");
        assert!(found.next().is_none(), "one record");
        &record.outcome
    }

    fn over_at(&self, round: u64) -> MonoTime {
        self.over.iter().find(|(_, id, _)| id.0 == round).expect("over").0
    }
}

/// What an honest network answers: routers of their own for eight hops, then the target.
fn honest(codec: &Codec, probe: &Probe) -> Answer {
    let key = codec.key_of(probe);
    let answer = Answer {
        key,
        from: probe.target,
        kind: ReplyKind::EchoReply,
        icmp: Some((0, 0)),
        reply_ttl: 60,
        quoted: None,
        flow: Some(probe.flow),
        mpls: Vec::new(),
        size: 56,
        ip_id: None,
    };
    let tag = key.tag;
    let quoted = Quoted { ttl: 1, source_port: 0, destination_port: 0, tag, tag_intact: true };
    match probe.protocol {
        Protocol::Tcp => Answer { kind: ReplyKind::SynAck, icmp: None, ..answer },
        _ if probe.ttl.get() <= 8 => Answer {
            from: Ipv4Addr::new(4, 69, 0, probe.ttl.get()).into(),
            kind: ReplyKind::TimeExceeded,
            quoted: Some(quoted),
            ..answer
        },
        _ => answer,
    }
}

/// The most packets in any one second.
fn most_in_a_second<'a>(sent: impl Iterator<Item = &'a Sent>) -> usize {
    let times: Vec<MonoTime> = sent.map(|sent| sent.at).collect();
    let within =
        |start: &MonoTime| times.iter().filter(|at| **at >= *start && **at < start.after(SECOND)).count();
    times.iter().map(within).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_the_network_does_every_probe_is_accounted_for_and_the_rates_hold(
        seed: u64,
        total in 2_u32..60,
        burst in 1_u32..12,
        per_unit in 1_u32..30,
        per_responder in 1_u32..30,
        hosts in 1_u8..7,
        asleep_at in prop::option::of(1_u32..40),
    ) {
        let burst = burst.min(total);
        let limits = rates(total.into(), burst, per_unit.min(total).into(), per_responder.min(total).into());
        let opted_out = address(3, 1);
        let opt_out = OptOut { prefix: Prefix::host(opted_out), reference: Untrusted::new("ticket 1") };
        let mut bench = Bench::new(limits, GuardRules { opt_outs: vec![opt_out], ..rules() });
        let asked: Vec<IpAddr> =
            (0..4).flat_map(|unit| (1..=hosts).map(move |host| address(unit, host))).collect();
        let foreign: IpAddr = Ipv4Addr::new(8, 8, 8, 8).into();
        let with_foreign: Vec<IpAddr> = asked.iter().copied().chain([foreign]).collect();
        let fate = move |probe: &Probe| wild(seed, probe);

        bench.start_echo(1, &with_foreign, 3);
        bench.start_tcp(2, &asked, 2);
        bench.start_trace(3, &asked[..asked.len().min(6)], 2);
        if let Some(seconds) = asleep_at {
            prop_assert!(bench.turn(bench.now.after(SECOND * seconds), &fate));
            // The machine sleeps for ten minutes.
            bench.now = bench.now.after(SECOND * 600);
        }
        bench.finish(&fate);
        // What comes behind the last round's end.
        while let Some((at, _)) = bench.arrivals.keys().next().copied() {
            bench.now = bench.now.max(at);
            bench.wait(bench.now);
            bench.engine.poll(bench.now);
        }

        let seen = bench.seen.lock().unwrap();
        let distinct: HashSet<Probe> = seen.asked.iter().copied().collect();
        prop_assert_eq!(distinct.len(), seen.asked.len(), "a probe asked twice");
        let recorded: HashSet<Probe> = bench.records.iter().map(|(_, record)| record.probe).collect();
        prop_assert_eq!(bench.records.len(), recorded.len(), "a probe recorded twice");
        prop_assert_eq!(&recorded, &distinct, "a probe without a record");
        let settled: HashSet<Probe> = seen.settled.iter().copied().collect();
        prop_assert_eq!(settled.len(), seen.settled.len(), "a probe settled twice");
        prop_assert_eq!(&settled, &distinct, "a probe never settled");

        for sent in &bench.sent {
            prop_assert!(sent.probe.target != opted_out && sent.probe.target != foreign);
        }
        for (_, record) in &bench.records {
            let probe = &record.probe;
            prop_assert_eq!(record.sent_at.is_some(), bench.sent.iter().any(|sent| sent.probe == *probe));
            if probe.target == foreign {
                prop_assert_eq!(&record.outcome, &Outcome::Blocked(BlockRule::NotATarget));
            } else if probe.target == opted_out {
                prop_assert_eq!(&record.outcome, &Outcome::Blocked(BlockRule::OptOut));
            } else if let Fate::Fault(fault) = fate(probe) {
                prop_assert_eq!(&record.outcome, &Outcome::SendFailed(fault));
            } else if asleep_at.is_none() {
                prop_assert!(agrees(&record.outcome, fate(probe)), "{:?}: {:?}", fate(probe), record.outcome);
            }
        }

        let whole = bench.ledger();
        prop_assert!(whole.balances());
        prop_assert_eq!((whole.in_flight, whole.sent), (0, bench.sent.len() as u64));
        if asleep_at.is_none() {
            let count = |what: &dyn Fn(Fate) -> u64| bench.sent.iter().map(|sent| what(fate(&sent.probe))).sum::<u64>();
            prop_assert_eq!(whole.duplicates, count(&duplicates));
            prop_assert_eq!(whole.unmatched, count(&strangers));
        }

        prop_assert!(most_in_a_second(bench.sent.iter()) <= (total + burst) as usize);
        for unit in 0..4 {
            let unit = unit_of(address(unit, 1));
            let to_unit = bench.sent.iter().filter(|sent| unit_of(sent.probe.target) == unit);
            prop_assert!(most_in_a_second(to_unit) <= per_unit as usize + 1);
        }
        let responders: BTreeSet<IpAddr> = bench.sent.iter().filter_map(|sent| sent.responder).collect();
        for responder in responders {
            let of_it = bench.sent.iter().filter(|sent| sent.responder == Some(responder));
            prop_assert!(most_in_a_second(of_it) <= per_responder as usize + 1);
        }
    }

    #[test]
    fn a_round_trip_is_never_negative_nor_longer_than_the_time_that_passed(
        sent in 0_u64..u64::MAX / 2,
        waited in 0_u64..10_000_000_000,
        departed: Option<u64>,
        arrived: Option<u64>,
    ) {
        let received = sent + waited;
        let stamps = Stamps {
            sent: MonoTime::from_nanos(sent),
            received: MonoTime::from_nanos(received),
            departed: departed.map(MonoTime::from_nanos),
            arrived: arrived.map(MonoTime::from_nanos),
        };
        let rtt = rtt::measure(&stamps);
        prop_assert!(rtt.span <= Duration::from_nanos(waited) + MILLISECOND);
        if rtt.source == RttSource::Monotonic {
            prop_assert_eq!(rtt.span, Duration::from_nanos(waited));
        }
    }
}

/// Whether a record tells what the script let happen.
fn agrees(outcome: &Outcome, fate: Fate) -> bool {
    match (fate, outcome) {
        (Fate::Answer(delay, _), Outcome::Answered { rtt, .. }) => delay < TIMEOUT && rtt.span == delay,
        (Fate::Answer(delay, _), Outcome::Late { rtt, .. }) => {
            delay >= TIMEOUT && delay < TIMEOUT * 2 && rtt.span == delay
        }
        (Fate::Answer(delay, _), Outcome::Silent) => delay >= TIMEOUT * 2,
        (Fate::Silence | Fate::Forgery(_), Outcome::Silent) => true,
        _ => false,
    }
}

fn duplicates(fate: Fate) -> u64 {
    match fate {
        Fate::Answer(delay, Some(more)) => u64::from(delay + more < TIMEOUT * 2),
        _ => 0,
    }
}

fn strangers(fate: Fate) -> u64 {
    match fate {
        Fate::Answer(delay, more) => {
            let second = more.map(|more| delay + more);
            [Some(delay), second].into_iter().flatten().filter(|at| *at >= TIMEOUT * 2).count() as u64
        }
        Fate::Forgery(_) => 2,
        _ => 0,
    }
}

#[test]
fn an_answer_read_before_the_time_out_was_looked_at_is_still_late() {
    let mut bench = Bench::new(rates(10.0, 1, 10.0, 10.0), rules());
    let asked = [address(0, 1)];
    bench.start_echo(1, &asked, 1);
    assert!(bench.turn(bench.now.after(SECOND), &|_| Fate::Silence));
    let probe = bench.sent[0].probe;
    let sent = bench.sent[0].at;
    let answer = Answer {
        kind: ReplyKind::EchoReply,
        from: probe.target,
        quoted: None,
        ..honest(&bench.codec, &probe)
    };
    let at = sent.after(TIMEOUT + 100 * MILLISECOND);
    // The engine was not polled in the meantime.
    bench.now = at;
    bench.engine.hear(Arrival::Answer { answer, at, kernel: None }, at);
    bench.finish(&|_| Fate::Silence);
    assert!(matches!(bench.outcome(&probe), Outcome::Late { .. }), "{:?}", bench.outcome(&probe));
}

#[test]
fn a_round_that_drew_many_probes_does_not_hold_up_one_that_came_later() {
    let mut bench = Bench::new(rates(100.0, 10, 1.0, 1.0), rules());
    let asked: Vec<IpAddr> = (1..=5).map(|host| address(0, host)).collect();
    bench.start_trace(1, &asked, 8);
    assert!(bench.turn(bench.now.after(SECOND * 10), &prompt));
    let started = bench.now;
    bench.start_echo(2, &asked, 1);
    bench.finish(&prompt);
    let took = bench.over_at(2).since(started);
    assert!(took < SECOND * 20, "five echoes beside a trace took {took:?}");
}

#[test]
fn rounds_that_share_a_unit_get_about_the_same_share_of_it() {
    let mut bench = Bench::new(rates(100.0, 10, 10.0, 10.0), rules());
    let asked: Vec<IpAddr> = (1..=50).map(|host| address(0, host)).collect();
    for id in 1..=4 {
        bench.start_tcp(id, &asked, 1);
    }
    assert!(bench.turn(bench.now.after(SECOND * 10), &prompt));
    for id in 1..=4 {
        let sent = bench.sent.iter().filter(|sent| sent.probe.round.0 == id).count();
        assert!((22..=29).contains(&sent), "round {id} sent {sent} of {}", bench.sent.len());
    }
}

#[test]
fn a_slow_unit_with_thousands_of_targets_holds_up_no_other() {
    let mut bench = Bench::new(rates(100.0, 10, 1.0, 1.0), rules());
    let slow: Vec<IpAddr> = (0..=255).map(|host| address(0, host)).collect();
    bench.start_trace(1, &slow, 16);
    assert!(bench.turn(bench.now.after(SECOND * 5), &|_| Fate::Silence));
    let quick: Vec<IpAddr> =
        (1..=3).flat_map(|unit| (1..=5).map(move |host| address(unit, host))).collect();
    let started = bench.now;
    bench.start_echo(2, &quick, 1);
    assert!(bench.turn(bench.now.after(SECOND * 15), &prompt));
    let took = bench.over_at(2).since(started);
    assert!(took < SECOND * 12, "five echoes to each of three units took {took:?}");
}

#[test]
fn two_probes_with_the_same_tag_both_get_a_record_and_the_round_ends() {
    let (one, other) = colliding();
    let mut bench = Bench::new(rates(10.0, 1, 10.0, 10.0), rules());
    bench.start(1, Method::Trace, Listed(vec![other, one]), &[one.target]);
    bench.finish(&|_| Fate::Silence);
    assert_eq!((bench.outcome(&one), bench.outcome(&other)), (&Outcome::Silent, &Outcome::Silent));
    assert!(bench.sent[1].at.since(bench.sent[0].at) < SECOND, "they were out at the same time");
    let decided = bench.records.iter().find(|(_, record)| record.probe == other).unwrap().0;
    assert_eq!(decided.since(bench.sent[1].at), TIMEOUT * 2, "the younger keeps its own deadlines");
    assert!(bench.ledger().balances());
}

/// Two probes to one target that happen to have the same key.
fn colliding() -> (Probe, Probe) {
    let codec = codec();
    let mut seen = std::collections::HashMap::new();
    let probes = (0..u16::MAX).flat_map(|flow| {
        (1..=8).map(move |ttl| Probe {
            round: RoundId(1),
            target: address(0, 1),
            protocol: Protocol::Icmp,
            port: None,
            flow: FlowId(flow),
            ttl: Ttl::new(ttl).unwrap(),
            attempt: 0,
        })
    });
    for probe in probes {
        if let Some(twin) = seen.insert(codec.key_of(&probe), probe) {
            return (twin, probe);
        }
    }
    panic!("no collision among half a million tags");
}

/// Asks for just these, the last first.
struct Listed(Vec<Probe>);

impl Prober for Listed {
    fn next(&mut self, _now: MonoTime) -> Next {
        self.0.pop().map_or(Next::Done, Next::Probe)
    }

    fn settle(&mut self, _probe: &Probe, _news: News<'_>, _now: MonoTime) {}

    fn recall(&mut self, _probe: &Probe, _news: News<'_>) {}

    fn take_skipped(&mut self) -> Vec<(SkipReason, u64)> {
        Vec::new()
    }

    fn progress(&self) -> (u64, u64) {
        (0, 0)
    }
}

#[test]
fn an_opt_out_holds_from_the_next_packet_on() {
    let mut bench = Bench::new(rates(10.0, 1, 10.0, 10.0), rules());
    let asked: Vec<IpAddr> =
        (0..2).flat_map(|unit| (1..=20).map(move |host| address(unit, host))).collect();
    bench.start_echo(1, &asked, 1);
    assert!(bench.turn(bench.now.after(SECOND), &prompt));
    let until_now = bench.sent.len();
    let prefix = "175.45.177.0/24".parse().unwrap();
    bench.engine.guard_mut().opt_out(OptOut { prefix, reference: Untrusted::new("") });
    bench.finish(&prompt);
    assert!(
        bench.sent[until_now..].iter().all(|sent| unit_of(sent.probe.target) == unit_of(address(0, 1)))
    );
    assert!(bench.ledger().blocked > 0);
}

#[test]
fn what_the_kernel_dropped_and_what_could_not_be_read_is_in_the_ledger() {
    let mut bench = Bench::new(rates(10.0, 1, 10.0, 10.0), rules());
    bench.start_echo(1, &[address(0, 1)], 1);
    bench.engine.note_kernel_drops(3);
    bench.engine.note_kernel_drops(5);
    let malformed = bench.codec.decode(&[0x45]).unwrap_err();
    bench.engine.hear(Arrival::Malformed(malformed), bench.now);
    bench.finish(&prompt);
    let ledger = bench.ledger();
    assert_eq!((ledger.kernel_dropped, ledger.malformed), (5, 1));
}

/// A resumed round must know of its duplicates, and what comes when no round runs must not wait for one.
#[test]
fn duplicates_and_strays_are_told_at_once_whether_a_round_runs_or_not() {
    let mut bench = Bench::new(rates(10.0, 1, 10.0, 10.0), rules());
    bench.start_echo(1, &[address(0, 1)], 1);
    bench.finish(&|_| Fate::Answer(30 * MILLISECOND, Some(10 * MILLISECOND)));
    let duplicate = Ledger { duplicates: 1, ..Ledger::default() };
    assert_eq!(bench.beside, [(Some(RoundId(1)), duplicate)]);
    assert_eq!(bench.over[0].2.duplicates, 1);

    let probe = bench.sent[0].probe;
    let answer = honest(&bench.codec, &probe);
    let stranger = Answer { key: MatchKey { tag: answer.key.tag ^ 1, ..answer.key }, ..answer };
    bench.engine.hear(Arrival::Answer { answer: stranger, at: bench.now, kernel: None }, bench.now);
    bench.engine.note_kernel_drops(2);
    bench.listen();
    let stray = Ledger { unmatched: 1, kernel_dropped: 2, ..Ledger::default() };
    assert_eq!(bench.beside[1..], [(None, stray)]);
}

/// A machine slept while an echo was out: what was sent before is not dated by the clock of afterwards.
#[test]
fn a_probe_is_dated_by_the_clock_of_the_moment_in_which_it_was_sent() {
    let mut bench = Bench::new(rates(10.0, 1, 10.0, 10.0), rules());
    bench.start_echo(1, &[address(0, 1)], 2);
    let clock = bench.engine.clock;
    assert!(bench.turn(bench.now.after(100 * MILLISECOND), &|_| Fate::Silence));
    let slept = ClockPair::new(bench.now, clock.wall(bench.now).after(SECOND * 3_600));
    bench.engine.set_clock(slept);
    bench.finish(&|_| Fate::Silence);
    let dates: Vec<WallTime> = bench.records.iter().filter_map(|(_, record)| record.sent_at).collect();
    assert_eq!(dates, [clock.wall(bench.sent[0].at), slept.wall(bench.sent[1].at)]);
    assert!(dates[1].since(dates[0]) > SECOND * 3_600);
}

#[test]
fn the_unprivileged_engine_s_answers_are_matched_by_their_probe() {
    let mut bench = Bench::new(rates(10.0, 1, 10.0, 10.0), rules());
    bench.start_echo(1, &[address(0, 1)], 1);
    assert!(bench.turn(bench.now.after(100 * MILLISECOND), &|_| Fate::Silence));
    let probe = bench.sent[0].probe;
    let reply = honest(&bench.codec, &probe).into_reply(MatchQuality::Exact);
    let rtt = Rtt { span: 9 * MILLISECOND, source: RttSource::UserSpace };
    for _ in 0..2 {
        bench.engine.hear(Arrival::Matched { probe, reply: reply.clone(), rtt }, bench.now);
    }
    bench.finish(&|_| Fate::Silence);
    assert_eq!(bench.outcome(&probe), &Outcome::Answered { reply, rtt });
    assert_eq!(bench.ledger().duplicates, 1);
}

const SMALL: &str = r#"
    [campaign]
    name = "small"
    [vantage]
    name = "here"
    [rates]
    total = 50
    per_unit = 20
    per_responder = 20
    liveness_per_unit_hour = 3600
    [[targets]]
    prefix = "175.45.176.0/22"
    per_unit = 4
    [[probers]]
    name = "echo"
    kind = "echo"
    every = "60s"
    echoes = 2
    [[probers]]
    name = "tcp"
    kind = "tcp"
    every = "60s"
    ports = [80, 443]
    attempts = 3
    [[probers]]
    name = "trace"
    kind = "trace"
    every = "60s"
    flows = 3
    max_ttl = 12
"#;

/// Runs a round of one prober, stopped dead after each of `cuts` more records, and resumed from them.
fn run_with_cuts(prober: usize, seed: u64, cuts: &[usize]) -> (Vec<ProbeRecord>, Ledger, usize, usize) {
    let campaign = Arc::new(Campaign::parse("probes.toml", SMALL).unwrap());
    let maker = RoundMaker::new(Arc::clone(&campaign));
    let spec = &campaign.probers[prober];
    let fate = move |probe: &Probe| match wild(seed, probe) {
        // Whether a path ends or goes on must not hang on what is asked first.
        Fate::Fault(_) => Fate::Silence,
        fate => fate,
    };
    let (mut recorded, mut sent, mut lost) = (Vec::new(), 0, 0);
    for cut in cuts.iter().copied().chain([usize::MAX]) {
        let mut bench = Bench::new(campaign.rates.pacer(), rules());
        bench.engine.start(maker.resumed(
            RoundId(1),
            spec,
            &Recorded { records: recorded.clone(), ..Recorded::default() },
        ));
        while !bench.engine.is_idle() && bench.records.len() < cut {
            assert!(bench.turn(bench.now.after(50 * MILLISECOND), &fate));
        }
        lost +=
            bench.engine.flights.values().filter(|flight| flight.state != FlightState::Recorded).count();
        sent += bench.sent.len();
        recorded.extend(bench.records.iter().map(|(_, record)| record.clone()));
        if let Some((_, _, ledger)) = bench.over.first() {
            return (recorded, *ledger, sent, lost);
        }
    }
    panic!("the round never ended");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_round_that_is_stopped_and_resumed_tells_the_same_as_one_that_is_not(
        seed: u64,
        prober in 0_usize..3,
        cuts in prop::collection::vec(1_usize..30, 1..6),
    ) {
        let (whole, whole_ledger, ..) = run_with_cuts(prober, seed, &[]);
        let (parts, ledger, sent, lost) = run_with_cuts(prober, seed, &cuts);
        let distinct: HashSet<Probe> = parts.iter().map(|record| record.probe).collect();
        prop_assert_eq!(distinct.len(), parts.len(), "recorded twice");
        prop_assert_eq!(sent, parts.len() + lost, "only what was in flight is sent again");
        prop_assert!(ledger.balances());
        prop_assert_eq!(ledger.planned, whole_ledger.planned);
        prop_assert_eq!(ledger.sent, parts.len() as u64);
        let told = |records: &[ProbeRecord]| -> BTreeSet<(Probe, &'static str)> {
            records.iter().map(|record| (record.probe, record.outcome.as_str())).collect()
        };
        if prober < 2 {
            prop_assert_eq!(told(&parts), told(&whole));
        }
        prop_assert_eq!(hops(&parts), hops(&whole));
    }
}

/// Who answered each flow at each TTL up to the end of its path.
fn hops(records: &[ProbeRecord]) -> BTreeSet<(IpAddr, FlowId, Option<Port>, Ttl, IpAddr)> {
    let in_time = |record: &ProbeRecord| match &record.outcome {
        Outcome::Answered { reply, .. } => Some(reply.clone()),
        _ => None,
    };
    let end = |record: &ProbeRecord| {
        let of_flow = |other: &&ProbeRecord| {
            (other.probe.target, other.probe.flow) == (record.probe.target, record.probe.flow)
        };
        let ends =
            |other: &ProbeRecord| in_time(other).is_some_and(|reply| reply.from == other.probe.target);
        records.iter().filter(of_flow).filter(|other| ends(other)).map(|other| other.probe.ttl).min()
    };
    let rows = records.iter().filter(|record| end(record).is_none_or(|end| record.probe.ttl <= end));
    let hop = |record: &ProbeRecord| {
        let probe = record.probe;
        Some((probe.target, probe.flow, probe.port, probe.ttl, in_time(record)?.from))
    };
    rows.filter_map(hop).collect()
}
