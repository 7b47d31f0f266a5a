//! Address translation: one to one, from an address that leads to the router to one that leads on from it.

use super::{Check, Prefixes, UNKNOWN_AS};
use crate::lab::scenario::{Announced, AsIndex, Nat, Router, raw};

const MOST_PAIRS: usize = 4096;

impl Check<'_> {
    pub(super) fn nats(&mut self, tables: &[raw::Router], routers: &mut [Router], prefixes: &Prefixes) {
        for (table, router) in tables.iter().zip(routers) {
            router.nat = self.nat(table, router, prefixes);
        }
    }

    fn nat(&mut self, table: &raw::Router, router: &Router, prefixes: &Prefixes) -> Nat {
        if let Some(pair) = table.nat.get(MOST_PAIRS) {
            let rule = format!("must be at most {MOST_PAIRS} pairs of addresses");
            self.error(&pair.outside, "router.nat.outside", pair.outside.get_ref(), rule);
        }
        if table.nat.is_empty() {
            self.nothing_to_translate(table);
        }
        let mut nat = Nat {
            quotes: table.nat_quotes.as_ref().map(|key| *key.get_ref()).unwrap_or_default(),
            errors: table.nat_errors.as_ref().map(|key| *key.get_ref()).unwrap_or_default(),
            ..Nat::default()
        };
        for pair in &table.nat {
            self.pair(&mut nat, pair, router, prefixes);
        }
        for pair in &table.nat {
            let inside = *pair.inside.get_ref();
            if nat.inward.contains_key(&inside.into()) {
                let rule = "must not be an outside address of the same router";
                self.error(&pair.inside, "router.nat.inside", inside, rule);
            }
        }
        nat
    }

    fn nothing_to_translate(&mut self, table: &raw::Router) {
        let rule = "needs nat = [{ outside = …, inside = … }]";
        if let Some(key) = &table.nat_quotes {
            self.error(key, "router.nat_quotes", key.get_ref().as_str(), rule);
        }
        if let Some(key) = &table.nat_errors {
            self.error(key, "router.nat_errors", key.get_ref().as_str(), rule);
        }
    }

    fn pair(&mut self, nat: &mut Nat, pair: &raw::NatPair, router: &Router, prefixes: &Prefixes) {
        let (outside, inside) = (*pair.outside.get_ref(), *pair.inside.get_ref());
        self.owned_once(outside.into(), &pair.outside, "router.nat.outside", &router.name);
        let within = prefixes.covering(outside.into());
        if within.is_none_or(|announced| !is_of(announced, router.home)) {
            let rule = "must lie inside a prefix of the router's AS, or no packet finds it";
            self.error(&pair.outside, "router.nat.outside", outside, rule);
        }
        let within = prefixes.covering(inside.into());
        if within.is_none_or(|announced| announced.router.is_none() || !is_of(announced, router.home)) {
            let rule = "must lie inside a [[network]] of the router's AS; \
                        with announce_to = [] for a private one";
            self.error(&pair.inside, "router.nat.inside", inside, rule);
        }
        nat.inward.insert(outside.into(), inside.into());
        if nat.outward.insert(inside.into(), outside.into()).is_some() {
            let rule = "must be translated only once on a router";
            self.error(&pair.inside, "router.nat.inside", inside, rule);
        }
    }
}

/// What is unknown may be the right one.
fn is_of(announced: &Announced, home: AsIndex) -> bool {
    [announced.origin, UNKNOWN_AS].contains(&home) || announced.origin == UNKNOWN_AS
}
