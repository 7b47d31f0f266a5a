//! Exchange points: their LANs, and who has which address there.
//!
//! An address of such a LAN belongs to no AS that routes it; it is on a router of one of the members.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::source::{OriginSource, OriginSourceBuilder, Said, SeenOrigin, SourceClass};
use crate::model::{Asn, Prefix, Untrusted};

/// An exchange point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangePoint {
    /// Its name, as others write it.
    pub name: Untrusted,
    /// Its number in `PeeringDB`, if known.
    pub peeringdb: Option<u32>,
    /// Its LANs.
    pub lans: BTreeSet<Prefix>,
    /// Who has which of its addresses.
    pub ports: BTreeMap<IpAddr, Asn>,
    /// Its members, also those whose addresses are not known.
    pub members: BTreeSet<Asn>,
}

/// Exchange points by the addresses of their LANs.
#[derive(Clone, Debug)]
pub struct ExchangePoints {
    points: Vec<ExchangePoint>,
    /// The "origin" of a LAN is the place of its exchange point in the list, from 1.
    lans: OriginSource,
}

/// A LAN around an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnLan<'a> {
    /// The LAN.
    pub lan: Prefix,
    /// The exchange point.
    pub point: &'a ExchangePoint,
    /// Who has the address, if that is known.
    pub member: Option<Asn>,
}

impl Default for ExchangePoints {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl ExchangePoints {
    /// These. A LAN of several belongs to the first.
    #[must_use]
    pub fn new(points: Vec<ExchangePoint>) -> Self {
        let mut lans = OriginSourceBuilder::default();
        for (point, place) in points.iter().zip(1_u32..) {
            let Ok(place) = Asn::try_from(place) else { continue };
            for lan in &point.lans {
                lans.add(*lan, &[SeenOrigin::from(place)]);
            }
        }
        Self { points, lans: lans.finish("exchange points", SourceClass::Bgp) }
    }

    /// How many LANs are known.
    #[must_use]
    pub fn lans(&self) -> usize {
        self.lans.len()
    }

    /// The exchange points.
    #[must_use]
    pub fn points(&self) -> &[ExchangePoint] {
        &self.points
    }

    /// The LAN around an address.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Option<OnLan<'_>> {
        let (point, lan) = self.around(address)?;
        Some(OnLan { lan: lan.prefix(address), point, member: point.ports.get(&address).copied() })
    }

    /// The exchange point of an address, and what is said of its LAN.
    #[inline]
    pub(super) fn around(&self, address: IpAddr) -> Option<(&ExchangePoint, Said)> {
        let said = self.lans.said(address)?;
        let place = self.lans.origins(said).as_slice().first()?.asn.get().checked_sub(1)?;
        Some((self.points.get(place as usize)?, said))
    }
}

impl OnLan<'_> {
    /// Whether an AS is a member; `None` if no members are known.
    #[must_use]
    pub fn has_member(&self, asn: Asn) -> Option<bool> {
        let known = !self.point.members.is_empty();
        known.then(|| self.point.members.contains(&asn))
    }
}
