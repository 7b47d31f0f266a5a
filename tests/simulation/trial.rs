//! All that is tried with one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tetherline::analyse::ways::Searches;
use tetherline::dataset::ProbeRecord;
use tetherline::model::{Method, Name, Outcome, Probe, Reply, RoundId, WallTime};

use crate::faults::Faults;
use crate::invariants::{Broken, Seen, judge};
use crate::planted::Plant;
use crate::stage::{Played, Trouble, play};
use crate::world::World;

/// What came of a seed.
pub(crate) struct Trial {
    pub(crate) broken: Vec<Broken>,
    pub(crate) seen: Seen,
}

/// How often a campaign is killed that must come to the same as one that was not.
const KILLS: u64 = 6;
/// Every so many seeds the same is played twice.
const TWICE_EVERY: u64 = 8;

/// Tries everything with a seed; a panic is a broken rule.
pub(crate) fn try_seed(seed: u64) -> Trial {
    let mut trial = Trial { broken: Vec::new(), seen: Seen::default() };
    let tried = catch_unwind(AssertUnwindSafe(|| trial.all(seed)));
    if let Err(panic) = tried {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        trial.broken.push(Broken { rule: "nothing panics", how: text.unwrap_or_default() });
    }
    trial
}

impl Trial {
    fn all(&mut self, seed: u64) {
        let played = self.judged(play(seed, Trouble::Drawn, Plant::Nothing));
        if seed.is_multiple_of(TWICE_EVERY) {
            self.seen.twins += 1;
            self.same_twice(&played, &play(seed, Trouble::Drawn, Plant::Nothing));
        }
        if World::draw(seed).calm {
            self.seen.resumed += 1;
            self.same_when_killed(seed);
        }
    }

    fn judged(&mut self, played: Played) -> Played {
        let (broken, seen) = judge(&played);
        self.broken.extend(broken);
        self.seen.add(&seen);
        played
    }

    fn say(&mut self, rule: &'static str, how: String) {
        self.broken.push(Broken { rule, how });
    }

    /// The same seed gives the same packets at the same times, and the same bytes of sealed rounds.
    fn same_twice(&mut self, one: &Played, other: &Played) {
        if one.injected != other.injected {
            let differs = one.injected.iter().zip(&other.injected).position(|(one, other)| one != other);
            self.say("the same seed gives the same packets", format!("from packet {differs:?} on"));
        }
        if one.records != other.records {
            self.say("the same seed gives the same rows", String::new());
        }
        if one.files != other.files {
            let names = |played: &Played| played.files.keys().cloned().collect::<Vec<_>>();
            let how = format!("{:?} and {:?}", names(one), names(other));
            self.say("the same seed gives the same bytes of sealed rounds", how);
        }
        if (one.ledger, &one.rounds) != (other.ledger, &other.rounds) {
            self.say("the same seed gives the same ledgers", format!("{}\n{}", one.ledger, other.ledger));
        }
    }

    /// Where nothing depends on chance, a campaign that was killed again and again comes to the same as one that was
    /// left alone.
    fn same_when_killed(&mut self, seed: u64) {
        let whole = self.judged(play(seed, Trouble::Given(Faults::none()), Plant::Nothing));
        let kills = Faults::kills(seed, KILLS, whole.injected.len() as u64);
        let killed = self.judged(play(seed, Trouble::Given(kills), Plant::Nothing));
        if !killed.finished() || !whole.finished() {
            return self.say("a calm campaign finishes", format!("{} runs", killed.runs.len()));
        }
        let both = self.rounds_of_both(&whole, &killed);
        let (one, other) = (asked(&whole.records, &both), asked(&killed.records, &both));
        let differs: Vec<String> = one
            .iter()
            .filter(|(probe, found)| other.get(probe) != Some(found))
            .map(|(probe, found)| format!("{probe:?}: {found:?}, and killed {:?}", other.get(probe)))
            .chain(
                other
                    .keys()
                    .filter(|probe| !one.contains_key(probe))
                    .map(|probe| format!("{probe:?} only killed")),
            )
            .collect();
        if let Some(first) = differs.first() {
            let how = format!("{} rows differ: {first}", differs.len());
            self.say("a campaign that was killed comes to the same", how);
        }
        let (one, other) = (ways(&whole.records), ways(&killed.records));
        for (question, found) in one.iter().filter(|((round, _), _)| both.contains(round)) {
            let same = |other: &Found| other == found || is_wide(found) || is_wide(other);
            if !other.get(question).is_some_and(same) {
                let how = format!("{question:?}: {found:?}, and killed {:?}", other.get(question));
                self.say("a search that was killed finds the same", how);
            }
        }
    }

