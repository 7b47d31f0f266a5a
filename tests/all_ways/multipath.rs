//! Multipath searches: how often a branch is missed, held against theory, and that no link is made up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::IpAddr;

use statrs::distribution::{Binomial, DiscreteCDF};
use tetherline::analyse::ways::Ways;
use tetherline::lab::{Flows, Recipe, Scenario, Truth, generate};
use tetherline::model::Protocol;
use tetherline::multipath::StoppingRule;

use crate::stage::{Link, Round, measure_by, seeds};

/// A balancer with these weights between plain routers, before a network of so many hosts. What `habits` says
/// belongs to the balancer, and what `hazards` says to every link.
pub(crate) fn balancer(weights: &[u32], hosts: u32, habits: &str, hazards: &str) -> String {
    let mut text = String::from(
        "[clock]\nstart = \"2017-10-01T00:00:00Z\"\nduration = \"24h\"\n\
         [vantage]\nname = \"here\"\naddresses = [\"188.1.144.10\"]\ngateway = \"edge\"\n\
         [[as]]\nnumber = 680\nname = \"DFN\"\nprefixes = [\"188.1.0.0/16\", \"175.45.176.0/21\"]\n",
    );
    let mut router = |name: &str, address: &str, habits: &str| {
        writeln!(text, "[[router]]\nname = \"{name}\"\nas = 680\naddresses = [\"{address}\"]\n{habits}")
    };
    let branches: Vec<String> = (0..weights.len()).map(|branch| format!("branch{branch}")).collect();
    router("edge", "188.1.144.1", "").expect("written");
    router("fork", "188.1.145.1", habits).expect("written");
    for (number, branch) in (1..).zip(&branches) {
        router(branch, &format!("188.1.146.{number}"), "").expect("written");
    }
    router("join", "188.1.147.1", "").expect("written");
    router("last", "188.1.148.1", "").expect("written");
    let mut link = |from: &str, to: &str, weight: u32| {
        let between = format!("between = [\"{from}\", \"{to}\"]");
        writeln!(text, "[[link]]\n{between}\ndelay = \"1ms\"\nweight = {weight}\n{hazards}")
    };
    link("edge", "fork", 1).expect("written");
    for (branch, weight) in branches.iter().zip(weights) {
        link("fork", branch, *weight).expect("written");
        link(branch, "join", 1).expect("written");
    }
    link("join", "last", 1).expect("written");
    let hosts: Vec<String> = targets(hosts).map(|host| format!("\"{host}\"")).collect();
    let hosts = hosts.join(", ");
    let network = "[[network]]\nprefix = \"175.45.176.0/22\"\nrouter = \"last\"";
    writeln!(text, "{network}\n[[host]]\naddresses = [{hosts}]").expect("written");
    text
}

fn targets(count: u32) -> impl Iterator<Item = IpAddr> {
    (0..count).map(|host| IpAddr::from((0xaf2d_b000 + host).to_be_bytes()))
}

/// A campaign of one search for each of so many hosts.
pub(crate) fn campaign(hosts: u32, prober: &str) -> String {
    let mut text = String::from(
        "[campaign]\nname = \"balancers\"\n[vantage]\nname = \"here\"\n\
         [rates]\ntotal = 10000\nper_unit = 100\nper_responder = 100\n",
    );
    let hosts: Vec<IpAddr> = targets(hosts).collect();
    for (number, unit) in hosts.chunks(256).enumerate() {
        let unit: Vec<String> = unit.iter().map(|host| format!("\"{host}\"")).collect();
        let (count, hosts) = (unit.len(), unit.join(", "));
        let prefix = format!("175.45.{}.0/24", 176 + number);
        writeln!(text, "[[targets]]\nprefix = \"{prefix}\"\nhitlist = [{hosts}]\nper_unit = {count}")
            .expect("written");
    }
    let prober = format!("[[probers]]\nname = \"p\"\nevery = \"12h\"\nkind = \"multipath\"\n{prober}");
    text + &prober
}

fn links(ways: &Ways) -> BTreeSet<Link> {
    ways.links.iter().map(|link| (link.from, link.to)).collect()
}

/// The links that each target's search found, and those that there were.
fn judged(round: &Round, scenario: &Scenario, protocol: Protocol) -> Vec<(BTreeSet<Link>, BTreeSet<Link>)> {
    let truth = Truth::new(scenario);
    let of_target = |ways: &Ways| {
        let flows = Flows::to(ways.key.target, protocol);
        let there = truth.ways_during(&flows, round.at).visible_links();
        let found = links(ways);
        assert_eq!(&found - &there, BTreeSet::new(), "made up on the way to {}", ways.key.target);
        (found, there)
    };
    round.searches().iter().map(of_target).collect()
}

