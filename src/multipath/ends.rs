//! What the ways to neighbouring addresses have in common at their two ends: the router that they begin with, and
//! the routers that hand over to the address itself.
//!
//! A vantage sends packets to all of a /24 (or /48) by the same gateway, and a router before a local network delivers
//! to each of its addresses in the same way. What many addresses have shown there need not be asked anew for
//! each of them. Of what lies in between nothing is taken over: a router may send two addresses two ways.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::links::CERTAINLY_ALONE;
use crate::model::{Prefix, Unit};

/// The ends of the ways to all targets of a round.
#[derive(Clone, Debug, Default)]
pub struct Ends {
    units: BTreeMap<Prefix, UnitEnds>,
}

#[derive(Clone, Debug, Default)]
struct UnitEnds {
    /// Flows that began with each router.
    firsts: BTreeMap<IpAddr, usize>,
    lasts: BTreeMap<IpAddr, Handover>,
    /// The fewest hops after which a way ended.
    shortest: Option<usize>,
}

/// What became of the flows that a router sent on.
#[derive(Clone, Copy, Debug, Default)]
struct Handover {
    to_target: usize,
    to_router: usize,
}

impl Handover {
    const fn certain(self) -> usize {
        if self.to_router == 0 { self.to_target } else { 0 }
    }
}

impl Ends {
    /// Notes that a flow to a target began with a router. Returns whether what was certain of the neighbours of the
    /// target is so no more.
    pub fn note_first(&mut self, target: IpAddr, router: IpAddr) -> bool {
        let before = self.flows_at_first(target);
        if let Some(unit) = self.unit_mut(target) {
            let flows = unit.firsts.entry(router).or_default();
            *flows = flows.saturating_add(1);
        }
        before >= CERTAINLY_ALONE && self.flows_at_first(target) == 0
    }

    /// Notes whom a router sent a flow to a target on to. Returns the same as [`note_first`](Self::note_first).
    pub fn note_next(&mut self, target: IpAddr, router: IpAddr, next: IpAddr) -> bool {
        // A router that answers for what is behind it has sent nothing on.
        if next == router {
            return false;
        }
        let before = self.flows_handed_over(target, router);
        if let Some(unit) = self.unit_mut(target) {
            let handover = unit.lasts.entry(router).or_default();
            let flows = if next == target { &mut handover.to_target } else { &mut handover.to_router };
            *flows = flows.saturating_add(1);
        }
        before >= CERTAINLY_ALONE && self.flows_handed_over(target, router) == 0
    }

    /// Notes after how many hops a way ended.
    pub fn note_length(&mut self, target: IpAddr, hops: usize) {
        if let Some(unit) = self.unit_mut(target) {
            unit.shortest = Some(unit.shortest.map_or(hops, |known| known.min(hops)));
        }
    }

    /// The fewest hops after which the way to a neighbour of the target ended; 0 if none is known.
    #[must_use]
    pub fn shortest(&self, target: IpAddr) -> usize {
        self.unit(target).and_then(|unit| unit.shortest).unwrap_or(0)
    }

    /// Flows to the target and its neighbours, if all began with the same router; else 0.
    #[must_use]
    pub fn flows_at_first(&self, target: IpAddr) -> usize {
        let Some(unit) = self.unit(target).filter(|unit| unit.firsts.len() == 1) else { return 0 };
        unit.firsts.values().sum()
    }

    /// The router with which all flows to the target and its neighbours begin, if that is certain.
    #[must_use]
    pub fn gateway(&self, target: IpAddr) -> Option<IpAddr> {
        let certain = self.flows_at_first(target) >= CERTAINLY_ALONE;
        self.unit(target).filter(|_| certain)?.firsts.keys().next().copied()
    }

    /// Flows that a router handed over to the target and its neighbours, if it sent none on to a router; else 0.
    #[must_use]
    pub fn flows_handed_over(&self, target: IpAddr, router: IpAddr) -> usize {
        self.unit(target).and_then(|unit| unit.lasts.get(&router)).map_or(0, |handover| handover.certain())
    }

    fn unit(&self, target: IpAddr) -> Option<&UnitEnds> {
        self.units.get(&neighbourhood(target)?)
    }

    fn unit_mut(&mut self, target: IpAddr) -> Option<&mut UnitEnds> {
        Some(self.units.entry(neighbourhood(target)?).or_default())
    }
}

/// The block within which addresses are taken to be routed alike.
fn neighbourhood(target: IpAddr) -> Option<Prefix> {
    Prefix::covering(target, Unit::default_length(target.is_ipv4()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 9, 0, last])
    }

    fn router(last: u8) -> IpAddr {
        IpAddr::from([10, 8, 0, last])
    }

    #[test]
    fn a_gateway_is_common_until_one_flow_begins_elsewhere() {
        let mut ends = Ends::default();
        assert!((0..30).all(|last| !ends.note_first(address(last), router(1))));
        assert_eq!(ends.flows_at_first(address(200)), 30);
        assert_eq!(ends.flows_at_first(IpAddr::from([10, 9, 1, 0])), 0, "another unit");
        assert!(ends.note_first(address(40), router(2)), "what was certain is so no more");
        assert_eq!(ends.flows_at_first(address(200)), 0);
    }

    #[test]
    fn a_router_that_delivers_to_some_and_sends_others_on_is_not_taken_for_the_last() {
        let mut ends = Ends::default();
        assert!((0..30).all(|last| !ends.note_next(address(last), router(1), address(last))));
        assert!(!ends.note_next(address(31), router(1), router(1)), "host unreachable, told by itself");
        assert_eq!(ends.flows_handed_over(address(99), router(1)), 30);
        assert!(ends.note_next(address(40), router(1), router(2)));
        assert_eq!(ends.flows_handed_over(address(99), router(1)), 0);
    }
}
