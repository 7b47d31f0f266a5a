//! The engine: several rounds at once, within the rates, behind the guard. Pure: it takes `now`, arrivals
//! and the results of sending, and gives back permits, deadlines and records. It neither sends nor waits,
//! so that a whole campaign can run in virtual time.
//!
//! What becomes of a probe that was sent:
//!
//! ```text
//!               valid reply
//!   waiting ─────────────────▶ answered (recorded) ──┐
//!      │ time-out                                    │ end of the late window
//!      ▼          valid reply                        ├─────────────────────────▶ forgotten
//!   overdue ─────────────────▶ late (recorded) ──────┤
//!      └── end of the late window ▶ silent (recorded)┘
//! ```
//!
//! The prober hears of a time-out at once; the record waits for the end of the late window, which is twice
//! the time-out after sending. Valid replies to a recorded probe are counted as duplicates.
//!
//! Of rounds that are sent by an order of their own ([`Sweep`](crate::measure::probe::Sweep)) no such list is
//! kept: see `sweeps`.

mod deadlines;
mod responders;
mod sweeps;
mod window;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::dataset::{Ledger, ProbeRecord};
use crate::measure::campaign::parking::{Parked, Parking};
use crate::measure::campaign::rtt::{self, Stamps};
use crate::measure::guard::{Guard, Permit};
use crate::measure::net::Arrival;
use crate::measure::probe::{News, Next, Prober, Targets};
use crate::measure::schedule::Pacer;
use crate::model::{
    Asked, BlockRule, ClockPair, Keyed, Method, MonoTime, Name, Outcome, Probe, Reply, ReplyKind, RoundId,
    Rtt, SendFault, Ttl, Unit, WallTime,
};
use crate::wire::{Answer, Codec, MatchKey};

pub use sweeps::SweptSoFar;

use deadlines::Deadlines;
use responders::Responders;
use window::Window;

/// A round to be run.
pub struct RoundOrder {
    /// Its number.
    pub id: RoundId,
    /// The prober of the campaign that it belongs to.
    pub prober_name: Name,
    /// What is asked.
    pub method: Method,
    /// The state machine that asks.
    pub prober: Box<dyn Prober>,
    /// How long a prober waits for a reply.
    pub timeout: Duration,
    /// The unit of each target, and whether it is a control target.
    pub targets: Arc<Targets>,
    /// What an interrupted run of this round already counted.
    pub ledger: Ledger,
    /// How far an interrupted run had come, if the round is sent by an order of its own.
    pub swept: SweptSoFar,
}

/// What the engine wants next.
#[derive(Debug)]
pub enum Step {
    /// Send this now, and report to [`Engine::sent`].
    Send(Permit),
    /// Nothing before this time, unless something arrives or a round is started.
    Wait(MonoTime),
    /// No round is running.
    Idle,
}

/// What the engine has to tell.
#[derive(Debug)]
pub enum Report {
    /// What became of a probe.
    Record(ProbeRecord),
    /// Blocks of probes that a round asks for from now on, with the number of their wave; or, without one,
    /// that it will not ask for although they were wanted.
    Asked {
        /// Which.
        round: RoundId,
        /// The blocks.
        blocks: Vec<(Option<u32>, Asked)>,
    },
    /// How far a round is that is sent by an order of its own.
    Swept {
        /// Which.
        round: RoundId,
        /// Probes that nobody answered, since the last such report; they have no records.
        silent: u64,
        /// The position up to which everything is decided.
        decided: u64,
    },
    /// A round is over; nothing of it is outstanding.
    RoundOver {
        /// Which.
        round: RoundId,
        /// Its ledger.
        ledger: Ledger,
    },
    /// The kernel dropped packets while a round was running: it may have been answered where it heard nothing.
    Dropped {
        /// Which.
        round: RoundId,
        /// How many; the same packets are told of each round that was running.
        packets: u64,
    },
    /// Packets that are no answer to count: duplicates, and what cannot be read or matched, or was dropped.
    Beside {
        /// The round that they belong to; `None` for those that belong to none.
        round: Option<RoundId>,
        /// How many, since the last such report.
        counts: Ledger,
    },
}

