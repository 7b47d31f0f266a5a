//! Rounds that are sent by an order of their own: of a probe that is on its way nothing is kept but when it was
//! sent, at its position in that order.
//!
//! An answer is tied to its probe by trying those that it may be about: the target and the flow stand in the
//! answer, and the keyed tag tells which TTL and attempt it was. A blind guess is taken for an answer with a
//! chance of 2⁻³² for each probe to the target that is on its way, as in rounds that keep a list of them.

use super::window::Timing;
use super::{Engine, Report, Round};
use crate::measure::campaign::rtt::{self, Stamps};
use crate::measure::probe::News;
use crate::model::{MatchQuality, MonoTime, Outcome, Probe, RoundId};
use crate::wire::Answer;

/// Where a round that was interrupted goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweptSoFar {
    /// The position up to which everything is decided.
    pub decided: u64,
    /// Positions behind it that are decided too.
    pub beyond: Vec<u64>,
}

impl Round {
    /// The position of a probe, if the round is sent by an order.
    pub(super) fn position_of(&self, probe: &Probe) -> Option<u64> {
        self.window.as_ref()?;
        self.order.prober.sweep()?.position_of(probe)
    }

    /// The probe that an answer is about, its position, and how well they agree.
    fn find(&self, engine: &Engine, answer: &Answer) -> Option<(Probe, u64, MatchQuality)> {
        let sweep = self.order.prober.sweep()?;
        let key = answer.key;
        let is_it = &mut |probe: &Probe| engine.codec.key_of(probe) == key;
        let probe = sweep.find(key.target, answer.flow, is_it)?;
        let quality = answer.agreement(&engine.codec, &probe)?;
        Some((probe, sweep.position_of(&probe)?, quality))
    }
}

impl Engine {
    /// Notes that a probe was sent; false if its round is not sent by an order.
    pub(super) fn sweep_sent(&mut self, probe: &Probe, at: MonoTime) -> bool {
        let Some(round) = self.round_mut(probe.round) else { return false };
        let Some(position) = round.position_of(probe) else { return false };
        round.ledger.count_sent();
        round.window.as_mut().into_iter().for_each(|window| window.sent(position, at));
        true
    }

    /// Notes that a probe was refused.
    pub(super) fn sweep_refused(&mut self, probe: &Probe) {
        let Some(round) = self.round_mut(probe.round) else { return };
        if let Some(position) = round.position_of(probe) {
            round.window.as_mut().into_iter().for_each(|window| window.close(position));
        }
    }

    /// Takes in an answer to a probe that stands in no list; false if it answers none.
    pub(super) fn sweep_heard(
        &mut self,
        answer: &Answer,
        (at, kernel): (MonoTime, Option<MonoTime>),
        now: MonoTime,
    ) -> bool {
        let mut rounds = self.rounds.iter().enumerate();
        let found = rounds.find_map(|(index, round)| Some((index, round.find(self, answer)?)));
        let Some((index, (probe, position, quality))) = found else { return false };
        let Some(window) = self.rounds.get_mut(index).and_then(|round| round.window.as_mut()) else {
            return false;
        };
        let timing = window.answer(position, at);
        let (sent, in_time) = match timing {
            Timing::InTime(sent) => (sent, true),
            Timing::Late(sent) => (sent, false),
            Timing::Again => {
                self.count_duplicate(probe.round);
                return true;
            }
            Timing::Unknown => return false,
        };
        let rtt = rtt::measure(&Stamps { sent, received: at, departed: None, arrived: kernel });
        let sent_at = Some(self.clock.wall(sent));
        let reply = answer.clone().into_reply(quality);
        if in_time {
            self.remember_responder(&probe, &reply);
        }
        let heard = if in_time { News::Reply(&reply) } else { News::TimedOut };
        if let Some(round) = self.rounds.get_mut(index) {
            round.order.prober.settle(&probe, heard, now);
        }
        let outcome = if in_time { Outcome::Answered { reply, rtt } } else { Outcome::Late { reply, rtt } };
        self.record(&probe, sent_at, outcome);
        true
    }

    /// Counts what nobody answered: no row tells of it.
    pub(super) fn sweep_expire(&mut self, now: MonoTime) {
        for round in &mut self.rounds {
            let Some(window) = &mut round.window else { continue };
            let (before, mut silent) = (window.decided(), Vec::new());
            window.expire(now, &mut |position| silent.push(position));
            let decided = window.decided();
            for position in &silent {
                let probe = round.order.prober.sweep().and_then(|sweep| sweep.probe_at(*position));
                if let Some(probe) = probe {
                    round.order.prober.settle(&probe, News::TimedOut, now);
                }
                round.undecided = round.undecided.saturating_sub(1);
                round.ledger.count_outcome(&Outcome::Silent);
            }
            if decided > before {
                let silent = u64::try_from(silent.len()).unwrap_or(u64::MAX);
                tell_swept(&mut self.reports, (round.order.id, silent, decided));
            }
        }
    }

    /// When the first probe of a sweep may run out.
    pub(super) fn sweep_deadline(&self, now: MonoTime) -> MonoTime {
        let windows = self.rounds.iter().filter_map(|round| round.window.as_ref());
        windows.map(|window| window.deadline(now)).min().unwrap_or(MonoTime::NEVER)
    }
}

/// Tells how far a sweep is, in one report with what was last told if that was of the same.
fn tell_swept(reports: &mut Vec<Report>, (of, fresh, to): (RoundId, u64, u64)) {
    if let Some(Report::Swept { round, silent, decided }) = reports.last_mut()
        && *round == of
    {
        *silent = silent.saturating_add(fresh);
        *decided = to;
        return;
    }
    reports.push(Report::Swept { round: of, silent: fresh, decided: to });
}