    /// The rounds that both campaigns had. A round is left out while the one before of its prober is still running, which
    /// a kill may bring about or spare; for no other reason.
    fn rounds_of_both(&mut self, one: &Played, other: &Played) -> BTreeSet<RoundId> {
        let ids = |played: &Played| -> BTreeSet<RoundId> {
            played.rounds.iter().map(|round| round.header.id).collect()
        };
        for (has, lacks) in [(one, other), (other, one)] {
            for round in has.rounds.iter().filter(|round| !ids(lacks).contains(&round.header.id)) {
                let mut before =
                    lacks.rounds.iter().filter(|other| other.header.prober == round.header.prober);
                let before = before.rfind(|other| other.header.due_at < round.header.due_at);
                let end = before.and_then(|before| end_of(lacks, before.header.id));
                if end.is_none_or(|end| end < round.header.due_at) {
                    let how = format!(
                        "round {} was left out, and the one before ended at {end:?}",
                        round.header.id
                    );
                    self.say("a round is left out only while another runs", how);
                }
            }
        }
        ids(one).intersection(&ids(other)).copied().collect()
    }
}

/// What was asked and answered, but for when. Of traces only up to where the way ended: what is asked behind it depends
/// on how fast the end was found. Multipath searches choose their questions by what they have heard so far.
fn asked(records: &[ProbeRecord], rounds: &BTreeSet<RoundId>) -> BTreeMap<Probe, String> {
    let mut ends: BTreeMap<(RoundId, IpAddr, u16), u8> = BTreeMap::new();
    let flow = |probe: &Probe| (probe.round, probe.target, probe.flow.0);
    for record in records.iter().filter(|record| record.method == Method::Trace) {
        if let Outcome::Answered { reply, .. } = &record.outcome
            && reply.ends_way_to(record.probe.target)
        {
            let end = ends.entry(flow(&record.probe)).or_insert(u8::MAX);
            *end = record.probe.ttl.get().min(*end);
        }
    }
    let of_both = records.iter().filter(|record| rounds.contains(&record.probe.round));
    let counts = |record: &&ProbeRecord| match record.method {
        Method::Multipath | Method::Census => false,
        Method::Trace => ends.get(&flow(&record.probe)).is_none_or(|end| record.probe.ttl.get() <= *end),
        Method::Echo | Method::Tcp | Method::Udp | Method::Timestamp => true,
    };
    of_both.filter(counts).map(|record| (record.probe, told(&record.outcome))).collect()
}

/// What an outcome tells, but for what depends on the way back, and on the key: two bytes that a router swaps may be
/// equal.
fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answered { reply, .. } | Outcome::Late { reply, .. } => {
            let Reply { from, kind, quoted_ttl, mpls, size, .. } = reply;
            format!("{} by {from}: {kind:?} {quoted_ttl:?} {mpls:?} {size}", outcome.as_str())
        }
        other => format!("{other:?}"),
    }
}

/// Until when a round may have been waiting for answers, by the campaign's clock.
fn end_of(played: &Played, round: RoundId) -> Option<WallTime> {
    let spec = |name: &Name| played.order.campaign.probers.iter().find(|spec| spec.name == *name);
    let prober =
        played.rounds.iter().find(|found| found.header.id == round).map(|found| &found.header.prober)?;
    let window = spec(prober)?.timeout.saturating_mul(2).mul_f64(played.world.speed);
    let rows = played.records.iter().filter(|record| record.probe.round == round);
    rows.filter_map(|record| record.sent_at).max().map(|last| last.after(window))
}

/// What a search found: the routers of each hop, and the links between them.
type Found = (Vec<(u8, Vec<IpAddr>)>, BTreeSet<(u8, IpAddr, IpAddr)>);

/// Where ways part, a search finds them all only with a probability, and which flows it asks depends on what it has heard
/// so far.
fn is_wide(found: &Found) -> bool {
    found.0.iter().any(|(_, routers)| routers.len() > 1)
}

fn ways(records: &[ProbeRecord]) -> BTreeMap<(RoundId, IpAddr), Found> {
    let mut searches = Searches::default();
    for record in records {
        searches.add(record);
    }
    let found = searches.finish().into_iter().map(|ways| {
        let routers = |hop: &tetherline::analyse::ways::WaysHop| {
            (hop.ttl.get(), hop.routers.iter().map(|router| router.address).collect())
        };
        let links = ways.links.iter().map(|link| (link.ttl.get(), link.from, link.to)).collect();
        ((ways.key.round, ways.key.target), (ways.hops.iter().map(routers).collect(), links))
    });
    found.collect()
}
