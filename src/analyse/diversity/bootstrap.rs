//! The cluster bootstrap: how much a number would differ had other flows been drawn.
//!
//! What is drawn again, with replacement, are whole targets with all their flows, or, where there are too few
//! targets, whole flows; always with all their rounds, and within each vantage, which stay as they are. So
//! an interval speaks of these vantages. A flow that was traced before and after an event is drawn for both
//! (Davison, Hinkley: *Bootstrap methods and their application*, 1997, §3.8).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rand::rngs::ChaCha8Rng;
use rand::{Rng as _, SeedableRng as _};

use super::sample::{Flow, Sample};
use super::spread::real;

/// How often everything is drawn again.
pub const REPLICATES: usize = 999;
/// The fewest that are drawn from.
pub const FEWEST: usize = 8;

/// What is drawn again as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drawn {
    /// Targets, with all their flows.
    Targets,
    /// Flows.
    Flows,
}

impl Drawn {
    /// What is drawn of these flows: of each its target, and epoch by epoch the ways that it took, none where it was not
    /// traced. Whole targets where there are enough of them, or where all flows to one target always went one way, while
    /// targets differ: then a balancer goes by target, and its flows are no samples of their own.
    #[must_use]
    pub fn of<T: Ord, W: Ord>(flows: impl IntoIterator<Item = (T, Vec<BTreeSet<W>>)>) -> Self {
        let mut targets: BTreeMap<T, Vec<BTreeSet<BTreeSet<W>>>> = BTreeMap::new();
        let mut several = false;
        for (target, epochs) in flows {
            let ways = targets.entry(target).or_default();
            several |= !ways.is_empty();
            ways.resize_with(epochs.len(), BTreeSet::new);
            for (ways, of_flow) in ways.iter_mut().zip(epochs).filter(|(_, of_flow)| !of_flow.is_empty()) {
                ways.insert(of_flow);
            }
        }
        let agree = targets.values().flatten().all(|ways| ways.len() <= 1);
        let different: BTreeSet<_> = targets.values().collect();
        let by_target = several && agree && different.len() > 1;
        if targets.len() >= FEWEST || by_target { Self::Targets } else { Self::Flows }
    }

    /// As it stands in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Targets => "targets",
            Self::Flows => "flows",
        }
    }
}

/// What is drawn from: of each vantage the clusters of flows, by their indices.
#[derive(Clone, Debug)]
pub(super) struct Urns {
    pub(super) drawn: Drawn,
    by_vantage: Vec<Vec<Vec<usize>>>,
    flows: usize,
}

impl Urns {
    /// The urns for a sample. Fewer than [`FEWEST`] clusters in all are too few: then their number.
    pub(super) fn new(sample: &Sample<'_>) -> Result<Self, usize> {
        let ways =
            |flow: &Flow| flow.cells.iter().map(|cell| cell.kinds.keys().copied().collect()).collect();
        let drawn = Drawn::of(sample.flows.iter().map(|flow| ((flow.vantage, flow.target), ways(flow))));
        let urns = match drawn {
            Drawn::Targets => Self::gathered(&sample.flows, |_, flow| (flow.vantage, Some(flow.target), 0)),
            Drawn::Flows => Self::gathered(&sample.flows, |index, flow| (flow.vantage, None, index)),
        };
        let clusters = urns.iter().map(Vec::len).sum::<usize>();
        if clusters < FEWEST {
            return Err(clusters);
        }
        Ok(Self { drawn, by_vantage: urns, flows: sample.flows.len() })
    }

    fn gathered<K: Ord>(
        flows: &[Flow],
        key: impl Fn(usize, &Flow) -> (usize, Option<std::net::IpAddr>, K),
    ) -> Vec<Vec<Vec<usize>>> {
        let mut urns: BTreeMap<usize, BTreeMap<_, Vec<usize>>> = BTreeMap::new();
        for (index, flow) in flows.iter().enumerate() {
            let key = key(index, flow);
            urns.entry(key.0).or_default().entry(key).or_default().push(index);
        }
        urns.into_values().map(|urn| urn.into_values().collect()).collect()
    }

    /// How often each flow is drawn, as often as asked.
    pub(super) fn draws(&self, seed: [u8; 32], times: usize) -> Vec<Vec<f64>> {
        let mut random = ChaCha8Rng::from_seed(seed);
        (0..times).map(|_| self.draw(&mut random)).collect()
    }

    fn draw(&self, random: &mut ChaCha8Rng) -> Vec<f64> {
        let mut weights = vec![0.0; self.flows];
        for urn in &self.by_vantage {
            for _ in 0..urn.len() {
                let chosen = below(random.next_u64(), urn.len());
                for flow in urn.get(chosen).into_iter().flatten() {
                    if let Some(weight) = weights.get_mut(*flow) {
                        *weight += 1.0;
                    }
                }
            }
        }
        weights
    }

    /// All clusters, vantage by vantage.
    pub(super) fn clusters(&self) -> impl Iterator<Item = &[usize]> {
        self.by_vantage.iter().flatten().map(Vec::as_slice)
    }

    /// Of each vantage, which of all clusters are its own.
    pub(super) fn of_clusters(&self) -> Vec<Range<usize>> {
        let mut next = 0_usize;
        let ranges = self.by_vantage.iter().map(|urn| {
            let first = next;
            next = next.saturating_add(urn.len());
            first..next
        });
        ranges.collect()
    }

    /// By how much the spread of drawing from so few falls short.
    pub(super) fn shortfall(&self) -> f64 {
        let freedom = self.by_vantage.iter().map(|urn| urn.len().saturating_sub(1)).sum::<usize>();
        let clusters = self.by_vantage.iter().map(Vec::len).sum::<usize>();
        if freedom == 0 { 1.0 } else { (real(clusters) / real(freedom)).sqrt() }
    }
}

/// A number below a bound, from 64 random bits. The bias is below one part in 2⁶⁴ / bound.
fn below(bits: u64, bound: usize) -> usize {
    let bound = u128::try_from(bound).unwrap_or(u128::MAX);
    usize::try_from(u128::from(bits).saturating_mul(bound) >> 64).unwrap_or_default()
}

/// The interval around a value from what was drawn: at either end the farther of the percentile and of the basic
/// bootstrap, which turns the differences round, so that a number that is too low in every draw is not taken for
/// low. `None` where no draw differs.
pub(super) fn interval(value: f64, drawn: &[f64], (confidence, factor): (f64, f64)) -> Option<(f64, f64)> {
    let mut off: Vec<f64> = drawn.iter().map(|drawn| drawn - value).filter(|off| off.is_finite()).collect();
    off.sort_by(f64::total_cmp);
    let (least, most) = (off.first()?, off.last()?);
    if most - least < 1e-12 {
        return None;
    }
    let tail = (1.0 - confidence) / 2.0;
    let (low, high) = (quantile(&off, tail)?, quantile(&off, 1.0 - tail)?);
    let turned = (-high.max(0.0), -low.min(0.0));
    Some((value + factor * low.min(turned.0), value + factor * high.max(turned.1)))
}

/// A quantile of sorted numbers, interpolated between two.
fn quantile(sorted: &[f64], at: f64) -> Option<f64> {
    let place = at * (real(sorted.len()) + 1.0) - 1.0;
    let place = place.clamp(0.0, real(sorted.len().saturating_sub(1)));
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the indices")]
    let index = place as usize;
    let (low, high) = (sorted.get(index)?, sorted.get(index.saturating_add(1)).or(sorted.last())?);
    Some(low + (high - low) * place.fract())
}
