use std::io::Cursor;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::input::Input;
use super::reader::Reader;
use super::*;
use crate::analyse::path::{Trace, TraceEnd, Traces};
use crate::dataset::{Dataset, ProbeRecord};
use crate::model::{MatchQuality, Reply, ReplyKind, Rtt, RttSource, SendFault};

mod damaged;
mod real;

/// What scamper measured in our own lab, and the same by its own program for JSON.
pub(in crate::formats) const TRACES: &[u8] = include_bytes!("corpus/traces.warts");
pub(in crate::formats) const DIAMONDS: &[u8] = include_bytes!("corpus/diamonds.warts");

/// Pings of scamper at hosts of kernels' own in namespaces, by UDP, TCP and time stamps.
pub(in crate::formats) const PINGS: &[u8] = include_bytes!("corpus/pings.warts");

const PINGS_JSON: &str = include_str!("corpus/pings.json");
const TRACES_JSON: &str = include_str!("corpus/traces.json");
const DIAMONDS_JSON: &str = include_str!("corpus/diamonds.json");

/// Results of RIPE Atlas as different firmwares write them, by ours.
pub(in crate::formats) const ATLAS: &str = include_str!("corpus/atlas.json");

/// What a format makes of these bytes, without files and threads.
pub(in crate::formats) fn read(format: Format, bytes: &[u8]) -> Batch {
    let input = Input::new(Cursor::new(bytes.to_vec())).expect("memory can be read");
    let mut batch = Batch::default();
    let mut reader = Reader::new(format, input, WallTime::from_nanos(7));
    while reader.step(&mut batch) {}
    batch
}

pub(in crate::formats) fn measurements(batch: &Batch) -> Vec<&Measurement> {
    batch.measurements.iter().collect()
}

fn count(batch: &Batch, what: &str) -> u64 {
    batch.counts.get(what).copied().unwrap_or(0)
}

/// Imports files into a new dataset.
pub(in crate::formats) fn imported(
    files: &[PathBuf],
    options: &ImportOptions,
) -> (tempfile::TempDir, Dataset, ImportSummary) {
    let folder = tempfile::tempdir().unwrap();
    let (dataset, summary) = import(files, &folder.path().join("d"), options, &|_| ()).unwrap();
    (folder, dataset, summary)
}

