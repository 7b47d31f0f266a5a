//! What the events of a scenario change, as lines for the labels of what they change.

use std::collections::BTreeMap;

use super::words;
use crate::lab::scenario::{
    AsIndex, Change, Changed, Happening, Link, LinkIndex, Relation, RouterIndex, Scenario,
};
use crate::model::{LinkChange, Prefix, WallTime};

/// What a picture shows that an event can change, beside links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Thing {
    Router(RouterIndex),
    /// By its position in the scenario.
    Prefix(usize),
    Uplink,
}

/// Lines, in the order of time.
pub(super) struct Changes {
    things: BTreeMap<Thing, Vec<String>>,
    links: BTreeMap<Changed, Vec<(WallTime, String)>>,
    relations: BTreeMap<[AsIndex; 2], Vec<(WallTime, String)>>,
}

/// More of them would hide the rest of the picture.
const MOST_LINES: usize = 4;

impl Changes {
    pub(super) fn of(scenario: &Scenario) -> Self {
        let mut changes =
            Self { things: BTreeMap::new(), links: BTreeMap::new(), relations: BTreeMap::new() };
        for Change { at, what } in &scenario.changes {
            changes.note(scenario, *at, what);
        }
        for lines in changes.things.values_mut() {
            shorten(lines);
        }
        changes
    }

    fn note(&mut self, scenario: &Scenario, at: WallTime, what: &Happening) {
        let time = words::time(scenario, at);
        match what {
            Happening::Link(which, LinkChange::Added) => self.link(*which, at, format!("added {time}")),
            Happening::Link(which, LinkChange::Lost) => self.link(*which, at, format!("lost {time}")),
            Happening::Weight(which, weight) => {
                self.link(*which, at, format!("weight {weight} from {time}"));
            }
            Happening::Router(router, up) => {
                let line = format!("{} {time}", if *up { "up" } else { "down" });
                self.thing(Thing::Router(*router), line);
            }
            Happening::IcmpRate(router, rate) => {
                let limit = rate.map_or_else(|| "no limit".to_owned(), words::rate);
                self.thing(Thing::Router(*router), format!("{limit} from {time}"));
            }
            Happening::Announce(prefix, to) => {
                let to = to.as_ref().map_or_else(|| "to all".to_owned(), |to| words::told_to(scenario, to));
                self.announced(scenario, *prefix, &format!("{to} from {time}"));
            }
            Happening::Relation(relation) => {
                let (one, other) = relation.ends();
                let line = format!("{} from {time}", relation_words(scenario, *relation));
                self.relations.entry([one.min(other), one.max(other)]).or_default().push((at, line));
            }
            Happening::Uplink(up) => {
                self.thing(Thing::Uplink, format!("{} {time}", if *up { "up" } else { "down" }));
            }
            Happening::Hosts(within, up) => self.hosts(scenario, *within, *up, &time),
        }
    }

    fn thing(&mut self, thing: Thing, line: String) {
        self.things.entry(thing).or_default().push(line);
    }

    fn link(&mut self, which: Changed, at: WallTime, line: String) {
        self.links.entry(which).or_default().push((at, line));
    }

    /// A prefix of infrastructure has no label of its own.
    fn announced(&mut self, scenario: &Scenario, prefix: usize, line: &str) {
        let infrastructure = scenario.prefixes.get(prefix).filter(|announced| announced.router.is_none());
        let line = infrastructure.map_or_else(|| line.to_owned(), |it| format!("{} {line}", it.prefix));
        self.thing(Thing::Prefix(prefix), line);
    }

    /// Every network that they may be in is told.
    fn hosts(&mut self, scenario: &Scenario, within: Prefix, up: bool, time: &str) {
        for (index, announced) in scenario.prefixes.iter().enumerate() {
            let network = announced.prefix;
            let about = network.covers(&within) || within.covers(&network);
            if announced.router.is_some() && about {
                let which = if within.covers(&network) { "hosts".to_owned() } else { within.to_string() };
                let line = format!("{which} {} {time}", if up { "up" } else { "down" });
                self.thing(Thing::Prefix(index), line);
            }
        }
    }

    pub(super) fn about(&self, thing: &Thing) -> &[String] {
        self.things.get(thing).map_or(&[], Vec::as_slice)
    }

    /// Whatever an event calls it, and what its ASes are to each other.
    pub(super) fn of_link(&self, scenario: &Scenario, link: (LinkIndex, &Link)) -> Vec<String> {
        let homes = link.1.ends.map(|end| scenario.routers.get(end.0).map(|router| router.home));
        let relation = match homes {
            [Some(one), Some(other)] => self.relations.get(&[one.min(other), one.max(other)]),
            _ => None,
        };
        let own = scenario.names_of(link).filter_map(|name| self.links.get(&name));
        let mut lines: Vec<&(WallTime, String)> = own.chain(relation).flatten().collect();
        lines.sort_by_key(|(at, _)| *at);
        let mut lines: Vec<String> = lines.into_iter().map(|(_, line)| line.clone()).collect();
        shorten(&mut lines);
        lines
    }
}

fn relation_words(scenario: &Scenario, relation: Relation) -> String {
    match relation {
        Relation::Peering(..) => "peers".to_owned(),
        Relation::Transit { provider, .. } => {
            let number = scenario.ases.get(provider.0).map(|asys| asys.number.to_string());
            format!("{} provides", number.unwrap_or_default())
        }
    }
}

fn shorten(lines: &mut Vec<String>) {
    let more = lines.len().saturating_sub(MOST_LINES);
    if more > 0 {
        lines.truncate(MOST_LINES);
        lines.push(format!("and {more} more"));
    }
}
