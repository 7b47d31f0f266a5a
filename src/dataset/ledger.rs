//! The ledger: every probe that was planned, accounted for.
//!
//! Two sums hold at every moment, and are checked and printed with every report:
//!
//! ```text
//! planned = sent + blocked + send_failed + skipped
//! sent    = answered + late + silent + in_flight
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::Outcome;

/// Counts of probes, in packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Probes that a prober asked for.
    pub planned: u64,
    /// Handed to the system, which took them.
    pub sent: u64,
    /// Refused by the guard.
    pub blocked: u64,
    /// Refused by the system.
    pub send_failed: u64,
    /// Planned, then not wanted any more.
    pub skipped: u64,
    /// Answered in time.
    pub answered: u64,
    /// Answered after the time-out.
    pub late: u64,
    /// Not answered.
    pub silent: u64,
    /// Sent, and not yet decided.
    pub in_flight: u64,
    /// Further valid replies to a probe that had one.
    pub duplicates: u64,
    /// Packets that arrived without the tag of an outstanding probe.
    pub unmatched: u64,
    /// Packets that could not be read at all.
    pub malformed: u64,
    /// Packets that the kernel dropped before this program could read them.
    pub kernel_dropped: u64,
}

impl Ledger {
    /// Counts a probe that was handed to the system.
    pub fn count_sent(&mut self) {
        self.planned = self.planned.saturating_add(1);
        self.sent = self.sent.saturating_add(1);
        self.in_flight = self.in_flight.saturating_add(1);
    }

    /// Counts what became of a probe. A probe that was sent must have been counted as sent before.
    pub fn count_outcome(&mut self, outcome: &Outcome) {
        let counter = match outcome {
            Outcome::Answered { .. } => &mut self.answered,
            Outcome::Late { .. } => &mut self.late,
            Outcome::Silent => &mut self.silent,
            Outcome::SendFailed(_) => &mut self.send_failed,
            Outcome::Blocked(_) => &mut self.blocked,
            Outcome::Skipped(_) => &mut self.skipped,
        };
        *counter = counter.saturating_add(1);
        let was_sent = matches!(outcome, Outcome::Answered { .. } | Outcome::Late { .. } | Outcome::Silent);
        if was_sent {
            self.in_flight = self.in_flight.saturating_sub(1);
        } else {
            self.planned = self.planned.saturating_add(1);
        }
    }

    /// Counts a probe whose record is at hand: sent or not, and decided.
    pub fn count_record(&mut self, outcome: &Outcome) {
        if matches!(outcome, Outcome::Answered { .. } | Outcome::Late { .. } | Outcome::Silent) {
            self.count_sent();
        }
        self.count_outcome(outcome);
    }

    /// Counts probes that were sent and never answered, and of which there are no records.
    pub fn count_silence(&mut self, probes: u64) {
        self.add(Self { planned: probes, sent: probes, silent: probes, ..Self::default() });
    }

    /// Adds all counts of another ledger; none can overflow.
    pub fn add(&mut self, other: Self) {
        let pairs = [
            (&mut self.planned, other.planned),
            (&mut self.sent, other.sent),
            (&mut self.blocked, other.blocked),
            (&mut self.send_failed, other.send_failed),
            (&mut self.skipped, other.skipped),
            (&mut self.answered, other.answered),
            (&mut self.late, other.late),
            (&mut self.silent, other.silent),
            (&mut self.in_flight, other.in_flight),
            (&mut self.duplicates, other.duplicates),
            (&mut self.unmatched, other.unmatched),
            (&mut self.malformed, other.malformed),
            (&mut self.kernel_dropped, other.kernel_dropped),
        ];
        for (mine, theirs) in pairs {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// Whether both sums hold.
    #[must_use]
    pub fn balances(&self) -> bool {
        let planned = [self.sent, self.blocked, self.send_failed, self.skipped];
        let sent = [self.answered, self.late, self.silent, self.in_flight];
        let sum = |parts: [u64; 4]| parts.into_iter().try_fold(0, u64::checked_add);
        sum(planned) == Some(self.planned) && sum(sent) == Some(self.sent)
    }
}

impl std::iter::Sum for Ledger {
    fn sum<I: Iterator<Item = Self>>(ledgers: I) -> Self {
        ledgers.fold(Self::default(), |mut total, ledger| {
            total.add(ledger);
            total
        })
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "planned {} = sent {} + blocked {} + send failed {} + skipped {}",
            self.planned, self.sent, self.blocked, self.send_failed, self.skipped
        )?;
        writeln!(
            f,
            "sent {} = answered {} + late {} + silent {} + in flight {}",
            self.sent, self.answered, self.late, self.silent, self.in_flight
        )?;
        write!(
            f,
            "beside: duplicates {}, unmatched {}, malformed {}, dropped by the kernel {}",
            self.duplicates, self.unmatched, self.malformed, self.kernel_dropped
        )?;
        if !self.balances() {
            write!(f, "\nTHE LEDGER DOES NOT BALANCE: please report this")?;
        }
        Ok(())
    }
}
