use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::analyse::ways::Searches;
use crate::dataset::{Dataset, arbitrary};
use crate::formats::import::tests::{
    ATLAS, DIAMONDS, PINGS, TRACES, imported, in_file, measurements, read, records,
};
use crate::formats::import::{Batch, Format, ImportOptions};
use crate::model::{Method, Protocol, RoundId, RttSource, Ttl};

fn exported(dataset: &Dataset, to: ExportTo) -> Vec<u8> {
    let mut bytes = Vec::new();
    let vantages = dataset.vantages().unwrap().into_iter().collect();
    export(to, &mut bytes, vantages, dataset.records().unwrap()).unwrap();
    bytes
}

/// What others measured, as a dataset.
fn dataset(name: &str, bytes: &[u8]) -> (tempfile::TempDir, Dataset) {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = in_file(folder.path(), name, bytes);
    let (kept, dataset, _) = imported(&[file], &ImportOptions::default());
    (kept, dataset)
}

/// Records without what the format has no place for, in an order of their own.
fn comparable(dataset: &Dataset, keep: impl Fn(&mut ProbeRecord)) -> Vec<String> {
    sorted(records(dataset), keep)
}

fn sorted(records: impl IntoIterator<Item = ProbeRecord>, keep: impl Fn(&mut ProbeRecord)) -> Vec<String> {
    let kept = records.into_iter().map(|mut record| {
        keep(&mut record);
        format!("{record:?}")
    });
    let mut all: Vec<String> = kept.collect();
    all.sort();
    all
}

#[test]
fn warts_come_back_from_warts_with_every_column() {
    let ledgers =
        |dataset: &Dataset| dataset.rounds().unwrap().iter().map(|round| round.ledger).collect::<Vec<_>>();
    for warts in [TRACES, PINGS] {
        let (_kept, first) = dataset("w", warts);
        let (_kept, again) = dataset("w", &exported(&first, ExportTo::Warts));
        assert_eq!(comparable(&again, |_| ()), comparable(&first, |_| ()));
        assert_eq!(again.vantages().unwrap(), first.vantages().unwrap());
        assert_eq!(ledgers(&again), ledgers(&first));
    }
}

#[test]
fn load_balancer_traces_come_back_as_a_trace_of_every_flow() {
    let (_kept, first) = dataset("w", DIAMONDS);
    let (_kept, again) = dataset("w", &exported(&first, ExportTo::Warts));
    // The round of a flow that was asked on its own is another; what was found is the same.
    let as_traces = |record: &mut ProbeRecord| {
        record.probe.round = RoundId(0);
        if record.method == Method::Multipath {
            record.method = Method::Trace;
        }
    };
    let traces = |record: &ProbeRecord| record.method != Method::Multipath;
    let again = sorted(records(&again).into_iter().filter(traces), as_traces);
    assert_eq!(again, comparable(&first, as_traces));
}

/// The links that searches tell.
fn links(records: &[ProbeRecord]) -> Vec<(IpAddr, Ttl, IpAddr, IpAddr)> {
    let mut searches = Searches::default();
    for record in records {
        searches.add(record);
    }
    let ways = searches.finish();
    let links = ways.iter().flat_map(|ways| ways.links.iter().map(|link| (ways.key.target, link)));
    links.map(|(target, link)| (target, link.ttl, link.from, link.to)).collect()
}

#[test]
fn searches_come_back_from_warts_with_the_same_links_and_the_probes_that_went_along_them() {
    let (_kept, first) = dataset("w", DIAMONDS);
    let warts = exported(&first, ExportTo::Warts);
    let (_kept, again) = dataset("w", &warts);
    let searched = |dataset: &Dataset| {
        let all = records(dataset).into_iter().filter(|record| record.method == Method::Multipath);
        all.collect::<Vec<ProbeRecord>>()
    };
    assert_eq!(links(&searched(&first)).len(), 15);
    assert_eq!(links(&searched(&again)), links(&searched(&first)));
    let any_round = |record: &mut ProbeRecord| record.probe.round = RoundId(0);
    let (first, again) = (sorted(searched(&first), any_round), sorted(searched(&again), any_round));
    let lost = first.iter().filter(|record| !again.contains(record)).count();
    assert!(again.iter().all(|record| first.contains(record)), "what comes back was there");
    // Those of flows that were not asked at the hop before, where several routers answer.
    assert!(lost * 3 < first.len(), "{lost} of {}", first.len());
}

