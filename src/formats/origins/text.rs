//! The rows of the tables of text: pfx2as, pyasn, iptoasn, and overrides.

use std::net::IpAddr;

use ipnet::{IpSubnets, Ipv4Subnets, Ipv6Subnets};

use super::is_public;
use super::rows::number;
use crate::analyse::origin::{OriginSourceBuilder, SeenOrigin};
use crate::model::{Asn, Prefix};

/// Beside the prefixes: what was in a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// Rows with several origins.
    pub moas: u64,
    /// Rows with an AS set.
    pub sets: u64,
    /// Rows that are left out because no origin is the number of a public network.
    pub without_origin: u64,
}

/// A row of CAIDA's pfx2as: address, length, and origins joined by `_` (MOAS) and `,` (AS sets), as in
/// `47794_47794,48695`.
pub(super) fn pfx2as(
    line: &str,
    to: &mut OriginSourceBuilder,
    counts: &mut RowCounts,
) -> Result<(), &'static str> {
    let mut fields = line.split_ascii_whitespace();
    let (Some(address), Some(length), Some(origin), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err("must be address, length and origin, separated by tabs");
    };
    let rule = "must begin with an address and a length that leaves no bits set behind it";
    let prefix = prefix(address, length).ok_or(rule)?;
    let origins = origins(origin).ok_or("must end with AS numbers, joined by '_' and ','")?;
    let counted = [
        (&mut counts.moas, origin.contains('_')),
        (&mut counts.sets, origin.contains(',')),
        (&mut counts.without_origin, origins.is_empty()),
    ];
    for (count, applies) in counted {
        *count = count.saturating_add(u64::from(applies));
    }
    to.add(prefix, &origins);
    Ok(())
}

/// A row of pyasn's tables, and of overrides: prefix and AS.
pub(super) fn pyasn(line: &str, to: &mut OriginSourceBuilder) -> Result<(), &'static str> {
    let (prefix, asn) = prefix_and_as(line)?;
    let public = Asn::try_from(asn).ok().filter(|_| is_public(asn));
    to.add(prefix, public.map(SeenOrigin::from).as_slice());
    Ok(())
}

/// A row of overrides. Whoever writes one may mean any AS.
pub(super) fn overrides(line: &str, to: &mut OriginSourceBuilder) -> Result<(), &'static str> {
    let (prefix, asn) = prefix_and_as(line)?;
    let asn = Asn::try_from(asn).map_err(|_| "must name an AS: 0 is none")?;
    to.add(prefix, &[asn.into()]);
    Ok(())
}

fn prefix_and_as(line: &str) -> Result<(Prefix, u32), &'static str> {
    const FORM: &str = "must be a prefix and an AS number, as in 175.45.176.0/22 131279";
    let mut fields = line.split_ascii_whitespace();
    let (Some(net), Some(asn), None) = (fields.next(), fields.next(), fields.next()) else {
        return Err(FORM);
    };
    let (address, length) = net.split_once('/').ok_or(FORM)?;
    let prefix =
        prefix(address, length).ok_or("must begin with a prefix without bits behind its length")?;
    let asn = number(asn.trim_start_matches("AS")).ok_or("must end with an AS number of 32 bits")?;
    Ok((prefix, asn))
}

/// A row of iptoasn's tables: first and last address, AS number (0: not routed), country, and the AS's name,
/// which is returned.
pub(super) fn iptoasn<'a>(
    line: &'a str,
    to: &mut OriginSourceBuilder,
) -> Result<Option<(Asn, &'a str)>, &'static str> {
    const FORM: &str =
        "must be first address, last address, AS number, country and name, separated by tabs";
    let mut fields = line.split('\t');
    let (Some(first), Some(last), Some(asn)) = (fields.next(), fields.next(), fields.next()) else {
        return Err(FORM);
    };
    let name = fields.nth(1).unwrap_or_default();
    if fields.next().is_some() {
        return Err("must have at most five fields");
    }
    let (first, last) = first.parse().ok().zip(last.parse().ok()).ok_or(FORM)?;
    let nets = nets(first, last).ok_or("must begin with two addresses of one family, the lower first")?;
    let number = number(asn).ok_or("must have an AS number of 32 bits in its third field")?;
    let Some(asn) = Asn::try_from(number).ok().filter(|_| is_public(number)) else { return Ok(None) };
    for net in nets {
        to.add(Prefix::from(net), &[asn.into()]);
    }
    Ok(Some((asn, name)))
}

/// The prefixes that a range of addresses is made of.
pub(super) fn nets(first: IpAddr, last: IpAddr) -> Option<IpSubnets> {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
            Some(Ipv4Subnets::new(first, last, 0).into())
        }
        (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
            Some(Ipv6Subnets::new(first, last, 0).into())
        }
        _ => None,
    }
}

fn prefix(address: &str, length: &str) -> Option<Prefix> {
    let address: IpAddr = address.parse().ok()?;
    let length = u8::try_from(number(length)?).ok()?;
    Prefix::covering(address, length).filter(|prefix| prefix.network() == address)
}

fn origins(text: &str) -> Option<Vec<SeenOrigin>> {
    let mut origins: Vec<SeenOrigin> = Vec::new();
    for part in text.split(['_', ',']) {
        let number = number(part)?;
        let asn = Asn::try_from(number).ok().filter(|_| is_public(number));
        let new = asn.filter(|asn| origins.iter().all(|known| known.asn != *asn));
        origins.extend(new.map(SeenOrigin::from));
    }
    Some(origins)
}
