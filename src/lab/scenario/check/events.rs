//! Events: inside the scenario's time, each about one thing that exists, and adding only what is away.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

use toml::Spanned;

use super::Check;
use super::links::LARGEST_WEIGHT;
use crate::lab::scenario::{
    Announced, AsIndex, Change, Changed, Happening, Link, LinkIndex, Relation, RouterIndex, raw,
};
use crate::model::{AsLink, Asn, LinkChange, WallTime};

/// What events can be about.
type Things<'a> = (&'a [Link], &'a [Announced]);

impl Check<'_> {
    pub(super) fn events(
        &mut self,
        tables: &[raw::Event],
        things: Things<'_>,
        time: RangeInclusive<WallTime>,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for table in tables {
            let at = table.at.get_ref().0;
            if !time.contains(&at) {
                let rule = format!("must be from {} to {}", time.start(), time.end());
                self.error(&table.at, "event.at", at, rule);
            }
            if let Some(what) = self.happening(table, things) {
                changes.push((&table.at, Change { at, what }));
            }
        }
        changes.sort_by_key(|(_, change)| change.at);
        self.take_turns(&changes);
        changes.into_iter().map(|(_, change)| change).collect()
    }

    /// The one thing that an event says; `None` if it says none, several, or something that cannot be.
    fn happening(&mut self, table: &raw::Event, things: Things<'_>) -> Option<Happening> {
        let (links, prefixes) = things;
        let said: [Option<Option<Happening>>; 11] = [
            table.added.as_ref().map(|ends| self.link_event(ends, links, LinkChange::Added)),
            table.lost.as_ref().map(|ends| self.link_event(ends, links, LinkChange::Lost)),
            table.router_down.as_ref().map(|name| self.router_event(name, false)),
            table.router_up.as_ref().map(|name| self.router_event(name, true)),
            table.announce.as_ref().map(|announce| self.announce_event(announce, prefixes)),
            table.relation.as_ref().map(|relation| self.relation_event(relation)),
            table.weight.as_ref().map(|weight| self.weight_event(weight, links)),
            table.icmp_rate.as_ref().map(|rate| self.rate_event(rate)),
            table
                .uplink
                .as_ref()
                .map(|uplink| Some(Happening::Uplink(*uplink.get_ref() == raw::Uplink::Up))),
            table.hosts_down.as_ref().map(|prefix| Some(Happening::Hosts(*prefix.get_ref(), false))),
            table.hosts_up.as_ref().map(|prefix| Some(Happening::Hosts(*prefix.get_ref(), true))),
        ];
        let mut said = said.into_iter().flatten();
        if let (Some(one), None) = (said.next(), said.next()) {
            return one;
        }
        let rule = "an event must say exactly one thing: added, lost, router_down, router_up, announce, \
                    relation, weight, icmp_rate, uplink, hosts_down or hosts_up";
        self.error(&table.at, "event.at", table.at.get_ref().0, rule);
        None
    }

    fn link_event(
        &mut self,
        ends: &Spanned<raw::Ends>,
        links: &[Link],
        how: LinkChange,
    ) -> Option<Happening> {
        let what = self.changed(ends, ends.get_ref(), links)?;
        Some(Happening::Link(what, how))
    }

    fn router_event(&mut self, name: &Spanned<String>, up: bool) -> Option<Happening> {
        Some(Happening::Router(self.router_named(name, "event.router")?, up))
    }

    fn announce_event(
        &mut self,
        announce: &Spanned<raw::Announce>,
        prefixes: &[Announced],
    ) -> Option<Happening> {
        let raw::Announce { prefix, to } = announce.get_ref();
        let position = prefixes.iter().position(|announced| announced.prefix == *prefix);
        let Some((index, announced)) = position.and_then(|index| Some((index, prefixes.get(index)?)))
        else {
            self.error(announce, "event.announce.prefix", prefix, "must be a prefix of the scenario");
            return None;
        };
        let mut neighbours = BTreeSet::new();
        for asn in to {
            let known = self.ases.get(asn).copied();
            let known = known.filter(|neighbour| self.neighbours.contains(&(announced.origin, *neighbour)));
            if known.is_none() {
                let rule = "must be a provider, peer or customer of the AS of the network";
                self.error(announce, "event.announce.to", asn, rule);
            }
            neighbours.extend(known);
        }
        Some(Happening::Announce(index, neighbours))
    }

    fn relation_event(&mut self, relation: &Spanned<raw::Relation>) -> Option<Happening> {
        let (one, other) = match relation.get_ref() {
            raw::Relation::Transit(transit) => (transit.provider, transit.customer),
            raw::Relation::Peers(raw::Peers { peers: [one, other] }) => (*one, *other),
        };
        let (Some(first), Some(second)) = (self.known(one), self.known(other)) else {
            return self.no_neighbours(relation, one, other);
        };
        if !self.neighbours.contains(&(first, second)) {
            return self.no_neighbours(relation, one, other);
        }
        Some(Happening::Relation(match relation.get_ref() {
            raw::Relation::Transit(_) => Relation::Transit { provider: first, customer: second },
            raw::Relation::Peers(_) => Relation::Peering(first.min(second), first.max(second)),
        }))
    }

    fn known(&self, asn: Asn) -> Option<AsIndex> {
        self.ases.get(&asn).copied()
    }

    fn no_neighbours<T>(&mut self, at: &Spanned<T>, one: Asn, other: Asn) -> Option<Happening> {
        let rule = "must be two ASes that are provider and customer, or peers";
        self.error(at, "event.relation", format_args!("{one}, {other}"), rule);
        None
    }

    fn weight_event(&mut self, weight: &Spanned<raw::Weight>, links: &[Link]) -> Option<Happening> {
        let raw::Weight { link, weight: share } = weight.get_ref();
        let share = self.whole("event.weight.weight", share, 1, LARGEST_WEIGHT);
        Some(Happening::Weight(self.changed(weight, link, links)?, share))
    }

    fn rate_event(&mut self, rate: &Spanned<raw::RouterRate>) -> Option<Happening> {
        let raw::RouterRate { router, limit } = rate.get_ref();
        let limit = limit.as_ref().map(|limit| self.icmp_rate("event.icmp_rate.limit", limit));
        let Some(index) = self.routers.get(router).copied() else {
            self.error(rate, "event.icmp_rate.router", router, "must be the name of a [[router]]");
            return None;
        };
        Some(Happening::IcmpRate(index, limit))
    }

    fn changed<T>(&mut self, at: &Spanned<T>, ends: &raw::Ends, links: &[Link]) -> Option<Changed> {
        match ends {
            raw::Ends::Name(name) => {
                let named = links.iter().position(|link| link.name.as_ref() == Some(name));
                named.map(|index| Changed::Link(LinkIndex(index))).or_else(|| self.as_link(at, name))
            }
            raw::Ends::Routers(names) => self.router_link(at, names, links),
        }
    }

    fn as_link<T>(&mut self, at: &Spanned<T>, text: &str) -> Option<Changed> {
        let link: AsLink = match text.parse() {
            Ok(link) => link,
            Err(error) => {
                self.error(at, "event", text, error);
                return None;
            }
        };
        let (low, high) = link.ends();
        let known = self.ases.get(&low).zip(self.ases.get(&high));
        if !known.is_some_and(|(low, high)| self.neighbours.contains(&(*low, *high))) {
            let rule = "must be a link between ASes that are provider and customer, or peers";
            self.error(at, "event", link, rule);
            return None;
        }
        Some(Changed::AsLink(link))
    }

    fn router_link<T>(&mut self, at: &Spanned<T>, names: &[String; 2], links: &[Link]) -> Option<Changed> {
        let [one, other] = names.each_ref().map(|name| self.routers.get(name).copied());
        let ends =
            one.zip(other).map(|(one, other): (RouterIndex, RouterIndex)| [one.min(other), one.max(other)]);
        let exists = ends.is_some_and(|[low, high]| {
            links.iter().any(|link| link.ends == [low, high] || link.ends == [high, low])
        });
        if !exists {
            self.error(at, "event", names.join(", "), "must be two routers with a [[link]] between them");
        }
        ends.filter(|_| exists).map(Changed::RouterLink)
    }

    /// What is there cannot come, and what is away cannot go.
    fn take_turns(&mut self, changes: &[(&Spanned<raw::Time>, Change)]) {
        let mut links: BTreeMap<Changed, LinkChange> = BTreeMap::new();
        let mut routers: BTreeMap<RouterIndex, bool> = BTreeMap::new();
        let mut uplink = true;
        for (at, change) in changes {
            let twice = match &change.what {
                Happening::Link(what, how) => links.insert(*what, *how) == Some(*how),
                Happening::Router(router, up) => routers.insert(*router, *up).unwrap_or(true) == *up,
                Happening::Uplink(up) => std::mem::replace(&mut uplink, *up) == *up,
                _ => false,
            };
            if twice {
                let rule = "must come only while it is away, and go only while it is there";
                self.error(at, "event.at", change.at, format_args!("{}: {rule}", Subject(&change.what)));
            }
        }
    }
}

/// What an event is about, in a word.
struct Subject<'a>(&'a Happening);

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Happening::Router(..) => "a router",
            Happening::Uplink(_) => "the vantage's uplink",
            _ => "a link",
        })
    }
}
