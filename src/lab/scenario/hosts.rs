//! Hosts as the simulator meets them.

use std::net::IpAddr;
use std::time::Duration;

use super::{Carrier, Closed, IcmpRate, RouterIndex};
use crate::model::Port;

/// Addresses that behave alike.
#[derive(Clone, Debug)]
pub(in crate::lab) struct Host {
    /// Each with the router behind which it is.
    pub(in crate::lab) addresses: Vec<(IpAddr, RouterIndex)>,
    pub(in crate::lab) echo: bool,
    pub(in crate::lab) open: Vec<Port>,
    pub(in crate::lab) closed: Closed,
    pub(in crate::lab) filtered: Vec<Carrier>,
    /// One way, from its router.
    pub(in crate::lab) delay: Duration,
    /// What it may send by ICMP, each address by itself; `None` for all that it wants to.
    pub(in crate::lab) icmp_rate: Option<IcmpRate>,
    /// TTL or hop limit of all that it sends.
    pub(in crate::lab) reply_ttl: u8,
}
