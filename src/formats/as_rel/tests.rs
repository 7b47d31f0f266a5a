use std::io::{Cursor, Write};
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn read(bytes: &[u8]) -> Result<AsRelTable, FileError> {
    read_as_rel(Cursor::new(bytes.to_vec()), "t.as-rel")
}

fn n(number: u32) -> Asn {
    Asn::try_from(number).unwrap()
}

fn transit(provider: u32, customer: u32) -> AsRelation {
    AsRelation::Transit { provider: n(provider), customer: n(customer) }
}

const SERIAL_1: &[u8] =
    b"# input clique: 174 3356\n# IXP ASes: 1200 4635\n# source:topology|BGP|20171201|ripe|rrc00\n\
    174|3356|0\n4837|131279|-1\r\n20485|131279|-1\n";

#[test]
fn a_table_names_relations_clique_and_exchange_points() {
    let table = read(SERIAL_1).unwrap();
    assert_eq!(
        table.relations,
        [AsRelation::Peering(n(174), n(3356)), transit(4837, 131_279), transit(20485, 131_279)]
    );
    assert_eq!((table.clique, table.exchange_points), (vec![n(174), n(3356)], vec![n(1200), n(4635)]));
    assert_eq!(table.counts, AsRelCounts { rows: 3, transit: 2, peering: 1, ..AsRelCounts::default() });
}

#[test]
fn the_fourth_column_of_serial_2_changes_nothing() {
    let table = read(b"174|3356|0|bgp\n4837|131279|-1|bgp\n1|2|0|mlp\n").unwrap();
    assert_eq!(table.relations.len(), 3);
    assert!(read(b"1|2|0|mlp|more\n").unwrap_err().to_string().contains("four fields"));
}

#[test]
fn a_one_means_siblings_in_a_new_file_and_a_provider_in_a_legacy_one() {
    let toposcope = read(b"7|9|1\n4837|131279|-1\n").unwrap();
    assert_eq!(toposcope.relations, [AsRelation::Siblings(n(7), n(9)), transit(4837, 131_279)]);
    assert!(!toposcope.counts.is_legacy);
    let legacy = read(b"4837|131279|1\n131279|4837|-1\n174|3356|0\n3356|174|0\n7|9|2\n9|7|2\n").unwrap();
    let expected =
        [transit(4837, 131_279), AsRelation::Peering(n(174), n(3356)), AsRelation::Siblings(n(7), n(9))];
    assert_eq!(legacy.relations, expected);
    assert_eq!((legacy.counts.rows, legacy.counts.repeated, legacy.counts.contradicting), (6, 3, 0));
    // A single `2` tells it: in the file of which this is a part, AS131279 is the customer.
    assert_eq!(read(b"131279|4837|-1\n7|9|2\n").unwrap().relations[0], transit(4837, 131_279));
}

#[test]
fn a_pair_that_is_named_twice_counts_once_and_a_contradiction_is_counted() {
    let table = read(b"3549|3356|0\n3356|3549|0\n1|2|-1\n2|1|-1\n1|2|0\n").unwrap();
    assert_eq!(table.relations, [AsRelation::Peering(n(3356), n(3549)), transit(1, 2)]);
    assert_eq!((table.counts.repeated, table.counts.contradicting), (1, 2));
}

#[test]
fn a_compressed_table_reads_the_same_whatever_its_name() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(SERIAL_1).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(SERIAL_1).unwrap();
    let bzip2 = bzip2.finish().unwrap();
    assert_eq!(read(&gzip.finish().unwrap()), read(SERIAL_1));
    assert_eq!(read(&bzip2), read(SERIAL_1));
    assert_eq!(read(&bzip2.repeat(2)).unwrap().counts.repeated, 3);
    let torn = read(&bzip2[..bzip2.len() - 5]).unwrap_err().to_string();
    assert!(torn.contains("cannot be read"), "{torn}");
}

