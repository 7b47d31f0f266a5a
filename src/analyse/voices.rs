//! How routers answer: what the tests in the records say of those whose answers thinned out. A router that limits
//! its answers is told from one whose answers are lost, and from one that never answers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::dataset::ProbeRecord;
use crate::limits::{Train, Trial, Verdict};
use crate::model::{Name, Outcome, Probe, RoundId, Ttl, Unit, WallTime};

/// What the test of one router says.
#[derive(Clone, Debug, PartialEq)]
pub struct Voice {
    /// Who measured.
    pub vantage: Name,
    /// In which round.
    pub round: RoundId,
    /// On the way to which unit.
    pub unit: Unit,
    /// At which TTL.
    pub ttl: Ttl,
    /// The address that answered most; `None` if none did.
    pub router: Option<IpAddr>,
    /// What the test says.
    pub verdict: Verdict,
    /// Packets a second that it was asked fast, by the campaign's wall clock; `None` if too few were sent.
    pub asked_per_second: Option<f64>,
    /// Of these it answered so many a second once its bucket was empty.
    pub answered_per_second: Option<f64>,
}

/// Takes records in and gives what their tests say.
#[derive(Debug, Default)]
pub struct Voices {
    open: BTreeMap<(Name, Probe), OpenVoice>,
}

#[derive(Debug)]
struct OpenVoice {
    unit: Unit,
    trial: Trial,
    routers: BTreeMap<IpAddr, usize>,
    /// When the packets of the fast train were sent, and whether they were answered.
    fast: Vec<(WallTime, bool)>,
}

impl Voices {
    /// Takes a record in; those that test nothing are left aside.
    pub fn add(&mut self, record: &ProbeRecord) {
        let (probe, Some(train)) = (record.probe, Train::of(record.probe.attempt)) else { return };
        let reply = match &record.outcome {
            Outcome::Answered { reply, .. } => Some(reply),
            Outcome::Late { .. } | Outcome::Silent => None,
            _ => return,
        };
        let key = (record.vantage.clone(), Probe { attempt: 0, ..probe });
        let open = self.open.entry(key).or_insert_with(|| OpenVoice {
            unit: record.unit,
            trial: Trial::default(),
            routers: BTreeMap::new(),
            fast: Vec::new(),
        });
        open.trial.note(probe.attempt, reply.is_some());
        if let Some(reply) = reply {
            let answers = open.routers.entry(reply.from).or_default();
            *answers = answers.saturating_add(1);
        }
        if let Some(at) = record.sent_at.filter(|_| train == Train::Fast) {
            open.fast.push((at, reply.is_some()));
        }
    }

    /// What they say, in the order of vantages and probes.
    #[must_use]
    pub fn finish(self) -> Vec<Voice> {
        self.open.into_iter().map(|((vantage, probe), open)| open.close(vantage, &probe)).collect()
    }
}

impl OpenVoice {
    fn close(mut self, vantage: Name, probe: &Probe) -> Voice {
        self.fast.sort_unstable();
        let first = usize::from(Train::BEFORE_IT_COUNTS).min(self.fast.len());
        let later = self.fast.get(first..).unwrap_or_default();
        let answered = later.iter().filter(|(_, answered)| *answered).count();
        let router = self.routers.iter().max_by_key(|(router, answers)| (**answers, **router));
        Voice {
            vantage,
            round: probe.round,
            unit: self.unit,
            ttl: probe.ttl,
            router: router.map(|(router, _)| *router),
            verdict: self.trial.verdict(),
            asked_per_second: per_second(later, later.len()),
            answered_per_second: per_second(later, answered),
        }
    }
}

/// So many in the time in which these were sent.
fn per_second(sent: &[(WallTime, bool)], count: usize) -> Option<f64> {
    let ((first, _), (last, _)) = (sent.first()?, sent.last()?);
    let seconds = last.since(*first).as_secs_f64() * share_of_gaps(sent.len());
    (seconds > 0.0).then(|| number(count) / seconds)
}

/// Between n packets lie n - 1 gaps; n packets fill the time of n.
fn share_of_gaps(packets: usize) -> f64 {
    number(packets) / number(packets.saturating_sub(1).max(1))
}

#[allow(clippy::cast_precision_loss, reason = "counts of packets stay far below 2^53")]
const fn number(count: usize) -> f64 {
    count as f64
}
