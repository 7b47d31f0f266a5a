//! From the flows of a unit to its numbers, epoch by epoch and between epochs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::evidence::{Evidence, Spot};
use super::findings::{
    By, Contrast, CutMember, Difference, EpochDiversity, Figure, Interval, NamedCut, Reading,
    UnitDiversity, Why,
};
use super::measure::{Key, Level, Measure, Tally, keys};
use super::resample::{Of, Resampled};
use super::richness::Incidence;
use super::sample::{Cell, Sample};
use super::spread::real;
use crate::analyse::graph::{CutOf, Member, Web};
use crate::model::{Asn, Unit};

/// All that is known of a unit.
#[derive(Clone, Debug)]
pub struct UnitEvidence<'a> {
    /// The unit.
    pub unit: Unit,
    /// Whether it is a control unit.
    pub control: bool,
    /// Its traces.
    pub sample: Sample<'a>,
    /// One entry an epoch.
    pub epochs: Vec<EpochEvidence>,
}

/// What else is known of a unit in an epoch.
#[derive(Clone, Debug, Default)]
pub struct EpochEvidence {
    /// Traces, whether their upstream is told or not.
    pub traced: usize,
    /// Addresses and links, from traces and searches.
    pub evidence: Evidence,
    /// The same, with addresses that are known to be on one router taken for one; `None` where that is known of none.
    pub routers: Option<Evidence>,
    /// The graph of ASes; `None` if the origin is not known.
    pub ases: Option<Web<Asn>>,
    /// An upper bound on the chance that multipath searches and censuses missed a router; `None` without any.
    pub chance_missed: Option<f64>,
}

/// How to judge, the same for all units.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// The level of every interval, above 0 and below 1.
    pub confidence: f64,
    /// The quantile of the normal distribution that belongs to it.
    pub z: f64,
    /// What all drawing begins from.
    pub seed: u64,
}

/// What is found about a unit.
#[must_use]
pub fn judge(unit: &UnitEvidence<'_>, scale: &Scale) -> UnitDiversity {
    let judge = Judge::new(unit, scale);
    let epochs = 0..unit.epochs.len();
    UnitDiversity {
        unit: unit.unit,
        control: unit.control,
        by_epoch: epochs.clone().map(|epoch| judge.epoch(epoch)).collect(),
        contrasts: epochs.skip(1).flat_map(|epoch| judge.contrasts(epoch)).collect(),
    }
}

/// The effective path diversity of each vantage with a path to a unit in an epoch.
#[must_use]
pub fn path_diversities(unit: &UnitEvidence<'_>, epoch: usize, level: Level) -> Vec<f64> {
    Tally::new(&unit.sample, epoch, None).path_diversities(level)
}

struct Judge<'s, 'a> {
    unit: &'s UnitEvidence<'a>,
    scale: &'s Scale,
    keys: Vec<Key>,
    /// By epoch, the value of each key.
    values: Vec<Vec<Option<f64>>>,
    /// By epoch, what the graph of all that was seen tells.
    graphs: Vec<Vec<Reading>>,
    resampled: Resampled<'s, 'a>,
}

impl<'s, 'a> Judge<'s, 'a> {
    fn new(unit: &'s UnitEvidence<'a>, scale: &'s Scale) -> Self {
        let (sample, keys) = (&unit.sample, keys(&unit.sample));
        let values = (0..unit.epochs.len()).map(|epoch| Tally::new(sample, epoch, None).values(&keys));
        let values = values.collect();
        let resampled = Resampled::new(sample, &keys, seed(scale.seed, unit.unit));
        let mut judge = Self { unit, scale, keys, values, graphs: Vec::new(), resampled };
        judge.graphs =
            unit.epochs.iter().zip(0..).map(|(known, epoch)| judge.of_graph(known, epoch)).collect();
        judge
    }

