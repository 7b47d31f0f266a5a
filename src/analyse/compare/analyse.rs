//! From records to findings.

use std::collections::{BTreeMap, BTreeSet};

use super::both::both;
use super::change;
use super::delay::{self, DelayChange, Delays};
use super::diverse::{self, Ways};
use super::epochs::Epochs;
use super::figures;
use super::findings::{
    AsEdge, Findings, FoundChange, FoundLink, Reach, Trouble, UnitEpoch, UnitFindings, Watch,
};
use super::foretold;
use super::found;
use super::interval::{Level, sound};
use super::number::length;
use super::packed::PackedTraces;
use super::question::Question;
use super::routes::{self, RoutedTrace, Routes};
use super::tally::{Asked, Endpoint, RoundKey, Tally};
use super::unit::{Scale, UnitView};
use super::verdict::Verdict;
use super::watch::{Samples, Watcher};
use crate::analyse::aliases::{Aliases, Fingerprints};
use crate::analyse::origin::OriginTable;
use crate::analyse::path::{Trace, Traces};
use crate::analyse::ways::{Censuses, Searches};
use crate::dataset::{ProbeRecord, Read};
use crate::model::{Asn, Keyed, Outcome, Unit, WallTime};

/// What the records of a campaign say about it. The order of the records does not matter.
#[must_use]
pub fn analyse(
    question: &Question,
    origins: &OriginTable,
    records: impl IntoIterator<Item = ProbeRecord>,
) -> Findings {
    analyse_read(question, origins, [Read::Records(records.into_iter().collect())])
}

/// The same of records among which it is said where rounds are over: what is kept of a round that is over takes less
/// room.
#[must_use]
pub fn analyse_read(
    question: &Question,
    origins: &OriginTable,
    read: impl IntoIterator<Item = Read>,
) -> Findings {
    Intake::of(question, read).conclude(question, origins)
}

/// How much chance is put up with.
struct Doubt {
    /// The false discovery rate of changes of links, and that of changes of round-trip times.
    discoveries: f64,
    /// How many silences are expected by chance, of one unit and vantage, before one is believed.
    silences: f64,
}

impl Doubt {
    const REPORT: Self = Self { discoveries: 0.01, silences: 0.001 };
}

/// What a look at the last rounds of a campaign shows.
pub(super) struct Lately {
    pub(super) links: Vec<FoundChange>,
    pub(super) delays: Vec<DelayChange>,
    pub(super) troubles: Vec<Trouble>,
    pub(super) watches: BTreeMap<Unit, Vec<Watch>>,
    controls: BTreeMap<Unit, bool>,
    pub(super) samples: Samples,
}

impl Lately {
    /// Whether a unit is a control.
    pub(super) fn is_control(&self, unit: &Unit) -> bool {
        self.controls.get(unit).copied().unwrap_or(false)
    }
}

/// What the records of the last rounds show to have changed, where so many false changes may be expected.
pub(super) fn lately(
    question: &Question,
    origins: &OriginTable,
    read: impl IntoIterator<Item = Read>,
    chance: f64,
) -> Lately {
    Intake::of(question, read).lately(question, origins, chance)
}

/// The traces among the records, each with its way and upstream: what [`analyse`] goes by, and those that it
/// leaves out with the reason. In the order of their keys; the order of the records does not matter.
#[must_use]
pub fn routed_traces(
    question: &Question,
    origins: &OriginTable,
    records: impl IntoIterator<Item = ProbeRecord>,
) -> Vec<RoutedTrace> {
    let mut intake = Intake::new(question);
    for record in records {
        intake.take(&record);
    }
    let period = intake.period(question);
    let traces: Vec<Trace> = std::mem::take(&mut intake.traces).finish().collect();
    let mut packed = PackedTraces::default();
    traces.iter().cloned().for_each(|trace| packed.add(trace));
    packed.close();
    let declared = Epochs::new(&question.events, period);
    let aliases = Aliases::new(&traces, &intake.heard, origins);
    let routes = routes::routes(question, (origins, &aliases), &declared, &packed);
    let epochs = Epochs::with_found(
        &question.events,
        &found::changes::<Asn>(&routes, Doubt::REPORT.discoveries).changes,
        period,
    );
    routes::routed(origins, &epochs, &routes, traces)
}

