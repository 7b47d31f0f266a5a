//! Real tables, which terms forbid to carry along, and what others found in them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::*;
use crate::analyse::collectors::hegemony_of_views;

fn real(name: &str) -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    std::env::var_os("TETHERLINE_REAL_DATA").map_or(beside, Into::into).join(name)
}

fn load(names: &[&str]) -> Loaded {
    let files: Vec<OriginFile> = names.iter().map(|name| OriginFile::new(&real(name))).collect();
    load_origins(&files, None).unwrap()
}

fn asn(number: u32) -> Asn {
    Asn::try_from(number).unwrap()
}

fn origin(loaded: &Loaded, address: &str) -> Option<u32> {
    loaded.table.lookup(address.parse().unwrap()).asn().map(Asn::get)
}

const PFX2AS: &str = "pfx2as/routeviews-rv2-20170329-0200.pfx2as.gz";
const JINX: &str = "mrt/routeviews.route-views.jinx.ribs.1401487200.bz2";

#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn the_table_of_29_march_2017_has_the_rows_that_caida_wrote_in_real_data() {
    let loaded = load(&[PFX2AS]);
    let report = &loaded.reports[0];
    assert_eq!((report.rows, report.counts.moas, report.counts.sets), (694_682, 7_093, 82));
    assert!(report.faults.is_empty(), "{}", report.faults);
    assert_eq!(loaded.table.len() as u64, report.rows - report.counts.without_origin);
    assert_eq!(origin(&loaded, "175.45.176.1"), Some(131_279));
}

#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn the_ipv6_table_of_10_november_2017_has_the_rows_that_caida_wrote_in_real_data() {
    let loaded = load(&["pfx2as/routeviews-rv6-20171110-1200.pfx2as.gz"]);
    assert_eq!(loaded.reports[0].rows, 48_015);
    assert_eq!(origin(&loaded, "2001:4860:4860::8888"), Some(15_169));
}

/// pyasn's own test holds its table to the same answers, and takes fewer than 30 differences.
#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn the_pyasn_table_agrees_with_team_cymru_as_well_as_pyasn_does_in_real_data() {
    let loaded = load(&["pfx2as/pyasn_ipasn_20140513.dat.gz"]);
    assert_eq!(loaded.reports[0].rows, 512_621);
    let oracle = std::fs::read_to_string(real("pfx2as/pyasn_cymru.map")).unwrap();
    let (mut asked, mut differ) = (0, 0);
    for line in oracle.lines().filter(|line| line.starts_with('\'')) {
        let (address, answer) = line.split_once(':').unwrap();
        let address: IpAddr = address.trim().trim_matches('\'').parse().unwrap();
        let answer: Option<u32> = answer.trim().trim_end_matches(',').trim().parse().ok();
        asked += 1;
        differ += u32::from(loaded.table.lookup(address).asn().map(Asn::get) != answer);
    }
    assert!(asked > 900 && differ < 30, "{differ} of {asked} differ");
}

#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn the_full_rib_of_30_may_2014_has_all_its_prefixes_and_a_forged_path_makes_no_transit_as_in_real_data() {
    let loaded = load(&[JINX]);
    let report = &loaded.reports[0];
    assert!(report.faults.is_empty(), "{}", report.faults);
    assert_eq!(loaded.mrt.prefixes_v4, 497_323);
    for address in ["175.45.176.1", "175.45.177.1", "175.45.178.1", "175.45.179.1"] {
        let found = loaded.table.lookup(address.parse().unwrap());
        assert_eq!(found.asn(), Some(asn(131_279)));
        assert_eq!(found.reason().prefix().unwrap().length(), 24);
    }
    let providers: BTreeMap<Asn, LinkEvidence> = loaded.transit.providers(asn(131_279)).collect();
    assert!(!providers[&asn(4837)].is_thin);
    assert!(loaded.transit.between(asn(131_279), asn(51_040)).unwrap().is_thin);
    assert!(!loaded.transit.is_transit(asn(131_279)));
    assert!(providers[&asn(22_351)].is_thin, "seen only on the forged path");
}

