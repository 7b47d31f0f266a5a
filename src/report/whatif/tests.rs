use super::*;
use crate::analyse::topology::{Announcement, Change, Lost, Ties, Topology, predict};
use crate::model::AsRelation;

fn n(number: u32) -> Asn {
    Asn::try_from(number).unwrap()
}

fn transit(provider: u32, customer: u32) -> AsRelation {
    AsRelation::Transit { provider: n(provider), customer: n(customer) }
}

/// 9 hangs on 4 alone, and in a later snapshot on 5 as well.
fn what_if() -> WhatIf {
    let before = [transit(1, 4), transit(1, 5), transit(4, 9), transit(1, 6), transit(6, 7)];
    let after = [&before[..], &[transit(5, 9)]].concat();
    let change = Change { lose: vec![Lost::As(n(4))], add: Vec::new() };
    let ties = [Ties::LowestAsn, Ties::Seeded(1), Ties::Seeded(2), Ties::Seeded(3), Ties::Seeded(4)];
    let snapshot = |name: &str, relations: &[AsRelation]| {
        let prediction =
            predict(&Topology::of(relations), &Announcement::of(n(9)), &change, &ties).unwrap();
        Snapshot { name: name.to_owned(), prediction }
    };
    WhatIf {
        origin: n(9),
        happens: "AS4 is lost".to_owned(),
        snapshots: vec![snapshot("one.txt", &before), snapshot("two.txt", &after)],
        names: BTreeMap::from([(n(4), Untrusted::new("Four \u{1b}[2J"))]),
    }
}

#[test]
fn the_text_shows_before_and_after_with_ranges_and_no_name_can_spoil_it() {
    insta::assert_snapshot!(text(&what_if()));
}

#[test]
fn the_files_hold_every_value_and_never_one_that_is_no_number() {
    let (mut csv, mut json) = (Vec::new(), Vec::new());
    write_csv(&what_if(), &mut csv).unwrap();
    write_json(&what_if(), &mut json).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    assert!(csv.starts_with("snapshot,ties,when,metric,asn,value\r\n"));
    assert!(csv.contains("one.txt,lowest_asn,before,reach,,5\r\n"));
    assert!(csv.contains("one.txt,lowest_asn,after,reach,,0\r\none.txt,seed_1,before"));
    // The mean length of no ways at all.
    assert!(csv.contains("one.txt,lowest_asn,after,mean_length,,\r\n"));
    assert!(csv.contains(
        "two.txt,lowest_asn,before,disjoint_up,,1\r\ntwo.txt,lowest_asn,after,disjoint_up,,1\r\n"
    ));
    assert!(!csv.to_lowercase().contains("nan") && !csv.contains("inf"));
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["snapshots"][0]["figures"][0]["after"]["value"], 0.0);
    assert!(json["snapshots"][0]["figures"][2]["after"].is_null());
}
