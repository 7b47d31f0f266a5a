//! Predictions held against the lab, which finds its routes in a way of its own: in generated Internets, the same ASes
//! must have a route to the target, over the same ASes, before and after links are lost or added.

use std::collections::BTreeSet;

use tetherline::analyse::topology::{Announcement, Change, Lost, Routes, Ties, Topology};
use tetherline::lab::{Recipe, Scenario, Truth, generate};
use tetherline::model::{AsLink, AsRelation, Asn, Prefix, WallTime};

fn asn(value: &toml::Value) -> Asn {
    u32::try_from(value.as_integer().expect("a number")).expect("32 bits").try_into().expect("an AS")
}

/// What a scenario says of its ASes.
struct Internet {
    text: String,
    relations: Vec<AsRelation>,
    target: Asn,
    prefix: Prefix,
}

fn internet(seed: u64, ases: usize) -> Internet {
    let text = generate(&Recipe { ases: Some(ases), seed, ..Recipe::default() }).expect("a scenario");
    let table: toml::Table = text.parse().expect("TOML");
    let tables = table["as"].as_array().expect("ASes");
    let mut relations = Vec::new();
    let mut found = None;
    for asys in tables {
        let me = asn(&asys["number"]);
        let listed =
            |key: &str| asys.get(key).and_then(|list| list.as_array()).cloned().unwrap_or_default();
        relations.extend(
            listed("providers")
                .iter()
                .map(|provider| AsRelation::Transit { provider: asn(provider), customer: me }),
        );
        relations.extend(
            listed("peers").iter().map(|peer| AsRelation::Peering(me.min(asn(peer)), me.max(asn(peer)))),
        );
        if asys["name"].as_str().expect("a name").starts_with("Target") {
            let prefixes = listed("prefixes");
            found = Some((me, prefixes[0].as_str().expect("a prefix").parse().expect("a prefix")));
        }
    }
    let (target, prefix) = found.expect("a target");
    Internet { text, relations, target, prefix }
}

fn at(text: &str) -> WallTime {
    WallTime::parse_rfc3339(text).expect("a time")
}

const BEFORE: &str = "2024-01-01T00:30:00Z";
const EVENT: &str = "2024-01-01T01:00:00Z";
const AFTER: &str = "2024-01-01T02:00:00Z";

/// Holds routes against the lab, for every AS. Where an AS of the lab splits its traffic, the route is one of its ways.
fn hold(routes: &Routes<'_>, truth: &Truth, prefix: Prefix, time: &str, about: &str) {
    for asn in routes.topology().asns() {
        let paths: BTreeSet<Vec<Asn>> = truth.as_paths_from(*asn, prefix.network(), at(time));
        match routes.path(*asn) {
            None => assert!(paths.is_empty(), "{about}: {asn} has {paths:?}"),
            Some(path) => assert!(paths.contains(&path), "{about}: {asn} has {paths:?}, not {path:?}"),
        }
    }
}

fn truth(text: &str, event: &str) -> Truth {
    let text = format!("{text}\n[[event]]\nat = \"{EVENT}\"\n{event}\n");
    Truth::new(&Scenario::parse("generated", &text).expect("a scenario"))
}

#[test]
fn everybody_goes_the_ways_that_the_lab_finds_before_and_after_a_link_is_lost() {
    for seed in 0..6 {
        let Internet { text, relations, target, prefix } = internet(seed, 120);
        let topology = Topology::of(&relations);
        let mut routes =
            Routes::to(&topology, &Announcement::of(target), Ties::LowestAsn).expect("a target");
        let busiest = routes.busiest_links(12);
        for lost in busiest.iter().step_by(5) {
            let truth = truth(&text, &format!("lost = \"{lost}\""));
            let about = format!("seed {seed}, {lost} lost");
            hold(&routes, &truth, prefix, BEFORE, &about);
            let journal = routes.lose(*lost);
            hold(&routes, &truth, prefix, AFTER, &about);
            routes.undo(journal);
        }
    }
}

#[test]
fn a_line_that_the_target_gains_is_used_by_those_whom_the_lab_lets_use_it() {
    for seed in 10..16 {
        let Internet { text, relations, target, prefix } = internet(seed, 120);
        let of_target = |relation: &&AsRelation| matches!(relation, AsRelation::Transit { customer, .. } if *customer == target);
        let added = *relations.iter().find(of_target).expect("a provider");
        let link: AsLink = added.link().expect("a link");
        let before: Vec<AsRelation> =
            relations.iter().copied().filter(|relation| *relation != added).collect();
        let topology = Topology::of(&before);
        let change = Change { lose: Vec::<Lost>::new(), add: vec![added] };
        let truth = truth(&text, &format!("added = \"{link}\""));
        let announcement = Announcement::of(target);
        let routes = Routes::to(&topology, &announcement, Ties::LowestAsn).expect("a target");
        hold(&routes, &truth, prefix, BEFORE, &format!("seed {seed}"));
        let changed = topology.with(&change.add);
        let routes = Routes::to(&changed, &announcement, Ties::LowestAsn).expect("a target");
        hold(&routes, &truth, prefix, AFTER, &format!("seed {seed}, {link} added"));
    }
}