/// The engine.
pub struct Engine {
    vantage: Name,
    codec: Arc<Codec>,
    clock: ClockPair,
    guard: Guard,
    pacer: Pacer,
    rounds: Vec<Round>,
    /// Which round is asked first at the next draw.
    turn: usize,
    flights: Keyed<MatchKey, Flight>,
    deadlines: Deadlines<MatchKey>,
    parking: Parking,
    responders: Responders,
    reports: Vec<Report>,
    /// What belongs to no round, and was not told yet.
    stray: Ledger,
    kernel_drops: u64,
}

struct Round {
    order: RoundOrder,
    ledger: Ledger,
    done: bool,
    /// Probes drawn, and neither refused nor recorded.
    undecided: u64,
    /// If it is sent by an order: what is on its way.
    window: Option<Window>,
}

struct Flight {
    probe: Probe,
    sent: MonoTime,
    /// The same by the wall clock of that moment.
    sent_at: WallTime,
    departed: Option<MonoTime>,
    timeout: Duration,
    state: FlightState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FlightState {
    Waiting,
    Overdue,
    Recorded,
}

/// What an engine is made of.
pub struct EngineParts {
    /// The vantage's name.
    pub vantage: Name,
    /// Tags and layouts of the packets.
    pub codec: Arc<Codec>,
    /// Monotonic to wall time.
    pub clock: ClockPair,
    /// What may be sent.
    pub guard: Guard,
    /// How fast.
    pub pacer: Pacer,
}

impl Engine {
    /// An engine with no rounds.
    #[must_use]
    pub fn new(parts: EngineParts) -> Self {
        Self {
            vantage: parts.vantage,
            codec: parts.codec,
            clock: parts.clock,
            guard: parts.guard,
            pacer: parts.pacer,
            rounds: Vec::new(),
            turn: 0,
            flights: Keyed::default(),
            deadlines: Deadlines::default(),
            parking: Parking::default(),
            responders: Responders::default(),
            reports: Vec::new(),
            stray: Ledger::default(),
            kernel_drops: 0,
        }
    }

    /// Starts a round beside those that run.
    pub fn start(&mut self, order: RoundOrder) {
        let ledger = order.ledger;
        let mut window = order.prober.sweep().map(|_| Window::new(order.swept.decided, order.timeout));
        if let Some(window) = &mut window {
            order.swept.beyond.iter().for_each(|position| window.close(*position));
        }
        self.rounds.push(Round { order, ledger, done: false, undecided: 0, window });
    }

    /// Whether a round of this prober is running.
    #[must_use]
    pub fn is_running(&self, prober: &Name) -> bool {
        self.rounds.iter().any(|round| round.order.prober_name == *prober)
    }

    /// The guard, to add opt-outs while running.
    pub fn guard_mut(&mut self) -> &mut Guard {
        &mut self.guard
    }

    /// Dates by these clocks what is sent from now on.
    pub fn set_clock(&mut self, clock: ClockPair) {
        self.clock = clock;
    }

    /// What to do now.
    pub fn poll(&mut self, now: MonoTime) -> Step {
        self.expire(now);
        self.finish_rounds();
        if self.rounds.is_empty() {
            return Step::Idle;
        }
        let ready = self.pacer.earliest_total(now);
        if ready > now {
            return Step::Wait(self.pacer.wake(now).min(self.next_deadline(now)));
        }
        if let Some(permit) = self.unpark(now) {
            return Step::Send(permit);
        }
        match self.draw(now) {
            Drawn::Permit(permit) => Step::Send(permit),
            Drawn::Nothing(wake) => {
                self.finish_rounds();
                if self.rounds.is_empty() {
                    return Step::Idle;
                }
                Step::Wait(wake.min(self.next_deadline(now)).min(self.parking.earliest()))
            }
        }
    }

    /// Whether the rate is only reached by a link whose waits end on time to the microsecond.
    #[must_use]
    pub fn needs_punctuality(&self) -> bool {
        self.pacer.is_tight()
    }

    /// Takes in the result of sending a probe for which `poll` gave a permit.
    pub fn sent(&mut self, probe: &Probe, result: Result<MonoTime, SendFault>, now: MonoTime) {
        match result {
            Ok(at) => self.take_off(probe, at),
            Err(fault) => self.refuse(probe, Outcome::SendFailed(fault), now),
        }
    }

