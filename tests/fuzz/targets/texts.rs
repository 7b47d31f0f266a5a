//! Texts, most of which people write by hand.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::Path;

use tetherline::formats::as_names::load_as_names;
use tetherline::formats::as_rel::read_as_rel;
use tetherline::formats::csv::{read_records, write_records};
use tetherline::formats::dns::{DnsCache, parse_cymru_as, parse_cymru_origin};
use tetherline::lab::Scenario;
use tetherline::measure::campaign::Campaign;
use tetherline::measure::guard::OptOut;
use tetherline::model::{AsRelation, Asn, FileErrors};

use super::super::court::Said;
use super::in_file;

/// No pair of ASes has two relations.
pub(crate) fn as_relations(bytes: &[u8]) -> Said {
    let mut said = Said::default();
    match read_as_rel(Cursor::new(bytes.to_vec()), "t.as-rel") {
        Ok(table) => {
            let pairs: BTreeSet<(Asn, Asn)> =
                table.relations.iter().map(|relation| pair(*relation)).collect();
            assert_eq!(pairs.len(), table.relations.len(), "{:?}", table.relations);
            assert!(table.relations.len() as u64 <= table.counts.rows);
            said.note(format_args!("legacy {}", table.counts.is_legacy));
            said.count("transit", table.counts.transit);
            said.count("peering", table.counts.peering);
            said.count("contradicting", table.counts.contradicting);
        }
        Err(error) => {
            assert!(!error.to_string().contains(char::is_control), "{error}");
            said.note(error.rule);
        }
    }
    said
}

fn pair(relation: AsRelation) -> (Asn, Asn) {
    let (one, other) = match relation {
        AsRelation::Transit { provider, customer } => (provider, customer),
        AsRelation::Peering(one, other) | AsRelation::Siblings(one, other) => (one, other),
    };
    (one.min(other), one.max(other))
}

pub(crate) fn as_names(bytes: &[u8]) -> Said {
    let mut said = Said::default();
    match load_as_names(&[in_file(bytes)]) {
        Ok(names) => {
            said.count("names", names.len() as u64);
            assert!(names.values().all(|name| !name.to_string().contains(char::is_control)));
        }
        Err(error) => {
            assert!(!error.to_string().contains(char::is_control), "{error}");
            said.note(error.rule);
        }
    }
    said
}

/// The prefix that counts covers the address that was asked about.
pub(crate) fn cymru(bytes: &[u8]) -> Said {
    let mut said = Said::default();
    let text = String::from_utf8_lossy(bytes);
    for address in ["216.90.108.31", "2001:4860::1"].map(|text| text.parse().unwrap()) {
        let found = parse_cymru_origin(text.lines(), address);
        if let Some((asns, prefix)) = &found {
            assert!(prefix.contains(address) && !asns.is_empty(), "{found:?}");
            said.count("origins", asns.len() as u64);
        }
    }
    let asn = Asn::try_from(23_028).unwrap();
    text.lines().for_each(|line| said.note(parse_cymru_as(line, asn).is_some()));
    said
}

pub(crate) fn dns_cache(bytes: &[u8]) -> Said {
    let mut said = Said::default();
    match DnsCache::from_json(bytes) {
        Ok(cache) => {
            assert_eq!(DnsCache::from_json(&cache.to_json()).unwrap(), cache);
            said.count("names", cache.names().count() as u64);
            said.count("origins", cache.origins().count() as u64);
            said.count("AS names", cache.as_names().count() as u64);
        }
        Err(error) => said.note(error),
    }
    said
}

pub(crate) fn opt_outs(bytes: &[u8]) -> Said {
    let text = String::from_utf8_lossy(bytes);
    judged(
        &text,
        OptOut::parse_file("opt-out.txt", &text).map(|all| {
            assert!(all.len() <= text.lines().count());
            all.len() as u64
        }),
    )
}

/// What is read is written as it was, and read again as the same.
pub(crate) fn csv(bytes: &[u8]) -> Said {
    let mut said = Said::default();
    let (mut records, mut ended) = (Vec::new(), 0);
    for record in read_records(bytes, "r.csv") {
        assert_eq!(ended, 0, "something comes behind an error");
        match record {
            Ok(record) => records.push(record),
            Err(error) => {
                assert!(!error.to_string().contains(char::is_control), "{error}");
                said.note(error.rule);
                ended += 1;
            }
        }
    }
    for record in &records {
        said.note(record.outcome.as_str());
    }
    let mut written = Vec::new();
    write_records(&mut written, records.iter().cloned().map(Ok)).unwrap();
    let again: Vec<_> = read_records(written.as_slice(), "w.csv").collect::<Result<_, _>>().unwrap();
    assert_eq!(again, records);
    said
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

pub(crate) fn campaigns(_: &str) -> Vec<Vec<u8>> {
    vec![file("probes.toml")]
}

/// Whatever is taken for a campaign can be planned.
pub(crate) fn campaign(bytes: &[u8]) -> Said {
    let text = String::from_utf8_lossy(bytes);
    judged(&text, Campaign::parse("probes.toml", &text).map(|campaign| campaign.schedules().len() as u64))
}

pub(crate) fn scenarios(_: &str) -> Vec<Vec<u8>> {
    let own = ["small", "diamonds", "everything", "upstreams", "census"];
    let mut seeds: Vec<Vec<u8>> =
        own.iter().map(|name| file(&format!("tests/scenarios/{name}.toml"))).collect();
    seeds.push(b"format = 1\nextends = \"october-2017\"\nseed = 3\n".to_vec());
    seeds
}

pub(crate) fn scenario(bytes: &[u8]) -> Said {
    let text = String::from_utf8_lossy(bytes);
    judged(&text, Scenario::parse("scenario.toml", &text).map(|scenario| scenario.events().count() as u64))
}

/// Errors name lines of the text, in order, and show nothing that a terminal would obey.
fn judged(text: &str, read: Result<u64, FileErrors>) -> Said {
    let mut said = Said::default();
    match read {
        Ok(number) => said.count("good", number),
        Err(FileErrors(errors)) => {
            assert!(!errors.is_empty());
            let lines = text.lines().count() + 1;
            for error in &errors {
                assert!(error.line.is_none_or(|line| (1..=lines).contains(&line)), "{error}");
                assert!(!error.to_string().contains(char::is_control), "{error}");
                said.note(&error.rule);
            }
        }
    }
    said
}
