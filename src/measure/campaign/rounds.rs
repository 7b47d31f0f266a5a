//! From a prober's entry in the campaign to a round that can be run, fresh or where it was interrupted.

use std::sync::Arc;

use super::config::{Campaign, ProberKind, ProberSpec};
use super::engine::{RoundOrder, SweptSoFar};
use crate::dataset::{AskedBlocks, Ledger, ProbeRecord};
use crate::measure::probe::{
    CensusOrder, CensusProber, CensusProgress, EchoProber, LimitTested, MultipathOrder, MultipathProber,
    News, Prober, Targets, TcpProber, TraceOrder, TraceProber,
};
use crate::model::{Outcome, RoundId};

/// What a dataset has of a round that was interrupted.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// What became of probes.
    pub records: Vec<ProbeRecord>,
    /// The blocks that a census asked.
    pub asked: AskedBlocks,
    /// The position in the order of a census up to which everything is decided.
    pub decided: u64,
    /// The round's ledger.
    pub ledger: Ledger,
}

impl Recorded {
    fn progress(&self) -> CensusProgress {
        let asked = self.asked.iter().filter_map(|(wave, block)| Some(((*wave)?, *block)));
        CensusProgress { asked: asked.collect(), decided: self.decided }
    }
}

/// Makes the rounds of one campaign.
pub struct RoundMaker {
    campaign: Arc<Campaign>,
    targets: Arc<Targets>,
}

impl RoundMaker {
    /// For this campaign; its targets are worked out here, once.
    #[must_use]
    pub fn new(campaign: Arc<Campaign>) -> Self {
        let targets = campaign.targets().into_iter().map(|t| (t.address, (t.unit, t.control))).collect();
        Self { campaign, targets: Arc::new(targets) }
    }

    /// The targets with their unit, and whether they are control targets.
    #[must_use]
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// A round from its beginning.
    #[must_use]
    pub fn fresh(&self, id: RoundId, spec: &ProberSpec) -> RoundOrder {
        self.resumed(id, spec, &Recorded::default())
    }

    /// A round of which this was recorded before it was interrupted.
    #[must_use]
    pub fn resumed(&self, id: RoundId, spec: &ProberSpec, recorded: &Recorded) -> RoundOrder {
        let mut prober = self.prober(id, spec, recorded);
        let mut ledger = Ledger::default();
        let mut swept = SweptSoFar { decided: recorded.decided, beyond: Vec::new() };
        for record in &recorded.records {
            prober.recall(&record.probe, news_of(&record.outcome));
            ledger.count_record(&record.outcome);
            let position = prober.sweep().and_then(|sweep| sweep.position_of(&record.probe));
            swept.beyond.extend(position.filter(|position| *position >= recorded.decided));
        }
        // Of these there are no records.
        ledger.duplicates = recorded.ledger.duplicates;
        ledger.count_silence(recorded.ledger.silent.saturating_sub(ledger.silent));
        RoundOrder {
            id,
            prober_name: spec.name.clone(),
            method: spec.kind.method(),
            prober,
            timeout: spec.timeout,
            targets: Arc::clone(&self.targets),
            ledger,
            swept,
        }
    }

    /// The state machine. Its order differs from round to round, and is the same when a round is resumed.
    fn prober(&self, id: RoundId, spec: &ProberSpec, recorded: &Recorded) -> Box<dyn Prober> {
        let seed = self.campaign.seed.wrapping_add(id.0);
        let targets = || self.targets.addresses().to_vec();
        match &spec.kind {
            ProberKind::Echo { echoes, spacing } => {
                Box::new(EchoProber::new(id, targets(), seed, *echoes, *spacing))
            }
            ProberKind::Tcp { ports, attempts } => {
                Box::new(TcpProber::new(id, &targets(), ports, *attempts, seed))
            }
            ProberKind::Trace { way, flows } => {
                let order = TraceOrder { round: id, targets: targets(), way: *way, flows: *flows, seed };
                self.limit_tested(Box::new(TraceProber::new(order)), spec, seed)
            }
            ProberKind::Multipath { way, algorithm, stopping, narrowest, packets } => {
                let order = MultipathOrder {
                    round: id,
                    targets: targets(),
                    way: *way,
                    algorithm: *algorithm,
                    stopping: *stopping,
                    narrowest: *narrowest,
                    budget: *packets,
                    seed,
                };
                self.limit_tested(Box::new(MultipathProber::new(order)), spec, seed)
            }
            ProberKind::Census { way, stopping, balancers, narrowest, every_address, packets } => {
                let order = CensusOrder {
                    round: id,
                    targets: Arc::clone(&self.targets),
                    way: *way,
                    stopping: *stopping,
                    balancers: *balancers,
                    narrowest: *narrowest,
                    every_address: *every_address,
                    budget: *packets,
                    flow_seed: self.campaign.seed,
                    seed,
                };
                let prober = CensusProber::resumed(order, &recorded.progress());
                self.limit_tested(Box::new(prober), spec, seed)
            }
        }
    }
}

impl RoundMaker {
    /// A prober behind which routers are tested whose answers thin out, if that is wanted.
    fn limit_tested(&self, prober: Box<dyn Prober>, spec: &ProberSpec, seed: u64) -> Box<dyn Prober> {
        if spec.limit_tests == 0 {
            return prober;
        }
        Box::new(LimitTested::new(prober, Arc::clone(&self.targets), spec.limit_tests, seed))
    }
}

/// What the prober heard, or would have heard, of a recorded probe.
fn news_of(outcome: &Outcome) -> News<'_> {
    match outcome {
        Outcome::Answered { reply, .. } => News::Reply(reply),
        Outcome::Late { .. } | Outcome::Silent => News::TimedOut,
        Outcome::SendFailed(_) | Outcome::Blocked(_) | Outcome::Skipped(_) => News::NotSent,
    }
}
