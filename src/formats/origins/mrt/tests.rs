//! Records of our own making, whole and damaged, and bgpkit-parser as a judge of what they say.

use std::collections::BTreeMap;

use bgpkit_parser::BgpkitParser;
use proptest::prelude::*;

use super::as_path::Attributes;
use super::*;
use crate::analyse::collectors::WeighedRoute;

/// Builds MRT files.
#[derive(Clone, Default)]
struct File(Vec<u8>);

type Segment<'a> = (u8, &'a [u32]);
type Path<'a> = &'a [Segment<'a>];

const SEQ: u8 = 2;
const SET: u8 = 1;

fn attribute(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[0x50, kind], &length[..], value].concat()
}

fn as_path(path: Path<'_>, wide: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, ases) in path {
        bytes.extend([*kind, u8::try_from(ases.len()).unwrap()]);
        for asn in *ases {
            let narrow = u16::try_from(*asn).unwrap_or(23_456).to_be_bytes();
            bytes.extend(if wide { asn.to_be_bytes().to_vec() } else { narrow.to_vec() });
        }
    }
    bytes
}

fn nlri(prefix: &str) -> Vec<u8> {
    let prefix: Prefix = prefix.parse().unwrap();
    let octets = match prefix.network() {
        std::net::IpAddr::V4(address) => address.octets().to_vec(),
        std::net::IpAddr::V6(address) => address.octets().to_vec(),
    };
    let count = usize::from(prefix.length().div_ceil(8));
    [&[prefix.length()], &octets[..count]].concat()
}

impl File {
    fn record(mut self, seconds: u32, kind: u16, subtype: u16, body: &[u8]) -> Self {
        self.0.extend(seconds.to_be_bytes());
        self.0.extend(kind.to_be_bytes());
        self.0.extend(subtype.to_be_bytes());
        self.0.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        self.0.extend(body);
        self
    }

    fn peers(self, peers: &[u32]) -> Self {
        let mut body = vec![9, 9, 9, 9, 0, 0];
        body.extend(u16::try_from(peers.len()).unwrap().to_be_bytes());
        for asn in peers {
            body.extend([2, 1, 1, 1, 1]);
            body.extend(peer_address(*asn));
            body.extend(asn.to_be_bytes());
        }
        self.record(AT, TABLE_DUMP_V2, 1, &body)
    }

