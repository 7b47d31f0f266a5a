//! Packets that are alike but for what tells their flows apart.

use std::net::IpAddr;

use crate::lab::packet::{ICMP, ICMPV6, TCP, UDP};
use crate::lab::scenario::{Balance, Field};
use crate::lab::walk::Flow;
use crate::model::Protocol;

/// All flows from the vantage to an address, in one protocol. They differ in ports, in the type, code or
/// checksum of ICMP, and in the flow label; in nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flows {
    destination: IpAddr,
    protocol: Protocol,
    tos: u8,
    rigid_length: usize,
}

impl Flows {
    /// Those to an address. Their packets are short, or may be fragmented, and their type of service is 0.
    #[must_use]
    pub const fn to(destination: IpAddr, protocol: Protocol) -> Self {
        Self { destination, protocol, tos: 0, rigid_length: 0 }
    }

    /// The same with packets of so many bytes, IP header included, that no router may fragment.
    #[must_use]
    pub const fn of_length(self, rigid_length: usize) -> Self {
        Self { rigid_length, ..self }
    }

    /// The same with another type of service, or traffic class: the whole byte.
    #[must_use]
    pub const fn with_tos(self, tos: u8) -> Self {
        Self { tos, ..self }
    }

    pub(super) const fn destination(&self) -> IpAddr {
        self.destination
    }

    pub(super) const fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(super) const fn rigid_length(&self) -> usize {
        self.rigid_length
    }

    /// One of them.
    pub(super) const fn example(&self, source: IpAddr) -> Flow {
        let protocol = match (self.protocol, self.destination) {
            (Protocol::Icmp, IpAddr::V4(_)) => ICMP,
            (Protocol::Icmp, IpAddr::V6(_)) => ICMPV6,
            (Protocol::Udp, _) => UDP,
            (Protocol::Tcp, _) => TCP,
        };
        Flow {
            source,
            destination: self.destination,
            protocol,
            first_four: [0; 4],
            label: 0,
            tos: self.tos,
        }
    }

    /// Whether a router that balances in this way sends them over different links.
    pub(super) fn are_spread_by(&self, balance: &Balance) -> bool {
        match balance {
            Balance::PerPacket => true,
            Balance::None => false,
            Balance::Over(fields) => fields.iter().any(|field| self.differ_in(*field)),
        }
    }

    fn differ_in(&self, field: Field) -> bool {
        match field {
            Field::Ports => self.protocol != Protocol::Icmp,
            Field::Icmp => self.protocol == Protocol::Icmp,
            Field::FlowLabel => self.destination.is_ipv6(),
            Field::Source | Field::Destination | Field::Protocol | Field::Tos => false,
        }
    }
}