    /// Takes in something that arrived.
    pub fn hear(&mut self, arrival: Arrival, now: MonoTime) {
        match arrival {
            Arrival::Departed { key, kernel } => {
                if let Some(flight) = self.flights.get_mut(&key) {
                    flight.departed.get_or_insert(kernel);
                }
            }
            Arrival::Answer { answer, at, kernel } => {
                // What ran out before the answer came must not count as answered in time.
                self.expire(at);
                self.hear_answer(answer, at, kernel, now);
            }
            Arrival::Matched { probe, reply, rtt } => {
                self.expire(now);
                let key = self.codec.key_of(&probe);
                self.accept(key, reply, rtt, now);
            }
            Arrival::Malformed(_) => self.stray.malformed = self.stray.malformed.saturating_add(1),
        }
    }

    /// How many reports there are to take.
    #[must_use]
    pub fn reports(&self) -> usize {
        self.reports.len().saturating_add(usize::from(self.stray != Ledger::default()))
    }

    /// What there is to tell since the last call.
    pub fn take_reports(&mut self) -> Vec<Report> {
        let counts = std::mem::take(&mut self.stray);
        if counts != Ledger::default() {
            self.reports.push(Report::Beside { round: None, counts });
        }
        let room = Vec::with_capacity(self.reports.len());
        std::mem::replace(&mut self.reports, room)
    }

    /// Takes in the kernel's count of packets that it dropped since the link was opened.
    pub fn note_kernel_drops(&mut self, total: u64) {
        let fresh = total.saturating_sub(self.kernel_drops);
        if fresh == 0 {
            return;
        }
        self.kernel_drops = total;
        let running = self.rounds.iter().map(|round| round.order.id);
        self.reports.extend(running.map(|round| Report::Dropped { round, packets: fresh }));
        self.stray.kernel_dropped = self.stray.kernel_dropped.saturating_add(fresh);
    }

    /// All running rounds: prober, probes asked for at most, and asked for or skipped so far.
    pub fn progress(&self) -> impl Iterator<Item = (&Name, (u64, u64))> {
        self.rounds.iter().map(|round| (&round.order.prober_name, round.order.prober.progress()))
    }

    /// Whether no round is running.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.rounds.is_empty()
    }

    fn next_deadline(&self, now: MonoTime) -> MonoTime {
        self.deadlines.first().min(self.sweep_deadline(now))
    }

    /// The first parked probe whose unit and responder are ready.
    fn unpark(&mut self, now: MonoTime) -> Option<Permit> {
        while let Some(parked) = self.parking.pop(now) {
            if let Some(permit) = self.admit(parked, now) {
                return Some(permit);
            }
        }
        None
    }

    /// Asks the rounds in turn until one has a probe that may go now.
    fn draw(&mut self, now: MonoTime) -> Drawn {
        let mut wake = MonoTime::NEVER;
        let mut dry = 0;
        while dry < self.rounds.len() {
            self.turn = self.turn.saturating_add(1).checked_rem(self.rounds.len()).unwrap_or(0);
            let Some(round) = self.rounds.get_mut(self.turn) else { break };
            if self.parking.is_full(round.order.id) {
                dry = dry.saturating_add(1);
                continue;
            }
            let next = round.order.prober.next(now);
            let blocks = round.order.prober.take_asked();
            if !blocks.is_empty() {
                self.reports.push(Report::Asked { round: round.order.id, blocks });
            }
            match next {
                Next::Probe(probe) => {
                    dry = 0;
                    round.undecided = round.undecided.saturating_add(1);
                    let drawn = self.take_turn(probe, now);
                    if let Some(permit) = drawn.and_then(|drawn| self.admit(drawn, now)) {
                        return Drawn::Permit(permit);
                    }
                }
                Next::Wait(until) => {
                    wake = wake.min(until);
                    dry = dry.saturating_add(1);
                }
                Next::Done => {
                    round.done = true;
                    dry = dry.saturating_add(1);
                }
            }
        }
        Drawn::Nothing(wake)
    }

    /// Gives a probe that was drawn its turn among those to its unit; refuses what is no target.
    fn take_turn(&mut self, probe: Probe, now: MonoTime) -> Option<Parked> {
        let Some(question) = self.question_of(&probe) else {
            self.refuse(&probe, Outcome::Blocked(BlockRule::NotATarget), now);
            return None;
        };
        let turn = self.parking.take_turn(probe.round, question.0);
        Some(Parked { turn, probe, question })
    }

