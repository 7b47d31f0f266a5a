//! Routers: named once, in a known AS, with addresses and labels of their own, and habits that do not
//! contradict each other.

use std::collections::BTreeMap;

use toml::Spanned;

use super::{Check, UNKNOWN_AS};
use crate::lab::scenario::{
    Addresses, AnswersFrom, AsIndex, Filter, IcmpRate, IpId, Mangle, Nat, Quote, Router, RouterIndex, raw,
};

const MOST_ROUTERS_PER_AS: usize = 512;
const MOST_LABELS: usize = 8;
const HIGHEST_LABEL: u32 = 0xf_ffff;
/// What a quote may hold at least (RFC 792) and at most in an error of 1500 bytes.
const SHORTEST_QUOTE: u16 = 28;
const LONGEST_QUOTE: u16 = 1472;
const FASTEST_ICMP: f64 = 1e6;
const FASTEST_COUNTER: f64 = 1e6;
const LARGEST_BURST: u32 = 1_000_000;
/// Mangles of the same field.
const CONTRADICTIONS: [[Mangle; 2]; 1] = [[Mangle::IpIdZero, Mangle::IpIdSwapped]];

impl Check<'_> {
    pub(super) fn routers(&mut self, tables: &[raw::Router]) -> Option<Vec<Router>> {
        let mut routers = Vec::new();
        let mut of_as: BTreeMap<AsIndex, usize> = BTreeMap::new();
        for table in tables {
            let name = table.name.get_ref();
            if self.routers.insert(name.clone(), RouterIndex(routers.len())).is_some() {
                self.error(&table.name, "router.name", name, "must be defined only once");
            }
            let home = self.asn(&table.asn, "router.as");
            self.router_homes.push(home);
            let home = home.unwrap_or(UNKNOWN_AS);
            let count = of_as.entry(home).or_default();
            *count = count.saturating_add(1);
            if home != UNKNOWN_AS && *count > MOST_ROUTERS_PER_AS {
                let rule = format!("an AS must have at most {MOST_ROUTERS_PER_AS} routers");
                self.error(&table.asn, "router.as", table.asn.get_ref(), rule);
                return None;
            }
            routers.push(self.router(table, home));
        }
        Some(routers)
    }

    /// All but what depends on other tables: see [`Self::answering`] and [`Self::nats`].
    fn router(&mut self, table: &raw::Router, home: AsIndex) -> Router {
        let name = table.name.get_ref();
        let filter = |filter: &raw::Filter| Filter {
            carrier: filter.protocol,
            to: filter.to,
            answer: filter.answer,
        };
        Router {
            name: name.clone(),
            home,
            addresses: self.addresses(&table.addresses, "router.addresses", name),
            silent: table.silent,
            balance: self.balance(table),
            answers_from: AnswersFrom::default(),
            icmp_rate: table.icmp_rate.as_ref().map(|rate| self.icmp_rate("router.icmp_rate", rate)),
            ip_id: table.ip_id.as_ref().map(|key| self.ip_id("router.ip_id", key)).unwrap_or_default(),
            quote: table.quote.as_ref().map(|quote| self.quote(quote)).unwrap_or_default(),
            mangles: self.mangles(&table.mangles),
            forwards_zero_ttl: table.forwards_zero_ttl,
            nat: Nat::default(),
            labels: self.labels("router.labels", &table.labels),
            filters: table.filters.iter().map(filter).collect(),
        }
    }

    pub(super) fn labels(&mut self, key: &str, labels: &[Spanned<u32>]) -> Vec<u32> {
        for label in labels.iter().filter(|label| *label.get_ref() > HIGHEST_LABEL) {
            self.error(label, key, label.get_ref(), "must be at most 1048575 (20 bits)");
        }
        if let Some(label) = labels.get(MOST_LABELS) {
            let rule = format!("must be at most {MOST_LABELS} labels");
            self.error(label, key, label.get_ref(), rule);
        }
        labels.iter().map(|label| *label.get_ref()).collect()
    }

    pub(super) fn icmp_rate(&mut self, key: &str, table: &raw::IcmpRate) -> IcmpRate {
        let (per_second, burst) = (*table.per_second.get_ref(), *table.burst.get_ref());
        if !(0.0..=FASTEST_ICMP).contains(&per_second) {
            let rule = format!("must be 0 to {FASTEST_ICMP} messages in a real second");
            self.error(&table.per_second, &format!("{key}.per_second"), per_second, rule);
        }
        if !(1..=LARGEST_BURST).contains(&burst) {
            let rule = format!("must be 1 to {LARGEST_BURST} messages");
            self.error(&table.burst, &format!("{key}.burst"), burst, rule);
        }
        IcmpRate { per_second, burst }
    }

    pub(super) fn ip_id(&mut self, name: &str, key: &Spanned<raw::IpId>) -> IpId {
        match *key.get_ref() {
            raw::IpId::Named(raw::NamedIpId::Random) => IpId::Random,
            raw::IpId::Named(raw::NamedIpId::Zero) => IpId::Zero,
            raw::IpId::Named(raw::NamedIpId::Copied) => IpId::Copied,
            raw::IpId::Counter(raw::IpIdCounter { counter: over, per_second }) => {
                if !(0.0..=FASTEST_COUNTER).contains(&per_second) {
                    let rule = format!("must be 0 to {FASTEST_COUNTER} packets in a real second");
                    self.error(key, &format!("{name}.per_second"), per_second, rule);
                }
                IpId::Counter { over, per_second }
            }
        }
    }

    fn quote(&mut self, quote: &Spanned<raw::Quote>) -> Quote {
        match *quote.get_ref() {
            raw::Quote::Named(raw::NamedQuote::Rfc792) => Quote::Rfc792,
            raw::Quote::Named(raw::NamedQuote::Rfc1812) => Quote::Rfc1812,
            raw::Quote::Named(raw::NamedQuote::Full) => Quote::Bytes(LONGEST_QUOTE),
            raw::Quote::Bytes(bytes) => {
                if !(SHORTEST_QUOTE..=LONGEST_QUOTE).contains(&bytes) {
                    let rule = format!("must be {SHORTEST_QUOTE} to {LONGEST_QUOTE} bytes of the packet");
                    self.error(quote, "router.quote", bytes, rule);
                }
                Quote::Bytes(bytes)
            }
        }
    }

    fn mangles(&mut self, list: &[Spanned<Mangle>]) -> Vec<Mangle> {
        let mut mangles: Vec<Mangle> = Vec::new();
        for mangle in list {
            let new = *mangle.get_ref();
            if mangles.contains(&new) {
                self.error(mangle, "router.mangles", new.as_str(), "must be named only once");
            }
            let against = CONTRADICTIONS.iter().find(|pair| pair.contains(&new));
            let other =
                against.into_iter().flatten().find(|other| **other != new && mangles.contains(other));
            if let Some(other) = other {
                let rule = format!("must not stand beside {}: both are about one field", other.as_str());
                self.error(mangle, "router.mangles", new.as_str(), rule);
            }
            mangles.push(new);
        }
        mangles
    }

    /// From where routers answer. Looked at once the addresses of all interfaces are known: a router may
    /// always answer from one of its interfaces.
    pub(super) fn answering(&mut self, tables: &[raw::Router], routers: &mut [Router]) {
        for (table, router) in tables.iter().zip(routers) {
            if let Some(key) = &table.answers_from {
                router.answers_from = self.answers_from(key, router);
            }
        }
    }

    fn answers_from(&mut self, key: &Spanned<raw::AnswersFrom>, router: &Router) -> AnswersFrom {
        match key.get_ref() {
            raw::AnswersFrom::Named(raw::NamedAnswersFrom::Inbound) => AnswersFrom::Inbound,
            raw::AnswersFrom::Named(raw::NamedAnswersFrom::Outbound) => AnswersFrom::Outbound,
            raw::AnswersFrom::Named(raw::NamedAnswersFrom::Router) => {
                if router.addresses.iter().next().is_none() {
                    let rule = "needs addresses of the router: give it addresses = […]";
                    self.error(key, "router.answers_from", "router", rule);
                }
                AnswersFrom::Router
            }
            raw::AnswersFrom::Addresses(list) => {
                let mut addresses = Addresses::default();
                for address in list {
                    if self.owners.get(address) != Some(&router.name) {
                        self.owned_once(*address, key, "router.answers_from", &router.name);
                    }
                    self.one_of_family(&mut addresses, *address, key, "router.answers_from");
                }
                AnswersFrom::Addresses(addresses)
            }
        }
    }
}
