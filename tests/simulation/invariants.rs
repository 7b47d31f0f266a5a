//! What must hold of every campaign, whatever the world and the vantage did to it. The judge believes the lab, the log
//! of packets, and its own reading of them; of the product it uses only what it recorded.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use tetherline::dataset::{ClockStep, Ledger, ProbeRecord};
use tetherline::measure::guard::{Standing, registered};
use tetherline::model::{Method, MonoTime, Outcome, Probe, Reply, RoundId, Rtt, RttSource, Unit, WallTime};

use crate::faults::How;
use crate::reading;
use crate::stage::{Delivery, Fate, Played, Run, Sending};
use crate::truth;

/// What is broken, and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Broken {
    pub(crate) rule: &'static str,
    pub(crate) how: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.how)
    }
}

/// How much was looked at: invariants that never had anything to judge prove nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) packets: u64,
    pub(crate) answers: u64,
    pub(crate) late: u64,
    pub(crate) duplicates: u64,
    pub(crate) hops: u64,
    pub(crate) links: u64,
    /// Links that could not be judged: the ways changed meanwhile, or each packet has a way of its own.
    pub(crate) links_unjudged: u64,
    /// Links that are none, and that nobody could tell from true ones.
    pub(crate) links_seeming: u64,
    pub(crate) kills: u64,
    pub(crate) clock_steps: u64,
    /// Packets that nobody sent, in answer to nothing.
    pub(crate) forged: u64,
    /// Seeds that were played twice.
    pub(crate) twins: u64,
    /// Seeds that were also played with kills, and compared.
    pub(crate) resumed: u64,
}

impl Seen {
    pub(crate) fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.answers += other.answers;
        self.late += other.late;
        self.duplicates += other.duplicates;
        self.hops += other.hops;
        self.links += other.links;
        self.links_unjudged += other.links_unjudged;
        self.links_seeming += other.links_seeming;
        self.kills += other.kills;
        self.clock_steps += other.clock_steps;
        self.forged += other.forged;
        self.twins += other.twins;
        self.resumed += other.resumed;
    }
}

/// Everything at hand, in the order in which it is needed.
pub(crate) struct Court<'a> {
    pub(crate) played: &'a Played,
    pub(crate) records: BTreeMap<Probe, &'a ProbeRecord>,
    /// The sendings of each probe that left, in the order of time.
    pub(crate) sent: BTreeMap<Probe, Vec<&'a Sending>>,
    /// The deliveries that answer each packet that entered the lab.
    pub(crate) answers: HashMap<usize, Vec<&'a Delivery>>,
    pub(crate) timeouts: BTreeMap<RoundId, Duration>,
    pub(crate) seen: Seen,
    pub(crate) broken: Vec<Broken>,
}

/// How often the program looks at its clocks and at the opt-outs.
const LOOK: Duration = Duration::from_nanos(LOOK_NANOS);
const LOOK_NANOS: u64 = 200_000_000;

/// How long a decided outcome may wait for the disk, by the promise of the documentation.
const DURABLE_AFTER: Duration = Duration::from_millis(200);

/// Judges a campaign.
pub(crate) fn judge(played: &Played) -> (Vec<Broken>, Seen) {
    let mut court = Court::new(played);
    court.ledgers();
    court.rows();
    court.repetitions();
    court.answers();
    court.arrivals_are_accounted_for();
    court.durability();
    court.addresses();
    court.opt_outs_are_noted();
    court.clock_steps_are_noted();
    court.rates();
    court.dates();
    truth::judge(&mut court);
    court.seen.packets = played.injected.len() as u64;
    court.seen.duplicates = played.ledger.duplicates;
    court.seen.forged =
        played.deliveries.iter().filter(|delivery| delivery.answers.is_none()).count() as u64;
    court.seen.kills = played.runs.iter().filter(|run| run.how.is_some() && !run.finished).count() as u64;
    court.seen.clock_steps = played.clock_steps.len() as u64;
    court.broken.sort();
    (court.broken, court.seen)
}

