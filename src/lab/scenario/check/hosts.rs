//! Hosts: each address once, inside a network, and no faster than makes sense.

use std::net::IpAddr;

use toml::Spanned;

use super::{Check, covering};
use crate::lab::scenario::{Announced, Host, IcmpRate, RouterIndex, raw};

const MOST_ADDRESSES_PER_HOST: usize = 65_536;
/// What most systems send with.
const USUAL_TTL: u8 = 64;
const FASTEST_ICMP: f64 = 1e6;
const LARGEST_BURST: u32 = 1_000_000;

impl Check<'_> {
    pub(super) fn hosts(&mut self, tables: &[raw::Host], prefixes: &[Announced]) -> Vec<Host> {
        let mut hosts = Vec::new();
        for table in tables {
            if let Some(address) = table.addresses.get(MOST_ADDRESSES_PER_HOST) {
                let rule = format!("must be at most {MOST_ADDRESSES_PER_HOST} addresses");
                self.error(address, "host.addresses", address.get_ref(), rule);
            }
            let places = table.addresses.iter().filter_map(|address| self.host_address(address, prefixes));
            hosts.push(Host {
                addresses: places.collect(),
                echo: table.echo,
                open: table.open.clone(),
                closed: table.closed,
                filtered: table.filtered.clone(),
                delay: self.optional_span("host.delay", table.delay.as_ref()),
                icmp_rate: table.icmp_rate.as_ref().map(|rate| self.icmp_rate("host.icmp_rate", rate)),
                reply_ttl: table
                    .reply_ttl
                    .as_ref()
                    .map_or(USUAL_TTL, |ttl| self.whole("host.reply_ttl", ttl, 1, u8::MAX)),
            });
        }
        hosts
    }

    fn host_address(
        &mut self,
        address: &Spanned<IpAddr>,
        prefixes: &[Announced],
    ) -> Option<(IpAddr, RouterIndex)> {
        self.owned_once(address, "host.addresses", "another host");
        let router = covering(prefixes, *address.get_ref()).and_then(|announced| announced.router);
        if router.is_none() {
            self.error(address, "host.addresses", address.get_ref(), "must lie inside a [[network]]");
        }
        Some((*address.get_ref(), router?))
    }

    pub(super) fn icmp_rate(&mut self, key: &str, table: &raw::IcmpRate) -> IcmpRate {
        let raw::IcmpRate { per_second, burst } = table;
        let rate = IcmpRate { per_second: *per_second.get_ref(), burst: *burst.get_ref() };
        if !(0.0..=FASTEST_ICMP).contains(&rate.per_second) {
            let rule = format!("must be 0 to {FASTEST_ICMP} messages in a real second");
            self.error(per_second, &format!("{key}.per_second"), rate.per_second, rule);
        }
        if !(1..=LARGEST_BURST).contains(&rate.burst) {
            let rule = format!("must be 1 to {LARGEST_BURST} messages");
            self.error(burst, &format!("{key}.burst"), rate.burst, rule);
        }
        rate
    }
}
