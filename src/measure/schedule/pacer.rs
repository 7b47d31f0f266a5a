//! How fast packets may leave: a total rate with a burst, and a rate for each unit and each responding
//! router. Pure: it says when a packet may go, and somebody else waits.

use std::net::IpAddr;
use std::time::Duration;

use super::bucket::{Bucket, Buckets, Refill};
use crate::model::{MonoTime, Pps, Unit};

/// The rates that a pacer holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PacerRates {
    /// Of all packets together.
    pub total: Pps,
    /// Packets that may leave at once when none has left for a while; at least 1.
    pub burst: u32,
    /// To the targets of one unit.
    pub per_unit: Pps,
    /// That one router or host must answer.
    pub per_responder: Pps,
}

impl PacerRates {
    /// The rates in a rehearsal whose wall clock runs `speed` times as fast.
    #[must_use]
    pub fn squeezed(self, speed: f64) -> Self {
        Self {
            total: self.total.squeezed(speed),
            burst: self.burst,
            per_unit: self.per_unit.squeezed(speed),
            per_responder: self.per_responder.squeezed(speed),
        }
    }
}

/// What holds a packet up beside the total rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gate {
    /// The rate to a unit.
    Unit(Unit),
    /// The rate at which somebody is made to answer.
    Responder(IpAddr),
}

/// How late a thread may wake that sleeps until a time, on a machine that has other things to do: nearly always, and
/// where more is left of the burst, later by three quarters of it.
const LATENESS: Duration = Duration::from_micros(200);

/// For how long packets are collected that may leave, where the burst allows it: each time that a thread
/// wakes costs as much as some packets.
const COLLECTED: Duration = Duration::from_millis(2);

/// Packets to one unit or responder that may leave together are those of so many seconds at its rate, and at least one.
/// With one alone, most of what leaves together at thousands a second would have to wait for its next turn.
const TOGETHER: f64 = 0.001;

/// Holds the rates. In any second at most `total` + `burst` packets pass, and to one unit or responder at most its rate
/// and a thousandth of it, or its rate + 1 where that is more; a sender that always has something to send reaches the
/// rate. Memory is bounded: see [`Buckets`].
#[derive(Clone, Debug)]
pub struct Pacer {
    refill: Refill,
    total: Bucket,
    units: Buckets<Unit>,
    responders: Buckets<IpAddr>,
}

/// How many packets may leave together at this rate.
fn together(rate: Pps) -> u32 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, and is positive"
    )]
    let packets = (rate.get() * TOGETHER) as u32;
    packets.max(1)
}

impl Pacer {
    /// With nothing sent yet.
    #[must_use]
    pub fn new(rates: PacerRates) -> Self {
        Self {
            refill: Refill::new(rates.total, rates.burst),
            total: Bucket::default(),
            units: Buckets::new(Refill::new(rates.per_unit, together(rates.per_unit))),
            responders: Buckets::new(Refill::new(rates.per_responder, together(rates.per_responder))),
        }
    }

    /// What keeps a packet to a target of `unit` from leaving `now`, and until when: of two, that which takes
    /// longer. `responder` is who answered the last probe to the same target with the same TTL, if that is
    /// known. The total rate is asked apart.
    #[must_use]
    pub fn closed(&self, now: MonoTime, unit: Unit, responder: Option<IpAddr>) -> Option<(Gate, MonoTime)> {
        let by_unit = (self.units.earliest(now, unit), Gate::Unit(unit));
        let by_responder = responder
            .map(|responder| (self.responders.earliest(now, responder), Gate::Responder(responder)));
        let (opens, gate) = by_responder.into_iter().fold(by_unit, std::cmp::max);
        (opens > now).then_some((gate, opens))
    }

    /// The first time, from `now` on, at which any packet may go: the total rate alone.
    #[must_use]
    pub fn earliest_total(&self, now: MonoTime) -> MonoTime {
        self.total.earliest(now, self.refill)
    }

    /// When to look again, if no packet may leave `now`: when the next one may, or where they may leave fast
    /// a little later, so that several may leave at once. Whoever wakes at most `LATENESS` later, or three quarters of
    /// the time that the burst lasts, loses nothing of the total rate, unless [`Pacer::is_tight`].
    #[must_use]
    pub fn wake(&self, now: MonoTime) -> MonoTime {
        let leeway = self.refill.leeway();
        let spare = LATENESS.max(leeway.saturating_sub(leeway.checked_div(4).unwrap_or_default()));
        let latest =
            MonoTime::default().after(self.total.full_at().since(MonoTime::default().after(spare)));
        self.earliest_total(now).max(now.after(COLLECTED).min(latest))
    }

    /// Whether the burst is so small, for this rate, that a thread which sleeps until the next packet would
    /// fall behind: it must be on time to the microsecond.
    #[must_use]
    pub fn is_tight(&self) -> bool {
        self.refill.leeway() < LATENESS
    }

    /// Books a packet that leaves `now`.
    pub fn spend(&mut self, now: MonoTime, unit: Unit, responder: Option<IpAddr>) {
        self.total.spend(now, self.refill);
        self.units.spend(now, unit);
        if let Some(responder) = responder {
            self.responders.spend(now, responder);
        }
    }
}

#[cfg(test)]
mod tests;
