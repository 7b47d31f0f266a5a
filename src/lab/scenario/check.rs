//! Checks a scenario file as a whole and turns names into positions. All errors are collected: a reader
//! mends a file once, not once an error.

mod balance;
mod course;
mod events;
mod forgers;
mod hosts;
mod links;
mod nat;
mod relations;
mod routers;
mod tunnels;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use toml::Spanned;

pub(super) use course::Course;
use events::Things;

use super::{Addresses, Announced, As, AsIndex, FASTEST, RouterIndex, SLOWEST, Scenario, Vantage, raw};
use crate::lab::cover::Cover;
use crate::model::{Asn, FileError, FileErrors, Prefix, SourceText};

/// How much of everything a scenario may hold: enough for a large one, too little to fill a memory.
const MOST_ASES: usize = 20_000;
const MOST_ROUTERS: usize = 100_000;
const MOST_LINKS: usize = 400_000;
const MOST_FORGERS: usize = 100;
const MOST_TUNNELS: usize = 20_000;
const MOST_NETWORKS: usize = 200_000;
const LONGEST_DELAY: Duration = Duration::from_secs(60);
const LONGEST_DURATION: Duration = Duration::from_secs(3660 * 24 * 3600);
const USUAL_CONVERGENCE: Duration = Duration::from_millis(400);
/// What stands where a name means nothing: the scenario is refused then, but what is wrong with the rest of it
/// is told as well.
const UNKNOWN_AS: AsIndex = AsIndex(usize::MAX);
const UNKNOWN_ROUTER: RouterIndex = RouterIndex(usize::MAX);
const USUAL_CONVERGENCE_INSIDE: Duration = Duration::from_millis(50);

/// `course` may come from another file than the topology.
pub(super) fn check(
    source: &SourceText<'_>,
    file: &raw::File,
    course: &Course<'_>,
) -> Result<Scenario, FileErrors> {
    let mut check = Check::new(source);
    let scenario = check.file(file, course);
    check.errors.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    match scenario {
        Some(scenario) if check.errors.is_empty() => Ok(scenario),
        _ => Err(FileErrors(check.errors)),
    }
}

/// The names that a file defines, and what was found to be wrong with it.
struct Check<'a> {
    /// The file in which stands what is being looked at.
    source: &'a SourceText<'a>,
    errors: Vec<FileError>,
    ases: HashMap<Asn, AsIndex>,
    routers: HashMap<String, RouterIndex>,
    /// `None` where the AS is unknown.
    router_homes: Vec<Option<AsIndex>>,
    /// Whose address it is, to name both when there are two.
    owners: HashMap<IpAddr, String>,
    neighbours: BTreeSet<(AsIndex, AsIndex)>,
}

impl<'a> Check<'a> {
    fn new(source: &'a SourceText<'a>) -> Self {
        Self {
            source,
            errors: Vec::new(),
            ases: HashMap::new(),
            routers: HashMap::new(),
            router_homes: Vec::new(),
            owners: HashMap::new(),
            neighbours: BTreeSet::new(),
        }
    }

    /// `None` if there is too much of something for the rest to be looked at.
    fn file(&mut self, file: &raw::File, course: &Course<'a>) -> Option<Scenario> {
        self.sizes(file)?;
        let ases = self.ases(&file.ases);
        let relations = self.relations(&file.ases);
        let mut routers = self.routers(&file.routers)?;
        let links = self.links(&file.links);
        self.answering(&file.routers, &mut routers);
        let tunnels = self.tunnels(&file.tunnels, &links);
        self.links_follow_relations(file, &links);
        let prefixes = Prefixes::new(self.prefixes(file));
        self.nats(&file.routers, &mut routers, &prefixes);
        let hosts = self.hosts(&file.hosts, &prefixes);
        let vantage = self.vantage(&file.vantage, &prefixes);
        let forgers = self.forgers(&file.forgers, &vantage);
        let clock = self.part(course.clock);
        let start = clock.start.0;
        let speed = self.speed(clock.speed.as_ref());
        let duration = self.span("clock.duration", &clock.duration, LONGEST_DURATION);
        let things =
            Things { links: &links, prefixes: &prefixes.list, hosts: &hosts, relations: &relations };
        let events = self.part(course.events);
        let changes = self.events(events, things, start..=start.after(duration));
        let convergence = self
            .part(course.convergence)
            .map_or(USUAL_CONVERGENCE, |span| self.span("convergence", span, LONGEST_DELAY));
        let convergence_inside = self
            .part(course.convergence_inside)
            .map_or(USUAL_CONVERGENCE_INSIDE, |span| self.span("convergence_inside", span, LONGEST_DELAY));
        Some(Scenario {
            seed: course.seed,
            start,
            speed,
            duration,
            convergence,
            convergence_inside,
            vantage,
            ases,
            relations,
            routers,
            links,
            prefixes: prefixes.list,
            hosts,
            forgers,
            tunnels,
            changes,
        })
    }

