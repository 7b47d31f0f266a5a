//! When an upstream was gained or lost, as the pinned flows tell: every round asks the same flows, so a flow
//! that came through an upstream and did not the time before brackets the moment between its two traces.

use std::collections::BTreeMap;

use super::found::PinnedFlow;
use super::routes::Route;
use crate::model::{Asn, LinkChange, Name, WallTime};

/// A flow as it is asked in every round.
type Pinned<'a> = (&'a Name, &'a PinnedFlow);

/// In which direction an upstream changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Gained,
    Lost,
}

impl Turn {
    /// What happened to the link into the origin.
    pub(super) const fn change(self) -> LinkChange {
        match self {
            Self::Gained => LinkChange::Added,
            Self::Lost => LinkChange::Lost,
        }
    }
}

/// The time between which an upstream was gained or lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bracket {
    pub(super) from: WallTime,
    pub(super) to: WallTime,
    /// Whether one moment explains all flows. If not, the bracket spans all their changes.
    pub(super) at_once: bool,
}

/// Brackets the change of an upstream on entering an epoch: no earlier than the first probe of each flow's
/// trace before it, no later than the last answered probe of the trace after it. `None` if no flow was traced on both
/// sides with a known upstream.
pub(super) fn bracket<'a>(
    routes: impl Iterator<Item = Route<'a>>,
    (turn, asn): (Turn, Asn),
    epoch: usize,
) -> Option<Bracket> {
    let mut flows: BTreeMap<Pinned<'_>, Vec<Route<'_>>> = BTreeMap::new();
    for route in routes.filter(|route| route.upstream().is_ok()) {
        flows.entry((route.vantage(), route.flow())).or_default().push(route);
    }
    let pairs = flows.into_values().filter_map(|mut traces| {
        traces.sort_by_key(|route| (route.sent, route.round()));
        let (before, after) = turned(&traces, (turn, asn), epoch)?;
        Some((before.sent.0, (after.sent.0, after.heard())))
    });
    combined(&pairs.collect::<Vec<_>>())
}

/// The two consecutive traces of a flow between which it turned: the first in the epoch that came through a
/// gained upstream, or the last in the epoch before that came through a lost one, and its neighbour.
fn turned<'a>(
    traces: &[Route<'a>],
    (turn, asn): (Turn, Asn),
    epoch: usize,
) -> Option<(Route<'a>, Route<'a>)> {
    let through = |route: &Route| route.upstream().is_ok_and(|upstream| upstream.asn == asn);
    let mut pairs = traces.iter().copied().zip(traces.iter().copied().skip(1));
    match turn {
        Turn::Gained => {
            pairs.find(|(before, after)| after.epoch == epoch && through(after) && !through(before))
        }
        Turn::Lost => pairs.rfind(|(before, after)| {
            before.epoch.saturating_add(1) == epoch && through(before) && !through(after)
        }),
    }
}

/// When a flow's trace before a change began, and when the one after it began and had its last answer.
pub(super) type Pair = (WallTime, (WallTime, WallTime));

/// What all flows have in common; where that is nothing, all that they cover. Whether there is anything is
/// judged by when the traces began: all traces of a round run side by side, and how long they take must not
/// make flows agree that a round shows on different sides.
pub(super) fn combined(pairs: &[Pair]) -> Option<Bracket> {
    let before = || pairs.iter().map(|(before, _)| *before);
    let begun = pairs.iter().map(|(_, (begun, _))| *begun).min()?;
    let heard = || pairs.iter().map(|(_, (_, heard))| *heard);
    let latest = before().max()?;
    if latest < begun {
        return Some(Bracket { from: latest, to: heard().min()?, at_once: true });
    }
    Some(Bracket { from: before().min()?, to: heard().max()?, at_once: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(nanos: i64) -> WallTime {
        WallTime::from_nanos(nanos)
    }

    #[test]
    fn flows_that_cannot_have_turned_at_one_moment_are_spanned() {
        let of = |pairs: &[(i64, i64)]| {
            combined(&pairs.iter().map(|(from, to)| (at(*from), (at(*to), at(to + 5)))).collect::<Vec<_>>())
        };
        let bracket = |from, to, at_once| Some(Bracket { from: at(from), to: at(to), at_once });
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(10, 30), (20, 40)]), bracket(20, 35, true));
        assert_eq!(of(&[(10, 20), (20, 40)]), bracket(10, 45, false));
    }

    proptest! {
        #[test]
        fn a_single_moment_lies_inside_the_bracket_of_all_flows_that_it_turned(
            moment in 1000_i64..2000,
            around in prop::collection::vec((1_i64..500, 1_i64..500), 1..20),
        ) {
            let pairs: Vec<_> =
                around.iter().map(|(down, up)| (at(moment - down), (at(moment + up), at(moment + up + 3)))).collect();
            let found = combined(&pairs).unwrap();
            prop_assert!(found.at_once && found.from < at(moment) && at(moment) < found.to);
        }
    }
}
