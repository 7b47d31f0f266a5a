//! The lab's end of the cable: a packet socket, and frames in and out of it, many in one system call.

use std::array;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, IntoRawFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::sockopt::{RcvBufForce, SetBool};
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, recvmmsg, sendmmsg, setsockopt};
use pnet::datalink;
use socket2::{Domain, Socket, Type};

/// Frames in one system call, at most.
pub(super) const BATCH: usize = 64;
/// Room for some 20,000 small frames while the thread does not run, in bytes.
const RECEIVE_BUFFER: usize = 16 * 1024 * 1024;
/// The largest IP packet in a frame, in bytes.
const LARGEST_FRAME: usize = 65_536 + super::HEADER;

/// Frames go straight to the other end. The queue in front of an interface drops all of them until the kernel
/// finds the time to start it (packet(7)).
#[derive(Clone, Copy, Debug)]
struct PastTheQueue;

nix::setsockopt_impl!(PastTheQueue, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, bool, SetBool);

/// A socket that sees every frame on an interface. `pnet` binds it.
pub(super) fn open(interface: &str) -> io::Result<Socket> {
    let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
    setsockopt(&socket, PastTheQueue, &true)?;
    if setsockopt(&socket, RcvBufForce, &RECEIVE_BUFFER).is_err() {
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    }
    let mut interfaces = datalink::interfaces().into_iter();
    let interface = interfaces.find(|other| other.name == interface).ok_or(io::ErrorKind::NotFound)?;
    // The channel closes the descriptor that it was given; the other one stays bound.
    let given_away = socket.try_clone()?.into_raw_fd();
    let config = datalink::Config { socket_fd: Some(given_away), ..datalink::Config::default() };
    datalink::channel(&interface, config)?;
    Ok(socket)
}

/// A socket and its frames. It stays in the thread that made it.
pub(super) struct Port {
    socket: Socket,
    /// Where frames are read to.
    rooms: Vec<u8>,
    /// How long those are that were read last.
    lengths: Vec<usize>,
    /// Frames on their way out, one behind the other.
    outgoing: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// What the system calls are told of their frames.
    receiving: MultiHeaders<()>,
    sending: MultiHeaders<()>,
}

impl Port {
    pub(super) fn new(socket: Socket) -> Self {
        Self {
            socket,
            rooms: vec![0; BATCH.saturating_mul(LARGEST_FRAME)],
            lengths: Vec::with_capacity(BATCH),
            outgoing: Vec::new(),
            ends: Vec::with_capacity(BATCH),
            receiving: MultiHeaders::preallocate(BATCH, None),
            sending: MultiHeaders::preallocate(BATCH, None),
        }
    }

    /// Reads what has arrived, and returns how many frames that are: [`BATCH`] if there may be more.
    pub(super) fn receive(&mut self) -> usize {
        let mut rooms = self.rooms.chunks_exact_mut(LARGEST_FRAME);
        let mut rooms: [_; BATCH] = array::from_fn(|_| [IoSliceMut::new(rooms.next().unwrap_or_default())]);
        let (socket, headers) = (self.socket.as_raw_fd(), &mut self.receiving);
        self.lengths.clear();
        // What the system has not got is as if it were lost.
        if let Ok(messages) = recvmmsg(socket, headers, &mut rooms, MsgFlags::MSG_DONTWAIT, None) {
            self.lengths.extend(messages.map(|message| message.bytes));
        }
        self.lengths.len()
    }

    /// The frames that were read last.
    pub(super) fn received(&mut self) -> impl Iterator<Item = &mut [u8]> {
        let rooms = self.rooms.chunks_exact_mut(LARGEST_FRAME);
        rooms.zip(&self.lengths).filter_map(|(room, length)| room.get_mut(..*length))
    }

    /// Sends a frame, given in parts, with the next [`Port::flush`] at the latest.
    pub(super) fn send(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.outgoing.extend_from_slice(part);
        }
        self.ends.push(self.outgoing.len());
        if self.ends.len() >= BATCH {
            self.flush();
        }
    }

    /// A frame that the system does not take is lost, as on a full link.
    pub(super) fn flush(&mut self) {
        let mut done = 0_usize;
        while done < self.ends.len() {
            let taken = self.hand_over(done).unwrap_or_default();
            done = done.saturating_add(taken.max(1));
        }
        self.outgoing.clear();
        self.ends.clear();
    }

    /// Hands over the frames from this one on, and returns how many the system has taken.
    fn hand_over(&mut self, from: usize) -> nix::Result<usize> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let frame = |(start, end): (usize, &usize)| self.outgoing.get(start..*end);
        let mut frames = starts.zip(&self.ends).filter_map(frame).skip(from);
        let frames: [_; BATCH] = array::from_fn(|_| [IoSlice::new(frames.next().unwrap_or_default())]);
        let frames = frames.iter().take(self.ends.len().saturating_sub(from));
        let nothing_beside: [ControlMessage<'_>; 0] = [];
        let (socket, headers) = (self.socket.as_raw_fd(), &mut self.sending);
        let flags = MsgFlags::MSG_DONTWAIT;
        Ok(sendmmsg(socket, headers, frames, [None; BATCH], nothing_beside, flags)?.count())
    }

    /// Waits until a frame is there, but not longer than this.
    pub(super) fn wait(&self, patience: Duration) {
        let mut sources = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        // An interrupted wait is only a shorter one.
        let _ = ppoll(&mut sources, Some(patience.into()), None);
    }
}
