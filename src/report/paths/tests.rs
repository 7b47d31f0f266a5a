//! What a reader of the table would lose if a cell came from outside of its alphabet or a hop were missing.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::analyse::compare::Question;
use crate::analyse::origin::OriginTable;
use crate::dataset::{Ledger, ProbeRecord, arbitrary};
use crate::model::{Method, Prefix, RttSource};
use crate::report::tests::reading::CsvFile;

/// The documentation of all formats.
const FORMATS: &str = include_str!("../../../docs/formats.md");

fn question() -> Question {
    Question {
        started_at: crate::model::WallTime::from_nanos(0),
        campaign: "c".parse().unwrap(),
        vantages: vec![arbitrary::vantage()],
        vantage_as: BTreeMap::new(),
        rehearsal: false,
        speed: 1.0,
        units: Vec::new(),
        events: Vec::new(),
        opt_outs: Vec::new(),
        clock_steps: Vec::new(),
        dropped: Vec::new(),
        ledger: Ledger::default(),
        rounds: (1, 0),
        names: BTreeMap::new(),
        confidence: 0.95,
        seed: 7,
        asked: Vec::new(),
    }
}

/// Half of all IPv4 space and all of IPv6, with several origins.
fn origins() -> OriginTable {
    let asns = |numbers: &[u32]| numbers.iter().map(|number| Asn::try_from(*number).unwrap()).collect();
    let rows: [(&str, &[u32]); 2] = [("0.0.0.0/1", &[4837]), ("::/0", &[20_485, 131_279])];
    OriginTable::from_entries(
        rows.into_iter().map(|(prefix, numbers)| (prefix.parse().unwrap(), asns(numbers))),
    )
}

fn paths_of(records: Vec<ProbeRecord>) -> Paths {
    let host = |record: &ProbeRecord| (record.probe.target, Untrusted::new("=cmd|' /C,\u{202e}\r\n\"x"));
    Paths {
        hosts: records.iter().map(host).collect(),
        traces: routed_traces(&question(), &origins(), records),
        probers: BTreeMap::from([(RoundId(1), "trace-icmp".parse().unwrap())]),
    }
}

fn table(paths: &Paths) -> CsvFile {
    let mut bytes = Vec::new();
    paths.write_csv(&mut bytes).unwrap();
    assert!(!bytes.contains(&b'"'), "a cell needed quoting");
    CsvFile::read("paths", &bytes)
}

/// Whether a cell is what `docs/formats.md` promises for its column.
fn fits(column: &str, cell: &str) -> bool {
    let words = |all: &[&str]| all.contains(&cell);
    let asn = |text: &str| text.starts_with("AS") && text.parse::<Asn>().is_ok();
    let name = |extra: &[u8]| {
        let mut bytes = cell.bytes();
        bytes.all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b) || extra.contains(&b))
    };
    cell.is_empty()
        || match column {
            "vantage" | "prober" => name(b""),
            "host" => name(b"%") && !cell.starts_with('-'),
            "unit" | "prefix" => cell.parse::<Prefix>().is_ok(),
            "target" | "address" => cell.parse::<IpAddr>().is_ok(),
            "control" | "looped" | "seen_entering" => words(&["true", "false"]),
            "protocol" => words(&["icmp", "udp", "tcp"]),
            "sent_at_ns" => cell.parse::<i64>().is_ok(),
            "rtt_us" => cell.split('.').all(|part| part.parse::<u64>().is_ok()),
            "rtt_source" => words(&[
                RttSource::Kernel.as_str(),
                RttSource::Monotonic.as_str(),
                RttSource::UserSpace.as_str(),
                RttSource::NotTold.as_str(),
            ]),
            "asn" | "connected_as" | "origin" | "upstream" | "no_upstream_behind" => asn(cell),
            "alternatives" => cell.split('|').all(asn),
            "as_path" => cell.split(' ').all(|step| asn(step) || step.starts_with(['*', '?'])),
            "state" | "rule" | "confidence" | "end" | "no_upstream_reason" => {
                documented(column).contains(&cell)
            }
            _ => cell.parse::<u64>().is_ok(),
        }
}

/// The words that the documentation gives for a column.
fn documented(column: &str) -> Vec<&'static str> {
    let section = FORMATS.split_once("## Paths").unwrap().1;
    let row = section.lines().find(|line| line.starts_with(&format!("| `{column}`"))).unwrap();
    row.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_documentation_names_every_column_in_order() {
    let section = FORMATS.split_once("## Paths").unwrap().1;
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: Vec<&str> = rows.map(|row| row.split('`').next().unwrap()).collect();
    let columns: Vec<&str> = WHICH.iter().chain(&HOP).chain(&WHOLE).copied().collect();
    assert_eq!(documented, columns);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_was_recorded_every_hop_has_its_row_and_every_cell_its_alphabet(
        mut records in vec(arbitrary::record(RoundId(1)), 1..30), targets in 1..4_usize,
    ) {
        let chosen: Vec<IpAddr> = records.iter().take(targets).map(|r| r.probe.target).collect();
        for (index, record) in records.iter_mut().enumerate() {
            record.method = Method::Trace;
            record.probe.target = *chosen.iter().cycle().nth(index).unwrap();
        }
        let paths = paths_of(records);
        let file = table(&paths);
        let hops = paths.traces.iter().map(|routed| routed.path.hops.len().max(1));
        prop_assert_eq!(file.rows.len(), hops.sum::<usize>());
        for row in &file.rows {
            for (column, cell) in row {
                prop_assert!(fits(column, cell), "{} = {:?}", column, cell);
            }
            prop_assert!(row["upstream"].is_empty() != row["no_upstream_reason"].is_empty());
        }
        prop_assert!(!paths.summary().contains(|c: char| c.is_control() && c != '\n'));
    }
}
