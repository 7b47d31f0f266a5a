//! The packet socket: sees every packet of one interface that passes the filter, in both directions, from
//! the first byte of its IP header, with the kernel's stamp of that moment.

use std::array;
use std::cell::RefCell;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_indextoname;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::sockopt::{GetStruct, RcvBufForce, ReceiveTimestampns};
use nix::sys::socket::{
    ControlMessageOwned, LinkAddr, MsgFlags, MultiHeaders, RecvMsg, bind, getsockopt, recvmmsg, setsockopt,
};
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

/// More batches than a socket's first buffer can hold.
const MOST_EARLY_BATCHES: usize = 1_024;

/// Packets read in one system call at most.
pub(super) const BATCH: usize = 64;

/// Room for one packet, in bytes. An answer quotes a probe of a few hundred bytes, or is a probe come back;
/// what is longer is none of ours, and reads as such without its end.
pub(super) const ROOM: usize = 2_048;

thread_local! {
    /// What the system call is told of its buffers. It lives outside of the tap because it holds addresses,
    /// and may not go from thread to thread. The kernel leaves each header only as much room for what it says
    /// beside a packet as it used the last time; that never changes here, since every packet has its stamp
    /// and nothing else.
    static HEADERS: RefCell<MultiHeaders<LinkAddr>> =
        RefCell::new(MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(TimeSpec))));
}

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Incoming,
    Outgoing,
}

/// How a packet was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) direction: Direction,
    /// The kernel's stamp.
    pub(super) kernel: Option<WallTime>,
}

/// Who is shown packets.
pub(super) type Show<'s> = dyn FnMut(Seen, &[u8]) + 's;

/// Where packets come from.
pub(super) trait Capture {
    /// Returns when a packet may be there, at the latest after `patience`.
    fn watch(&mut self, patience: Duration);

    /// Returns after so long, whatever comes in meanwhile.
    fn collect(&mut self, time: Duration) {
        self.watch(time);
    }

    /// Shows the packets that are there now to `each`, at most a batch of them, and returns how many they
    /// were. Never waits.
    fn read(&mut self, each: &mut Show<'_>) -> io::Result<usize>;
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
    /// Where packets are read to.
    buffer: Vec<u8>,
    /// Packets that the kernel dropped on this socket.
    dropped: u64,
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
        setsockopt(&socket, ReceiveTimestampns, &true)
            .map_err(|error| ("ask for kernel time stamps", error.into()))?;
        attach(&socket, vantage.index).map_err(|error| ("listen", error))?;
        let buffer = vec![0; BATCH.saturating_mul(ROOM)];
        let mut tap = Self { socket, index: vantage.index, gone: false, buffer, dropped: 0 };
        tap.forget_early_packets();
        Ok(tap)
    }

    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
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
        for _ in 0..MOST_EARLY_BATCHES {
            if !matches!(self.read(&mut |_, _| ()), Ok(1..)) {
                break;
            }
        }
        self.dropped = 0;
    }

    /// The kernel's counters begin anew each time that they are read.
    fn count_drops(&mut self) {
        if let Ok(statistics) = getsockopt(&self.socket, Statistics) {
            self.dropped = self.dropped.saturating_add(statistics.tp_drops.into());
        }
    }
}

/// Packets that passed the filter, and those of them that found no room (packet(7)).
#[derive(Clone, Copy, Debug)]
struct Statistics;

nix::getsockopt_impl!(
    Statistics,
    libc::SOL_PACKET,
    libc::PACKET_STATISTICS,
    libc::tpacket_stats,
    GetStruct<libc::tpacket_stats>
);

/// As large as wanted with `CAP_NET_ADMIN`, else as large as `net.core.rmem_max` allows.
fn enlarge(socket: &Socket) -> io::Result<()> {
    match setsockopt(socket, RcvBufForce, &RECEIVE_BUFFER) {
        Ok(()) => Ok(()),
        Err(_) => socket.set_recv_buffer_size(RECEIVE_BUFFER),
    }
}

/// Binds to the interface alone. The address is the kernel's own of that interface; its protocol is 0,
/// which leaves the socket's as it is (packet(7)).
pub(super) fn attach(socket: &Socket, index: u32) -> io::Result<()> {
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
        self.count_drops();
    }

    fn collect(&mut self, time: Duration) {
        let _ = ppoll(&mut [], Some(TimeSpec::from_duration(time)), None);
        self.count_drops();
    }

    fn read(&mut self, each: &mut Show<'_>) -> io::Result<usize> {
        self.read_after(&mut |_| (), each)
    }
}

impl Tap {
    /// As [`Capture::read`]. `first` may show what happened before the packets that were read, which are
    /// shown after it.
    pub(super) fn read_after(
        &mut self,
        first: &mut dyn FnMut(&mut Show<'_>),
        each: &mut Show<'_>,
    ) -> io::Result<usize> {
        let read = HEADERS.with_borrow_mut(|headers| self.read_with(headers, first, each));
        match read {
            Ok(0) | Err(Errno::EAGAIN | Errno::EINTR) => Ok(0),
            Ok(count) => {
                // Whoever has not fallen behind waits soon, and counts then.
                if count >= BATCH {
                    self.count_drops();
                }
                Ok(count)
            }
            Err(error) => {
                self.look_for_interface();
                Err(error.into())
            }
        }
    }

    fn read_with(
        &mut self,
        headers: &mut MultiHeaders<LinkAddr>,
        first: &mut dyn FnMut(&mut Show<'_>),
        each: &mut Show<'_>,
    ) -> nix::Result<usize> {
        let mut rooms = self.buffer.chunks_exact_mut(ROOM);
        let mut rooms: [_; BATCH] = array::from_fn(|_| [IoSliceMut::new(rooms.next().unwrap_or_default())]);
        let flags = MsgFlags::MSG_DONTWAIT;
        let messages = recvmmsg(self.socket.as_raw_fd(), headers, &mut rooms, flags, None);
        first(each);
        let mut count = 0_usize;
        for message in messages? {
            count = count.saturating_add(1);
            let seen = Seen { direction: direction(message.address), kernel: stamp(&message) };
            each(seen, message.iovs().next().unwrap_or_default());
        }
        Ok(count)
    }
}

fn stamp(message: &RecvMsg<'_, '_, LinkAddr>) -> Option<WallTime> {
    message.cmsgs().ok()?.find_map(|detail| match detail {
        ControlMessageOwned::ScmTimestampns(stamp) => wall_time(stamp),
        _ => None,
    })
}

fn direction(address: Option<LinkAddr>) -> Direction {
    match address {
        Some(address) if address.pkttype() == libc::PACKET_OUTGOING => Direction::Outgoing,
        _ => Direction::Incoming,
    }
}

pub(super) fn wall_time(stamp: TimeSpec) -> Option<WallTime> {
    let nanos = stamp.tv_sec().checked_mul(1_000_000_000)?.checked_add(stamp.tv_nsec())?;
    Some(WallTime::from_nanos(nanos))
}
