//! The privileged packet paths: whole IP packets out, everything that concerns them in, both ends stamped by
//! the kernel on one clock. Needs `CAP_NET_RAW`.
//!
//! ```text
//!                    ┌─▶ raw IPv4 or IPv6 socket ─▶ the kernel routes and filters ─┐
//!   permit ─▶ encode ┤                                                             ├─▶ interface
//!                    └─▶ next hop known: Ethernet frame, with many others ─────────┘        │
//!                                                                                           │
//!   arrival ◀─ decode ◀─┬─ packet socket behind a filter ◀── both directions ◀──────────────┤
//!                       └─ stamps of frames that have left ◀── driver ◀─────────────────────┘
//! ```
//!
//! The packet socket shows each probe that the kernel sent as it leaves ([`Arrival::Departed`]) and each
//! answer before the host's own stack sees it; frames tell of their departure themselves. No error on
//! receiving ends the loop: errors are counted, and it goes on. Only an interface that is gone is the end
//! ([`Link::lost`]): what is asked then would look like silence.

mod capture;
mod filter;
mod frames;
mod intake;
mod next_hop;
mod transmit;

use std::io;
use std::time::Duration;

use self::capture::{Capture, Show, Tap};
use self::frames::Frames;
use self::intake::Intake;
use self::next_hop::NextHops;
use self::transmit::Transmitter;
pub(super) use self::transmit::fault_of;
use super::{
    Arrival, Link, LinkLost, NoRawAccess, PacketPath, Tell, Vantage, fault_of_encoding, raw_access,
};
use crate::measure::guard::Permit;
use crate::model::{Clock, MonoTime, Pps, SendFault, SystemClock};
use crate::wire::Codec;

/// The longest [`Link::wait`].
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// Up to this rate, in packets a second, the driver is asked for a stamp of each frame: that costs as much as sending it.
const STAMPED_UP_TO: f64 = 100_000.0;

