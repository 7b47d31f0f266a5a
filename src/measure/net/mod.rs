//! The packet path: raw sockets, capture, kernel time stamps, privileges. Nothing else in the crate
//! sends, and nothing here sends without a [`Permit`].

mod netlink;
mod privilege;
mod raw;
mod territory;
mod unprivileged;
mod vantage;
mod virtual_link;

#[cfg(test)]
mod tests;

pub use netlink::NetlinkError;
pub use privilege::{NoEchoAccess, NoRawAccess, echo_access, raw_access};
pub use raw::{RawError, RawLink};
pub use territory::{Territory, territory};
pub use unprivileged::{UnprivilegedError, UnprivilegedLink};
pub use vantage::{Present, Vantage, VantageError};
pub use virtual_link::VirtualLink;

use crate::measure::guard::Permit;
use crate::model::{MonoTime, Pps, Probe, Reply, Rtt, SendFault};
use crate::wire::{self, EncodeError};

/// Which way packets leave a vantage that may send raw ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PacketPath {
    /// Through the kernel's stack as long as that is fast enough, so that local filters hold and local
    /// captures see what is sent.
    #[default]
    Auto,
    /// Past the kernel's stack wherever the next hop is known.
    Packet,
    /// Through the kernel's stack.
    Raw,
}

impl PacketPath {
    /// The fastest that goes through the stack by itself, in packets a second: the most that a campaign may
    /// send into a real network.
    const STACK_UP_TO: f64 = 10_000.0;

    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Packet, Self::Raw];

    /// As it stands in `probes.toml`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Packet => "packet",
            Self::Raw => "raw",
        }
    }

    /// Whether packets at this rate go past the kernel's stack.
    #[must_use]
    pub fn bypasses(self, rate: Pps) -> bool {
        match self {
            Self::Auto => rate.get() > Self::STACK_UP_TO,
            Self::Packet => true,
            Self::Raw => false,
        }
    }
}

/// Who is told what became of a probe that was to be sent.
pub type Tell<'t> = dyn FnMut(&Probe, Result<MonoTime, SendFault>) + 't;

/// A way to the network: real sockets, the unprivileged engine, or the lab in virtual time.
pub trait Link {
    /// Monotonic time now.
    fn now(&self) -> MonoTime;

    /// Sends one probe; the packet is built here, from the permit. Returns when it was handed over.
    ///
    /// # Errors
    /// The system's reason for not taking it. The probe has then not been sent.
    fn send(&mut self, permit: Permit) -> Result<MonoTime, SendFault>;

    /// Sends probes, together where the link can do that, and tells of each, in any order, what
    /// [`Link::send`] would have returned.
    fn send_all(&mut self, permits: &mut Vec<Permit>, tell: &mut Tell<'_>) {
        for permit in permits.drain(..) {
            let probe = *permit.probe();
            tell(&probe, self.send(permit));
        }
    }

    /// Waits until something arrives or `until` is reached, but at most 50 ms of real time, so that the
    /// caller can look at its stop flag.
    fn wait(&mut self, until: MonoTime) -> Option<Arrival>;

    /// From now on, a wait that nothing ends before ends on time to the microsecond, whatever that costs in
    /// processor time. To be called in the thread that waits.
    fn be_punctual(&mut self) {}

    /// Packets that the kernel dropped since the link was opened.
    fn kernel_drops(&self) -> u64;

    /// Whether nothing can be measured through this link any more, and why.
    fn lost(&self) -> Option<LinkLost> {
        None
    }
}

/// A way to the network that is gone for good. What is only down may come back, and is not lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the interface {interface:?} is gone")]
pub struct LinkLost {
    /// The interface that was there when the link was opened.
    pub interface: String,
}

/// Something that came in.
#[derive(Debug)]
pub enum Arrival {
    /// One of our own probes, seen leaving the interface, with the kernel's stamp of that moment.
    Departed {
        /// Names the probe.
        key: wire::MatchKey,
        /// The kernel's stamp of that moment, brought to the monotonic clock.
        kernel: MonoTime,
    },
    /// A packet that reads as an answer to a probe. Whether it is one, its tag must tell.
    Answer {
        /// What was read.
        answer: wire::Answer,
        /// When this program read it.
        at: MonoTime,
        /// The kernel's stamp of its arrival, if there was one, brought to the monotonic clock.
        kernel: Option<MonoTime>,
    },
    /// The unprivileged engine's answer, already tied to its probe.
    Matched {
        /// The probe.
        probe: Probe,
        /// The reply.
        reply: Reply,
        /// The engine's own round-trip time.
        rtt: Rtt,
    },
    /// A packet that could not be read.
    Malformed(wire::Malformed),
}

/// What it says of a probe that no packet could be built for it.
const fn fault_of_encoding(error: EncodeError) -> SendFault {
    match error {
        EncodeError::NoSource(_) => SendFault::NoSource,
        EncodeError::FlowTooHigh(_) => SendFault::Other,
    }
}
