//! What a dataset gives to what-if: the ways that were measured, and the events that predictions can be held against.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use csv::{Terminator, WriterBuilder};

use crate::analyse::compare::{Estimate, Findings, RoutedTrace, UnitEpoch, routed_traces};
use crate::analyse::path::Walk;
use crate::analyse::topology::{
    Announcement, Because, Change, Lost, MeasuredWay, Merged, Routes, Ties, Topology,
};
use crate::dataset::{Dataset, Read};
use crate::model::{AsLink, AsRelation, Asn, Event, LinkChange, Unit};
use crate::report::number;
use crate::report::recompute::{self, RecomputeError};

/// A way from the vantage to an origin, whose upstream is told.
#[derive(Clone, Debug)]
pub struct MeasuredWalk {
    /// The index of its epoch.
    pub epoch: usize,
    /// To where.
    pub unit: Unit,
    /// From AS to AS.
    pub way: MeasuredWay,
}

/// The ways of a dataset, with these origin tables or those that its campaign names.
///
/// # Errors
/// If the dataset or a table cannot be read.
pub fn measured_walks(dataset: &Dataset, origins: &[PathBuf]) -> Result<Vec<MeasuredWalk>, RecomputeError> {
    recompute::from_records(dataset, origins, |question, table, read| {
        let records = read.filter_map(Read::record);
        let walk = |routed: RoutedTrace| {
            let own = question.vantage_as.get(&routed.trace.key.vantage).copied();
            let upstream = routed.upstream.ok().filter(|_| !routed.trace.control)?;
            let (epoch, origin) = routed.epoch.zip(routed.origin)?;
            let walk = Walk::new(&routed.path, own).to_origin(origin);
            let way = MeasuredWay { walk, entered: upstream.seen_entering };
            Some(MeasuredWalk { epoch, unit: routed.trace.unit, way })
        };
        routed_traces(question, table, records).into_iter().filter_map(walk).collect()
    })
}

/// What was foretold of a unit at an event, and what was measured then.
#[derive(Clone, Debug)]
pub struct UnitBacktest {
    /// The events.
    pub events: Vec<Event>,
    /// The unit.
    pub unit: Unit,
    /// By upstream.
    pub shares: BTreeMap<Asn, ForetoldShare>,
    /// The share of ways that went elsewhere than foretold, and than before; `None` where nothing was measured.
    pub wrong: Option<(f64, f64)>,
}

/// The share of one upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ForetoldShare {
    /// Of the ways to break ties.
    pub foretold: f64,
    /// Of the flows before the event.
    pub before: f64,
    /// Of the flows after it; `None` where nothing was measured.
    pub after: Option<Estimate>,
}

/// Predictions of a campaign's events.
#[derive(Clone, Debug, Default)]
pub struct CampaignBacktest {
    /// One entry an event and unit.
    pub units: Vec<UnitBacktest>,
    /// For each event, how many measured links the tables had, how many relations were assumed, and how many of these links
    /// lead into an origin that was not seen to answer behind them.
    pub merged: Vec<(Vec<Event>, [u64; 3])>,
    /// Units and events that could not be judged, with the reason.
    pub left_out: Vec<String>,
}

/// Foretells each event of a campaign from what was known before it, for the units of an origin.
#[must_use]
pub fn campaign_backtest(
    findings: &Findings,
    walks: &[MeasuredWalk],
    topology: &Topology,
    announcement: &Announcement,
    ties: &[Ties],
) -> CampaignBacktest {
    let mut found = CampaignBacktest::default();
    for (index, epoch) in findings.epochs.iter().enumerate() {
        let Some(before) = index.checked_sub(1) else { continue };
        let known: Vec<MeasuredWay> =
            walks.iter().filter(|walk| walk.epoch == before).map(|walk| walk.way.clone()).collect();
        // A table may know already what only comes now.
        let comes: Vec<Lost> = epoch
            .opened_by
            .iter()
            .filter(|event| event.change == LinkChange::Added)
            .map(|event| Lost::Link(event.link))
            .collect();
        let merged = without(topology, &comes).merged(&known);
        found
            .merged
            .push((epoch.opened_by.clone(), [merged.known, merged.assumed.len() as u64, unseen(&merged)]));
        let change = change(topology, &epoch.opened_by, announcement.origin);
        let from = most_common(known.iter().filter_map(|way| Some(way.walk.steps.first()?.asn)));
        let Some(from) = from else {
            found.left_out.push(format!("{}: no way was measured before", listed(&epoch.opened_by)));
            continue;
        };
        let foretold = foretold(&merged, announcement, &change, from, ties);
        for unit in
            findings.units.iter().filter(|unit| !unit.control && unit.origin == Some(announcement.origin))
        {
            let Some((was, is)) = unit.by_epoch.get(before).zip(unit.by_epoch.get(index)) else { continue };
            found.units.push(judged(&epoch.opened_by, unit.unit, &foretold, (was, is)));
        }
    }
    found
}