impl<'a> Court<'a> {
    fn new(played: &'a Played) -> Self {
        let mut sent: BTreeMap<Probe, Vec<&Sending>> = BTreeMap::new();
        for sending in &played.sendings {
            if sending.result.is_ok() {
                sent.entry(sending.probe).or_default().push(sending);
            }
        }
        let mut answers: HashMap<usize, Vec<&Delivery>> = HashMap::new();
        for delivery in &played.deliveries {
            if let Some(question) = delivery.answers {
                answers.entry(question).or_default().push(delivery);
            }
        }
        let probers = &played.order.campaign.probers;
        let timeout = |round: &tetherline::dataset::RoundSummary| {
            let spec = probers.iter().find(|spec| spec.name == round.header.prober).expect("a prober");
            (round.header.id, spec.timeout)
        };
        Self {
            played,
            records: played.records.iter().map(|record| (record.probe, record)).collect(),
            sent,
            answers,
            timeouts: played.rounds.iter().map(timeout).collect(),
            seen: Seen::default(),
            broken: Vec::new(),
        }
    }

    pub(crate) fn say(&mut self, rule: &'static str, how: impl fmt::Display) {
        if self.broken.iter().filter(|broken| broken.rule == rule).count() < 3 {
            self.broken.push(Broken { rule, how: how.to_string() });
        }
    }

    /// Both sums hold for each round, and the counts are those of the rows.
    fn ledgers(&mut self) {
        for round in &self.played.rounds {
            let mut rows = Ledger::default();
            for record in self.played.records.iter().filter(|record| record.probe.round == round.header.id)
            {
                rows.count_record(&record.outcome);
            }
            let ledger = round.ledger;
            let told = [ledger.answered, ledger.late, ledger.silent, ledger.blocked, ledger.send_failed];
            let counted = [rows.answered, rows.late, rows.silent, rows.blocked, rows.send_failed];
            if !ledger.balances() {
                self.say("the ledger balances", format!("round {}: {ledger}", round.header.id));
            }
            if told != counted || ledger.sent != rows.sent + ledger.in_flight {
                let how = format!("round {}: told {ledger}\ncounted {rows}", round.header.id);
                self.say("the ledger agrees with the rows", how);
            }
            if round.state.is_sealed() && ledger.in_flight != 0 {
                self.say("nothing is in flight in a sealed round", format!("round {}", round.header.id));
            }
            if self.played.finished() && !round.state.is_sealed() {
                self.say(
                    "a campaign that finished leaves no round open",
                    format!("round {}", round.header.id),
                );
            }
        }
        let named: BTreeSet<&str> = self
            .played
            .rounds
            .iter()
            .filter_map(|round| Some(round.file.as_ref()?.name.as_str()))
            .collect();
        let there: BTreeSet<&str> = self.played.files.keys().map(String::as_str).collect();
        if named != there {
            self.say("only sealed rounds lie among the rounds", format!("{named:?} but {there:?}"));
        }
    }

    /// One row a probe, and none for a packet that nobody sent.
    fn rows(&mut self) {
        if self.records.len() != self.played.records.len() {
            let how = format!("{} rows, {} probes", self.played.records.len(), self.records.len());
            self.say("no probe is recorded twice", how);
        }
        for record in &self.played.records {
            let left = self.sent.get(&record.probe).is_some_and(|sendings| !sendings.is_empty());
            let refused = |sending: &&Sending| sending.probe == record.probe && sending.result.is_err();
            match &record.outcome {
                Outcome::Answered { .. } | Outcome::Late { .. } | Outcome::Silent if !left => {
                    self.say("what is recorded as sent was sent", format!("{:?}", record.probe));
                }
                Outcome::SendFailed(fault) => {
                    let last = self.played.sendings.iter().rfind(refused);
                    if last.map(|sending| sending.result) != Some(Err(*fault)) {
                        self.say("a refusal is recorded as it was said", format!("{:?}", record.probe));
                    }
                }
                Outcome::Skipped(_) => {
                    self.say("skipped probes have no row", format!("{:?}", record.probe));
                }
                _ => {}
            }
        }
        if !self.played.finished() {
            return;
        }
        // What an earlier run had in flight may not be wanted any more.
        let last = self.played.runs.len() - 1;
        let missing = |(probe, sendings): &(&Probe, &Vec<&Sending>)| {
            !self.records.contains_key(probe) && sendings.iter().any(|sending| sending.run == last)
        };
        let missing: Vec<Probe> = self.sent.iter().filter(missing).map(|(probe, _)| *probe).collect();
        if let Some(first) = missing.first() {
            self.say(
                "every packet that was sent has a row",
                format!("{} have none: {first:?}", missing.len()),
            );
        }
    }

