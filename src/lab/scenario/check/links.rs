//! Links: between two routers, with addresses, delays and chances.

use toml::Spanned;

use super::{Check, LONGEST_DELAY};
use crate::lab::scenario::{Link, raw};

impl Check<'_> {
    pub(super) fn links(&mut self, tables: &[raw::Link]) -> Option<Vec<Link>> {
        let mut links = Vec::new();
        for table in tables {
            let [one, other] = table.between.get_ref();
            let ends = [self.router_named(one, "link.between")?, self.router_named(other, "link.between")?];
            if ends.first() == ends.last() {
                self.error(one, "link.between", one.get_ref(), "must be two different routers");
            }
            let addresses = table.addresses.as_ref().map_or_else(Default::default, |[at_one, at_other]| {
                [
                    self.addresses(at_one, "link.addresses", one.get_ref()),
                    self.addresses(at_other, "link.addresses", other.get_ref()),
                ]
            });
            links.push(Link {
                ends,
                addresses,
                delay: self.span("link.delay", &table.delay, LONGEST_DELAY),
                jitter: self.optional_span("link.jitter", table.jitter.as_ref()),
                loss: self.loss(table.loss.as_ref()),
                cost: self.cost(table.cost.as_ref()),
            });
        }
        Some(links)
    }

    fn loss(&mut self, loss: Option<&Spanned<f64>>) -> f64 {
        let Some(loss) = loss else { return 0.0 };
        let value = *loss.get_ref();
        if !(0.0..=1.0).contains(&value) {
            self.error(loss, "link.loss", value, "must be a probability: 0 to 1");
        }
        value
    }

    fn cost(&mut self, cost: Option<&Spanned<u32>>) -> u32 {
        let Some(cost) = cost else { return 1 };
        let value = *cost.get_ref();
        if !(1..=65_535).contains(&value) {
            self.error(cost, "link.cost", value, "must be 1 to 65535");
        }
        value
    }
}
