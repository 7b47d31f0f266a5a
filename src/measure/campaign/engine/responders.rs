//! Who will probably answer a probe. Pure.
//!
//! Near the vantage the routers are the same on the way to every unit. So where nobody is known for a unit yet,
//! who answers at a TTL for most of the others is taken to answer here too: thousands of units must not each
//! ask such a router once more before its rate is minded.

use std::net::IpAddr;

use crate::model::{Keyed, Ttl, Unit};

/// Who answered last at each TTL on the way to each unit.
#[derive(Debug, Default)]
pub(super) struct Responders {
    last: Keyed<(Unit, Ttl), IpAddr>,
    usual: Keyed<Ttl, Majority>,
}

/// A vote among units: who stands on the way to more than half of them is never missed (Boyer and Moore 1991).
#[derive(Debug)]
struct Majority {
    candidate: IpAddr,
    lead: u32,
}

impl Responders {
    /// Takes note that somebody answered.
    pub(super) fn note(&mut self, unit: Unit, ttl: Ttl, from: IpAddr) {
        if self.last.insert((unit, ttl), from).is_some() {
            return;
        }
        let usual = self.usual.entry(ttl).or_insert(Majority { candidate: from, lead: 0 });
        if usual.candidate == from {
            usual.lead = usual.lead.saturating_add(1);
        } else if usual.lead > 0 {
            usual.lead = usual.lead.saturating_sub(1);
        } else {
            *usual = Majority { candidate: from, lead: 1 };
        }
    }

    /// Who is expected to answer at a TTL on the way to a unit; `None` if nobody can tell.
    pub(super) fn expected(&self, unit: Unit, ttl: Ttl) -> Option<IpAddr> {
        let usual = || self.usual.get(&ttl).filter(|usual| usual.lead > 0).map(|usual| usual.candidate);
        self.last.get(&(unit, ttl)).copied().or_else(usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Prefix;

    fn unit(third: u8) -> Unit {
        Unit(Prefix::covering(IpAddr::from([10, 0, third, 0]), 24).unwrap())
    }

    fn router(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_unit_s_own_router_counts_before_that_of_most_others() {
        let mut responders = Responders::default();
        let ttl = Ttl::new(3).unwrap();
        assert_eq!(responders.expected(unit(0), ttl), None);
        for third in 0..20 {
            responders.note(unit(third), ttl, router(if third % 4 == 3 { 2 } else { 1 }));
        }
        assert_eq!(responders.expected(unit(3), ttl), Some(router(2)));
        assert_eq!(responders.expected(unit(99), ttl), Some(router(1)), "that of most");
        assert_eq!(responders.expected(unit(99), Ttl::FIRST), None);
    }

    #[test]
    fn where_every_unit_has_a_router_of_its_own_nobody_is_expected_for_long() {
        let mut responders = Responders::default();
        let ttl = Ttl::new(9).unwrap();
        for third in 0..100 {
            responders.note(unit(third), ttl, router(third));
        }
        assert_eq!(responders.expected(unit(200), ttl), None);
    }
}
