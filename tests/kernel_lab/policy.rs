//! Small random Internets: BIRD, with the filters of every textbook, and the simulator choose the same AS paths.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use tetherline::lab::{Scenario, Truth};
use tetherline::model::{Asn, Prefix};

use super::lab::ask_all_in;
use super::rib::{self, Route};
use super::same_hops::at;

/// An Internet of three tiers: in the first all are peers; the others have one or two providers above them.
struct Internet {
    /// By position: the AS number, and how many routers there are.
    ases: Vec<(u32, usize)>,
    /// Provider and customer, by position.
    transits: BTreeSet<(usize, usize)>,
    peerings: BTreeSet<(usize, usize)>,
    /// Of each AS: the neighbours that hear of its second network.
    shown: Vec<Vec<usize>>,
    /// The link that is lost.
    lost: (usize, usize),
    /// The peers of which the first one then becomes the provider of the second.
    promoted: (usize, usize),
    /// To whom the last AS then shows its second network.
    shown_at_last: Vec<usize>,
}

/// Where each tier begins.
const TIERS: [usize; 4] = [0, 2, 5, 9];

impl Internet {
    fn new(seed: u64) -> Self {
        let mut dice = ChaCha12Rng::seed_from_u64(seed);
        let mut numbers: Vec<u32> = (64_500..64_509).collect();
        numbers.shuffle(&mut dice);
        let ases = numbers.into_iter().map(|number| (number, dice.random_range(1..=2))).collect();
        let mut internet = Self {
            ases,
            transits: BTreeSet::new(),
            peerings: BTreeSet::from([(0, 1)]),
            shown: Vec::new(),
            lost: (0, 0),
            promoted: (0, 1),
            shown_at_last: Vec::new(),
        };
        for tier in 1..3 {
            for customer in TIERS[tier]..TIERS[tier + 1] {
                for _ in 0..2 {
                    let provider = dice.random_range(TIERS[tier - 1]..TIERS[tier]);
                    internet.transits.insert((provider, customer));
                }
                let peer = dice.random_range(TIERS[tier]..TIERS[tier + 1]);
                if peer < customer {
                    internet.peerings.insert((peer, customer));
                }
            }
        }
        internet.shown = (0..TIERS[3]).map(|me| internet.some_neighbours(me, &mut dice)).collect();
        let links: Vec<(usize, usize)> = internet.links().collect();
        internet.lost = links[dice.random_range(0..links.len())];
        internet.promoted = *internet.peerings.last().expect("the first tier's");
        internet.shown_at_last = internet.some_neighbours(TIERS[3] - 1, &mut dice);
        internet
    }

    fn links(&self) -> impl Iterator<Item = (usize, usize)> {
        self.transits.iter().chain(&self.peerings).copied()
    }

    fn some_neighbours(&self, me: usize, dice: &mut ChaCha12Rng) -> Vec<usize> {
        let neighbour = |(one, other)| match me {
            me if me == one => Some(other),
            me if me == other => Some(one),
            _ => None,
        };
        self.links().filter_map(neighbour).filter(|_| dice.random_bool(0.5)).collect()
    }

    /// As a scenario with the vantage in one of the ASes; the seed of the dice that choose among its routers is
    /// always the same.
    fn scenario(&self, vantage: usize) -> String {
        let mut text = format!(
            "[clock]\nstart = \"2017-10-01T07:30:00Z\"\nduration = \"2h\"\n\
             [vantage]\nname = \"here\"\naddresses = [\"10.{vantage}.9.9\", \"fd0{vantage}::99\"]\n\
             gateway = \"r{vantage}-0\"\n"
        );
        let mut dice = ChaCha12Rng::seed_from_u64(0);
        for me in 0..self.ases.len() {
            self.write_as(me, &mut text);
        }
        for (one, other) in self.links() {
            let mut end = |asys: usize| format!("r{asys}-{}", dice.random_range(0..self.ases[asys].1));
            write_link(&end(one), &end(other), &mut text);
        }
        let named = |(one, other): (usize, usize)| (self.ases[one].0, self.ases[other].0);
        let ((one, other), (provider, customer)) = (named(self.lost), named(self.promoted));
        let last = TIERS[3] - 1;
        let shown = self.numbers(&self.shown_at_last);
        write!(
            text,
            "[[event]]\nat = \"2017-10-01T08:30:00Z\"\nlost = \"AS{one}-AS{other}\"\n\
             [[event]]\nat = \"2017-10-01T08:40:00Z\"\n\
             relation = {{ provider = {provider}, customer = {customer} }}\n\
             [[event]]\nat = \"2017-10-01T08:50:00Z\"\n\
             announce = {{ prefix = \"172.16.{last}.0/24\", to = {shown:?} }}\n"
        )
        .expect("written");
        text
    }