/// What is kept of the records while they stream past: answers to echo and tcp, and all traces.
struct Intake {
    period: Option<(WallTime, WallTime)>,
    controls: Keyed<Unit, bool>,
    round_starts: BTreeMap<RoundKey, WallTime>,
    /// When the round at hand began, as far as is known.
    round: Option<(RoundKey, WallTime)>,
    tally: Tally,
    /// Those of rounds that may not be over.
    traces: Traces,
    closed: PackedTraces,
    heard: Fingerprints,
    searches: Searches,
    censuses: Censuses,
    delays: Delays,
}

impl Intake {
    fn new(question: &Question) -> Self {
        let mut censuses = Censuses::default();
        for asked in &question.asked {
            censuses.add_asked(&asked.vantage, asked.round, &asked.blocks);
        }
        Self {
            period: None,
            controls: question.units.iter().copied().collect(),
            round_starts: BTreeMap::new(),
            round: None,
            tally: Tally::default(),
            traces: Traces::default(),
            closed: PackedTraces::default(),
            heard: Fingerprints::at_speed(question.speed),
            searches: Searches::default(),
            censuses,
            delays: Delays::default(),
        }
    }

    fn of(question: &Question, read: impl IntoIterator<Item = Read>) -> Self {
        let mut intake = Self::new(question);
        for read in read {
            match read {
                Read::Records(records) => records.iter().for_each(|record| intake.take(record)),
                Read::RoundOver => intake.close(),
            }
        }
        intake
    }