    /// A permit, if the rates and the guard let the probe out now. Otherwise it is parked or refused.
    fn admit(&mut self, parked: Parked, now: MonoTime) -> Option<Permit> {
        let Parked { turn, probe, question: (unit, method) } = parked;
        let responder = self.expected_responder(unit, &probe);
        if let Some((gate, opens)) = self.pacer.closed(now, unit, responder) {
            self.parking.park(parked, gate, opens);
            return None;
        }
        match self.guard.examine(probe, method, now) {
            Ok(permit) => {
                self.pacer.spend(now, unit, responder);
                self.parking.note_served(unit, turn);
                Some(permit)
            }
            Err(rule) => {
                self.refuse(&probe, Outcome::Blocked(rule), now);
                None
            }
        }
    }

    /// Who will probably answer: the target itself, or a router that answered at this TTL before. Unknown
    /// routers are not capped until they have answered once.
    fn expected_responder(&self, unit: Unit, probe: &Probe) -> Option<IpAddr> {
        if probe.ttl >= Ttl::TO_THE_END {
            return Some(probe.target);
        }
        self.responders.expected(unit, probe.ttl)
    }

    /// About which unit a probe of a running round asks, and what.
    fn question_of(&self, probe: &Probe) -> Option<(Unit, Method)> {
        let round = self.rounds.iter().find(|round| round.order.id == probe.round)?;
        round.order.targets.get(probe.target).map(|(unit, _)| (unit, round.order.method))
    }

    fn round_mut(&mut self, id: RoundId) -> Option<&mut Round> {
        self.rounds.iter_mut().find(|round| round.order.id == id)
    }

    fn take_off(&mut self, probe: &Probe, at: MonoTime) {
        if self.sweep_sent(probe, at) {
            return;
        }
        let sent_at = self.clock.wall(at);
        let Some(round) = self.round_mut(probe.round) else { return };
        round.ledger.count_sent();
        round.order.prober.note_sent(probe, at);
        let timeout = round.order.timeout;
        let key = self.codec.key_of(probe);
        let flight = Flight {
            probe: *probe,
            sent: at,
            sent_at,
            departed: None,
            timeout,
            state: FlightState::Waiting,
        };
        self.deadlines.push(at.after(timeout), key);
        if let Some(displaced) = self.flights.insert(key, flight) {
            self.give_up(&displaced, at);
        }
    }

    /// Decides on a probe that can no longer be told from a younger one: of 2³² tags, two were the same.
    fn give_up(&mut self, flight: &Flight, now: MonoTime) {
        let probe = flight.probe;
        if flight.state == FlightState::Waiting
            && let Some(round) = self.round_mut(probe.round)
        {
            round.order.prober.settle(&probe, News::TimedOut, now);
        }
        if flight.state != FlightState::Recorded {
            self.record(&probe, Some(flight.sent_at), Outcome::Silent);
        }
    }

    /// A probe that never left.
    fn refuse(&mut self, probe: &Probe, outcome: Outcome, now: MonoTime) {
        self.sweep_refused(probe);
        if let Some(round) = self.round_mut(probe.round) {
            round.order.prober.settle(probe, News::NotSent, now);
        }
        self.record(probe, None, outcome);
    }

    fn hear_answer(&mut self, answer: Answer, at: MonoTime, kernel: Option<MonoTime>, now: MonoTime) {
        let key = answer.key;
        let codec = Arc::clone(&self.codec);
        let known = self.flights.get(&key).and_then(|flight| {
            let quality = answer.agreement(&codec, &flight.probe)?;
            let stamps =
                Stamps { sent: flight.sent, received: at, departed: flight.departed, arrived: kernel };
            Some((quality, rtt::measure(&stamps)))
        });
        match known {
            Some((quality, rtt)) => self.accept(key, answer.into_reply(quality), rtt, now),
            None if self.sweep_heard(&answer, (at, kernel), now) => {}
            None => self.stray.unmatched = self.stray.unmatched.saturating_add(1),
        }
    }

