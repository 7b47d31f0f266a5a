//! Whether two addresses count what they send with one counter: the monotonic bounds test of MIDAR (Keys, Hyun, Luckie
//! and Claffy, "Internet-scale IPv4 alias resolution with MIDAR", 2013), on the samples that happen to be there.
//!
//! ```text
//!   a    ·     ·        ·        The identifications of one counter rise from each sample to the next, whoever was
//!   b       ·      · ·     ·     asked. If b has a counter of its own, some step from a to b or from b to a goes back.
//! ```
//!
//! Only steps count that are so short that the counter cannot have gone round. An address whose own steps do not rise
//! so (random numbers, zeros, constants, numbers of probes given back) has no counter, and nothing is said of it.

use super::samples::{Sample, seconds};

/// Identifications.
const ALL: f64 = 65_536.0;
/// What a counter may count from one sample to the next: no more than a part of all numbers.
const NEAR: f64 = ALL / 16.0;
/// Steps that are needed to know a counter.
pub(super) const FEWEST: usize = 6;
/// How many times faster than on the whole a counter may run for a while.
const BURST: f64 = 4.0;
/// What it may count beside that: answers to probes that come in bursts.
const AT_ONCE: f64 = 32.0;
/// The probability with which numbers by chance may look like a counter.
const BY_CHANCE: f64 = 1e-6;
/// Two independent counters run equally fast to within x, as a part of their speed, with a probability of at most so
/// many x. Were all speeds evenly spread within 5 % of one speed, it would be as many.
const ALIKE: f64 = 20.0;

/// An address that counts.
#[derive(Debug)]
pub(super) struct Counter {
    samples: Vec<Sample>,
    /// Numbers in a second.
    velocity: f64,
}

/// What the samples of two counters say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// They are two.
    Apart,
    /// They may be one; two independent ones would look so with this probability at most, which is 1 if too little
    /// is known.
    Together(f64),
}

/// From one sample to the next.
struct Step {
    /// Seconds, at most.
    gap: f64,
    /// By how much the number is higher, going round.
    count: f64,
}

impl Step {
    fn new(one: Sample, next: Sample) -> Option<Self> {
        let gap = one.until(next)?;
        Some(Self { gap, count: next.id.wrapping_sub(one.id).into() })
    }

    /// The most that a counter of this velocity counts meanwhile.
    fn most(&self, velocity: f64) -> f64 {
        BURST * velocity * self.gap + AT_ONCE
    }

    fn rises(&self, velocity: f64) -> bool {
        self.count > 0.0 && self.count <= self.most(velocity)
    }
}

impl Counter {
    /// From the samples of an address in the order of time; `None` if it does not count, or if they are too few.
    pub(super) fn new(samples: Vec<Sample>) -> Option<Self> {
        let mut steps: Vec<Step> = pairs(&samples).filter_map(|(one, next)| Step::new(one, next)).collect();
        steps.sort_by(|one, other| one.gap.total_cmp(&other.gap));
        let near = near(&steps);
        let velocity = velocity(near);
        let rises = near.iter().all(|step| step.rises(velocity));
        let log_chance: f64 = near.iter().map(|step| (step.most(velocity) / ALL).min(1.0).ln()).sum();
        let counts = near.len() >= FEWEST && rises && log_chance <= BY_CHANCE.ln();
        counts.then_some(Self { samples, velocity })
    }

    /// What the samples of both say. Each step in the order of time from one to the other is looked at.
    pub(super) fn with(&self, other: &Self) -> Verdict {
        let crossings = self.crossings(other);
        let backward = crossings.iter().filter(|crossing| !crossing.rises).count();
        if backward >= 2 && backward.saturating_mul(5) >= crossings.len() {
            return Verdict::Apart;
        }
        let chance = if backward > 0 { None } else { self.chance(other, &crossings) };
        Verdict::Together(chance.unwrap_or(1.0))
    }

    fn crossings(&self, other: &Self) -> Vec<Crossing> {
        let velocity = self.velocity.max(other.velocity);
        let mut merged: Vec<(Sample, bool)> = self.samples.iter().map(|sample| (*sample, true)).collect();
        merged.extend(other.samples.iter().map(|sample| (*sample, false)));
        merged.sort_by_key(|(sample, own)| (sample.middle(), *own));
        let crossing = |(one, from_own): (Sample, bool), (next, to_own): (Sample, bool)| {
            let step = Step::new(one, next).filter(|step| velocity * step.gap <= NEAR)?;
            let rises = step.rises(velocity);
            (from_own != to_own).then_some(Crossing {
                at: next.middle(),
                from_own,
                count: step.count,
                rises,
            })
        };
        pairs(&merged).filter_map(|(one, next)| crossing(one, next)).collect()
    }

    /// The probability with which two independent counters, of any offset to each other and of velocities of their own,
    /// would rise together so. At the beginning the offset must be one of a few of all; and from there to the end
    /// it must not have moved on by more.
    fn chance(&self, other: &Self, crossings: &[Crossing]) -> Option<f64> {
        let (first, last) = (crossings.first()?.at, crossings.last()?.at);
        let third = last.saturating_sub(first) / 3;
        let begins = room(crossings.iter().filter(|crossing| crossing.at <= first.saturating_add(third)))?;
        let ends = room(crossings.iter().filter(|crossing| crossing.at >= last.saturating_sub(third)))?;
        let counted = self.velocity.min(other.velocity) * seconds(third);
        let moved = begins + ends;
        let stayed = (ALIKE * moved / counted.max(1.0)).max(moved / ALL);
        Some((begins / ALL).min(1.0) * stayed.min(1.0))
    }
}

/// A step from one address to the other.
struct Crossing {
    /// Nanoseconds since 1970.
    at: i64,
    from_own: bool,
    count: f64,
    rises: bool,
}

/// How many offsets of one counter to the other would let all these steps rise.
fn room<'c>(crossings: impl Iterator<Item = &'c Crossing>) -> Option<f64> {
    let (mut there, mut back) = (f64::INFINITY, f64::INFINITY);
    for crossing in crossings {
        let least = if crossing.from_own { &mut there } else { &mut back };
        *least = least.min(crossing.count);
    }
    (there.is_finite() && back.is_finite()).then_some(there + back - 1.0)
}

/// The shortest steps, as many as lead to numbers which the counter cannot have reached by going round. The first three
/// tell how fast it runs at first.
fn near(steps: &[Step]) -> &[Step] {
    let (mut count, mut gap) = (0.0, 0.0);
    let mut far = 0;
    for (place, step) in steps.iter().enumerate() {
        if place >= 3 && count / gap * step.gap > NEAR {
            break;
        }
        count += step.count;
        gap += step.gap;
        far = place.saturating_add(1);
    }
    steps.get(..far).unwrap_or_default()
}

fn velocity(steps: &[Step]) -> f64 {
    let sum = |of: fn(&Step) -> f64| steps.iter().map(of).sum::<f64>();
    sum(|step| step.count) / sum(|step| step.gap).max(1e-9)
}

fn pairs<T: Copy>(list: &[T]) -> impl Iterator<Item = (T, T)> + '_ {
    list.iter().copied().zip(list.iter().copied().skip(1))
}

#[cfg(test)]
mod tests;
