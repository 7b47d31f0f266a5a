//! The addresses that are probed, by the unit about which each of them speaks. Made once, then only looked
//! up: a million of them take 17 MB.

use std::net::IpAddr;
use std::ops::Range;

use crate::model::Unit;

/// The addresses that are probed, in ascending order, so that those of a unit lie together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    addresses: Vec<IpAddr>,
    /// How many of them, the first ones, are of IPv4.
    v4: usize,
    units: Vec<UnitTargets>,
}

/// A unit, and where its addresses begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct UnitTargets {
    unit: Unit,
    control: bool,
    first: usize,
}

impl Targets {
    /// The unit of an address that is probed, and whether it is a control target.
    #[must_use]
    pub fn get(&self, address: IpAddr) -> Option<(Unit, bool)> {
        let (unit, _) = self.place(address)?;
        self.units.get(unit).map(|of| (of.unit, of.control))
    }

    /// All addresses.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// How many units there are.
    #[must_use]
    pub const fn units(&self) -> usize {
        self.units.len()
    }

    /// A unit, counted from 0.
    #[must_use]
    pub fn unit(&self, index: usize) -> Option<Unit> {
        self.units.get(index).map(|of| of.unit)
    }

    /// Which of the units that are counted from 0 this is.
    #[must_use]
    pub fn index_of(&self, unit: Unit) -> Option<usize> {
        self.units.binary_search_by_key(&unit, |of| of.unit).ok()
    }

    /// The addresses of a unit.
    #[must_use]
    pub fn of_unit(&self, index: usize) -> &[IpAddr] {
        self.addresses.get(self.range(index)).unwrap_or_default()
    }

    /// The unit of an address, and where the address stands among those of the unit.
    #[must_use]
    pub fn place(&self, address: IpAddr) -> Option<(usize, usize)> {
        let at = self.found_at_once(address).or_else(|| self.searched(address))?;
        let unit = self.unit_at(at)?;
        Some((unit, at.checked_sub(self.units.get(unit)?.first)?))
    }

    /// Where an IPv4 address stands if they follow each other evenly, as those of a prefix that is probed whole do:
    /// each packet that leaves or comes in asks, and a search through memory that is not in the cache costs more
    /// than all else that is done with it.
    fn found_at_once(&self, address: IpAddr) -> Option<usize> {
        let last = self.v4.checked_sub(1)?;
        let [first, wanted, end] =
            [*self.addresses.first()?, address, *self.addresses.get(last)?].map(|one| number(one).1);
        let guess = scaled(wanted.checked_sub(first)?, end.checked_sub(first)?, last)?;
        (self.addresses.get(guess) == Some(&address)).then_some(guess)
    }

    fn searched(&self, address: IpAddr) -> Option<usize> {
        self.addresses.binary_search_by_key(&number(address), |one| number(*one)).ok()
    }

    /// The unit of the address that stands here: found at once where all units have as many.
    fn unit_at(&self, at: usize) -> Option<usize> {
        let guess = at.checked_mul(self.units.len())?.checked_div(self.addresses.len())?;
        if self.range(guess).contains(&at) {
            return Some(guess);
        }
        self.units.partition_point(|of| of.first <= at).checked_sub(1)
    }

    /// Where the addresses of a unit stand.
    fn range(&self, index: usize) -> Range<usize> {
        let first = |index: usize| self.units.get(index).map_or(self.addresses.len(), |of| of.first);
        first(index)..first(index.saturating_add(1))
    }
}

/// Orders addresses as they order themselves, and is compared faster.
fn number(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(address) => (false, address.to_bits().into()),
        IpAddr::V6(address) => (true, address.to_bits()),
    }
}

/// `part` of `whole`, brought to a scale that ends with `last`; `None` if it does not fit in 64 bits, as that of IPv4
/// addresses does.
fn scaled(part: u128, whole: u128, last: usize) -> Option<usize> {
    let (part, whole) = (u64::try_from(part).ok()?, u64::try_from(whole).ok()?);
    usize::try_from(part.checked_mul(last as u64)?.checked_div(whole.max(1))?).ok()
}

/// Addresses with their units, which must not overlap, and whether they are control targets.
impl FromIterator<(IpAddr, (Unit, bool))> for Targets {
    fn from_iter<I: IntoIterator<Item = (IpAddr, (Unit, bool))>>(targets: I) -> Self {
        let mut all: Vec<(IpAddr, (Unit, bool))> = targets.into_iter().collect();
        all.sort_unstable();
        all.dedup_by_key(|(address, _)| *address);
        let mut units: Vec<UnitTargets> = Vec::new();
        for (first, (_, (unit, control))) in all.iter().enumerate() {
            if units.last().is_none_or(|last| last.unit != *unit) {
                units.push(UnitTargets { unit: *unit, control: *control, first });
            }
        }
        let addresses: Vec<IpAddr> = all.into_iter().map(|(address, _)| address).collect();
        Self { v4: addresses.partition_point(IpAddr::is_ipv4), addresses, units }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Prefix;

    fn unit_of(address: IpAddr) -> Unit {
        Unit(Prefix::covering(address, Unit::default_length(address.is_ipv4())).unwrap())
    }

    fn some() -> Targets {
        let texts = ["10.0.1.7", "2001:db8:1::9", "10.0.0.1", "10.0.1.2", "2001:db8:1::3", "10.0.1.7"];
        let targets = texts.into_iter().map(|text| text.parse().unwrap());
        targets.map(|address| (address, (unit_of(address), address.is_ipv6()))).collect()
    }

    /// Each is found where it stands.
    fn hold(targets: &Targets) {
        for address in targets.addresses() {
            assert_eq!(targets.get(*address), Some((unit_of(*address), address.is_ipv6())));
            let (unit, place) = targets.place(*address).unwrap();
            assert_eq!(targets.of_unit(unit)[place], *address);
            assert_eq!(targets.index_of(targets.unit(unit).unwrap()), Some(unit));
        }
    }

    #[test]
    fn every_address_of_whole_prefixes_is_found_in_its_unit() {
        let whole = (0..600_u32).map(|last| IpAddr::V4((0x0a00_0000 + last).into()));
        let beside = ["11.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let of = |address: IpAddr| (address, (unit_of(address), address.is_ipv6()));
        hold(&whole.clone().map(of).collect());
        hold(&whole.chain(beside).map(of).collect());
    }

    #[test]
    fn every_address_is_found_in_its_unit_and_no_other_is() {
        let targets = some();
        assert_eq!((targets.units(), targets.addresses().len()), (3, 5));
        hold(&targets);
        assert_eq!(targets.get("10.0.1.3".parse().unwrap()), None);
        assert_eq!(targets.of_unit(3), &[] as &[IpAddr]);
        assert_eq!(Targets::default().place("10.0.1.3".parse().unwrap()), None);
    }
}
