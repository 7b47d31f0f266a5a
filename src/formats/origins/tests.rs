//! Every reader on files of its kind, whole, damaged, and made of anything at all.

use std::io::Write;
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::analyse::origin::Attribution;
use crate::model::Prefix;

/// A file under a name that tells nothing.
struct Given {
    folder: tempfile::TempDir,
    files: Vec<OriginFile>,
}

impl Given {
    fn new(contents: &[&[u8]]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |(number, content): (usize, &&[u8])| {
            let path = folder.path().join(format!("file-{number}"));
            std::fs::write(&path, content).unwrap();
            OriginFile { kind: None, path }
        };
        let files = contents.iter().enumerate().map(file).collect();
        Self { folder, files }
    }

    fn load(&self) -> Result<Loaded, FileError> {
        load_origins(&self.files, None)
    }

    /// An error as it is told, without the folder.
    fn told(&self, error: &FileError) -> String {
        error.to_string().replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn lookup<'a>(loaded: &'a Loaded, address: &str) -> Attribution<'a> {
    loaded.table.lookup(address.parse().unwrap())
}

fn origin(loaded: &Loaded, address: &str) -> Option<u32> {
    lookup(loaded, address).asn().map(Asn::get)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(bytes).unwrap();
    bzip2.finish().unwrap()
}

const PFX2AS: &[u8] = b"175.45.176.0\t22\t131279\n\
    37.99.128.0\t19\t47794_47794,48695\r\n\
    \n# a comment\n\
    37.142.0.0\t17\t21450_21450,65000,65024,65486,65500,65535\n\
    5.0.0.0\t24\t64512\n\
    2001:4860::\t32\t4837_20485";

const PYASN: &[u8] =
    b"; IP-ASN32-DAT file\n; Prefixes : 3\n; \n1.0.0.0/24\t15169\n1.0.4.0/22\t56203\n2400::/12\t23456\n";

const IPTOASN: &[u8] = b"1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET - Cloudflare, Inc.\n\
    1.0.1.0\t1.0.3.255\t0\tNone\tNot routed\n\
    1.0.4.0\t1.0.6.255\t38803\tAU\tGTELECOM-AUSTRALIA\n\
    2001:200::\t2001:200:5ff:ffff:ffff:ffff:ffff:ffff\t2500\tJP\tWIDE-BB\n";

const DELEGATED: &[u8] = b"2|apnic|20171001|5|19830613|20171001|+1000\n\
    apnic|*|ipv4|*|2|summary\n\
    apnic|KP|asn|131279|1|20091221|allocated|A91C9BA1\n\
    apnic|KP|ipv4|175.45.176.0|1024|20091221|allocated|A91C9BA1\n\
    apnic|KP|ipv6|2400:1234::|32|20091221|allocated|A91C9BA1\n\
    apnic|CN|ipv4|1.0.1.0|256|20110414|allocated|A92E1062\n\
    apnic||ipv4|1.0.2.0|256||available|\n";

const CAIDA_IXP: &[u8] = b"# {\"date\": \"2023\"}\n\
    {\"pch_id\": 1, \"name\": \"AMS-IX\", \"prefixes\": {\"ipv4\": [\"80.249.208.0/21\"], \"ipv6\": [\"2001:7f8:1::/64\"]}, \"pdb_id\": 26}\n\
    {\"name\": \"Malawi\", \"prefixes\": {\"ipv4\": [\"172.30.1.0/24\"], \"ipv6\": []}}\n";

