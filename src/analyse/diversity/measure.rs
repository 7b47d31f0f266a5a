//! What is measured of the ways to a unit, and how it is computed from traces that carry weights.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

use super::dissimilar::{LAMBDA, effective_path_diversity};
use super::sample::{Cell, Kind, Sample, Sums, mean};
use super::spread::{effective, evenness, real};
use crate::model::Asn;

/// Of what a number speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Addresses that answered.
    Address,
    /// Links between such addresses.
    Link,
    /// Routers: addresses that are known to belong together.
    Router,
    /// ASes.
    As,
    /// Links between ASes.
    AsLink,
}

impl Level {
    /// As it stands in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Link => "link",
            Self::Router => "router",
            Self::As => "as",
            Self::AsLink => "as_link",
        }
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// The share of traces through an upstream.
    UpstreamShare(Asn),
    /// The effective number of upstreams.
    EffectiveUpstreams,
    /// How evenly traces are spread over upstreams, 0 to 1.
    UpstreamEvenness,
    /// The AS hegemony of an AS between the ends.
    Hegemony(Asn),
    /// Distinct paths.
    DistinctPaths,
    /// The effective number of paths.
    EffectivePaths,
    /// How evenly traces are spread over paths, 0 to 1.
    PathEvenness,
    /// Ways that share no vertex or link, at least.
    Disjoint,
    /// The size of a smallest cut of all that was measured.
    SmallestCut,
    /// What every way crosses.
    SinglePoints,
    /// Effective path diversity.
    PathDiversity,
    /// The share of traces on the commonest path.
    Prevalence,
    /// The share of traces that went the same way as the one before of the same flow.
    Persistence,
    /// Hops to the target.
    Hops,
    /// Hops in parts of the fewest ever seen to the same target.
    HopInflation,
    /// Round-trip time in parts of the shortest ever seen to the same target.
    RttInflation,
    /// The estimated number of kinds, seen and unseen.
    EstimatedKinds,
    /// Kinds that so much effort would have shown as the smaller of two epochs had.
    RarefiedKinds,
    /// The share of the next sightings that would be of known kinds.
    Coverage,
    /// The chance that a search missed a router.
    ChanceMissed,
}

impl Measure {
    /// As it stands in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UpstreamShare(_) => "upstream_share",
            Self::EffectiveUpstreams => "effective_upstreams",
            Self::UpstreamEvenness => "upstream_evenness",
            Self::Hegemony(_) => "hegemony",
            Self::DistinctPaths => "distinct_paths",
            Self::EffectivePaths => "effective_paths",
            Self::PathEvenness => "path_evenness",
            Self::Disjoint => "disjoint_paths",
            Self::SmallestCut => "smallest_cut",
            Self::SinglePoints => "single_points",
            Self::PathDiversity => "path_diversity",
            Self::Prevalence => "prevalence",
            Self::Persistence => "persistence",
            Self::Hops => "hops",
            Self::HopInflation => "hop_inflation",
            Self::RttInflation => "rtt_inflation",
            Self::EstimatedKinds => "estimated_kinds",
            Self::RarefiedKinds => "rarefied_kinds",
            Self::Coverage => "coverage",
            Self::ChanceMissed => "chance_missed",
        }
    }

    /// The AS that it speaks of, where it speaks of one.
    #[must_use]
    pub const fn of(self) -> Option<Asn> {
        match self {
            Self::UpstreamShare(asn) | Self::Hegemony(asn) => Some(asn),
            _ => None,
        }
    }

    /// Between which values it can lie.
    pub(super) const fn range(self) -> (f64, f64) {
        match self {
            Self::UpstreamShare(_)
            | Self::UpstreamEvenness
            | Self::Hegemony(_)
            | Self::PathEvenness
            | Self::PathDiversity
            | Self::Prevalence
            | Self::Persistence
            | Self::Coverage
            | Self::ChanceMissed => (0.0, 1.0),
            Self::SinglePoints => (0.0, f64::MAX),
            Self::EffectiveUpstreams
            | Self::DistinctPaths
            | Self::EffectivePaths
            | Self::Disjoint
            | Self::SmallestCut
            | Self::Hops
            | Self::HopInflation
            | Self::RttInflation
            | Self::EstimatedKinds
            | Self::RarefiedKinds => (1.0, f64::MAX),
        }
    }

    /// Whether drawing flows again tells how sure it is; the others are counts of what was seen, which no
    /// drawing can raise.
    pub(super) const fn is_resampled(self) -> bool {
        !matches!(self, Self::DistinctPaths | Self::PathDiversity)
    }
}

/// A number to be computed.
pub(super) type Key = (Level, Measure);

