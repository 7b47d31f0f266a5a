//! Hands what is known of each unit to `diversity`: traces whose upstream is told, and what searches and censuses
//! have shown of routers and links.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::epochs::Epochs;
use super::found::PinnedFlow;
use super::routes::Route;
use super::unit::{Scale, Taken, UnitView, taken};
use crate::analyse::aliases::Aliases;
use crate::analyse::diversity::{
    self, DiversityFindings, EpochEvidence, Evidence, Level, Sample, Sighting, Spot, SpotLink,
    TotalDiversity, UnitEvidence, Way,
};
use crate::analyse::graph::AsGraph;
use crate::analyse::origin::OriginTable;
use crate::analyse::ways::{Censuses, Searches, WaysHop, WaysLink};
use crate::model::{Asn, Keyed, Name, Ttl, Unit, WallTime};

/// What one search or census found on the ways to a unit.
struct Found {
    unit: Unit,
    vantage: Name,
    /// Where it went: an address, or all of the unit.
    towards: Option<IpAddr>,
    sent: Option<(WallTime, WallTime)>,
    links: Vec<WaysLink>,
    first: Vec<IpAddr>,
    chance_missed: f64,
}

/// All that searches and censuses found.
pub(super) struct Ways {
    found: Vec<Found>,
}

impl Ways {
    pub(super) fn new(searches: Searches, censuses: Censuses) -> Self {
        let searches = searches.finish().into_iter().map(|ways| Found {
            unit: ways.unit,
            vantage: ways.key.vantage,
            towards: Some(ways.key.target),
            sent: ways.sent,
            first: first(&ways.hops),
            links: ways.links,
            chance_missed: ways.chance_missed,
        });
        let censuses = censuses.finish().into_iter().map(|ways| Found {
            unit: ways.key.unit,
            vantage: ways.key.vantage,
            towards: None,
            sent: ways.sent,
            first: first(&ways.hops),
            links: ways.links,
            chance_missed: ways.chance_missed,
        });
        Self { found: searches.chain(censuses).collect() }
    }
}

/// The routers right behind the vantage.
fn first(hops: &[WaysHop]) -> Vec<IpAddr> {
    let nearest = hops.first().filter(|hop| Some(hop.ttl) == Ttl::new(1));
    nearest.into_iter().flat_map(|hop| &hop.routers).map(|router| router.address).collect()
}

