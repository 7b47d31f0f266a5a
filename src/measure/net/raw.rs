//! The raw packet path: whole IP packets out, everything that concerns them in, both ends stamped by the
//! kernel on one clock. Needs `CAP_NET_RAW`.
//!
//! ```text
//!   permit ─▶ encode ─▶ raw IPv4 or IPv6 socket ─▶ the kernel routes ─▶ interface
//!                                                                          │
//!   arrival ◀─ decode ◀─ packet socket behind a filter ◀── both directions ┘
//! ```
//!
//! The packet socket shows each probe as it leaves ([`Arrival::Departed`]) and each answer before the
//! host's own stack sees it. No error on receiving ends the loop: errors are counted, and it goes on. Only
//! an interface that is gone is the end ([`Link::lost`]): what is asked then would look like silence.

mod capture;
mod filter;
mod intake;
mod transmit;

use std::io;
use std::time::Duration;

use self::capture::Tap;
use self::intake::Intake;
use self::transmit::Transmitter;
pub(super) use self::transmit::fault_of;
use super::{Arrival, Link, LinkLost, NoRawAccess, Vantage, fault_of_encoding, raw_access};
use crate::measure::guard::Permit;
use crate::model::{Clock, MonoTime, SendFault, SystemClock};
use crate::wire::Codec;

/// The longest [`Link::wait`].
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// Why the raw packet path could not be opened.
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

/// A link through raw sockets on one interface.
#[derive(Debug)]
pub struct RawLink {
    clock: SystemClock,
    codec: Codec,
    transmitter: Transmitter,
    interface: String,
    tap: Tap,
    intake: Intake,
    /// The packet being built, kept for its capacity.
    packet: Vec<u8>,
}

impl RawLink {
    /// Opens the sockets of a vantage. `codec` must have been made for the same source addresses, and
    /// `clock` be the one that the caller reads.
    ///
    /// # Errors
    /// If the privilege is missing, or the system refuses a step; the error names it.
    pub fn open(vantage: &Vantage, codec: Codec, clock: SystemClock) -> Result<Self, RawError> {
        raw_access()?;
        let failed =
            |(step, source)| RawError::SetUp { step, interface: vantage.interface.clone(), source };
        Ok(Self {
            clock,
            codec,
            transmitter: Transmitter::open(vantage.sources).map_err(failed)?,
            interface: vantage.interface.clone(),
            tap: Tap::open(vantage).map_err(failed)?,
            intake: Intake::new(),
            packet: Vec::new(),
        })
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

    /// Times that a packet was offered again because the system had no buffer for it.
    #[must_use]
    pub const fn send_retries(&self) -> u64 {
        self.transmitter.retries()
    }
}

impl Link for RawLink {
    fn now(&self) -> MonoTime {
        self.clock.mono()
    }

    fn send(&mut self, permit: Permit) -> Result<MonoTime, SendFault> {
        let probe = permit.probe();
        self.codec.encode(probe, &mut self.packet).map_err(fault_of_encoding)?;
        let sent = self.transmitter.send(probe.target, &self.packet, &self.clock);
        sent.inspect_err(|_| self.tap.look_for_interface())
    }

    fn wait(&mut self, until: MonoTime) -> Option<Arrival> {
        let deadline = until.min(self.now().after(LONGEST_WAIT));
        self.intake.next(&mut self.tap, &self.codec, &self.clock, deadline)
    }

    fn kernel_drops(&self) -> u64 {
        self.tap.dropped()
    }

    fn lost(&self) -> Option<LinkLost> {
        self.tap.is_gone().then(|| LinkLost { interface: self.interface.clone() })
    }
}
