//! What is exported of searches tells others, and ourselves when it is imported again, the same links.

use std::fs::File;
use std::net::IpAddr;

use tetherline::analyse::ways::{Searches, Ways};
use tetherline::dataset::{Dataset, ProbeRecord};
use tetherline::formats::export::{ExportTo, Vantages, export};
use tetherline::formats::import::{ImportOptions, import};
use tetherline::lab::Scenario;
use tetherline::model::Ttl;

use crate::multipath::{balancer, campaign};
use crate::stage::measure_by;

fn links(ways: &[Ways]) -> Vec<(IpAddr, Ttl, IpAddr, IpAddr)> {
    let links = ways.iter().flat_map(|ways| ways.links.iter().map(|link| (ways.key.target, link)));
    links.map(|(target, link)| (target, link.ttl, link.from, link.to)).collect()
}

fn records(dataset: &Dataset) -> Vec<ProbeRecord> {
    dataset.records().expect("readable").collect::<Result<_, _>>().expect("readable")
}

#[test]
fn searches_come_back_from_warts_with_the_same_links() {
    let text = balancer(&[1, 1, 2], 6, "", "loss = 0.02");
    let scenario = Scenario::parse("balancer.toml", &text).expect("valid");
    for protocol in ["icmp", "udp", "tcp"] {
        let round =
            measure_by(&scenario, &campaign(6, &format!("protocol = \"{protocol}\"\nlimit_tests = 0")));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("searches.warts");
        let mut file = File::create(&path).expect("writable");
        let ours = records(&round.dataset).into_iter().map(Ok);
        export(ExportTo::Warts, &mut file, Vantages::new(), ours).expect("exported");
        let to = folder.path().join("again");
        let (again, _) = import(&[path], &to, &ImportOptions::default(), &|_| ()).expect("imported");
        let mut searches = Searches::default();
        for record in records(&again) {
            searches.add(&record);
        }
        let (found, again) = (links(&round.searches()), links(&searches.finish()));
        assert!(found.len() >= 6 * 9, "{protocol}: {} links", found.len());
        assert_eq!(again, found, "{protocol}");
    }
}
