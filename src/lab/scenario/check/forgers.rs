//! Forgers: with something to say, not too fast, and in one family that the vantage has.

use super::Check;
use crate::lab::scenario::{Forger, Vantage, raw};

/// One in a quarter of an hour, up to about what a vantage can read.
const SLOWEST_FORGER: f64 = 0.001;
const FASTEST_FORGER: f64 = 100_000.0;

impl Check<'_> {
    pub(super) fn forgers(&mut self, tables: &[raw::Forger], vantage: &Vantage) -> Vec<Forger> {
        tables.iter().map(|table| self.forger(table, vantage)).collect()
    }

    fn forger(&mut self, table: &raw::Forger, vantage: &Vantage) -> Forger {
        let per_second = *table.per_second.get_ref();
        if !(SLOWEST_FORGER..=FASTEST_FORGER).contains(&per_second) {
            let rule = format!("must be {SLOWEST_FORGER} to {FASTEST_FORGER} packets in a real second");
            self.error(&table.per_second, "forger.per_second", per_second, rule);
        }
        if table.says.get_ref().is_empty() {
            self.error(&table.says, "forger.says", "[]", "must name at least one kind of packet");
        }
        let (from, about) = (*table.from.get_ref(), *table.about.get_ref());
        if from.is_ipv4() != about.is_ipv4() {
            self.error(&table.about, "forger.about", about, "must be of the same family as from");
        }
        if vantage.addresses.of(about.is_ipv4()).is_none() {
            let rule = "must be of a family in which the vantage has an address";
            self.error(&table.about, "forger.about", about, rule);
        }
        Forger { per_second, says: table.says.get_ref().clone(), from, about }
    }
}