/// Of how many searches through a balancer of these weights how many miss something.
fn missed(weights: &[u32], searches: u64, prober: &str) -> (u64, u64) {
    const AT_ONCE: u64 = 256;
    let (mut all, mut missed) = (0, 0);
    for seed in 0..searches.div_ceil(AT_ONCE) {
        let hosts = u32::try_from(AT_ONCE.min(searches - seed * AT_ONCE)).expect("few");
        let text = balancer(weights, hosts, "", "");
        let scenario = Scenario::parse("balancer.toml", &text).expect("valid").with_seed(seed);
        let round = measure_by(&scenario, &campaign(hosts, &format!("protocol = \"udp\"\n{prober}")));
        assert!(round.ledger().balances());
        let judged = judged(&round, &scenario, Protocol::Udp);
        all += judged.len() as u64;
        missed += judged.iter().filter(|(found, there)| found != there).count() as u64;
    }
    assert_eq!(all, searches);
    (all, missed)
}

/// The chance that an equal balancer is left before all its branches are seen: every state of "so many seen after so
/// many flows", by Markov's chain.
fn theory(branches: u32) -> f64 {
    let rule = StoppingRule::per_hop(0.95).expect("a confidence");
    let mut seen = vec![0.0; branches as usize + 1];
    seen[1] = 1.0;
    let mut left = 0.0;
    for flows in 1..2_000 {
        let mut after = vec![0.0; branches as usize + 1];
        for count in 1..branches {
            let at = count as usize;
            if flows >= rule.flows(at, None) {
                left += seen[at];
                continue;
            }
            let old = f64::from(count) / f64::from(branches);
            after[at] += seen[at] * old;
            after[at + 1] += seen[at] * (1.0 - old);
        }
        seen = after;
    }
    left
}

/// The chance of a number as far from what a binomial distribution expects as this one, in its nearer tail.
fn tail(chance: f64, (all, hits): (u64, u64)) -> f64 {
    let expected = Binomial::new(chance, all).expect("a distribution");
    expected.cdf(hits).min(expected.sf(hits.saturating_sub(1)))
}

/// A share in per cent.
#[allow(clippy::cast_precision_loss)]
fn percent((all, part): (u64, u64)) -> f64 {
    part as f64 / all as f64 * 100.0
}

#[test]
fn equal_branches_are_missed_as_often_as_theory_says() {
    /// Of 99 % for all fifteen balancers together, in each tail.
    const TAIL: f64 = 0.005 / 15.0;
    assert!((theory(2) - 0.03125).abs() < 1e-12, "{}", theory(2));
    let searches = seeds(64);
    let all = searches > 64;
    for branches in (2..=16).filter(|branches| all || [2, 3, 5, 9, 16].contains(branches)) {
        let chance = theory(branches);
        assert!(chance <= 0.05, "{branches} branches: {chance}");
        let result = missed(&vec![1; branches as usize], searches, "");
        let tail = tail(chance, result);
        let (seen, theory) = (percent(result), chance * 100.0);
        eprintln!("{branches} ways: {} of {searches} missed, {seen:.2} %; theory {theory:.2} %", result.1);
        assert!(tail > TAIL, "{branches} branches: {result:?}, theory {theory} %, tail {tail}");
    }
}

#[test]
fn unequal_branches_are_missed_no_more_often_than_was_promised() {
    // Those that are over when the balancer is found out are called back.
    for (weights, share) in [([3, 1], "0.25"), ([9, 1], "0.1")] {
        for prober in [String::new(), format!("narrowest_branch = {share}")] {
            let result = missed(&weights, seeds(64), &prober);
            let named = if prober.is_empty() { "found out" } else { "named" };
            eprintln!("{weights:?}, {named}: {result:?}, {:.2} %", percent(result));
            let expected = Binomial::new(0.05, result.0).expect("a distribution");
            assert!(expected.sf(result.1.saturating_sub(1)) > 0.005, "{weights:?}, {named}: {result:?}");
        }
    }
}

const PER_PACKET: &str = "balance = \"per-packet\"";

/// What happens on every link.
const HAZARDS: &str = "jitter = \"2ms\"\nloss = 0.01\nduplicate = 0.01\n\
                       reorder = { probability = 0.01, by = \"20ms\" }";