    fn take(&mut self, record: &ProbeRecord) {
        *self.controls.entry(record.unit).or_insert(record.control) |= record.control;
        self.traces.add(record);
        self.heard.add(&record.vantage, record.sent_at, &record.outcome);
        self.searches.add(record);
        self.censuses.add(record);
        let Some(at) = record.sent_at else { return };
        self.period = Some(self.period.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        match &mut self.round {
            Some(((vantage, round), start))
                if *round == record.probe.round && *vantage == record.vantage =>
            {
                *start = at.min(*start);
            }
            _ => {
                self.note_start();
                self.round = Some(((record.vantage.clone(), record.probe.round), at));
            }
        }
        if record.method.is_liveness() {
            let endpoint = Endpoint {
                method: record.method,
                target: record.probe.target,
                protocol: record.probe.protocol,
                port: record.probe.port,
            };
            let asked = Asked { round: record.probe.round, sent: at, answered: arrived(record) };
            self.tally.count(record.unit, endpoint, &record.vantage, asked);
            self.delays.add(record);
        }
    }

    /// From the first to the last probe; without any, the moment at which the campaign began.
    fn period(&self, question: &Question) -> (WallTime, WallTime) {
        self.period.unwrap_or((question.started_at, question.started_at))
    }

    /// Notes when the round at hand began.
    fn note_start(&mut self) {
        if let Some((round, at)) = self.round.take() {
            let start = self.round_starts.entry(round).or_insert(at);
            *start = at.min(*start);
        }
    }

    /// Takes all traces for whole.
    fn close(&mut self) {
        for trace in std::mem::take(&mut self.traces).finish() {
            self.delays.add_trace(&trace);
            self.closed.add(trace);
        }
        self.delays.close();
    }

    fn conclude(mut self, question: &Question, origins: &OriginTable) -> Findings {
        let period = self.period(question);
        let traces = self.all_traces();
        let declared = Epochs::new(&question.events, period);
        let aliases = Aliases::new(traces.shown(), &std::mem::take(&mut self.heard), origins);
        let mut routes = routes::routes(question, (origins, &aliases), &declared, &traces);
        let (found, (found_links, link_tests)) = found::all_changes(&routes, Doubt::REPORT.discoveries);
        let epochs = Epochs::with_found(&question.events, &found.changes, period);
        let confidence = sound(question.confidence);
        let scale = Scale { epochs: &epochs, level: Level::new(confidence), confidence };
        let samples = self.samples(&traces);
        let controls = self.controls();
        let (controls, level, chance) = (&controls, scale.level, Doubt::REPORT.silences);
        let watcher = Watcher { samples: &samples, controls, routes: &routes, level, confidence, chance };
        let (troubles, mut seen) = watched(&watcher, &samples);
        routes.place(&epochs);
        let views = self.views(origins, &routes, &traces, &mut seen, &epochs);
        drop((std::mem::take(&mut self.tally), samples));
        let (searches, censuses, delays) = (self.searches, self.censuses, self.delays);
        let diversity = || {
            let ways = Ways::new(searches, censuses);
            diverse::diversity(&views, &ways, (origins, &aliases), (&scale, question.seed))
        };
        let others = || {
            let delays = delay::found(delays, confidence, Doubt::REPORT.discoveries);
            let units = units(&views, &scale, (&found.changes, &found_links, &delays.changes));
            (delays, units, figures::timeline(&views, &self.round_starts), figures::edges(&routes))
        };
        let (diversity, (delays, units, timeline, edges)) = both(diversity, others);
        let names = names(question, &units, &edges);
        Findings {
            campaign: question.campaign.clone(),
            vantages: question.vantages.clone(),
            rehearsal: question.rehearsal,
            speed: if question.speed.is_finite() { question.speed } else { 1.0 },
            straddling: views.iter().fold(0, |sum, view| sum.saturating_add(view.straddling)),
            foretold: foretold::of_report((epochs.as_slice(), &units), &routes, origins.relations()),
            epochs: epochs.into_vec(),
            units,
            edges,
            timeline,
            names,
            opt_outs: question.opt_outs.clone(),
            clock_steps: question.clock_steps.clone(),
            dropped: question.dropped.clone(),
            ledger: question.ledger,
            rounds: question.rounds,
            confidence,
            diversity,
            found: found.changes,
            tests: found.tests,
            found_links,
            link_tests,
            delays,
            troubles,
        }
    }

    /// What a look at the last rounds shows, the chance put up with shared out over links, silences and round-trip times.
    fn lately(mut self, question: &Question, origins: &OriginTable, chance: f64) -> Lately {
        let traces = self.all_traces();
        let share = chance / 3.0;
        let confidence = sound(question.confidence);
        let declared = Epochs::new(&question.events, self.period(question));
        let aliases = Aliases::new(traces.shown(), &std::mem::take(&mut self.heard), origins);
        let routes = routes::routes(question, (origins, &aliases), &declared, &traces);
        let samples = self.samples(&traces);
        let all_controls = self.controls();
        let (controls, level) = (&all_controls, Level::new(confidence));
        let chance = share / length(samples.len().max(1));
        let watcher = Watcher { samples: &samples, controls, routes: &routes, level, confidence, chance };
        let (troubles, seen) = watched(&watcher, &samples);
        Lately {
            links: found::changes(&routes, share).changes,
            delays: delay::found(std::mem::take(&mut self.delays), confidence, share).changes,
            troubles,
            watches: seen,
            controls: all_controls,
            samples,
        }
    }

    /// Whether each unit is a control.
    fn controls(&self) -> BTreeMap<Unit, bool> {
        self.controls.iter().map(|(unit, control)| (*unit, *control)).collect()
    }

    /// Those of all rounds, in the order of their keys.
    fn all_traces(&mut self) -> PackedTraces {
        self.close();
        self.note_start();
        let mut traces = std::mem::take(&mut self.closed);
        traces.close();
        traces
    }

    /// What was asked of whom, traces included.
    fn samples(&mut self, traces: &PackedTraces) -> Samples {
        traces.iter().for_each(|traced| self.tally.count_trace(traced));
        self.tally.samples()
    }

    fn views<'a>(
        &self,
        origins: &OriginTable,
        routes: &'a Routes<'a>,
        traces: &PackedTraces,
        watches: &mut BTreeMap<Unit, Vec<Watch>>,
        epochs: &Epochs,
    ) -> Vec<UnitView<'a>> {
        let mut straddling: BTreeMap<Unit, u64> = BTreeMap::new();
        for traced in traces.iter() {
            if traced.sent().is_some_and(|sent| epochs.of_both(sent).is_none()) {
                let count = straddling.entry(traced.shown().unit).or_default();
                *count = count.saturating_add(1);
            }
        }
        let mut units: Vec<(bool, Unit)> =
            self.controls.iter().map(|(unit, control)| (*control, *unit)).collect();
        units.sort_unstable();
        let view = |(control, unit): (bool, Unit)| {
            let by_table = origins.lookup(unit.0.network()).asn();
            UnitView {
                unit,
                control,
                origin: by_table.or_else(|| routes.of_unit(unit).find_map(|route| route.origin())),
                answers: self.tally.of(unit, epochs, routes.of_unit(unit)),
                watches: watches.remove(&unit).unwrap_or_default(),
                all: routes,
                straddling: straddling.remove(&unit).unwrap_or_default(),
            }
        };
        units.into_iter().map(view).collect()
    }
}

