//! The time of a campaign, cut at the declared events that fall inside it, and at what was found without being told.

use std::collections::{BTreeMap, BTreeSet};

use super::findings::{Epoch, FoundChange};
use crate::model::{AsLink, Event, LinkChange, WallTime};

/// The epochs of a campaign, and to which a moment belongs.
#[derive(Clone, Debug)]
pub(super) struct Epochs {
    epochs: Vec<Epoch>,
}

/// What opens an epoch: declared, and found.
type Opening = (Vec<Event>, BTreeSet<(LinkChange, AsLink)>);

/// Changes whose brackets have a time in common.
struct Cluster {
    from: WallTime,
    to: WallTime,
    cut: WallTime,
    links: BTreeSet<(LinkChange, AsLink)>,
}

impl Epochs {
    /// Cuts the time from the first to the last probe. An event cuts if there are probes before it and at it
    /// or after it; events of one instant make one cut.
    pub(super) fn new(events: &[Event], period: (WallTime, WallTime)) -> Self {
        Self::with_found(events, &[], period)
    }

    /// The same, cut also where changes were found. Changes that may have been one moment make one cut, and none if an
    /// event was declared for a time within their bracket.
    pub(super) fn with_found(
        events: &[Event],
        found: &[FoundChange],
        (first, last): (WallTime, WallTime),
    ) -> Self {
        let inside = |at: WallTime| first < at && at <= last;
        let mut cuts: BTreeMap<WallTime, Opening> = BTreeMap::new();
        for event in events.iter().filter(|event| inside(event.at)) {
            cuts.entry(event.at).or_default().0.push(*event);
        }
        for cluster in clusters(found) {
            let declared = cuts.range(cluster.from..=cluster.to.max(cluster.from));
            let declared = declared.filter(|(_, (events, _))| !events.is_empty()).map(|(at, _)| *at).next();
            let at = declared.unwrap_or(cluster.cut);
            if inside(at) {
                cuts.entry(at).or_default().1.extend(cluster.links);
            }
        }
        let mut epochs = vec![Epoch { start: first, end: last, opened_by: Vec::new(), found: Vec::new() }];
        for (at, (mut opened_by, found)) in cuts {
            opened_by.sort_unstable_by_key(|event| (event.link, event.change));
            opened_by.dedup();
            if let Some(open) = epochs.last_mut() {
                open.end = at;
            }
            epochs.push(Epoch { start: at, end: last, opened_by, found: found.into_iter().collect() });
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

fn clusters(found: &[FoundChange]) -> Vec<Cluster> {
    let mut clusters: Vec<Cluster> = Vec::new();
    for found in found {
        let Some(link) = AsLink::new(found.link.0, found.link.1) else { continue };
        let same = clusters.iter_mut().find(|open| open.from <= found.to && found.from <= open.to);
        match same {
            Some(open) => {
                open.from = open.from.max(found.from);
                open.to = open.to.min(found.to);
                open.cut = open.cut.max(found.cut);
                open.links.insert((found.change, link));
            }
            None => clusters.push(Cluster {
                from: found.from,
                to: found.to,
                cut: found.cut,
                links: BTreeSet::from([(found.change, link)]),
            }),
        }
    }
    clusters
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