    fn numbers(&self, ases: &[usize]) -> Vec<u32> {
        ases.iter().map(|asys| self.ases[*asys].0).collect()
    }

    fn write_as(&self, me: usize, text: &mut String) {
        let (number, routers) = self.ases[me];
        let providers =
            self.transits.iter().filter(|(_, customer)| *customer == me).map(|(provider, _)| *provider);
        let peers = self.peerings.iter().filter(|(_, other)| *other == me).map(|(one, _)| *one);
        let providers: Vec<usize> = providers.collect();
        let peers: Vec<usize> = peers.collect();
        write!(
            text,
            "[[as]]\nnumber = {number}\nname = \"{me}\"\nproviders = {:?}\npeers = {:?}\n\
             prefixes = [\"10.{me}.0.0/16\", \"fd0{me}::/32\"]\n\
             [[network]]\nprefix = \"172.16.{me}.0/24\"\nrouter = \"r{me}-0\"\nannounce_to = {:?}\n",
            self.numbers(&providers),
            self.numbers(&peers),
            self.numbers(&self.shown[me]),
        )
        .expect("written");
        for router in 0..routers {
            write!(
                text,
                "[[router]]\nname = \"r{me}-{router}\"\nas = {number}\n\
                 addresses = [\"10.{me}.0.{}\", \"fd0{me}::{}\"]\n",
                router + 1,
                router + 1
            )
            .expect("written");
        }
        if routers == 2 {
            write_link(&format!("r{me}-0"), &format!("r{me}-1"), text);
        }
    }
}

fn write_link(one: &str, other: &str, text: &mut String) {
    write!(text, "[[link]]\nbetween = [\"{one}\", \"{other}\"]\ndelay = \"0ms\"\n").expect("written");
}

/// Holds the tables of all routers of an AS against the simulator's AS paths from there; returns how many paths there
/// were.
fn check(internet: &Internet, me: usize, routes: &[Route], time: &str) -> usize {
    let truth = Truth::new(&Scenario::parse("random.toml", &internet.scenario(me)).expect("a scenario"));
    let own: Asn = internet.ases[me].0.to_string().parse().expect("an AS number");
    let mut count = 0;
    for origin in (0..internet.ases.len()).filter(|origin| *origin != me) {
        for prefix in
            [format!("10.{origin}.0.0/16"), format!("fd0{origin}::/32"), format!("172.16.{origin}.0/24")]
        {
            let prefix: Prefix = prefix.parse().expect("a prefix");
            let simulator = truth.as_paths_to(prefix, at(time));
            for router in 0..internet.ases[me].1 {
                let mine = routes.iter().filter(|route| route.router == format!("r{me}-{router}"));
                let best = mine.filter(|route| route.best && route.prefix == prefix);
                let bird: BTreeSet<Vec<Asn>> =
                    best.map(|route| [&[own], route.path().as_slice()].concat()).collect();
                assert_eq!(bird, simulator, "{prefix} at r{me}-{router} at {time}");
                count += bird.len();
            }
        }
    }
    count
}

fn bird_and_the_simulator_agree(seed: u64) {
    let internet = Internet::new(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("random.toml");
    fs::write(&path, internet.scenario(0)).expect("written");
    let next = "lab event\nlab settle\nlab rib";
    let scripts = ["lab rib", next, next, next];
    let said = ask_all_in(&path.display().to_string(), folder.path(), &scripts);
    for (time, said) in ["08:00:00", "08:35:00", "08:45:00", "08:55:00"].iter().zip(said) {
        let routes = rib::routes(&said);
        let paths: usize = (0..internet.ases.len()).map(|me| check(&internet, me, &routes, time)).sum();
        assert!(paths > 100, "only {paths} paths: this Internet is no test");
    }
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn in_a_first_random_internet_bird_and_the_simulator_agree_through_all_events() {
    bird_and_the_simulator_agree(1);
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn in_a_second_random_internet_bird_and_the_simulator_agree_through_all_events() {
    bird_and_the_simulator_agree(2);
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn in_a_third_random_internet_bird_and_the_simulator_agree_through_all_events() {
    bird_and_the_simulator_agree(3);
}
