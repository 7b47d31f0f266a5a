//! From a prober's entry in the campaign to a round that can be run, fresh or where it was interrupted.

use std::sync::Arc;

use super::config::{Campaign, ProberKind, ProberSpec};
use super::engine::RoundOrder;
use crate::dataset::{Ledger, ProbeRecord};
use crate::measure::probe::{
    EchoProber, MultipathOrder, MultipathProber, News, Prober, Targets, TcpProber, TraceOrder, TraceProber,
};
use crate::model::{Outcome, RoundId};

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
        self.resumed(id, spec, &[])
    }

    /// A round of which these records were made before it was interrupted.
    #[must_use]
    pub fn resumed(&self, id: RoundId, spec: &ProberSpec, recorded: &[ProbeRecord]) -> RoundOrder {
        let mut prober = self.prober(id, spec);
        let mut ledger = Ledger::default();
        for record in recorded {
            prober.recall(&record.probe, news_of(&record.outcome));
            ledger.count_record(&record.outcome);
        }
        RoundOrder {
            id,
            prober_name: spec.name.clone(),
            method: spec.kind.method(),
            prober,
            timeout: spec.timeout,
            targets: Arc::clone(&self.targets),
            ledger,
        }
    }

    /// The state machine. Its order differs from round to round, and is the same when a round is resumed.
    fn prober(&self, id: RoundId, spec: &ProberSpec) -> Box<dyn Prober> {
        let seed = self.campaign.seed.wrapping_add(id.0);
        let targets = self.targets.addresses().to_vec();
        match &spec.kind {
            ProberKind::Echo { echoes, spacing } => {
                Box::new(EchoProber::new(id, targets, seed, *echoes, *spacing))
            }
            ProberKind::Tcp { ports, attempts } => {
                Box::new(TcpProber::new(id, &targets, ports, *attempts, seed))
            }
            ProberKind::Trace { way, flows } => Box::new(TraceProber::new(TraceOrder {
                round: id,
                targets,
                way: *way,
                flows: *flows,
                seed,
            })),
            ProberKind::Multipath { way, algorithm, stopping, narrowest, packets } => {
                Box::new(MultipathProber::new(MultipathOrder {
                    round: id,
                    targets,
                    way: *way,
                    algorithm: *algorithm,
                    stopping: *stopping,
                    narrowest: *narrowest,
                    budget: *packets,
                    seed,
                }))
            }
        }
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