/// Everything that is computed from weighted traces of a sample.
pub(super) fn keys(sample: &Sample<'_>) -> Vec<Key> {
    let mut keys: Vec<Key> =
        sample.upstreams.iter().map(|asn| (Level::As, Measure::UpstreamShare(*asn))).collect();
    keys.extend([(Level::As, Measure::EffectiveUpstreams), (Level::As, Measure::UpstreamEvenness)]);
    keys.extend(sample.crossed.iter().map(|asn| (Level::As, Measure::Hegemony(*asn))));
    for level in [Level::As, Level::Address] {
        let of_paths = [
            Measure::DistinctPaths,
            Measure::EffectivePaths,
            Measure::PathEvenness,
            Measure::PathDiversity,
            Measure::Prevalence,
            Measure::Persistence,
        ];
        keys.extend(of_paths.map(|measure| (level, measure)));
    }
    keys.extend([Measure::DistinctPaths, Measure::EffectivePaths].map(|of| (Level::Router, of)));
    keys.extend(
        [Measure::Hops, Measure::HopInflation, Measure::RttInflation].map(|of| (Level::Address, of)),
    );
    keys
}

/// Traces added up, each flow with its weight.
pub(super) struct Tally<'s, 'a> {
    sample: &'s Sample<'a>,
    kinds: Vec<f64>,
    sums: Sums,
    /// Whether flows carry weights, so that counts of what was seen mean nothing.
    weighted: bool,
}

impl<'s, 'a> Tally<'s, 'a> {
    /// All traces of an epoch. Without weights every flow counts once.
    pub(super) fn new(sample: &'s Sample<'a>, epoch: usize, weights: Option<&[f64]>) -> Self {
        let kinds = vec![0.0; sample.kinds.len()];
        let mut tally = Self { sample, kinds, sums: Sums::default(), weighted: weights.is_some() };
        for (index, flow) in sample.flows.iter().enumerate() {
            let weight = weights.map_or(1.0, |weights| weights.get(index).copied().unwrap_or(0.0));
            if let Some(cell) = flow.cells.get(epoch).filter(|_| weight > 0.0) {
                tally.add(cell, weight);
            }
        }
        tally
    }

    fn add(&mut self, cell: &Cell, weight: f64) {
        for (kind, traces) in &cell.kinds {
            if let Some(sum) = self.kinds.get_mut(*kind) {
                *sum += weight * traces;
            }
        }
        self.sums.add(&cell.sums, weight);
    }

    /// The values of all keys, in their order; `None` where there is nothing to compute them from.
    pub(super) fn values(&self, keys: &[Key]) -> Vec<Option<f64>> {
        let ases = LazyCell::new(|| self.by(|kind| Some(kind.as_path)));
        let addresses = LazyCell::new(|| self.by(|kind| Some(kind.address_path)));
        let routers = LazyCell::new(|| self.by(|kind| kind.router_path));
        let upstreams = self.by(|kind| Some(kind.upstream));
        let hegemony = LazyCell::new(|| self.hegemony());
        let value = |(level, measure): &Key| {
            let of_paths: &[f64] = match level {
                Level::As => &ases,
                Level::Router => &routers,
                _ => &addresses,
            };
            let same = if *level == Level::As { self.sums.same_ases } else { self.sums.same_addresses };
            if self.weighted && !measure.is_resampled() {
                return None;
            }
            match measure {
                Measure::UpstreamShare(asn) => self.upstream_share(*asn, &upstreams),
                Measure::EffectiveUpstreams => effective(&upstreams),
                Measure::UpstreamEvenness => evenness(&upstreams),
                Measure::Hegemony(asn) => hegemony.as_ref()?.get(asn).copied().or(Some(0.0)),
                Measure::DistinctPaths => {
                    let used = of_paths.iter().filter(|weight| **weight > 0.0).count();
                    (used > 0).then(|| real(used))
                }
                Measure::EffectivePaths => effective(of_paths),
                Measure::PathEvenness => evenness(of_paths),
                Measure::PathDiversity => self.path_diversity(*level),
                Measure::Prevalence => {
                    let most = of_paths.iter().copied().max_by(f64::total_cmp)?;
                    mean(most, of_paths.iter().sum())
                }
                Measure::Persistence => mean(same, self.sums.followed),
                Measure::Hops => mean(self.sums.hops, self.sums.arrived),
                Measure::HopInflation => mean(self.sums.stretch, self.sums.arrived),
                Measure::RttInflation => mean(self.sums.slowness, self.sums.timed),
                _ => None,
            }
        };
        keys.iter().map(value).collect()
    }

    /// Weights added up by something of the kind, where it is known.
    fn by(&self, of: impl Fn(&Kind) -> Option<usize>) -> Vec<f64> {
        let mut sums: BTreeMap<usize, f64> = BTreeMap::new();
        for (of, weight) in self.used().filter_map(|(kind, weight)| Some((of(kind)?, weight))) {
            *sums.entry(of).or_default() += weight;
        }
        let most = sums.keys().next_back().map_or(0, |most| most.saturating_add(1));
        (0..most).map(|index| sums.get(&index).copied().unwrap_or(0.0)).collect()
    }

    fn used(&self) -> impl Iterator<Item = (&Kind, f64)> {
        self.sample.kinds.iter().zip(self.kinds.iter().copied()).filter(|(_, weight)| *weight > 0.0)
    }