#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn files_of_single_records_are_read_whatever_collector_wrote_them_in_real_data() {
    for file in ["mrt/jinx_20140530_nk.mrt", "mrt/pch_20151023_nk_et.mrt"] {
        let loaded = load(&[file]);
        assert!(loaded.reports[0].faults.is_empty(), "{}", loaded.reports[0].faults);
        assert_eq!(origin(&loaded, "175.45.178.1"), Some(131_279), "{file}");
    }
    // A route of 77.94.35.51/32 that came at 16:01:32 and went at 16:02:02.
    let file = [OriginFile::new(&real("mrt/ris_20160811_satgate.mrt"))];
    for (until, expected) in [("2016-08-11T16:01:40Z", Some(30_721)), ("2016-08-11T16:03:00Z", None)] {
        let loaded = load_origins(&file, Some(WallTime::parse_rfc3339(until).unwrap())).unwrap();
        assert!(loaded.reports[0].faults.is_empty(), "{}", loaded.reports[0].faults);
        assert_eq!(origin(&loaded, "77.94.35.51"), expected, "{until}");
    }
    let loaded = load(&["mrt/bview.ipv4_unicast_add_path.gz"]);
    // Private prefixes of private ASes: whole, but nothing that could be mapped.
    assert!(loaded.reports[0].faults.is_empty(), "{}", loaded.reports[0].faults);
    assert_eq!((loaded.mrt.prefixes_v4, loaded.reports[0].rows), (31, 32));
    assert!(loaded.mrt.routes >= 31 && loaded.table.is_empty(), "{:?}", loaded.mrt);
    let loaded = load(&["mrt/routeviews.route-views.jinx.updates.1427846400.bz2"]);
    assert!(loaded.reports[0].faults.is_empty() && loaded.mrt.changes > 0, "{:?}", loaded.reports);
}

#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn of_a_torn_rib_what_is_whole_counts_and_the_place_of_the_tear_is_told_in_real_data() {
    let loaded = load(&["mrt/rib.20140523.0600_firstMB.bz2"]);
    let report = &loaded.reports[0];
    assert_eq!(report.faults.count, 1);
    assert!(report.faults.to_string().contains("of the record at byte"), "{}", report.faults);
    let whole = load(&["mrt/routeviews_rib.20140523.0600_first9073.mrt.gz"]);
    assert_eq!(whole.mrt.prefixes_v4, 9_072);
    // Both are the beginning of the same table.
    let (torn, whole) = (&loaded.table.sources()[0], &whole.table.sources()[0]);
    assert!(torn.len() > 100 && torn.len() <= whole.len());
    let first: IpAddr = "1.0.0.1".parse().unwrap();
    assert_eq!(torn.find(first), whole.find(first));
}

/// A database with answers written beside it by its makers.
#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn the_database_of_maxmind_says_what_its_source_says_in_real_data() {
    let loaded = load(&["mmdb/GeoLite2-ASN-Test.mmdb"]);
    assert!(loaded.reports[0].faults.is_empty(), "{}", loaded.reports[0].faults);
    let source = std::fs::read(real("mmdb/GeoLite2-ASN-Test.json")).unwrap();
    let source: Vec<BTreeMap<String, serde_json::Value>> = serde_json::from_slice(&source).unwrap();
    let mut asked = 0;
    for (net, record) in source.iter().flatten() {
        let net: ipnet::IpNet = net.parse().unwrap();
        let Some(number) = record["autonomous_system_number"].as_u64() else { continue };
        let address = match net.network() {
            IpAddr::V6(address) => {
                address.to_ipv4().filter(|_| net.prefix_len() > 96).map_or(net.network(), IpAddr::V4)
            }
            v4 @ IpAddr::V4(_) => v4,
        };
        let found = loaded.table.sources()[0].find(address);
        let expected = u32::try_from(number).ok().filter(|number| is_public(*number));
        assert_eq!(found.map(|found| found.origins()[0].asn.get()), expected, "{net}");
        asked += 1;
    }
    assert!(asked > 100);
}

