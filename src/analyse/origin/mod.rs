//! Address → AS, by longest-prefix match in a table of BGP origins, always with the reason.
//!
//! Precedence: special-purpose space first (whatever a table says about 10.0.0.0/8, nobody's hop is
//! mapped by it), then BGP origins, then what somebody was asked about single addresses. Where several ASes originate a prefix, all are kept, the first is
//! taken, and the reason says so. Reading tables from files is not done here.

mod special;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use prefix_trie::joint::JointPrefixMap;

use crate::model::{Asn, Prefix};

/// Which AS originates which prefix, IPv4 and IPv6 together.
#[derive(Clone, Default)]
pub struct OriginTable {
    origins: JointPrefixMap<IpNet, Vec<Asn>>,
    looked_up: BTreeMap<IpAddr, (Prefix, Vec<Asn>)>,
}

/// The AS of an address, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attribution {
    /// The AS; `None` if none can be told.
    pub asn: Option<Asn>,
    /// The other ASes that originate the same prefix, in the order of the table.
    pub alternatives: Vec<Asn>,
    /// Why.
    pub reason: OriginReason,
}

/// Why an address belongs to an AS, or to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OriginReason {
    /// Special-purpose space, which is never mapped.
    SpecialPurpose {
        /// The block.
        prefix: Prefix,
        /// What it is for.
        name: &'static str,
    },
    /// The longest covering prefix has one origin.
    SingleOrigin {
        /// That prefix.
        prefix: Prefix,
    },
    /// The longest covering prefix has several origins; the first of the table was taken.
    SeveralOrigins {
        /// That prefix.
        prefix: Prefix,
    },
    /// No prefix of the table covers it; this one does by Team Cymru, who were asked about the address.
    LookedUp {
        /// That prefix.
        prefix: Prefix,
    },
    /// No prefix of the table covers it.
    NotCovered,
}

impl OriginReason {
    /// The reason in one word of a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SpecialPurpose { .. } => "special_purpose",
            Self::SingleOrigin { .. } => "single_origin",
            Self::SeveralOrigins { .. } => "several_origins",
            Self::LookedUp { .. } => "looked_up",
            Self::NotCovered => "not_covered",
        }
    }

    /// The prefix that decided.
    #[must_use]
    pub const fn prefix(self) -> Option<Prefix> {
        match self {
            Self::SpecialPurpose { prefix, .. }
            | Self::SingleOrigin { prefix }
            | Self::SeveralOrigins { prefix }
            | Self::LookedUp { prefix } => Some(prefix),
            Self::NotCovered => None,
        }
    }
}

impl OriginTable {
    /// A table of these entries. A prefix that comes twice keeps the origins of both, in their order;
    /// an entry without origins says nothing.
    pub fn from_entries(entries: impl IntoIterator<Item = (Prefix, Vec<Asn>)>) -> Self {
        let mut table = Self::default();
        for (prefix, origins) in entries {
            table.add(prefix, &origins);
        }
        table
    }

    fn add(&mut self, prefix: Prefix, origins: &[Asn]) {
        if origins.is_empty() {
            return;
        }
        let net = prefix.as_net();
        let mut known = self.origins.remove(&net).unwrap_or_default();
        for origin in origins {
            if !known.contains(origin) {
                known.push(*origin);
            }
        }
        self.origins.insert(net, known);
    }

    /// The same table with what Team Cymru said of single addresses; it counts where no prefix covers them.
    #[must_use]
    pub fn with_looked_up(mut self, answers: impl IntoIterator<Item = (IpAddr, Prefix, Vec<Asn>)>) -> Self {
        let answers = answers.into_iter().map(|(address, prefix, asns)| (address, (prefix, asns)));
        self.looked_up.extend(answers);
        self
    }

    /// How many prefixes it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.origins.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// The AS of an address, and why.
    #[must_use]
    pub fn lookup(&self, address: IpAddr) -> Attribution {
        if let Some((prefix, name)) = special::covering(address) {
            return Attribution::none(OriginReason::SpecialPurpose { prefix, name });
        }
        if let Some((net, origins)) = self.origins.get_lpm(&IpNet::from(address)) {
            let prefix = Prefix::from(net);
            return match origins.as_slice() {
                [_, _, ..] => Attribution::first(origins, OriginReason::SeveralOrigins { prefix }),
                _ => Attribution::first(origins, OriginReason::SingleOrigin { prefix }),
            };
        }
        match self.looked_up.get(&address) {
            Some((prefix, origins)) => {
                Attribution::first(origins, OriginReason::LookedUp { prefix: *prefix })
            }
            None => Attribution::none(OriginReason::NotCovered),
        }
    }
}

impl fmt::Debug for OriginTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OriginTable({} prefixes)", self.len())
    }
}

impl Attribution {
    /// The first of these, the others as alternatives.
    fn first(origins: &[Asn], reason: OriginReason) -> Self {
        let (asn, others) = origins.split_first().map_or((None, &[][..]), |(asn, rest)| (Some(*asn), rest));
        Self { asn, alternatives: others.to_vec(), reason }
    }

    /// No AS, for this reason.
    #[must_use]
    pub const fn none(reason: OriginReason) -> Self {
        Self { asn: None, alternatives: Vec::new(), reason }
    }
}