fn unseen(merged: &Merged) -> u64 {
    merged.assumed.iter().filter(|assumed| assumed.because == Because::SilentBeforeOrigin).count() as u64
}

fn without(topology: &Topology, gone: &[Lost]) -> Topology {
    let stays =
        |relation: &AsRelation| !relation.link().is_some_and(|link| gone.contains(&Lost::Link(link)));
    let relations: Vec<AsRelation> = topology.relations().filter(stays).collect();
    Topology::of(&relations)
}

/// A link that comes has the relation of the tables, where they have it; otherwise the other end sells transit to the origin.
fn change(topology: &Topology, events: &[Event], origin: Asn) -> Change {
    let mut change = Change::default();
    for event in events {
        match event.change {
            LinkChange::Lost => change.lose.push(Lost::Link(event.link)),
            LinkChange::Added => {
                change.add.extend(topology.relation(event.link).or_else(|| assumed(event.link, origin)));
            }
        }
    }
    change
}

fn assumed(link: AsLink, origin: Asn) -> Option<AsRelation> {
    let provider = link.other_end(origin)?;
    Some(AsRelation::Transit { provider, customer: origin })
}

fn most_common(asns: impl Iterator<Item = Asn>) -> Option<Asn> {
    let mut votes: BTreeMap<Asn, u64> = BTreeMap::new();
    for asn in asns {
        let vote = votes.entry(asn).or_default();
        *vote = vote.saturating_add(1);
    }
    votes.into_iter().max_by_key(|(asn, count)| (*count, std::cmp::Reverse(*asn))).map(|(asn, _)| asn)
}

/// By upstream: in how many of the ways to break ties the vantage's AS comes through it. Nobody is named where it has no
/// route.
fn foretold(
    merged: &Merged,
    announcement: &Announcement,
    change: &Change,
    from: Asn,
    ties: &[Ties],
) -> BTreeMap<Asn, f64> {
    let changed = merged.topology.with(&change.add);
    let upstreams: Vec<Asn> = ties
        .iter()
        .filter_map(|ties| {
            let mut routes = Routes::to(&changed, announcement, *ties)?;
            drop(routes.lose_all(&change.lose));
            routes.last_hop(from)
        })
        .collect();
    let mut shares: BTreeMap<Asn, f64> = BTreeMap::new();
    for upstream in upstreams {
        *shares.entry(upstream).or_default() += share(1, ties.len());
    }
    shares
}

fn share(part: usize, whole: usize) -> f64 {
    let float = |count: usize| u32::try_from(count).map_or(f64::from(u32::MAX), f64::from);
    if whole == 0 { 0.0 } else { float(part) / float(whole) }
}

fn judged(
    events: &[Event],
    unit: Unit,
    foretold: &BTreeMap<Asn, f64>,
    (was, is): (&UnitEpoch, &UnitEpoch),
) -> UnitBacktest {
    let mut shares: BTreeMap<Asn, ForetoldShare> = BTreeMap::new();
    for (asn, share) in foretold {
        shares.entry(*asn).or_default().foretold = *share;
    }
    for upstream in &was.upstreams {
        shares.entry(upstream.upstream).or_default().before = upstream.share.value;
    }
    for upstream in &is.upstreams {
        shares.entry(upstream.upstream).or_default().after = Some(upstream.share);
    }
    let is_measured = !is.upstreams.is_empty();
    if is_measured {
        for share in shares.values_mut() {
            share.after = share.after.or(Some(Estimate { value: 0.0, low: 0.0, high: 0.0 }));
        }
    }
    let wrong = is_measured.then(|| {
        let distance = |guess: fn(&ForetoldShare) -> f64| {
            let off = shares
                .values()
                .map(|share| (guess(share) - share.after.map_or(0.0, |after| after.value)).abs());
            (off.sum::<f64>() / 2.0).clamp(0.0, 1.0)
        };
        (distance(|share| share.foretold), distance(|share| share.before))
    });
    UnitBacktest { events: events.to_vec(), unit, shares, wrong }
}

