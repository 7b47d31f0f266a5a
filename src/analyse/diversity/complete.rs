//! Routes with silent hops, told by routes that were seen whole: an answer that was lost must not look like a
//! path of its own.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::sample::Way;

/// The routers of a trace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Route {
    /// Silent ones as `None`; up to the target where that answered.
    pub(super) routers: Vec<Option<IpAddr>>,
    /// Whether the target answered behind the last of them.
    pub(super) closed: bool,
}

impl Route {
    pub(super) fn new(way: &Way<'_>) -> Self {
        let mut routers = way.routers.to_vec();
        if let Some(ttl) = way.arrival {
            // Silence right before the target counts as hops; where a loop was cut, fewer are left.
            let before = usize::from(ttl).saturating_sub(1).max(routers.len());
            routers.resize(before, None);
        }
        Self { routers, closed: way.arrival.is_some() }
    }

    fn silent(&self) -> usize {
        self.routers.iter().filter(|router| router.is_none()).count()
    }

    /// Whether it may have been the same route as one of which more was seen: nothing contradicts it.
    fn fits(&self, whole: &Self) -> bool {
        let long_enough = if self.closed {
            whole.closed && self.routers.len() == whole.routers.len()
        } else {
            self.routers.len() <= whole.routers.len()
        };
        let agree = |(mine, other): (&Option<IpAddr>, &Option<IpAddr>)| mine.is_none() || mine == other;
        long_enough && self.routers.iter().zip(&whole.routers).all(agree)
    }

    /// How much of a route was seen.
    fn known(&self) -> (usize, bool) {
        (self.routers.len().saturating_sub(self.silent()), self.closed)
    }
}

/// Routes come with the number of their traces. For each with silence in it or at its end the one that it is taken for: of
/// those that it fits and of which more was seen, the one that most traces took. Routes that fit none stand for themselves
/// and are left out.
pub(super) fn representatives(routes: &[(Route, usize)]) -> BTreeMap<Route, Route> {
    let mut traces: BTreeMap<&Route, usize> = BTreeMap::new();
    for (route, number) in routes {
        let count = traces.entry(route).or_default();
        *count = count.saturating_add(*number);
    }
    let mut by_first: BTreeMap<Option<IpAddr>, Vec<(&Route, usize)>> = BTreeMap::new();
    for (route, count) in &traces {
        by_first.entry(first(route)).or_default().push((route, *count));
    }
    let partial = traces.keys().filter(|route| route.silent() > 0 || !route.closed);
    let taken_for = partial.filter_map(|route| {
        let near = by_first.get(&first(route));
        let all = by_first.values().flatten().filter(|_| first(route).is_none());
        let candidates = near.into_iter().flatten().filter(|_| first(route).is_some()).chain(all);
        let fitting = candidates.filter(|(whole, _)| whole.known() > route.known() && route.fits(whole));
        let best = fitting.max_by(|one, other| {
            let order = one.0.known().cmp(&other.0.known()).then(one.1.cmp(&other.1));
            order.then(other.0.cmp(one.0))
        });
        best.map(|(whole, _)| ((*route).clone(), (*whole).clone()))
    });
    taken_for.collect()
}

fn first(route: &Route) -> Option<IpAddr> {
    route.routers.first().copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(line: &str) -> Route {
        let closed = line.ends_with('=');
        let routers = line.trim_end_matches('=').split_whitespace().map(|word| word.parse().ok());
        Route { routers: routers.collect(), closed }
    }

    #[test]
    fn a_lost_answer_is_no_path_of_its_own_and_another_length_or_router_is() {
        let whole = route("10.0.0.1 10.0.1.1 10.0.2.1 =");
        let routes = [
            whole.clone(),
            route("10.0.0.1 * 10.0.2.1 ="),
            route("10.0.0.1 10.0.1.1"),
            route("10.0.0.1 10.0.1.1 * * ="),
            route("10.0.0.1 10.0.9.1 10.0.2.1 ="),
            route("* 10.0.1.1 * ="),
        ];
        let found = representatives(&routes.clone().map(|route| (route, 1)));
        let taken: Vec<Option<&Route>> = routes.iter().map(|route| found.get(route)).collect();
        assert_eq!(taken, [None, Some(&whole), Some(&whole), None, None, Some(&whole)]);
    }
}
