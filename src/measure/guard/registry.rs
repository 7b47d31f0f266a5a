//! The address space that is never probed: IANA's registries, built in and dated.
//!
//! Sources: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, RFC 8190), complete, each row
//! with the documents that the registry names; the multicast blocks (RFC 5771, RFC 4291 §2.7); and what the
//! IANA IPv6 Address Space registry reserves outside of `2000::/3`. The most specific entry decides.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::model::WallTime;

/// The state of the registries that these tables agree with (a test holds each row of theirs against them): no
/// later entry is in here.
pub const REGISTRY_DATE: &str = "2026-07-18";

/// How old the tables may become before it is said.
const OLD: Duration = Duration::from_secs(2 * 31_557_600);

/// What to say of tables that are old by now; 2024 and 2025 brought four new rows.
#[must_use]
pub fn outdated(now: WallTime) -> Option<String> {
    let taken = WallTime::parse_rfc3339(&format!("{REGISTRY_DATE}T00:00:00Z")).ok()?;
    (now.since(taken) > OLD).then(|| {
        format!(
            "what is never probed is IANA's special-purpose space of {REGISTRY_DATE}, more than two years ago: later \
             entries are not known; use a newer tetherline"
        )
    })
}

/// What a registered block means for a prober.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Private-use space: probed only if the campaign says so (RFC 1918, RFC 4193).
    Private,
    /// Registered, yet "globally reachable" by the registry: like any public address.
    Reachable,
    /// Never probed.
    Never,
}

/// One line of a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The block.
    pub block: IpNet,
    /// Its name in the registry.
    pub name: &'static str,
    /// The documents that registered it.
    pub reference: &'static str,
    /// What follows.
    pub standing: Standing,
}

/// The most specific registered block that an address lies in; `None` for ordinary public space.
#[must_use]
pub fn registered(address: IpAddr) -> Option<&'static Registered> {
    let table: &[Registered] = match address {
        IpAddr::V4(_) => &IPV4,
        IpAddr::V6(_) => &IPV6,
    };
    table.iter().filter(|entry| entry.block.contains(&address)).max_by_key(|entry| entry.block.prefix_len())
}

/// All registered blocks.
pub(super) fn registered_blocks() -> impl Iterator<Item = IpNet> {
    IPV4.iter().chain(&IPV6).map(|entry| entry.block)
}

use Standing::{Never, Private, Reachable};

const fn v4(
    [a, b, c, d]: [u8; 4],
    length: u8,
    standing: Standing,
    name: &'static str,
    reference: &'static str,
) -> Registered {
    let block = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length));
    Registered { block, name, reference, standing }
}

/// `head` holds the first 64 bits of the address, `tail` the last 64.
const fn v6(
    head: [u16; 4],
    tail: u64,
    length: u8,
    standing: Standing,
    (name, reference): (&'static str, &'static str),
) -> Registered {
    let [a, b, c, d] = head;
    let head = (a as u128) << 112 | (b as u128) << 96 | (c as u128) << 80 | (d as u128) << 64;
    let address = Ipv6Addr::from_bits(head | tail as u128);
    Registered { block: IpNet::V6(Ipv6Net::new_assert(address, length)), name, reference, standing }
}

