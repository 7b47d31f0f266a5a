//! What others measured.

use std::io::Cursor;
use std::path::Path;

use tetherline::formats::import::{Batch, Format, read_measurements};
use tetherline::model::WallTime;

use super::super::court::Said;
use super::{bzip2, gzip};

/// What the readers' own tests read.
pub(crate) fn seeds_of(format: &str) -> Vec<Vec<u8>> {
    let files: &[&str] = match format {
        "warts" => &["traces.warts", "diamonds.warts", "pings.warts"],
        "scamper-json" => &["traces.json", "diamonds.json", "pings.json"],
        "atlas-json" => &["atlas.json"],
        "yarrp" => &["answers.yrp"],
        "caracal" => &["answers.caracal.csv"],
        "mtr-json" => &["mtr.json"],
        "trippy-json" => &["trippy.json"],
        _ => &[],
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/formats/import/corpus");
    files.iter().map(|name| std::fs::read(folder.join(name)).unwrap()).collect()
}

/// Every format, packed and not, and a bomb.
pub(crate) fn packed_seeds(_: &str) -> Vec<Vec<u8>> {
    let all: Vec<Vec<u8>> = Format::ALL.iter().flat_map(|format| seeds_of(format.as_str())).collect();
    let bomb = gzip(&[b"{\"msm_id\":\"".as_slice(), &vec![b'x'; 6 << 20]].concat());
    let packed = all.iter().flat_map(|seed| [gzip(seed), bzip2(seed)]);
    packed.chain(all.iter().cloned()).chain([bomb]).collect()
}

pub(crate) fn warts(bytes: &[u8]) -> Said {
    read(Some(Format::Warts), bytes, true)
}

pub(crate) fn scamper_json(bytes: &[u8]) -> Said {
    read(Some(Format::ScamperJson), bytes, true)
}

pub(crate) fn atlas(bytes: &[u8]) -> Said {
    read(Some(Format::Atlas), bytes, true)
}

pub(crate) fn yarrp(bytes: &[u8]) -> Said {
    read(Some(Format::Yarrp), bytes, true)
}

pub(crate) fn caracal(bytes: &[u8]) -> Said {
    read(Some(Format::Caracal), bytes, true)
}

pub(crate) fn mtr(bytes: &[u8]) -> Said {
    read(Some(Format::Mtr), bytes, true)
}

pub(crate) fn trippy(bytes: &[u8]) -> Said {
    read(Some(Format::Trippy), bytes, true)
}

/// Packed or not: offsets count unpacked bytes.
pub(crate) fn any(bytes: &[u8]) -> Said {
    read(None, bytes, false)
}

fn read(format: Option<Format>, bytes: &[u8], is_plain: bool) -> Said {
    let (mut said, mut before) = (Said::default(), 0);
    let is_plain = is_plain && !bytes.starts_with(&[0x1f, 0x8b]) && !bytes.starts_with(b"BZh");
    let input = Cursor::new(bytes.to_vec());
    let read = read_measurements(input, format, WallTime::from_nanos(7), |batch| {
        check(&batch, is_plain.then_some(bytes.len()), before);
        before = batch.faults.last().map_or(before, |fault| fault.offset);
        tell(&batch, &mut said);
    });
    match read {
        Ok(format) => said.note(format.as_str()),
        Err(error) => said.note(error.kind()),
    }
    said
}

/// Faults lie in the file and one behind the other, and a small file makes no large dataset: no program asks a hop of a
/// trace more than ten times, or sends more than 128 packets of a kind.
fn check(batch: &Batch, length: Option<usize>, before: u64) {
    let (mut before, length) = (before, length.map_or(u64::MAX, |length| length as u64));
    for fault in &batch.faults {
        assert!(fault.offset <= length, "a fault at byte {} of {length}", fault.offset);
        assert!(fault.offset >= before, "a fault at byte {} behind one at {before}", fault.offset);
        assert!(!fault.reason.is_empty());
        before = fault.offset;
    }
    for one in &batch.measurements {
        assert!(
            length == u64::MAX || one.probes.len() as u64 <= 33_000 + length,
            "{} probes",
            one.probes.len()
        );
    }
}

fn tell(batch: &Batch, said: &mut Said) {
    batch.faults.iter().for_each(|fault| said.note(&fault.reason));
    batch.counts.iter().for_each(|(what, number)| said.count(what, *number));
    for one in &batch.measurements {
        said.note(format_args!("{:?} {:?} {}", one.method, one.protocol, one.target.is_ipv4()));
        one.probes.iter().for_each(|sent| said.note(sent.outcome.as_str()));
    }
}