const PEERINGDB: &[u8] = b"{\"net\": {\"data\": [{\"id\": 9, \"name\": \"no exchange point\", \"asn\": 9}]},\
    \"ix\": {\"data\": [{\"id\": 26, \"name\": \"AMS-IX\", \"proto_unicast\": true}]},\
    \"ixlan\": {\"data\": [{\"id\": 30, \"ix_id\": 26, \"name\": \"\"}]},\
    \"ixpfx\": {\"data\": [{\"id\": 1, \"ixlan_id\": 30, \"prefix\": \"80.249.208.0/21\", \"status\": \"ok\"}]},\
    \"netixlan\": {\"data\": [{\"id\": 1, \"ix_id\": 26, \"ixlan_id\": 30, \"asn\": 1103, \"ipaddr4\": \"80.249.208.34\", \"ipaddr6\": null}]}}";

#[test]
fn origins_of_pfx2as_of_every_form_are_read_and_those_of_no_public_network_are_left_out() {
    let loaded = Given::new(&[PFX2AS]).load().unwrap();
    let report = &loaded.reports[0];
    assert_eq!((report.kind, report.rows, report.faults.count), (FileKind::Pfx2as, 5, 0));
    assert_eq!(report.counts, RowCounts { moas: 3, sets: 2, without_origin: 1 });
    let moas = lookup(&loaded, "37.99.129.1");
    assert_eq!((moas.asn().map(Asn::get), moas.alternatives().len()), (Some(47_794), 1));
    assert_eq!(lookup(&loaded, "37.142.1.1").reason().as_str(), "single_origin");
    assert_eq!(origin(&loaded, "5.0.0.1"), None);
    assert_eq!(origin(&loaded, "2001:4860::1"), Some(4837));
}

#[test]
fn of_relations_that_are_cut_off_or_have_bad_lines_what_is_whole_counts() {
    let bad = b"4837|9929|1\n8589934592|3|-1\n4837|131279|-1|a|b|c|d\n4837|131279|-1\n";
    let loaded = Given::new(&[bad]).load().unwrap();
    assert_eq!(loaded.table.relations().len(), 2);
    let lines: Vec<_> = loaded.reports[0].faults.first.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [Some(2), Some(3)]);
    let many: Vec<String> = (1..200_000).map(|number| format!("{number}|{}|-1", number + 7)).collect();
    let packed = bzip2(many.join("\n").as_bytes());
    let loaded = Given::new(&[&packed[..packed.len() / 2]]).load().unwrap();
    assert!(loaded.table.relations().len() > 10_000 && loaded.reports[0].faults.count == 1);
}

/// 4837 and 9929 are of one organisation; a row that is cut off, and one of an AS that there cannot be.
const AS2ORG: &[u8] = b"# format:org_id|changed|org_name|country|source\n\
    UNI|20170101|Unicom|CN|APNIC\nKPTC|20170101||KP|APNIC\n\
    # format:aut|changed|aut_name|org_id|opaque_id|source\n\
    4837|20170101|CHINA169|UNI|b_APNIC|APNIC\n9929|20170101|CNCNET|UNI||APNIC\n\
    131279|20170101|RYUGYONG|KPTC|a_APNIC|APNIC\n8589934592|20170101|X|KPTC||APNIC\n174|2017";

const AS2ORG_JSON: &[u8] = b"{\"type\":\"Organization\",\"organizationId\":\"UNI\",\"name\":\"Unicom\"}\n\
    {\"type\":\"ASN\",\"asn\":\"4837\",\"name\":\"CHINA169\",\"organizationId\":\"UNI\"}\n\
    {\"type\":\"ASN\",\"asn\":\"9929\",\"organizationId\":\"UNI\"}\n";

