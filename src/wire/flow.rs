//! What load balancers hash, as a fixed function of the flow: see the tables in `wire`.

use crate::model::{FlowId, Port, Probe, Protocol};

/// Of flow 0: never 0, and never a port that servers listen on.
const FIRST_WORD: u16 = 40_000;

/// Of the last flow. 65535 is left out: as an ICMP checksum it is the other zero, which no sender writes.
const LAST_WORD: u16 = 65_534;

/// The last flow for which a packet can be built.
pub(super) const LAST_FLOW: FlowId = FlowId(LAST_WORD - FIRST_WORD);

/// Where a TCP probe goes that names no port: the one that filters most often let through.
const TCP_DEFAULT: u16 = 80;

/// The number that stands for the flow in its packets: source port, ICMP checksum, IPv6 flow label.
pub(super) fn word(flow: FlowId) -> Option<u16> {
    (flow <= LAST_FLOW).then(|| FIRST_WORD.saturating_add(flow.0))
}

/// Whether some flow has this word.
pub(super) fn is_word(word: u16) -> bool {
    (FIRST_WORD..=LAST_WORD).contains(&word)
}

/// The flow that has this word.
pub(super) fn of_word(word: u16) -> Option<FlowId> {
    is_word(word).then(|| FlowId(word.saturating_sub(FIRST_WORD)))
}

/// The checksum of the echo request that an echo reply of this checksum answers: the two differ in their type
/// alone (RFC 1624, equation 3).
pub(super) const fn request_checksum(reply: u16, ipv4: bool) -> u16 {
    let (request_type, reply_type): (u16, u16) = if ipv4 { (0x0800, 0x0000) } else { (0x8000, 0x8100) };
    let sum = add_once(add_once(!reply, !reply_type), request_type);
    !sum
}

/// The sum in one's complement.
const fn add_once(one: u16, other: u16) -> u16 {
    let (sum, carried) = one.overflowing_add(other);
    sum.wrapping_add(carried as u16)
}

/// The destination port, host byte order; 0 for ICMP, which has none.
pub(super) fn destination_port(probe: &Probe) -> u16 {
    match probe.protocol {
        Protocol::Icmp => 0,
        Protocol::Udp => probe.port.unwrap_or(Port::TRACEROUTE).get(),
        Protocol::Tcp => probe.port.map_or(TCP_DEFAULT, Port::get),
    }
}

/// The source and destination port of a probe, host byte order; zeros for ICMP, which has none.
pub(super) fn ports(probe: &Probe) -> Option<(u16, u16)> {
    match probe.protocol {
        Protocol::Icmp => Some((0, 0)),
        Protocol::Udp | Protocol::Tcp => Some((word(probe.flow)?, destination_port(probe))),
    }
}
