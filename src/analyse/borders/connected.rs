//! To which AS an interface is connected: whose routers stand at the other end of its link.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::annotate::Annotation;
use super::graph::{Graph, Interface, Place, Space};
use crate::model::Asn;

/// The routers before an interface, each by the place of one of its interfaces. Who answered before silence counts only
/// if nothing was ever seen directly behind it. The LAN of an exchange point has no other end.
pub(super) fn routers_before(graph: &Graph, place: Place) -> Vec<Place> {
    let Some(interface) = graph.at(place).filter(|it| !matches!(it.space, Space::Exchange(..))) else {
        return Vec::new();
    };
    let router = |before: &Place| {
        let other = graph.at(*before)?;
        let leads_here = other.next.is_empty() || other.next.contains(&place);
        (leads_here && other.router != interface.router).then_some((other.router, *before))
    };
    let mut routers: Vec<(Place, Place)> = interface.before.iter().filter_map(router).collect();
    routers.sort_unstable();
    routers.dedup_by_key(|(router, _)| *router);
    routers.into_iter().map(|(_, place)| place).collect()
}

impl Annotation<'_> {
    /// The AS of most of the routers that were seen before an interface, as they are decided now.
    pub(super) fn connection(&self, place: Place) -> Option<Asn> {
        let interface = self.graph.at(place)?;
        let before = self.before.get(place).map(Vec::as_slice).unwrap_or_default();
        self.plurality(interface, before)
    }

    /// Of equals the AS of the address itself, then one related to that, then the larger.
    fn plurality(&self, interface: &Interface, before: &[Place]) -> Option<Asn> {
        let first = before.first().and_then(|place| self.at(*place));
        if before.iter().all(|place| self.at(*place) == first) {
            return first;
        }
        let mut counts: BTreeMap<Asn, usize> = BTreeMap::new();
        for asn in before.iter().filter_map(|place| self.at(*place)) {
            let count = counts.entry(asn).or_default();
            *count = count.saturating_add(1);
        }
        let own = interface.space.ases().first().copied();
        let rank = |(asn, count): &(&Asn, &usize)| {
            let is_related = own.is_some_and(|own| self.relations.are_related(own, **asn));
            (**count, own == Some(**asn), is_related, self.relations.cone_size(**asn), Reverse(**asn))
        };
        counts.iter().max_by_key(rank).map(|(asn, _)| *asn)
    }
}