    fn epoch(&self, epoch: usize) -> EpochDiversity {
        let cells = || self.unit.sample.traced(epoch);
        let mut readings: Vec<Reading> =
            (0..self.keys.len()).filter_map(|key| self.reading(epoch, key)).collect();
        readings.extend(self.graph(epoch));
        readings.extend(self.of_richness(epoch));
        readings.push(self.chance_missed(epoch));
        let evidence = self.unit.epochs.get(epoch);
        EpochDiversity {
            flows: cells().count(),
            traces: whole(cells().map(Cell::traces).sum()),
            readings,
            cuts: evidence.map(cuts).unwrap_or_default(),
            single_addresses: evidence.map(|known| known.evidence.single_points()).unwrap_or_default(),
        }
    }

    fn reading(&self, epoch: usize, key: usize) -> Option<Reading> {
        let (level, measure) = *self.keys.get(key)?;
        let judged = match self.value(epoch, key) {
            None => Err(self.why(epoch, (level, measure))),
            Some(value) => {
                let interval = self.interval((measure, Of::Epoch(epoch, key)), value, measure.range());
                Ok(Figure { value, interval, effort: self.effort(epoch) })
            }
        };
        Some(Reading { level, measure, judged })
    }

    fn value(&self, epoch: usize, key: usize) -> Option<f64> {
        self.values.get(epoch)?.get(key).copied().flatten()
    }

    fn interval(
        &self,
        (measure, of): (Measure, Of),
        value: f64,
        (least, most): (f64, f64),
    ) -> Result<Interval, Why> {
        if !measure.is_resampled() {
            return Err(Why::CountOfSeen);
        }
        let (low, high, drawn) = self.resampled.interval(of, value, self.scale.confidence)?;
        Ok(Interval { low: low.max(least), high: high.min(most), by: By::Bootstrap(drawn) })
    }

    fn effort(&self, epoch: usize) -> usize {
        self.unit.sample.traced(epoch).count()
    }

    /// Why a measure has no value.
    fn why(&self, epoch: usize, (level, measure): (Level, Measure)) -> Why {
        if self.effort(epoch) == 0 {
            let traced = self.unit.epochs.get(epoch).map_or(0, |known| known.traced);
            return if traced == 0 { Why::NotTraced } else { Why::Untold };
        }
        if level == Level::Router && self.unit.epochs.get(epoch).is_none_or(|known| known.routers.is_none())
        {
            return Why::NoAliases;
        }
        match measure {
            Measure::UpstreamEvenness | Measure::PathEvenness => Why::OneKind,
            Measure::Persistence => Why::OneRound,
            Measure::Hops | Measure::HopInflation => Why::NoArrival,
            Measure::RttInflation => {
                let arrived = self.unit.sample.traced(epoch).any(|cell| cell.sums.arrived > 0.0);
                if arrived { Why::Untimed } else { Why::NoArrival }
            }
            _ => Why::NoWay,
        }
    }

    /// Disjoint ways, smallest cuts and single points.
    fn of_graph(&self, known: &EpochEvidence, epoch: usize) -> Vec<Reading> {
        let evidence = &known.evidence;
        let ases = |of| known.ases.as_ref().and_then(|web| web.cut(of)).map(|cut| cut.len());
        let size = |evidence: &Evidence, of| evidence.cut(of).map(|cut| cut.len());
        let points = |evidence: &Evidence| {
            evidence.cut(CutOf::Links).is_some().then(|| evidence.single_points().len())
        };
        let routers = known.routers.as_ref();
        let single_ases = known.ases.as_ref().map_or(0, |web| web.single_points().len());
        let counts = [
            (Level::Address, Measure::Disjoint, evidence.disjoint(CutOf::Vertices)),
            (Level::Address, Measure::SmallestCut, size(evidence, CutOf::Vertices)),
            (Level::Address, Measure::SinglePoints, points(evidence)),
            (Level::Link, Measure::Disjoint, evidence.disjoint(CutOf::Links)),
            (Level::Link, Measure::SmallestCut, size(evidence, CutOf::Links)),
            (Level::Router, Measure::Disjoint, routers.and_then(|known| known.disjoint(CutOf::Vertices))),
            (Level::Router, Measure::SmallestCut, routers.and_then(|known| size(known, CutOf::Vertices))),
            (Level::Router, Measure::SinglePoints, routers.and_then(points)),
            (Level::As, Measure::Disjoint, ases(CutOf::Vertices)),
            (Level::As, Measure::SinglePoints, ases(CutOf::Links).map(|_| single_ases)),
            (Level::AsLink, Measure::Disjoint, ases(CutOf::Links)),
        ];
        let reading = |(level, measure, count): (Level, Measure, Option<usize>)| {
            let figure = count.map(|count| self.count(epoch, real(count)));
            Reading { level, measure, judged: figure.ok_or_else(|| self.why(epoch, (level, measure))) }
        };
        counts.into_iter().map(reading).collect()
    }