#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn private_space_wins_over_lists_of_exchange_points_in_real_data() {
    let loaded = load(&[
        "ixp/caida_ixs_202310.jsonl",
        "ixp/traixroute_PDB_ix.json",
        "ixp/traixroute_PDB_ixlan.json",
        "ixp/traixroute_PDB_ixpfx.json",
    ]);
    let private: Vec<_> = loaded
        .table
        .exchange_points()
        .points()
        .iter()
        .flat_map(|point| &point.lans)
        .filter(|lan| loaded.table.lookup(lan.network()).reason().as_str() == "special_purpose")
        .collect();
    assert!(private.len() >= 7);
    assert!(private.iter().all(|lan| loaded.table.exchange_point(lan.network()).is_none()));
    let ams = loaded.table.exchange_point("80.249.208.1".parse().unwrap()).unwrap();
    assert!(ams.point.name.to_string().contains("Amsterdam"));
}

/// 1,365 hops of RIPE Atlas, mapped by others: an AS, an exchange point, or a private address that they took for one.
#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn hops_of_ripe_atlas_are_mapped_as_others_mapped_them_in_real_data() {
    let loaded = load(&[
        PFX2AS,
        "ixp/traixroute_PDB_ix.json",
        "ixp/traixroute_PDB_ixlan.json",
        "ixp/traixroute_PDB_ixpfx.json",
    ]);
    let mapped = std::fs::read_to_string(real("atlas/atlas_msm5719599_20160924.ip-mappings.txt")).unwrap();
    let mut tally: BTreeMap<String, u32> = BTreeMap::new();
    for line in mapped.lines() {
        let Some((net, theirs)) = line.split_once(',') else { continue };
        let Some(address) = net.split_once('/').and_then(|(address, _)| address.parse::<IpAddr>().ok())
        else {
            continue;
        };
        let ours = loaded.table.lookup(address);
        let verdict = match (ours.asn(), theirs.trim_start_matches("AS-").parse::<u32>()) {
            (Some(asn), Ok(number)) if asn.get() == number => "same".to_owned(),
            (Some(asn), Ok(number)) => format!("differ {address} {asn} {number}"),
            (None, Ok(_)) => format!("unmapped, {}", ours.reason().as_str()),
            (Some(_), Err(_)) => "theirs none".to_owned(),
            (None, Err(_)) => format!("{theirs}, {}", ours.reason().as_str()),
        };
        *tally.entry(verdict).or_default() += 1;
    }
    assert_eq!(tally["same"], 1_207);
    assert!(!tally.keys().any(|verdict| verdict.starts_with("differ")));
}

/// The Internet Health Report's own way, by two implementations that agree to four digits.
#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn hegemony_in_the_slice_of_may_2014_is_the_health_reports_in_real_data() {
    let golden = [
        (9_737, 38_040, 1.0),
        (9_737, 7_018, 0.1516),
        (24_378, 9_587, 1.0),
        (24_378, 6_453, 0.2317),
        (45_528, 6_453, 0.7021),
        (45_528, 4_755, 0.6900),
        (8_402, 3_216, 0.7354),
        (9_198, 20_485, 0.4076),
        (9_198, 12_389, 0.4000),
        (18_403, 3_491, 0.7113),
    ];
    let origins: BTreeSet<Asn> = golden.iter().map(|(origin, _, _)| asn(*origin)).collect();
    let slice = real("mrt/routeviews_rib.20140523.0600_first9073.mrt.gz");
    let (views, faults) = load_views(&[slice], &origins, false).unwrap();
    assert!(faults.iter().all(Faults::is_empty));
    assert_eq!(views.full_feeds, 30);
    for (origin, through, score) in golden {
        let found = hegemony_of_views(&views.by_origin[&asn(origin)]);
        assert_eq!((found.viewpoints, found.with_route), (28, 28));
        let (_, of) = found.scores.iter().find(|(of, _)| *of == asn(through)).unwrap();
        assert!((of - score).abs() < 1e-4, "AS{origin} through AS{through}: {of}");
    }
}
