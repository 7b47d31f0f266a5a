//! Events: inside the scenario's time, each about one thing that exists, and adding only what is away.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

use toml::Spanned;

use super::Check;
use super::links::LARGEST_WEIGHT;
use crate::lab::scenario::{
    Announced, AsIndex, Change, Changed, Happening, Host, Link, LinkIndex, Relation, RouterIndex, raw,
};
use crate::model::{AsLink, Asn, LinkChange, Prefix, WallTime};

/// Every one is looked at whenever routes are.
const MOST_EVENTS: usize = 10_000;

/// What events can be about.
#[derive(Clone, Copy)]
pub(super) struct Things<'a> {
    pub(super) links: &'a [Link],
    pub(super) prefixes: &'a [Announced],
    pub(super) hosts: &'a [Host],
    pub(super) relations: &'a [Relation],
}

impl Check<'_> {
    pub(super) fn events(
        &mut self,
        tables: &[raw::Event],
        things: Things<'_>,
        time: RangeInclusive<WallTime>,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        if let Some(table) = tables.get(MOST_EVENTS) {
            let rule = format!("must be at most {MOST_EVENTS} events");
            self.error(&table.at, "event.at", table.at.get_ref().0, rule);
        }
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
        self.no_later_circle(things.relations, &changes);
        changes.into_iter().map(|(_, change)| change).collect()
    }

    /// The one thing that an event says; `None` if it says none, several, or something that cannot be.
    fn happening(&mut self, table: &raw::Event, things: Things<'_>) -> Option<Happening> {
        let Things { links, prefixes, hosts, .. } = things;
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
            table.hosts_down.as_ref().map(|prefix| self.hosts_event(prefix, hosts, false)),
            table.hosts_up.as_ref().map(|prefix| self.hosts_event(prefix, hosts, true)),
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
        let key = if how == LinkChange::Added { "event.added" } else { "event.lost" };
        let what = self.changed((key, ends), ends.get_ref(), links)?;
        Some(Happening::Link(what, how))
    }

    fn router_event(&mut self, name: &Spanned<String>, up: bool) -> Option<Happening> {
        let key = if up { "event.router_up" } else { "event.router_down" };
        Some(Happening::Router(self.router_named(name, key)?, up))
    }

    fn hosts_event(&mut self, prefix: &Spanned<Prefix>, hosts: &[Host], up: bool) -> Option<Happening> {
        let within = *prefix.get_ref();
        let mut addresses = hosts.iter().flat_map(|host| &host.addresses);
        if !addresses.any(|(address, _)| within.contains(*address)) {
            let key = if up { "event.hosts_up" } else { "event.hosts_down" };
            self.error(prefix, key, within, "must hold an address of a [[host]]");
            return None;
        }
        Some(Happening::Hosts(within, up))
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
        let to = to.as_ref().map(|to| self.hearers(announce, to, announced.origin));
        Some(Happening::Announce(index, to))
    }

    fn hearers<T>(&mut self, at: &Spanned<T>, to: &[Asn], origin: AsIndex) -> BTreeSet<AsIndex> {
        let mut neighbours = BTreeSet::new();
        for asn in to {
            let known =
                self.known(*asn).filter(|neighbour| self.neighbours.contains(&(origin, *neighbour)));
            if known.is_none() {
                let rule = "must be a provider, peer or customer of the AS of the network";
                self.error(at, "event.announce.to", asn, rule);
            }
            neighbours.extend(known);
        }
        neighbours
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
        let which = self.changed(("event.weight.link", weight), link, links)?;
        Some(Happening::Weight(which, share))
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

    /// Which links are meant; `at` is the key that names them, and where it stands.
    fn changed<T>(&mut self, at: (&str, &Spanned<T>), ends: &raw::Ends, links: &[Link]) -> Option<Changed> {
        match ends {
            raw::Ends::Name(name) => {
                let named = links.iter().position(|link| link.name.as_ref() == Some(name));
                named.map(|index| Changed::Link(LinkIndex(index))).or_else(|| self.as_link(at, name))
            }
            raw::Ends::Routers(names) => self.router_link(at, names, links),
        }
    }

    fn as_link<T>(&mut self, (key, at): (&str, &Spanned<T>), text: &str) -> Option<Changed> {
        let Ok(link) = text.parse::<AsLink>() else {
            let rule = "must be the name of a [[link]], two ASes as in \"AS4837-AS131279\", \
                        or two routers as in [\"one\", \"other\"]";
            self.error(at, key, text, rule);
            return None;
        };
        let (low, high) = link.ends();
        let known = self.ases.get(&low).zip(self.ases.get(&high));
        if !known.is_some_and(|(low, high)| self.neighbours.contains(&(*low, *high))) {
            let rule = "must be a link between ASes that are provider and customer, or peers";
            self.error(at, key, link, rule);
            return None;
        }
        Some(Changed::AsLink(link))
    }

    fn router_link<T>(
        &mut self,
        (key, at): (&str, &Spanned<T>),
        names: &[String; 2],
        links: &[Link],
    ) -> Option<Changed> {
        let [one, other] = names.each_ref().map(|name| self.routers.get(name).copied());
        let ends =
            one.zip(other).map(|(one, other): (RouterIndex, RouterIndex)| [one.min(other), one.max(other)]);
        let exists = ends.is_some_and(|[low, high]| {
            links.iter().any(|link| link.ends == [low, high] || link.ends == [high, low])
        });
        if !exists {
            self.error(at, key, names.join(", "), "must be two routers with a [[link]] between them");
        }
        ends.filter(|_| exists).map(Changed::RouterLink)
    }

    /// What is there cannot come, and what is away cannot go.
    fn take_turns(&mut self, changes: &[(&Spanned<raw::Time>, Change)]) {
        let mut links: BTreeMap<Changed, LinkChange> = BTreeMap::new();
        let mut routers: BTreeMap<RouterIndex, bool> = BTreeMap::new();
        let mut uplink = true;
        let mut off: Vec<Prefix> = Vec::new();
        for (at, change) in changes {
            let twice = match &change.what {
                Happening::Link(what, how) => links.insert(*what, *how) == Some(*how),
                Happening::Router(router, up) => routers.insert(*router, *up).unwrap_or(true) == *up,
                Happening::Uplink(up) => std::mem::replace(&mut uplink, *up) == *up,
                Happening::Hosts(prefix, false) => {
                    off.push(*prefix);
                    false
                }
                Happening::Hosts(prefix, true) => {
                    !off.iter().any(|other| other.covers(prefix) || prefix.covers(other))
                }
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
            Happening::Hosts(..) => "hosts",
            _ => "a link",
        })
    }
}