    fn graph(&self, epoch: usize) -> impl Iterator<Item = Reading> {
        self.graphs.get(epoch).into_iter().flatten().copied()
    }

    fn count(&self, epoch: usize, value: f64) -> Figure {
        Figure { value, interval: Err(Why::CountOfSeen), effort: self.effort(epoch) }
    }

    fn of_richness(&self, epoch: usize) -> Vec<Reading> {
        let of = |level: Level| {
            let kinds = self.incidence(epoch, level);
            let estimate = kinds.chao(self.scale.z).map(|found| Figure {
                value: found.estimate,
                interval: Ok(Interval { low: found.low, high: found.high, by: By::Chao }),
                effort: kinds.samples,
            });
            let why = || match kinds.samples {
                0 => self.why(epoch, (level, Measure::DistinctPaths)),
                few => Why::TooFew(few),
            };
            let coverage = kinds.coverage().map(|value| self.count(epoch, value));
            [
                Reading { level, measure: Measure::EstimatedKinds, judged: estimate.ok_or_else(why) },
                Reading { level, measure: Measure::Coverage, judged: coverage.ok_or_else(why) },
            ]
        };
        RICH.into_iter().flat_map(of).collect()
    }

    /// Of each kind, by how many flows of an epoch it was seen.
    fn incidence(&self, epoch: usize, level: Level) -> Incidence {
        let mut counts: BTreeMap<Species, usize> = BTreeMap::new();
        for cell in self.unit.sample.traced(epoch) {
            let kinds = cell.kinds.keys().filter_map(|kind| self.unit.sample.kinds.get(*kind));
            let seen: std::collections::BTreeSet<Species> = kinds
                .flat_map(|kind| match level {
                    Level::As => vec![Species::Path(kind.vantage, kind.as_path)],
                    Level::Link => links(&kind.routers).collect(),
                    _ => vec![Species::Path(kind.vantage, kind.address_path)],
                })
                .collect();
            for species in seen {
                let count = counts.entry(species).or_default();
                *count = count.saturating_add(1);
            }
        }
        Incidence { counts: counts.into_values().collect(), samples: self.effort(epoch) }
    }

    fn chance_missed(&self, epoch: usize) -> Reading {
        let missed = self.unit.epochs.get(epoch).and_then(|known| known.chance_missed);
        let judged = missed.map(|value| self.count(epoch, value)).ok_or(Why::NoSearch);
        Reading { level: Level::Address, measure: Measure::ChanceMissed, judged }
    }

    /// All differences of an epoch from the one before.
    fn contrasts(&self, epoch: usize) -> Vec<Contrast> {
        let mut contrasts: Vec<Contrast> =
            (0..self.keys.len()).filter_map(|key| self.contrast(epoch, key)).collect();
        let pairs = self.graph(epoch.saturating_sub(1)).zip(self.graph(epoch));
        contrasts.extend(pairs.map(|(before, after)| {
            let judged = both(before.judged, after.judged)
                .map(|(before, after)| difference(before, after, Err(Why::CountOfSeen)));
            Contrast { epoch, level: after.level, measure: after.measure, judged }
        }));
        contrasts.extend(RICH.map(|level| self.rarefied(epoch, level)));
        contrasts
    }

    fn contrast(&self, epoch: usize, key: usize) -> Option<Contrast> {
        let (level, measure) = *self.keys.get(key)?;
        let earlier = epoch.saturating_sub(1);
        let figure = |epoch| {
            let value = self.value(epoch, key).ok_or_else(|| self.why(epoch, (level, measure)))?;
            Ok(self.count(epoch, value))
        };
        let judged = both(figure(earlier), figure(epoch)).map(|(before, after)| {
            let (least, most) = measure.range();
            let change = after.value - before.value;
            let of = (measure, Of::Change(epoch, key));
            let interval = self.interval(of, change, (least - most, most - least));
            difference(before, after, interval)
        });
        Some(Contrast { epoch, level, measure, judged })
    }