fn listed(events: &[Event]) -> String {
    let events: Vec<String> = events.iter().map(|event| format!("{} {event}", event.at)).collect();
    events.join(", ")
}

/// How good predictions of a campaign's events were, as text.
#[must_use]
pub fn campaign_text(found: &CampaignBacktest) -> String {
    let mut text =
        String::from("Predictions of the campaign's events, held against what was measured after them\n\n");
    if found.merged.is_empty() {
        text.push_str("No event was recorded in it: there is nothing to hold a prediction against.\n");
    }
    for (events, [known, assumed, unseen]) in &found.merged {
        let _ = writeln!(text, "{}", listed(events));
        let _ = writeln!(
            text,
            "  of the links measured before, the tables have {known}; the relation of {assumed} is assumed, {unseen} of which nobody saw"
        );
        line(&mut text, ["unit", "upstream", "foretold", "before", "after, measured"]);
        for unit in found.units.iter().filter(|unit| unit.events == *events) {
            for (asn, share) in &unit.shares {
                let after = share.after.map_or_else(|| "not measured".to_owned(), estimate);
                let cells = [percent(share.foretold), percent(share.before)];
                line(&mut text, [&unit.unit.to_string(), &asn.to_string(), &cells[0], &cells[1], &after]);
            }
            if let Some((foretold, unchanged)) = unit.wrong {
                let (foretold, unchanged) = (percent(foretold), percent(unchanged));
                let _ = writeln!(
                    text,
                    "  {:<24}went elsewhere than foretold: {foretold}; than before: {unchanged}",
                    ""
                );
            }
        }
        text.push('\n');
    }
    for left_out in &found.left_out {
        let _ = writeln!(text, "cannot be judged: {left_out}");
    }
    text.push_str(ABOUT);
    text
}

const ABOUT: &str = "\
Foretold: of all orders in which ASes may break ties, in how many the vantage's AS comes through an upstream. The model knows one way
an AS; what balancers split over several, it cannot foretell. Routes of single prefixes are foretold as those of the whole origin, unless
--only-to says otherwise.
";

fn percent(share: f64) -> String {
    number::percent(share).unwrap_or_else(|| "–".to_owned())
}

fn estimate(estimate: Estimate) -> String {
    let interval = number::percent_interval(&estimate).filter(|_| estimate.high > 0.0);
    format!("{} {}", percent(estimate.value), interval.unwrap_or_default()).trim_end().to_owned()
}

fn line(text: &mut String, [unit, upstream, foretold, before, after]: [&str; 5]) {
    let line = format!("  {unit:<24}{upstream:<14}{foretold:<12}{before:<12}{after}");
    let _ = writeln!(text, "{}", line.trim_end());
}

/// The same as CSV: one row an event, unit and upstream.
///
/// # Errors
/// If it cannot be written.
pub fn write_campaign_csv(found: &CampaignBacktest, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
    writer.write_record([
        "events",
        "unit",
        "upstream",
        "foretold",
        "before",
        "after",
        "after_low",
        "after_high",
    ])?;
    let decimals = |value: f64| format!("{value:.5}");
    for unit in &found.units {
        for (asn, share) in &unit.shares {
            let after = share
                .after
                .map(|after| [after.value, after.low, after.high].map(decimals))
                .unwrap_or_default();
            let [value, low, high] = after;
            writer.write_record([
                listed(&unit.events),
                unit.unit.to_string(),
                asn.get().to_string(),
                decimals(share.foretold),
                decimals(share.before),
                value,
                low,
                high,
            ])?;
        }
    }
    writer.flush()
}