#[test]
fn organisations_tell_which_of_several_origins_an_address_is_of_and_name_ases() {
    let rows = b"1.0.0.0\t24\t9929_4837\n1.0.1.0\t24\t4837_131279\n";
    let without = Given::new(&[rows]).load().unwrap();
    assert!(lookup(&without, "1.0.0.1").reason().to_string().contains("not known"));
    for (file, faults) in [(AS2ORG, 2), (AS2ORG_JSON, 0), (&gzip(AS2ORG)[..], 2)] {
        let loaded = Given::new(&[rows, file]).load().unwrap();
        let report = &loaded.reports[1];
        assert_eq!((report.kind, report.faults.count), (FileKind::Organisations, faults));
        let one = lookup(&loaded, "1.0.0.1");
        assert_eq!(
            (one.asn().map(Asn::get), one.reason().as_str()),
            (Some(9929), "origins_of_one_organisation")
        );
        assert_eq!(lookup(&loaded, "1.0.1.1").reason().as_str(), "several_origins");
        assert_eq!(loaded.names[&"AS9929".parse().unwrap()].to_string(), "Unicom");
    }
    let loaded = Given::new(&[AS2ORG]).load().unwrap();
    assert_eq!(loaded.names[&"AS131279".parse().unwrap()].to_string(), "RYUGYONG");
    assert_eq!(loaded.reports[0].faults.first[0].line, Some(8));
    let siblings = Given::new(&[rows, b"4837|9929|1\n4837|131279|-1\n"]).load().unwrap();
    assert_eq!(lookup(&siblings, "1.0.0.1").reason().as_str(), "origins_of_one_organisation");
    let customer = lookup(&siblings, "1.0.1.1");
    assert_eq!(
        (customer.asn().map(Asn::get), customer.reason().as_str()),
        (Some(131_279), "origin_of_customer")
    );
}

#[test]
fn packed_tables_read_the_same_whatever_their_names_also_in_several_members() {
    let (first, second) = PFX2AS.split_at(100);
    for packed in [
        gzip(PFX2AS),
        bzip2(PFX2AS),
        [gzip(first), gzip(second)].concat(),
        [bzip2(first), bzip2(second)].concat(),
    ] {
        let loaded = Given::new(&[&packed]).load().unwrap();
        assert_eq!((loaded.reports[0].rows, loaded.table.len()), (5, 4));
    }
}

#[test]
fn pyasn_and_iptoasn_and_delegations_are_told_apart_and_read() {
    let loaded = Given::new(&[PYASN]).load().unwrap();
    assert_eq!((loaded.reports[0].kind, loaded.table.len()), (FileKind::Pyasn, 2));
    assert_eq!(origin(&loaded, "1.0.7.255"), Some(56_203));

    let loaded = Given::new(&[IPTOASN]).load().unwrap();
    assert_eq!(loaded.reports[0].kind, FileKind::Iptoasn);
    assert_eq!(origin(&loaded, "1.0.2.1"), None, "not routed");
    assert_eq!(lookup(&loaded, "1.0.6.9").reason().prefix(), Some("1.0.6.0/24".parse().unwrap()));
    assert_eq!(origin(&loaded, "2001:200:400::1"), Some(2500));
    assert_eq!(origin(&loaded, "2001:200:600::1"), None);
    assert_eq!(loaded.names[&"AS38803".parse().unwrap()].to_string(), "GTELECOM-AUSTRALIA");

    let loaded = Given::new(&[DELEGATED]).load().unwrap();
    assert_eq!((loaded.reports[0].kind, loaded.reports[0].faults.count), (FileKind::Delegated, 0));
    assert_eq!(origin(&loaded, "175.45.179.9"), Some(131_279));
    assert_eq!(lookup(&loaded, "2400:1234::1").reason().as_str(), "delegated");
    assert_eq!(origin(&loaded, "1.0.1.1"), None, "a holder without an AS");
}

