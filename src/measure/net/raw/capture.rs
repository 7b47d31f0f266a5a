//! The packet socket: sees every packet of one interface that passes the filter, in both directions, from
//! the first byte of its IP header, with the kernel's stamp of that moment.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_indextoname;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::sockopt::{RcvBufForce, ReceiveTimestampns, RxqOvfl};
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, bind, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

use super::super::Vantage;
use super::filter;
use crate::model::WallTime;

/// `ETH_P_ALL`: all protocols, and both directions.
const ALL_PROTOCOLS: u16 = 3;

/// Room for what arrives while this program is not looking, in bytes: more than a second of replies at
/// any rate that a campaign may have.
const RECEIVE_BUFFER: usize = 8 * 1024 * 1024;

/// More packets than a socket's first buffer can hold.
const MOST_EARLY_PACKETS: usize = 65_536;

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Incoming,
    Outgoing,
}

/// A packet that was seen; its bytes are in the caller's buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Bytes that were read.
    pub(super) length: usize,
    pub(super) direction: Direction,
    /// The kernel's stamp.
    pub(super) kernel: Option<WallTime>,
}

/// Where packets come from.
pub(super) trait Capture {
    /// Returns when a packet may be there, at the latest after `patience`.
    fn watch(&mut self, patience: Duration);

    /// The next packet; `None` if there is none now. Never waits.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<Seen>>;
}

/// What a step was for, and how it failed.
pub(super) type Failure = (&'static str, io::Error);

/// The packet socket of a vantage.
#[derive(Debug)]
pub(super) struct Tap {
    socket: Socket,
    /// The interface, by its number: no other gets it while the system runs.
    index: u32,
    /// Whether the interface is gone. The socket is silent from then on, also if one of its name comes.
    gone: bool,
    /// Where the kernel writes what it says beside a packet.
    control: Vec<u8>,
    drops: Drops,
}

impl Tap {
    /// From the moment of opening, nothing but what passes the filter on this interface is seen.
    pub(super) fn open(vantage: &Vantage) -> Result<Self, Failure> {
        let protocol = Protocol::from(i32::from(ALL_PROTOCOLS.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol))
            .map_err(|error| ("open a packet socket", error))?;
        socket
            .attach_filter(&filter::program(vantage.sources))
            .map_err(|error| ("attach the packet filter", error))?;
        socket.set_nonblocking(true).map_err(|error| ("make the packet socket non-blocking", error))?;
        enlarge(&socket).map_err(|error| ("enlarge the receive buffer", error))?;
        ask_for_details(&socket).map_err(|error| ("ask for kernel time stamps", error.into()))?;
        attach(&socket, vantage.index).map_err(|error| ("listen", error))?;
        let control = nix::cmsg_space!(TimeSpec, u32);
        let mut tap = Self { socket, index: vantage.index, gone: false, control, drops: Drops::default() };
        tap.forget_early_packets();
        Ok(tap)
    }

    pub(super) const fn dropped(&self) -> u64 {
        self.drops.total
    }

    pub(super) const fn is_gone(&self) -> bool {
        self.gone
    }

    /// Looks whether the interface is there; to be asked when something went wrong. That its name cannot
    /// be found for another reason says nothing.
    pub(super) fn look_for_interface(&mut self) {
        // nix 0.31 takes the null pointer of a failure for a name, which is then empty.
        let nameless = |error| error == Errno::ENXIO;
        self.gone |= if_indextoname(self.index).map_or_else(nameless, |name| name.is_empty());
    }

    /// Discards what came in before the filter and the interface were set.
    fn forget_early_packets(&mut self) {
        let mut byte = [0];
        for _ in 0..MOST_EARLY_PACKETS {
            if !matches!(self.read(&mut byte), Ok(Some(_))) {
                break;
            }
        }
    }
}

/// As large as wanted with `CAP_NET_ADMIN`, else as large as `net.core.rmem_max` allows.
fn enlarge(socket: &Socket) -> io::Result<()> {
    match setsockopt(socket, RcvBufForce, &RECEIVE_BUFFER) {
        Ok(()) => Ok(()),
        Err(_) => socket.set_recv_buffer_size(RECEIVE_BUFFER),
    }
}

fn ask_for_details(socket: &Socket) -> nix::Result<()> {
    setsockopt(socket, ReceiveTimestampns, &true)?;
    setsockopt(socket, RxqOvfl, &1)
}

/// Binds to the interface alone. The address is the kernel's own of that interface; its protocol is 0,
/// which leaves the socket's as it is (packet(7)).
fn attach(socket: &Socket, index: u32) -> io::Result<()> {
    let wanted = usize::try_from(index).map_err(io::Error::other)?;
    let address = getifaddrs()?
        .filter_map(|entry| entry.address?.as_link_addr().copied())
        .find(|address| address.ifindex() == wanted)
        .ok_or(Errno::ENODEV)?;
    Ok(bind(socket.as_raw_fd(), &address)?)
}

impl Capture for Tap {
    fn watch(&mut self, patience: Duration) {
        let mut watched = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        // Why it returned does not matter: the next read tells, and the caller watches the clock.
        let _ = ppoll(&mut watched, Some(TimeSpec::from_duration(patience)), None);
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<Seen>> {
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let message = match recvmsg::<LinkAddr>(
            self.socket.as_raw_fd(),
            &mut parts,
            Some(&mut self.control),
            flags,
        ) {
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
            Err(error) => {
                self.look_for_interface();
                return Err(error.into());
            }
            Ok(message) => message,
        };
        let mut seen = Seen { length: message.bytes, direction: direction(message.address), kernel: None };
        for detail in message.cmsgs()? {
            match detail {
                ControlMessageOwned::ScmTimestampns(stamp) => seen.kernel = wall_time(stamp),
                ControlMessageOwned::RxqOvfl(count) => self.drops.observe(count),
                _ => {}
            }
        }
        Ok(Some(seen))
    }
}

fn direction(address: Option<LinkAddr>) -> Direction {
    match address {
        Some(address) if address.pkttype() == libc::PACKET_OUTGOING => Direction::Outgoing,
        _ => Direction::Incoming,
    }
}

fn wall_time(stamp: TimeSpec) -> Option<WallTime> {
    let nanos = stamp.tv_sec().checked_mul(1_000_000_000)?.checked_add(stamp.tv_nsec())?;
    Some(WallTime::from_nanos(nanos))
}

/// The kernel's count of packets that it dropped on this socket: 32 bits, and it wraps.
#[derive(Clone, Copy, Debug, Default)]
struct Drops {
    last: u32,
    total: u64,
}

impl Drops {
    fn observe(&mut self, count: u32) {
        self.total = self.total.saturating_add(u64::from(count.wrapping_sub(self.last)));
        self.last = count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_dropped_packets_survives_its_wrap() {
        let mut drops = Drops::default();
        for count in [5, u32::MAX, 3] {
            drops.observe(count);
        }
        assert_eq!(drops.total, u64::from(u32::MAX) + 4);
    }
}