    /// A valid reply to a probe of ours.
    fn accept(&mut self, key: MatchKey, reply: Reply, rtt: Rtt, now: MonoTime) {
        let Some(flight) = self.flights.get_mut(&key) else {
            self.stray.unmatched = self.stray.unmatched.saturating_add(1);
            return;
        };
        let (probe, sent_at, state) = (flight.probe, flight.sent_at, flight.state);
        flight.state = FlightState::Recorded;
        match state {
            FlightState::Waiting => {
                self.remember_responder(&probe, &reply);
                if let Some(round) = self.round_mut(probe.round) {
                    round.order.prober.settle(&probe, News::Reply(&reply), now);
                }
                self.record(&probe, Some(sent_at), Outcome::Answered { reply, rtt });
            }
            FlightState::Overdue => self.record(&probe, Some(sent_at), Outcome::Late { reply, rtt }),
            FlightState::Recorded => self.count_duplicate(probe.round),
        }
    }

    fn remember_responder(&mut self, probe: &Probe, reply: &Reply) {
        if reply.kind == ReplyKind::TimeExceeded
            && let Some((unit, _)) = self.question_of(probe)
        {
            self.responders.note(unit, probe.ttl, reply.from);
        }
    }

    fn count_duplicate(&mut self, round: RoundId) {
        let counts = Ledger { duplicates: 1, ..Ledger::default() };
        match self.round_mut(round) {
            Some(running) => {
                running.ledger.add(counts);
                self.reports.push(Report::Beside { round: Some(round), counts });
            }
            None => self.stray.add(counts),
        }
    }

    /// Time-outs, and the ends of late windows.
    fn expire(&mut self, now: MonoTime) {
        self.sweep_expire(now);
        while let Some((at, key)) = self.deadlines.pop(now) {
            self.expire_flight(key, at, now);
        }
    }

    fn expire_flight(&mut self, key: MatchKey, at: MonoTime, now: MonoTime) {
        let Some(flight) = self.flights.get_mut(&key) else { return };
        let (probe, sent, sent_at) = (flight.probe, flight.sent, flight.sent_at);
        let window_end = sent.after(flight.timeout.saturating_mul(2));
        match flight.state {
            // The deadline of another probe, whose tag was the same.
            FlightState::Waiting if at < sent.after(flight.timeout) => {}
            FlightState::Overdue if at < window_end => {}
            FlightState::Waiting => {
                flight.state = FlightState::Overdue;
                self.deadlines.push(window_end, key);
                if let Some(round) = self.round_mut(probe.round) {
                    round.order.prober.settle(&probe, News::TimedOut, now);
                }
            }
            FlightState::Overdue => {
                self.flights.remove(&key);
                self.record(&probe, Some(sent_at), Outcome::Silent);
            }
            FlightState::Recorded if at < window_end => self.deadlines.push(window_end, key),
            FlightState::Recorded => {
                self.flights.remove(&key);
            }
        }
    }

    fn record(&mut self, probe: &Probe, sent_at: Option<WallTime>, outcome: Outcome) {
        let vantage = self.vantage.clone();
        let Some(round) = self.round_mut(probe.round) else { return };
        round.undecided = round.undecided.saturating_sub(1);
        round.ledger.count_outcome(&outcome);
        let Some((unit, control)) = round.order.targets.get(probe.target) else { return };
        let record = ProbeRecord {
            vantage,
            prober: round.order.prober_name.clone(),
            method: round.order.method,
            probe: *probe,
            unit,
            control,
            sent_at,
            outcome,
        };
        self.reports.push(Report::Record(record));
    }

    /// Takes out the rounds of which nothing is wanted or outstanding any more.
    fn finish_rounds(&mut self) {
        let over = |round: &Round| round.done && round.undecided == 0;
        for mut round in self.rounds.extract_if(.., |round| over(round)) {
            for (reason, count) in round.order.prober.take_skipped() {
                (0..count).for_each(|_| round.ledger.count_outcome(&Outcome::Skipped(reason)));
            }
            self.parking.forget(round.order.id);
            self.reports.push(Report::RoundOver { round: round.order.id, ledger: round.ledger });
        }
    }
}

enum Drawn {
    Permit(Permit),
    Nothing(MonoTime),
}

#[cfg(test)]
mod tests;
