//! The sending sockets: they take whole IP packets, header and all, and let the kernel route them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nix::poll::ppoll;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::capture::Failure;
use crate::model::{Clock, MonoTime, SendFault};
use crate::wire::Sources;

/// How often a packet is offered again when the system has no buffer for it.
pub(super) const RETRIES: u32 = 10;

/// How long to wait before that.
const RETRY_AFTER: Duration = Duration::from_millis(1);

/// Room for packets that the interface has not taken yet, in bytes.
const SEND_BUFFER: usize = 1024 * 1024;

/// One raw socket a family.
#[derive(Debug)]
pub(super) struct Transmitter {
    v4: Option<Socket>,
    v6: Option<Socket>,
    retries: u64,
}

impl Transmitter {
    /// Each socket is bound to its source address, so that routes chosen by source apply.
    pub(super) fn open(sources: Sources) -> Result<Self, Failure> {
        let v4 = sources.v4.map(|source| {
            let socket = open(source.into()).map_err(|error| ("open a raw IPv4 socket", error))?;
            socket.set_header_included_v4(true).map_err(|error| ("send whole IPv4 packets", error))?;
            setsockopt(&socket, Ipv4RecvErr, &true)
                .map_err(|error| ("learn of full queues", error.into()))?;
            Ok(socket)
        });
        let v6 = sources.v6.map(|source| {
            let socket = open(source.into()).map_err(|error| ("open a raw IPv6 socket", error))?;
            socket.set_header_included_v6(true).map_err(|error| ("send whole IPv6 packets", error))?;
            setsockopt(&socket, Ipv6RecvErr, &true)
                .map_err(|error| ("learn of full queues", error.into()))?;
            Ok(socket)
        });
        Ok(Self { v4: v4.transpose()?, v6: v6.transpose()?, retries: 0 })
    }

    pub(super) const fn retries(&self) -> u64 {
        self.retries
    }

    /// Hands over one packet. The time is that just before the attempt that succeeded, so that no
    /// round-trip time can come out too short.
    pub(super) fn send(
        &mut self,
        target: IpAddr,
        packet: &[u8],
        clock: &impl Clock,
    ) -> Result<MonoTime, SendFault> {
        let socket = match target {
            IpAddr::V4(_) => self.v4.as_ref(),
            IpAddr::V6(_) => self.v6.as_ref(),
        };
        let socket = socket.ok_or(SendFault::NoSource)?;
        let address = SockAddr::from(SocketAddr::new(target, 0));
        for _ in 0..RETRIES {
            let at = clock.mono();
            match socket.send_to(packet, &address).map_err(|error| fault_of(&error)) {
                Ok(_) => return Ok(at),
                Err(SendFault::NoBuffer) => {
                    self.retries = self.retries.saturating_add(1);
                    pause();
                }
                Err(fault) => return Err(fault),
            }
        }
        Err(SendFault::NoBuffer)
    }
}

fn open(source: IpAddr) -> io::Result<Socket> {
    let address = SocketAddr::new(source, 0);
    let protocol = Protocol::from(libc::IPPROTO_RAW);
    let socket = Socket::new(Domain::for_address(address), Type::RAW, Some(protocol))?;
    socket.set_nonblocking(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(&SockAddr::from(address))?;
    Ok(socket)
}

/// A full queue behind the socket leaves the socket itself writable: there is no event to wait for, only
/// the time in which the interface sends.
pub(super) fn pause() {
    let _ = ppoll(&mut [], Some(TimeSpec::from_duration(RETRY_AFTER)), None);
}

/// What an error of `sendto` says of the probe.
pub(in super::super) fn fault_of(error: &io::Error) -> SendFault {
    match error.raw_os_error().unwrap_or(0) {
        libc::ENOBUFS | libc::EAGAIN | libc::ENOMEM => SendFault::NoBuffer,
        libc::ENETUNREACH | libc::EHOSTUNREACH => SendFault::NoRoute,
        libc::ENETDOWN | libc::ENODEV | libc::ENXIO => SendFault::InterfaceDown,
        libc::EPERM | libc::EACCES => SendFault::Forbidden,
        libc::EMSGSIZE => SendFault::TooLarge,
        libc::EADDRNOTAVAIL => SendFault::NoSource,
        _ => SendFault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::capture::{Capture, Direction, Tap};
    use super::*;
    use crate::measure::net::Vantage;
    use crate::measure::net::tests::{alone, codec, echo};
    use crate::model::{FlowId, Port, Probe, Protocol as Carried, SystemClock};

    #[test]
    fn each_refusal_of_the_system_has_its_own_name() {
        let table = [
            (libc::ENOBUFS, "no_buffer"),
            (libc::EAGAIN, "no_buffer"),
            (libc::ENETUNREACH, "no_route"),
            (libc::EHOSTUNREACH, "no_route"),
            (libc::ENETDOWN, "interface_down"),
            (libc::EPERM, "forbidden"),
            (libc::EMSGSIZE, "too_large"),
            (libc::EINVAL, "other"),
        ];
        for (code, name) in table {
            assert_eq!(fault_of(&io::Error::from_raw_os_error(code)).as_str(), name);
        }
    }

    #[test]
    #[ignore = "needs its own network namespace: scripts/test runs it there"]
    fn what_leaves_is_byte_for_byte_what_was_built_in_a_namespace() {
        alone(|_| {
            let vantage = Vantage::find(Some("lo"), None, None).unwrap();
            let mut tap = Tap::open(&vantage).unwrap();
            let mut transmitter = Transmitter::open(vantage.sources).unwrap();
            let mut built = Vec::new();
            for target in ["127.0.0.1", "::1"] {
                for protocol in [Carried::Icmp, Carried::Udp, Carried::Tcp] {
                    let port = Port::new(33_434);
                    let probe = Probe { protocol, port, flow: FlowId(3), ..echo(target) };
                    codec(vantage.sources).encode(&probe, &mut built).unwrap();
                    transmitter.send(probe.target, &built, &SystemClock::start()).unwrap();
                    let mut left = false;
                    while !left {
                        tap.watch(Duration::from_secs(5));
                        let read = tap.read(&mut |seen, packet| {
                            left |= seen.direction == Direction::Outgoing && packet == built;
                        });
                        assert!(read.unwrap() > 0, "nothing left as it was built: {probe:?}");
                    }
                }
            }
        });
    }
}
