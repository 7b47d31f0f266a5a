//! What the analysis is asked, beside the records.

use std::collections::BTreeMap;

use crate::dataset::{ClockStep, Ledger};
use crate::model::{Asked, Asn, Event, Name, Prefix, RoundId, Unit, Untrusted, WallTime};

/// What is asked: the campaign, as far as its understanding needs it.
#[derive(Clone, Debug)]
pub struct Question {
    /// The campaign.
    pub campaign: Name,
    /// When it began.
    pub started_at: WallTime,
    /// Who measured.
    pub vantages: Vec<Name>,
    /// The AS in which a vantage stands, where it is known. For the others it is taken from their traces:
    /// the first AS of at least three quarters of them.
    pub vantage_as: BTreeMap<Name, Asn>,
    /// True if the network was the lab.
    pub rehearsal: bool,
    /// How many times as fast as real time the rehearsal's clock ran; 1 outside the lab.
    pub speed: f64,
    /// The units of the campaign, each with whether it is a control unit. Units that only the records name
    /// are added.
    pub units: Vec<(Unit, bool)>,
    /// The declared events. Those inside the campaign's time cut it into epochs; all of them tell which
    /// links were up when.
    pub events: Vec<Event>,
    /// Prefixes of the campaign that were opted out, and from when on nothing was sent there.
    pub opt_outs: Vec<(Prefix, WallTime)>,
    /// When the vantage's wall clock was stepped, or its machine slept.
    pub clock_steps: Vec<ClockStep>,
    /// Rounds during which the kernel dropped packets: each with its prober, and how many packets.
    pub dropped: Vec<(RoundId, Name, u64)>,
    /// All rounds together.
    pub ledger: Ledger,
    /// Rounds that were sealed whole, and rounds that were interrupted.
    pub rounds: (u64, u64),
    /// Names of ASes, where known; those that do not occur are left out of the findings.
    pub names: BTreeMap<Asn, Untrusted>,
    /// The seed of the campaign, from which also what is drawn again here is drawn.
    pub seed: u64,
    /// What the rounds of censuses asked.
    pub asked: Vec<AskedRound>,
    /// The level of every interval: 0.5 to 0.9999, as 0.95.
    pub confidence: f64,
}

/// What a round of a census asked.
#[derive(Clone, Debug)]
pub struct AskedRound {
    /// Who asked.
    pub vantage: Name,
    /// In which round.
    pub round: RoundId,
    /// The blocks of probes, each with the wave that asked it; without a wave it was wanted and not asked.
    pub blocks: Vec<(Option<u32>, Asked)>,
}
