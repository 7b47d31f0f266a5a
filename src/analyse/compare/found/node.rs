//! What a way is followed over: from AS to AS, or from router address to router address.

use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;

use super::super::routes::Route;
use crate::model::Asn;

/// One place on a way.
pub(in super::super) trait Node: Copy + Ord + Debug + Send + Sync {
    /// The places of a route, each with whether something unknown lies before it.
    fn steps(route: &Route<'_>) -> Vec<(Self, bool)>;

    /// Where the steps stand in memory: routes that share them go the same way.
    fn shared(route: &Route<'_>) -> usize;

    /// Whether only neighbours make a link, and not what stands on either side of silence, and nearly all flows must be
    /// seen again before a link is told: where there are many links, balancers move flows all the time.
    const STRICT: bool;

    /// Whether a link counts although something unknown lies in it.
    fn is_told(route: &Route<'_>, link: (Self, Self)) -> bool;

    /// Whether nothing lies behind the last step that was not seen.
    fn is_whole(route: &Route<'_>) -> bool;
}

impl Node for Asn {
    const STRICT: bool = false;

    fn steps(route: &Route<'_>) -> Vec<(Self, bool)> {
        route.walk().steps.iter().map(|step| (step.asn, step.after_gap)).collect()
    }

    fn shared(route: &Route<'_>) -> usize {
        Arc::as_ptr(route.walk()).addr()
    }

    /// The link from the upstream into the origin counts if the upstream is told.
    fn is_told(route: &Route<'_>, (from, to): (Self, Self)) -> bool {
        route.upstream().is_ok_and(|up| up.asn == from) && route.origin() == Some(to)
    }

    fn is_whole(route: &Route<'_>) -> bool {
        route.upstream().is_ok()
    }
}

impl Node for IpAddr {
    const STRICT: bool = true;

    fn steps(route: &Route<'_>) -> Vec<(Self, bool)> {
        let mut steps = Vec::new();
        let mut unknown = false;
        for router in route.routers().iter() {
            match router {
                Some(address) => {
                    steps.push((*address, unknown));
                    unknown = false;
                }
                None => unknown = true,
            }
        }
        steps
    }

    fn shared(route: &Route<'_>) -> usize {
        Arc::as_ptr(route.routers()).cast::<()>().addr()
    }

    fn is_told(_: &Route<'_>, _: (Self, Self)) -> bool {
        false
    }

    fn is_whole(route: &Route<'_>) -> bool {
        route.arrival().is_some_and(|(ttl, _)| usize::from(ttl) == route.routers().len().saturating_add(1))
    }
}