#[test]
fn exchange_points_of_both_kinds_are_one_and_know_their_members_and_private_space_stays_private() {
    let loaded =
        Given::new(&[CAIDA_IXP, PEERINGDB, b"80.249.208.0\t21\t1200\n172.30.1.0\t24\t9\n"]).load().unwrap();
    let found = lookup(&loaded, "80.249.208.34");
    assert_eq!((found.asn(), found.reason().as_str()), (None, "exchange_point"));
    assert_eq!(found.alternatives(), ["AS1103".parse().unwrap()]);
    assert_eq!(lookup(&loaded, "172.30.1.7").reason().as_str(), "special_purpose");
    let on_lan = loaded.table.exchange_point("80.249.208.1".parse().unwrap()).unwrap();
    assert_eq!((on_lan.point.name.to_string(), on_lan.point.lans.len()), ("AMS-IX".to_owned(), 2));
    assert_eq!(on_lan.has_member("AS1103".parse().unwrap()), Some(true));
    assert_eq!(on_lan.has_member("AS9".parse().unwrap()), Some(false));
    assert_eq!((loaded.reports[0].rows, loaded.reports[1].rows), (2, 4));
}

#[test]
fn an_override_wins_over_everything_and_what_else_was_said_is_still_told() {
    let mut given = Given::new(&[PFX2AS, b"175.45.178.0/24 AS64500\n10.0.0.0/8 7\n"]);
    given.files[1].kind = Some(FileKind::Overrides);
    let loaded = given.load().unwrap();
    assert_eq!(origin(&loaded, "175.45.178.9"), Some(64_500));
    assert_eq!(origin(&loaded, "10.1.1.1"), Some(7));
    let said = loaded.table.statements("175.45.178.9".parse().unwrap());
    let told: Vec<_> = said.iter().map(|said| (said.kind, said.decides)).collect();
    assert_eq!(told, [("override", true), ("bgp", false)]);
}

#[test]
fn what_is_whole_counts_and_what_is_not_is_told_with_its_file_and_line() {
    let bad = [
        "175.45.177.0\t22\t131279",
        "175.45.176.0\t33\t131279",
        "175.45.176.0\t22",
        "1.0.4.0\t24\t56203\t1\t2\t3\t4",
        "175.45.176.0\t22\tAS131279",
        "175.45.176.0\t22\t131279_",
        "175.45.176.0\t22\t8589934592",
        "<html>\x1b[2J</html>",
        "\u{fffd}\u{0}",
    ];
    for line in bad {
        let given = Given::new(&[format!("1.0.4.0\t24\t56203\n{line}\n1.0.5.0\t24\t56203\n").as_bytes()]);
        let loaded = given.load().unwrap();
        let report = &loaded.reports[0];
        assert_eq!((report.rows, report.faults.count), (2, 1), "{line:?}");
        assert_eq!(origin(&loaded, "1.0.5.1"), Some(56_203), "{line:?}: what comes behind counts");
        let shown = given.told(&report.faults.first[0]);
        assert!(shown.starts_with("file-0:2: ") && !shown.contains('\x1b'), "{shown}");
    }
}

#[test]
fn a_torn_file_gives_what_is_whole_and_says_where_it_is_torn() {
    let mut rows: Vec<u8> = Vec::new();
    for number in 0..20_000_u32 {
        let net = IpAddr::from(((number << 8) | (1 << 30)).to_be_bytes());
        writeln!(rows, "{net}\t24\t{}", number % 400 + 1).unwrap();
    }
    for packed in [gzip(&rows), bzip2(&rows)] {
        let given = Given::new(&[&packed[..packed.len() * 2 / 3]]);
        let loaded = given.load();
        // bzip2 unpacks blocks of 100 kB or more, of which the first may be torn already.
        let Ok(loaded) = loaded else { continue };
        let report = &loaded.reports[0];
        assert!(report.rows > 1000 && report.rows < 20_000 && report.faults.count == 1, "{report:?}");
        assert!(given.told(&report.faults.first[0]).contains("cannot be read from here on"), "{report:?}");
    }
}

