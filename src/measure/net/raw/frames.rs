//! Sending past the kernel's stack: whole Ethernet frames, many in one system call, given to the interface
//! without a queue in front of it. The kernel neither routes, filters, rewrites nor counts them, and local
//! captures do not see them leave; when each left is told by the interface's driver.

use std::array;
use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::sockopt::{RcvBufForce, SetBool, Timestamping};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, TimestampingFlag, Timestamps, recvmmsg,
    sendmmsg, setsockopt,
};
use socket2::{Domain, Socket, Type};

use super::super::Vantage;
use super::capture::{BATCH, Direction, Failure, ROOM, Seen, Show, attach, wall_time};
use super::next_hop::Cable;
use super::transmit::{RETRIES, fault_of, pause};
use crate::model::{Clock, MonoTime, Probe, SendFault};

/// Bytes of an Ethernet header.
const HEADER: usize = 14;

/// Room for frames that the interface has not sent yet, and for the stamps of those that it has, in bytes.
const BUFFERS: usize = 8 * 1024 * 1024;

thread_local! {
    /// As those of the tap: they hold addresses, and stay in their thread.
    static SENDING: RefCell<MultiHeaders<()>> = RefCell::new(MultiHeaders::preallocate(BATCH, None));
    /// Beside a frame that has left stand its stamps, and that this is what they are: a `sock_extended_err`.
    static STAMPS: RefCell<MultiHeaders<()>> =
        RefCell::new(MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(Timestamps, [u8; 16]))));
}

/// `PACKET_QDISC_BYPASS` (packet(7)).
#[derive(Clone, Copy, Debug)]
struct QdiscBypass;

nix::setsockopt_impl!(QdiscBypass, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, bool, SetBool);

/// A packet socket that only sends, and the frames that it will send next.
#[derive(Debug)]
pub(super) struct Frames {
    socket: Socket,
    /// Whether the driver is asked for stamps.
    stamped: bool,
    /// Frames, one behind the other.
    bytes: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// What each of them carries.
    probes: Vec<Probe>,
    /// Where frames that have left are read to.
    left: Vec<u8>,
    sent: u64,
    retries: u64,
}

