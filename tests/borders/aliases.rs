//! Which addresses are on one router? Judged by the same Internets.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tetherline::analyse::aliases::{Aliases, Fingerprints};
use tetherline::lab::TrueIpIds;
use tetherline::model::Name;

use super::{Seen, World};

/// Pairs of addresses that are said to be on one router.
#[derive(Clone, Copy, Default)]
struct Pairs {
    told: usize,
    right: usize,
    /// Of those that are told without identifications, too.
    known: usize,
    known_right: usize,
}

type Pair = (IpAddr, IpAddr);

fn pairs(addresses: &[IpAddr]) -> impl Iterator<Item = Pair> + '_ {
    let places = addresses.iter().enumerate();
    places.flat_map(|(place, one)| addresses[place + 1..].iter().map(|other| (*one, *other)))
}

/// With whether it is true.
fn told(seen: &Seen, aliases: &Aliases) -> BTreeMap<Pair, bool> {
    let routers = aliases.routers().into_values().map(|router| router.into_iter().collect::<Vec<_>>());
    let told = routers.flat_map(|router| pairs(&router).collect::<Vec<_>>());
    told.map(|pair| (pair, seen.names[&pair.0] == seen.names[&pair.1])).collect()
}

/// How many there are among the addresses that answered.
fn all(seen: &Seen) -> usize {
    let mut routers: BTreeMap<&str, usize> = BTreeMap::new();
    for name in seen.names.values() {
        *routers.entry(name).or_default() += 1;
    }
    routers.values().map(|number| number * (number - 1) / 2).sum()
}

impl Pairs {
    fn add(&mut self, told: &BTreeMap<Pair, bool>, without: &BTreeMap<Pair, bool>) {
        let right =
            |pairs: &mut dyn Iterator<Item = (&Pair, &bool)>| pairs.filter(|(_, right)| **right).count();
        self.told += told.len();
        self.right += right(&mut told.iter());
        let known = || told.iter().filter(|(pair, _)| without.contains_key(*pair));
        self.known += known().count();
        self.known_right += right(&mut known());
    }
}

/// What a campaign hears of identifications: every vantage traces all targets in each of these rounds, which begin every ten minutes, ten a second, in an
/// order of its own, and the vantages begin together.
fn samples(world: &World, seen: &Seen, rounds: u64) -> Fingerprints {
    let vantages: Vec<&Name> = seen.traces.iter().map(|trace| &trace.key.vantage).collect();
    let targets = world.hosts.len();
    let mut answers = Vec::new();
    for (place, path) in seen.paths.iter().enumerate() {
        let (vantage, target) = (place / targets, place % targets);
        for round in 0..rounds {
            let turn = (target * 7 + vantage * 31 + usize::try_from(round).unwrap() * 17) % targets;
            let begins = 600_000 * round + 100 * turn as u64 + 7 * vantage as u64;
            for (hop, (address, router)) in (1..).zip(path) {
                let (sent, rtt) = (begins + 20 * hop, 8 * hop);
                answers.push((2 * sent + rtt, place, (sent, rtt), *address, router));
            }
        }
    }
    answers.sort_unstable();
    let (mut ids, mut samples) = (TrueIpIds::new(&world.scenario), Fingerprints::default());
    for (at, place, (sent, rtt), address, router) in answers {
        let id = ids.next(router, address, Duration::from_micros(at * 500)).unwrap();
        let sent = i64::try_from(sent * 1_000_000).unwrap();
        samples.add_sample(address, vantages[place], (sent, Duration::from_millis(rtt)), id);
    }
    samples
}

/// What is told with the identifications of so many rounds each, printed as it stands in docs/measurements.md.
fn judged<const N: usize>(rounds: [u64; N]) -> [Pairs; N] {
    let (mut there, mut sums) = (0, [Pairs::default(); N]);
    for seed in 1..4 {
        let world = World::new(seed, 400);
        let seen = Seen::new(&world, 12);
        there += all(&seen);
        let by = |rounds| {
            let ids = samples(&world, &seen, rounds);
            told(&seen, &Aliases::new(&seen.traces, &ids, &world.origins))
        };
        let without = by(0);
        for (sum, rounds) in sums.iter_mut().zip(rounds) {
            sum.add(&by(rounds), &without);
        }
    }
    eprintln!("pairs of addresses on one router: {there}");
    for (Pairs { told, right, known, known_right }, rounds) in sums.into_iter().zip(rounds) {
        let (new, new_right) = (told - known, right - known_right);
        eprintln!(
            "with identifications of {rounds}: told {told}, right {right}; new {new}, right {new_right}"
        );
    }
    sums
}

/// Also what `cargo test --test borders -- --nocapture aliases` prints.
#[test]
fn aliases_that_are_told_are_on_one_router() {
    let [none, _, six] = judged([0, 1, 6]);
    assert!(none.told > 20 && none.right * 100 >= none.told * 95, "{} of {}", none.right, none.told);
    assert!(six.right * 4 >= none.right * 5, "{} for {}", six.right, none.right);
    assert!(six.right * 100 >= six.told * 98, "{} of {}", six.right, six.told);
}

#[test]
#[ignore = "takes half a minute"]
fn aliases_of_a_long_campaign_are_on_one_router() {
    let [long] = judged([24]);
    assert!(long.right * 100 >= long.told * 98, "{} of {}", long.right, long.told);
}
