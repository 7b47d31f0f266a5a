//! One row of the dataset: one probe and what became of it.

use std::net::IpAddr;

use super::Ledger;
use crate::model::{Asked, Method, Name, Outcome, Probe, Unit, WallTime};

/// What is acknowledged of a round at once.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// What became of probes.
    pub records: &'a [ProbeRecord],
    /// The round's ledger with them.
    pub ledger: &'a Ledger,
    /// Of a census: blocks that it asks from now on, each with its wave; or, without one, that it wanted
    /// and will not ask.
    pub asked: &'a [(Option<u32>, Asked)],
    /// Of a census: the position in its order up to which everything is decided; otherwise 0.
    pub decided: u64,
}

/// One probe and what became of it. Skipped probes have no row: they are only counted in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeRecord {
    /// Who measured.
    pub vantage: Name,
    /// Which prober of the campaign asked.
    pub prober: Name,
    /// What it asked.
    pub method: Method,
    /// What was asked for, with round, target, protocol, port, flow, TTL and attempt.
    pub probe: Probe,
    /// The block about which the target speaks.
    pub unit: Unit,
    /// Whether the target is a control target, there to tell the vantage's own trouble apart.
    pub control: bool,
    /// When the packet was handed to the system; `None` if it was not sent.
    pub sent_at: Option<WallTime>,
    /// What became of it.
    pub outcome: Outcome,
}

impl ProbeRecord {
    /// Where the probe was addressed to.
    #[must_use]
    pub const fn target(&self) -> IpAddr {
        self.probe.target
    }
}