#[test]
fn packet_by_packet_is_recognised_and_no_link_is_made_up_whatever_is_lost_reordered_or_doubled() {
    // For each balancer, how many searches there were and in how many it was called one that goes packet by packet.
    let mut called = BTreeMap::from([(PER_PACKET, (0, 0)), ("", (0, 0))]);
    for seed in 0..seeds(1) {
        for (branches, habits) in [(2, PER_PACKET), (3, PER_PACKET), (3, "")] {
            let text = balancer(&vec![1; branches], 64, habits, HAZARDS);
            let scenario = Scenario::parse("balancer.toml", &text).expect("valid").with_seed(seed);
            let round = measure_by(&scenario, &campaign(64, "protocol = \"udp\"\nlimit_tests = 0"));
            assert_eq!(judged(&round, &scenario, Protocol::Udp).len(), 64);
            let is_called = |ways: &&Ways| ways.hops.iter().any(|hop| hop.per_packet);
            let (all, so) = called.entry(habits).or_default();
            *all += 64;
            *so += round.searches().iter().filter(is_called).count() as u64;
        }
    }
    let (balanced, wrong) = (called[PER_PACKET], called[""]);
    eprintln!("packet by packet: {balanced:?} recognised; by flows: {wrong:?} called so");
    // A search alone takes a balancer of which it saw one branch, as may happen once in twenty times, for a plain router;
    // all together know that it is none.
    assert!(balanced.1 * 100 >= balanced.0 * 99, "{balanced:?} recognised");
    assert_eq!(wrong.1, 0, "of {}", wrong.0);
}

/// Two IPv4 hosts of each /24 of a scenario.
fn hosts(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let tables = text.split("[[host]]").skip(1).filter_map(|table| table.split(']').next());
    let words = tables.flat_map(|table| table.split('"')).filter(|word| word.contains('.'));
    let mut units: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for host in words {
        let (unit, _) = host.rsplit_once('.').expect("an IPv4 address");
        let hosts = units.entry(format!("{unit}.0/24")).or_default();
        if hosts.len() < 2 {
            hosts.insert(host.to_owned());
        }
    }
    units
}

fn internet(seed: u64) -> String {
    generate(&Recipe { ases: Some(40), seed, ..Recipe::default() }).expect("generated")
}

/// A campaign with one prober to these hosts of a generated Internet.
fn to_hosts(text: &str, prober: &str) -> String {
    let mut file = String::from(
        "[campaign]\nname = \"internet\"\n[vantage]\nname = \"here\"\n\
         [rates]\ntotal = 2000\nper_unit = 200\nper_responder = 100\n",
    );
    for (unit, hosts) in hosts(text) {
        let count = hosts.len();
        let hosts: Vec<String> = hosts.iter().map(|host| format!("\"{host}\"")).collect();
        let hosts = hosts.join(", ");
        writeln!(file, "[[targets]]\nprefix = \"{unit}\"\nhitlist = [{hosts}]\nper_unit = {count}")
            .expect("written");
    }
    file + &format!("[[probers]]\nname = \"p\"\nevery = \"12h\"\n{prober}")
}

/// A search does not tell links behind silence, nor behind packet-by-packet balancing; a census looks at each
/// router from many addresses.
#[test]
#[ignore = "takes minutes"]
fn in_internets_that_nobody_has_drawn_searches_and_censuses_make_nothing_up_and_find_nearly_all() {
    let (mut by_search, mut by_census) = ((0, 0), (0, 0));
    for seed in 0..seeds(2) {
        let text = internet(seed);
        let scenario = Scenario::parse("internet.toml", &text).expect("valid");
        let prober = |kind: &str| format!("kind = \"{kind}\"\nprotocol = \"udp\"\nlimit_tests = 0");
        let round = measure_by(&scenario, &to_hosts(&text, &prober("multipath")));
        let mut all = BTreeSet::new();
        for (found, there) in judged(&round, &scenario, Protocol::Udp) {
            by_search.0 += there.len() as u64;
            by_search.1 += found.len() as u64;
            all.extend(there);
        }
        let found = measure_by(&scenario, &to_hosts(&text, &prober("census"))).links();
        assert_eq!(&found - &all, BTreeSet::new(), "made up, seed {seed}");
        by_census.0 += all.len() as u64;
        by_census.1 += found.len() as u64;
    }
    let shares = [percent(by_search), percent(by_census)];
    eprintln!("links found: {by_search:?} by searches, {by_census:?} by censuses; {shares:.1?} %");
    assert!(shares[0] >= 95.0 && shares[1] >= 95.0, "{shares:?}");
}
