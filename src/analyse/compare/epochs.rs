//! The time of a campaign, cut at the declared events that fall inside it.

use std::collections::BTreeMap;

use super::findings::Epoch;
use crate::model::{Event, WallTime};

/// The epochs of a campaign, and to which a moment belongs.
#[derive(Clone, Debug)]
pub(super) struct Epochs {
    epochs: Vec<Epoch>,
}

impl Epochs {
    /// Cuts the time from the first to the last probe. An event cuts if there are probes before it and at it
    /// or after it; events of one instant make one cut.
    pub(super) fn new(events: &[Event], period: (WallTime, WallTime)) -> Self {
        let (first, last) = period;
        let mut cuts: BTreeMap<WallTime, Vec<Event>> = BTreeMap::new();
        for event in events.iter().filter(|event| first < event.at && event.at <= last) {
            cuts.entry(event.at).or_default().push(*event);
        }
        let mut epochs = vec![Epoch { start: first, end: last, opened_by: Vec::new() }];
        for (at, mut opened_by) in cuts {
            opened_by.sort_unstable_by_key(|event| (event.link, event.change));
            opened_by.dedup();
            if let Some(open) = epochs.last_mut() {
                open.end = at;
            }
            epochs.push(Epoch { start: at, end: last, opened_by });
        }
        Self { epochs }
    }

    /// The index of the epoch to which a moment belongs; an event's own moment belongs to what it opens.
    pub(super) fn of(&self, at: WallTime) -> usize {
        self.epochs.iter().skip(1).take_while(|epoch| epoch.start <= at).count()
    }

    /// The index of the epoch in which both moments lie; `None` if an event lies between them.
    pub(super) fn of_both(&self, (first, last): (WallTime, WallTime)) -> Option<usize> {
        let epoch = self.of(first);
        (epoch == self.of(last)).then_some(epoch)
    }

    /// How many; at least one.
    pub(super) fn count(&self) -> usize {
        self.epochs.len()
    }

    pub(super) fn into_vec(self) -> Vec<Epoch> {
        self.epochs
    }

    pub(super) fn as_slice(&self) -> &[Epoch] {
        &self.epochs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LinkChange;

    fn event(at: i64, change: LinkChange) -> Event {
        Event { at: WallTime::from_nanos(at), change, link: "AS4837-AS131279".parse().unwrap() }
    }

    #[test]
    fn only_events_inside_the_campaign_cut_it_and_those_of_one_instant_cut_once() {
        let events = [
            event(5, LinkChange::Added),
            event(20, LinkChange::Lost),
            event(20, LinkChange::Added),
            event(99, LinkChange::Lost),
        ];
        let epochs = Epochs::new(&events, (WallTime::from_nanos(10), WallTime::from_nanos(50)));
        assert_eq!(epochs.count(), 2);
        assert_eq!(epochs.as_slice()[1].opened_by.len(), 2);
        assert_eq!(epochs.of(WallTime::from_nanos(19)), 0);
        assert_eq!(epochs.of(WallTime::from_nanos(20)), 1);
        assert_eq!(epochs.of_both((WallTime::from_nanos(19), WallTime::from_nanos(20))), None);
    }
}
