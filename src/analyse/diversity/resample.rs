//! Intervals by tilting: how far the flows would have to lean towards larger or smaller values before what was measured
//! became unlikely.
//!
//! The flows are drawn again, cluster by cluster, once. For any number the draws are then weighed as if clusters that
//! raise it had been likelier (exponential tilting along its empirical influence: `DiCiccio` and Romano 1990;
//! Hesterberg 1999), and an end of the interval is the value under the tilt at which a draw at least as extreme as
//! the measurement has half of the rest of the confidence. Unlike percentiles of the draws this holds for numbers that
//! are too low in every draw, as entropies are, and near their largest value.

use super::bootstrap::{Drawn, REPLICATES, Urns, interval};
use super::findings::Why;
use super::measure::{Key, Measure, Tally};
use super::sample::Sample;
use super::spread::real;

/// By epoch, the value of each key.
pub(super) type Values = Vec<Vec<Option<f64>>>;

/// Of what an interval is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of {
    /// The value of a key in an epoch.
    Epoch(usize, usize),
    /// The difference of a key in an epoch from the epoch before.
    Change(usize, usize),
}

/// A sample, drawn again.
pub(super) struct Resampled<'s, 'a> {
    sample: &'s Sample<'a>,
    keys: Vec<Key>,
    urns: Result<Urns, usize>,
    /// How often each flow was drawn, and what came of it.
    draws: Vec<(Vec<f64>, Values)>,
    /// What would come of it if a cluster counted a little more, cluster by cluster.
    nudged: Vec<Values>,
}

/// By how much more.
const NUDGE: f64 = 0.01;
/// In which steps is tilted, in standard deviations of the draws, and how many there are at most.
const STEP: f64 = 0.5;
const FARTHEST: u32 = 16;
/// Where influences explain a smaller part of the spread of the draws, the number bends too much to be tilted.
const STRAIGHT: f64 = 0.5;

impl<'s, 'a> Resampled<'s, 'a> {
    pub(super) fn new(sample: &'s Sample<'a>, keys: &[Key], seed: [u8; 32]) -> Self {
        let urns = Urns::new(sample);
        let mut made = Self { sample, keys: keys.to_vec(), urns, draws: Vec::new(), nudged: Vec::new() };
        if let Ok(urns) = &made.urns {
            let draws = urns.draws(seed, REPLICATES).into_iter().map(|weights| {
                let values = made.values(&weights);
                (weights, values)
            });
            let nudge = |cluster: &[usize]| {
                let mut weights = vec![1.0; sample.flows.len()];
                for flow in cluster {
                    weights.get_mut(*flow).into_iter().for_each(|weight| *weight += NUDGE);
                }
                made.values(&weights)
            };
            let (draws, nudged) = (draws.collect(), urns.clusters().map(nudge).collect());
            (made.draws, made.nudged) = (draws, nudged);
        }
        made
    }

    /// The values of all keys in all epochs, each flow with its weight.
    fn values(&self, weights: &[f64]) -> Values {
        let in_epoch = |epoch| Tally::new(self.sample, epoch, Some(weights)).values(&self.keys);
        (0..self.sample.epochs).map(in_epoch).collect()
    }

    /// The interval around a value, and what was drawn.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn interval(&self, of: Of, value: f64, confidence: f64) -> Result<(f64, f64, Drawn), Why> {
        let urns = self.urns.as_ref().map_err(|few| Why::TooFew(*few))?;
        if self.has_many_kinds(of, urns) {
            return Err(Why::ManyKinds);
        }
        let leaning = self.leaning(of, value, urns);
        let drawn: Vec<(f64, f64)> = self
            .draws
            .iter()
            .filter_map(|(weights, values)| Some((of.read(values)?, leaning.of_draw(weights, urns))))
            .collect();
        let plain: Vec<f64> = drawn.iter().map(|(drawn, _)| *drawn).collect();
        let (low, high) = interval(value, &plain, (confidence, urns.shortfall())).ok_or(Why::NoSpread)?;
        if leaning.size < STRAIGHT * deviation(&plain) {
            return Ok((low, high, urns.drawn));
        }
        let tail = (1.0 - confidence) / 2.0;
        let end = |sign: f64| {
            let at = |by: f64| {
                let weights = leaning.tilted(sign * by, urns, self.sample.flows.len());
                self.tilted(of, &weights).map(|tilted| sign * tilted)
            };
            tilt(sign * value, &drawn, (sign, tail), at).map(|end| sign * end)
        };
        let (low, high) = (end(-1.0).unwrap_or(low), end(1.0).unwrap_or(high));
        Ok((low.min(value), high.max(value), urns.drawn))
    }

    /// How much each cluster raises a number.
    fn leaning(&self, of: Of, value: f64, urns: &Urns) -> Leaning {
        let raises = |nudged: &Values| of.read(nudged).map_or(0.0, |nudged| (nudged - value) / NUDGE);
        let mut influence: Vec<f64> = self.nudged.iter().map(raises).collect();
        for urn in urns.of_clusters() {
            let Some(within) = influence.get_mut(urn) else { continue };
            let mean = within.iter().sum::<f64>() / real(within.len().max(1));
            for one in within.iter_mut() {
                *one -= mean;
            }
        }
        let size = influence.iter().map(|one| one * one).sum::<f64>().sqrt();
        if size > 0.0 {
            for one in &mut influence {
                *one /= size;
            }
        }
        Leaning { influence, size }
    }

    fn tilted(&self, of: Of, weights: &[f64]) -> Option<f64> {
        let value = |epoch: usize, key: usize| {
            let key = self.keys.get(key).copied()?;
            Tally::new(self.sample, epoch, Some(weights)).values(&[key]).first().copied().flatten()
        };
        match of {
            Of::Epoch(epoch, key) => value(epoch, key),
            Of::Change(epoch, key) => Some(value(epoch, key)? - value(epoch.saturating_sub(1), key)?),
        }
    }

    /// Whether kinds were seen so seldom that their spread over flows says little.
    fn has_many_kinds(&self, of: Of, urns: &Urns) -> bool {
        const FEWEST_A_KIND: usize = 5;
        let (Of::Epoch(epoch, key) | Of::Change(epoch, key)) = of;
        let Some((level, measure)) = self.keys.get(key) else { return false };
        let counts = match measure {
            Measure::EffectivePaths | Measure::PathEvenness => (*level, Measure::DistinctPaths),
            _ => return false,
        };
        let kinds = |epoch| {
            let found = Tally::new(self.sample, epoch, None).values(&[counts]).first().copied().flatten();
            found.unwrap_or(0.0)
        };
        let before = if matches!(of, Of::Change(..)) { kinds(epoch.saturating_sub(1)) } else { 0.0 };
        let enough = real(urns.clusters().count()) / real(FEWEST_A_KIND);
        kinds(epoch).max(before) > enough
    }
}

