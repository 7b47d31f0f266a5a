//! Which addresses a campaign probes: a fixed function of its file, the same on every vantage.

use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Campaign, Select, Target, TargetSet};
use crate::measure::schedule::{Draw, Permutation};
use crate::model::{Prefix, Unit};

/// Tells these draws from those of other purposes.
const PURPOSE: u64 = 0x7461_7267_6574_7321;

/// From so many bits on, addresses are drawn one by one, since no permutation reaches over all of them.
const MAX_PERMUTED_BITS: u8 = 62;

impl Campaign {
    /// The units and whether they are control units, in the order of the file.
    #[must_use]
    pub fn units(&self) -> Vec<(Unit, bool)> {
        self.targets.iter().flat_map(|set| set.units().map(|unit| (unit, set.control))).collect()
    }

    /// The targets, unit by unit: first those of the hit list, then those of the sample.
    #[must_use]
    pub fn targets(&self) -> Vec<Target> {
        let of_unit = |set: &TargetSet, unit: Unit| {
            let control = set.control;
            let addresses = set.addresses(unit, self.seed);
            addresses.into_iter().map(move |address| Target { address, unit, control })
        };
        self.targets.iter().flat_map(|set| set.units().flat_map(move |unit| of_unit(set, unit))).collect()
    }

    /// Number of targets in the unit that has most.
    pub(super) fn most_targets_in_a_unit(&self) -> u64 {
        self.targets_by_unit().into_values().max().unwrap_or(0)
    }

    /// Number of targets in each unit that has any.
    pub(in crate::measure::campaign) fn targets_by_unit(&self) -> BTreeMap<Unit, u64> {
        let mut counts: BTreeMap<Unit, u64> = BTreeMap::new();
        for target in self.targets() {
            let count = counts.entry(target.unit).or_default();
            *count = count.saturating_add(1);
        }
        counts
    }
}

impl TargetSet {
    /// The units that the prefix is split into.
    pub fn units(&self) -> impl Iterator<Item = Unit> {
        let subnets = self.prefix.as_net().subnets(self.unit_length);
        subnets.into_iter().flatten().map(|net| Unit(Prefix::from(net)))
    }

    fn addresses(&self, unit: Unit, seed: u64) -> Vec<IpAddr> {
        let listed = self.hitlist.iter().copied().filter(|address| unit.0.contains(*address));
        match self.select {
            Select::All => addresses_of(unit).collect(),
            Select::HitList => listed.collect(),
            Select::Sample { per_unit } => {
                let wanted = usize::try_from(per_unit).unwrap_or(usize::MAX);
                let mut chosen: Vec<IpAddr> = listed.collect();
                let missing = wanted.saturating_sub(chosen.len());
                let known: HashSet<IpAddr> = chosen.iter().copied().collect();
                chosen.extend(sample(unit, seed).filter(|address| !known.contains(address)).take(missing));
                chosen
            }
        }
    }
}

/// Bits of an address behind the prefix.
pub(super) fn host_bits(prefix: Prefix) -> u8 {
    let bits: u8 = if prefix.is_ipv4() { 32 } else { 128 };
    bits.saturating_sub(prefix.length())
}

/// Every address of a unit. The file is refused where these are too many.
fn addresses_of(unit: Unit) -> impl Iterator<Item = IpAddr> {
    let size = 1_u128.checked_shl(host_bits(unit.0).into()).unwrap_or(0);
    (0..size).map(move |offset| address_at(unit, offset))
}

/// The addresses of a unit in a seeded order; without the first and the last, which are the broadcast
/// addresses of an IPv4 subnet and the router's anycast address of an IPv6 one (RFC 4291 §2.6.1), unless
/// there are no others.
fn sample(unit: Unit, seed: u64) -> Box<dyn Iterator<Item = IpAddr>> {
    let bits = host_bits(unit.0);
    let draw = Draw::new(seed, PURPOSE);
    let [high, low] = network_halves(unit);
    if bits > MAX_PERMUTED_BITS {
        let mask = 1_u128.checked_shl(bits.into()).unwrap_or(0).wrapping_sub(1);
        let own = Draw::new(draw.bits(high, low), PURPOSE);
        return Box::new((0..).map(move |index| address_at(unit, own.wide(index, 0) & mask)));
    }
    let size = 1_u64 << bits;
    let last = size.saturating_sub(1);
    let order = Permutation::new(draw.bits(high, low), size).starting_at(0);
    let usable = order.filter(move |offset| size <= 2 || (*offset != 0 && *offset != last));
    Box::new(usable.map(move |offset| address_at(unit, offset.into())))
}

fn network_halves(unit: Unit) -> [u64; 2] {
    let bits = match unit.0.network() {
        IpAddr::V4(network) => u128::from(network.to_bits()),
        IpAddr::V6(network) => network.to_bits(),
    };
    [u64::try_from(bits >> 64).unwrap_or(0), u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0)]
}

fn address_at(unit: Unit, offset: u128) -> IpAddr {
    match unit.0.network() {
        IpAddr::V4(network) => {
            IpAddr::V4(Ipv4Addr::from_bits(network.to_bits() | u32::try_from(offset).unwrap_or(0)))
        }
        IpAddr::V6(network) => IpAddr::V6(Ipv6Addr::from_bits(network.to_bits() | offset)),
    }
}
