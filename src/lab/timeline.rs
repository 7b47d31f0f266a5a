//! A value that changes at times.

use crate::model::MonoTime;

/// What holds at each time.
#[derive(Clone, Debug)]
pub(super) struct Timeline<T> {
    first: T,
    /// In the order of time.
    changes: Vec<(MonoTime, T)>,
}

impl<T: Clone> Timeline<T> {
    /// This from the beginning.
    pub(super) const fn new(first: T) -> Self {
        Self { first, changes: Vec::new() }
    }

    /// And this from a time on, which is not before the last one.
    pub(super) fn then(&mut self, at: MonoTime, value: T) {
        self.changes.push((at, value));
    }

    pub(super) fn at(&self, time: MonoTime) -> &T {
        let past = self.changes.iter().rev().find(|(at, _)| *at <= time);
        past.map_or(&self.first, |(_, value)| value)
    }

    /// When what holds at a time began to; `None` if it did from the beginning.
    pub(super) fn since(&self, time: MonoTime) -> Option<MonoTime> {
        self.times().filter(|at| *at <= time).last()
    }

    pub(super) fn times(&self) -> impl Iterator<Item = MonoTime> + '_ {
        self.changes.iter().map(|(at, _)| *at)
    }
}

impl Timeline<bool> {
    /// True while all of these are.
    pub(super) fn all(parts: &[&Self]) -> Self {
        let holds = |time: MonoTime| parts.iter().all(|part| *part.at(time));
        let mut times: Vec<MonoTime> = parts.iter().flat_map(|part| part.times()).collect();
        times.sort_unstable();
        times.dedup();
        Self {
            first: parts.iter().all(|part| part.first),
            changes: times.into_iter().map(|at| (at, holds(at))).collect(),
        }
    }
}