    fn upstream_share(&self, asn: Asn, upstreams: &[f64]) -> Option<f64> {
        let index = self.sample.upstreams.binary_search(&asn).ok()?;
        mean(upstreams.get(index).copied().unwrap_or(0.0), upstreams.iter().sum())
    }

    /// AS hegemony (Fontugne, Shah, Aben 2018) with the traceroute vantages as viewpoints, of those that have a path
    /// (its sparse mode): of each the share of traces that cross the AS; of these the mean, a tenth cut off at
    /// either end. With fewer than ten vantages nothing is cut.
    fn hegemony(&self) -> Option<BTreeMap<Asn, f64>> {
        let mut wholes: BTreeMap<usize, f64> = BTreeMap::new();
        let mut crossings: BTreeMap<usize, BTreeMap<usize, f64>> = BTreeMap::new();
        for (kind, weight) in self.used() {
            *wholes.entry(kind.vantage).or_default() += weight;
            for asn in &kind.crossed {
                *crossings.entry(*asn).or_default().entry(kind.vantage).or_default() += weight;
            }
        }
        if wholes.is_empty() {
            return None;
        }
        let scores = crossings.iter().filter_map(|(asn, crossing)| {
            let share = |(vantage, whole): (&usize, &f64)| crossing.get(vantage).unwrap_or(&0.0) / whole;
            let shares: Vec<f64> = wholes.iter().map(share).collect();
            Some((*self.sample.crossed.get(*asn)?, trimmed_mean(shares)?))
        });
        Some(scores.collect())
    }

    /// The mean over the vantages that have a path of the diversity of their paths.
    fn path_diversity(&self, level: Level) -> Option<f64> {
        let of_each = self.path_diversities(level);
        mean(of_each.iter().sum(), real(of_each.len()))
    }

    /// The effective path diversity of each vantage that has a path.
    pub(super) fn path_diversities(&self, level: Level) -> Vec<f64> {
        let mut elements = Elements::default();
        let mut paths: BTreeMap<usize, BTreeSet<BTreeSet<usize>>> = BTreeMap::new();
        for (kind, _) in self.used() {
            let path = if level == Level::As { elements.of_ases(kind) } else { elements.of_routers(kind) };
            paths.entry(kind.vantage).or_default().insert(path);
        }
        paths.values().filter_map(|paths| effective_path_diversity(paths, LAMBDA)).collect()
    }
}

/// The mean without a tenth at either end.
fn trimmed_mean(mut shares: Vec<f64>) -> Option<f64> {
    shares.sort_by(f64::total_cmp);
    let cut = shares.len().div_euclid(10);
    let kept = shares.get(cut..shares.len().saturating_sub(cut))?;
    mean(kept.iter().sum(), real(kept.len()))
}

/// Nodes and links of paths, by numbers.
#[derive(Default)]
struct Elements {
    numbers: BTreeMap<(Option<std::net::IpAddr>, Option<std::net::IpAddr>), usize>,
    ases: BTreeMap<(Option<Asn>, Option<Asn>), usize>,
}

impl Elements {
    /// The routers of a way and the links between those that answered one behind the other; the vantage and the
    /// target, as the ends of links, are no routers.
    fn of_routers(&mut self, kind: &Kind) -> BTreeSet<usize> {
        let known = kind.routers.iter().map(|router| router.map(Some));
        let end = kind.arrived.then_some(None);
        let spots: Vec<Option<Option<std::net::IpAddr>>> =
            std::iter::once(Some(None)).chain(known).chain(std::iter::once(end)).collect();
        let nodes = kind.routers.iter().flatten().map(|router| (Some(*router), Some(*router)));
        let links = spots.iter().zip(spots.iter().skip(1)).filter_map(|(from, to)| from.zip(*to));
        let all: Vec<_> = nodes.chain(links).collect();
        all.into_iter().map(|element| number(&mut self.numbers, element)).collect()
    }

    /// The ASes between the ends and the links between all; without links that lie across a gap no path is known, so
    /// these count.
    fn of_ases(&mut self, kind: &Kind) -> BTreeSet<usize> {
        let inner = kind.ases.iter().filter(|asn| Some(**asn) != kind.own);
        let inner = inner.take(kind.ases.len().saturating_sub(1));
        let last = kind.ases.last();
        let nodes = inner.filter(|asn| Some(*asn) != last).map(|asn| (Some(*asn), Some(*asn)));
        let links =
            kind.ases.iter().zip(kind.ases.iter().skip(1)).map(|(from, to)| (Some(*from), Some(*to)));
        let all: Vec<_> = nodes.chain(links).collect();
        all.into_iter().map(|element| number(&mut self.ases, element)).collect()
    }
}

fn number<K: Ord>(numbers: &mut BTreeMap<K, usize>, key: K) -> usize {
    let next = numbers.len();
    *numbers.entry(key).or_insert(next)
}
