//! What a campaign has still to do: rounds that an earlier run left unfinished, and rounds that fall due. Real
//! and virtual time go by the same agenda. It touches neither network nor clock, and reads the dataset once.

use std::sync::Arc;
use std::time::Duration;

use super::config::Campaign;
use super::engine::RoundOrder;
use super::rounds::{Recorded, RoundMaker};
use crate::dataset::{ClockStep, Dataset, DatasetError, Ledger, RoundHeader};
use crate::measure::schedule::{Due, Timetable};
use crate::model::{ClockPair, MonoTime, Name, RoundId, WallTime};

/// What is to be run, and when.
pub(super) struct Agenda {
    maker: RoundMaker,
    campaign: Arc<Campaign>,
    timetable: Option<Timetable>,
    /// The latest rounds that were begun before this run, all due at one time.
    begun: Vec<(Name, WallTime)>,
    /// Rounds that an earlier run left unfinished.
    unfinished: Vec<(RoundOrder, Ledger)>,
    /// The last round that was begun, in this run or before.
    last: RoundId,
    end: Option<WallTime>,
}

impl Agenda {
    /// What is left to do of a campaign by its dataset; `once` leaves the timetable out.
    pub(super) fn new(
        campaign: &Arc<Campaign>,
        once: bool,
        dataset: &Dataset,
    ) -> Result<Self, DatasetError> {
        let maker = RoundMaker::new(Arc::clone(campaign));
        let start = dataset.manifest().started_at;
        let headers: Vec<RoundHeader> = dataset.rounds()?.into_iter().map(|round| round.header).collect();
        let latest = headers.iter().map(|header| header.due_at).max();
        let mut timetable = Timetable::new(&campaign.schedules(), campaign.seed, start);
        latest.map(|latest| timetable.skip_before(latest));
        let last = headers.iter().map(|header| header.id).max().unwrap_or(RoundId(0));
        let due_latest = headers.into_iter().filter(|header| Some(header.due_at) == latest);
        Ok(Self {
            unfinished: unfinished(&maker, campaign, dataset)?,
            begun: due_latest.map(|header| (header.prober, header.due_at)).collect(),
            last,
            end: campaign.duration.map(|duration| start.after(duration)),
            timetable: (!once).then_some(timetable),
            maker,
            campaign: Arc::clone(campaign),
        })
    }

    /// The rounds that an earlier run left unfinished, each with the ledger of what is recorded; once.
    pub(super) fn take_unfinished(&mut self) -> Vec<(RoundOrder, Ledger)> {
        std::mem::take(&mut self.unfinished)
    }

    /// The next round that is due within the campaign's time and was not begun before.
    pub(super) fn next_due(&mut self, now: WallTime) -> Option<Due> {
        // A clock that was set ahead by years must not make this count every round of those years.
        let now = self.end.map_or(now, |end| now.min(end));
        loop {
            let due = self.timetable.as_mut()?.next(now)?;
            if self.end.is_some_and(|end| due.at >= end) {
                return None;
            }
            let prober = self.prober_of(&due);
            if !self.begun.iter().any(|(begun, at)| Some(begun) == prober && *at == due.at) {
                return Some(due);
            }
        }
    }

    /// Whose round falls due.
    pub(super) fn prober_of(&self, due: &Due) -> Option<&Name> {
        self.campaign.probers.get(due.prober).map(|spec| &spec.name)
    }

    /// A round that falls due, fresh; its number is that of the timetable, unless rounds beside it (`once`) used
    /// it up.
    pub(super) fn begin(&mut self, due: &Due, started_at: WallTime) -> Option<(RoundHeader, RoundOrder)> {
        let spec = self.campaign.probers.get(due.prober)?;
        self.last = due.round.max(RoundId(self.last.0.saturating_add(1)));
        let (prober, method) = (spec.name.clone(), spec.kind.method());
        let header = RoundHeader { id: self.last, prober, method, due_at: due.at, started_at };
        Some((header, self.maker.fresh(self.last, spec)))
    }
}

/// The rounds that an earlier run began and did not seal, as far as the campaign still knows their prober.
fn unfinished(
    maker: &RoundMaker,
    campaign: &Campaign,
    dataset: &Dataset,
) -> Result<Vec<(RoundOrder, Ledger)>, DatasetError> {
    let mut orders = Vec::new();
    for open in dataset.open_rounds()? {
        let Some(spec) = campaign.probers.iter().find(|spec| spec.name == open.header.prober) else {
            continue;
        };
        let id = open.header.id;
        let recorded = Recorded {
            records: dataset.recorded(id)?,
            asked: dataset.asked(id)?,
            decided: open.decided,
            ledger: open.ledger,
        };
        let order = maker.resumed(id, spec, &recorded);
        let ledger = order.ledger;
        orders.push((order, ledger));
    }
    Ok(orders)
}

/// How far the wall clock may be from where it should be, in real time, before it counts as stepped.
const STEPPED: Duration = Duration::from_secs(1);

/// How far the wall clock was stepped from where a pair believes it to be to where it was just read. While a
/// machine sleeps its monotonic clock stands still, which looks alike.
pub(super) fn step_of(believed: &ClockPair, read: &ClockPair, now: MonoTime) -> Option<ClockStep> {
    let step = ClockStep { at: read.wall(now), by_ns: read.ahead_of(believed, now) };
    let span = Duration::from_nanos(step.by_ns.unsigned_abs());
    (span > STEPPED.mul_f64(believed.speed())).then_some(step)
}
