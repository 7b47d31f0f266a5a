//! May this packet be sent? The only place that mints a [`Permit`], without which nothing can be sent.
//!
//! Every probe is examined on its own, however it came to be planned, so that an error elsewhere cannot
//! turn this program into a weapon. The rules, the first that applies refusing: opt-outs, special-purpose
//! space, private space, targets of the campaign, a named operator, the sustained budget of the unit.

mod optout;
mod permit;
mod registry;
mod rules;

pub use optout::OptOut;
pub use permit::Permit;
pub use registry::{REGISTRY_DATE, Registered, Standing, outdated, registered};

use std::fmt;
use std::net::IpAddr;

use self::rules::{Rules, Verdicts};
use crate::measure::schedule::{Buckets, Refill};
use crate::model::{BlockRule, Method, MonoTime, Pps, Prefix, Probe, Unit};

/// Where packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Territory {
    /// Into the simulated Internet, from which no route leads out.
    Lab,
    /// Into a real network.
    Internet,
}

/// What a guard goes by.
#[derive(Clone, Debug)]
pub struct GuardRules {
    /// Where packets go.
    pub territory: Territory,
    /// Whether the campaign names somebody to write to.
    pub has_operator: bool,
    /// Whether private space may be probed.
    pub allow_private: bool,
    /// What may be probed: nothing else ever is.
    pub targets: Vec<AllowedTargets>,
    /// What must not be probed.
    pub opt_outs: Vec<OptOut>,
    /// How much echo and TCP probing a unit bears.
    pub budget: Budget,
}

impl GuardRules {
    /// Rules that let nothing out.
    #[must_use]
    pub fn closed() -> Self {
        Self {
            territory: Territory::Internet,
            has_operator: false,
            allow_private: false,
            targets: Vec::new(),
            opt_outs: Vec::new(),
            budget: Budget { rate: Pps::SLOWEST, depth: 1 },
        }
    }
}

/// A target set, as far as the guard must know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowedTargets {
    /// The prefix that holds all its targets.
    pub prefix: Prefix,
    /// The length of the units that it is split into.
    pub unit_length: u8,
}

/// The sustained budget of a unit for asking whether it is there (echo and TCP; not traces).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Packets to one unit, sustained.
    pub rate: Pps,
    /// Packets to one unit that a round may send at once; at least 1. In any time T a unit gets at most
    /// this and `rate` × T.
    pub depth: u32,
}

impl Budget {
    /// The budget in a rehearsal whose wall clock runs `speed` times as fast.
    #[must_use]
    pub fn squeezed(self, speed: f64) -> Self {
        Self { rate: self.rate.squeezed(speed), depth: self.depth }
    }
}

/// Why an address is not probed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address}: {explanation}")]
pub struct Refusal {
    /// The address.
    pub address: IpAddr,
    /// The rule that refuses it.
    pub rule: BlockRule,
    /// The block of the registry or the opt-out that is meant, and what can be done, if anything.
    pub explanation: String,
}

/// Says of every packet whether it may be sent.
pub struct Guard {
    rules: Rules,
    budgets: Buckets<Unit>,
    /// What the rules say, as far as it was asked for; `None` since they changed.
    verdicts: Option<Verdicts>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Guard {
    /// With every unit's budget unspent.
    #[must_use]
    pub fn new(rules: GuardRules) -> Self {
        let budgets = Buckets::new(Refill::new(rules.budget.rate, rules.budget.depth));
        Self { rules: Rules::new(rules), budgets, verdicts: None }
    }

    /// Examines one probe; what is permitted is booked on the budget of its unit.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn examine(&mut self, probe: Probe, method: Method, now: MonoTime) -> Result<Permit, BlockRule> {
        let verdicts = self.verdicts.get_or_insert_with(|| Verdicts::of(&self.rules));
        verdicts.on(probe.target, &self.rules).map_or(Ok(()), Err)?;
        if method.is_liveness() {
            self.book(probe.target, now)?;
        }
        Ok(Permit::mint(probe))
    }

    /// Says whether an address may be probed at all, before anything is sent.
    ///
    /// # Errors
    /// The rule that refuses it, explained.
    pub fn check(&self, address: IpAddr) -> Result<(), Refusal> {
        self.rules.against(address).map_or(Ok(()), |rule| {
            let explanation = self.rules.explain(rule, address);
            Err(Refusal { address, rule, explanation })
        })
    }

    /// Takes a prefix out from now on.
    pub fn opt_out(&mut self, opt_out: OptOut) {
        self.rules.opt_out(opt_out);
        self.verdicts = None;
    }

    fn book(&mut self, target: IpAddr, now: MonoTime) -> Result<(), BlockRule> {
        let unit = self.rules.unit_of(target).ok_or(BlockRule::NotATarget)?;
        if self.budgets.earliest(now, unit) > now {
            return Err(BlockRule::Budget);
        }
        self.budgets.spend(now, unit);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
