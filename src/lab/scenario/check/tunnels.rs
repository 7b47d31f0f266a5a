//! Tunnels: along links, inside one AS, with labels where labels are seen.

use std::collections::BTreeSet;

use toml::Spanned;

use super::Check;
use crate::lab::scenario::{Link, RouterIndex, Tunnel, raw};

/// Ingress, at least one router that switches labels, egress.
const FEWEST_ROUTERS: usize = 3;
const MOST_ROUTERS: usize = 64;

impl Check<'_> {
    pub(super) fn tunnels(&mut self, tables: &[raw::Tunnel], links: &[Link]) -> Vec<Tunnel> {
        if tables.is_empty() {
            return Vec::new();
        }
        let linked: BTreeSet<[RouterIndex; 2]> =
            links.iter().flat_map(|link| [link.ends, swapped(link.ends)]).collect();
        let mut seen: BTreeSet<Vec<RouterIndex>> = BTreeSet::new();
        let mut tunnels = Vec::new();
        for table in tables {
            let Some(tunnel) = self.tunnel(table, &linked) else { continue };
            if !seen.insert(tunnel.routers.clone()) {
                self.tunnel_error(table, "must be defined only once");
            }
            tunnels.push(tunnel);
        }
        tunnels
    }

    fn tunnel(&mut self, table: &raw::Tunnel, linked: &BTreeSet<[RouterIndex; 2]>) -> Option<Tunnel> {
        let names = table.routers.get_ref();
        let routers: Vec<Option<RouterIndex>> =
            names.iter().map(|name| self.router_named(name, "tunnel.routers")).collect();
        let routers: Vec<RouterIndex> = routers.into_iter().collect::<Option<_>>()?;
        if !(FEWEST_ROUTERS..=MOST_ROUTERS).contains(&routers.len()) {
            let rule = format!(
                "must be {FEWEST_ROUTERS} to {MOST_ROUTERS} routers: ingress, those that switch labels, egress"
            );
            self.tunnel_error(table, rule);
        }
        self.one_way_through_one_as(names, &routers, linked);
        let kind = *table.kind.get_ref();
        if kind.shows_labels() == table.labels.is_empty() {
            let rule = if kind.shows_labels() {
                "needs labels = […] to show"
            } else {
                "shows no labels: leave labels out"
            };
            self.error(&table.kind, "tunnel.kind", kind.as_str(), rule);
        }
        Some(Tunnel { routers, kind, labels: self.labels("tunnel.labels", &table.labels) })
    }

    fn one_way_through_one_as(
        &mut self,
        names: &[Spanned<String>],
        routers: &[RouterIndex],
        linked: &BTreeSet<[RouterIndex; 2]>,
    ) {
        let home = routers.first().and_then(|first| self.home(*first));
        let mut earlier: Option<RouterIndex> = None;
        let mut passed = BTreeSet::new();
        for (name, router) in names.iter().zip(routers) {
            let before = earlier.replace(*router);
            let rule = if self.home(*router) != home {
                "must be in the AS of the first router"
            } else if !passed.insert(*router) {
                "must come only once"
            } else if before.is_some_and(|before| !linked.contains(&[before, *router])) {
                "must have a [[link]] to the router before it"
            } else {
                continue;
            };
            self.error(name, "tunnel.routers", name.get_ref(), rule);
        }
    }

    fn tunnel_error(&mut self, table: &raw::Tunnel, rule: impl std::fmt::Display) {
        let names: Vec<&str> = table.routers.get_ref().iter().map(|name| name.get_ref().as_str()).collect();
        self.error(&table.routers, "tunnel.routers", names.join(", "), rule);
    }
}

const fn swapped([one, other]: [RouterIndex; 2]) -> [RouterIndex; 2] {
    [other, one]
}