pub(in crate::formats) fn in_file(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

pub(in crate::formats) fn records(dataset: &Dataset) -> Vec<ProbeRecord> {
    dataset.records().unwrap().collect::<Result<_, _>>().unwrap()
}

fn traces(dataset: &Dataset) -> Vec<Trace> {
    let mut traces = Traces::default();
    for record in records(dataset) {
        traces.add(&record);
    }
    traces.finish().collect()
}

fn answer(sent: &Sent) -> (&Reply, Rtt) {
    match &sent.outcome {
        Outcome::Answered { reply, rtt } | Outcome::Late { reply, rtt } => (reply, *rtt),
        other => panic!("no answer: {other:?}"),
    }
}

#[test]
fn a_trace_of_atlas_keeps_hops_attempts_labels_late_answers_and_refusals() {
    let batch = read(Format::Atlas, ATLAS.as_bytes());
    assert_eq!(batch.faults, []);
    let all = measurements(&batch);
    let trace = all[0];
    assert_eq!((trace.vantage.as_str(), trace.series.as_str()), ("atlas-7", "msm-5001"));
    assert_eq!((trace.target.to_string().as_str(), trace.protocol), ("192.0.2.9", Protocol::Udp));
    assert_eq!(trace.source, "203.0.113.5".parse().ok());
    let by = |ttl: u8, attempt: u8| {
        let found = trace.probes.iter().find(|sent| (sent.ttl.get(), sent.attempt) == (ttl, attempt));
        found.unwrap_or_else(|| panic!("nothing at {ttl}, {attempt}"))
    };
    assert!(trace.probes.iter().all(|sent| sent.flow == FlowId(3)));
    // The second packet was answered when the third was on its way.
    assert!(matches!(by(1, 1).outcome, Outcome::Late { .. }));
    assert_eq!(answer(by(1, 1)).1, Rtt::NOT_TOLD);
    let (reply, rtt) = answer(by(2, 0));
    assert_eq!((rtt.span.as_micros(), rtt.source), (5250, RttSource::Monotonic));
    assert_eq!(reply.mpls[0].to_string(), "301632:2:1:1");
    assert_eq!((reply.quoted_ttl, reply.reply_ttl, reply.size), (Some(2), Some(253), 168));
    // Two addresses at one hop, and one answer that quotes another destination.
    assert_eq!(answer(by(2, 1)).0.from.to_string(), "198.51.100.3");
    assert_eq!(answer(by(2, 2)).0.matched, MatchQuality::Tolerant);
    assert_eq!(by(3, 0).outcome, Outcome::SendFailed(SendFault::NoRoute));
    assert_eq!(answer(by(4, 0)).0.kind, ReplyKind::Unreachable(crate::model::Unreachable::Prohibited));
    assert_eq!(answer(by(5, 0)).0.kind, ReplyKind::Unreachable(crate::model::Unreachable::Port));
    assert_eq!(trace.duplicates, 1);
    assert_eq!(count(&batch, "late answers that quote another destination"), 1);
    assert!(trace.probes.iter().all(|sent| sent.ttl.get() != 255), "the last packet told nothing");
}

#[test]
fn results_of_atlas_of_other_types_are_counted_and_are_no_damage() {
    let dns = br#"{"type":"dns","fw":5080,"msm_id":7,"prb_id":1,"timestamp":7,"result":{"abuf":"x"}}"#;
    let tls = br#"{"type":"sslcert","fw":5080,"msm_id":8,"prb_id":1,"timestamp":7,"cert":["x"]}"#;
    let batch =
        read(Format::Atlas, &[&dns[..], b"\n", tls, b"\n{\"type\":\"ping\",\"result\":{}}\n"].concat());
    assert_eq!((count(&batch, "results of other types"), count(&batch, FAULTS)), (2, 1));
}

#[test]
fn pings_of_atlas_of_old_and_new_firmware_are_read() {
    let batch = read(Format::Atlas, ATLAS.as_bytes());
    let pings: Vec<_> = measurements(&batch).into_iter().filter(|one| one.method == Method::Echo).collect();
    assert_eq!(pings.len(), 2);
    for ping in &pings {
        let outcomes: Vec<&str> = ping.probes.iter().map(|sent| sent.outcome.as_str()).collect();
        assert_eq!(outcomes, ["answered", "silent", "send_failed"], "{ping:?}");
        assert_eq!(ping.duplicates, 1);
    }
    assert_eq!(answer(&pings[0].probes[0]).0.reply_ttl, Some(57));
    assert_eq!(pings[1].target, "2001:db8::9".parse::<IpAddr>().unwrap());
}

#[test]
fn objects_are_found_in_an_array_one_a_line_and_over_many_lines() {
    let lines: Vec<&str> = ATLAS.lines().collect();
    let values: Vec<serde_json::Value> =
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let as_lines = read(Format::Atlas, ATLAS.as_bytes());
    let pretty: Vec<String> =
        values.iter().map(|value| serde_json::to_string_pretty(value).unwrap()).collect();
    for text in [
        format!("[{}]", lines.join(",")),
        format!("[\n{}\n]\n", lines.join(",\n")),
        serde_json::to_string_pretty(&values).unwrap(),
        pretty.join("\n"),
        format!(" \n{}", lines.join("\r\n")),
    ] {
        let batch = read(Format::Atlas, text.as_bytes());
        assert_eq!(batch.faults, [], "{text}");
        assert_eq!(measurements(&batch), measurements(&as_lines), "{text}");
    }
}

#[test]
fn a_warts_trace_tells_what_the_lab_did() {
    let batch = read(Format::Warts, TRACES);
    assert_eq!(batch.faults, []);
    let first = measurements(&batch)[0];
    assert_eq!((first.vantage.as_str(), first.series.as_str()), ("vm", "default"));
    let hops: Vec<String> = first.probes.iter().map(|sent| answer(sent).0.from.to_string()).collect();
    assert_eq!(hops, ["188.1.144.1", "4.69.0.1", "4.69.0.2", "4.69.1.2", "175.45.176.21"]);
    let kinds: Vec<ReplyKind> = first.probes.iter().map(|sent| answer(sent).0.kind).collect();
    assert_eq!(kinds[..4], [ReplyKind::TimeExceeded; 4]);
    assert_eq!(kinds[4], ReplyKind::EchoReply);
    let (reply, rtt) = answer(&first.probes[0]);
    assert_eq!((reply.reply_ttl, reply.quoted_ttl, reply.size), (Some(255), Some(1), 56));
    assert_eq!(reply.ip_id, Some(63_064));
    assert_eq!((rtt.span.as_micros(), rtt.source), (603, RttSource::UserSpace));
    assert_eq!(first.probes[0].at, Some(WallTime::from_nanos(1_795_645_540_632_031_000)));
}

/// scamper's own program made the JSON of the warts.
#[test]
fn scampers_json_tells_the_same_as_its_warts() {
    for (warts, json) in [(TRACES, TRACES_JSON), (DIAMONDS, DIAMONDS_JSON), (PINGS, PINGS_JSON)] {
        let (warts, json) = (read(Format::Warts, warts), read(Format::ScamperJson, json.as_bytes()));
        assert_eq!(json.faults, []);
        assert_eq!(measurements(&json).len(), measurements(&warts).len());
        for (one, other) in measurements(&json).into_iter().zip(measurements(&warts)) {
            assert_eq!(*one, as_json_tells(other));
        }
    }
}

#[test]
fn pings_by_udp_and_time_stamps_are_records_of_methods_of_their_own() {
    let batch = read(Format::Warts, PINGS);
    assert_eq!(batch.faults, []);
    let told = |one: &Measurement| {
        let flows: Vec<u16> = one.probes.iter().map(|sent| sent.flow.0).collect();
        let answered =
            one.probes.iter().filter(|sent| matches!(sent.outcome, Outcome::Answered { .. })).count();
        (one.method, one.protocol, one.port.map(Port::get), flows, answered)
    };
    let all: Vec<_> = measurements(&batch).into_iter().map(told).collect();
    let (udp, tcp, icmp) = (Protocol::Udp, Protocol::Tcp, Protocol::Icmp);
    assert_eq!(
        all,
        [
            (Method::Udp, udp, Some(33435), vec![47939, 47939], 2),
            (Method::Udp, udp, None, vec![50000, 50001], 0),
            (Method::Udp, udp, Some(33435), vec![47939, 47939, 47939], 3),
            (Method::Tcp, tcp, Some(80), vec![41000, 41001, 41002], 3),
            (Method::Udp, udp, None, vec![33435, 33436, 33437], 3),
            (Method::Tcp, tcp, Some(80), vec![47939, 47939], 2),
            (Method::Timestamp, icmp, None, vec![0, 0], 2),
        ]
    );
    let of = |index: usize| answer(&measurements(&batch)[index].probes[0]).0.clone();
    assert_eq!(of(2).kind, ReplyKind::Unreachable(crate::model::Unreachable::Port));
    assert_eq!((of(6).kind, of(6).icmp), (ReplyKind::TimestampReply, Some((14, 0))));
}

/// The same by a clock of which nothing is told, and where load balancers are searched without labels.
fn as_json_tells(measurement: &Measurement) -> Measurement {
    let mut measurement = measurement.clone();
    for sent in &mut measurement.probes {
        if let Outcome::Answered { reply, rtt } = &mut sent.outcome {
            if rtt.told().is_some() {
                rtt.source = RttSource::UserSpace;
            }
            if measurement.method == Method::Multipath {
                reply.mpls.clear();
            }
        }
    }
    measurement
}

#[test]
fn the_kth_trace_to_a_target_is_of_the_kth_round_whatever_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let line = |probe: u32, at: u32| {
        format!(
            r#"{{"type":"traceroute","msm_id":1,"prb_id":{probe},"timestamp":{at},"dst_addr":"192.0.2.1","proto":"ICMP","paris_id":0,"result":[{{"hop":1,"result":[{{"x":"*"}}]}}]}}"#
        )
    };
    let times = [100, 200, 300];
    let by_probe: Vec<String> = (1..=4).flat_map(|probe| times.map(|at| line(probe, at))).collect();
    let by_time: Vec<String> = times.iter().flat_map(|at| (1..=4).map(|probe| line(probe, *at))).collect();
    for (name, lines) in [("by_probe", by_probe), ("by_time", by_time)] {
        let file = in_file(folder.path(), name, lines.join("\n").as_bytes());
        let (_folder, dataset, summary) = imported(&[file], &ImportOptions::default());
        assert_eq!((summary.rounds, summary.vantages, summary.records), (3, 4, 12));
        for record in records(&dataset) {
            let at = record.sent_at.unwrap().as_nanos() / 1_000_000_000;
            assert_eq!(i64::try_from(record.probe.round.0).unwrap() * 100, at, "{name}");
        }
        let rounds = dataset.rounds().unwrap();
        assert!(rounds.iter().all(|round| round.ledger.balances() && round.rows == 4), "{rounds:?}");
    }
}

