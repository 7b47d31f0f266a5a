//! What comes due when. Pure.
//!
//! Nearly all deadlines come in the order in which they fall due, since each is one of a few time-outs after now.
//! So they stand in queues, each in order, and only the fronts are compared: a heap of a hundred thousand
//! costs more for each probe than all else that the engine does with it.

use std::collections::VecDeque;

use crate::model::MonoTime;

/// More queues than there are different time-outs in use.
const MOST_QUEUES: usize = 32;

/// Things that come due.
#[derive(Debug)]
pub(super) struct Deadlines<T>(Vec<VecDeque<(MonoTime, T)>>);

impl<T> Default for Deadlines<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Deadlines<T> {
    /// Adds a thing that comes due at a time.
    pub(super) fn push(&mut self, at: MonoTime, thing: T) {
        let follows =
            |queue: &&mut VecDeque<(MonoTime, T)>| queue.back().is_none_or(|(last, _)| *last <= at);
        if let Some(queue) = self.0.iter_mut().find(follows) {
            return queue.push_back((at, thing));
        }
        if self.0.len() < MOST_QUEUES {
            return self.0.push(VecDeque::from([(at, thing)]));
        }
        if let Some(queue) = self.0.last_mut() {
            let place = queue.partition_point(|(other, _)| *other <= at);
            queue.insert(place, (at, thing));
        }
    }

    /// When the first comes due.
    pub(super) fn first(&self) -> MonoTime {
        self.0.iter().filter_map(|queue| queue.front()).map(|(at, _)| *at).min().unwrap_or(MonoTime::NEVER)
    }

    /// The first, if it is due by now; of several at the same time, any.
    pub(super) fn pop(&mut self, now: MonoTime) -> Option<(MonoTime, T)> {
        let first = self.first();
        let is_first =
            |queue: &&mut VecDeque<(MonoTime, T)>| queue.front().is_some_and(|(at, _)| *at == first);
        let queue = self.0.iter_mut().find(is_first).filter(|_| first <= now)?;
        queue.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a list that is sorted.
        #[test]
        fn all_come_due_in_order_and_none_too_early(
            given in prop::collection::vec((0_u64..200, any::<bool>()), 0..300)
        ) {
            let mut deadlines = Deadlines::default();
            let (mut expected, mut now) = (Vec::new(), 0);
            for (number, (at, takes)) in given.into_iter().enumerate() {
                deadlines.push(MonoTime::from_nanos(at), number);
                expected.push((at, number));
                if takes {
                    now += 3;
                    expected.sort_unstable();
                    while let Some((at, thing)) = deadlines.pop(MonoTime::from_nanos(now)) {
                        prop_assert_eq!(at.as_nanos(), expected[0].0);
                        let place = expected.iter().position(|one| *one == (at.as_nanos(), thing));
                        expected.remove(place.unwrap());
                    }
                    prop_assert!(expected.first().is_none_or(|(at, _)| *at > now));
                    let first = expected.first().map_or(MonoTime::NEVER, |(at, _)| MonoTime::from_nanos(*at));
                    prop_assert_eq!(deadlines.first(), first);
                }
            }
        }
    }
}