    fn sizes(&mut self, file: &raw::File) -> Option<()> {
        let counts = [
            ("as", file.ases.len(), MOST_ASES),
            ("router", file.routers.len(), MOST_ROUTERS),
            ("link", file.links.len(), MOST_LINKS),
            ("forger", file.forgers.len(), MOST_FORGERS),
            ("tunnel", file.tunnels.len(), MOST_TUNNELS),
            ("network", file.networks.len(), MOST_NETWORKS),
        ];
        let excess = counts.into_iter().find(|(_, count, most)| count > most);
        let Some((table, count, most)) = excess else { return Some(()) };
        let rule = format!("has {count} [[{table}]] tables: must be at most {most}");
        self.errors.push(self.source.error(rule));
        None
    }

    fn ases(&mut self, tables: &[raw::As]) -> Vec<As> {
        let mut ases = Vec::new();
        for table in tables {
            let number = *table.number.get_ref();
            if self.ases.insert(number, AsIndex(ases.len())).is_some() {
                self.error(&table.number, "as.number", number, "must be defined only once");
            }
            ases.push(As {
                number,
                name: table.name.clone(),
                multipath: table.multipath,
                symmetric_replies: table.symmetric_replies,
            });
        }
        ases
    }

    /// Infrastructure prefixes of the ASes, and networks.
    fn prefixes(&mut self, file: &raw::File) -> Vec<Announced> {
        let mut prefixes = Vec::new();
        let mut seen: BTreeSet<Prefix> = BTreeSet::new();
        for table in &file.ases {
            let origin = self.ases.get(table.number.get_ref()).copied().unwrap_or(UNKNOWN_AS);
            for prefix in &table.prefixes {
                self.announced_once(&mut seen, prefix, "as.prefixes");
                prefixes.push(Announced { prefix: *prefix.get_ref(), origin, only_to: None, router: None });
            }
        }
        for table in &file.networks {
            let router = self.router_named(&table.router, "network.router");
            let origin = router.and_then(|router| self.home(router));
            self.announced_once(&mut seen, &table.prefix, "network.prefix");
            prefixes.push(Announced {
                prefix: *table.prefix.get_ref(),
                origin: origin.unwrap_or(UNKNOWN_AS),
                only_to: table.announce_to.as_ref().map(|list| self.announce_to(list, origin)),
                router: router.or(Some(UNKNOWN_ROUTER)),
            });
        }
        prefixes
    }

    fn announced_once(&mut self, seen: &mut BTreeSet<Prefix>, prefix: &Spanned<Prefix>, key: &str) {
        if !seen.insert(*prefix.get_ref()) {
            self.error(prefix, key, prefix.get_ref(), "must be announced only once");
        }
    }

    fn announce_to(&mut self, list: &[Spanned<Asn>], origin: Option<AsIndex>) -> BTreeSet<AsIndex> {
        let mut to = BTreeSet::new();
        for asn in list {
            let Some(neighbour) = self.asn(asn, "network.announce_to") else { continue };
            if origin.is_some_and(|origin| !self.neighbours.contains(&(origin, neighbour))) {
                let rule = "must be a provider, peer or customer of the AS of the network's router";
                self.error(asn, "network.announce_to", asn.get_ref(), rule);
            }
            to.insert(neighbour);
        }
        to
    }

    fn vantage(&mut self, table: &raw::Vantage, prefixes: &Prefixes) -> Vantage {
        let gateway = self.router_named(&table.gateway, "vantage.gateway").unwrap_or(UNKNOWN_ROUTER);
        let home = self.home(gateway);
        for address in &table.addresses {
            let origin = prefixes.covering(*address.get_ref()).map(|announced| announced.origin);
            if home.is_some() && origin != home {
                let rule = "must lie inside a prefix of the AS of the gateway";
                self.error(address, "vantage.addresses", address.get_ref(), rule);
            }
        }
        if table.addresses.is_empty() {
            let rule = "must have addresses: an IPv4 one, an IPv6 one, or both";
            self.error(&table.gateway, "vantage.gateway", table.gateway.get_ref(), rule);
        }
        Vantage {
            name: table.name.clone(),
            addresses: self.addresses(&table.addresses, "vantage.addresses", "the vantage"),
            gateway,
            delay: self.optional_span("vantage.delay", table.delay.as_ref()),
        }
    }