impl Frames {
    /// On the vantage's interface, which must be an Ethernet.
    pub(super) fn open(vantage: &Vantage, stamped: bool) -> Result<Self, Failure> {
        let failed = |step| move |error: Errno| (step, io::Error::from(error));
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)
            .map_err(|error| ("open a packet socket to send", error))?;
        socket.set_nonblocking(true).map_err(|error| ("make the packet socket non-blocking", error))?;
        socket.set_send_buffer_size(BUFFERS).map_err(|error| ("enlarge the send buffer", error))?;
        setsockopt(&socket, QdiscBypass, &true).map_err(failed("bypass the queue"))?;
        if stamped {
            // Without CAP_NET_ADMIN it holds fewer stamps; those that find no room are missing, and said to be.
            let _ = setsockopt(&socket, RcvBufForce, &BUFFERS);
            let asked = TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE
                | TimestampingFlag::SOF_TIMESTAMPING_TX_SOFTWARE;
            setsockopt(&socket, Timestamping, &asked).map_err(failed("ask for stamps of departure"))?;
        }
        attach(&socket, vantage.index).map_err(|error| ("send frames", error))?;
        Ok(Self {
            socket,
            stamped,
            bytes: Vec::new(),
            ends: Vec::with_capacity(BATCH),
            probes: Vec::with_capacity(BATCH),
            left: if stamped { vec![0; BATCH.saturating_mul(ROOM)] } else { Vec::new() },
            sent: 0,
            retries: 0,
        })
    }

    /// Frames that the interface has taken.
    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) const fn retries(&self) -> u64 {
        self.retries
    }

    pub(super) const fn is_full(&self) -> bool {
        self.ends.len() >= BATCH
    }

    /// Puts a packet into a frame, to be sent with the next [`Frames::flush`].
    pub(super) fn push(&mut self, probe: Probe, packet: &[u8], cable: Cable) {
        let is_ipv6 = packet.first().is_some_and(|first| first >> 4 == 6);
        let kind: [u8; 2] = if is_ipv6 { [0x86, 0xdd] } else { [0x08, 0x00] };
        for part in [cable.to.as_slice(), &cable.from, &kind, packet] {
            self.bytes.extend_from_slice(part);
        }
        self.ends.push(self.bytes.len());
        self.probes.push(probe);
    }

    /// Sends all frames, and tells of each probe when it was handed over, or why it was not. The time is that
    /// just before the system call that took it.
    pub(super) fn flush(
        &mut self,
        clock: &impl Clock,
        tell: &mut dyn FnMut(&Probe, Result<MonoTime, SendFault>),
    ) {
        let (mut done, mut tries) = (0_usize, 0);
        while done < self.ends.len() {
            let at = clock.mono();
            let (count, result) = match self.hand_over(done) {
                Ok(count) => (count, Ok(at)),
                Err(error) => match fault_of(&error.into()) {
                    SendFault::NoBuffer if tries < RETRIES => {
                        tries = tries.saturating_add(1);
                        self.retries = self.retries.saturating_add(1);
                        pause();
                        continue;
                    }
                    fault => (1, Err(fault)),
                },
            };
            tries = 0;
            self.probes.iter().skip(done).take(count).for_each(|probe| tell(probe, result));
            done = done.saturating_add(count.max(1));
        }
        self.bytes.clear();
        self.ends.clear();
        self.probes.clear();
    }

    /// Hands over the frames from this one on, and returns how many were taken. An interface that was down
    /// is told of once more when it is up again.
    fn hand_over(&mut self, from: usize) -> nix::Result<usize> {
        let count = match self.send(from) {
            Err(Errno::ENETDOWN) => self.send(from)?,
            sent => sent?,
        };
        self.sent = self.sent.saturating_add(count as u64);
        Ok(count)
    }

    fn send(&self, from: usize) -> nix::Result<usize> {
        let mut frames = self.frames().skip(from);
        let frames: [_; BATCH] = array::from_fn(|_| [IoSlice::new(frames.next().unwrap_or_default())]);
        let count = self.ends.len().saturating_sub(from);
        let nothing_beside: [ControlMessage<'_>; 0] = [];
        SENDING.with_borrow_mut(|headers| {
            let frames = frames.iter().take(count);
            let socket = self.socket.as_raw_fd();
            let sent =
                sendmmsg(socket, headers, frames, [None; BATCH], nothing_beside, MsgFlags::MSG_DONTWAIT)?;
            Ok(sent.count())
        })
    }

    fn frames(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.bytes.get(start..*end).unwrap_or_default())
    }

    /// Shows the packets that have left since the last call, with the driver's stamps.
    pub(super) fn departures(&mut self, each: &mut Show<'_>) {
        if self.stamped {
            STAMPS.with_borrow_mut(|headers| while self.read_stamps(headers, each) == Ok(BATCH) {});
        }
    }

    fn read_stamps(&mut self, headers: &mut MultiHeaders<()>, each: &mut Show<'_>) -> nix::Result<usize> {
        let mut rooms = self.left.chunks_exact_mut(ROOM);
        let mut rooms: [_; BATCH] = array::from_fn(|_| [IoSliceMut::new(rooms.next().unwrap_or_default())]);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let mut count = 0_usize;
        for message in recvmmsg(self.socket.as_raw_fd(), headers, &mut rooms, flags, None)? {
            count = count.saturating_add(1);
            let kernel = match message.cmsgs()?.next() {
                Some(ControlMessageOwned::ScmTimestampsns(stamps)) => wall_time(stamps.system),
                _ => None,
            };
            let frame = message.iovs().next().unwrap_or_default();
            let packet = frame.get(HEADER..).unwrap_or_default();
            each(Seen { direction: Direction::Outgoing, kernel }, packet);
        }
        Ok(count)
    }
}