/// IANA IPv4 Special-Purpose Address Registry, and multicast.
const IPV4: [Registered; 27] = [
    v4([0, 0, 0, 0], 8, Never, "\"This network\"", "RFC 791 §3.2"),
    v4([0, 0, 0, 0], 32, Never, "\"This host on this network\"", "RFC 1122 §3.2.1.3"),
    v4([10, 0, 0, 0], 8, Private, "Private-Use", "RFC 1918"),
    v4([100, 64, 0, 0], 10, Never, "Shared Address Space", "RFC 6598"),
    v4([127, 0, 0, 0], 8, Never, "Loopback", "RFC 1122 §3.2.1.3"),
    v4([169, 254, 0, 0], 16, Never, "Link Local", "RFC 3927"),
    v4([172, 16, 0, 0], 12, Private, "Private-Use", "RFC 1918"),
    v4([192, 0, 0, 0], 24, Never, "IETF Protocol Assignments", "RFC 6890 §2.1"),
    v4([192, 0, 0, 0], 29, Never, "IPv4 Service Continuity Prefix", "RFC 7335"),
    v4([192, 0, 0, 8], 32, Never, "IPv4 dummy address", "RFC 7600"),
    v4([192, 0, 0, 9], 32, Reachable, "Port Control Protocol Anycast", "RFC 7723"),
    v4([192, 0, 0, 10], 32, Reachable, "Traversal Using Relays around NAT Anycast", "RFC 8155"),
    v4([192, 0, 0, 170], 32, Never, "NAT64/DNS64 Discovery", "RFC 8880, RFC 7050 §2.2"),
    v4([192, 0, 0, 171], 32, Never, "NAT64/DNS64 Discovery", "RFC 8880, RFC 7050 §2.2"),
    v4([192, 0, 2, 0], 24, Never, "Documentation (TEST-NET-1)", "RFC 5737"),
    v4([192, 31, 196, 0], 24, Reachable, "AS112-v4", "RFC 7535"),
    v4([192, 52, 193, 0], 24, Reachable, "AMT", "RFC 7450"),
    v4([192, 88, 99, 0], 24, Never, "Deprecated (6to4 Relay Anycast)", "RFC 7526"),
    v4([192, 88, 99, 2], 32, Never, "6a44-relay anycast address", "RFC 6751"),
    v4([192, 168, 0, 0], 16, Private, "Private-Use", "RFC 1918"),
    v4([192, 175, 48, 0], 24, Reachable, "Direct Delegation AS112 Service", "RFC 7534"),
    v4([198, 18, 0, 0], 15, Never, "Benchmarking", "RFC 2544"),
    v4([198, 51, 100, 0], 24, Never, "Documentation (TEST-NET-2)", "RFC 5737"),
    v4([203, 0, 113, 0], 24, Never, "Documentation (TEST-NET-3)", "RFC 5737"),
    v4([224, 0, 0, 0], 4, Never, "Multicast", "RFC 5771"),
    v4([240, 0, 0, 0], 4, Never, "Reserved", "RFC 1112 §4"),
    v4([255, 255, 255, 255], 32, Never, "Limited Broadcast", "RFC 8190, RFC 919 §7"),
];

/// Reserved by the IETF in the IANA IPv6 Address Space registry.
const UNASSIGNED: (&str, &str) = ("Reserved by IETF", "RFC 4291");