    /// How many kinds either epoch shows at the effort of the one with the fewer flows.
    fn rarefied(&self, epoch: usize, level: Level) -> Contrast {
        let earlier = epoch.saturating_sub(1);
        let (before, after) = (self.incidence(earlier, level), self.incidence(epoch, level));
        let effort = before.samples.min(after.samples);
        let figure = |epoch: usize, kinds: &Incidence| {
            let why = self.why(epoch, (level, Measure::DistinctPaths));
            let empty = kinds.samples == 0;
            let found = kinds.rarefied_between(effort, self.scale.z);
            let (value, low, high) = found.ok_or(if empty { why } else { Why::TooFew(effort) })?;
            let interval = Ok(Interval { low, high, by: By::Rarefaction });
            Ok(Figure { value, interval, effort })
        };
        let judged = both(figure(earlier, &before), figure(epoch, &after)).map(|(before, after)| {
            let interval = apart(&before, &after);
            difference(before, after, interval)
        });
        Contrast { epoch, level, measure: Measure::RarefiedKinds, judged }
    }
}

/// The levels of which kinds are estimated: AS paths, address paths, and links between addresses.
const RICH: [Level; 3] = [Level::As, Level::Address, Level::Link];

/// Something of which there may be more than was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Species {
    /// A path, of a vantage.
    Path(usize, usize),
    /// A link.
    Link(IpAddr, IpAddr),
}

fn links(routers: &[Option<IpAddr>]) -> impl Iterator<Item = Species> {
    let pairs = routers.iter().zip(routers.iter().skip(1));
    pairs.filter_map(|(from, to)| from.zip(*to)).map(|(from, to)| Species::Link(from, to))
}

fn both(before: Result<Figure, Why>, after: Result<Figure, Why>) -> Result<(Figure, Figure), Why> {
    match (before, after) {
        (Ok(before), Ok(after)) => Ok((before, after)),
        (Err(why), Err(other)) if why == other => Err(why),
        (Err(why), _) | (_, Err(why)) => Err(if why == Why::OneKind { Why::OneSided } else { why }),
    }
}

fn difference(before: Figure, after: Figure, interval: Result<Interval, Why>) -> Difference {
    let value = after.value - before.value;
    let effort = before.effort.min(after.effort);
    Difference { before: before.value, after: after.value, change: Figure { value, interval, effort } }
}

/// The interval of a difference from the intervals of both (Zou and Donner 2008).
fn apart(before: &Figure, after: &Figure) -> Result<Interval, Why> {
    let (one, other) = (before.interval?, after.interval?);
    let value = after.value - before.value;
    let down = (after.value - other.low).hypot(one.high - before.value);
    let up = (other.high - after.value).hypot(before.value - one.low);
    Ok(Interval { low: value - down, high: value + up, by: other.by })
}

fn cuts(known: &EpochEvidence) -> Vec<NamedCut> {
    let of_spots = |level, of| {
        let members = known.evidence.cut(of)?.into_iter().map(|member| match member {
            Member::Vertex(Spot::Address(address)) => CutMember::Address(address),
            Member::Vertex(spot) => CutMember::Link((spot, spot)),
            Member::Link(from, to) => CutMember::Link((from, to)),
        });
        Some(NamedCut { level, members: members.collect() })
    };
    let of_ases = |level, of| {
        let members = known.ases.as_ref()?.cut(of)?.into_iter().map(|member| match member {
            Member::Vertex(asn) => CutMember::As(asn),
            Member::Link(from, to) => CutMember::AsLink(from, to),
        });
        Some(NamedCut { level, members: members.collect() })
    };
    let all = [
        of_spots(Level::Address, CutOf::Vertices),
        of_spots(Level::Link, CutOf::Links),
        of_ases(Level::As, CutOf::Vertices),
        of_ases(Level::AsLink, CutOf::Links),
    ];
    all.into_iter().flatten().collect()
}