#[test]
fn a_bomb_is_stopped_and_costs_no_memory() {
    let line = gzip(&vec![b'1'; 50_000_000]);
    let mut given = Given::new(&[&line]);
    given.files[0].kind = Some(FileKind::Pfx2as);
    let shown = given.told(&given.load().unwrap_err());
    assert_eq!(shown, "file-0:1: cannot be read from here on: a line is longer than 16384 bytes");
    given.files[0].kind = Some(FileKind::ExchangePoints);
    assert!(given.load().is_err());
    given.files[0].kind = Some(FileKind::Mrt);
    assert!(given.told(&given.load().unwrap_err()).starts_with("file-0: byte 0: no MRT record"));
}

#[test]
fn a_file_that_is_none_of_these_is_an_error_that_says_what_to_do() {
    for (content, says) in [
        (&b"<html></html>"[..], "say what it is before its name"),
        (b"", "is empty"),
        (b"# nothing but\n# comments\n", "say what it is before its name"),
    ] {
        let given = Given::new(&[content]);
        let shown = given.told(&given.load().unwrap_err());
        assert!(shown.starts_with("file-0: ") && shown.contains(says), "{shown}");
    }
    let gone = load_origins(&[OriginFile::new(Path::new("mrt:/nonexistent/rib"))], None).unwrap_err();
    assert!(gone.to_string().starts_with("/nonexistent/rib: cannot be read: "), "{gone}");
    let folder = load_origins(&[OriginFile::new(Path::new("/"))], None).unwrap_err();
    assert!(folder.to_string().starts_with("/: is a folder"), "{folder}");
}

#[test]
fn the_mark_at_its_end_tells_a_database_and_a_torn_one_is_an_error() {
    let torn = [&[0_u8; 300][..], b"\xab\xcd\xefMaxMind.com", &[0xe9; 20]].concat();
    let given = Given::new(&[&torn]);
    let shown = given.told(&given.load().unwrap_err());
    assert!(shown.starts_with("file-0: is no MaxMind database"), "{shown}");
}

/// Bytes that begin as a good file and then are anything.
fn damaged(whole: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let cut = any::<prop::sample::Index>();
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    (cut, changes, any::<bool>()).prop_map(move |(cut, changes, torn)| {
        let mut bytes = whole.to_vec();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if torn {
            bytes.truncate(cut.index(bytes.len()));
        }
        bytes
    })
}

proptest! {
    #[test]
    fn nothing_whatever_makes_a_reader_panic(
        damaged in prop_oneof![
            damaged(PFX2AS), damaged(PYASN), damaged(IPTOASN), damaged(DELEGATED), damaged(CAIDA_IXP),
            damaged(PEERINGDB), prop::collection::vec(any::<u8>(), 0..300),
        ],
        kind in prop::option::of(prop::sample::select(&FileKind::ALL[..])),
        pack in 0..3,
    ) {
        let bytes = match pack { 0 => damaged, 1 => gzip(&damaged), _ => bzip2(&damaged) };
        let mut given = Given::new(&[&bytes]);
        given.files[0].kind = kind;
        let _ = given.load();
        let torn = &bytes[..bytes.len() / 2];
        std::fs::write(&given.files[0].path, torn).unwrap();
        let _ = given.load();
    }

    #[test]
    fn what_is_written_as_pfx2as_is_read(
        net in any::<IpAddr>(), length in 0_u8..=32, asns in prop::collection::vec(1_u32..23_456, 1..6)
    ) {
        let prefix = Prefix::covering(net, length).unwrap();
        let numbers: Vec<String> = asns.iter().map(u32::to_string).collect();
        let line = format!("{}\t{}\t{}\n", prefix.network(), length, numbers.join("_"));
        let loaded = Given::new(&[line.as_bytes()]).load().unwrap();
        let found = loaded.table.sources()[0].find(prefix.network()).unwrap();
        prop_assert_eq!(found.prefix(), prefix);
        let mut known = asns.clone();
        let mut seen = std::collections::BTreeSet::new();
        known.retain(|asn| seen.insert(*asn));
        let read: Vec<u32> = found.origins().iter().map(|origin| origin.asn.get()).collect();
        prop_assert_eq!(read, known);
    }
}
