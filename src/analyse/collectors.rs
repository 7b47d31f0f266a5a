//! AS hegemony of what the peers of route collectors announce, as the Internet Health Report computes it (Fontugne, Shah,
//! Aben, PAM 2018): how much of an origin's address space is reached through an AS. Pure: reads no files.
//!
//! A peer's score for an AS is the share of the origin's addresses whose path from this peer crosses it. Peers of one AS
//! are averaged; an AS of which no peer has a route scores 0; the highest and the lowest tenth of the scores are left out,
//! and the rest is averaged.

use std::collections::{BTreeMap, BTreeSet};

use super::topology::{TRIM, trimmed_mean};
use crate::model::{Asn, Prefix};

/// All prefixes of a table, and which of its peers announce each.
#[derive(Debug, Default)]
pub struct Announcements(Vec<(Prefix, Vec<u16>)>);

impl Announcements {
    /// Takes prefixes in any order, each with the numbers of its peers.
    #[must_use]
    pub fn new(mut announced: Vec<(Prefix, Vec<u16>)>) -> Self {
        announced.sort_unstable();
        Self(announced)
    }

    /// How many addresses follow a peer's route to a prefix, and not one of its routes to a longer one. A prefix of IPv6
    /// counts as one.
    #[must_use]
    pub fn weight(&self, prefix: Prefix, peer: u16) -> f64 {
        if !prefix.is_ipv4() {
            return 1.0;
        }
        let begin = self.0.partition_point(|(other, _)| *other <= prefix);
        let inside = self.0.iter().skip(begin).take_while(|(other, _)| prefix.covers(other));
        let (mut weight, mut last) = (addresses(prefix), None::<Prefix>);
        for (other, peers) in inside.filter(|(other, _)| *other != prefix) {
            if peers.contains(&peer) && !last.is_some_and(|last| last.covers(other)) {
                weight -= addresses(*other);
                last = Some(*other);
            }
        }
        weight
    }
}

/// The addresses of a prefix of IPv4.
fn addresses(prefix: Prefix) -> f64 {
    2_f64.powi(32_i32.saturating_sub(prefix.length().into()))
}

/// How one peer of a collector reaches an origin.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerView {
    /// The AS of the peer.
    pub peer_as: Asn,
    /// Its routes to prefixes of the origin; none if it has no such route.
    pub routes: Vec<WeighedRoute>,
}

/// A route to a prefix of the origin.
#[derive(Clone, Debug, PartialEq)]
pub struct WeighedRoute {
    /// How many addresses follow it.
    pub weight: f64,
    /// The ASes on it, in any order.
    pub ases: BTreeSet<Asn>,
}

/// Through which ASes an origin is reached.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hegemony {
    /// ASes of peers, each a viewpoint.
    pub viewpoints: usize,
    /// Of them, those of which a peer has a route.
    pub with_route: usize,
    /// Every AS with a score above 0, the highest first, then by number; the origin itself among them.
    pub scores: Vec<(Asn, f64)>,
}

/// The hegemony of every AS for the origin that these peers look at.
#[must_use]
pub fn hegemony_of_views(views: &[PeerView]) -> Hegemony {
    let mut by_as: BTreeMap<Asn, Vec<BTreeMap<Asn, f64>>> = BTreeMap::new();
    for view in views {
        let peers = by_as.entry(view.peer_as).or_default();
        peers.extend(scores_of(view));
    }
    let seen: BTreeSet<Asn> = by_as.values().flatten().flat_map(|scores| scores.keys().copied()).collect();
    let score = |asn: Asn| {
        let of_ases: Vec<f64> = by_as.values().map(|peers| mean(peers, asn)).collect();
        trimmed_mean(&of_ases, TRIM).filter(|score| *score > 0.0).map(|score| (asn, score))
    };
    let mut scores: Vec<(Asn, f64)> = seen.into_iter().filter_map(score).collect();
    scores.sort_by(|one, other| other.1.total_cmp(&one.1));
    let with_route = by_as.values().filter(|peers| !peers.is_empty()).count();
    Hegemony { viewpoints: by_as.len(), with_route, scores }
}