/// IANA IPv6 Special-Purpose Address Registry, multicast, and what is no unicast space at all.
///
/// Two differ from the registry on purpose: `64:ff9b::/96` is "globally reachable", but it translates to
/// any IPv4 address, and so would lead around every rule for IPv4; the identifiers of ORCHID and of drones
/// are no places that a packet could be routed to.
const IPV6: [Registered; 38] = [
    v6([0, 0, 0, 0], 0, 3, Never, UNASSIGNED),
    v6([0, 0, 0, 0], 0, 96, Never, ("IPv4-compatible Address (deprecated)", "RFC 4291 §2.5.5.1")),
    v6([0, 0, 0, 0], 0, 128, Never, ("Unspecified Address", "RFC 4291")),
    v6([0, 0, 0, 0], 1, 128, Never, ("Loopback Address", "RFC 4291")),
    v6([0, 0, 0, 0], 0xffff_0000_0000, 96, Never, ("IPv4-mapped Address", "RFC 4291")),
    v6([0x64, 0xff9b, 0, 0], 0, 96, Never, ("IPv4-IPv6 Translat.", "RFC 6052")),
    v6([0x64, 0xff9b, 1, 0], 0, 48, Never, ("IPv4-IPv6 Translat.", "RFC 8215")),
    v6([0x100, 0, 0, 0], 0, 64, Never, ("Discard-Only Address Block", "RFC 6666")),
    v6([0x100, 0, 0, 1], 0, 64, Never, ("Dummy IPv6 Prefix", "RFC 9780")),
    v6([0x2001, 0, 0, 0], 0, 23, Never, ("IETF Protocol Assignments", "RFC 2928")),
    v6([0x2001, 0, 0, 0], 0, 32, Never, ("TEREDO", "RFC 4380, RFC 8190")),
    v6([0x2001, 1, 0, 0], 1, 128, Reachable, ("Port Control Protocol Anycast", "RFC 7723")),
    v6([0x2001, 1, 0, 0], 2, 128, Reachable, ("Traversal Using Relays around NAT Anycast", "RFC 8155")),
    v6([0x2001, 1, 0, 0], 3, 128, Reachable, ("DNS-SD Service Registration Protocol Anycast", "RFC 9665")),
    v6([0x2001, 2, 0, 0], 0, 48, Never, ("Benchmarking", "RFC 5180 with erratum 1752")),
    v6([0x2001, 3, 0, 0], 0, 32, Reachable, ("AMT", "RFC 7450")),
    v6([0x2001, 4, 0x112, 0], 0, 48, Reachable, ("AS112-v6", "RFC 7535")),
    v6([0x2001, 0x10, 0, 0], 0, 28, Never, ("Deprecated (previously ORCHID)", "RFC 4843")),
    v6([0x2001, 0x20, 0, 0], 0, 28, Never, ("ORCHIDv2", "RFC 7343")),
    v6(
        [0x2001, 0x30, 0, 0],
        0,
        28,
        Never,
        ("Drone Remote ID Protocol Entity Tags (DETs) Prefix", "RFC 9374"),
    ),
    v6([0x2001, 0xdb8, 0, 0], 0, 32, Never, ("Documentation", "RFC 3849")),
    v6([0x2002, 0, 0, 0], 0, 16, Never, ("6to4", "RFC 3056")),
    v6([0x2620, 0x4f, 0x8000, 0], 0, 48, Reachable, ("Direct Delegation AS112 Service", "RFC 7534")),
    v6([0x3fff, 0, 0, 0], 0, 20, Never, ("Documentation", "RFC 9637")),
    v6([0x4000, 0, 0, 0], 0, 3, Never, UNASSIGNED),
    v6([0x5f00, 0, 0, 0], 0, 16, Never, ("Segment Routing (SRv6) SIDs", "RFC 9602")),
    v6([0x6000, 0, 0, 0], 0, 3, Never, UNASSIGNED),
    v6([0x8000, 0, 0, 0], 0, 3, Never, UNASSIGNED),
    v6([0xa000, 0, 0, 0], 0, 3, Never, UNASSIGNED),
    v6([0xc000, 0, 0, 0], 0, 3, Never, UNASSIGNED),
    v6([0xe000, 0, 0, 0], 0, 4, Never, UNASSIGNED),
    v6([0xf000, 0, 0, 0], 0, 5, Never, UNASSIGNED),
    v6([0xf800, 0, 0, 0], 0, 6, Never, UNASSIGNED),
    v6([0xfc00, 0, 0, 0], 0, 7, Private, ("Unique-Local", "RFC 4193, RFC 8190")),
    v6([0xfe00, 0, 0, 0], 0, 9, Never, UNASSIGNED),
    v6([0xfe80, 0, 0, 0], 0, 10, Never, ("Link-Local Unicast", "RFC 4291")),
    v6([0xfec0, 0, 0, 0], 0, 10, Never, ("Site-Local Unicast (deprecated)", "RFC 3879")),
    v6([0xff00, 0, 0, 0], 0, 8, Never, ("Multicast", "RFC 4291 §2.7")),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Both registries as IANA published them on the date of the tables: block, the RFCs that it names, and
    /// whether it is globally reachable (`-`: not applicable, or taken back).
    const PUBLISHED: &str = "
        0.0.0.0/8 791 no; 0.0.0.0/32 1122 no; 10.0.0.0/8 1918 no; 100.64.0.0/10 6598 no; 127.0.0.0/8 1122 no;
        169.254.0.0/16 3927 no; 172.16.0.0/12 1918 no; 192.0.0.0/24 6890 no; 192.0.0.0/29 7335 no;
        192.0.0.8/32 7600 no; 192.0.0.9/32 7723 yes; 192.0.0.10/32 8155 yes; 192.0.0.170/32 8880+7050 no;
        192.0.0.171/32 8880+7050 no; 192.0.2.0/24 5737 no; 192.31.196.0/24 7535 yes; 192.52.193.0/24 7450 yes;
        192.88.99.0/24 7526 -; 192.88.99.2/32 6751 no; 192.168.0.0/16 1918 no; 192.175.48.0/24 7534 yes;
        198.18.0.0/15 2544 no; 198.51.100.0/24 5737 no; 203.0.113.0/24 5737 no; 240.0.0.0/4 1112 no;
        255.255.255.255/32 8190+919 no;
        ::1/128 4291 no; ::/128 4291 no; ::ffff:0:0/96 4291 no; 64:ff9b::/96 6052 yes; 64:ff9b:1::/48 8215 no;
        100::/64 6666 no; 100:0:0:1::/64 9780 no; 2001::/23 2928 no; 2001::/32 4380+8190 -;
        2001:1::1/128 7723 yes; 2001:1::2/128 8155 yes; 2001:1::3/128 9665 yes; 2001:2::/48 5180 no;
        2001:3::/32 7450 yes; 2001:4:112::/48 7535 yes; 2001:10::/28 4843 -; 2001:20::/28 7343 yes;
        2001:30::/28 9374 yes; 2001:db8::/32 3849 no; 2002::/16 3056 -; 2620:4f:8000::/48 7534 yes;
        3fff::/20 9637 no; 5f00::/16 9602 no; fc00::/7 4193+8190 no; fe80::/10 4291 no";

    #[test]
    fn every_row_of_the_registries_is_here_with_its_documents_and_nothing_unreachable_is_open() {
        let closed_on_purpose = ["64:ff9b::/96", "2001:20::/28", "2001:30::/28"];
        let mut blocks = Vec::new();
        for row in PUBLISHED.split(';') {
            let [block, rfcs, reachable] = row.split_whitespace().collect::<Vec<_>>()[..] else {
                panic!("{row}")
            };
            let entry = IPV4.iter().chain(&IPV6).find(|entry| entry.block == block.parse().unwrap());
            let entry = entry.unwrap_or_else(|| panic!("{block} is missing"));
            for rfc in rfcs.split('+') {
                assert!(
                    entry.reference.split([' ', ',']).any(|word| word == rfc),
                    "{block}: {}",
                    entry.reference
                );
            }
            let open = entry.standing == Reachable;
            let expected = reachable == "yes" && !closed_on_purpose.contains(&block);
            assert_eq!(open, expected, "{block}");
            blocks.push(entry.block);
        }
        let beside = IPV4.iter().chain(&IPV6).filter(|entry| !blocks.contains(&entry.block));
        let open: Vec<_> = beside.filter(|entry| entry.standing != Never).collect();
        assert!(open.is_empty(), "{open:?} is no row of the registries");
    }

    #[test]
    fn tables_older_than_two_years_are_said_to_be_and_younger_ones_are_not() {
        let on = |time: &str| outdated(WallTime::parse_rfc3339(time).unwrap());
        assert_eq!(on("2026-07-18T00:00:00Z"), None);
        assert_eq!(on("2028-07-17T00:00:00Z"), None);
        assert_eq!(on("1970-01-01T00:00:00Z"), None, "a clock that was never set");
        assert!(on("2028-07-19T00:00:00Z").unwrap().contains("2026-07-18"));
    }

    fn standing(address: &str) -> Option<Standing> {
        registered(address.parse().unwrap()).map(|entry| entry.standing)
    }

    #[test]
    fn every_block_is_written_without_host_bits() {
        for entry in IPV4.iter().chain(&IPV6) {
            assert_eq!(entry.block, entry.block.trunc(), "{}", entry.name);
        }
    }

    /// First and last address of each block, from the registries' own text.
    #[test]
    fn both_ends_of_every_forbidden_block_are_forbidden() {
        let v4 = "0.0.0.0 0.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255 169.254.0.0 \
            169.254.255.255 192.0.0.0 192.0.0.8 192.0.0.11 192.0.0.170 192.0.0.255 192.0.2.0 192.0.2.255 \
            192.88.99.0 192.88.99.2 192.88.99.255 198.18.0.0 198.19.255.255 198.51.100.0 198.51.100.255 \
            203.0.113.0 203.0.113.255 224.0.0.0 239.255.255.255 240.0.0.0 255.255.255.254 255.255.255.255";
        let v6 = ":: ::1 ::2 ::175.45.176.1 ::ffff:0.0.0.0 ::ffff:175.45.176.1 64:ff9b:: \
            64:ff9b::175.45.176.1 64:ff9b:1:: 64:ff9b:1:ffff::1 100:: 100::ffff:ffff:ffff:ffff 100:0:0:1::1 \
            2001:: 2001:0:ffff::1 2001:1::4 2001:1:: 2001:2::1 2001:1ff:ffff::1 2001:10:: 2001:1f:ffff::1 \
            2001:20::1 2001:3f:ffff::1 2001:db8:: 2001:db8:ffff::1 2002:: 2002:af2d:b001::1 2002:ffff::1 \
            3fff:: 3fff:fff::1 4000::1 5f00:: 5f00:ffff::1 fe80::1 febf:ffff::1 fec0::1 feff::1 fe00::1 \
            ff00:: ff02::1 ffff::1 8000::1 e000::1 f7ff::1 fbff::1 1000::1";
        for address in v4.split_whitespace().chain(v6.split_whitespace()) {
            assert_eq!(standing(address), Some(Never), "{address}");
        }
    }

    #[test]
    fn the_neighbours_of_forbidden_blocks_are_public() {
        let v4 = "1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 \
            169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 \
            192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 \
            198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255 175.45.176.1";
        let v6 = "2000:: 2001:200:: 2001:db7::1 2001:db9:: 2003:: 2620:4f:7fff::1 3ffe::1 3fff:1000:: \
            2a00::1 3ffe:ffff::1";
        for address in v4.split_whitespace().chain(v6.split_whitespace()) {
            assert_eq!(standing(address), None, "{address}");
        }
    }

    #[test]
    fn the_reachable_exceptions_stay_reachable() {
        for address in "192.0.0.9 192.0.0.10 192.31.196.1 192.52.193.1 192.175.48.1 2001:1::1 2001:1::2 \
            2001:1::3 2001:3::1 2001:4:112::1 2620:4f:8000::1"
            .split_whitespace()
        {
            assert_eq!(standing(address), Some(Reachable), "{address}");
        }
        for address in "10.0.0.0 172.31.255.255 192.168.1.1 fc00::1 fdff::1".split_whitespace() {
            assert_eq!(standing(address), Some(Private), "{address}");
        }
    }
}
