//! Routers: named once, in a known AS, with addresses and labels of their own.

use std::collections::BTreeMap;

use super::Check;
use crate::lab::scenario::{AsIndex, Filter, Router, RouterIndex, raw};

const MOST_ROUTERS_PER_AS: usize = 512;
const MOST_LABELS: usize = 8;
const HIGHEST_LABEL: u32 = 0xf_ffff;

impl Check<'_> {
    pub(super) fn routers(&mut self, tables: &[raw::Router]) -> Option<Vec<Router>> {
        let mut routers = Vec::new();
        let mut of_as: BTreeMap<AsIndex, usize> = BTreeMap::new();
        for table in tables {
            let name = table.name.get_ref();
            if self.routers.insert(name.clone(), RouterIndex(routers.len())).is_some() {
                self.error(&table.name, "router.name", name, "must be defined only once");
            }
            let home = self.asn(&table.asn, "router.as")?;
            let count = of_as.entry(home).or_default();
            *count = count.saturating_add(1);
            if *count > MOST_ROUTERS_PER_AS {
                let rule = format!("an AS must have at most {MOST_ROUTERS_PER_AS} routers");
                self.error(&table.asn, "router.as", table.asn.get_ref(), rule);
                return None;
            }
            self.router_homes.push(home);
            routers.push(self.router(table, home));
        }
        Some(routers)
    }

    fn router(&mut self, table: &raw::Router, home: AsIndex) -> Router {
        let name = table.name.get_ref();
        for label in table.labels.iter().filter(|label| *label.get_ref() > HIGHEST_LABEL) {
            self.error(label, "router.labels", label.get_ref(), "must be at most 1048575 (20 bits)");
        }
        if let Some(label) = table.labels.get(MOST_LABELS) {
            let rule = format!("must be at most {MOST_LABELS} labels");
            self.error(label, "router.labels", label.get_ref(), rule);
        }
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
            quote: table.quote,
            labels: table.labels.iter().map(|label| *label.get_ref()).collect(),
            filters: table.filters.iter().map(filter).collect(),
        }
    }
}
