//! `MaxMind`'s databases of ASes (mmdb), with the names of the ASes.

use std::collections::BTreeMap;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use maxminddb::{Reader, WithinOptions};
use serde::Deserialize;

use super::is_public;
use crate::analyse::origin::OriginSourceBuilder;
use crate::formats::faults::Faults;
use crate::model::{Asn, Prefix, Untrusted};

/// The largest database that is read, in bytes; that of ASes has some 10 MB.
const LARGEST: u64 = 512 * 1024 * 1024;

/// The most networks that are read; that of ASes has some 600,000.
const MOST_NETWORKS: u64 = 20_000_000;

/// What stands before the description at the end of every such file.
const MARK: &[u8] = b"\xab\xcd\xefMaxMind.com";

#[derive(Deserialize)]
struct AsRecord<'a> {
    autonomous_system_number: Option<u32>,
    #[serde(borrow)]
    autonomous_system_organization: Option<&'a str>,
}

/// Adds the networks of a file. Returns how many were read.
pub(super) fn read(
    input: impl Read,
    faults: &mut Faults,
    to: &mut OriginSourceBuilder,
    names: &mut BTreeMap<Asn, Untrusted>,
) -> u64 {
    let mut bytes = Vec::new();
    if let Err(error) = input.take(LARGEST).read_to_end(&mut bytes) {
        faults.byte(bytes.len() as u64, format_args!("cannot be read from here on: {error}"));
        return 0;
    }
    if bytes.len() as u64 >= LARGEST {
        faults.whole(format_args!("larger than {LARGEST} bytes"));
        return 0;
    }
    let mut rows = 0;
    // The library is careful, but no one has shown that a forged tree cannot make it panic.
    let done = catch_unwind(AssertUnwindSafe(|| networks(bytes, faults, to, names, &mut rows)));
    if done.is_err() {
        faults.whole("damaged: what comes behind cannot be read");
    }
    rows
}

fn networks(
    bytes: Vec<u8>,
    faults: &mut Faults,
    to: &mut OriginSourceBuilder,
    names: &mut BTreeMap<Asn, Untrusted>,
    rows: &mut u64,
) {
    let reader = match Reader::from_source(bytes) {
        Ok(reader) => reader,
        Err(error) => return faults.whole(format_args!("is no MaxMind database: {error}")),
    };
    let all = match reader.networks(WithinOptions::default()) {
        Ok(all) => all,
        Err(error) => return faults.whole(format_args!("cannot be read: {error}")),
    };
    for network in all.take(usize::try_from(MOST_NETWORKS).unwrap_or(usize::MAX)) {
        let found = network.and_then(|found| {
            let net = found.network()?;
            Ok((Prefix::covering(net.ip(), net.prefix()), found.decode::<AsRecord<'_>>()?))
        });
        match found {
            Ok((prefix, record)) => {
                *rows = rows.saturating_add(1);
                add(prefix, record.as_ref(), to, names);
            }
            Err(error) => {
                faults.whole(format_args!("network {}: {error}", rows.saturating_add(1)));
                if faults.count > 1000 {
                    return;
                }
            }
        }
    }
}

fn add(
    prefix: Option<Prefix>,
    record: Option<&AsRecord<'_>>,
    to: &mut OriginSourceBuilder,
    names: &mut BTreeMap<Asn, Untrusted>,
) {
    let Some(AsRecord { autonomous_system_number: Some(number), autonomous_system_organization: name }) =
        record
    else {
        return;
    };
    let Some(asn) = Asn::try_from(*number).ok().filter(|_| is_public(*number)) else { return };
    if let Some(prefix) = prefix {
        to.add(prefix, &[asn.into()]);
    }
    if let Some(name) = name {
        names.entry(asn).or_insert_with(|| Untrusted::new(*name));
    }
}

/// Whether the end of a file is that of such a database.
pub(super) fn has_mark(end: &[u8]) -> bool {
    end.windows(MARK.len()).any(|window| window == MARK)
}