/// `longest match 219.158.0.0/17`, short enough for a table's cell.
impl fmt::Display for OriginReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpecialPurpose { prefix, name } => write!(f, "{name}, {prefix}: never mapped"),
            Self::SingleOrigin { prefix } => write!(f, "longest match {prefix}"),
            Self::SeveralOrigins { prefix } => {
                write!(f, "longest match {prefix}, several origins, the first taken")
            }
            Self::LookedUp { prefix } => write!(f, "in no table; {prefix} by Team Cymru"),
            Self::NotCovered => f.write_str("no prefix covers it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asn(number: u32) -> Asn {
        Asn::try_from(number).unwrap()
    }

    fn table(rows: &[(&str, &[u32])]) -> OriginTable {
        OriginTable::from_entries(rows.iter().map(|(prefix, origins)| {
            (prefix.parse().unwrap(), origins.iter().map(|number| asn(*number)).collect())
        }))
    }

    #[test]
    fn the_longest_prefix_wins_in_both_families() {
        let table = table(&[
            ("175.45.176.0/22", &[1]),
            ("175.45.178.0/24", &[131_279]),
            ("2001:4860::/32", &[2]),
            ("2001:4860:4860::/48", &[15_169]),
        ]);
        assert_eq!(table.lookup("175.45.178.9".parse().unwrap()).asn, Some(asn(131_279)));
        assert_eq!(table.lookup("175.45.177.9".parse().unwrap()).asn, Some(asn(1)));
        assert_eq!(table.lookup("2001:4860:4860::8888".parse().unwrap()).asn, Some(asn(15_169)));
        assert_eq!(table.lookup("2001:4860:1::".parse().unwrap()).asn, Some(asn(2)));
        assert_eq!(table.lookup("8.8.8.8".parse().unwrap()).reason, OriginReason::NotCovered);
    }

    #[test]
    fn private_space_is_mapped_by_no_table() {
        let table =
            table(&[("10.0.0.0/8", &[1]), ("0.0.0.0/0", &[2]), ("172.30.1.0/24", &[3]), ("::/0", &[4])]);
        for address in
            ["10.1.2.3", "172.30.1.9", "192.168.0.1", "100.64.0.1", "169.254.1.1", "fe80::1", "fd00::1"]
        {
            let found = table.lookup(address.parse().unwrap());
            assert_eq!(found.asn, None, "{address}");
            assert!(found.reason.to_string().ends_with("never mapped"));
        }
        assert_eq!(table.lookup("100.128.0.1".parse().unwrap()).asn, Some(asn(2)));
    }

    #[test]
    fn several_origins_are_all_kept_and_marked() {
        let table = table(&[("37.99.128.0/19", &[47_794, 48_695]), ("37.99.128.0/19", &[48_695, 9])]);
        let found = table.lookup("37.99.129.1".parse().unwrap());
        assert_eq!(found.asn, Some(asn(47_794)));
        assert_eq!(found.alternatives, vec![asn(48_695), asn(9)]);
        assert!(matches!(found.reason, OriginReason::SeveralOrigins { .. }));
    }

    #[test]
    fn what_was_looked_up_counts_only_where_no_table_and_no_registry_speaks() {
        let said = |address: &str, prefix: &str| {
            (address.parse().unwrap(), prefix.parse().unwrap(), vec![asn(9), asn(10)])
        };
        let table = table(&[("4.0.0.0/9", &[3356])]).with_looked_up([
            said("4.1.2.3", "4.1.2.0/24"),
            said("10.0.0.1", "10.0.0.0/8"),
            said("2001:4860::1", "2001:4860::/32"),
        ]);
        assert_eq!(table.lookup("4.1.2.3".parse().unwrap()).asn, Some(asn(3356)));
        assert_eq!(table.lookup("10.0.0.1".parse().unwrap()).asn, None);
        let found = table.lookup("2001:4860::1".parse().unwrap());
        assert_eq!((found.asn, found.alternatives), (Some(asn(9)), vec![asn(10)]));
        assert_eq!(found.reason.as_str(), "looked_up");
        assert_eq!(table.lookup("2001:4860::2".parse().unwrap()).reason, OriginReason::NotCovered);
    }

    proptest! {
        #[test]
        fn agrees_with_a_scan_of_the_list(
            rows in prop::collection::vec((any::<u32>(), 1_u8..=32, 1_u32..9), 0..40),
            address in any::<u32>(),
        ) {
            let address = IpAddr::from(address.to_be_bytes());
            let rows: Vec<(Prefix, Vec<Asn>)> = rows.into_iter().map(|(bits, length, number)| {
                (Prefix::covering(IpAddr::from(bits.to_be_bytes()), length).unwrap(), vec![asn(number)])
            }).collect();
            let longest = rows.iter().filter(|(prefix, _)| prefix.contains(address)).map(|(p, _)| p.length()).max();
            let expected = rows.iter().find(|(p, _)| p.contains(address) && Some(p.length()) == longest)
                .map(|(_, origins)| origins[0]);
            let found = OriginTable::from_entries(rows).lookup(address);
            if !matches!(found.reason, OriginReason::SpecialPurpose { .. }) {
                prop_assert_eq!(found.asn, expected);
            }
        }
    }
}
