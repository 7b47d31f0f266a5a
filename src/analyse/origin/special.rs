//! Special-purpose space in which hops are seen: whoever uses it, no origin table says truly whose it is.

use std::net::IpAddr;
use std::sync::LazyLock;

use super::source::{OriginSource, OriginSourceBuilder, SeenOrigin, SourceClass};
use crate::model::{Asn, Prefix};

/// The blocks that matter for hops, with their names (IANA special-purpose registries, RFC 6890).
const BLOCKS: [(&str, &str); 19] = [
    ("0.0.0.0/8", "this network (RFC 791)"),
    ("10.0.0.0/8", "private (RFC 1918)"),
    ("100.64.0.0/10", "shared by carriers (RFC 6598)"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local (RFC 3927)"),
    ("172.16.0.0/12", "private (RFC 1918)"),
    ("192.0.0.0/24", "protocol assignments (RFC 6890)"),
    ("192.0.2.0/24", "documentation (RFC 5737)"),
    ("192.168.0.0/16", "private (RFC 1918)"),
    ("198.18.0.0/15", "benchmarking (RFC 2544)"),
    ("198.51.100.0/24", "documentation (RFC 5737)"),
    ("203.0.113.0/24", "documentation (RFC 5737)"),
    ("224.0.0.0/3", "multicast or reserved"),
    ("::/8", "unspecified, loopback or IPv4-mapped (RFC 4291)"),
    ("2001:db8::/32", "documentation (RFC 3849)"),
    ("3fff::/20", "documentation (RFC 9637)"),
    ("fc00::/7", "unique local (RFC 4193)"),
    ("fe80::/10", "link-local (RFC 4291)"),
    ("ff00::/8", "multicast (RFC 4291)"),
];

/// A block, with its name.
pub(super) type Block = (Prefix, &'static str);

/// The blocks as they are asked.
struct Special {
    blocks: Vec<Block>,
    /// By the first octet of an address whether it may lie in a block, since nearly every look-up asks in vain.
    first_octets: [Octets; 2],
    /// The "origin" of a block is its place among them, from 1.
    table: OriginSource,
}

/// Which of all octets.
type Octets = [bool; 256];

static SPECIAL: LazyLock<Special> = LazyLock::new(|| {
    let parsed = BLOCKS.iter().filter_map(|(prefix, name)| Some((prefix.parse().ok()?, *name)));
    let blocks: Vec<Block> = parsed.collect();
    let mut table = OriginSourceBuilder::default();
    let mut first_octets = [[false; 256]; 2];
    for ((prefix, _), place) in blocks.iter().zip(1_u32..) {
        if let Ok(place) = Asn::try_from(place) {
            table.add(*prefix, &[SeenOrigin::from(place)]);
            mark(&mut first_octets, *prefix);
        }
    }
    let table = table.finish("special-purpose space", SourceClass::Override);
    Special { blocks, first_octets, table }
});

fn mark([v4, v6]: &mut [Octets; 2], prefix: Prefix) {
    let (of_family, first) = match prefix.network() {
        IpAddr::V4(address) => (v4, address.octets()[0]),
        IpAddr::V6(address) => (v6, address.octets()[0]),
    };
    let last = first | u8::MAX.checked_shr(prefix.length().into()).unwrap_or(0);
    of_family
        .iter_mut()
        .take(usize::from(last).saturating_add(1))
        .skip(first.into())
        .for_each(|is| *is = true);
}

/// The special-purpose block that covers an address.
#[inline]
pub(super) fn covering(address: IpAddr) -> Option<&'static Block> {
    let [v4, v6] = &SPECIAL.first_octets;
    let may_be = match address {
        IpAddr::V4(address) => v4.get(usize::from(address.octets()[0])),
        IpAddr::V6(address) => v6.get(usize::from(address.octets()[0])),
    };
    if *may_be? { block(address) } else { None }
}

fn block(address: IpAddr) -> Option<&'static Block> {
    let found = SPECIAL.table.find(address)?;
    let place = found.origins().first()?.asn.get().checked_sub(1)?;
    SPECIAL.blocks.get(place as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_well_formed() {
        assert_eq!(SPECIAL.table.len(), BLOCKS.len());
        for (prefix, name) in BLOCKS {
            let prefix: Prefix = prefix.parse().unwrap();
            assert_eq!(covering(prefix.network()), Some(&(prefix, name)));
        }
    }

    #[test]
    fn the_first_octet_keeps_nobody_out_of_a_block() {
        for (prefix, name) in BLOCKS {
            let prefix: Prefix = prefix.parse().unwrap();
            let last = match prefix.as_net() {
                ipnet::IpNet::V4(net) => IpAddr::V4(net.broadcast()),
                ipnet::IpNet::V6(net) => IpAddr::V6(net.broadcast()),
            };
            assert_eq!(covering(last), Some(&(prefix, name)));
        }
        assert_eq!(covering("11.0.0.1".parse().unwrap()), None);
        assert_eq!(covering("2001:4860::1".parse().unwrap()), None);
    }
}