#[test]
fn a_bad_line_is_named_with_its_file_its_number_and_what_stands_there() {
    for text in [
        "1|2",
        "1|2|-2",
        "1|2|",
        "|2|0",
        "0|2|0",
        "1|4294967296|0",
        "AS1|2|0",
        "1|1|0",
        "1 2 0",
        "<\x1b[2J>",
    ] {
        let error = read(format!("174|3356|0\n{text}\n").as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("t.as-rel:2: "), "{error}");
        assert!(!error.contains('\x1b'));
    }
    let endless = read(&vec![b'1'; 1_000_000]).unwrap_err().to_string();
    assert_eq!(endless, "t.as-rel:1: cannot be read from here on: a line is longer than 65536 bytes");
    let missing = load_as_rel(Path::new("/nonexistent/t")).unwrap_err().to_string();
    assert!(missing.starts_with("/nonexistent/t: cannot be read: "), "{missing}");
    assert!(load_as_rel(Path::new("/")).unwrap_err().to_string().starts_with("/: is a folder"));
}

proptest! {
    #[test]
    fn no_bytes_whatever_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), magic in 0..3_usize) {
        let magic: &[u8] = [b"".as_slice(), &[0x1f, 0x8b], b"BZh9"][magic];
        let _ = read(&[magic, &bytes].concat());
    }

    #[test]
    fn every_pair_that_is_written_is_read_once(pairs in proptest::collection::vec((1_u32..50, 50_u32..99, -1_i8..=0), 0..40)) {
        let rows: Vec<String> = pairs.iter().map(|(one, other, kind)| format!("{one}|{other}|{kind}")).collect();
        let text = rows.join("\n");
        let table = read(text.as_bytes()).unwrap();
        let links: std::collections::BTreeSet<_> = pairs.iter().map(|(one, other, _)| (*one, *other)).collect();
        prop_assert_eq!(table.relations.len(), links.len());
        let AsRelCounts { rows, repeated, contradicting, .. } = table.counts;
        prop_assert_eq!(rows, pairs.len() as u64);
        prop_assert_eq!(rows - repeated - contradicting, links.len() as u64);
    }
}

fn real(name: &str) -> AsRelTable {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("TETHERLINE_REAL_DATA").map_or(beside, PathBuf::from);
    load_as_rel(&folder.join("asrel").join(name)).unwrap()
}

fn ases(table: &AsRelTable) -> usize {
    let ends = table.relations.iter().map(AsRelation::ends).flat_map(|(one, other)| [one, other]);
    ends.collect::<std::collections::BTreeSet<_>>().len()
}

#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn tables_of_2016_and_2017_have_the_ases_and_relations_that_others_count_in_real_data() {
    let expected = [
        ("caida_serial1_20161101.as-rel.txt.bz2", 55_809, 110_479, 128_585),
        ("toposcope_asrel_201709.txt.gz", 58_743, 117_354, 146_239),
        ("toposcope_asrel_201710.txt.gz", 59_020, 117_094, 149_703),
        ("toposcope_asrel_201711.txt.gz", 59_346, 118_325, 153_186),
        ("toposcope_asrel_201712.txt.gz", 59_651, 118_696, 152_213),
        ("caida_serial1_20171201.as-rel.txt.gz", 59_753, 117_231, 144_942),
    ];
    for (name, count, transit, peering) in expected {
        let table = real(name);
        assert_eq!(
            (ases(&table), table.counts.transit, table.counts.peering),
            (count, transit, peering),
            "{name}"
        );
        assert_eq!((table.counts.siblings, table.counts.contradicting), (0, 0), "{name}");
        assert!(!table.counts.is_legacy);
    }
}

#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn the_second_provider_of_as131279_comes_between_two_months_in_real_data() {
    let providers = |name| {
        let providers = real(name).relations.into_iter().filter_map(|relation| match relation {
            AsRelation::Transit { provider, customer } if customer.get() == 131_279 => Some(provider.get()),
            _ => None,
        });
        providers.collect::<std::collections::BTreeSet<u32>>().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(providers("toposcope_asrel_201710.txt.gz"), [4837]);
    assert_eq!(providers("toposcope_asrel_201711.txt.gz"), [4837, 20485]);
    let clique = real("caida_serial1_20161101.as-rel.txt.bz2").clique;
    assert_eq!((clique.len(), clique[0].get()), (17, 174));
}