#[test]
fn scampers_json_comes_back_but_for_the_clock() {
    let any_clock = |record: &mut ProbeRecord| {
        if let Outcome::Answered { rtt, .. } = &mut record.outcome {
            rtt.source = RttSource::UserSpace;
        }
    };
    for warts in [TRACES, PINGS] {
        let (_kept, first) = dataset("w", warts);
        let (_kept, again) = dataset("j", &exported(&first, ExportTo::ScamperJson));
        assert_eq!(comparable(&again, any_clock), comparable(&first, any_clock));
    }
}

#[test]
fn atlas_comes_back_from_atlas_but_for_what_was_refused_or_quoted_otherwise() {
    let (_kept, first) = dataset("a", ATLAS.as_bytes());
    let (_kept, again) = dataset("a", &exported(&first, ExportTo::AtlasJson));
    let shown = |dataset: &Dataset| {
        let mut all = records(dataset);
        all.retain(|record| !matches!(record.outcome, Outcome::SendFailed(_)));
        for record in &mut all {
            // Refused probes leave no gap in the numbers of attempts.
            record.probe.attempt = 0;
            if let Outcome::Answered { reply, .. } = &mut record.outcome {
                reply.matched = crate::model::MatchQuality::Exact;
                reply.icmp = None;
                if record.method == Method::Echo {
                    reply.size = 0;
                }
            }
        }
        let mut all: Vec<String> = all.iter().map(|record| format!("{record:?}")).collect();
        all.sort();
        all
    };
    assert_eq!(shown(&again), shown(&first));
}

#[test]
fn parquet_holds_the_records_with_their_vantages() {
    let (_kept, dataset) = dataset("w", TRACES);
    let mut bytes = Vec::new();
    let rows = crate::dataset::write_parquet(&mut bytes, dataset.records().unwrap()).unwrap();
    assert_eq!(rows, records(&dataset).len() as u64);
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
}

/// What scamper would make of a record: an answer of a trace or ping.
fn answers(batch: &Batch) -> Vec<(IpAddr, Ttl, IpAddr)> {
    let probes =
        measurements(batch).into_iter().flat_map(|one| one.probes.iter().map(|sent| (one.target, sent)));
    let mut answers: Vec<_> = probes
        .filter_map(|(target, sent)| match &sent.outcome {
            Outcome::Answered { reply, .. } => Some((target, sent.ttl, reply.from)),
            _ => None,
        })
        .collect();
    answers.sort();
    answers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_exported_can_be_read_and_names_every_answer(
        all in proptest::collection::vec(arbitrary::record(RoundId(3)), 0..20)
    ) {
        // Only UDP is answered in UDP.
        let in_udp = |record: &ProbeRecord| matches!(&record.outcome,
            Outcome::Answered { reply, .. } | Outcome::Late { reply, .. } if reply.kind == ReplyKind::UdpReply);
        let made = all.into_iter().filter(|one| one.probe.protocol == Protocol::Udp || !in_udp(one));
        let mut probes: Vec<ProbeRecord> = made.collect();
        // Each probe once, as in a dataset.
        probes.sort_by_key(|record| (record.probe, record.prober.clone()));
        probes.dedup_by_key(|record| (record.probe, record.prober.clone()));
        for (to, format) in [(ExportTo::Warts, Format::Warts), (ExportTo::ScamperJson, Format::ScamperJson)] {
            let mut bytes = Vec::new();
            export(to, &mut bytes, Vantages::new(), probes.iter().cloned().map(Ok)).unwrap();
            let batch = read(format, &bytes);
            prop_assert_eq!(&batch.faults, &[]);
            let expected = probes.iter().filter_map(|record| match &record.outcome {
                Outcome::Answered { reply, .. } | Outcome::Late { reply, .. }
                    if record.probe.attempt < FIRST_TEST =>
                {
                    Some((record.probe.target, record.probe.ttl, reply.from))
                }
                _ => None,
            });
            let mut expected: Vec<_> = expected.collect();
            expected.sort();
            prop_assert_eq!(answers(&batch), expected);
        }
        let mut bytes = Vec::new();
        export(ExportTo::AtlasJson, &mut bytes, Vantages::new(), probes.iter().cloned().map(Ok)).unwrap();
        prop_assert_eq!(&read(Format::Atlas, &bytes).faults, &[]);
    }
}