    /// A probe is sent again only by a later run of the program, and only if the earlier left no row of it.
    fn repetitions(&mut self) {
        let mut found = Vec::new();
        for (probe, sendings) in &self.sent {
            for pair in sendings.windows(2) {
                let (earlier, later) = (pair[0], pair[1]);
                let left = |run: usize| self.left_behind(run).contains(probe);
                if earlier.run == later.run || (earlier.run..later.run).any(left) {
                    found.push(format!("{probe:?} in runs {} and {}", earlier.run, later.run));
                }
            }
        }
        for how in found {
            self.say("what is recorded is not asked again", how);
        }
    }

    /// The probes of which a run left a row.
    fn left_behind(&self, run: usize) -> BTreeSet<Probe> {
        self.played
            .runs
            .get(run)
            .map_or_else(BTreeSet::new, |run| run.left.iter().map(|record| record.probe).collect())
    }

    /// The sending to which a row belongs: the last, unless a row was there before it.
    pub(crate) fn sending_of(&self, record: &ProbeRecord) -> Option<&'a Sending> {
        self.sent.get(&record.probe)?.last().copied()
    }

    /// Whether an answer carries enough of its question to be known by any reader: it was not translated on its
    /// way, and no router put zeros where the tag is.
    pub(crate) fn can_be_matched(&self, delivery: &Delivery, probe: &Probe) -> bool {
        let world = &self.played.world;
        let network = world.networks.iter().find(|network| network.prefix.contains(probe.target));
        if network.is_some_and(|network| network.translated) {
            return false;
        }
        let Some(answer) = reading::answer(&delivery.bytes) else { return false };
        if answer.from == probe.target {
            return true;
        }
        let Some(router) = world.router_with(answer.from) else { return false };
        let spoils = ["ip-id-zero", "checksum-zero"];
        !spoils.iter().any(|mangle| world.routers[router].mangles.contains(mangle))
    }

    /// Who is said to have answered did, to this very packet, at that moment; and who did is said to have.
    fn answers(&mut self) {
        for record in &self.played.records {
            let Some(sending) = self.sending_of(record) else { continue };
            match &record.outcome {
                Outcome::Answered { reply, rtt } => self.answer(record, sending, (reply, *rtt), false),
                Outcome::Late { reply, rtt } => self.answer(record, sending, (reply, *rtt), true),
                Outcome::Silent => self.silence(sending),
                _ => {}
            }
        }
    }

    fn heard(&self, sending: &Sending) -> Vec<&'a Delivery> {
        let answers = sending.result.ok().and_then(|question| self.answers.get(&question));
        let heard = |delivery: &&&Delivery| delivery.fate == Fate::Heard(sending.run);
        answers.into_iter().flatten().filter(heard).copied().collect()
    }

    fn answer(&mut self, record: &ProbeRecord, sending: &Sending, (reply, rtt): (&Reply, Rtt), late: bool) {
        self.seen.answers += 1;
        self.seen.late += u64::from(late);
        let heard = self.heard(sending);
        let is_it = |delivery: &&&Delivery| {
            reading::answer(&delivery.bytes).is_some_and(|read| {
                read.from == reply.from
                    && read.kind == reply.kind
                    && read.icmp == reply.icmp
                    && reply.reply_ttl == Some(read.ttl)
                    && usize::from(reply.size) == read.size
                    && reply.ip_id == read.id
            })
        };
        let Some(delivery) = heard.iter().find(is_it) else {
            let how =
                format!("{:?} is said to be answered by {reply:?}; heard were {heard:?}", record.probe);
            return self.say("every reply belongs to the probe under which it is recorded", how);
        };
        let first = heard.iter().find(|delivery| self.can_be_matched(delivery, &record.probe));
        if first.is_some_and(|first| first.at < delivery.at) {
            self.say("the first reply is the one that counts", format!("{:?}", record.probe));
        }
        let span = delivery.at.since(sending.at);
        let wrong = span.abs_diff(rtt.span);
        if wrong > Duration::from_millis(1) {
            let how = format!("{:?}: {:?} ({:?}), and it was {span:?}", record.probe, rtt.span, rtt.source);
            self.say("round-trip times are right to a millisecond", how);
        }
        if rtt.source == RttSource::UserSpace {
            self.say("a time stamp says where it is from", format!("{:?}", record.probe));
        }
        let timeout = self.timeouts[&record.probe.round];
        // The very moment of the time-out may count either way.
        if (span > timeout) != late && span != timeout {
            self.say("late is what comes after the time-out", format!("{:?} after {span:?}", record.probe));
        }
        if span > timeout * 2 {
            self.say("nothing counts behind the late window", format!("{:?} after {span:?}", record.probe));
        }
    }

    fn silence(&mut self, sending: &Sending) {
        let window = self.timeouts[&sending.probe.round] * 2;
        let in_time = |delivery: &&Delivery| delivery.at.since(sending.at) < window;
        let heard = self.heard(sending);
        let missed = heard
            .iter()
            .copied()
            .filter(in_time)
            .find(|delivery| self.can_be_matched(delivery, &sending.probe));
        if let Some(missed) = missed {
            let how = format!("{:?} was answered: {:?}", sending.probe, reading::answer(&missed.bytes));
            self.say("no answer is missed", how);
        }
    }

    /// Every packet that was heard is counted once: as an answer, a duplicate, unmatched or malformed.
    fn arrivals_are_accounted_for(&mut self) {
        let heard =
            self.played.deliveries.iter().filter(|delivery| matches!(delivery.fate, Fate::Heard(_)));
        let heard = heard.count() as u64;
        let ledger = self.played.ledger;
        let counted =
            ledger.answered + ledger.late + ledger.duplicates + ledger.unmatched + ledger.malformed;
        let dropped = self.played.deliveries.iter().filter(|delivery| delivery.fate == Fate::Dropped);
        let dropped = dropped.count() as u64;
        // What a killed run had not made durable of these counts is gone.
        let whole = self.played.runs.len() == 1;
        if counted > heard || (whole && counted != heard) {
            self.say(
                "every packet that was heard is counted once",
                format!("{heard} heard, {counted} counted: {ledger}"),
            );
        }
        if ledger.kernel_dropped > dropped || (whole && ledger.kernel_dropped != dropped) {
            let how = format!("{dropped} dropped, {} counted", ledger.kernel_dropped);
            self.say("what the kernel drops is counted", how);
        }
    }

    /// What was decided long enough before the end of a run was left behind, and stays as it was.
    fn durability(&mut self) {
        for (number, run) in self.played.runs.iter().enumerate() {
            let left: BTreeMap<Probe, &ProbeRecord> =
                run.left.iter().map(|record| (record.probe, record)).collect();
            let patience = match run.how {
                Some(How::Stopped(_)) => Duration::ZERO,
                _ => DURABLE_AFTER,
            };
            let mut lost = Vec::new();
            for sending in self.played.sendings.iter().filter(|sending| sending.run == number) {
                let decided = self.decided(sending);
                if decided.after(patience) < run.ended && !left.contains_key(&sending.probe) {
                    lost.push(format!(
                        "{sending:?}, decided at {decided:?}; run {number} ended at {:?}",
                        run.ended
                    ));
                }
            }
            for how in lost {
                self.say("what is decided is durable in time", how);
            }
            for (probe, record) in left {
                if self.records.get(&probe) != Some(&record) {
                    let how = format!(
                        "run {number} left {record:?}, and now it is {:?}",
                        self.records.get(&probe)
                    );
                    self.say("what is durable stays as it is", how);
                }
            }
        }
    }

    /// When it was known for certain what became of a packet.
    fn decided(&self, sending: &Sending) -> MonoTime {
        if sending.result.is_err() {
            return sending.at;
        }
        // A round that has no row in the catalogue any more would be told elsewhere.
        let window = self.timeouts.get(&sending.probe.round).copied().unwrap_or_default() * 2;
        let heard = self.heard(sending);
        let first = heard.iter().find(|delivery| self.can_be_matched(delivery, &sending.probe));
        let end = sending.at.after(window);
        first.map_or(end, |delivery| delivery.at.min(end))
    }

    /// No packet goes where none may go.
    fn addresses(&mut self) {
        let order = &self.played.order;
        let vantage = [true, false].map(|is_ipv4| self.played.world.scenario.vantage_address(is_ipv4));
        let mut wrong = Vec::new();
        for (at, packet) in &self.played.injected {
            let Some((source, destination, ..)) = reading::ip(packet) else {
                wrong.push("a packet that cannot be read".to_owned());
                continue;
            };
            let standing = registered(destination).map_or(Standing::Reachable, |entry| entry.standing);
            if !vantage.contains(&Some(source)) {
                wrong.push(format!("from {source}"));
            }
            if !order.targets.contains_key(&destination) {
                wrong.push(format!("to {destination}, which is no target"));
            }
            if standing != Standing::Reachable {
                wrong.push(format!("to {destination}, which is {standing:?}"));
            }
            let out_before = order.opt_outs.iter().any(|prefix| prefix.contains(destination));
            if out_before || self.has_opted_out(destination, *at) {
                wrong.push(format!("to {destination} at {at:?}, which has opted out"));
            }
        }
        for how in wrong {
            self.say("no packet goes to a forbidden address", how);
        }
    }

    /// Whoever opts out while the program runs stands in the dataset, from that time on.
    fn opt_outs_are_noted(&mut self) {
        let mut missing = Vec::new();
        for (asked, prefix) in &self.played.faults.opt_outs {
            let noticed = asked.after(LOOK * 2);
            let was_running = |run: &Run| run.began <= *asked && noticed < run.ended;
            let noted = self.played.opt_outs.iter().find(|out| out.prefix == *prefix);
            if self.played.runs.iter().any(was_running) && noted.is_none() {
                missing.push(format!("{prefix} at {asked:?}"));
            }
        }
        for how in missing {
            self.say("opt-outs are noted", how);
        }
    }

    /// Every step of the wall clock that the program could see stands in the dataset, with its size.
    fn clock_steps_are_noted(&mut self) {
        let threshold = Duration::from_secs(1).mul_f64(self.played.world.speed);
        let mut missing = Vec::new();
        for (at, by) in &self.played.faults.steps {
            let noticed = at.after(LOOK * 2);
            let running = self.played.runs.iter().any(|run| run.began < *at && noticed < run.ended);
            let others = self.played.faults.steps.iter().filter(|(other, _)| other != at);
            let alone = others.clone().all(|(other, _)| other.since(*at).max(at.since(*other)) > LOOK * 2);
            let large = Duration::from_nanos(by.unsigned_abs()) > threshold;
            let noted = |step: &ClockStep| step.by_ns.abs_diff(*by) < 1_000;
            if running && alone && large && !self.played.clock_steps.iter().any(noted) {
                missing.push(format!("{by} ns at {at:?}; noted are {:?}", self.played.clock_steps));
            }
        }
        for how in missing {
            self.say("clock steps are noted", how);
        }
        if self.played.clock_steps.len() > self.played.faults.steps.len() {
            self.say("clock steps are noted once", format!("{:?}", self.played.clock_steps));
        }
    }

    /// By when the vantage must have known of an opt-out: it looks into its mail five times a second, and when it
    /// starts.
    fn has_opted_out(&self, address: IpAddr, at: MonoTime) -> bool {
        let known = |asked: MonoTime| asked.after(Duration::from_millis(200)) < at;
        self.played.faults.opt_outs.iter().any(|(asked, prefix)| prefix.contains(address) && known(*asked))
    }

    /// In any window no more packets than its rate and burst allow, each start of the program with a burst of its own.
    fn rates(&mut self) {
        let rates = self.played.order.campaign.rates;
        let speed = self.played.world.speed;
        let all: Vec<(MonoTime, usize)> =
            self.played.sendings.iter().map(|sending| (sending.at, sending.run)).collect();
        self.window("total", &all, (rates.total.get() * speed, rates.burst));
        let mut of_unit: BTreeMap<Unit, Vec<(MonoTime, usize)>> = BTreeMap::new();
        let mut of_target: BTreeMap<IpAddr, Vec<(MonoTime, usize)>> = BTreeMap::new();
        for sending in &self.played.sendings {
            let Some(unit) = self.played.order.targets.get(&sending.probe.target) else { continue };
            of_unit.entry(*unit).or_default().push((sending.at, sending.run));
            let method = self.records.get(&sending.probe).map(|record| record.method);
            if method.is_some_and(Method::is_liveness) {
                of_target.entry(sending.probe.target).or_default().push((sending.at, sending.run));
            }
        }
        for (unit, sendings) in of_unit {
            self.window(&unit.to_string(), &sendings, (rates.per_unit.get() * speed, 1));
        }
        for (target, sendings) in of_target {
            self.window(&target.to_string(), &sendings, (rates.per_responder.get() * speed, 1));
        }
    }

    fn window(&mut self, what: &str, sendings: &[(MonoTime, usize)], (rate, burst): (f64, u32)) {
        for length in [Duration::from_secs(1), Duration::from_millis(10)] {
            let mut first = 0;
            for (last, (at, run)) in sendings.iter().enumerate() {
                while at.since(sendings[first].0) >= length {
                    first += 1;
                }
                let starts = run - sendings[first].1 + 1;
                let count = last - first + 1;
                #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
                let allowed = (f64::from(burst) * starts as f64 + rate * length.as_secs_f64()).ceil();
                #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
                if count as f64 > allowed {
                    let how = format!(
                        "{what}: {count} packets in {length:?} before {at:?}; allowed are {allowed}"
                    );
                    return self.say("rates are held in every window", how);
                }
            }
        }
    }

    /// Rows are dated by the vantage's clock; what it showed wrongly it did for no longer than it takes to look.
    fn dates(&mut self) {
        let mut wrong = Vec::new();
        for record in &self.played.records {
            let Some((sending, sent_at)) = self.sending_of(record).zip(record.sent_at) else { continue };
            // What it believes is what it saw when it last looked: before any of the steps since then.
            let looked = MonoTime::from_nanos(sending.at.as_nanos().saturating_sub(LOOK_NANOS));
            let steps = self.played.faults.steps.iter().map(|(when, _)| *when);
            let before_steps = steps
                .filter(|when| *when > looked && *when <= sending.at)
                .map(|when| MonoTime::from_nanos(when.as_nanos().saturating_sub(1)));
            let seen = [sending.at, looked].into_iter().chain(before_steps);
            let truth: Vec<WallTime> = seen
                .map(|at| {
                    let lag = sending.at.since(at).mul_f64(self.played.world.speed);
                    self.played.wall(at).after(lag)
                })
                .collect();
            let off = truth.iter().map(|truth| truth.as_nanos().abs_diff(sent_at.as_nanos())).min();
            if off.is_none_or(|off| off > 1_000) {
                wrong.push(format!("{:?} is dated {sent_at}, and it was {}", record.probe, truth[0]));
            }
        }
        for how in wrong {
            self.say("rows are dated by the vantage's clock", how);
        }
    }
}