/// Why the privileged packet path could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
    /// Raw sockets are closed to this process.
    #[error(transparent)]
    Access(#[from] NoRawAccess),
    /// The system refused a step.
    #[error("cannot {step} on interface {interface:?}")]
    SetUp {
        /// What was to be done.
        step: &'static str,
        /// Where.
        interface: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A link through raw and packet sockets on one interface.
#[derive(Debug)]
pub struct RawLink {
    clock: SystemClock,
    codec: Codec,
    transmitter: Transmitter,
    /// The way past the kernel's stack, where it is to be used.
    bypass: Option<Bypass>,
    interface: String,
    tap: Tap,
    intake: Intake,
    /// The packet being built, kept for its capacity.
    packet: Vec<u8>,
}

/// Frames, and to whom they go.
#[derive(Debug)]
struct Bypass {
    frames: Frames,
    hops: NextHops,
}

impl RawLink {
    /// Opens the sockets of a vantage. `codec` must have been made for the same source addresses, and
    /// `clock` be the one that the caller reads; `rate` is how fast packets will be sent.
    ///
    /// # Errors
    /// If the privilege is missing, or the system refuses a step; the error names it.
    pub fn open(
        vantage: &Vantage,
        codec: Codec,
        clock: SystemClock,
        path: PacketPath,
        rate: Pps,
    ) -> Result<Self, RawError> {
        raw_access()?;
        let failed =
            |(step, source)| RawError::SetUp { step, interface: vantage.interface.clone(), source };
        let transmitter = Transmitter::open(vantage.sources).map_err(failed)?;
        let tap = Tap::open(vantage).map_err(failed)?;
        let bypass = if path.bypasses(rate) { Bypass::open(vantage, clock.mono(), rate) } else { None };
        Ok(Self {
            clock,
            codec,
            transmitter,
            bypass,
            interface: vantage.interface.clone(),
            tap,
            intake: Intake::new(),
            packet: Vec::new(),
        })
    }

    /// Packets that left as frames, past the kernel's stack.
    #[must_use]
    pub fn framed(&self) -> u64 {
        self.bypass.as_ref().map_or(0, |bypass| bypass.frames.sent())
    }

    /// Packets seen that have nothing to do with us.
    #[must_use]
    pub const fn foreign(&self) -> u64 {
        self.intake.foreign()
    }

    /// Errors on receiving, each survived.
    #[must_use]
    pub const fn receive_errors(&self) -> u64 {
        self.intake.errors()
    }

    /// Times that packets were offered again because the system had no buffer for them.
    #[must_use]
    pub fn send_retries(&self) -> u64 {
        let frames = self.bypass.as_ref().map_or(0, |bypass| bypass.frames.retries());
        self.transmitter.retries().saturating_add(frames)
    }

    /// Sends a probe, or puts it to the frames that are sent next.
    fn dispatch(&mut self, permit: &Permit, now: MonoTime, tell: &mut Tell<'_>) {
        let probe = permit.probe();
        if let Err(error) = self.codec.encode(probe, &mut self.packet) {
            return tell(probe, Err(fault_of_encoding(error)));
        }
        if let Some(bypass) = &mut self.bypass
            && let Some(cable) = bypass.hops.cable_to(probe.target, now)
        {
            if bypass.frames.is_full() {
                bypass.flush(&mut self.tap, &self.clock, tell);
            }
            return bypass.frames.push(*probe, &self.packet, cable);
        }
        let sent = self.transmitter.send(probe.target, &self.packet, &self.clock);
        tell(probe, sent.inspect_err(|_| self.tap.look_for_interface()));
    }

    fn flush(&mut self, tell: &mut Tell<'_>) {
        if let Some(bypass) = &mut self.bypass {
            bypass.flush(&mut self.tap, &self.clock, tell);
        }
    }
}

impl Bypass {
    /// `None`, and the kernel's way for all packets, if the interface or the system does not allow it.
    fn open(vantage: &Vantage, now: MonoTime, rate: Pps) -> Option<Self> {
        let refused = |why: &dyn std::fmt::Display| {
            tracing::warn!("packets go through the kernel's stack, since {}: {why}", vantage.interface);
        };
        let hops = NextHops::open(vantage, now).inspect_err(|error| refused(error)).ok()?;
        if hops.is_none() {
            refused(&"is no Ethernet");
        }
        let frames = Frames::open(vantage, rate.get() <= STAMPED_UP_TO);
        let frames =
            frames.inspect_err(|(step, error)| refused(&format!("cannot {step}: {error}"))).ok()?;
        Some(Self { frames, hops: hops? })
    }

    fn flush(&mut self, tap: &mut Tap, clock: &SystemClock, tell: &mut Tell<'_>) {
        self.frames.flush(clock, &mut |probe, sent| {
            tell(probe, sent.inspect_err(|_| tap.look_for_interface()));
        });
    }
}

/// Both ears: what the interface shows, and what frames tell of their departure, which comes first.
struct Ears<'a> {
    tap: &'a mut Tap,
    frames: Option<&'a mut Frames>,
}

impl Capture for Ears<'_> {
    fn watch(&mut self, patience: Duration) {
        self.tap.watch(patience);
    }

    fn collect(&mut self, time: Duration) {
        self.tap.collect(time);
    }

    fn read(&mut self, each: &mut Show<'_>) -> io::Result<usize> {
        let frames = &mut self.frames;
        let mut departures = |each: &mut Show<'_>| {
            if let Some(frames) = frames {
                frames.departures(each);
            }
        };
        self.tap.read_after(&mut departures, each)
    }
}

impl Link for RawLink {
    fn now(&self) -> MonoTime {
        self.clock.mono()
    }

    fn send(&mut self, permit: Permit) -> Result<MonoTime, SendFault> {
        let mut result = Err(SendFault::Other);
        self.dispatch(&permit, self.clock.mono(), &mut |_, sent| result = sent);
        self.flush(&mut |_, sent| result = sent);
        result
    }

    fn send_all(&mut self, permits: &mut Vec<Permit>, tell: &mut Tell<'_>) {
        let now = self.clock.mono();
        for permit in permits.drain(..) {
            self.dispatch(&permit, now, tell);
        }
        self.flush(tell);
    }

    fn wait(&mut self, until: MonoTime) -> Option<Arrival> {
        let deadline = until.min(self.now().after(LONGEST_WAIT));
        let frames = self.bypass.as_mut().map(|bypass| &mut bypass.frames);
        let mut ears = Ears { tap: &mut self.tap, frames };
        self.intake.next(&mut ears, &self.codec, &self.clock, deadline)
    }

    fn be_punctual(&mut self) {
        self.intake.be_punctual();
    }

    fn kernel_drops(&self) -> u64 {
        self.tap.dropped()
    }

    fn lost(&self) -> Option<LinkLost> {
        self.tap.is_gone().then(|| LinkLost { interface: self.interface.clone() })
    }
}