/// What the drawing of a unit begins from: the campaign's seed and the unit, byte by byte.
fn seed(seed: u64, unit: Unit) -> [u8; 32] {
    let mut bytes = [0; 32];
    let address: Vec<u8> = match unit.0.network() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let all = seed.to_le_bytes().into_iter().chain(address).chain([unit.0.length()]);
    bytes.iter_mut().zip(all).for_each(|(byte, from)| *byte = from);
    bytes
}

fn whole(number: f64) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of ones")]
    let number = number as u64;
    number
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyse::diversity::{Sighting, Way};
    use crate::model::{FlowId, Name, Port, Protocol, WallTime};

    /// Eight flows, all over one address of a router before the event and half over another of it behind.
    fn before_and_after(router: Option<fn(IpAddr) -> IpAddr>) -> UnitDiversity {
        let vantage = Name::try_from("here".to_owned()).unwrap();
        let [one, other]: [IpAddr; 2] = ["10.0.1.1", "10.0.1.2"].map(|address| address.parse().unwrap());
        let routers = [[Some(one)], [Some(other)]];
        let ways = routers.each_ref().map(|routers| Way {
            vantage: &vantage,
            upstream: Asn::try_from(4837_u32).unwrap(),
            ends: (None, None),
            ases: Vec::new(),
            routers,
            arrival: Some(2),
        });
        let sighting = |epoch: usize, flow: u16| Sighting {
            way: usize::from(epoch == 1 && flow.is_multiple_of(2)),
            target: "175.45.176.1".parse().unwrap(),
            flow: (Protocol::Udp, Port::new(33_434), FlowId(flow)),
            epoch,
            at: WallTime::from_nanos(0),
            rtt: None,
        };
        let sightings = (0..2)
            .flat_map(|epoch| (0..8).map(move |flow| (epoch, flow)))
            .map(|(epoch, flow)| sighting(epoch, flow));
        let evidence = |ways: &[[Option<IpAddr>; 1]]| {
            let mut evidence = Evidence::default();
            for way in ways {
                evidence.add_way(0, way, true);
            }
            let routers = router.map(|router| evidence.joined(router));
            EpochEvidence { traced: 8, evidence, routers, ases: None, chance_missed: None }
        };
        let sample = Sample::new(&ways, sightings, 2);
        let sample = match router {
            Some(router) => sample.joined(router),
            None => sample,
        };
        let epochs = vec![evidence(&routers[..1]), evidence(&routers)];
        let unit = Unit("175.45.176.0/24".parse().unwrap());
        judge(
            &UnitEvidence { unit, control: false, sample, epochs },
            &Scale { confidence: 0.95, z: 1.96, seed: 1 },
        )
    }

    fn change(found: &UnitDiversity, level: Level, measure: Measure) -> Result<(f64, f64), Why> {
        let is_it = |contrast: &&Contrast| (contrast.level, contrast.measure) == (level, measure);
        let judged = found.contrasts.iter().find(is_it).unwrap().judged;
        judged.map(|found| (found.before, found.after))
    }

    const OF_ROUTERS: [Measure; 4] =
        [Measure::DistinctPaths, Measure::EffectivePaths, Measure::Disjoint, Measure::SmallestCut];

    #[test]
    fn a_second_address_of_a_router_is_no_second_way() {
        let found = before_and_after(Some(|_| "10.0.1.1".parse().unwrap()));
        for measure in OF_ROUTERS {
            assert_eq!(change(&found, Level::Router, measure), Ok((1.0, 1.0)), "{measure:?}");
        }
        for measure in [Measure::DistinctPaths, Measure::EffectivePaths, Measure::Disjoint] {
            assert_eq!(change(&found, Level::Address, measure), Ok((1.0, 2.0)), "{measure:?}");
        }
    }

    #[test]
    fn where_no_aliases_are_known_nothing_is_said_of_routers() {
        let found = before_and_after(None);
        for measure in OF_ROUTERS {
            assert_eq!(change(&found, Level::Router, measure), Err(Why::NoAliases), "{measure:?}");
        }
    }
}
