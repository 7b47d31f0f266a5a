//! Links: between two routers, with addresses, delays and hazards; a name, where there is one, only once.

use std::collections::HashSet;
use std::time::Duration;

use toml::Spanned;

use super::{Check, LONGEST_DELAY, UNKNOWN_ROUTER};
use crate::lab::scenario::{Hazards, Jitter, Link, Loss, Reorder, Shape, raw};
use crate::model::AsLink;

/// IPv4 hosts must take packets of 68 bytes (RFC 791 §3.2); no IPv4 packet is longer than 65535.
const SMALLEST_MTU: u16 = 68;
pub(super) const LARGEST_WEIGHT: u16 = 1000;
const DEAREST: u32 = 65_535;
const LONGEST_BURST: f64 = 10_000.0;

impl Check<'_> {
    pub(super) fn links(&mut self, tables: &[raw::Link]) -> Vec<Link> {
        let mut names = HashSet::new();
        let mut links = Vec::new();
        for table in tables {
            if let Some(name) = &table.name {
                self.link_name(name, &mut names);
            }
            links.push(self.link(table));
        }
        links
    }

    fn link(&mut self, table: &raw::Link) -> Link {
        let [one, other] = table.between.get_ref();
        let known = [one, other].map(|end| self.router_named(end, "link.between"));
        let ends = known.map(|end| end.unwrap_or(UNKNOWN_ROUTER));
        if one.get_ref() == other.get_ref() {
            self.error(one, "link.between", one.get_ref(), "must be two different routers");
        }
        let addresses = table.addresses.as_ref().map_or_else(Default::default, |[at_one, at_other]| {
            [
                self.addresses(at_one, "link.addresses", one.get_ref()),
                self.addresses(at_other, "link.addresses", other.get_ref()),
            ]
        });
        Link {
            name: table.name.as_ref().map(|name| name.get_ref().clone()),
            ends,
            addresses,
            delay: self.span("link.delay", &table.delay, LONGEST_DELAY),
            hazards: self.hazards(table),
            mtu: table.mtu.as_ref().map(|mtu| self.whole("link.mtu", mtu, SMALLEST_MTU, u16::MAX)),
            weight: table
                .weight
                .as_ref()
                .map_or(1, |weight| self.whole("link.weight", weight, 1, LARGEST_WEIGHT)),
            cost: self.cost(table.cost.as_ref()),
        }
    }

    fn link_name<'t>(&mut self, name: &'t Spanned<String>, names: &mut HashSet<&'t str>) {
        let text = name.get_ref().as_str();
        if text.is_empty() || text.parse::<AsLink>().is_ok() {
            let rule = "must be a name, and none that reads as a link between two ASes";
            self.error(name, "link.name", text, rule);
        }
        if !names.insert(text) {
            self.error(name, "link.name", text, "must be the name of only one link");
        }
    }

    fn hazards(&mut self, table: &raw::Link) -> Hazards {
        Hazards {
            jitter: table.jitter.as_ref().map(|jitter| self.jitter(jitter)).unwrap_or_default(),
            loss: table.loss.as_ref().map(|loss| self.loss(loss)).unwrap_or_default(),
            reorder: table.reorder.as_ref().map(|reorder| self.reorder(reorder)).unwrap_or_default(),
            duplicate: table
                .duplicate
                .as_ref()
                .map_or(0.0, |duplicate| self.probability("link.duplicate", duplicate)),
        }
    }

    fn jitter(&mut self, jitter: &Spanned<raw::Jitter>) -> Jitter {
        let (mean, shape) = match *jitter.get_ref() {
            raw::Jitter::Mean(mean) => (mean.0, Shape::default()),
            raw::Jitter::Shaped(shaped) => (shaped.mean.0, shaped.shape),
        };
        self.not_longer_than("link.jitter", jitter, mean, LONGEST_DELAY);
        Jitter { mean, shape }
    }

    fn loss(&mut self, loss: &Spanned<raw::Loss>) -> Loss {
        match *loss.get_ref() {
            raw::Loss::Independent(probability) => {
                self.is_probability("link.loss", loss, probability);
                Loss::Independent(probability)
            }
            raw::Loss::Bursts(bursts) => self.bursts(loss, bursts),
        }
    }

    /// Runs of losses end with probability 1 in `burst`. They cannot begin more often than before every packet,
    /// which bounds the mean.
    fn bursts(&mut self, at: &Spanned<raw::Loss>, raw::Bursts { mean, burst }: raw::Bursts) -> Loss {
        if !(1.0..=LONGEST_BURST).contains(&burst) {
            let rule = format!("must be 1 to {LONGEST_BURST} packets");
            self.error(at, "link.loss.burst", burst, rule);
        }
        let most = burst / (burst + 1.0);
        if !(0.0..=most).contains(&mean) {
            let rule = format!("must be 0 to burst / (burst + 1), which is {most:.3} here");
            self.error(at, "link.loss.mean", mean, rule);
        }
        let ends = burst.recip();
        Loss::Bursts { mean, begins: ends * mean / (1.0 - mean), ends }
    }

    fn reorder(&mut self, reorder: &Spanned<raw::Reorder>) -> Reorder {
        let raw::Reorder { probability, by } = reorder.get_ref();
        let span = self.span("link.reorder.by", by, LONGEST_DELAY);
        if span == Duration::ZERO {
            self.error(by, "link.reorder.by", "0s", "must be longer than nothing");
        }
        Reorder { probability: self.probability("link.reorder.probability", probability), by: span }
    }

    fn probability(&mut self, key: &str, probability: &Spanned<f64>) -> f64 {
        self.is_probability(key, probability, *probability.get_ref());
        *probability.get_ref()
    }

    fn is_probability<T>(&mut self, key: &str, at: &Spanned<T>, value: f64) {
        if !(0.0..=1.0).contains(&value) {
            self.error(at, key, value, "must be a probability: 0 to 1");
        }
    }

    fn cost(&mut self, cost: Option<&Spanned<u32>>) -> u32 {
        let Some(cost) = cost else { return 1 };
        let value = *cost.get_ref();
        if !(1..=DEAREST).contains(&value) {
            self.error(cost, "link.cost", value, format!("must be 1 to {DEAREST}"));
        }
        value
    }
}
