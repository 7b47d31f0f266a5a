//! The addresses that are probed, by the unit about which each of them speaks. Made once, then only looked
//! up: a million of them take 17 MB.

use std::net::IpAddr;

use crate::model::Unit;

/// The addresses that are probed, in ascending order, so that those of a unit lie together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    addresses: Vec<IpAddr>,
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
        let first = self.units.get(index).map_or(self.addresses.len(), |of| of.first);
        let end = self.units.get(index.saturating_add(1)).map_or(self.addresses.len(), |of| of.first);
        self.addresses.get(first..end).unwrap_or_default()
    }

    /// The unit of an address, and where the address stands among those of the unit.
    #[must_use]
    pub fn place(&self, address: IpAddr) -> Option<(usize, usize)> {
        let at = self.addresses.binary_search(&address).ok()?;
        let unit = self.units.partition_point(|of| of.first <= at).checked_sub(1)?;
        Some((unit, at.checked_sub(self.units.get(unit)?.first)?))
    }
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
        Self { addresses: all.into_iter().map(|(address, _)| address).collect(), units }
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

    #[test]
    fn every_address_is_found_in_its_unit_and_no_other_is() {
        let targets = some();
        assert_eq!((targets.units(), targets.addresses().len()), (3, 5));
        for address in targets.addresses() {
            assert_eq!(targets.get(*address), Some((unit_of(*address), address.is_ipv6())));
            let (unit, place) = targets.place(*address).unwrap();
            assert_eq!(targets.of_unit(unit)[place], *address);
            assert_eq!(targets.index_of(targets.unit(unit).unwrap()), Some(unit));
        }
        assert_eq!(targets.get("10.0.1.3".parse().unwrap()), None);
        assert_eq!(targets.of_unit(3), &[] as &[IpAddr]);
        assert_eq!(Targets::default().place("10.0.1.3".parse().unwrap()), None);
    }
}
