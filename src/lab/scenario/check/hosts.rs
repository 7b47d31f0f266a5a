//! Hosts: each address once, inside a network, and no faster than makes sense.

use std::net::IpAddr;

use toml::Spanned;

use super::{Check, Prefixes};
use crate::lab::scenario::{Closed, CountedOver, Host, IpId, RouterIndex, raw};

const MOST_ADDRESSES_PER_HOST: usize = 65_536;
/// What most systems send with.
const USUAL_TTL: u8 = 64;

impl Check<'_> {
    pub(super) fn hosts(&mut self, tables: &[raw::Host], prefixes: &Prefixes) -> Vec<Host> {
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
                closed: self.closed(table),
                filtered: table.filtered.clone(),
                delay: self.optional_span("host.delay", table.delay.as_ref()),
                icmp_rate: table.icmp_rate.as_ref().map(|rate| self.icmp_rate("host.icmp_rate", rate)),
                ip_id: self.ip_id_of_host(table),
                reply_ttl: table
                    .reply_ttl
                    .as_ref()
                    .map_or(USUAL_TTL, |ttl| self.whole("host.reply_ttl", ttl, 1, u8::MAX)),
            });
        }
        hosts
    }

    fn closed(&mut self, table: &raw::Host) -> Closed {
        let Some(key) = &table.closed else { return Closed::default() };
        match key.get_ref() {
            raw::Closed::Named(raw::NamedClosed::Refused) => Closed::Refused,
            raw::Closed::Named(raw::NamedClosed::Silent) => Closed::Silent,
            raw::Closed::Ports(ports) => {
                for port in ports.iter().filter(|port| table.open.contains(port)) {
                    self.error(key, "host.closed", port, "must not be among the open ports");
                }
                Closed::RefusedOnly(ports.clone())
            }
        }
    }

    fn ip_id_of_host(&mut self, table: &raw::Host) -> IpId {
        let Some(key) = &table.ip_id else { return IpId::default() };
        let habit = self.ip_id("host.ip_id", key);
        if matches!(habit, IpId::Counter { over: CountedOver::Router, .. }) {
            let rule = "must be interface: each address of a [[host]] is a host of its own";
            self.error(key, "host.ip_id.counter", "router", rule);
        }
        habit
    }

    fn host_address(
        &mut self,
        address: &Spanned<IpAddr>,
        prefixes: &Prefixes,
    ) -> Option<(IpAddr, RouterIndex)> {
        self.owned_once(*address.get_ref(), address, "host.addresses", "another host");
        let router = prefixes.covering(*address.get_ref()).and_then(|announced| announced.router);
        if router.is_none() {
            self.error(address, "host.addresses", address.get_ref(), "must lie inside a [[network]]");
        }
        Some((*address.get_ref(), router?))
    }
}
