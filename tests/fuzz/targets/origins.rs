//! Sources of origins.

use std::net::IpAddr;

use tetherline::formats::origins::{FileKind, Loaded, OriginFile, load_origins, load_views};
use tetherline::model::Asn;

use super::super::court::Said;
use super::{bzip2, gzip, in_file};

/// One of every kind, packed, and a bomb.
pub(crate) fn packed_seeds(_: &str) -> Vec<Vec<u8>> {
    let rows = b"175.45.176.0\t22\t131279\n1.0.4.0\t24\t56203_9\n2001:4860::\t32\t4837_20485\n";
    let exchange = b"{\"name\": \"X\", \"prefixes\": {\"ipv4\": [\"80.249.208.0/21\"], \"ipv6\": [\"2001:7f8:1::/64\"]}}\n";
    let relations = b"4837|131279|-1\n174|3356|0\n";
    let bomb = gzip(&vec![b'1'; 6 << 20]);
    let plain: [&[u8]; 3] = [rows, exchange, relations];
    let two = plain.map(|plain| [gzip(plain), gzip(plain)].concat());
    two.into_iter().chain(plain.map(gzip)).chain(plain.map(bzip2)).chain([bomb]).collect()
}

pub(crate) fn pfx2as(bytes: &[u8]) -> Said {
    rows(FileKind::Pfx2as, bytes)
}

pub(crate) fn pyasn(bytes: &[u8]) -> Said {
    rows(FileKind::Pyasn, bytes)
}

pub(crate) fn iptoasn(bytes: &[u8]) -> Said {
    rows(FileKind::Iptoasn, bytes)
}

pub(crate) fn overrides(bytes: &[u8]) -> Said {
    rows(FileKind::Overrides, bytes)
}

pub(crate) fn delegated(bytes: &[u8]) -> Said {
    read(Some(FileKind::Delegated), bytes)
}

pub(crate) fn organisations(bytes: &[u8]) -> Said {
    read(Some(FileKind::Organisations), bytes)
}

pub(crate) fn exchange_points(bytes: &[u8]) -> Said {
    read(Some(FileKind::ExchangePoints), bytes)
}

pub(crate) fn mrt(bytes: &[u8]) -> Said {
    let files = [in_file(bytes)];
    let origins = [131_279, 4837].map(|number| Asn::try_from(number).expect("is one")).into();
    for is_v6 in [false, true] {
        if let Ok((views, _)) = load_views(&files, &origins, is_v6) {
            assert!(views.full_feeds <= views.peers, "full feeds are peers");
        }
    }
    read(Some(FileKind::Mrt), bytes)
}

pub(crate) fn mmdb(bytes: &[u8]) -> Said {
    read(Some(FileKind::Mmdb), bytes)
}

pub(crate) fn any(bytes: &[u8]) -> Said {
    read(None, bytes)
}

/// Every line that says something is a row or a fault.
fn rows(kind: FileKind, bytes: &[u8]) -> Said {
    let says = |line: &&[u8]| !matches!(line.trim_ascii().first(), None | Some(b'#' | b';'));
    let lines = bytes.split(|byte| *byte == b'\n').filter(says).count() as u64;
    let is_packed = bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(b"BZh");
    match load(Some(kind), bytes) {
        Ok(loaded) => {
            let report = &loaded.reports[0];
            let is_torn = report.faults.first.iter().any(|fault| fault.rule.contains("from here on"));
            if !is_torn && !is_packed && report.faults.count <= 5 {
                assert_eq!(report.rows + report.faults.count, lines, "lines that say something");
            }
            judged(&loaded)
        }
        Err(said) => said,
    }
}

fn read(kind: Option<FileKind>, bytes: &[u8]) -> Said {
    load(kind, bytes).map_or_else(|said| said, |loaded| judged(&loaded))
}

fn load(kind: Option<FileKind>, bytes: &[u8]) -> Result<Loaded, Said> {
    let path = in_file(bytes);
    load_origins(&[OriginFile { kind, path }], None).map_err(|error| {
        let mut said = Said::default();
        assert!(!error.to_string().contains(char::is_control), "{error}");
        said.note(error.rule);
        said
    })
}

/// Messages name a place and show nothing that a terminal would obey; what is found covers what was asked.
fn judged(loaded: &Loaded) -> Said {
    let mut said = Said::default();
    for report in &loaded.reports {
        said.count(report.kind.as_str(), report.rows);
        assert!(report.faults.first.len() as u64 <= report.faults.count);
        for fault in &report.faults.first {
            assert!(!fault.to_string().contains(char::is_control), "{fault}");
            said.note(&fault.rule);
        }
    }
    for address in ["175.45.177.9", "1.0.0.1", "8.8.8.8", "80.249.208.34", "2001:4860::1", "10.0.0.1", "::"]
    {
        let address: IpAddr = address.parse().unwrap();
        let found = loaded.table.lookup(address);
        assert!(found.reason().prefix().is_none_or(|prefix| prefix.contains(address)), "{found:?}");
        said.note(format_args!("{} {}", found.reason().as_str(), found.asn().is_some()));
        said.count("statements", loaded.table.statements(address).len() as u64);
    }
    format!("{:?}", loaded.mrt).split(',').for_each(|count| said.note(count));
    said.count("prefixes", loaded.table.len() as u64);
    said
}