/// What is found about the diversity of all units.
pub(super) fn diversity(
    views: &[UnitView<'_>],
    ways: &Ways,
    known: (&OriginTable, &Aliases),
    (scale, seed): (&Scale<'_>, u64),
) -> DiversityFindings {
    let units = views.iter().map(|view| evidence(view, ways, known, scale.epochs));
    let units: Vec<UnitEvidence<'_>> = units.collect();
    let judging = diversity::Scale { confidence: scale.confidence, z: scale.level.z(), seed };
    DiversityFindings {
        total: total(&units, scale.epochs.count()),
        units: units.iter().map(|unit| diversity::judge(unit, &judging)).collect(),
    }
}

fn total(units: &[UnitEvidence<'_>], epochs: usize) -> Vec<TotalDiversity> {
    let levels = [Level::As, Level::Address];
    let each = (0..epochs).flat_map(|epoch| levels.map(|level| (epoch, level)));
    let of = |(epoch, level)| {
        let measured = units.iter().filter(|unit| !unit.control);
        let pairs: Vec<f64> =
            measured.flat_map(|unit| diversity::path_diversities(unit, epoch, level)).collect();
        let number = super::number::length(pairs.len());
        let value = (!pairs.is_empty()).then(|| pairs.iter().sum::<f64>() / number);
        TotalDiversity { epoch, level, value, pairs: pairs.len() }
    };
    each.map(of).collect()
}

fn evidence<'a>(
    view: &UnitView<'a>,
    ways: &Ways,
    (origins, aliases): (&OriginTable, &Aliases),
    epochs: &Epochs,
) -> UnitEvidence<'a> {
    let told = taken(view.told());
    let found: Vec<&Found> = ways.found.iter().filter(|found| found.unit == view.unit).collect();
    let names =
        told.iter().map(|taken| taken.route.vantage()).chain(found.iter().map(|found| &found.vantage));
    let names: BTreeSet<&Name> = names.collect();
    let vantages: BTreeMap<&Name, usize> = names.into_iter().zip(0..).collect();
    let own: BTreeSet<Asn> = taken(view.routes()).iter().filter_map(|taken| taken.route.own()).collect();
    let in_epoch = |epoch: usize| {
        let told = taken(view.told().filter(|route| route.epoch == epoch));
        let within = |found: &&&Found| found.sent.and_then(|sent| epochs.of_both(sent)) == Some(epoch);
        let found: Vec<&Found> = found.iter().filter(within).copied().collect();
        let mut evidence = seen(&told, &found, &vantages);
        let is_own =
            |address: &IpAddr| origins.lookup(*address).asn().is_some_and(|asn| own.contains(&asn));
        let addresses = evidence.addresses();
        evidence.spare(addresses.into_iter().filter(is_own));
        EpochEvidence {
            routers: (!aliases.is_empty()).then(|| evidence.joined(|address| aliases.router(address))),
            traced: view.routes().filter(|route| route.epoch == epoch).count(),
            evidence,
            ases: view.graph(&told).map(|graph| AsGraph::web(&graph)),
            chance_missed: chance_missed(&found),
        }
    };
    let sample = sample(view, &told, epochs.count());
    UnitEvidence {
        unit: view.unit,
        control: view.control,
        sample: if aliases.is_empty() { sample } else { sample.joined(|address| aliases.router(address)) },
        epochs: (0..epochs.count()).map(in_epoch).collect(),
    }
}

fn sample<'a>(view: &UnitView<'a>, told: &[Taken<'a>], epochs: usize) -> Sample<'a> {
    let numbers: Keyed<usize, usize> = told.iter().map(|taken| taken.route.way_key()).zip(0..).collect();
    let ways: Vec<Way<'_>> = told.iter().filter_map(|taken| way(taken.route)).collect();
    let sighting = |route: Route<'_>| {
        let PinnedFlow { target, protocol, port, flow } = *route.flow();
        Some(Sighting {
            way: *numbers.get(&route.way_key())?,
            target,
            flow: (protocol, port, flow),
            epoch: route.epoch,
            at: route.sent.0,
            rtt: route.arrival().and_then(|(_, rtt)| rtt),
        })
    };
    Sample::new(&ways, view.told().filter_map(sighting), epochs)
}

fn way(route: Route<'_>) -> Option<Way<'_>> {
    Some(Way {
        vantage: route.vantage(),
        upstream: route.upstream().ok()?.asn,
        ends: (route.own(), route.origin()),
        ases: route.walk().steps.iter().map(|step| step.asn).collect(),
        routers: route.routers(),
        arrival: route.arrival().map(|(ttl, _)| ttl),
    })
}

fn seen(told: &[Taken<'_>], found: &[&Found], vantages: &BTreeMap<&Name, usize>) -> Evidence {
    let mut evidence = Evidence::default();
    let number = |name: &Name| vantages.get(name).copied().unwrap_or_default();
    for route in told.iter().map(|taken| taken.route) {
        let before = route.arrival().map_or(0, |(ttl, _)| usize::from(ttl).saturating_sub(1));
        let mut routers = route.routers().to_vec();
        routers.resize(before.max(routers.len()), None);
        evidence.add_way(number(route.vantage()), &routers, route.arrival().is_some());
    }
    for found in found {
        let vantage = number(&found.vantage);
        let first = found.first.iter().map(|router| (Spot::Vantage(vantage), found.spot(*router)));
        let links = found.links.iter().map(|link| (found.spot(link.from), found.spot(link.to)));
        evidence.add_links(vantage, first.chain(links).collect::<Vec<SpotLink>>());
    }
    evidence
}

impl Found {
    /// The target, or any address of the unit, is where the way ends.
    fn spot(&self, address: IpAddr) -> Spot {
        let ends = self.towards.map_or_else(|| self.unit.0.contains(address), |target| target == address);
        if ends { Spot::Unit } else { Spot::Address(address) }
    }
}

/// Of every target the search that was surest to have missed nothing; of these the least sure.
fn chance_missed(found: &[&Found]) -> Option<f64> {
    let mut least: BTreeMap<(&Name, Option<IpAddr>), f64> = BTreeMap::new();
    for found in found {
        let chance = least.entry((&found.vantage, found.towards)).or_insert(1.0);
        *chance = chance.min(found.chance_missed);
    }
    least.into_values().max_by(f64::total_cmp)
}