    fn routes(self, prefix: &str, paths: &[(u16, Path<'_>)]) -> Self {
        let subtype = if prefix.contains(':') { 4 } else { 2 };
        self.routes_of(subtype, prefix, paths)
    }

    fn routes_of(self, subtype: u16, prefix: &str, paths: &[(u16, Path<'_>)]) -> Self {
        let mut body = vec![0, 0, 0, 7];
        body.extend(nlri(prefix));
        body.extend(u16::try_from(paths.len()).unwrap().to_be_bytes());
        for (number, (peer, path)) in (1_u32..).zip(paths) {
            body.extend(peer.to_be_bytes());
            body.extend(AT.to_be_bytes());
            if subtype >= 8 {
                body.extend(number.to_be_bytes());
            }
            let attributes = [attribute(1, &[0]), attribute(2, &as_path(path, true))].concat();
            body.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
            body.extend(attributes);
        }
        self.record(AT, TABLE_DUMP_V2, subtype, &body)
    }

    /// A route of a table of the older kind.
    fn dumped(self, prefix: &str, peer: u32, path: Path<'_>, more: &[u8]) -> Self {
        let prefix: Prefix = prefix.parse().unwrap();
        let attributes = [&attribute(1, &[0]), &attribute(2, &as_path(path, false)), more].concat();
        let (mut body, subtype) = (vec![0, 0, 0, 7], if prefix.is_ipv4() { 1 } else { 2 });
        let peer_as = u16::try_from(peer).unwrap().to_be_bytes();
        match prefix.network() {
            std::net::IpAddr::V4(net) => body.extend(net.octets()),
            std::net::IpAddr::V6(net) => body.extend(net.octets()),
        }
        body.extend([prefix.length(), 1]);
        body.extend(AT.to_be_bytes());
        if subtype == 2 {
            body.extend([0; 12]);
        }
        body.extend(peer_address(peer));
        body.extend(peer_as);
        body.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
        body.extend(attributes);
        self.record(AT, TABLE_DUMP, subtype, &body)
    }

    fn update(
        self,
        seconds: u32,
        peer: u32,
        withdrawn: &[&str],
        announced: &[&str],
        path: Path<'_>,
    ) -> Self {
        let attributes = [attribute(1, &[0]), attribute(2, &as_path(path, true))].concat();
        let body = update(peer, withdrawn, announced, &attributes);
        self.record(seconds, BGP4MP, 4, &body)
    }

    fn read(&self, until: Option<i64>) -> (MrtTable, Faults) {
        let keeps = self.0.windows(2).any(|pair| pair == BGP4MP.to_be_bytes());
        let until = until.map(|seconds| WallTime::from_nanos(seconds * 1_000_000_000));
        let mut reader = MrtReader::new(keeps, until);
        let mut faults = Faults::new("rib");
        reader.read(self.0.as_slice(), &mut faults);
        (reader.finish("rib"), faults)
    }
}

const AT: u32 = 1_400_000_000;

fn peer_address(asn: u32) -> [u8; 4] {
    [203, 0, 113, u8::try_from(asn % 250).unwrap()]
}

fn update(peer: u32, withdrawn: &[&str], announced: &[&str], attributes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(peer.to_be_bytes());
    body.extend([0, 0, 0, 9, 0, 0, 0, 1]);
    body.extend(peer_address(peer));
    body.extend([203, 0, 113, 254]);
    let withdrawn: Vec<u8> = withdrawn.iter().flat_map(|prefix| nlri(prefix)).collect();
    let announced: Vec<u8> = announced.iter().flat_map(|prefix| nlri(prefix)).collect();
    let mut message = Vec::new();
    message.extend(u16::try_from(withdrawn.len()).unwrap().to_be_bytes());
    message.extend(withdrawn);
    message.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
    message.extend(attributes);
    message.extend(announced);
    body.extend([0xff; 16]);
    body.extend(u16::try_from(message.len() + 19).unwrap().to_be_bytes());
    body.push(2);
    body.extend(message);
    body
}

fn origins(table: &MrtTable, address: &str) -> Vec<(u32, u16)> {
    let found = table.source.find(address.parse().unwrap());
    found.map_or(Vec::new(), |found| {
        found.origins().iter().map(|origin| (origin.asn.get(), origin.peers)).collect()
    })
}

fn small() -> File {
    File::default()
        .peers(&[10, 20, 30])
        .routes(
            "4.0.0.0/9",
            &[(0, &[(SEQ, &[10, 7, 7, 5])]), (1, &[(SEQ, &[20, 5])]), (2, &[(SEQ, &[30, 6])])],
        )
        .routes("5.0.0.0/16", &[(0, &[(SEQ, &[10, 7]), (SET, &[8, 64_512, 9])])])
        .routes("2001:4860::/32", &[(1, &[(SEQ, &[20, 3356, 131_279, 64_513])])])
        .routes("0.0.0.0/0", &[(1, &[(SEQ, &[20])])])
}

#[test]
fn a_table_gives_every_origin_with_the_number_of_peers_that_saw_it() {
    let (table, faults) = small().read(None);
    assert!(faults.is_empty(), "{faults}");
    assert_eq!(origins(&table, "4.1.1.1"), [(5, 2), (6, 1)], "the one that most peers saw first");
    assert_eq!(origins(&table, "5.0.1.1"), [(8, 1), (9, 1)], "members of a set, without private numbers");
    assert_eq!(origins(&table, "2001:4860::1"), [(131_279, 1)], "behind it only a private number");
    assert_eq!(origins(&table, "9.9.9.9"), [], "a default route says nothing");
    assert_eq!(
        (table.counts.prefixes_v4, table.counts.prefixes_v6, table.counts.routes, table.counts.peers),
        (3, 1, 6, 3)
    );
    let seven = Asn::try_from(7).unwrap();
    assert_eq!(table.transit.providers(Asn::try_from(5).unwrap()).next().unwrap().0, seven);
}

#[test]
fn one_path_of_one_peer_is_too_little_to_make_a_transit_as_and_many_prefixes_are_enough() {
    let mut file = File::default().peers(&[10, 20, 30, 40]);
    for third in 0..6 {
        let honest: Path<'_> = &[(SEQ, &[10, 3356, 4837, 131_279])];
        let other: Path<'_> = &[(SEQ, &[20, 3356, 4837, 131_279])];
        file =
            file.routes(&format!("4.0.{third}.0/24"), &[(0, honest), (1, other), (2, honest), (3, other)]);
    }
    let file = file.routes("9.71.107.0/24", &[(0, &[(SEQ, &[10, 22_351, 131_279, 51_040])])]);
    let (table, _) = file.read(None);
    let asn = |number| Asn::try_from(number).unwrap();
    let forged = table.transit.between(asn(131_279), asn(51_040)).unwrap();
    assert_eq!(forged, LinkEvidence { prefixes: 1, peers: 1, is_thin: true });
    assert!(!table.transit.is_transit(asn(131_279)));
    assert!(table.transit.is_transit(asn(4837)));
    assert!(!table.transit.between(asn(4837), asn(131_279)).unwrap().is_thin);
    assert_eq!(origins(&table, "9.71.107.1"), [(51_040, 1)]);
    assert!(table.source.is_thin(SeenOrigin { asn: asn(51_040), peers: 1 }));
}

#[test]
fn add_path_tables_count_a_peer_once_however_many_routes_it_has() {
    let path: Path<'_> = &[(SEQ, &[10, 5])];
    let file =
        File::default().peers(&[10, 20]).routes_of(8, "4.0.0.0/9", &[(0, path), (0, path), (1, path)]);
    let (table, faults) = file.routes_of(10, "2001:4860::/32", &[(0, path)]).read(None);
    assert!(faults.is_empty(), "{faults}");
    assert_eq!(origins(&table, "4.1.1.1"), [(5, 2)]);
    assert_eq!(origins(&table, "2001:4860::1"), [(5, 1)]);
}

#[test]
fn changes_are_applied_up_to_the_wanted_time() {
    let file = small()
        .update(AT - 60, 10, &["4.0.0.0/9"], &[], &[])
        .update(AT + 60, 10, &["4.0.0.0/9"], &[], &[])
        .update(AT + 120, 20, &[], &["4.0.0.0/9", "8.0.0.0/9"], &[(SEQ, &[20, 99])])
        .update(AT + 180, 30, &["4.0.0.0/9"], &[], &[]);
    let at = |seconds: i64| {
        let (table, faults) = file.read(Some(i64::from(AT) + seconds));
        assert!(faults.is_empty(), "{faults}");
        let found = [origins(&table, "4.1.1.1"), origins(&table, "8.1.1.1")];
        (found, table.counts.changes)
    };
    assert_eq!(at(0), ([vec![(5, 2), (6, 1)], vec![]], 0), "what is older than the table is in it");
    assert_eq!(at(60), ([vec![(5, 1), (6, 1)], vec![]], 1));
    assert_eq!(at(120), ([vec![(99, 1), (6, 1)], vec![(99, 1)]], 2));
    assert_eq!(at(180), ([vec![(99, 1)], vec![(99, 1)]], 3));
}

#[test]
fn a_session_that_ends_takes_its_routes_with_it() {
    let mut state = Vec::new();
    state.extend(30_u32.to_be_bytes());
    state.extend([0, 0, 0, 9, 0, 0, 0, 1]);
    state.extend(peer_address(30));
    state.extend([203, 0, 113, 254, 0, 6, 0, 1]);
    let file = small().record(AT + 5, BGP4MP, 5, &state).update(
        AT + 9,
        30,
        &[],
        &["8.0.0.0/9"],
        &[(SEQ, &[30, 77])],
    );
    let (table, faults) = file.read(None);
    assert!(faults.is_empty(), "{faults}");
    assert_eq!(origins(&table, "4.1.1.1"), [(5, 2)]);
    assert_eq!(origins(&table, "8.1.1.1"), [(77, 1)]);
}

#[test]
fn large_as_numbers_behind_an_old_speaker_are_taken_from_as4_path() {
    let narrow: Path<'_> = &[(SEQ, &[10, 200_000, 131_279])];
    let wide: Path<'_> = &[(SEQ, &[200_000, 131_279])];
    let attributes =
        [attribute(1, &[0]), attribute(2, &as_path(narrow, false)), attribute(17, &as_path(wide, true))]
            .concat();
    let mut path = AsPath::default();
    Attributes::read(&attributes).unwrap().path(false, &mut path).unwrap();
    assert_eq!(path.hops, [10, 200_000, 131_279]);
    assert_eq!(path.origins().collect::<Vec<_>>(), [131_279]);
}

#[test]
fn a_record_that_is_damaged_costs_only_itself_and_is_told_with_its_byte() {
    let mut torn = small().0;
    let at = torn.len();
    let broken = File::default().record(AT, TABLE_DUMP_V2, 2, &[0, 0, 0, 7, 33, 1, 2, 3]).0;
    torn.extend(&broken);
    let file = File(torn).routes("8.0.0.0/9", &[(0, &[(SEQ, &[10, 77])])]);
    let (table, faults) = file.read(None);
    assert_eq!(faults.count, 1);
    assert!(faults.first[0].to_string().starts_with(&format!("rib: byte {at}: ")), "{faults}");
    assert_eq!(origins(&table, "8.1.1.1"), [(77, 1)]);
    assert_eq!(origins(&table, "4.1.1.1"), [(5, 2), (6, 1)]);
}

#[test]
fn a_record_cut_in_mid_air_is_told_and_what_stands_before_it_counts() {
    let whole = small().0;
    let file = File(whole[..whole.len() - 3].to_vec());
    let (table, faults) = file.read(None);
    assert_eq!(origins(&table, "4.1.1.1"), [(5, 2), (6, 1)]);
    let shown = faults.first[0].to_string();
    assert!(
        shown.contains("in the body of the record at byte") && shown.ends_with("the file ends"),
        "{shown}"
    );
}

#[test]
fn a_length_of_four_gigabytes_is_refused_before_any_memory_is_taken() {
    let mut bytes = small().0;
    bytes.extend([0x53, 0, 0, 0, 0, 13, 0, 2, 0xff, 0xff, 0xff, 0xff]);
    let (table, faults) = File(bytes).read(None);
    assert_eq!(faults.count, 1);
    assert!(faults.first[0].to_string().contains("4294967295 bytes"), "{faults}");
    assert_eq!(table.source.len(), 3);
}

/// What bgpkit-parser makes of a table: prefix → AS of origin → number of peers.
fn judge(bytes: &[u8]) -> BTreeMap<Prefix, BTreeMap<u32, usize>> {
    let mut seen: BTreeMap<Prefix, BTreeMap<u32, std::collections::BTreeSet<_>>> = BTreeMap::new();
    for element in BgpkitParser::from_reader(std::io::Cursor::new(bytes.to_vec())) {
        let Some(path) = element.as_path else { continue };
        for asn in path.iter_origins() {
            let origins = seen.entry(element.prefix.prefix.into()).or_default();
            origins.entry(asn.to_u32()).or_default().insert((element.peer_ip, element.peer_asn));
        }
    }
    let counted = |origins: BTreeMap<u32, std::collections::BTreeSet<_>>| {
        origins.into_iter().map(|(asn, peers)| (asn, peers.len())).collect()
    };
    seen.into_iter().map(|(prefix, origins)| (prefix, counted(origins))).collect()
}

#[test]
fn a_table_of_the_older_kind_has_its_routes_to_a_prefix_counted_together() {
    let wide = attribute(17, &as_path(&[(SEQ, &[131_279])], true));
    let file = File::default()
        .dumped("8.0.0.0/9", 10, &[(SEQ, &[10, 5])], &[])
        .dumped("8.0.0.0/9", 20, &[(SEQ, &[20, 5])], &[])
        .dumped("8.0.0.0/9", 30, &[(SEQ, &[30, 6])], &[])
        .dumped("175.45.176.0/22", 10, &[(SEQ, &[10, 4837, 23_456])], &wide)
        .dumped("2001:4860::/32", 10, &[(SEQ, &[10, 15_169])], &[]);
    let (table, faults) = file.read(None);
    assert!(faults.is_empty(), "{faults}");
    let origins = |address: &str| -> Vec<(u32, u16)> {
        let found = table.source.find(address.parse().unwrap()).unwrap();
        found.origins().iter().map(|origin| (origin.asn.get(), origin.peers)).collect()
    };
    assert_eq!(origins("8.1.1.1"), [(5, 2), (6, 1)]);
    assert_eq!(origins("175.45.177.1"), [(131_279, 1)]);
    assert_eq!(origins("2001:4860::1"), [(15_169, 1)]);
    assert_eq!(
        table.counts,
        MrtCounts { prefixes_v4: 2, prefixes_v6: 1, routes: 5, peers: 4, ..MrtCounts::default() }
    );
    assert_eq!(judge(&file.0).len(), 3, "another reader finds as many prefixes");
    let torn = File(file.0[..file.0.len() - 1].to_vec()).read(None);
    assert_eq!((torn.0.source.len(), torn.1.count), (2, 1));
}

/// How the peers of one file reach these origins.
fn views(bytes: &[u8], origins: &[u32], is_v6: bool) -> Views {
    let origins = origins.iter().map(|origin| Asn::try_from(*origin).unwrap()).collect();
    let mut reader = TableReader::new(&origins, is_v6);
    reader.read(bytes, &mut Faults::new("rib"));
    Views::new(&[reader.finish()])
}

/// The weight of a route, and the ASes on it.
type Seen = (f64, Vec<u32>);

/// By peer AS, its routes to the origin.
fn seen(views: &Views, origin: u32) -> Vec<(u32, Vec<Seen>)> {
    let all = views.by_origin.get(&Asn::try_from(origin).unwrap());
    all.into_iter()
        .flatten()
        .map(|view| {
            let route =
                |route: &WeighedRoute| (route.weight, route.ases.iter().map(|asn| asn.get()).collect());
            (view.peer_as.get(), view.routes.iter().map(route).collect())
        })
        .collect()
}

#[test]
fn full_feeds_show_how_they_reach_an_origin_and_a_peer_with_a_part_of_the_table_does_not_count() {
    let file = File::default()
        .peers(&[10, 20, 30])
        .routes("4.0.0.0/9", &[(0, &[(SEQ, &[10, 7, 7, 5])]), (1, &[(SEQ, &[20, 5])])])
        .routes("4.0.0.0/10", &[(0, &[(SEQ, &[10, 6])]), (1, &[(SEQ, &[20, 7]), (SET, &[5, 8])])])
        .routes("2001:4860::/32", &[(2, &[(SEQ, &[30, 5])])])
        .routes("9.0.0.0/8", &[(0, &[(SEQ, &[10, 6])]), (1, &[(SEQ, &[20, 6])]), (2, &[(SEQ, &[30, 6])])]);
    let found = views(&file.0, &[5], false);
    assert_eq!((found.full_feeds, found.peers), (2, 3));
    let (half, quarter) = (2_f64.powi(22), 2_f64.powi(21));
    assert_eq!(
        seen(&found, 5),
        [(10, vec![(half, vec![5, 7, 10])]), (20, vec![(half, vec![5, 20]), (quarter, vec![5, 7, 20])]),]
    );
    assert_eq!(seen(&views(&file.0, &[5], true), 5), [(30, vec![(1.0, vec![5, 30])])]);
    assert!(views(&file.0, &[99], false).by_origin.is_empty());
}

#[test]
fn of_several_paths_of_a_peer_the_first_shows_how_it_reaches_an_origin_and_old_tables_do_too() {
    let add_path = File::default().peers(&[10]).routes_of(
        8,
        "4.0.0.0/8",
        &[(0, &[(SEQ, &[10, 7, 5])]), (0, &[(SEQ, &[10, 8, 5])])],
    );
    let whole = 2_f64.powi(24);
    assert_eq!(seen(&views(&add_path.0, &[5], false), 5), [(10, vec![(whole, vec![5, 7, 10])])]);
    let old = File::default().dumped("4.0.0.0/8", 10, &[(SEQ, &[10, 7, 5])], &[]).dumped(
        "4.0.0.0/8",
        20,
        &[(SEQ, &[20, 5])],
        &[],
    );
    let both = [(10, vec![(whole, vec![5, 7, 10])]), (20, vec![(whole, vec![5, 20])])];
    assert_eq!(seen(&views(&old.0, &[5], false), 5), both);
}

proptest! {
    #[test]
    fn another_reader_finds_the_same_origins_seen_by_the_same_peers(
        tables in prop::collection::vec(
            (any::<u32>(), 8_u8..=32, prop::collection::vec((0_u16..5, prop::collection::vec(1_u32..2000, 1..6)), 1..8)),
            1..20,
        ),
    ) {
        let mut file = File::default().peers(&[10, 20, 30, 40, 50]);
        for (bits, length, routes) in &tables {
            let prefix = Prefix::covering(std::net::IpAddr::from(bits.to_be_bytes()), *length).unwrap().to_string();
            let mut routes: Vec<_> = routes.clone();
            routes.sort();
            routes.dedup_by_key(|(peer, _)| *peer);
            let segments: Vec<(u16, [Segment<'_>; 1])> =
                routes.iter().map(|(peer, path)| (*peer, [(SEQ, path.as_slice())])).collect();
            let paths: Vec<(u16, Path<'_>)> = segments.iter().map(|(peer, path)| (*peer, &path[..])).collect();
            file = file.routes(&prefix, &paths);
        }
        let (table, faults) = file.read(None);
        prop_assert!(faults.is_empty(), "{}", faults);
        let judged = judge(&file.0);
        prop_assert_eq!(table.source.len(), judged.len());
        let once = |prefix: &Prefix| tables.iter().filter(|(bits, length, _)| {
            Prefix::covering(std::net::IpAddr::from(bits.to_be_bytes()), *length) == Some(*prefix)
        }).count() == 1;
        for (prefix, origins) in judged.iter().filter(|(prefix, _)| once(prefix)) {
            let found = table.source.find(prefix.network()).unwrap();
            if found.prefix() != *prefix { continue }
            let found: BTreeMap<u32, usize> =
                found.origins().iter().map(|origin| (origin.asn.get(), usize::from(origin.peers))).collect();
            prop_assert_eq!(&found, origins);
        }
    }

    #[test]
    fn no_damage_whatever_makes_reading_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
        keeps in any::<bool>(),
    ) {
        let file = small().update(AT + 60, 10, &["4.0.0.0/9"], &["8.0.0.0/9"], &[(SEQ, &[10, 5]), (SET, &[6, 7])]);
        let mut bytes = file.routes_of(10, "2001:4860::/32", &[(0, &[(SEQ, &[10, 5])])]).0;
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let mut reader = MrtReader::new(keeps, None);
        let mut faults = Faults::new("rib");
        reader.read(bytes.as_slice(), &mut faults);
        reader.finish("rib");
        views(&bytes, &[5, 6, 7], keeps);
    }
}
