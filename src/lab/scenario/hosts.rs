//! Hosts as the simulator meets them.

use std::net::IpAddr;
use std::time::Duration;

use super::{Carrier, IcmpRate, IpId, RouterIndex};
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
    /// A counter is of each address by itself.
    pub(in crate::lab) ip_id: IpId,
    /// TTL or hop limit of all that it sends.
    pub(in crate::lab) reply_ttl: u8,
}

/// What a host does with TCP segments and UDP datagrams to ports on which nothing listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::lab) enum Closed {
    /// RST, and port unreachable.
    #[default]
    Refused,
    /// Nothing.
    Silent,
    /// The first from these ports, the second from all others.
    RefusedOnly(Vec<Port>),
}

impl Closed {
    /// Whether the host says that nothing listens on a port.
    pub(in crate::lab) fn refuses(&self, port: Option<Port>) -> bool {
        match self {
            Self::Refused => true,
            Self::Silent => false,
            Self::RefusedOnly(ports) => port.is_some_and(|port| ports.contains(&port)),
        }
    }
}
