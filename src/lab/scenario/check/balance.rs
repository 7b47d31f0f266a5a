//! How routers balance: fields only where they matter, each once.

use toml::Spanned;

use super::Check;
use crate::lab::scenario::{Balance, Field, raw};

impl Check<'_> {
    pub(super) fn balance(&mut self, table: &raw::Router) -> Balance {
        if let Some(over) = &table.balance_over {
            self.balance_over(over, table.balance);
        }
        match (table.balance, &table.balance_over) {
            (raw::Balance::PerFlow, Some(over)) => {
                let mut fields: Vec<Field> = over.get_ref().iter().map(|field| *field.get_ref()).collect();
                fields.sort_unstable();
                Balance::Over(fields)
            }
            (raw::Balance::PerFlow, None) => Balance::Over(Field::FLOW.to_vec()),
            (raw::Balance::PerDestination, _) => Balance::Over(vec![Field::Destination]),
            (raw::Balance::PerPacket, _) => Balance::PerPacket,
            (raw::Balance::None, _) => Balance::None,
        }
    }

    fn balance_over(&mut self, over: &Spanned<Vec<Spanned<Field>>>, balance: raw::Balance) {
        if balance != raw::Balance::PerFlow {
            let rule =
                format!("must stand only beside balance = \"per-flow\", not \"{}\"", balance.as_str());
            self.error(over, "router.balance_over", shown(over.get_ref()), rule);
        }
        if over.get_ref().is_empty() {
            let rule = "must name at least one field; balance = \"none\" is for none";
            self.error(over, "router.balance_over", "[]", rule);
        }
        let mut seen = Vec::new();
        for field in over.get_ref() {
            if seen.contains(field.get_ref()) {
                let rule = "must name each field only once";
                self.error(field, "router.balance_over", field.get_ref().as_str(), rule);
            }
            seen.push(*field.get_ref());
        }
    }
}

fn shown(fields: &[Spanned<Field>]) -> String {
    fields.iter().map(|field| field.get_ref().as_str()).collect::<Vec<_>>().join(", ")
}