#[test]
fn an_imported_dataset_is_read_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let warts = in_file(folder.path(), "w", TRACES);
    let atlas = in_file(folder.path(), "a", ATLAS.as_bytes());
    let options = ImportOptions {
        units: vec!["175.45.176.0/22".parse().unwrap()],
        campaign: "kp".parse().ok(),
        ..ImportOptions::default()
    };
    let (_folder, dataset, summary) = imported(&[warts, atlas], &options);
    let manifest = dataset.manifest();
    assert_eq!((manifest.campaign.as_str(), manifest.vantage.as_str()), ("kp", "several"));
    let units: Vec<String> = manifest.units.iter().map(|info| info.unit.to_string()).collect();
    assert_eq!(units, ["175.45.176.0/22", "192.0.2.0/24", "2001:db8::/48"]);
    let names: Vec<String> =
        dataset.vantages().unwrap().into_iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["atlas-7", "atlas-8", "vm"]);
    let reopened = Dataset::open_read_only(dataset.path()).unwrap();
    let all = records(&reopened);
    assert_eq!(all.len() as u64, summary.records);
    assert!(reopened.total_ledger().unwrap().balances());
    let of_one = reopened.recorded(crate::model::RoundId(1)).unwrap();
    assert!(!of_one.is_empty() && of_one.iter().all(|record| record.probe.round.0 == 1));
    let ends = traces(&reopened).into_iter().filter(|trace| matches!(trace.end, TraceEnd::Reached { .. }));
    assert_eq!(ends.count(), 4);
    let from = reopened.imported_from().unwrap();
    assert!(from.iter().any(|from| (from.what.as_str(), from.number) == ("traceroutes", 4)), "{from:?}");
}