/// `None` if it has no route by which any address is reached.
fn scores_of(view: &PeerView) -> Option<BTreeMap<Asn, f64>> {
    let whole: f64 = view.routes.iter().map(|route| route.weight).sum();
    let mut scores: BTreeMap<Asn, f64> = BTreeMap::new();
    for route in &view.routes {
        for asn in &route.ases {
            *scores.entry(*asn).or_default() += route.weight / whole;
        }
    }
    (whole > 0.0).then_some(scores)
}

fn mean(peers: &[BTreeMap<Asn, f64>], asn: Asn) -> f64 {
    let sum: f64 = peers.iter().filter_map(|scores| scores.get(&asn)).sum();
    let count = u32::try_from(peers.len()).unwrap_or(u32::MAX).max(1);
    sum / f64::from(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(number: u32) -> Asn {
        Asn::try_from(number).unwrap()
    }

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    fn view(peer: u32, routes: &[(f64, &[u32])]) -> PeerView {
        let route = |(weight, path): &(f64, &[u32])| WeighedRoute {
            weight: *weight,
            ases: path.iter().map(|asn| n(*asn)).collect(),
        };
        PeerView { peer_as: n(peer), routes: routes.iter().map(route).collect() }
    }

    fn close(found: &Hegemony, asn: u32, score: f64) -> bool {
        let of = found.scores.iter().find(|(of, _)| *of == n(asn)).map_or(0.0, |(_, score)| *score);
        (of - score).abs() < 1e-12
    }

    #[test]
    fn what_a_peer_reaches_by_a_longer_prefix_counts_there_alone_and_only_if_that_peer_has_it() {
        let all = |text: &str| (prefix(text), vec![0, 1]);
        let table = Announcements::new(vec![
            all("10.0.0.0/8"),
            (prefix("10.0.0.0/9"), vec![0]),
            all("10.0.0.0/10"),
            all("10.192.0.0/10"),
            all("11.0.0.0/8"),
            all("2001:db8::/32"),
            all("2001:db8::/48"),
        ]);
        let quarter = 2_f64.powi(22);
        let weight = |text: &str, peer| table.weight(prefix(text), peer) / quarter;
        assert_eq!((weight("10.0.0.0/8", 0), weight("10.0.0.0/8", 1)), (1.0, 2.0));
        assert_eq!((weight("10.0.0.0/9", 0), weight("10.0.0.0/10", 1)), (1.0, 1.0));
        assert_eq!((weight("11.0.0.0/8", 0), table.weight(prefix("2001:db8::/32"), 0)), (4.0, 1.0));
    }

    #[test]
    fn peers_of_one_as_are_one_viewpoint_and_an_as_without_a_route_scores_nothing() {
        let views = [
            view(1, &[(256.0, &[1, 7, 9])]),
            view(1, &[(256.0, &[1, 8, 9])]),
            view(2, &[(768.0, &[2, 7, 9]), (256.0, &[2, 9])]),
            view(3, &[]),
            view(4, &[(0.0, &[4, 9])]),
        ];
        let found = hegemony_of_views(&views);
        assert_eq!((found.viewpoints, found.with_route), (4, 2));
        assert!(close(&found, 7, (0.5 + 0.75) / 4.0) && close(&found, 9, 0.5), "{found:?}");
        assert_eq!(found.scores.first().map(|(asn, _)| *asn), Some(n(9)));
        assert_eq!(hegemony_of_views(&[]), Hegemony::default());
    }

    #[test]
    fn what_one_viewpoint_in_ten_sees_is_left_out() {
        let mut views: Vec<PeerView> = (1..=9).map(|peer| view(peer, &[(1.0, &[peer, 70, 99])])).collect();
        views.push(view(10, &[(1.0, &[10, 71, 99])]));
        let found = hegemony_of_views(&views);
        assert!(close(&found, 70, 1.0) && close(&found, 71, 0.0) && close(&found, 99, 1.0), "{found:?}");
    }
}