impl Of {
    fn read(self, values: &Values) -> Option<f64> {
        let value = |epoch: usize, key: usize| values.get(epoch)?.get(key).copied().flatten();
        match self {
            Self::Epoch(epoch, key) => value(epoch, key),
            Self::Change(epoch, key) => Some(value(epoch, key)? - value(epoch.saturating_sub(1), key)?),
        }
    }
}

/// How much each cluster raises a number, in parts of `size`.
struct Leaning {
    influence: Vec<f64>,
    size: f64,
}

impl Leaning {
    /// How far a draw leans, in standard deviations.
    fn of_draw(&self, weights: &[f64], urns: &Urns) -> f64 {
        let times = urns.clusters().map(|cluster| cluster.first().and_then(|flow| weights.get(*flow)));
        times.zip(&self.influence).map(|(times, lean)| times.copied().unwrap_or(0.0) * lean).sum()
    }

    /// The weights of all flows when everything is tilted so far.
    fn tilted(&self, by: f64, urns: &Urns, flows: usize) -> Vec<f64> {
        let mut weights = vec![1.0; flows];
        let clusters: Vec<&[usize]> = urns.clusters().collect();
        for urn in urns.of_clusters() {
            let lean = |cluster: usize| (by * self.influence.get(cluster).copied().unwrap_or(0.0)).exp();
            let whole: f64 = urn.clone().map(lean).sum();
            let number = real(urn.len());
            for cluster in urn {
                for flow in clusters.get(cluster).into_iter().copied().flatten() {
                    weights
                        .get_mut(*flow)
                        .into_iter()
                        .for_each(|weight| *weight = number * lean(cluster) / whole);
                }
            }
        }
        weights
    }
}

/// What a number comes to when everything is tilted so far, upwards or downwards, that a draw at least as low, or as
/// high, as the value has so small a chance. Where it turns before that, it can go no farther than to where it turns.
/// Numbers are told as if all went upwards.
fn tilt(
    value: f64,
    drawn: &[(f64, f64)],
    (sign, tail): (f64, f64),
    at: impl Fn(f64) -> Option<f64>,
) -> Option<f64> {
    let chance = |by: f64| chance(value, drawn, (sign, by));
    let (mut before, mut last) = (0.0, (0.0, value));
    for step in 1..=FARTHEST {
        let by = f64::from(step) * STEP;
        if chance(by) <= tail {
            let enough = halved((last.0, by), |by| chance(by) <= tail);
            return Some(at(enough)?.max(last.1));
        }
        let now = at(by)?;
        if now < last.1 {
            return summit((before, by), at).map(|summit| summit.max(last.1));
        }
        before = last.0;
        last = (by, now);
    }
    Some(last.1)
}

/// The place between two at which something begins to hold.
fn halved((mut low, mut high): (f64, f64), holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..24 {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// The largest value between two places, of something that rises and then falls.
fn summit((mut low, mut high): (f64, f64), at: impl Fn(f64) -> Option<f64>) -> Option<f64> {
    for _ in 0..16 {
        let third = (high - low) / 3.0;
        if at(low + third)? < at(high - third)? {
            low += third;
        } else {
            high -= third;
        }
    }
    at(f64::midpoint(low, high))
}

/// The chance of a draw beyond the value, against the tilt; of one equal to it, half.
fn chance(value: f64, drawn: &[(f64, f64)], (sign, by): (f64, f64)) -> f64 {
    let most = drawn.iter().map(|(_, lean)| sign * by * lean).fold(f64::MIN, f64::max);
    let (mut beyond, mut all) = (0.0, 0.0);
    for (drawn, lean) in drawn {
        let weight = (sign * by * lean - most).exp();
        let off = sign * drawn - value;
        all += weight;
        beyond += if off.abs() < 1e-12 { weight / 2.0 } else { f64::from(u8::from(off < 0.0)) * weight };
    }
    beyond / all
}

fn deviation(drawn: &[f64]) -> f64 {
    let mean = drawn.iter().sum::<f64>() / real(drawn.len().max(1));
    let squares = drawn.iter().map(|drawn| (drawn - mean).powi(2)).sum::<f64>();
    (squares / real(drawn.len().max(1))).sqrt()
}