#[test]
fn a_vantage_and_a_folder_that_is_in_use_are_respected() {
    let folder = tempfile::tempdir().unwrap();
    let file = in_file(folder.path(), "w", TRACES);
    let options = ImportOptions { vantage: "me".parse().ok(), ..ImportOptions::default() };
    let (_kept, dataset, _) = imported(std::slice::from_ref(&file), &options);
    assert!(records(&dataset).iter().all(|record| record.vantage.as_str() == "me"));
    assert_eq!(dataset.manifest().vantage.as_str(), "me");
    let again = import(&[file], dataset.path(), &options, &|_| ()).unwrap_err();
    assert!(matches!(again, ImportError::Dataset(DatasetError::AlreadyThere { .. })), "{again}");
}

#[test]
fn what_holds_nothing_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let file = in_file(folder.path(), "w", br#"{"type":"dns","msm_id":1}"#);
    let output = folder.path().join("d");
    let error = import(&[file], &output, &ImportOptions::default(), &|_| ()).unwrap_err();
    assert!(matches!(error, ImportError::Nothing { .. }), "{error}");
    assert_eq!(std::fs::read_dir(&output).unwrap().count(), 0);
}

#[test]
fn of_a_file_that_is_nothing_known_is_said_what_it_holds_and_what_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("d");
    for (bytes, holds) in [
        (&[0; 5000][..], "begins with 5000 bytes of zero"),
        (b"", "is empty"),
        (b"hello\x1b[31m\n", "begins with the text \"hello"),
        (b"\x7fELF\x02\x01\x01\x00\xff\xfe", "begins with the bytes 7f 45 4c 46 02 01 01 00"),
    ] {
        let file = in_file(folder.path(), "f", bytes);
        let error =
            import(std::slice::from_ref(&file), &output, &ImportOptions::default(), &|_| ()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(holds) && text.contains("warts, scamper-json, atlas-json"), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
        let options = ImportOptions { format: Some(Format::Warts), ..ImportOptions::default() };
        let ImportError::Nothing { files } = import(&[file], &output, &options, &|_| ()).unwrap_err()
        else {
            panic!("something was imported");
        };
        assert_eq!(files[0].faults.is_empty(), bytes.is_empty(), "{files:?}");
    }
}

const YARRP: &str = include_str!("corpus/answers.yrp");
const CARACAL: &str = include_str!("corpus/answers.caracal.csv");
const MTR: &str = include_str!("corpus/mtr.json");
const TRIPPY: &str = include_str!("corpus/trippy.json");

#[test]
fn the_format_is_told_by_what_stands_in_a_file() {
    let files: [(&[u8], Format); 8] = [
        (TRACES, Format::Warts),
        (DIAMONDS, Format::Warts),
        (TRACES_JSON.as_bytes(), Format::ScamperJson),
        (ATLAS.as_bytes(), Format::Atlas),
        (YARRP.as_bytes(), Format::Yarrp),
        (CARACAL.as_bytes(), Format::Caracal),
        (MTR.as_bytes(), Format::Mtr),
        (TRIPPY.as_bytes(), Format::Trippy),
    ];
    for (bytes, format) in files {
        let mut input = Input::new(Cursor::new(bytes.to_vec())).unwrap();
        assert_eq!(Format::of(&mut input), Some(format));
        assert_eq!(read(format, bytes).faults, [], "{format:?}");
    }
}

