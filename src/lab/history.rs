//! What the events of a scenario change, each thing over time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::scenario::{
    AsIndex, Change, Changed, Happening, IcmpRate, Link, LinkIndex, RouterIndex, Scenario,
};
use super::timeline::Timeline;
use crate::model::{ClockPair, LinkChange, MonoTime, Prefix};

/// What events change, over time.
#[derive(Debug)]
pub(super) struct History {
    /// Of each link: it is there while it is itself, its routers are, and the link between their ASes is.
    pub(super) links: Vec<Timeline<bool>>,
    pub(super) routers: HashMap<RouterIndex, Timeline<bool>>,
    pub(super) weights: HashMap<LinkIndex, Timeline<u16>>,
    pub(super) icmp_rates: HashMap<RouterIndex, Timeline<Option<IcmpRate>>>,
    pub(super) announced_to: HashMap<usize, Timeline<Option<BTreeSet<AsIndex>>>>,
    pub(super) uplink: Timeline<bool>,
    pub(super) hosts: HashMap<Prefix, Timeline<bool>>,
}

impl History {
    pub(super) fn new(scenario: &Scenario, clock: &ClockPair) -> Self {
        let mut history = Self {
            links: Vec::new(),
            routers: HashMap::new(),
            weights: HashMap::new(),
            icmp_rates: HashMap::new(),
            announced_to: HashMap::new(),
            uplink: Timeline::new(true),
            hosts: HashMap::new(),
        };
        let mut presences: BTreeMap<Changed, Timeline<bool>> = BTreeMap::new();
        for Change { at, what } in &scenario.changes {
            let at = clock.mono(*at);
            if let Happening::Link(what, how) = what {
                let there = *how == LinkChange::Added;
                presences.entry(*what).or_insert_with(|| Timeline::new(!there)).then(at, there);
            } else {
                history.note(scenario, at, what);
            }
        }
        let link = |link| presence(scenario, link, &presences, &history.routers);
        history.links = scenario.numbered_links().map(link).collect();
        history
    }

    fn note(&mut self, scenario: &Scenario, at: MonoTime, what: &Happening) {
        match what {
            Happening::Router(router, up) => {
                self.routers.entry(*router).or_insert_with(|| Timeline::new(true)).then(at, *up);
            }
            Happening::Announce(prefix, to) => {
                let usual =
                    || scenario.prefixes.get(*prefix).and_then(|announced| announced.only_to.clone());
                let history = self.announced_to.entry(*prefix).or_insert_with(|| Timeline::new(usual()));
                history.then(at, to.clone());
            }
            Happening::Weight(which, weight) => {
                let meant = |link: &(LinkIndex, &Link)| scenario.names_of(*link).any(|name| name == *which);
                for (index, link) in scenario.numbered_links().filter(meant) {
                    let history = self.weights.entry(index);
                    history.or_insert_with(|| Timeline::new(link.weight)).then(at, *weight);
                }
            }
            Happening::IcmpRate(router, rate) => {
                let usual = || scenario.routers.get(router.0).and_then(|router| router.icmp_rate);
                let history = self.icmp_rates.entry(*router).or_insert_with(|| Timeline::new(usual()));
                history.then(at, *rate);
            }
            Happening::Uplink(up) => self.uplink.then(at, *up),
            Happening::Hosts(prefix, up) => {
                self.hosts.entry(*prefix).or_insert_with(|| Timeline::new(true)).then(at, *up);
            }
            // Kept where links and neighbours are.
            Happening::Link(..) | Happening::Relation(_) => {}
        }
    }
}

/// When a link is there.
fn presence(
    scenario: &Scenario,
    link: (LinkIndex, &Link),
    presences: &BTreeMap<Changed, Timeline<bool>>,
    routers: &HashMap<RouterIndex, Timeline<bool>>,
) -> Timeline<bool> {
    let own = scenario.names_of(link).filter_map(|name| presences.get(&name));
    let ends = link.1.ends.iter().filter_map(|end| routers.get(end));
    let parts: Vec<&Timeline<bool>> = own.chain(ends).collect();
    Timeline::all(&parts)
}