    fn speed(&mut self, speed: Option<&Spanned<f64>>) -> f64 {
        let Some(speed) = speed else { return SLOWEST };
        let value = *speed.get_ref();
        if !(SLOWEST..=FASTEST).contains(&value) {
            let rule = format!("must be {SLOWEST} to {FASTEST} wall seconds per real second");
            self.error(speed, "clock.speed", value, rule);
        }
        value
    }

    fn optional_span(&mut self, key: &str, span: Option<&Spanned<raw::Span>>) -> Duration {
        span.map_or(Duration::ZERO, |span| self.span(key, span, LONGEST_DELAY))
    }

    fn span(&mut self, key: &str, span: &Spanned<raw::Span>, longest: Duration) -> Duration {
        let value = span.get_ref().0;
        self.not_longer_than(key, span, value, longest);
        value
    }

    fn not_longer_than<T>(&mut self, key: &str, at: &Spanned<T>, value: Duration, longest: Duration) {
        if value > longest {
            let shown = humantime::format_duration(value);
            let rule = format!("must be at most {}", humantime::format_duration(longest));
            self.error(at, key, shown, rule);
        }
    }

    /// A whole number from `least` to `most`; `most` where it is not.
    fn whole<N>(&mut self, key: &str, number: &Spanned<u64>, least: N, most: N) -> N
    where
        N: Copy + fmt::Display + PartialOrd + TryFrom<u64>,
    {
        let value = N::try_from(*number.get_ref()).ok().filter(|value| (least..=most).contains(value));
        if value.is_none() {
            self.error(number, key, number.get_ref(), format!("must be {least} to {most}"));
        }
        value.unwrap_or(most)
    }

    /// At most one address of each family, each belonging to nobody else.
    fn addresses(&mut self, list: &[Spanned<IpAddr>], key: &str, owner: &str) -> Addresses {
        let mut addresses = Addresses::default();
        for address in list {
            self.owned_once(*address.get_ref(), address, key, owner);
            self.one_of_family(&mut addresses, *address.get_ref(), address, key);
        }
        addresses
    }

    fn one_of_family<T>(&mut self, addresses: &mut Addresses, address: IpAddr, at: &Spanned<T>, key: &str) {
        let taken = match address {
            IpAddr::V4(v4) => addresses.v4.replace(v4).is_some(),
            IpAddr::V6(v6) => addresses.v6.replace(v6).is_some(),
        };
        if taken {
            self.error(at, key, address, "must be at most one address of each family");
        }
    }

    fn owned_once<T>(&mut self, address: IpAddr, at: &Spanned<T>, key: &str, owner: &str) {
        if let Some(other) = self.owners.insert(address, owner.to_owned()) {
            let rule = format!("must belong to nobody else: {other} has it already");
            self.error(at, key, address, rule);
        }
    }

    fn asn(&mut self, asn: &Spanned<Asn>, key: &str) -> Option<AsIndex> {
        let found = self.ases.get(asn.get_ref()).copied();
        if found.is_none() {
            self.error(asn, key, asn.get_ref(), "must be the number of an [[as]]");
        }
        found
    }

    fn router_named(&mut self, name: &Spanned<String>, key: &str) -> Option<RouterIndex> {
        let found = self.routers.get(name.get_ref()).copied();
        if found.is_none() {
            self.error(name, key, name.get_ref(), "must be the name of a [[router]]");
        }
        found
    }

    fn home(&self, router: RouterIndex) -> Option<AsIndex> {
        self.router_homes.get(router.0).copied().flatten()
    }

    fn error<T>(&mut self, at: &Spanned<T>, key: &str, value: impl fmt::Display, rule: impl fmt::Display) {
        self.errors.push(self.source.error_at(&at.span(), format!("{key} = {value}"), rule));
    }
}

/// What is announced.
struct Prefixes {
    list: Vec<Announced>,
    cover: Cover,
}

impl Prefixes {
    fn new(list: Vec<Announced>) -> Self {
        let prefixes: Vec<Prefix> = list.iter().map(|announced| announced.prefix).collect();
        Self { cover: Cover::of(&prefixes), list }
    }

    /// The longest announced prefix that an address lies in.
    fn covering(&self, address: IpAddr) -> Option<&Announced> {
        self.cover.longest(address).and_then(|position| self.list.get(position))
    }
}