#[test]
fn yarrp_tells_the_identification_of_answers_over_ipv4() {
    let batch = read(Format::Yarrp, YARRP.as_bytes());
    let ids: Vec<Option<u16>> =
        measurements(&batch).into_iter().map(|one| answer(&one.probes[0]).0.ip_id).collect();
    assert_eq!(ids, [Some(54_321), Some(54_322), Some(54_323), Some(54_324), Some(54_324), None]);
}

#[test]
fn answers_of_a_stateless_prober_become_traces_of_one_round() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text, end) in [("y", YARRP, "198.51.100.2"), ("c", CARACAL, "198.51.100.2")] {
        let file = in_file(folder.path(), name, text.as_bytes());
        let (_folder, dataset, summary) = imported(&[file], &ImportOptions::default());
        assert_eq!((summary.rounds, summary.vantages), (1, 1), "{name}");
        let all = traces(&dataset);
        let first = all.iter().find(|trace| trace.key.target.to_string() == "192.0.2.9").unwrap();
        assert_eq!(first.hops.len(), 3, "{name}: {first:?}");
        assert_eq!(first.hops[1].address(), end.parse().ok(), "{name}");
        assert!(matches!(first.end, TraceEnd::Reached { .. }), "{name}: {:?}", first.end);
        assert_eq!(dataset.total_ledger().unwrap().duplicates, 1, "{name}");
        assert!(all.iter().any(|trace| trace.key.target.is_ipv6()), "{name}");
    }
}

#[test]
fn labels_and_round_trip_times_of_caracal_are_read_in_tenths_of_milliseconds() {
    let batch = read(Format::Caracal, CARACAL.as_bytes());
    let all = measurements(&batch);
    let (reply, rtt) = answer(&all[1].probes[0]);
    assert_eq!(
        reply.mpls.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["24017:0:0:1", "16003:0:1:1"]
    );
    assert_eq!(rtt.span.as_micros(), 5_700);
    // Seconds in one version, microseconds in another.
    assert_eq!(all[0].at.to_string(), "2022-07-19T15:26:20.999Z");
    assert_eq!(all[3].at.to_string(), "2022-07-19T15:26:20.997Z");
}

#[test]
fn a_report_of_mtr_with_other_columns_is_read() {
    let text = r#"{"report":{"mtr":{"src":"vm","dst":"9.9.9.9"},"hubs":[{"count":1,"host":"9.9.9.9","Loss%":50,"Snt":2,"Avg":3}]}}"#;
    let batch = read(Format::Mtr, text.as_bytes());
    let outcomes: Vec<&str> =
        measurements(&batch)[0].probes.iter().map(|sent| sent.outcome.as_str()).collect();
    assert_eq!(outcomes, ["answered", "silent"]);
    assert_eq!(answer(&measurements(&batch)[0].probes[0]).1.told(), None);
}

#[test]
fn reports_of_mtr_and_trippy_give_as_many_probes_and_answers_as_they_tell() {
    for (format, text, at) in [
        (Format::Mtr, MTR, "1970-01-01T00:00:00.000000007Z"),
        (Format::Trippy, TRIPPY, "2026-11-25T20:00:00Z"),
    ] {
        let batch = read(format, text.as_bytes());
        let report = measurements(&batch)[0];
        assert_eq!(report.at.to_string(), at);
        let of = |ttl: u8, word: &str| {
            let of_hop = report.probes.iter().filter(|sent| sent.ttl.get() == ttl);
            of_hop.filter(|sent| sent.outcome.as_str() == word).count()
        };
        assert_eq!((of(1, "answered"), of(1, "silent")), (10, 0), "{format:?}");
        assert_eq!((of(2, "answered"), of(2, "silent")), (0, 10), "{format:?}");
        assert_eq!((of(3, "answered"), of(3, "silent")), (7, 3), "{format:?}");
        let spans: Vec<_> = report.probes.iter().take(3).map(|sent| answer(sent).1.told()).collect();
        let micros = |ms: u64| Some(std::time::Duration::from_micros(ms));
        assert_eq!(spans, [micros(250), micros(1500), None], "{format:?}");
        let reached = report.probes.iter().find(|sent| sent.ttl.get() == 3).unwrap();
        assert_eq!(answer(reached).0.kind, ReplyKind::EchoReply, "{format:?}");
    }
}
