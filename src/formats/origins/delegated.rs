//! What registries have delegated: the `delegated-extended` files of the regional Internet registries.
//!
//! ```text
//! 2|ripencc|1500000000|…                                           a version line
//! ripencc|*|ipv4|*|70000|summary                                   how many rows of a kind follow
//! ripencc|FR|ipv4|2.0.0.0|1048576|20100712|allocated|1f1b7d0e      first address, how many, when, state, holder
//! ripencc|FR|asn|3215|1|19940101|allocated|1f1b7d0e
//! ```
//!
//! They name no origins. A block is given to the ASes of the same holder, of which they tell by a name that means
//! nothing else. Blocks of a holder without an AS, and rows without a holder (the older `delegated` files) are left out.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::is_public;
use super::rows::{each_row, number};
use super::text::nets;
use crate::analyse::origin::{OriginSourceBuilder, SeenOrigin};
use crate::formats::faults::Faults;
use crate::model::{Asn, Prefix};

/// A holder with more ASes than this tells nothing about whose a block is.
const MOST_ASES: usize = 8;

/// The most ASes in one row; the largest blocks that registries hand on have 1,024.
const MOST_IN_ROW: u32 = 4096;

#[derive(Default)]
struct Delegations {
    blocks: Vec<(Prefix, String)>,
    ases: BTreeMap<String, Vec<Asn>>,
}

/// Adds the blocks of a file. Returns how many rows were read.
pub(super) fn read(input: impl Read, faults: &mut Faults, to: &mut OriginSourceBuilder) -> u64 {
    let mut delegations = Delegations::default();
    let rows = each_row(input, faults, |line| delegations.row(line));
    for (prefix, holder) in &delegations.blocks {
        let ases = delegations.ases.get(holder).map_or(&[][..], Vec::as_slice);
        if ases.len() <= MOST_ASES {
            let origins: Vec<SeenOrigin> = ases.iter().copied().map(SeenOrigin::from).collect();
            to.add(*prefix, &origins);
        }
    }
    rows
}

impl Delegations {
    fn row(&mut self, line: &str) -> Result<(), &'static str> {
        let fields: Vec<&str> = line.split('|').collect();
        let is_version =
            fields.first().is_some_and(|first| first.starts_with(|c: char| c.is_ascii_digit()));
        if is_version || fields.last() == Some(&"summary") {
            return Ok(());
        }
        let &[_, _, kind, start, count, _, state, ref rest @ ..] = fields.as_slice() else {
            return Err(
                "must be registry, country, kind, start, count, date, state and holder, joined by '|'",
            );
        };
        let given = matches!(state, "allocated" | "assigned");
        let Some(holder) = rest.first().filter(|holder| given && !holder.is_empty()) else { return Ok(()) };
        let count = number(count).ok_or("must have a count of 32 bits in its fifth field")?;
        match kind {
            "asn" => self.asns(start, count, holder),
            "ipv4" => self.ipv4(start, count, holder),
            "ipv6" => self.ipv6(start, count, holder),
            _ => Err("must be of the kind asn, ipv4 or ipv6"),
        }
    }

    fn asns(&mut self, start: &str, count: u32, holder: &str) -> Result<(), &'static str> {
        let start = number(start).ok_or("must have an AS number of 32 bits in its fourth field")?;
        if count > MOST_IN_ROW {
            return Err("more ASes than any registry hands out at once");
        }
        let numbers = start..start.saturating_add(count);
        let public =
            numbers.filter(|number| is_public(*number)).filter_map(|number| Asn::try_from(number).ok());
        self.ases.entry(holder.to_owned()).or_default().extend(public);
        Ok(())
    }

    fn ipv4(&mut self, start: &str, count: u32, holder: &str) -> Result<(), &'static str> {
        const FORM: &str = "must have an IPv4 address in its fourth field, with room for so many behind it";
        let first: Ipv4Addr = start.parse().map_err(|_| FORM)?;
        let last = count.checked_sub(1).and_then(|more| first.to_bits().checked_add(more)).ok_or(FORM)?;
        let nets = nets(IpAddr::V4(first), IpAddr::V4(last.into())).ok_or(FORM)?;
        self.blocks.extend(nets.map(|net| (Prefix::from(net), holder.to_owned())));
        Ok(())
    }

    fn ipv6(&mut self, start: &str, length: u32, holder: &str) -> Result<(), &'static str> {
        const FORM: &str = "must have an IPv6 address in its fourth field and a length in its fifth";
        let address: IpAddr = start.parse().map_err(|_| FORM)?;
        let length = u8::try_from(length).map_err(|_| FORM)?;
        let net = IpNet::new(address, length).ok().filter(|_| address.is_ipv6()).ok_or(FORM)?;
        self.blocks.push((Prefix::from(net), holder.to_owned()));
        Ok(())
    }
}
