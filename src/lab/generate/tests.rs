#![allow(clippy::cast_precision_loss)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::graph::AsGraph;
use super::grow::grow;
use super::places::Regions;
use super::{CannotGenerate, Recipe, generate};
use crate::lab::{Flows, Scenario, TrueEnd, Truth};
use crate::model::{AsRelation, Asn, Prefix, Protocol};

fn grown(ases: usize, seed: u64) -> String {
    generate(&Recipe { ases: Some(ases), seed, ..Recipe::default() }).unwrap()
}

fn scenario(text: &str) -> Scenario {
    Scenario::parse("generated.toml", text).unwrap()
}

fn n(number: u32) -> Asn {
    Asn::try_from(number).unwrap()
}

/// A generated file as any reader of TOML sees it.
struct Read(toml::Table);

impl Read {
    fn of(text: &str) -> Self {
        Self(text.parse().unwrap())
    }

    fn tables(&self, key: &str) -> impl Iterator<Item = &toml::Table> {
        self.0[key].as_array().unwrap().iter().map(|table| table.as_table().unwrap())
    }

    fn hosts(&self) -> Vec<IpAddr> {
        self.tables("host")
            .flat_map(|host| texts(&host["addresses"]))
            .map(|text| text.parse().unwrap())
            .collect()
    }

    /// What a neighbour is to an AS: 1 for a provider, 0 for a peer, -1 for a customer.
    fn relations(&self) -> BTreeMap<(u32, u32), i8> {
        let mut relations = BTreeMap::new();
        for asys in self.tables("as") {
            let me = number(&asys["number"]);
            for (key, what) in [("providers", 1), ("peers", 0)] {
                for other in asys.get(key).and_then(|list| list.as_array()).into_iter().flatten() {
                    relations.insert((me, number(other)), what);
                    relations.insert((number(other), me), -what);
                }
            }
        }
        relations
    }

    fn prefixes(&self) -> BTreeMap<u32, Vec<Prefix>> {
        let prefixes =
            |asys: &toml::Table| texts(&asys["prefixes"]).map(|text| text.parse().unwrap()).collect();
        self.tables("as").map(|asys| (number(&asys["number"]), prefixes(asys))).collect()
    }
}

fn number(value: &toml::Value) -> u32 {
    value.as_integer().unwrap().try_into().unwrap()
}

fn texts(list: &toml::Value) -> impl Iterator<Item = &str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap())
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    assert_eq!(grown(60, 1), grown(60, 1));
    assert_ne!(grown(60, 1), grown(60, 2));
}

#[test]
fn every_host_is_reached_over_valley_free_paths_and_without_circles() {
    for seed in 0..12 {
        let text = grown(20 + 5 * usize::try_from(seed).unwrap(), seed);
        assert_well_connected(&text);
    }
}

fn assert_well_connected(text: &str) {
    let (scenario, read) = (scenario(text), Read::of(text));
    let (truth, relations) = (Truth::new(&scenario), read.relations());
    for host in read.hosts() {
        let ways = truth.ways(&Flows::to(host, Protocol::Tcp), scenario.start());
        assert_eq!(ways.ends.keys().collect::<Vec<_>>(), [&TrueEnd::Arrived], "{host}");
        // A circle would bring more than all flows over some link.
        assert!(ways.links.iter().all(|link| link.share < 1.0 + 1e-9), "{host}");
        let paths = truth.as_paths(host, scenario.start());
        assert!(!paths.is_empty());
        for path in paths {
            let steps: Vec<i8> =
                path.windows(2).map(|pair| relations[&(pair[0].get(), pair[1].get())]).collect();
            assert!(steps.is_sorted_by(|one, next| one > next || (one == next && *one != 0)), "{path:?}");
        }
    }
}

