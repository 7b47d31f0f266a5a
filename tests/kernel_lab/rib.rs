//! What BIRD's tables say, as `lab rib` prints it and as MRT.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Deserialize;
use tetherline::model::{Asn, Prefix};

/// AS paths by prefix; each path from the neighbour to the origin.
pub(crate) type Paths = BTreeMap<Prefix, BTreeSet<Vec<Asn>>>;

/// A route that BGP brought to a router.
#[derive(Debug, Deserialize)]
pub(crate) struct Route {
    pub(crate) router: String,
    pub(crate) prefix: Prefix,
    pub(crate) best: bool,
    pub(crate) local_pref: u32,
    path: String,
}

impl Route {
    pub(crate) fn path(&self) -> Vec<Asn> {
        self.path.split_whitespace().map(|number| number.parse().expect("an AS number")).collect()
    }
}

/// Reads what `lab rib` printed.
pub(crate) fn routes(text: &str) -> Vec<Route> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(|route| route.expect("a route")).collect()
}

/// The paths at a router that are as good as its best: a router of an AS with multipath uses them all.
pub(crate) fn best_paths(routes: &[Route], at: &str) -> Paths {
    let mine = || routes.iter().filter(|route| route.router == at);
    let mut paths = Paths::new();
    for best in mine().filter(|route| route.best) {
        let rank = |route: &Route| (route.local_pref, route.path().len());
        let ties = mine().filter(|route| route.prefix == best.prefix && rank(route) == rank(best));
        paths.insert(best.prefix, ties.map(Route::path).collect());
    }
    paths
}

/// Reads the routes of a file in the format `TABLE_DUMP_V2` (RFC 6396 §4.3), with the paths of all peers.
pub(crate) fn mrt(file: &[u8]) -> Paths {
    let mut rest = Bytes(file);
    let mut paths = Paths::new();
    while !rest.0.is_empty() {
        rest.take(4);
        let (kind, subtype, length) = (rest.number(2), rest.number(2), rest.number(4));
        let mut record = Bytes(rest.take(length));
        assert_eq!(kind, 13, "TABLE_DUMP_V2");
        match subtype {
            1 => {}
            2 | 4 => {
                let (prefix, peers) = rib_entry(&mut record, subtype == 2);
                paths.entry(prefix).or_default().extend(peers);
            }
            other => panic!("subtype {other}"),
        }
    }
    paths
}

/// RFC 6396 §4.3.2: sequence number, prefix, and the route of each peer.
fn rib_entry(record: &mut Bytes<'_>, is_ipv4: bool) -> (Prefix, Vec<Vec<Asn>>) {
    record.take(4);
    let length = record.number(1);
    let mut octets = [0; 16];
    let given = record.take(length.div_ceil(8));
    octets[..given.len()].copy_from_slice(given);
    let address = if is_ipv4 {
        IpAddr::from(Ipv4Addr::from([octets[0], octets[1], octets[2], octets[3]]))
    } else {
        IpAddr::from(Ipv6Addr::from(octets))
    };
    let prefix = format!("{address}/{length}").parse().expect("a prefix");
    let peers = record.number(2);
    let route = |_| {
        record.take(6);
        let length = record.number(2);
        as_path(&mut Bytes(record.take(length)))
    };
    (prefix, (0..peers).map(route).collect())
}

/// The AS path among the attributes of a route (RFC 4271 §4.3); AS numbers have four octets.
fn as_path(attributes: &mut Bytes<'_>) -> Vec<Asn> {
    while !attributes.0.is_empty() {
        let (flags, kind) = (attributes.number(1), attributes.number(1));
        let length = attributes.number(if flags & 0x10 == 0 { 1 } else { 2 });
        let mut value = Bytes(attributes.take(length));
        if kind == 2 {
            assert_eq!(value.number(1), 2, "AS_SEQUENCE");
            return (0..value.number(1)).map(|_| asn(value.number(4))).collect();
        }
    }
    panic!("a route without an AS path");
}

fn asn(number: usize) -> Asn {
    number.to_string().parse().expect("an AS number")
}

/// Takes from the front; numbers are in network byte order.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn number(&mut self, octets: usize) -> usize {
        self.take(octets).iter().fold(0, |number, octet| number << 8 | usize::from(*octet))
    }
}