/// Whether the probe came to its target. A router's word that it could not be delivered is an answer, but
/// not the target's.
fn arrived(record: &ProbeRecord) -> bool {
    match &record.outcome {
        Outcome::Answered { reply, .. } | Outcome::Late { reply, .. } => {
            reply.kind.arrived(reply.from == record.probe.target)
        }
        _ => false,
    }
}

/// When the vantages were unwell, and what they saw of each unit.
fn watched(watcher: &Watcher<'_>, samples: &Samples) -> (Vec<Trouble>, BTreeMap<Unit, Vec<Watch>>) {
    let troubles = watcher.troubles();
    let units: BTreeSet<Unit> = samples.keys().map(|(unit, _)| *unit).collect();
    let seen = units.into_iter().map(|unit| (unit, watcher.watches(unit, &troubles))).collect();
    (troubles, seen)
}

fn units(
    views: &[UnitView<'_>],
    scale: &Scale<'_>,
    (found_changes, links, delays): (&[FoundChange], &[FoundLink], &[DelayChange]),
) -> Vec<UnitFindings> {
    let mut found: Vec<Vec<UnitEpoch>> = views.iter().map(|view| view.by_epoch(scale)).collect();
    let suspended = suspended(views, &found, scale.epochs.count());
    let controlled = views.iter().any(|view| view.control);
    let both = views.iter().zip(&mut found);
    both.map(|(view, by_epoch)| {
        if !view.control {
            suspend(by_epoch, &suspended);
        }
        let well = |epoch: usize| view.control || !suspended.contains(&epoch);
        let pairs = by_epoch.iter().zip(by_epoch.iter().skip(1)).enumerate();
        let mut changes = Vec::new();
        for (earlier, (before, after)) in pairs {
            let later = earlier.saturating_add(1);
            if well(earlier) && well(later) {
                changes.extend(change::changes(later, before, after));
            }
        }
        change::sort(&mut changes);
        let none = BTreeSet::new();
        let suspended = if view.control { &none } else { &suspended };
        let of_unit: Vec<&FoundChange> =
            found_changes.iter().filter(|found| found.unit == view.unit).collect();
        let verdict =
            Verdict { view, by_epoch, scale, suspended, controlled, found: &of_unit, links, delays }
                .sentences();
        UnitFindings {
            unit: view.unit,
            control: view.control,
            origin: view.origin,
            by_epoch: std::mem::take(by_epoch),
            changes,
            watches: view.watches.clone(),
            verdict,
        }
    })
    .collect()
}

/// The epochs in which the vantage itself was in trouble: control units that answered in other epochs do not,
/// and none answers.
fn suspended(views: &[UnitView<'_>], found: &[Vec<UnitEpoch>], epochs: usize) -> BTreeSet<usize> {
    let controls = || views.iter().zip(found).filter(|(view, _)| view.control);
    let reach =
        |epoch: usize| controls().filter_map(move |(_, found)| found.get(epoch)).map(|found| found.reach);
    let unwell = |epoch: &usize| {
        reach(*epoch).any(|reach| reach == Reach::Unreachable)
            && !reach(*epoch).any(|reach| reach == Reach::Reachable)
    };
    (0..epochs).filter(unwell).collect()
}

/// Silence says nothing about a unit while the vantage is in trouble.
fn suspend(by_epoch: &mut [UnitEpoch], suspended: &BTreeSet<usize>) {
    for epoch in suspended {
        if let Some(found) = by_epoch.get_mut(*epoch)
            && found.reach == Reach::Unreachable
        {
            found.reach = Reach::NotObservable;
        }
    }
}

fn names(
    question: &Question,
    units: &[UnitFindings],
    edges: &[AsEdge],
) -> BTreeMap<Asn, crate::model::Untrusted> {
    let in_edges = edges.iter().flat_map(|edge| [edge.from, edge.to]);
    let in_units = units.iter().flat_map(|unit| {
        let by_epoch = unit.by_epoch.iter().flat_map(|epoch| {
            epoch.upstreams.iter().map(|share| share.upstream).chain(epoch.single_points.iter().copied())
        });
        by_epoch.chain(unit.origin)
    });
    let in_events = question.events.iter().flat_map(|event| [event.link.ends().0, event.link.ends().1]);
    let occurring: BTreeSet<Asn> = in_edges.chain(in_units).chain(in_events).collect();
    let known = |asn: Asn| Some((asn, question.names.get(&asn)?.clone()));
    occurring.into_iter().filter_map(known).collect()
}