#[test]
fn the_target_has_several_networks_diamonds_and_silent_routers() {
    let text = grown(60, 3);
    let (scenario, read) = (scenario(&text), Read::of(&text));
    let target =
        read.tables("as").find(|asys| asys["name"].as_str().unwrap().starts_with("Target")).unwrap();
    assert!(target["providers"].as_array().unwrap().len() > 1);
    let home = format!("{}-", number(&target["number"]));
    let of_target = |network: &&toml::Table| network["router"].as_str().unwrap().starts_with(&home);
    let networks: Vec<Prefix> = read
        .tables("network")
        .filter(of_target)
        .map(|network| network["prefix"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(networks.iter().filter(|prefix| prefix.is_ipv4() && prefix.length() == 24).count(), 4);
    assert_eq!(networks.iter().filter(|prefix| prefix.length() == 48).count(), 4);
    let host = read.hosts().into_iter().find(|host| networks.iter().any(|prefix| prefix.contains(*host)));
    let ways = Truth::new(&scenario).ways(&Flows::to(host.unwrap(), Protocol::Icmp), scenario.start());
    let in_target = |link: &&crate::lab::TrueLink| link.from.router.starts_with(&home);
    assert!(ways.links.iter().filter(in_target).any(|link| link.share < 0.6), "{:?}", ways.links);
    assert!(ways.hops.iter().any(|hop| hop.contains_key(&None)));
}

#[test]
fn links_to_customers_are_numbered_by_the_provider_and_exchanges_are_announced_by_nobody() {
    let text = grown(120, 5);
    let read = Read::of(&text);
    let (relations, prefixes) = (read.relations(), read.prefixes());
    let home = |router: &str| router.split('-').next().unwrap().parse::<u32>().unwrap();
    let announces =
        |asn: u32, address: IpAddr| prefixes[&asn].iter().any(|prefix| prefix.contains(address));
    let mut over_exchanges = 0;
    for link in read.tables("link") {
        let ends: Vec<u32> = texts(&link["between"]).map(home).collect();
        let Some(addresses) = link.get("addresses") else {
            over_exchanges += 1;
            continue;
        };
        let addresses =
            addresses.as_array().unwrap().iter().flat_map(texts).map(|text| text.parse().unwrap());
        let mut addresses: Vec<IpAddr> = addresses.collect();
        assert!(addresses.iter().all(|address| announces(ends[0], *address)), "{link}");
        assert!(relations.get(&(ends[0], ends[1])).is_none_or(|relation| *relation <= 0), "{link}");
        addresses.retain(IpAddr::is_ipv4);
        let both = Prefix::covering(addresses[0], 30).unwrap();
        assert!(both.contains(addresses[1]), "{link}");
    }
    assert!(over_exchanges > 10);
    let mut members = 0;
    for router in read.tables("router").filter(|router| router["name"].as_str().unwrap().contains("-x")) {
        let address: IpAddr = texts(&router["addresses"]).next().unwrap().parse().unwrap();
        assert!(prefixes.keys().all(|asn| !announces(*asn, address)), "{address}");
        members += 1;
    }
    assert!(members > 5);
}

/// The exponent of the tail of a distribution, from a value on (Clauset, Shalizi and Newman 2009, eq. 3.7).
fn exponent(values: &[usize], from: usize) -> f64 {
    let tail: Vec<f64> = values.iter().filter(|value| **value >= from).map(|value| *value as f64).collect();
    1.0 + tail.len() as f64 / tail.iter().map(|value| (value / (from as f64 - 0.5)).ln()).sum::<f64>()
}

/// What is compared with the real Internet: see `docs/scenarios.md`.
struct Shape {
    transit: f64,
    one_provider: f64,
    providers: f64,
    peerings: f64,
    exponent: f64,
    top_ten: f64,
}

fn shape(graph: &AsGraph) -> Shape {
    let count = graph.len() as f64;
    let of = |of: fn(&super::graph::Neighbours) -> usize| {
        graph.ids().map(|id| of(graph.at(id))).collect::<Vec<_>>()
    };
    let share = |of: &dyn Fn(usize) -> bool| graph.ids().filter(|id| of(*id)).count() as f64 / count;
    let (providers, peers) = (of(|at| at.providers.len()), of(|at| at.peers.len()));
    let mut customers = of(|at| at.customers.len());
    let transit_degrees: Vec<usize> = of(|at| at.customers.len() + at.providers.len());
    let pairs = providers.iter().sum::<usize>() as f64;
    customers.sort_unstable_by_key(|count| std::cmp::Reverse(*count));
    Shape {
        transit: share(&|id| !graph.is_stub(id)),
        one_provider: share(&|id| graph.at(id).providers.len() == 1),
        providers: pairs / count,
        peerings: peers.iter().sum::<usize>() as f64 / 2.0 / pairs,
        exponent: exponent(&transit_degrees, 10),
        top_ten: customers.iter().take(10).sum::<usize>() as f64 / pairs,
    }
}

#[test]
fn a_grown_internet_has_the_shape_of_the_real_one() {
    for seed in 0..3 {
        let graph = grow(8000, seed, &Regions::new(8000, seed)).graph;
        let Shape { transit, one_provider, providers, peerings, exponent, top_ten } = shape(&graph);
        assert!((0.12..0.17).contains(&transit), "{transit}");
        assert!((0.37..0.45).contains(&one_provider), "{one_provider}");
        assert!((1.9..2.1).contains(&providers), "{providers}");
        assert!((1.1..1.35).contains(&peerings), "{peerings}");
        assert!((1.95..2.25).contains(&exponent), "{exponent}");
        assert!((0.17..0.33).contains(&top_ten), "{top_ten}");
        let without = graph.ids().filter(|id| graph.at(*id).providers.is_empty());
        assert!(without.clone().all(|id| graph.at(id).peers.len() >= without.clone().count() - 1));
    }
}

fn transit(provider: u32, customer: u32) -> AsRelation {
    AsRelation::Transit { provider: n(provider), customer: n(customer) }
}

/// Two at the top, four below, four stubs; AS10 is behind AS5 and AS6.
fn little() -> Vec<AsRelation> {
    let mut relations = vec![AsRelation::Peering(n(1), n(2)), AsRelation::Siblings(n(3), n(11))];
    relations.extend(
        [(1, 3), (1, 4), (2, 5), (2, 6), (3, 7), (4, 8), (5, 9), (5, 10), (6, 10)]
            .map(|(p, c)| transit(p, c)),
    );
    relations
}

#[test]
fn relations_become_the_graph_and_siblings_customers_of_the_larger() {
    let relations = little();
    let recipe = Recipe {
        relations: Some(&relations),
        vantage: Some(n(7)),
        target: Some(n(10)),
        ..Recipe::default()
    };
    let text = generate(&recipe).unwrap();
    assert_well_connected(&text);
    let read = Read::of(&text).relations();
    assert_eq!(read.len(), 2 * relations.len());
    assert_eq!((read[&(10, 6)], read[&(1, 2)], read[&(11, 3)]), (1, 0, 1));
    assert!(text.contains("The vantage is in AS7, the target is AS10; providers of the target: AS5, AS6."));
}

#[test]
fn a_circle_of_providers_becomes_a_peering() {
    let mut relations = little();
    relations.push(transit(9, 2));
    let graph = AsGraph::of(&relations);
    let [two, nine] = [2, 9].map(|number| graph.find(n(number)).unwrap());
    assert!(graph.at(nine).peers.contains(&two) && graph.at(nine).customers.is_empty());
    assert_well_connected(&generate(&Recipe { relations: Some(&relations), ..Recipe::default() }).unwrap());
}

#[test]
fn a_graph_is_cut_down_to_those_above_and_around_the_target() {
    let relations: Vec<AsRelation> = {
        let graph = grow(2000, 9, &Regions::new(2000, 9)).graph;
        let transit = graph.ids().flat_map(|id| {
            let customers = graph.at(id).customers.clone().into_iter();
            customers.map(move |customer| (id, customer))
        });
        let number = |id| graph.number(id).unwrap();
        let transit = transit.map(|(provider, customer)| AsRelation::Transit {
            provider: number(provider),
            customer: number(customer),
        });
        let peers = graph.ids().flat_map(|id| {
            graph.at(id).peers.iter().filter(move |peer| **peer > id).map(move |peer| (id, *peer))
        });
        transit.chain(peers.map(|(one, other)| AsRelation::Peering(number(one), number(other)))).collect()
    };
    for seed in 0..4 {
        let recipe = Recipe { relations: Some(&relations), ases: Some(80), seed, ..Recipe::default() };
        let text = generate(&recipe).unwrap();
        assert_well_connected(&text);
        let read = Read::of(&text);
        let kept: BTreeSet<u32> = read.tables("as").map(|asys| number(&asys["number"])).collect();
        assert!((70..=80).contains(&kept.len()), "{}", kept.len());
        let target =
            read.tables("as").find(|asys| asys["name"].as_str().unwrap().starts_with("Target")).unwrap();
        let target = number(&target["number"]);
        let providers = relations.iter().filter_map(|relation| match relation {
            AsRelation::Transit { provider, customer } if customer.get() == target => Some(provider.get()),
            _ => None,
        });
        assert!(
            providers.clone().count() > 1 && providers.into_iter().all(|provider| kept.contains(&provider))
        );
    }
}

#[test]
fn a_recipe_that_cannot_be_followed_says_why() {
    let relations = little();
    let of = |ases, vantage: Option<u32>, target: Option<u32>| {
        let (vantage, target) = (vantage.map(n), target.map(n));
        generate(&Recipe { relations: Some(&relations), ases, vantage, target, ..Recipe::default() })
            .unwrap_err()
    };
    assert_eq!(of(Some(9), None, None), CannotGenerate::TooFew(9));
    assert_eq!(of(None, Some(77), None), CannotGenerate::Unknown(n(77)));
    assert_eq!(of(None, Some(7), Some(7)), CannotGenerate::Same(n(7)));
    let island = [little(), vec![transit(21, 22)]].concat();
    let recipe =
        Recipe { relations: Some(&island), vantage: Some(n(7)), target: Some(n(22)), ..Recipe::default() };
    let error = generate(&recipe).unwrap_err();
    assert_eq!(error.to_string(), "no route leads from AS7 to AS22: choose others, or more ASes");
    let too_many = generate(&Recipe { ases: Some(20_001), ..Recipe::default() }).unwrap_err();
    assert_eq!(too_many.to_string(), "20001 ASes: must be at most 20000; cut them down with --ases");
    assert_eq!(
        generate(&Recipe { relations: Some(&[]), ..Recipe::default() }).unwrap_err(),
        CannotGenerate::TooFew(0)
    );
}

#[test]
fn names_and_numbers_are_those_of_public_networks() {
    let read = Read::of(&grown(200, 4));
    for asn in read.tables("as").map(|asys| number(&asys["number"])) {
        assert!((1..64_496).contains(&asn) && asn != 23_456);
    }
    let special: Vec<Prefix> = ["10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "2001:db8::/32"]
        .map(|text| text.parse().unwrap())
        .to_vec();
    for prefix in read.prefixes().into_values().flatten() {
        assert!(
            !special.iter().any(|special| special.covers(&prefix) || prefix.covers(special)),
            "{prefix}"
        );
    }
}

#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn the_internet_of_november_2017_around_as131279_has_both_its_upstreams_in_real_data() {
    let beside = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("TETHERLINE_REAL_DATA").map_or(beside, Into::into);
    let table =
        crate::formats::as_rel::load_as_rel(&folder.join("asrel/toposcope_asrel_201711.txt.gz")).unwrap();
    for seed in 0..3 {
        let recipe = Recipe {
            relations: Some(&table.relations),
            ases: Some(300),
            seed,
            vantage: Some(n(680)),
            target: Some(n(131_279)),
        };
        let text = generate(&recipe).unwrap();
        assert_well_connected(&text);
        assert!(text.contains("providers of the target: AS4837, AS20485."));
    }
}
